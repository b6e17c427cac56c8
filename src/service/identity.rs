//! Which encoder and SAE a client's vectors and latents were made with, checked against the
//! collection's.

use latentdb_index::CollectionRecord;

use super::Service;
use super::models::{encoder_record, sae_record};
use crate::error::{Error, Result};

/// What a client says its vectors and latents were made with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeWith {
    /// SHA-256 of the encoder's weights, for vectors.
    pub encoder: Option<String>,
    /// SHA-256 of the SAE, for latents.
    pub sae: Option<String>,
}

impl MadeWith {
    /// Compares with a collection's record.
    ///
    /// # Errors
    /// `FailedPrecondition` naming both hashes when they differ, or when the collection records
    /// nothing to compare with.
    pub(super) fn check(&self, record: &CollectionRecord) -> Result<()> {
        if let Some(claimed) = &self.encoder {
            let recorded = encoder_record(record)?.map(|encoder| encoder.identity.weights_sha256);
            compare(&record.name, "encoder", claimed, recorded)?;
        }
        if let Some(claimed) = &self.sae {
            let recorded = sae_record(record)?.map(|sae| sae.sha256);
            compare(&record.name, "SAE", claimed, recorded)?;
        }
        Ok(())
    }
}

fn compare(collection: &str, what: &str, claimed: &str, recorded: Option<String>) -> Result<()> {
    match recorded {
        Some(recorded) if recorded == claimed => Ok(()),
        Some(recorded) => Err(Error::precondition(format!(
            "made with the {what} {claimed}, but collection {collection:?} has the {what} \
             {recorded}; numbers of two {what}s mean different things"
        ))),
        None => Err(Error::precondition(format!(
            "made with the {what} {claimed}, but collection {collection:?} records no {what} to \
             compare with"
        ))),
    }
}

impl Service {
    /// Compares what a query was made with against a collection.
    ///
    /// # Errors
    /// `NotFound` for the collection, `FailedPrecondition` for a difference.
    pub fn check_made_with(&self, collection: &str, made_with: &MadeWith) -> Result<()> {
        made_with.check(&self.database.collection(collection)?.record())
    }
}
