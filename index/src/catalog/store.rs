//! The catalog's file: every change is one durable transaction.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{CollectionRecord, RecordKind, SavedSet};
use crate::error::{Error, Result};

/// The catalog's file in a data directory.
const FILE: &str = "catalog.redb";
const COLLECTIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("collections");
const SAVED_SETS: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("saved_sets");
/// The version of everything in the data directory.
const FORMAT: TableDefinition<&str, u32> = TableDefinition::new("format");
/// Counts up when a directory of the version before cannot be read.
const FORMAT_VERSION: u32 = 3;
/// Collection, kind, name.
const RECORDS: TableDefinition<(&str, &str, &str), &[u8]> = TableDefinition::new("records");
/// Current labels: collection, SAE, latent.
pub(super) const LABELS: TableDefinition<(&str, &str, u32), &[u8]> = TableDefinition::new("labels");
/// Labels that are not current: collection, SAE, latent, version.
pub(super) const FORMER_LABELS: TableDefinition<(&str, &str, u32, u32), &[u8]> =
    TableDefinition::new("former_labels");

/// The open catalog.
pub struct Catalog {
    pub(super) database: Database,
}

impl Catalog {
    /// Whether a directory holds a catalog; an empty file is none.
    pub(crate) fn exists(directory: &Path) -> bool {
        fs::metadata(directory.join(FILE)).is_ok_and(|file| file.is_file() && file.len() > 0)
    }

    /// Opens or creates the catalog in a data directory.
    ///
    /// # Errors
    /// `FailedPrecondition` when another process has it open, or another version made it.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let database = Database::create(directory.join(FILE)).map_err(|error| {
            if matches!(error, redb::DatabaseError::DatabaseAlreadyOpen) {
                Error::precondition(format!(
                    "the data directory {} is in use by another process",
                    directory.display()
                ))
            } else {
                fault(error)
            }
        })?;
        check_format(&database, directory)?;
        let transaction = database.begin_write().map_err(fault)?;
        {
            let mut table = transaction.open_table(FORMAT).map_err(fault)?;
            table.insert("format", FORMAT_VERSION).map_err(fault)?;
        }
        transaction.open_table(COLLECTIONS).map_err(fault)?;
        transaction.open_table(SAVED_SETS).map_err(fault)?;
        transaction.open_table(LABELS).map_err(fault)?;
        transaction.open_table(FORMER_LABELS).map_err(fault)?;
        transaction.open_table(RECORDS).map_err(fault)?;
        transaction.commit().map_err(fault)?;
        Ok(Self { database })
    }

    /// All collections, by name.
    pub(crate) fn collections(&self) -> Result<Vec<CollectionRecord>> {
        let transaction = self.database.begin_read().map_err(fault)?;
        let table = transaction.open_table(COLLECTIONS).map_err(fault)?;
        let mut records = Vec::new();
        for entry in table.iter().map_err(fault)? {
            let (_, value) = entry.map_err(fault)?;
            records.push(decode(value.value())?);
        }
        Ok(records)
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
        let transaction = self.database.begin_read().map_err(fault)?;
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
        let transaction = self.database.begin_read().map_err(fault)?;
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
    }

    /// A record by its name.
    pub(crate) fn record_of<T: for<'a> Deserialize<'a>>(
        &self,
        collection: &str,
        kind: RecordKind,
        name: &str,
    ) -> Result<Option<T>> {
        let transaction = self.database.begin_read().map_err(fault)?;
        let table = transaction.open_table(RECORDS).map_err(fault)?;
        let found = table.get((collection, kind.key(), name)).map_err(fault)?;
        found.map(|value| decode(value.value())).transpose()
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

    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&redb::WriteTransaction) -> Result<T>,
    ) -> Result<T> {
        let transaction = self.database.begin_write().map_err(fault)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(fault)?;
        Ok(result)
    }
}

/// Refuses a catalog of another version, and leaves it as it is.
fn check_format(database: &Database, directory: &Path) -> Result<()> {
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
        directory.display()
    )))
}

pub(super) fn fault(error: impl Into<redb::Error>) -> Error {
    Error::internal("the catalog failed").with_source(error.into())
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
    use super::*;
    use crate::catalog::{AttachedSae, Label, SetContent};
    use crate::filter::{Filter, Name};
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
            let error = Catalog::open(directory.path()).err().unwrap();
            assert_eq!(error.kind(), crate::error::ErrorKind::FailedPrecondition);
            assert!(error.message().contains("another format"), "{error}");
        }
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
            let catalog = Catalog::open(directory.path()).unwrap();
            assert!(Catalog::open(directory.path()).is_err());
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
        let catalog = Catalog::open(directory.path()).unwrap();
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
