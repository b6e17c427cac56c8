//! What a write requires of what is there.

use std::collections::{BTreeMap, HashSet};

use latentdb_index::{Document, Operation, Passages, Requirement, Version};

use crate::error::{Error, ErrorKind, Result};
use crate::service::blocking;
use crate::service::core::View;

/// Versions that documents must have when a write is made, by id.
pub type ExpectedVersions = BTreeMap<String, Version>;

/// What becomes of documents with ids that exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// They are replaced.
    #[default]
    Replace,
    /// They stay, and the others are inserted.
    Skip,
    /// Nothing is written.
    Fail,
}

impl IfExists {
    /// The operations that write a document.
    pub(super) fn operations(self, document: Document) -> Vec<Operation> {
        match self {
            Self::Replace => vec![Operation::Upsert(Box::new(document))],
            Self::Skip => vec![Operation::Insert(Box::new(document))],
            Self::Fail => {
                let absent = Operation::Require {
                    id: document.id.clone(),
                    state: Requirement::Absent,
                };
                vec![absent, Operation::Upsert(Box::new(document))]
            }
        }
    }

    /// The operations that write a document's passages.
    pub(super) fn passages(self, mut passages: Passages) -> Vec<Operation> {
        let mut operations = Vec::new();
        match self {
            Self::Replace => {}
            Self::Skip => passages.keep_existing = true,
            Self::Fail => {
                let own = passages.documents().iter().map(|own| &*own.id);
                let absent = |id: &str| Operation::Require {
                    id: id.to_owned(),
                    state: Requirement::Absent,
                };
                operations.extend(own.chain([passages.parent()]).map(absent));
            }
        }
        operations.push(Operation::Passages(Box::new(passages)));
        operations
    }

    /// Takes what models would work on from documents that will not be written since they exist
    /// already; they keep their places, and their ids come back. What is invalid is left for the
    /// checks that follow. Whether the others exist is decided when they are written. Documents that are `split` exist
    /// as their first passages too.
    ///
    /// # Errors
    /// `AlreadyExists` with [`Self::Fail`].
    pub(super) async fn sort_out(
        self,
        view: &View,
        mut documents: Vec<Document>,
        split: bool,
    ) -> Result<(Vec<Document>, HashSet<String>)> {
        if self == Self::Replace {
            return Ok((documents, HashSet::new()));
        }
        let view = view.clone();
        blocking(move || {
            let record = &view.spec.record;
            let n_latents = record.n_latents();
            let mut existing = HashSet::new();
            for document in &mut documents {
                if document.validate(record.dimension, &n_latents).is_err() {
                    continue;
                }
                let first = || view.snapshot.find(&Passages::id(&document.id, 0));
                let exists =
                    view.snapshot.find(&document.id)?.is_some() || (split && first()?.is_some());
                if !exists {
                    continue;
                }
                if self == Self::Fail {
                    return Err(Error::new(
                        ErrorKind::AlreadyExists,
                        format!("document {:?} exists; nothing was written", document.id),
                    ));
                }
                existing.insert(document.id.clone());
                *document = Document::new(std::mem::take(&mut document.id));
            }
            Ok((documents, existing))
        })
        .await
    }
}

/// The operations that check versions.
pub(super) fn requirements(expected: &ExpectedVersions) -> Vec<Operation> {
    let require = |(id, version): (&String, &Version)| Operation::Require {
        id: id.clone(),
        state: Requirement::Version(*version),
    };
    expected.iter().map(require).collect()
}
