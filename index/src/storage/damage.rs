//! What is known of damage to a collection's files.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};

/// The first damage found, once some is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// Notes damage; the first stays.
    pub fn note(&self, error: &Error) {
        if self.0.set(error.to_string()).is_ok() {
            tracing::error!(%error, "a collection takes no more changes: its files are damaged");
        }
    }

    /// What is damaged, if anything is known to be.
    pub fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// `Corrupted` naming the file, once damage is known.
    pub fn refuse(&self) -> Result<()> {
        match self.reason() {
            None => Ok(()),
            Some(reason) => Err(Error::corrupted(format!(
                "the collection takes no changes, since its files are damaged: {reason}"
            ))),
        }
    }
}
