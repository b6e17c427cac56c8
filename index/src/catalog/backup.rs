//! A copy of what the catalog alone has, in a file next to it, for when the catalog is lost.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::store::{
    ALIASES, COLLECTIONS, Catalog, FORMER_LABELS, LABELS, RECORDS, SAVED_SETS, decode, encode,
    fault,
};
use crate::catalog::CollectionRecord;
use crate::error::{Error, Result};
use crate::storage::{seal, unseal};

/// The file in a data directory.
const FILE: &str = "catalog.backup.json";

/// The entries of each table but that of the collections, whose records lie in their directories.
/// Values are JSON as the tables have them.
#[derive(Default, Serialize, Deserialize)]
struct Backup {
    /// The changes that the catalog had.
    changes: u64,
    saved_sets: Vec<((String, String), String)>,
    records: Vec<((String, String, String), String)>,
    labels: Vec<((String, String, u32), String)>,
    former_labels: Vec<((String, String, u32, u32), String)>,
    #[serde(default)]
    aliases: Vec<(String, String)>,
}

impl Catalog {
    /// Renews the copy, where the catalog was changed since.
    pub(crate) fn back_up(&self) -> Result<()> {
        let path = next_to(self.file());
        let changes = self.changes()?;
        if read(&path).is_ok_and(|backup| backup.changes == changes) {
            return Ok(());
        }
        let backup = Backup {
            changes,
            aliases: self.aliases()?.into_iter().collect(),
            ..self.entries()?
        };
        self.storage().replace(&path, &seal(encode(&backup)?))?;
        Ok(())
    }

    /// Takes the entries of the copy next to `lost` over; false where there is none that is whole.
    pub(crate) fn restore(&self, lost: &Path) -> Result<bool> {
        let Ok(backup) = read(&next_to(lost)) else {
            return Ok(false);
        };
        self.change(|transaction| backup.insert(transaction))?;
        Ok(true)
    }

    /// The entries of a collection, by its id.
    pub(crate) fn entries_of(&self, id: &str) -> Result<serde_json::Value> {
        let mut own = self.entries()?;
        own.saved_sets.retain(|((a, _), _)| a == id);
        own.records.retain(|((a, ..), _)| a == id);
        own.labels.retain(|((a, ..), _)| a == id);
        own.former_labels.retain(|((a, ..), _)| a == id);
        serde_json::to_value(own)
            .map_err(|error| Error::internal("the entries of a collection").with_source(error))
    }

    /// Inserts a collection's record, with entries that [`Self::entries_of`] gave of one of any id.
    ///
    /// # Errors
    /// `Corrupted` where they are none.
    pub(crate) fn put_with_entries(
        &self,
        record: &CollectionRecord,
        entries: &serde_json::Value,
    ) -> Result<()> {
        let mut entries = Backup::deserialize(entries).map_err(|error| {
            Error::corrupted("the entries of a collection are not readable").with_source(error)
        })?;
        let id = || record.id.clone();
        entries
            .saved_sets
            .iter_mut()
            .for_each(|((a, _), _)| *a = id());
        entries
            .records
            .iter_mut()
            .for_each(|((a, ..), _)| *a = id());
        entries.labels.iter_mut().for_each(|((a, ..), _)| *a = id());
        entries
            .former_labels
            .iter_mut()
            .for_each(|((a, ..), _)| *a = id());
        let bytes = encode(record)?;
        self.change(|transaction| {
            let mut table = transaction.open_table(COLLECTIONS).map_err(fault)?;
            table
                .insert(record.name.as_str(), bytes.as_slice())
                .map_err(fault)?;
            drop(table);
            entries.insert(transaction)
        })
    }

    fn entries(&self) -> Result<Backup> {
        self.read(|transaction| {
            Ok(Backup {
                changes: 0,
                saved_sets: rows(transaction, SAVED_SETS, |(a, b)| (a.into(), b.into()))?,
                records: rows(transaction, RECORDS, |(a, b, c)| {
                    (a.into(), b.into(), c.into())
                })?,
                labels: rows(transaction, LABELS, |(a, b, c)| (a.into(), b.into(), c))?,
                former_labels: rows(transaction, FORMER_LABELS, |(a, b, c, d)| {
                    (a.into(), b.into(), c, d)
                })?,
                aliases: Vec::new(),
            })
        })
    }
}

impl Backup {
    fn insert(&self, transaction: &WriteTransaction) -> Result<()> {
        let mut sets = transaction.open_table(SAVED_SETS).map_err(fault)?;
        for ((a, b), value) in &self.saved_sets {
            sets.insert((a.as_str(), b.as_str()), value.as_bytes())
                .map_err(fault)?;
        }
        let mut records = transaction.open_table(RECORDS).map_err(fault)?;
        for ((a, b, c), value) in &self.records {
            let key = (a.as_str(), b.as_str(), c.as_str());
            records.insert(key, value.as_bytes()).map_err(fault)?;
        }
        let mut labels = transaction.open_table(LABELS).map_err(fault)?;
        for ((a, b, c), value) in &self.labels {
            let key = (a.as_str(), b.as_str(), *c);
            labels.insert(key, value.as_bytes()).map_err(fault)?;
        }
        let mut former = transaction.open_table(FORMER_LABELS).map_err(fault)?;
        for ((a, b, c, d), value) in &self.former_labels {
            let key = (a.as_str(), b.as_str(), *c, *d);
            former.insert(key, value.as_bytes()).map_err(fault)?;
        }
        let mut aliases = transaction.open_table(ALIASES).map_err(fault)?;
        for (alias, collection) in &self.aliases {
            aliases
                .insert(alias.as_str(), collection.as_str())
                .map_err(fault)?;
        }
        Ok(())
    }
}

/// The copy in a data directory, where there is one, with its bytes or what is wrong with it.
pub(crate) fn check_backup(directory: &Path) -> Option<(PathBuf, Result<u64>)> {
    let path = directory.join(FILE);
    let bytes = fs::metadata(&path).ok()?.len();
    let checked = read(&path).map(|_| bytes);
    Some((path, checked))
}

fn next_to(catalog: &Path) -> PathBuf {
    catalog.with_file_name(FILE)
}

fn read(path: &Path) -> Result<Backup> {
    let bytes = unseal(fs::read(path)?, path)?;
    decode(&bytes)
}

fn rows<K: Key + 'static, T>(
    transaction: &ReadTransaction,
    table: TableDefinition<K, &'static [u8]>,
    owned: impl Fn(K::SelfType<'_>) -> T,
) -> Result<Vec<(T, String)>> {
    let table = transaction.open_table(table).map_err(fault)?;
    let mut rows = Vec::new();
    for entry in table.iter().map_err(fault)? {
        let (key, value) = entry.map_err(fault)?;
        let value = String::from_utf8(value.value().to_vec()).map_err(|error| {
            Error::corrupted("a catalog record is not readable").with_source(error)
        })?;
        rows.push((owned(key.value()), value));
    }
    Ok(rows)
}
