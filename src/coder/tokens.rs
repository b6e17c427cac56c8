//! Texts -> pooled latents, with the places where they are strongest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use latentdb_index::{Activation, LatentPosition, Progress};

use crate::encoder::reader::{ReadToken, Reader, TokenSpan};
use crate::error::Result;
use crate::reading::CodePooling;
use crate::sae::{CodePool, Codes, Fit, Sae};

/// Texts that are read at once when only a fit is wanted: few, for each may hold many tokens.
const MEASURED_TEXTS: usize = 8;

/// What turns texts into latents.
pub struct TokenCoder {
    reader: Arc<Reader>,
    sae: Arc<Sae>,
    pooling: CodePooling,
    positions: bool,
}

impl TokenCoder {
    /// What turns texts into the latents of an SAE, with their places if `positions`.
    pub fn new(reader: Arc<Reader>, sae: Arc<Sae>, pooling: CodePooling, positions: bool) -> Self {
        Self {
            reader,
            sae,
            pooling,
            positions,
        }
    }

    /// The SAE.
    pub fn sae(&self) -> &Arc<Sae> {
        &self.sae
    }

    /// The codes of each text; those without text have none. Blocks until done, or until `progress`
    /// is stopped. The first `measured` tokens are added to `fit`, with what the SAE makes of them.
    ///
    /// # Errors
    /// `Cancelled`.
    pub fn encode(
        &self,
        texts: &[&str],
        measured: usize,
        fit: &mut Fit,
        progress: &Progress,
    ) -> Result<Vec<latentdb_index::Codes>> {
        let width = self.sae.d_in();
        let (before, seen) = (fit.rows(), AtomicUsize::new(0));
        let mut gathering = Gathering {
            coder: self,
            pool: CodePool::new(self.sae.n_latents(), self.pooling),
            text: 0,
            spans: Vec::new(),
            made: vec![latentdb_index::Codes::default(); texts.len()],
        };
        self.reader.read(
            texts,
            progress,
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
                Ok(())
            },
        )?;
        gathering.close();
        Ok(gathering.made)
    }

    /// How the SAE fits the tokens of texts, up to `most` of them.
    pub fn fit(&self, texts: &[&str], most: usize) -> Result<Fit> {
        let mut fit = Fit::default();
        for texts in texts.chunks(MEASURED_TEXTS) {
            let room = most.saturating_sub(fit.rows());
            if room == 0 {
                break;
            }
            self.encode(texts, room, &mut fit, &Progress::default())?;
        }
        Ok(fit)
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
    made: Vec<latentdb_index::Codes>,
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
