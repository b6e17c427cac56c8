//! What can be written, what a write must satisfy before the writer takes it, and what it did.

use std::collections::BTreeMap;

use crate::document::{
    Codes, Document, Value, validate_attribute_name, validate_attributes, validate_codes,
    validate_id, validate_text, validate_vector,
};
use crate::error::{Error, Result, Within as _};
use crate::filter::ResolvedFilter;
use crate::version::Version;

/// One change of a collection.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Insert a document or replace the one with its id. It must be valid
    /// ([`Document::validate`]).
    Upsert(Box<Document>),
    /// Insert a valid document; one that has its id already stays as it is, and
    /// [`Written::existing`] names it.
    Insert(Box<Document>),
    /// Change parts of a stored document; its id must exist.
    Update(Box<Update>),
    /// Change attributes of the documents a filter describes. Their batch changes nothing else.
    UpdateMatching(Box<MatchingUpdate>),
    /// Delete documents by id; ids that do not exist are passed over.
    Delete(Vec<String>),
    /// Delete the documents a filter describes.
    DeleteMatching(ResolvedFilter),
    /// Change no document, and add to the texts of the collection of which vectors know the beginning alone.
    CountCut(u64),
    /// Change nothing, and fail the batch unless a document is in this state when the operations
    /// before are applied. Nothing is written in between.
    Require {
        /// The document's id.
        id: String,
        /// What is required of it.
        state: Requirement,
    },
}

/// What a write requires of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// It does not exist; else the error is `AlreadyExists`.
    Absent,
    /// It has this version; else, and where it does not exist, the error is `Aborted`.
    Version(Version),
}

/// A change of attributes of all documents that a filter describes.
#[derive(Clone, Debug)]
pub struct MatchingUpdate {
    /// Which documents.
    pub filter: ResolvedFilter,
    /// Attributes to set.
    pub set: BTreeMap<String, Value>,
    /// Attributes to remove.
    pub remove: Vec<String>,
}

/// A change of parts of a document.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The document's id.
    pub id: String,
    /// A new text, with the vector and latents that belong to it.
    pub text: Option<String>,
    /// A new vector.
    pub vector: Option<Vec<f32>>,
    /// New codes under each SAE of the collection, in its order; `None`, and beyond the end, keeps
    /// what is stored.
    pub codes: Vec<Option<Codes>>,
    /// Attributes to set.
    pub set: BTreeMap<String, Value>,
    /// Attributes to remove.
    pub remove: Vec<String>,
}

/// A batch's place in a stream of batches, by which a retried one is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream's name, chosen by the client.
    pub stream: String,
    /// The batch's number in it, from 1, ascending.
    pub batch: u64,
}

/// What an acknowledged write did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Number of the commit that holds it; snapshots from this one on show it.
    pub sequence: u64,
    /// Documents inserted, replaced or updated.
    pub upserted: u64,
    /// Documents deleted.
    pub deleted: u64,
    /// True when the batch had been written before and was not written again.
    pub duplicate: bool,
    /// Ids that were to be inserted and exist.
    pub existing: Vec<String>,
}

impl Operation {
    /// Checks what is written against the limits of documents, the collection's `dimension` and
    /// the number of latents of each of its SAEs. The error's field is a path inside the document
    /// or the update.
    pub(crate) fn validate(&self, dimension: Option<usize>, n_latents: &[usize]) -> Result<()> {
        match self {
            Self::Upsert(document) | Self::Insert(document) => {
                document.validate(dimension, n_latents)
            }
            Self::Update(update) => update.validate(dimension, n_latents),
            Self::UpdateMatching(update) => update.validate(),
            Self::Delete(_)
            | Self::DeleteMatching(_)
            | Self::CountCut(_)
            | Self::Require { .. } => Ok(()),
        }
    }
}

impl Update {
    /// Checks every field as [`Document::validate`](crate::document::Document::validate) does.
    pub fn validate(&self, dimension: Option<usize>, n_latents: &[usize]) -> Result<()> {
        validate_id(&self.id).within("id")?;
        if let Some(text) = &self.text {
            validate_text(text).within("text")?;
        }
        validate_attribute_change(&self.set, &self.remove)?;
        if let Some(vector) = &self.vector {
            validate_vector(vector, dimension).within("vector")?;
        }
        validate_codes(self.codes.iter().map(Option::as_ref), n_latents)
    }
}

impl MatchingUpdate {
    /// Checks the names and values, and that something is set or removed.
    pub fn validate(&self) -> Result<()> {
        if self.set.is_empty() && self.remove.is_empty() {
            return Err(Error::invalid(
                "",
                "sets no attribute and removes none; accepted is at least one of either",
            ));
        }
        validate_attribute_change(&self.set, &self.remove)
    }
}

fn validate_attribute_change(set: &BTreeMap<String, Value>, remove: &[String]) -> Result<()> {
    validate_attributes(set).within("set_attributes")?;
    for (at, name) in remove.iter().enumerate() {
        let valid = validate_attribute_name(name).and_then(|()| match set.contains_key(name) {
            true => Err(Error::invalid("", format!("{name:?} is set and removed"))),
            false => Ok(()),
        });
        valid.within(&format!("remove_attributes[{at}]"))?;
    }
    Ok(())
}
