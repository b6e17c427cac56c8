//! Checks a data directory that nobody has open.

use std::fs;
use std::path::{Path, PathBuf};

use super::record_file;
use crate::catalog::{Catalog, CollectionRecord, check_backup, in_use};
use crate::collection;
use crate::error::{Error, Result};
use crate::storage::{CatalogFile, Storage};

/// What [`verify`] has read and found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Collections that the catalog names.
    pub collections: u64,
    /// Files read, and their bytes.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What is damaged.
    pub damage: Vec<Damaged>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// The collection, by name; empty for the catalog.
    pub collection: String,
    /// A file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl Verified {
    fn note(&mut self, collection: &str, path: &Path, checked: Result<u64>) {
        self.files += 1;
        match checked {
            Ok(bytes) => self.bytes += bytes,
            Err(error) => self.damage.push(Damaged {
                collection: collection.to_owned(),
                path: path.to_owned(),
                problem: error.to_string(),
            }),
        }
    }
}

/// Checks every checksum in a data directory: of the catalog, of the segments of each collection, of
/// graphs. Where `deep`, postings are held against rows, vectors against norms and codes, and every
/// document is looked up by its id. Changes nothing.
///
/// # Errors
/// `FailedPrecondition` while another process has the directory open, `NotFound` where it is none.
pub fn verify(directory: &Path, deep: bool) -> Result<Verified> {
    let path = Catalog::path(directory);
    let root = directory.join("collections");
    if !root.is_dir() {
        return Err(Error::not_found(format!(
            "{} is not a data directory",
            directory.display()
        )));
    }
    let mut verified = Verified::default();
    if !Catalog::exists(directory) {
        verified.note("", &path, Err(Error::corrupted("the catalog is missing")));
        return Ok(verified);
    }
    let file = CatalogFile::open(&path, &Storage::default())?;
    if !file.lock() {
        return Err(in_use(&path));
    }
    let records = match Catalog::inspect(directory).and_then(|catalog| catalog.everything()) {
        Ok(records) => records,
        Err(error) => {
            verified.note("", &path, Err(error));
            return Ok(verified);
        }
    };
    verified.note("", &path, Ok(fs::metadata(&path)?.len()));
    if let Some((path, checked)) = check_backup(directory) {
        verified.note("", &path, checked);
    }
    for record in records {
        verified.collections += 1;
        let name = record.name.as_str();
        let mut note = |path: &Path, checked| verified.note(name, path, checked);
        let generation = root.join(&record.id).join(record.generation.to_string());
        note(
            &generation.join("record.json"),
            same_record(&generation, &record),
        );
        let n_latents = record.n_latents();
        collection::verify(&generation, record.dimension, &n_latents, deep, &mut note);
    }
    Ok(verified)
}

fn same_record(generation: &Path, record: &CollectionRecord) -> Result<u64> {
    if record_file::read(generation)? == *record {
        return Ok(0);
    }
    Err(Error::corrupted("is not the record in the catalog"))
}
