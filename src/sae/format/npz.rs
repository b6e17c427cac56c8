//! `.npz` archives of numpy, as `numpy.savez` and `numpy.savez_compressed` write them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use half::f16;
use zip::ZipArchive;

use crate::error::{Error, Result};
use crate::npy::Header;

use super::tensors::{Tensor, Tensors};

/// All arrays of an archive, in C order.
///
/// # Errors
/// `InvalidArgument` naming the array that is not made of floating-point numbers or not readable.
pub(super) fn read(path: &Path) -> Result<Tensors> {
    let unreadable = |what: String| Error::invalid("source", format!("{} {what}", path.display()));
    let mut archive = ZipArchive::new(BufReader::new(File::open(path)?))
        .map_err(|error| unreadable(format!("is no archive of numpy.savez: {error}")))?;
    let mut tensors = BTreeMap::new();
    for at in 0..archive.len() {
        let mut entry = archive
            .by_index(at)
            .map_err(|error| unreadable(format!("has an entry that cannot be read: {error}")))?;
        let name = entry.name().map(Cow::into_owned);
        let name = name.map_err(|error| {
            unreadable(format!("has an entry without a readable name: {error}"))
        })?;
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        let wrong = |what: &str| Error::invalid(&*name, format!("of {} {what}", path.display()));
        let header = Header::read(&mut entry).map_err(|error| wrong(error.message()))?;
        let width = match &*header.descr {
            "<f2" => 2,
            "<f4" => 4,
            "<f8" => 8,
            other => {
                return Err(wrong(&format!(
                    "has elements {other}; accepted are <f2, <f4 and <f8 (little-endian floats)"
                )));
            }
        };
        let bytes = header
            .shape
            .iter()
            .try_fold(width, |bytes: usize, extent| bytes.checked_mul(*extent))
            .ok_or_else(|| wrong(&format!("has the shape {:?}", header.shape)))?;
        // A header may claim any shape: memory grows with what is there.
        let mut data = Vec::new();
        let read = entry.by_ref().take(bytes as u64).read_to_end(&mut data);
        read.map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        if data.len() != bytes {
            return Err(Error::corrupted(format!(
                "{name} of {} says shape {:?}, more than the file holds",
                path.display(),
                header.shape
            )));
        }
        let mut values = floats(&data, width);
        if header.is_fortran {
            values = in_c_order(&values, &header.shape);
        }
        let shape = header.shape;
        tensors.insert(name, Tensor { shape, values });
    }
    let origin = path.file_name().unwrap_or_default();
    Ok(Tensors::new(origin.to_string_lossy(), tensors))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "single precision is what SAEs are computed in"
)]
fn floats(data: &[u8], width: usize) -> Vec<f32> {
    match width {
        2 => {
            let (raw, _) = data.as_chunks();
            raw.iter()
                .map(|raw| f16::from_le_bytes(*raw).to_f32())
                .collect()
        }
        4 => {
            let (raw, _) = data.as_chunks();
            raw.iter().map(|raw| f32::from_le_bytes(*raw)).collect()
        }
        _ => {
            let (raw, _) = data.as_chunks();
            raw.iter()
                .map(|raw| f64::from_le_bytes(*raw) as f32)
                .collect()
        }
    }
}

/// The values of an array whose first index varies fastest, with the last fastest.
fn in_c_order(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let place = |mut at: usize| {
        // From the last index to the first, each with the product of the extents before it.
        let mut stride = values.len();
        let mut place = 0;
        for extent in shape.iter().rev() {
            stride /= extent;
            place += at % extent * stride;
            at /= extent;
        }
        place
    };
    (0..values.len()).map(|at| values[place(at)]).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;
    use crate::npy::tests::{dictionary, file};

    fn archive(path: &Path, method: CompressionMethod, entries: &[(&str, Vec<u8>)]) {
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, content) in entries {
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn arrays_of_either_order_and_every_version_are_read_also_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.npz");
        // numpy.arange(12).reshape(2, 3, 2): element [i, j, k] is 6i + 2j + k.
        let c: Vec<f32> = (0_u8..12).map(f32::from).collect();
        let mut fortran = Vec::new();
        for k in 0..2_u8 {
            for j in 0..3_u8 {
                fortran.extend((0..2_u8).map(|i| f32::from(6 * i + 2 * j + k)));
            }
        }
        let bytes = |values: &[f32]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        let plain = dictionary("<f4", "(2, 3, 2)");
        let turned = plain.replace("False", "True");
        let halves: Vec<u8> = c
            .iter()
            .flat_map(|v| f16::from_f32(*v).to_le_bytes())
            .collect();
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            for version in 1..=3 {
                let entries = [
                    ("c", file(version, &plain, &bytes(&c))),
                    ("f", file(version, &turned, &bytes(&fortran))),
                    ("h", file(version, &dictionary("<f2", "(12,)"), &halves)),
                ];
                archive(&path, method, &entries);
                let mut tensors = read(&path).unwrap();
                for (name, shape) in [("c", &[2, 3, 2][..]), ("f", &[2, 3, 2]), ("h", &[12])] {
                    assert_eq!(tensors.take(name, shape).unwrap(), c, "{name}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.npz");
        let data = [0; 16];
        for (dictionary, part) in [
            (dictionary("<i8", "(2,)"), "w of "),
            (dictionary(">f4", "(4,)"), "has elements >f4"),
            (dictionary("<f4", "(9, 9)"), "w of "),
            (dictionary("<f4", "(9223372036854775807, 8)"), "the shape"),
        ] {
            let entries = [("w", file(1, &dictionary, &data))];
            archive(&path, CompressionMethod::Stored, &entries);
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        std::fs::write(&path, "no archive").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("numpy.savez"));
    }
}
