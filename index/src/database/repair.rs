//! Rebuilds a lost catalog from the records in the collections.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{record_file, set_aside};
use crate::catalog::{Catalog, CollectionRecord};
use crate::collection::Collection;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Storage;

/// What [`repair`] has made of a data directory.
#[derive(Clone, Debug, Default)]
pub struct Repaired {
    /// Collections that the new catalog names.
    pub collections: Vec<String>,
    /// Directories that no whole record was found in, which the next start sets aside.
    pub left: Vec<PathBuf>,
    /// Whether labels, saved sets, presets and families came back, as they were at the last start.
    pub has_backup: bool,
    /// Where the former catalog is now, if there was one.
    pub former: Option<PathBuf>,
}

/// Rebuilds the catalog of a data directory, where it is missing or damaged, from the record in each
/// collection: the collections with their documents and SAEs come back. What the catalog alone had
/// (labels, saved sets, presets, families) comes back as it was at the last start.
///
/// # Errors
/// `FailedPrecondition` where the catalog can be read, or another process has it open.
pub fn repair(directory: &Path) -> Result<Repaired> {
    let root = directory.join("collections");
    if !root.is_dir() {
        return Err(Error::not_found(format!(
            "{} is not a data directory",
            directory.display()
        )));
    }
    let storage = Storage::default();
    let path = Catalog::path(directory);
    let mut repaired = Repaired::default();
    if Catalog::exists(directory) {
        let read = Catalog::open(directory, &storage).and_then(|catalog| catalog.everything());
        match read {
            Ok(_) => {
                return Err(Error::precondition(format!(
                    "{} can be read: there is nothing to repair",
                    path.display()
                )));
            }
            Err(error) if error.kind() == ErrorKind::FailedPrecondition => return Err(error),
            Err(_) => repaired.former = Some(set_aside(directory, &path)?),
        }
    }
    let mut records: BTreeMap<String, CollectionRecord> = BTreeMap::new();
    for entry in fs::read_dir(&root)? {
        let collection = entry?.path();
        match latest_record(&collection) {
            // One of the two was dropped, and its files could not be removed.
            Some(record) => {
                let name = record.name.clone();
                let earlier = records.insert(name, record);
                if let Some(earlier) = earlier {
                    let newer = records.get(&earlier.name);
                    if newer.is_some_and(|newer| newer.created < earlier.created) {
                        records.insert(earlier.name.clone(), earlier);
                    }
                }
            }
            None => repaired.left.push(collection),
        }
    }
    let draft = path.with_extension("draft");
    if draft.exists() {
        fs::remove_file(&draft)?;
    }
    let catalog = Catalog::open_file(draft.clone(), &storage)?;
    for record in records.values() {
        catalog.put_collection(record)?;
    }
    repaired.has_backup = catalog.restore(&path)?;
    drop(catalog);
    fs::rename(&draft, &path)?;
    storage.sync_directory(directory)?;
    repaired.collections = records.into_keys().collect();
    Ok(repaired)
}

/// The record of a collection's latest generation that is whole.
fn latest_record(collection: &Path) -> Option<CollectionRecord> {
    let generations = fs::read_dir(collection).ok()?;
    let paths = generations.filter_map(|entry| Some(entry.ok()?.path()));
    let records = paths
        .filter(|path| Collection::exists(path))
        .filter_map(|path| record_file::read(&path).ok())
        .filter(|record| collection.ends_with(&record.id));
    records.max_by_key(|record| record.generation)
}
