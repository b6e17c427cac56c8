//! The catalog's file: every change is one durable transaction.
//!
//! redb takes nothing more after a failed write or sync. The file is opened again then, and the
//! number of the last change in it says whether the failed one was made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{CollectionRecord, RecordKind, SavedSet};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{CatalogFile, Storage, copy_in_memory};

/// The catalog's file in a data directory.
const FILE: &str = "catalog.redb";
/// How many changes were made.
const CHANGES: TableDefinition<&str, u64> = TableDefinition::new("changes");
pub(super) const COLLECTIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("collections");
pub(super) const SAVED_SETS: TableDefinition<(&str, &str), &[u8]> =
    TableDefinition::new("saved_sets");
/// Alias, collection.
pub(super) const ALIASES: TableDefinition<&str, &str> = TableDefinition::new("aliases");
/// The version of everything in the data directory.
const FORMAT: TableDefinition<&str, u32> = TableDefinition::new("format");
/// Counts up when a directory of the version before cannot be read.
pub const FORMAT_VERSION: u32 = 3;
/// Collection, kind, name.
pub(super) const RECORDS: TableDefinition<(&str, &str, &str), &[u8]> =
    TableDefinition::new("records");
/// Current labels: collection, SAE, latent.
pub(super) const LABELS: TableDefinition<(&str, &str, u32), &[u8]> = TableDefinition::new("labels");
/// Labels that are not current: collection, SAE, latent, version.
pub(super) const FORMER_LABELS: TableDefinition<(&str, &str, u32, u32), &[u8]> =
    TableDefinition::new("former_labels");

/// The open catalog.
pub struct Catalog {
    path: PathBuf,
    storage: Storage,
    /// `None` after a fault, until it is opened again.
    database: RwLock<Option<Database>>,
    /// Held while a change is made, and until its outcome is known.
    changing: Mutex<()>,
}

impl Catalog {
    /// The catalog's file in a data directory.
    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Whether a directory holds a catalog; an empty file is none.
    pub(crate) fn exists(directory: &Path) -> bool {
        fs::metadata(Self::path(directory)).is_ok_and(|file| file.is_file() && file.len() > 0)
    }

    /// Opens or creates the catalog in a data directory and checks all of it.
    ///
    /// # Errors
    /// `FailedPrecondition` when another process has it open, or another version made it;
    /// `Corrupted` where its pages fail their checksums.
    pub(crate) fn open(directory: &Path, storage: &Storage) -> Result<Self> {
        Self::open_file(Self::path(directory), storage)
    }

    /// Opens or creates a catalog in a file.
    pub(crate) fn open_file(path: PathBuf, storage: &Storage) -> Result<Self> {
        let catalog = Self {
            path,
            storage: storage.clone(),
            database: RwLock::default(),
            changing: Mutex::default(),
        };
        catalog.reopen()?;
        Ok(catalog)
    }

    /// A checked copy in memory of the catalog in a data directory.
    ///
    /// # Errors
    /// `Corrupted` where the file is damaged.
    pub(crate) fn inspect(directory: &Path) -> Result<Self> {
        let path = Self::path(directory);
        let database = copy_of(&path)?;
        Ok(Self {
            path,
            storage: Storage::default(),
            database: RwLock::new(Some(database)),
            changing: Mutex::default(),
        })
    }

    /// A checked copy in memory of the catalog in a data directory, which takes no changes.
    ///
    /// # Errors
    /// `Corrupted` where the file is damaged.
    pub(crate) fn open_read_only(directory: &Path) -> Result<Self> {
        Ok(Self {
            storage: Storage::read_only(),
            ..Self::inspect(directory)?
        })
    }

    fn reopen(&self) -> Result<()> {
        let mut place = self.database.write();
        // Its lock on the file goes first.
        *place = None;
        let file = CatalogFile::open(&self.path, &self.storage)?;
        let mut builder = Database::builder();
        builder.set_check_integrity_on_open(true);
        let database = builder.create_with_backend(file).map_err(|error| {
            if matches!(error, redb::DatabaseError::DatabaseAlreadyOpen) {
                in_use(&self.path)
            } else {
                fault(error)
            }
        })?;
        check_format(&database, &self.path)?;
        let transaction = database.begin_write().map_err(fault)?;
        {
            let mut table = transaction.open_table(FORMAT).map_err(fault)?;
            table.insert("format", FORMAT_VERSION).map_err(fault)?;
        }
        transaction.open_table(CHANGES).map_err(fault)?;
        transaction.open_table(COLLECTIONS).map_err(fault)?;
        transaction.open_table(SAVED_SETS).map_err(fault)?;
        transaction.open_table(LABELS).map_err(fault)?;
        transaction.open_table(FORMER_LABELS).map_err(fault)?;
        transaction.open_table(RECORDS).map_err(fault)?;
        transaction.open_table(ALIASES).map_err(fault)?;
        transaction.commit().map_err(fault)?;
        *place = Some(database);
        Ok(())
    }

    /// Works on the open file, opening it where a fault has closed it; a fault closes it.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T>) -> Result<T> {
        self.recover()?;
        let result = match &*self.database.read() {
            Some(database) => work(database),
            None => Err(Error::internal("the catalog failed")),
        };
        if result
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::Internal)
        {
            *self.database.write() = None;
        }
        result
    }

    /// Opens the file again where a fault has closed it.
    pub(crate) fn recover(&self) -> Result<()> {
        if self.is_settled() {
            Ok(())
        } else {
            self.reopen()
        }
    }

    /// Reads from one state of the catalog; from a copy in memory where the disk takes no writes,
    /// without which redb does not open a file.
    pub(super) fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Result<T>) -> Result<T> {
        if self.recover().is_err() {
            return work(&copy_of(&self.path)?.begin_read().map_err(fault)?);
        }
        self.with(|database| work(&database.begin_read().map_err(fault)?))
    }

    /// Makes a change, durable when the call returns. After a fault, the file says whether it was
    /// made.
    ///
    /// # Errors
    /// Nothing was changed, unless [`Self::is_settled`] says that this is unknown.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&redb::WriteTransaction) -> Result<T>,
    ) -> Result<T> {
        self.storage.refuse_changes()?;
        let _one = self.changing.lock();
        let mut made = None;
        let committed = self.with(|database| {
            let transaction = database.begin_write().map_err(fault)?;
            let result = work(&transaction)?;
            let number = {
                let mut table = transaction.open_table(CHANGES).map_err(fault)?;
                let before = table.get("changes").map_err(fault)?;
                let number = before.map_or(0, |found| found.value()) + 1;
                table.insert("changes", number).map_err(fault)?;
                number
            };
            made = Some((number, result));
            transaction.commit().map_err(fault)
        });
        let Err(error) = committed else {
            return made
                .map(|(_, result)| result)
                .ok_or_else(|| Error::internal("a change was not made"));
        };
        let full = self.storage.full();
        match made {
            Some((number, result)) if self.changes().is_ok_and(|made| made >= number) => Ok(result),
            _ => Err(full.unwrap_or(error)),
        }
    }

    /// Whether it is known what the file says: false after a fault, until it is opened again.
    pub(crate) fn is_settled(&self) -> bool {
        self.database.read().is_some()
    }

    /// The open file.
    pub(super) fn file(&self) -> &Path {
        &self.path
    }

    /// The disk that it is on.
    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// How many changes the file has.
    pub(super) fn changes(&self) -> Result<u64> {
        self.with(|database| {
            let transaction = database.begin_read().map_err(fault)?;
            let table = transaction.open_table(CHANGES).map_err(fault)?;
            let found = table.get("changes").map_err(fault)?;
            Ok(found.map_or(0, |found| found.value()))
        })
    }

    /// All collections, by name.
    pub(crate) fn collections(&self) -> Result<Vec<CollectionRecord>> {
        self.read(|transaction| {
            let table = transaction.open_table(COLLECTIONS).map_err(fault)?;
            let mut records = Vec::new();
            for entry in table.iter().map_err(fault)? {
                let (_, value) = entry.map_err(fault)?;
                records.push(decode(value.value())?);
            }
            Ok(records)
        })
    }

    /// Reads every entry; returns the collections.
    ///
    /// # Errors
    /// `Corrupted` where one is not readable.
    pub(crate) fn everything(&self) -> Result<Vec<CollectionRecord>> {
        fn readable(value: &[u8]) -> Result<()> {
            decode::<serde::de::IgnoredAny>(value).map(drop)
        }
        self.read(|transaction| {
            let sets = transaction.open_table(SAVED_SETS).map_err(fault)?;
            for entry in sets.iter().map_err(fault)? {
                readable(entry.map_err(fault)?.1.value())?;
            }
            let records = transaction.open_table(RECORDS).map_err(fault)?;
            for entry in records.iter().map_err(fault)? {
                readable(entry.map_err(fault)?.1.value())?;
            }
            let labels = transaction.open_table(LABELS).map_err(fault)?;
            for entry in labels.iter().map_err(fault)? {
                readable(entry.map_err(fault)?.1.value())?;
            }
            let former = transaction.open_table(FORMER_LABELS).map_err(fault)?;
            for entry in former.iter().map_err(fault)? {
                readable(entry.map_err(fault)?.1.value())?;
            }
            Ok(())
        })?;
        self.collections()
    }

    /// The record of a collection, if any.
    pub(crate) fn collection(&self, name: &str) -> Result<Option<CollectionRecord>> {
        self.read(|transaction| {
            let table = transaction.open_table(COLLECTIONS).map_err(fault)?;
            let found = table.get(name).map_err(fault)?;
            found.map(|value| decode(value.value())).transpose()
        })
    }

    /// Inserts or replaces a collection's record.
    pub(crate) fn put_collection(&self, record: &CollectionRecord) -> Result<()> {
        let bytes = encode(record)?;
        self.change(|transaction| {
            let mut table = transaction.open_table(COLLECTIONS).map_err(fault)?;
            table
                .insert(record.name.as_str(), bytes.as_slice())
                .map_err(fault)?;
            Ok(())
        })
    }

    /// Removes a collection's record with its saved sets and labels.
    pub(crate) fn remove_collection(&self, record: &CollectionRecord) -> Result<()> {
        self.change(|transaction| {
            let mut table = transaction.open_table(COLLECTIONS).map_err(fault)?;
            table.remove(record.name.as_str()).map_err(fault)?;
            let mut sets = transaction.open_table(SAVED_SETS).map_err(fault)?;
            sets.retain(|(id, _), _| id != record.id).map_err(fault)?;
            let mut records = transaction.open_table(RECORDS).map_err(fault)?;
            records
                .retain(|(id, _, _), _| id != record.id)
                .map_err(fault)?;
            let mut labels = transaction.open_table(LABELS).map_err(fault)?;
            labels
                .retain(|(id, _, _), _| id != record.id)
                .map_err(fault)?;
            let mut former = transaction.open_table(FORMER_LABELS).map_err(fault)?;
            former
                .retain(|(id, _, _, _), _| id != record.id)
                .map_err(fault)?;
            Ok(())
        })
    }

    /// A collection's saved sets, by name.
    pub(crate) fn saved_sets(&self, collection: &str) -> Result<BTreeMap<String, SavedSet>> {
        self.read(|transaction| {
            let table = transaction.open_table(SAVED_SETS).map_err(fault)?;
            let mut sets = BTreeMap::new();
            for entry in table.range((collection, "")..).map_err(fault)? {
                let (key, value) = entry.map_err(fault)?;
                let (owner, name) = key.value();
                if owner != collection {
                    break;
                }
                sets.insert(name.to_owned(), decode(value.value())?);
            }
            Ok(sets)
        })
    }

    /// Inserts or replaces a saved set.
    pub(crate) fn put_saved_set(&self, collection: &str, set: &SavedSet) -> Result<()> {
        let bytes = encode(set)?;
        self.change(|transaction| {
            let mut table = transaction.open_table(SAVED_SETS).map_err(fault)?;
            table
                .insert((collection, set.name.as_str()), bytes.as_slice())
                .map_err(fault)?;
            Ok(())
        })
    }

    /// Removes a saved set; false when there was none.
    pub(crate) fn remove_saved_set(&self, collection: &str, name: &str) -> Result<bool> {
        self.change(|transaction| {
            let mut table = transaction.open_table(SAVED_SETS).map_err(fault)?;
            let removed = table.remove((collection, name)).map_err(fault)?;
            Ok(removed.is_some())
        })
    }

    /// A collection's records of a kind, by name.
    pub(crate) fn records<T: for<'a> Deserialize<'a>>(
        &self,
        collection: &str,
        kind: RecordKind,
    ) -> Result<Vec<T>> {
        self.read(|transaction| {
            let table = transaction.open_table(RECORDS).map_err(fault)?;
            let mut records = Vec::new();
            for entry in table.range((collection, kind.key(), "")..).map_err(fault)? {
                let (key, value) = entry.map_err(fault)?;
                let (owner, of, _) = key.value();
                if (owner, of) != (collection, kind.key()) {
                    break;
                }
                records.push(decode(value.value())?);
            }
            Ok(records)
        })
    }

    /// A record by its name.
    pub(crate) fn record_of<T: for<'a> Deserialize<'a>>(
        &self,
        collection: &str,
        kind: RecordKind,
        name: &str,
    ) -> Result<Option<T>> {
        self.read(|transaction| {
            let table = transaction.open_table(RECORDS).map_err(fault)?;
            let found = table.get((collection, kind.key(), name)).map_err(fault)?;
            found.map(|value| decode(value.value())).transpose()
        })
    }

    /// Inserts or replaces a record.
    pub(crate) fn put_record<T: Serialize>(
        &self,
        collection: &str,
        kind: RecordKind,
        name: &str,
        record: &T,
    ) -> Result<()> {
        let bytes = encode(record)?;
        self.change(|transaction| {
            let mut table = transaction.open_table(RECORDS).map_err(fault)?;
            table
                .insert((collection, kind.key(), name), bytes.as_slice())
                .map_err(fault)?;
            Ok(())
        })
    }

    /// Removes a record; false when there was none.
    pub(crate) fn remove_record(
        &self,
        collection: &str,
        kind: RecordKind,
        name: &str,
    ) -> Result<bool> {
        self.change(|transaction| {
            let mut table = transaction.open_table(RECORDS).map_err(fault)?;
            let removed = table
                .remove((collection, kind.key(), name))
                .map_err(fault)?;
            Ok(removed.is_some())
        })
    }
}

/// A checked copy in memory of a catalog's file.
fn copy_of(path: &Path) -> Result<Database> {
    let mut builder = Database::builder();
    builder.set_check_integrity_on_open(true);
    let copy = copy_in_memory(path)?;
    let database = builder.create_with_backend(copy).map_err(fault)?;
    check_format(&database, path)?;
    Ok(database)
}

/// Refuses a catalog of another version, and leaves it as it is.
fn check_format(database: &Database, path: &Path) -> Result<()> {
    let transaction = database.begin_read().map_err(fault)?;
    let version = match transaction.open_table(FORMAT) {
        Ok(table) => table
            .get("format")
            .map_err(fault)?
            .map(|found| found.value()),
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(fault(error)),
    };
    // A catalog without tables is a new one.
    let is_new = transaction.list_tables().map_err(fault)?.next().is_none();
    if is_new || version == Some(FORMAT_VERSION) {
        return Ok(());
    }
    let found = version.map_or("an earlier one".to_owned(), |version| version.to_string());
    Err(Error::precondition(format!(
        "the data directory {} is of another format ({found}) than this version's \
         ({FORMAT_VERSION}): ingest the documents into a new directory, or open it with the \
         version that made it",
        path.parent().unwrap_or(path).display()
    )))
}

/// Another process has the catalog open.
pub(crate) fn in_use(path: &Path) -> Error {
    Error::precondition(format!(
        "the data directory {} is in use by another process",
        path.parent().unwrap_or(path).display()
    ))
}

pub(super) fn fault(error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    let failure = match error {
        redb::Error::Corrupted(_) => Error::corrupted("the catalog is damaged"),
        _ => Error::internal("the catalog failed"),
    };
    failure.with_source(error)
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| Error::internal("a catalog record").with_source(error))
}

pub(super) fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::corrupted("a catalog record is not readable").with_source(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::catalog::{AttachedSae, Label, SetContent};
    use crate::filter::{Filter, Name};
    use crate::storage::{Faults, Step};
    use crate::text::Analyzer;

    #[test]
    fn a_catalog_of_another_version_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        {
            // As the versions before wrote it.
            let earlier = Database::create(&file).unwrap();
            let transaction = earlier.begin_write().unwrap();
            transaction.open_table(COLLECTIONS).unwrap();
            transaction.commit().unwrap();
        }
        for _ in 0..2 {
            let error = Catalog::open(directory.path(), &Storage::default())
                .err()
                .unwrap();
            assert_eq!(error.kind(), crate::error::ErrorKind::FailedPrecondition);
            assert!(error.message().contains("another format"), "{error}");
        }
    }

    /// Fails one step towards the disk.
    #[derive(Default)]
    struct FailOne {
        taken: AtomicU64,
        at: AtomicU64,
    }

    impl Faults for FailOne {
        fn before(&self, _: Step, _: &Path, bytes: usize) -> std::io::Result<usize> {
            let taken = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
            if taken == self.at.load(Ordering::Relaxed) {
                return Err(std::io::Error::from_raw_os_error(5));
            }
            Ok(bytes)
        }
    }

    /// Whichever write or sync of a change fails, it is made or not as its result says, and the
    /// catalog takes the next.
    #[test]
    fn a_change_that_fails_is_made_or_not_as_its_result_says() {
        let mut failures = 0;
        for at in 1..40 {
            let directory = tempfile::tempdir().unwrap();
            let disk = Arc::new(FailOne::default());
            let storage = Storage::failing(disk.clone());
            let catalog = Catalog::open(directory.path(), &storage).unwrap();
            let put = |name: &str| {
                let kind = RecordKind::SteeringPreset;
                catalog.put_record("a1", kind, name, &name.to_owned())
            };
            put("before").unwrap();
            let from = disk.taken.load(Ordering::Relaxed);
            disk.at.store(from + at, Ordering::Relaxed);
            let mut expected = vec!["before".to_owned()];
            for name in ["c", "d"] {
                match put(name) {
                    Ok(()) => expected.push(name.to_owned()),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Internal);
                        failures += 1;
                    }
                }
                assert!(catalog.is_settled());
                let found: Vec<String> = catalog.records("a1", RecordKind::SteeringPreset).unwrap();
                assert_eq!(found, expected, "step {at}");
            }
            drop(catalog);
            let catalog = Catalog::open(directory.path(), &Storage::default()).unwrap();
            let found: Vec<String> = catalog.records("a1", RecordKind::SteeringPreset).unwrap();
            assert_eq!(found, expected, "step {at}");
        }
        assert!(failures > 3, "{failures}");
    }

    #[test]
    fn records_sets_and_labels_survive_a_reopen() {
        let directory = tempfile::tempdir().unwrap();
        let record = CollectionRecord {
            name: "reviews".into(),
            id: "a1".into(),
            generation: 3,
            dimension: Some(384),
            created: 7,
            encoder: Some(serde_json::json!({"model": "m"})),
            saes: vec![AttachedSae {
                name: String::new(),
                n_latents: 16,
                sae: None,
                reader: None,
            }],
            analyzer: Analyzer::default(),
        };
        let set = SavedSet {
            name: "late".into(),
            created: 1,
            content: SetContent::Filter(Filter::latent(4)),
            sae: Some("hash".into()),
            saes: BTreeMap::from([("large".to_owned(), "ab".to_owned())]),
        };
        let other = SetContent::Filter(Filter::Named(Name::SavedSet("other".into())));
        let stored = serde_json::json!({"filter": {"named": {"saved_set": "other"}}});
        assert_eq!(serde_json::to_value(other).unwrap(), stored, "FORMAT.md");
        let label = Label::new("late delivery", "person", Some(0.5), 2);
        {
            let catalog = Catalog::open(directory.path(), &Storage::default()).unwrap();
            assert!(Catalog::open(directory.path(), &Storage::default()).is_err());
            catalog.put_collection(&record).unwrap();
            catalog.put_saved_set("a1", &set).unwrap();
            catalog.put_labels("a1", "hash", [(9, &label)]).unwrap();
            for (collection, name) in [("a1", "y"), ("a1", "x"), ("a2", "z")] {
                catalog
                    .put_record(
                        collection,
                        RecordKind::SteeringPreset,
                        name,
                        &name.to_owned(),
                    )
                    .unwrap();
            }
        }
        let catalog = Catalog::open(directory.path(), &Storage::default()).unwrap();
        assert_eq!(
            catalog.collections().unwrap(),
            std::slice::from_ref(&record)
        );
        assert_eq!(catalog.saved_sets("a1").unwrap()["late"], set);
        assert!(catalog.saved_sets("a").unwrap().is_empty());
        assert_eq!(catalog.labels("a1", "hash").unwrap()[&9], label);
        assert!(catalog.labels("a1", "other").unwrap().is_empty());
        let presets = |collection: &str| -> Vec<String> {
            let kind = RecordKind::SteeringPreset;
            catalog.records(collection, kind).unwrap()
        };
        assert_eq!(presets("a1"), ["x", "y"]);
        let families: Option<String> = catalog.record_of("a1", RecordKind::Families, "x").unwrap();
        assert_eq!(families, None);
        assert!(
            catalog
                .remove_record("a1", RecordKind::SteeringPreset, "x")
                .unwrap()
        );
        assert!(
            !catalog
                .remove_record("a1", RecordKind::SteeringPreset, "x")
                .unwrap()
        );
        catalog.remove_collection(&record).unwrap();
        assert!(presets("a1").is_empty());
        assert_eq!(presets("a2"), ["z"]);
        assert!(catalog.collections().unwrap().is_empty());
        assert!(catalog.saved_sets("a1").unwrap().is_empty());
        assert!(catalog.labels("a1", "hash").unwrap().is_empty());
    }
}
