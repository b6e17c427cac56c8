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
    /// Insert the passages of a long document, or replace what is there of it.
    Passages(Box<Passages>),
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

/// A document as the passages that it is split into, each of them a document: found, filtered and labelled
/// by itself, and grouped by [`Passages::PARENT`].
///
/// Written, they replace the passages of an earlier write, of which there may have been more, and the document
/// itself where it was stored whole.
///
/// # Example
/// ```
/// use latentdb_index::{Document, Passages};
///
/// let whole = Document::new("a".to_owned());
/// let passages = Passages::of(whole, vec!["one".to_owned(), "two".to_owned()])?;
/// let ids: Vec<&str> = passages.documents().iter().map(|own| own.id.as_str()).collect();
/// assert_eq!(ids, ["a#0", "a#1"]);
/// # Ok::<(), latentdb_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Passages {
    parent: String,
    documents: Vec<Document>,
    /// Leave all as it is where one of the passages, or the whole document, is stored; [`Written::existing`] names
    /// the document then.
    pub keep_existing: bool,
}

impl Passages {
    /// The attribute of a passage that holds the id of the document it is of.
    pub const PARENT: &str = "parent";
    /// The attribute of a passage that holds its number in the document, from 0.
    pub const NUMBER: &str = "passage";

    /// Splits a document into passages of these texts: each has its attributes, and an id made of its id, `#` and
    /// the passage's number. Without texts it is one passage that has none.
    ///
    /// # Errors
    /// `InvalidArgument` where it has an attribute that passages have of their own, or a vector or latents, which
    /// would be those of the whole text.
    pub fn of(whole: Document, texts: Vec<String>) -> Result<Self> {
        for name in [Self::PARENT, Self::NUMBER] {
            if whole.attributes.contains_key(name) {
                return Err(Error::invalid(
                    format!("attributes[{name:?}]"),
                    "is an attribute that passages have of their own; bring it under another name",
                ));
            }
        }
        let of_all = |field: &str| {
            Error::invalid(
                field,
                "is of the whole text, which is to be split into passages; leave it out",
            )
        };
        if whole.vector.is_some() {
            return Err(of_all("vector"));
        }
        if whole.codes.iter().any(|codes| *codes != Codes::default()) {
            return Err(of_all("latents"));
        }
        let passage = |(number, text): (u64, Option<String>)| {
            let mut passage = Document {
                id: Self::id(&whole.id, number),
                text,
                attributes: whole.attributes.clone(),
                ..Document::default()
            };
            let own = [
                (Self::PARENT, Value::String(whole.id.clone())),
                (Self::NUMBER, Value::Integer(number.cast_signed())),
            ];
            passage
                .attributes
                .extend(own.map(|(name, value)| (name.to_owned(), value)));
            passage
        };
        let texts = match texts.is_empty() {
            true => vec![None],
            false => texts.into_iter().map(Some).collect(),
        };
        Ok(Self {
            documents: (0..).zip(texts).map(passage).collect(),
            parent: whole.id,
            keep_existing: false,
        })
    }

    /// The id of a document's passage.
    pub fn id(parent: &str, number: u64) -> String {
        format!("{parent}#{number}")
    }

    /// The number of a document's passage by its id; `None` for an id that is not one of its passages'.
    pub(super) fn number(parent: &str, id: &str) -> Option<u64> {
        let digits = id.strip_prefix(parent)?.strip_prefix('#')?;
        let number = digits.parse().ok()?;
        (Self::id(parent, number) == id).then_some(number)
    }

    /// The ids of a document's passages lie from the first of these to below the second.
    pub(super) fn ids(parent: &str) -> (String, String) {
        // `$` is the character after `#`.
        (format!("{parent}#"), format!("{parent}$"))
    }

    /// Whether an id may be a passage's, of whatever document.
    pub(super) fn may_be(id: &str) -> bool {
        id.contains('#')
    }

    /// The id of the document that was split.
    pub fn parent(&self) -> &str {
        &self.parent
    }

    /// The passages, in the order of the text.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The same, to be completed.
    pub fn documents_mut(&mut self) -> &mut [Document] {
        &mut self.documents
    }

    pub(super) fn into_documents(self) -> Vec<Document> {
        self.documents
    }
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
            Self::Passages(passages) => {
                let mut passages = passages.documents.iter();
                passages.try_for_each(|one| one.validate(dimension, n_latents))
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
