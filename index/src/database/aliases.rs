//! Aliases: further names of collections, switched at once (issue 15).

use super::entry::missing;
use super::{Database, validate_name};
use crate::error::{Error, ErrorKind, Result};

impl Database {
    /// Makes `alias` stand for a collection wherever a collection is named; a request names the one or the
    /// other, never both. Returns what it stood for.
    ///
    /// # Errors
    /// `NotFound` for the collection, `AlreadyExists` where a collection has the name of the alias,
    /// `InvalidArgument` for what is no name.
    pub fn set_alias(&self, alias: &str, collection: &str) -> Result<Option<String>> {
        self.storage.refuse_changes()?;
        validate_name(alias).map_err(|error| Error::invalid("alias", error.message()))?;
        let collections = self.collections.write();
        if collections.contains_key(alias) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("there is a collection {alias:?}; an alias takes a name that is free"),
            ));
        }
        if !collections.contains_key(collection) {
            return Err(missing(collection));
        }
        let mut aliases = self.aliases.write();
        self.catalog.put_alias(alias, collection)?;
        Ok(aliases.insert(alias.to_owned(), collection.to_owned()))
    }

    /// Removes an alias; its collection stays.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove_alias(&self, alias: &str) -> Result<String> {
        self.storage.refuse_changes()?;
        let mut aliases = self.aliases.write();
        let Some(collection) = aliases.get(alias).cloned() else {
            return Err(Error::not_found(format!("there is no alias {alias:?}")));
        };
        self.catalog.remove_alias(alias)?;
        aliases.remove(alias);
        Ok(collection)
    }

    /// The aliases of a collection.
    pub fn aliases_of(&self, collection: &str) -> Vec<String> {
        let aliases = self.aliases.read();
        let own = aliases.iter().filter(|(_, target)| *target == collection);
        own.map(|(alias, _)| alias.clone()).collect()
    }

    /// What an alias stands for.
    pub(super) fn behind(&self, alias: &str) -> Option<String> {
        self.aliases.read().get(alias).cloned()
    }

    /// Refuses a name for a new collection that an alias has.
    pub(super) fn check_is_no_alias(&self, name: &str) -> Result<()> {
        match self.behind(name) {
            None => Ok(()),
            Some(collection) => Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("{name:?} is an alias of the collection {collection:?}"),
            )),
        }
    }

    /// Refuses to drop a collection while aliases stand for it, and an alias in place of its collection.
    pub(super) fn check_may_drop(&self, name: &str) -> Result<()> {
        if let Some(collection) = self.behind(name) {
            return Err(Error::precondition(format!(
                "{name:?} is an alias of {collection:?}; a collection is dropped by its own name, an alias \
                 is removed"
            )));
        }
        let aliases = self.aliases_of(name);
        match aliases.is_empty() {
            true => Ok(()),
            false => Err(Error::precondition(format!(
                "collection {name:?} has the aliases {}; switch or remove them first",
                aliases.join(", ")
            ))),
        }
    }
}
