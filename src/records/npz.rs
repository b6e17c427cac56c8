//! Matrices in `.npz` archives of numpy.

use std::fs::File;
use std::io::{self, BufReader, Seek as _};

use memmap2::Mmap;
use zip::{CompressionMethod, ZipArchive};

use super::matrix::{DEFAULT_TENSOR, map_file};
use crate::error::{Error, Result};

/// What an archive begins with.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// A map of the archive or of a copy of one of its arrays, and where the array's `.npy` begins in it.
/// The array is `name`, else `embeddings`, else the only one. One that is stored as it is lies in the
/// archive; a compressed one is unpacked to a temporary file.
///
/// # Errors
/// `InvalidArgument` naming the arrays that there are.
pub(super) fn array(file: &File, map: Mmap, name: Option<&str>) -> Result<(Mmap, usize)> {
    let wrong = |what: String| Error::invalid("vectors", what);
    let unreadable =
        |error: zip::result::ZipError| wrong(format!("is no archive of numpy.savez: {error}"));
    let mut archive = ZipArchive::new(BufReader::new(file.try_clone()?)).map_err(unreadable)?;
    let mut names = Vec::new();
    for file in archive.file_names() {
        names.extend(
            file.map_err(unreadable)?
                .strip_suffix(".npy")
                .map(str::to_owned),
        );
    }
    names.sort();
    let chosen = match name {
        Some(name) => name,
        None if names.iter().any(|name| name == DEFAULT_TENSOR) => DEFAULT_TENSOR,
        None if names.len() == 1 => names[0].as_str(),
        None => {
            return Err(wrong(format!(
                "holds the arrays {}; name the one to read, or call it {DEFAULT_TENSOR}",
                names.join(", ")
            )));
        }
    };
    if !names.iter().any(|name| name == chosen) {
        return Err(wrong(format!(
            "has no array {chosen:?}; it holds {}",
            names.join(", ")
        )));
    }
    let mut entry = archive
        .by_name(&format!("{chosen}.npy"))
        .map_err(unreadable)?;
    if entry.compression() == CompressionMethod::Stored {
        let start = entry
            .data_start()
            .and_then(|start| usize::try_from(start).ok())
            .filter(|start| *start <= map.len())
            .ok_or_else(|| wrong("is cut short".to_owned()))?;
        return Ok((map, start));
    }
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut entry, &mut copy)
        .map_err(|error| wrong(format!("array {chosen:?} cannot be unpacked: {error}")))?;
    copy.rewind()?;
    Ok((map_file(&copy)?, 0))
}
