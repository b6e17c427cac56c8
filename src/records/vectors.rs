//! Matrices of vectors in files: memory-mapped readers of safetensors and `.npy`, and a streaming
//! writer of safetensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use super::matrix::{Element, Layout, checked, narrow};
use super::source::open_file;
use crate::error::{Error, Result};
use crate::npy;
use crate::whole_file::WholeFile;

/// The tensor that vectors are kept in when none is named.
pub const DEFAULT_TENSOR: &str = "embeddings";

/// A memory-mapped matrix of vectors `[rows, dimension]`.
#[derive(Debug)]
pub struct VectorFile {
    map: Mmap,
    layout: Layout,
    path: PathBuf,
}

impl VectorFile {
    /// Opens a `.safetensors` or `.npy` file, told apart by content.
    ///
    /// `tensor` names the tensor; without it that is `embeddings`, or the only one of the file.
    /// Elements may be f16, bf16 (safetensors), f32 or f64; a `.npy` must be version 1 to 3,
    /// little-endian and in C order.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `InvalidArgument` for a file or tensor that is not such a
    /// matrix; the message lists the tensors there are.
    pub fn open(path: &Path, tensor: Option<&str>) -> Result<Self> {
        let file = open_file(path)?;
        let map = map_file(&file)?;
        let layout = if map.starts_with(npy::MAGIC) {
            match tensor {
                None => npy_layout(&map),
                Some(_) => Err(Error::invalid("tensor", "a .npy file has no named tensors")),
            }
        } else {
            safetensors_layout(&map, tensor)
        };
        let layout = layout.map_err(|error| {
            Error::invalid(
                "vectors",
                format!("{}: {}", path.display(), error.message()),
            )
        })?;
        Ok(Self {
            map,
            layout,
            path: path.to_owned(),
        })
    }

    /// The number of vectors.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    /// The dimension of each vector.
    pub fn dimension(&self) -> usize {
        self.layout.dimension
    }

    /// The `__metadata__` of a safetensors file; nothing for `.npy`.
    ///
    /// # Errors
    /// `InvalidArgument` when the header is not readable any more.
    pub fn metadata(&self) -> Result<BTreeMap<String, String>> {
        if self.map.starts_with(npy::MAGIC) {
            return Ok(BTreeMap::new());
        }
        let (_, header) = SafeTensors::read_metadata(&self.map).map_err(|error| {
            Error::invalid("vectors", "has no readable header").with_source(error)
        })?;
        let metadata = header.metadata().iter().flatten();
        Ok(metadata
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect())
    }

    /// Replaces `out` by the rows of `range`, row-major `[range.len(), dimension]`. Values are
    /// as stored: finiteness is for the caller to check.
    ///
    /// # Errors
    /// `InvalidArgument` when the range passes the end.
    pub fn read_rows(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let Layout {
            start,
            element,
            rows,
            dimension,
        } = self.layout;
        if range.start > range.end || range.end > rows {
            return Err(Error::invalid(
                "rows",
                format!(
                    "{}..{} is outside the {rows} rows of {}",
                    range.start,
                    range.end,
                    self.path.display()
                ),
            ));
        }
        let row_bytes = dimension * element.bytes();
        let bytes = &self.map[start + range.start * row_bytes..start + range.end * row_bytes];
        out.clear();
        match element {
            Element::F16 => extend(out, bytes, |raw| f16::from_le_bytes(raw).to_f32()),
            Element::Bf16 => extend(out, bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
            Element::F32 => extend(out, bytes, f32::from_le_bytes),
            Element::F64 => extend(out, bytes, |raw| narrow(f64::from_le_bytes(raw))),
        }
        Ok(())
    }
}

fn extend<const WIDTH: usize>(out: &mut Vec<f32>, bytes: &[u8], read: impl Fn([u8; WIDTH]) -> f32) {
    let (elements, _) = bytes.as_chunks::<WIDTH>();
    out.extend(elements.iter().map(|raw| read(*raw)));
}

fn map_file(file: &File) -> Result<Mmap> {
    #[expect(unsafe_code, reason = "memory maps are unsafe to make")]
    // SAFETY: the map is read only, and every read goes through bounds-checked slices of bytes
    // decoded by value, so bytes that another process changes give other numbers, never an
    // invalid reference. Truncating the file while it is mapped ends the process (SIGBUS); that
    // is the contract of every memory-mapped input, and the writer below replaces files by
    // renaming, which leaves existing maps whole.
    let map = unsafe { Mmap::map(file) };
    Ok(map?)
}

fn npy_layout(map: &[u8]) -> Result<Layout> {
    let wrong = |what: String| Error::invalid("vectors", what);
    let header = npy::Header::parse(map)?;
    let element = match &*header.descr {
        "<f2" => Element::F16,
        "<f4" => Element::F32,
        "<f8" => Element::F64,
        other => {
            return Err(wrong(format!(
                "has elements {other}; accepted are <f2, <f4 and <f8 (little-endian floats)"
            )));
        }
    };
    if header.is_fortran {
        return Err(wrong(
            "is in Fortran order; wanted is C order (numpy.ascontiguousarray)".to_owned(),
        ));
    }
    let [rows, dimension] = header.shape[..] else {
        return Err(wrong(format!(
            "has the shape {:?}; wanted is (rows, dimension)",
            header.shape
        )));
    };
    let layout = Layout {
        start: header.start,
        element,
        rows,
        dimension,
    };
    checked(layout, map.len())
}

fn safetensors_layout(map: &[u8], tensor: Option<&str>) -> Result<Layout> {
    let wrong = |what: String| Error::invalid("vectors", what);
    let (header, metadata) = SafeTensors::read_metadata(map)
        .map_err(|error| wrong(format!("neither safetensors nor .npy ({error})")))?;
    let mut names = metadata.offset_keys();
    names.sort();
    let name = match tensor {
        Some(name) => name,
        None if names.iter().any(|name| name == DEFAULT_TENSOR) => DEFAULT_TENSOR,
        None if names.len() == 1 => names[0].as_str(),
        None => {
            return Err(wrong(format!(
                "holds the tensors {}; name the one to read",
                names.join(", ")
            )));
        }
    };
    let info = metadata.info(name).ok_or_else(|| {
        wrong(format!(
            "has no tensor {name:?}; it holds {}",
            names.join(", ")
        ))
    })?;
    let element = match info.dtype {
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        other => {
            return Err(wrong(format!(
                "tensor {name:?} is {other:?}; accepted are F16, BF16, F32 and F64"
            )));
        }
    };
    let [rows, dimension] = info.shape[..] else {
        return Err(wrong(format!(
            "tensor {name:?} has the shape {:?}; wanted is [rows, dimension]",
            info.shape
        )));
    };
    let layout = Layout {
        start: size_of::<u64>() + header + info.data_offsets.0,
        element,
        rows,
        dimension,
    };
    checked(layout, map.len())
}

/// Writes vectors to a safetensors file as the f32 tensor `embeddings` `[rows, dimension]`, in
/// one pass and without knowing the number of rows beforehand.
///
/// The file appears under its name, complete, when [`finish`](Self::finish) succeeds; a writer
/// that is dropped before leaves nothing.
#[derive(Debug)]
pub struct VectorWriter {
    file: WholeFile,
    dimension: usize,
    rows: usize,
    metadata: BTreeMap<String, String>,
    header_bytes: usize,
}

impl VectorWriter {
    /// Starts a file at `path`; `metadata` goes into its `__metadata__`.
    ///
    /// # Errors
    /// `InvalidArgument` for dimension 0, `Internal` where the folder cannot be written.
    pub fn create(
        path: &Path,
        dimension: usize,
        metadata: BTreeMap<String, String>,
    ) -> Result<Self> {
        if dimension == 0 {
            return Err(Error::invalid("dimension", "must be 1 or more"));
        }
        let mut file = WholeFile::create(path)?;
        // The header is written at the end over this room, which fits the largest row count.
        let longest = header(&metadata, usize::MAX, dimension, u64::MAX);
        let header_bytes = longest.len().next_multiple_of(8);
        file.write_all(&vec![b' '; size_of::<u64>() + header_bytes])?;
        Ok(Self {
            file,
            dimension,
            rows: 0,
            metadata,
            header_bytes,
        })
    }

    /// Appends vectors, row-major `[rows, dimension]`.
    ///
    /// # Errors
    /// `InvalidArgument` when the length is no multiple of the dimension.
    pub fn write_rows(&mut self, rows: &[f32]) -> Result<()> {
        if !rows.len().is_multiple_of(self.dimension) {
            return Err(Error::invalid(
                "rows",
                format!(
                    "{} values are no whole rows of {}",
                    rows.len(),
                    self.dimension
                ),
            ));
        }
        for value in rows {
            self.file.write_all(&value.to_le_bytes())?;
        }
        self.rows += rows.len() / self.dimension;
        Ok(())
    }

    /// Completes the file, makes it durable and gives it its name. Returns the number of rows.
    ///
    /// # Errors
    /// `Internal` where writing or renaming fails; the file that had the name before is then
    /// still there.
    pub fn finish(mut self) -> Result<usize> {
        let data_bytes = (self.rows as u64) * (self.dimension as u64) * 4;
        let mut text = header(&self.metadata, self.rows, self.dimension, data_bytes);
        text.push_str(&" ".repeat(self.header_bytes - text.len()));
        self.file.seek(SeekFrom::Start(0))?;
        self.file
            .write_all(&(self.header_bytes as u64).to_le_bytes())?;
        self.file.write_all(text.as_bytes())?;
        self.file.finish()?;
        Ok(self.rows)
    }
}

fn header(
    metadata: &BTreeMap<String, String>,
    rows: usize,
    dimension: usize,
    data_bytes: u64,
) -> String {
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    }
    header.insert(
        DEFAULT_TENSOR.to_owned(),
        serde_json::json!({
            "dtype": "F32", "shape": [rows, dimension], "data_offsets": [0, data_bytes]
        }),
    );
    serde_json::Value::Object(header).to_string()
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_npy_that_is_no_float_matrix_in_c_order_is_refused() {
        let two = dictionary("<f4", "(2, 2)");
        for (dictionary, part) in [
            (dictionary("<i8", "(2, 2)"), "<f2, <f4 and <f8"),
            (dictionary(">f4", "(2, 2)"), "little-endian"),
            (dictionary("<f4", "(4,)"), "(rows, dimension)"),
            (dictionary("<f4", "(2, 2, 2)"), "(rows, dimension)"),
            (dictionary("<f4", "(4, 5)"), "cut short"),
            (dictionary("<f4", "(9223372036854775807, 8)"), "cut short"),
            (two.replace("False", "True"), "Fortran"),
        ] {
            let error = npy_layout(&file(1, &dictionary, &[0; 64])).unwrap_err();
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

    /// Row 0 and the last of the arXiv embeddings, whose norm is 1; only where `LATENTDB_DATA` names
    /// their folder.
    #[test]
    fn the_arxiv_embeddings_read() {
        let Some(data) = std::env::var_os("LATENTDB_DATA") else {
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
}
