//! Long documents on their way in: split into passages, of which models make vectors and latents as of any other
//! document.

use std::collections::BTreeMap;
use std::sync::Arc;

use latentdb_index::{Document, Passages};

use super::Documents;
use super::complete::item_at_fault;
use crate::encoder::Chunking;
use crate::error::{Error, Result};
use crate::service::blocking;
use crate::service::core::View;

/// Maximum passages per write.
const MAX_PASSAGES: usize = 100_000;
/// Maximum bytes of their texts and attributes.
const MAX_PASSAGE_BYTES: usize = 256 << 20;

/// Documents that were split.
pub(super) struct Split {
    /// Their passages, completed, in the order of the documents.
    pub passages: Vec<Passages>,
    /// Passages that have more tokens than the encoder reads.
    pub cut: usize,
    /// Places of documents that were set aside, and why.
    pub refused: Vec<(usize, Error)>,
}

impl Documents {
    /// Splits documents, given with their places in the request, and completes the passages; with `set_aside` those
    /// that can be, instead of all or none.
    ///
    /// # Errors
    /// `InvalidArgument` naming the document; `FailedPrecondition` for a collection without an encoder, in whose
    /// tokens passages are counted.
    pub(super) async fn split(
        self: &Arc<Self>,
        view: &View,
        documents: Vec<(usize, Document)>,
        chunking: Chunking,
        set_aside: bool,
    ) -> Result<Split> {
        let (service, owned) = (self.clone(), view.clone());
        let (mut passages, mut refused) =
            blocking(move || service.passages(&owned, documents, chunking, set_aside)).await?;
        let mut owners = Vec::new();
        let mut flat = Vec::new();
        for (owner, (_, own)) in passages.iter_mut().enumerate() {
            for (number, passage) in own.documents_mut().iter_mut().enumerate() {
                owners.push((owner, number));
                flat.push(std::mem::take(passage));
            }
        }
        let (completed, cut, bad) = match set_aside {
            true => self.complete_good(view, flat).await?,
            false => {
                let completed = self.complete(view, flat).await;
                let (completed, cut) = completed.map_err(|error| {
                    let Some((at, field)) = item_at_fault(&error, "documents") else {
                        return error;
                    };
                    let (owner, number) = owners[at];
                    of_passage(&error, &field, number)
                        .within(&format!("documents[{}]", passages[owner].0))
                })?;
                (completed, cut, Vec::new())
            }
        };
        let mut faults = BTreeMap::new();
        let mut is_bad = vec![false; owners.len()];
        for (at, error) in bad {
            let (owner, number) = owners[at];
            is_bad[at] = true;
            let field = error.field().unwrap_or_default().to_owned();
            faults
                .entry(owner)
                .or_insert_with(|| of_passage(&error, &field, number));
        }
        let good = owners.iter().zip(&is_bad).filter(|(_, is_bad)| !**is_bad);
        for (&(owner, number), document) in good.map(|(owner, _)| owner).zip(completed) {
            passages[owner].1.documents_mut()[number] = document;
        }
        let mut whole = Vec::with_capacity(passages.len());
        for (owner, (place, own)) in passages.into_iter().enumerate() {
            match faults.remove(&owner) {
                None => whole.push(own),
                Some(error) => refused.push((place, error)),
            }
        }
        Ok(Split {
            passages: whole,
            cut,
            refused,
        })
    }

    /// The passages of documents, not completed yet, with the places of these. Blocks.
    #[expect(
        clippy::type_complexity,
        reason = "what is split and what is set aside, both by place"
    )]
    fn passages(
        &self,
        view: &View,
        documents: Vec<(usize, Document)>,
        chunking: Chunking,
        set_aside: bool,
    ) -> Result<(Vec<(usize, Passages)>, Vec<(usize, Error)>)> {
        let Some(encoder) = self.core.encoder_of(view)? else {
            return Err(Error::precondition(format!(
                "collection {:?} has no encoder, in whose tokens `chunk` counts; write passages as documents, or \
                 documents without it",
                view.name()
            )));
        };
        let encoder = encoder.encoder();
        encoder.passages("", chunking)?;
        let n_latents = view.spec.record.n_latents();
        let (mut split, mut refused) = (Vec::new(), Vec::new());
        let (mut count, mut bytes) = (0, 0);
        for (place, document) in documents {
            let own = document
                .validate(view.spec.record.dimension, &n_latents)
                .and_then(|()| {
                    let text = document.text.as_deref().unwrap_or_default();
                    let texts = encoder
                        .passages(text, chunking)?
                        .into_iter()
                        .map(|own| text[own].to_owned())
                        .collect();
                    let own = Passages::of(document, texts)?;
                    let mut passages = own.documents().iter();
                    passages
                        .try_for_each(|one| one.validate(view.spec.record.dimension, &n_latents))?;
                    Ok(own)
                });
            match own {
                Ok(own) => {
                    count += own.documents().len();
                    bytes += own.documents().iter().map(size).sum::<usize>();
                    if count > MAX_PASSAGES || bytes > MAX_PASSAGE_BYTES {
                        return Err(Error::invalid(
                            "documents",
                            format!(
                                "are more than {MAX_PASSAGES} passages, or more than {} MiB of them; write fewer \
                                 documents at once, or longer passages",
                                MAX_PASSAGE_BYTES >> 20
                            ),
                        ));
                    }
                    split.push((place, own));
                }
                Err(error) if set_aside => refused.push((place, error)),
                Err(error) => return Err(error.within(&format!("documents[{place}]"))),
            }
        }
        Ok((split, refused))
    }
}

/// What is wrong with a passage, said of its document.
fn of_passage(error: &Error, field: &str, number: usize) -> Error {
    Error::invalid(field, format!("(passage {number}) {}", error.message()))
}

fn size(document: &Document) -> usize {
    let attributes = document.attributes.iter();
    let attributes = attributes.map(|(name, value)| name.len() + super::size::value_bytes(value));
    document.text.as_ref().map_or(0, String::len) + attributes.sum::<usize>()
}
