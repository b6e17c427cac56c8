use std::fs::File;

use super::*;
use crate::npy::tests::{dictionary, file};
use safetensors::tensor::TensorView;

fn read(file: &VectorFile, range: Range<usize>) -> Vec<f32> {
    let mut rows = vec![9.0];
    file.read_rows(range, &mut rows).unwrap();
    rows
}

#[test]
fn npy_versions_and_element_types_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.npy");
    let values = [0.5_f32, -1.0, 2.0, 4.0, 8.0, -0.25];
    let halves = values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes());
    let doubles = values.iter().flat_map(|v| f64::from(*v).to_le_bytes());
    let stored: [(&str, Vec<u8>); 3] = [
        ("<f2", halves.collect()),
        ("<f4", values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("<f8", doubles.collect()),
    ];
    for version in 1..=3 {
        for (descr, data) in &stored {
            let content = file(version, &dictionary(descr, "(3, 2)"), data);
            std::fs::write(&path, content).unwrap();
            let vectors = VectorFile::open(&path, None).unwrap();
            assert_eq!((vectors.rows(), vectors.dimension()), (3, 2));
            let mut rows = Vec::new();
            vectors.read_rows(1..3, &mut rows).unwrap();
            assert_eq!(rows, values[2..], "{descr} in version {version}");
        }
    }
    assert!(VectorFile::open(&path, Some("x")).is_err());
}

/// Row r of column d is 10 r + d, of 5 rows of 3.
fn by_columns() -> Vec<u8> {
    let columns = (0..3_u8).flat_map(|d| (0..5_u8).map(move |r| f32::from(10 * r + d)));
    let data: Vec<u8> = columns.flat_map(f32::to_le_bytes).collect();
    let turned = dictionary("<f4", "(5, 3)").replace("False", "True");
    file(1, &turned, &data)
}

#[test]
fn a_matrix_in_fortran_order_has_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.npy");
    std::fs::write(&path, by_columns()).unwrap();
    let vectors = VectorFile::open(&path, None).unwrap();
    assert_eq!((vectors.rows(), vectors.dimension()), (5, 3));
    assert_eq!(read(&vectors, 1..3), [10.0, 11.0, 12.0, 20.0, 21.0, 22.0]);
    assert_eq!(read(&vectors, 0..5).len(), 15);
    assert_eq!(read(&vectors, 5..5), [0.0; 0]);
    let cut = &by_columns()[..by_columns().len() - 1];
    std::fs::write(&path, cut).unwrap();
    assert!(VectorFile::open(&path, None).is_err());
}

#[test]
fn arrays_of_an_archive_are_found_by_name_stored_or_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.npz");
    let pair = file(
        2,
        &dictionary("<f8", "(2, 1)"),
        &[0.5_f64, -2.0].map(f64::to_le_bytes).concat(),
    );
    let archive = |names: &[&str], method| {
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for (at, name) in names.iter().enumerate() {
            zip.start_file(format!("{name}.npy"), options).unwrap();
            let content = if at == 0 { by_columns() } else { pair.clone() };
            zip.write_all(&content).unwrap();
        }
        zip.finish().unwrap();
    };
    for method in [
        zip::CompressionMethod::Stored,
        zip::CompressionMethod::Deflated,
    ] {
        for (names, tensor) in [
            (&["embeddings", "other"][..], None),
            (&["any"], None),
            (&["a", "b"], Some("a")),
        ] {
            archive(names, method);
            let vectors = VectorFile::open(&path, tensor).unwrap();
            assert_eq!(read(&vectors, 4..5), [40.0, 41.0, 42.0]);
            assert!(vectors.metadata().unwrap().is_empty());
        }
        archive(&["a", "b"], method);
        assert_eq!(
            read(&VectorFile::open(&path, Some("b")).unwrap(), 0..2),
            [0.5, -2.0]
        );
        for (tensor, part) in [(None, "arrays a, b; name"), (Some("c"), "it holds a, b")] {
            let error = VectorFile::open(&path, tensor).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
    std::fs::write(&path, b"PK\x03\x04 and no archive").unwrap();
    let error = VectorFile::open(&path, None).unwrap_err();
    assert!(error.message().contains("numpy.savez"), "{error}");
}

#[test]
fn a_npy_that_is_no_float_matrix_is_refused() {
    for (dictionary, part) in [
        (dictionary("<i8", "(2, 2)"), "<f2, <f4 and <f8"),
        (dictionary(">f4", "(2, 2)"), "little-endian"),
        (dictionary("<f4", "(4,)"), "(rows, dimension)"),
        (dictionary("<f4", "(2, 2, 2)"), "(rows, dimension)"),
        (dictionary("<f4", "(4, 5)"), "cut short"),
        (dictionary("<f4", "(9223372036854775807, 8)"), "cut short"),
    ] {
        let error = npy_layout(&file(1, &dictionary, &[0; 64]), 0).unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn written_files_are_read_back_by_us_and_by_the_safetensors_crate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.safetensors");
    let metadata = BTreeMap::from([("model".to_owned(), "m \"q\"".to_owned())]);
    let mut writer = VectorWriter::create(&path, 3, metadata.clone()).unwrap();
    assert!(!path.exists());
    let values: Vec<f32> = (0..3000_u16).map(|at| f32::from(at) / 7.0).collect();
    writer.write_rows(&values[..9]).unwrap();
    writer.write_rows(&values[9..]).unwrap();
    assert!(writer.write_rows(&[1.0]).is_err());
    assert_eq!(writer.finish().unwrap(), 1000);

    let file = VectorFile::open(&path, None).unwrap();
    assert_eq!((file.rows(), file.dimension()), (1000, 3));
    assert_eq!(read(&file, 0..1000), values);
    assert_eq!(read(&file, 998..999), values[2994..2997]);
    assert_eq!(read(&file, 5..5), [0.0; 0]);
    assert!(file.read_rows(999..1001, &mut Vec::new()).is_err());

    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(
        header
            .metadata()
            .clone()
            .unwrap()
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        metadata
    );
    let whole = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(whole.tensor(DEFAULT_TENSOR).unwrap().shape(), [1000, 3]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_dropped_writer_leaves_nothing_and_no_rows_are_a_valid_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.safetensors");
    let mut writer = VectorWriter::create(&path, 2, BTreeMap::new()).unwrap();
    writer.write_rows(&[1.0, 2.0]).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let writer = VectorWriter::create(&path, 2, BTreeMap::new()).unwrap();
    assert_eq!(writer.finish().unwrap(), 0);
    assert_eq!(VectorFile::open(&path, None).unwrap().rows(), 0);
}

#[test]
fn every_element_type_reads_as_single_precision() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.safetensors");
    let values = [0.5_f32, -2.0, 1.25, 3.0];
    let stored: [(&str, Dtype, Vec<u8>); 4] = [
        (
            "half",
            Dtype::F16,
            bytes(&values, |v| f16::from_f32(v).to_le_bytes()),
        ),
        (
            "brain",
            Dtype::BF16,
            bytes(&values, |v| bf16::from_f32(v).to_le_bytes()),
        ),
        ("single", Dtype::F32, bytes(&values, f32::to_le_bytes)),
        (
            "double",
            Dtype::F64,
            bytes(&values, |v| f64::from(v).to_le_bytes()),
        ),
    ];
    let views: Vec<_> = stored
        .iter()
        .map(|(name, dtype, data)| (*name, TensorView::new(*dtype, vec![2, 2], data).unwrap()))
        .chain([
            (
                "flat",
                TensorView::new(Dtype::U8, vec![4], &[0; 4]).unwrap(),
            ),
            (
                "bytes",
                TensorView::new(Dtype::U8, vec![2, 2], &[0; 4]).unwrap(),
            ),
        ])
        .collect();
    safetensors::serialize_to_file(views, None, &path).unwrap();
    for (name, ..) in &stored {
        let file = VectorFile::open(&path, Some(name)).unwrap();
        assert_eq!(read(&file, 0..2), values, "{name}");
        assert_eq!(read(&file, 1..2), values[2..], "{name}");
    }
    for (tensor, part) in [
        (None, "name the one to read"),
        (Some("other"), "it holds brain, bytes, double"),
        (Some("bytes"), "accepted are F16"),
    ] {
        let error = VectorFile::open(&path, tensor).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

fn bytes<const WIDTH: usize>(values: &[f32], write: impl Fn(f32) -> [u8; WIDTH]) -> Vec<u8> {
    values.iter().flat_map(|value| write(*value)).collect()
}

#[test]
fn a_file_cut_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.safetensors");
    let mut writer = VectorWriter::create(&path, 2, BTreeMap::new()).unwrap();
    writer.write_rows(&[1.0; 64]).unwrap();
    writer.finish().unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 4, 20, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(VectorFile::open(&path, None).is_err(), "{length}");
    }
}

/// Row 0 and the last of the arXiv embeddings, whose norm is 1; only where `LATENTDB_CORPORA` names
/// their folder.
#[test]
fn the_arxiv_embeddings_read() {
    let Some(data) = std::env::var_os("LATENTDB_CORPORA") else {
        return;
    };
    let path = PathBuf::from(data).join("arxiv-embeddings.safetensors");
    let file = VectorFile::open(&path, None).unwrap();
    assert_eq!((file.rows(), file.dimension()), (60_000, 384));
    for row in [0, 59_999] {
        let vector = read(&file, row..row + 1);
        let norm: f32 = vector.iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 2e-3, "{norm}");
    }
}
