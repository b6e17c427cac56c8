//! Texts -> pooled latents, with the places where they are strongest.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use latentdb_index::{Activation, CollectionRecord, Document, LatentPosition, Update};

use super::super::models::{beyond_storage, check_storable};
use super::super::{Service, blocking};
use crate::encoder::reader::{ReadToken, Reader, TokenSpan};
use crate::error::{Error, Result};
use crate::reading::CodePooling;
use crate::sae::{CodePool, Codes, Fit, Sae};

/// Texts that are read at once when only a fit is wanted: few, for each may hold many tokens.
const MEASURED_TEXTS: usize = 8;

/// A text's latents and where they fire.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::service) struct TokenCodes {
    /// Latents, ascending.
    pub latents: Vec<Activation>,
    /// Where each is strongest, ascending; empty where positions are not stored.
    pub positions: Vec<LatentPosition>,
}

/// What turns texts into latents.
pub(in crate::service) struct TokenCoder {
    pub(super) reader: Arc<Reader>,
    pub(super) sae: Arc<Sae>,
    pub(super) pooling: CodePooling,
    pub(super) positions: bool,
}

impl TokenCoder {
    /// The SAE.
    pub(in crate::service) fn sae(&self) -> &Sae {
        &self.sae
    }

    /// The latents of each text. Blocks; gives up when `go_on` says so. The first `measured` tokens
    /// are added to `fit`, with what the SAE makes of them.
    ///
    /// # Errors
    /// `Cancelled`.
    pub(in crate::service) fn encode(
        &self,
        texts: &[&str],
        measured: usize,
        fit: &mut Fit,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Vec<TokenCodes>> {
        let width = self.sae.d_in();
        let (before, seen) = (fit.rows(), AtomicUsize::new(0));
        let mut gathering = Gathering {
            coder: self,
            pool: CodePool::new(self.sae.n_latents(), self.pooling),
            text: 0,
            spans: Vec::new(),
            made: vec![TokenCodes::default(); texts.len()],
        };
        self.reader.read(
            texts,
            &|batch| {
                let mut codes = Codes::new();
                self.sae.encode(batch.states, &mut codes)?;
                // Batches before this one may not be measured yet: a few states too many are kept.
                let left = measured.saturating_sub(seen.load(Ordering::Relaxed));
                let kept = left.min(batch.tokens.len()) * width;
                Ok((codes, batch.tokens.to_vec(), batch.states[..kept].to_vec()))
            },
            &mut |(codes, tokens, states): (Codes, Vec<ReadToken>, Vec<f32>)| {
                let left = (before + measured).saturating_sub(fit.rows());
                let rows = left.min(states.len() / width);
                fit.add_coded(&self.sae, &states[..rows * width], &first(&codes, rows))?;
                seen.store(fit.rows() - before, Ordering::Relaxed);
                for (token, (latents, activations)) in tokens.iter().zip(codes.iter()) {
                    gathering.add(token, latents, activations);
                }
                Ok(if go_on() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            },
        )?;
        gathering.close();
        Ok(gathering.made)
    }

    /// How the SAE fits the tokens of texts, up to `most` of them.
    pub(in crate::service) fn fit(&self, texts: &[&str], most: usize) -> Result<Fit> {
        let mut fit = Fit::default();
        for texts in texts.chunks(MEASURED_TEXTS) {
            let room = most.saturating_sub(fit.rows());
            if room == 0 {
                break;
            }
            self.encode(texts, room, &mut fit, &|| true)?;
        }
        Ok(fit)
    }

    /// Makes the latents of documents anew, from their texts; those without text lose them. Gives
    /// up when `go_on` says so.
    pub(in crate::service) fn recode(
        &self,
        documents: &mut [Document],
        go_on: &dyn Fn() -> bool,
    ) -> Result<()> {
        let texts: Vec<&str> = documents
            .iter()
            .map(|document| document.text.as_deref().unwrap_or_default())
            .collect();
        let codes = self.encode(&texts, 0, &mut Fit::default(), go_on)?;
        for (document, codes) in documents.iter_mut().zip(codes) {
            document.latents = codes.latents;
            document.positions = codes.positions;
        }
        check_storable(documents)
    }
}

/// The first `rows` of codes.
fn first(codes: &Codes, rows: usize) -> Codes {
    let mut first = Codes::new();
    for (latents, activations) in codes.iter().take(rows) {
        first.push_row(latents.iter().copied().zip(activations.iter().copied()));
    }
    first
}

/// Codes on their way into texts, whose tokens follow one another.
struct Gathering<'c> {
    coder: &'c TokenCoder,
    pool: CodePool,
    text: usize,
    /// Of the text's tokens so far.
    spans: Vec<Option<TokenSpan>>,
    made: Vec<TokenCodes>,
}

impl Gathering<'_> {
    fn add(&mut self, token: &ReadToken, latents: &[u32], activations: &[f32]) {
        if token.text != self.text {
            self.close();
            self.text = token.text;
        }
        self.pool.add(self.spans.len(), latents, activations);
        self.spans.push(token.span);
    }

    /// Ends the text under way.
    fn close(&mut self) {
        let code = self.pool.finish();
        let Some(made) = self.made.get_mut(self.text) else {
            return;
        };
        made.latents = code
            .iter()
            .map(|one| Activation {
                latent: one.latent,
                activation: one.activation,
            })
            .collect();
        if self.coder.positions {
            let spans = &self.spans;
            made.positions = code
                .iter()
                .filter_map(|one| {
                    let span = (*spans.get(one.strongest)?)?;
                    Some(LatentPosition {
                        latent: one.latent,
                        token: span.token,
                        start: span.start,
                        end: span.end,
                    })
                })
                .collect();
        }
        self.spans.clear();
    }
}

/// Tells blocking work that nobody waits for it any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Service {
    /// Adds latents to documents with text and without latents, in a collection of level token.
    pub(in crate::service) async fn add_token_codes(
        self: &Arc<Self>,
        record: &CollectionRecord,
        documents: &mut [Document],
    ) -> Result<()> {
        let texts = documents
            .iter()
            .map(|document| {
                document
                    .text
                    .clone()
                    .filter(|_| document.latents.is_empty())
            })
            .collect();
        let codes = self.token_codes(record, texts, "documents").await?;
        for (document, codes) in documents.iter_mut().zip(codes) {
            if let Some(codes) = codes {
                document.latents = codes.latents;
                document.positions = codes.positions;
            }
        }
        Ok(())
    }

    /// Adds latents to updates of texts, in a collection of level token.
    pub(in crate::service) async fn add_token_codes_to_updates(
        self: &Arc<Self>,
        record: &CollectionRecord,
        updates: &mut [Update],
    ) -> Result<()> {
        let texts = updates
            .iter()
            .map(|update| update.text.clone().filter(|_| update.latents.is_none()))
            .collect();
        let codes = self.token_codes(record, texts, "updates").await?;
        for (update, codes) in updates.iter_mut().zip(codes) {
            if let Some(codes) = codes {
                update.latents = Some(codes.latents);
                update.positions = codes.positions;
            }
        }
        Ok(())
    }

    /// Codes of the texts that are there. Dropping the future gives the work up.
    async fn token_codes(
        self: &Arc<Self>,
        record: &CollectionRecord,
        texts: Vec<Option<String>>,
        field: &'static str,
    ) -> Result<Vec<Option<TokenCodes>>> {
        if record.reader.is_none() || texts.iter().all(Option::is_none) {
            return Ok(texts.into_iter().map(|_| None).collect());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let _waiting = Waiting(stop.clone());
        let (service, record) = (self.clone(), record.clone());
        blocking(move || {
            let Some(coder) = service.token_coder(&record)? else {
                return Ok(texts.into_iter().map(|_| None).collect());
            };
            // One text at a place, so that an error's place is the document's.
            let all: Vec<&str> = texts
                .iter()
                .map(|text| text.as_deref().unwrap_or_default())
                .collect();
            // Side by side, batches would share the cores and finish no earlier.
            let _one = service.reading.lock();
            let mut fit = Fit::default();
            let room = service
                .gates
                .room(&service.database.collection(&record.name)?, &record)?;
            let codes = coder.encode(&all, room, &mut fit, &|| !stop.load(Ordering::Relaxed))?;
            for (at, codes) in codes.iter().enumerate() {
                if let Some(what) = beyond_storage(&codes.latents) {
                    return Err(Error::invalid(format!("{field}[{at}]"), what));
                }
            }
            let handle = service.database.collection(&record.name)?;
            service
                .gates
                .admit_fit(&handle, &record, &coder.sae, &fit)?;
            let given = texts.iter().map(Option::is_some);
            Ok(codes
                .into_iter()
                .zip(given)
                .map(|(codes, given)| given.then_some(codes))
                .collect())
        })
        .await
    }
}
