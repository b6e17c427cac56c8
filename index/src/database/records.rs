//! What is recorded of a collection next to its own record: saved sets, presets, families.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::CollectionHandle;
use super::names::{now, validate_name};
use crate::catalog::{Catalog, RecordKind, SavedSet, SetContent};
use crate::error::{Error, Result};

impl CollectionHandle {
    /// The collection's saved sets, by name.
    pub fn saved_sets(&self) -> Result<BTreeMap<String, SavedSet>> {
        self.entry.catalog.saved_sets(&self.record().id)
    }

    /// The saved set of a name, or `NotFound`.
    pub fn saved_set(&self, name: &str) -> Result<SavedSet> {
        let missing = || Error::not_found(format!("saved set {name:?} does not exist"));
        self.saved_sets()?.remove(name).ok_or_else(missing)
    }

    /// Saves a set under a name, replacing one of that name. `sae` is the hash of the SAE whose
    /// latents it tests, where it does, and `saes` those of the SAEs that it names.
    pub fn save_set(
        &self,
        name: &str,
        content: SetContent,
        sae: Option<String>,
        saes: BTreeMap<String, String>,
    ) -> Result<SavedSet> {
        validate_name(name)?;
        let set = SavedSet {
            name: name.to_owned(),
            created: now(),
            content,
            sae,
            saes,
        };
        self.entry.catalog.put_saved_set(&self.record().id, &set)?;
        Ok(set)
    }

    /// Keeps a saved set of another collection as it is, replacing one of its name.
    pub fn restore_set(&self, set: &SavedSet) -> Result<()> {
        validate_name(&set.name)?;
        self.entry.catalog.put_saved_set(&self.record().id, set)
    }

    /// Removes a saved set, or `NotFound`.
    pub fn remove_set(&self, name: &str) -> Result<()> {
        if self
            .entry
            .catalog
            .remove_saved_set(&self.record().id, name)?
        {
            return Ok(());
        }
        Err(Error::not_found(format!(
            "saved set {name:?} does not exist"
        )))
    }

    /// The collection's records of a kind, by name.
    pub fn records<T: for<'a> Deserialize<'a>>(&self, kind: RecordKind) -> Result<Vec<T>> {
        self.entry.catalog.records(&self.record().id, kind)
    }

    /// The record of a name, where there is one.
    pub fn record_of<T: for<'a> Deserialize<'a>>(
        &self,
        kind: RecordKind,
        name: &str,
    ) -> Result<Option<T>> {
        self.entry.catalog.record_of(&self.record().id, kind, name)
    }

    /// Keeps a record under a name, replacing one of that name.
    pub fn put_record<T: Serialize>(&self, kind: RecordKind, name: &str, record: &T) -> Result<()> {
        validate_name(name)?;
        self.entry
            .catalog
            .put_record(&self.record().id, kind, name, record)
    }

    /// Removes a record; false when there was none.
    pub fn remove_record(&self, kind: RecordKind, name: &str) -> Result<bool> {
        self.entry
            .catalog
            .remove_record(&self.record().id, kind, name)
    }

    /// The catalog, for labels.
    pub fn catalog(&self) -> &Catalog {
        &self.entry.catalog
    }
}
