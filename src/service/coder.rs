//! Vectors and texts -> codes, with whichever SAE of a collection.

use std::sync::Arc;

use latentdb_index::{Codes, Progress};

use super::models::activations;
use crate::coder::TokenCoder;
use crate::error::Result;
use crate::sae::{Fit, Sae};

/// What turns documents into the latents of one SAE.
pub(super) enum Coder {
    /// From their vectors.
    Vectors(Arc<Sae>),
    /// From the token states of their texts.
    Tokens(TokenCoder),
}

/// What codes of a document are made from.
#[derive(Clone, Copy, Default)]
pub(super) struct Source<'s> {
    pub text: Option<&'s str>,
    pub vector: Option<&'s [f32]>,
}

impl Coder {
    pub fn sae(&self) -> &Arc<Sae> {
        match self {
            Self::Vectors(sae) => sae,
            Self::Tokens(coder) => coder.sae(),
        }
    }

    /// The codes of each source that has what the SAE reads. Blocks until done, or until `progress`
    /// is stopped. At level token the first `measured` states are added to `fit`.
    ///
    /// # Errors
    /// `Cancelled`, and what encoding gives.
    pub fn encode(
        &self,
        sources: &[Source<'_>],
        measured: usize,
        fit: &mut Fit,
        progress: &Progress,
    ) -> Result<Vec<Option<Codes>>> {
        match self {
            Self::Vectors(sae) => {
                let rows: Vec<f32> = sources
                    .iter()
                    .filter_map(|s| s.vector)
                    .flatten()
                    .copied()
                    .collect();
                let mut codes = activations(&sae.encode_parallel(&rows, 0)?).into_iter();
                let of = |source: &Source<'_>| {
                    let latents = source.vector.and_then(|_| codes.next())?;
                    Some(Codes {
                        latents,
                        positions: Vec::new(),
                    })
                };
                Ok(sources.iter().map(of).collect())
            }
            Self::Tokens(coder) => {
                // One text at a place, since a reader numbers texts.
                let texts: Vec<&str> = sources.iter().map(|s| s.text.unwrap_or_default()).collect();
                let codes = coder.encode(&texts, measured, fit, progress)?;
                let given = sources.iter().map(|source| source.text.is_some());
                let codes = codes.into_iter().zip(given);
                Ok(codes.map(|(codes, given)| given.then_some(codes)).collect())
            }
        }
    }
}
