//! Collections as they are at one moment, to be copied while the server goes on, and collections made of
//! such copies (issue 15).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::entry::{CollectionEntry, CollectionHandle, Serving};
use super::{Database, create_durably, record_file, validate_name};
use crate::catalog::CollectionRecord;
use crate::collection::Collection;
use crate::error::{Error, ErrorKind, Result};

/// A collection at one moment.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// Its record.
    pub record: CollectionRecord,
    /// Number of its last commit.
    pub sequence: u64,
    /// Its documents.
    pub documents: u64,
    /// What the catalog has of it: saved sets, presets, families, maps, labels.
    pub entries: Value,
}

impl CollectionHandle {
    /// Puts the files of the last commit under `target`, an empty directory on the disk of the data
    /// directory, as links: the collection goes on, and the files stay. Writes wait for as long as linking
    /// takes. Blocks.
    ///
    /// # Errors
    /// `NotFound` once the collection is dropped; `Corrupted` where it is damaged.
    pub fn freeze(&self, target: &Path) -> Result<Frozen> {
        let _no_writes = self.entry.writing.write();
        // The generation stays while this is held.
        let state = self.entry.state.read();
        let generation = self.entry.changeable(&state)?;
        if let Some(damage) = generation.damage() {
            return Err(Error::corrupted(format!(
                "collection {:?} is damaged, and is not copied: {damage}",
                state.record.name
            )));
        }
        generation.freeze(target)?;
        let snapshot = generation.snapshot();
        Ok(Frozen {
            record: CollectionRecord::clone(&state.record),
            sequence: snapshot.sequence(),
            documents: snapshot.n_docs(),
            entries: self.entry.catalog.entries_of(&state.record.id)?,
        })
    }
}

impl Database {
    /// Makes a collection of a name out of what [`CollectionHandle::freeze`] gave: the files under `files`, on
    /// the disk of the data directory and synced, which are moved. `Frozen::sequence` and
    /// `Frozen::documents` are not asked. All or nothing. Blocks.
    ///
    /// # Errors
    /// `AlreadyExists` where the name is taken; `Corrupted` where the files are not a collection's.
    pub fn adopt(&self, name: &str, frozen: &Frozen, files: &Path) -> Result<CollectionHandle> {
        self.storage.refuse_changes()?;
        validate_name(name)?;
        self.settle_creations();
        let mut collections = self.collections.write();
        if collections.contains_key(name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("collection {name:?} already exists"),
            ));
        }
        self.check_is_no_alias(name)?;
        let record = CollectionRecord {
            name: name.to_owned(),
            id: uuid::Uuid::new_v4().simple().to_string(),
            ..frozen.record.clone()
        };
        let path = self.directory.join("collections").join(&record.id);
        let generation = path.join(record.generation.to_string());
        let made = self.place(&record, files, &generation).and_then(|opened| {
            self.catalog.put_with_entries(&record, &frozen.entries)?;
            Ok(opened)
        });
        let opened = made.map_err(|error| {
            let error = self.storage.explain(error);
            if !self.catalog.is_settled() {
                self.pending.add(record.clone());
                return self.unknown_or(error, name, "restored");
            }
            if path.exists() {
                self.remove_files(&record);
            }
            error
        })?;
        let serving = Serving::Open(Arc::new(opened));
        let entry = CollectionEntry::new(path, &self.catalog, &self.storage, record, serving);
        let entry = Arc::new(entry);
        collections.insert(name.to_owned(), entry.clone());
        Ok(CollectionHandle { entry })
    }

    fn place(
        &self,
        record: &CollectionRecord,
        files: &Path,
        generation: &Path,
    ) -> Result<Collection> {
        if !files.join("index").join("meta.json").is_file() {
            return Err(Error::corrupted(format!(
                "the files of collection {:?} have no manifest",
                record.name
            )));
        }
        create_durably(generation.parent().unwrap_or(generation), &self.storage)?;
        for directory in ["index", "graphs"] {
            let directory = files.join(directory);
            fs::create_dir_all(&directory)?;
            self.storage.sync_directory(&directory)?;
        }
        fs::rename(files, generation)?;
        let opened = Collection::open_on(generation, &self.storage, record.analyzer)?;
        record_file::complete(generation, record, &self.storage)?;
        Ok(opened)
    }
}
