//! The files of an imported SAE, and the record of where it came from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::sae::record::TrainingRecord;

/// The record of an SAE that another program made.
pub(super) fn imported(origin: &str, about: BTreeMap<String, String>) -> TrainingRecord {
    TrainingRecord {
        origin: origin.to_owned(),
        about,
        ..TrainingRecord::default()
    }
}

/// The bytes of a file; `NotFound` when it does not exist.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| {
        let kind = match e.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Internal,
        };
        Error::new(kind, format!("could not read {}", path.display())).with_source(e)
    })
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn file_hash(path: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    loop {
        let block = file.fill_buf()?;
        if block.is_empty() {
            break;
        }
        digest.update(block);
        let read = block.len();
        file.consume(read);
    }
    Ok(hex(digest.finalize()))
}
