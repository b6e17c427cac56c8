//! Further names of collections.

use std::collections::BTreeMap;

use redb::{ReadableTable as _, TableError};

use super::store::{ALIASES, Catalog, fault};
use crate::error::Result;

impl Catalog {
    /// The collections that aliases stand for.
    pub(crate) fn aliases(&self) -> Result<BTreeMap<String, String>> {
        self.read(|transaction| {
            let table = match transaction.open_table(ALIASES) {
                Ok(table) => table,
                // One that is read only, and was made before there were aliases.
                Err(TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
                Err(error) => return Err(fault(error)),
            };
            let mut aliases = BTreeMap::new();
            for entry in table.iter().map_err(fault)? {
                let (alias, collection) = entry.map_err(fault)?;
                aliases.insert(alias.value().to_owned(), collection.value().to_owned());
            }
            Ok(aliases)
        })
    }

    /// Makes an alias stand for a collection, whatever it stood for.
    pub(crate) fn put_alias(&self, alias: &str, collection: &str) -> Result<()> {
        self.change(|transaction| {
            let mut table = transaction.open_table(ALIASES).map_err(fault)?;
            table.insert(alias, collection).map_err(fault)?;
            Ok(())
        })
    }

    /// Removes an alias.
    pub(crate) fn remove_alias(&self, alias: &str) -> Result<()> {
        self.change(|transaction| {
            let mut table = transaction.open_table(ALIASES).map_err(fault)?;
            table.remove(alias).map_err(fault)?;
            Ok(())
        })
    }
}
