//! The networks that texts go through, of whatever family.

use super::bert::Bert;
use super::prenorm::PreNorm;
use super::scratch::Scratch;
use crate::error::{Error, Result};

/// A network, ready to run.
pub(super) enum Network {
    Bert(Bert),
    PreNorm(PreNorm),
    Words(Words),
}

/// A vector of each token, whatever stands around it.
pub(super) struct Words {
    pub(super) width: usize,
    /// `[vocabulary, width]`.
    pub(super) table: Vec<f32>,
}

impl Network {
    /// Values per token.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.width(),
            Self::PreNorm(network) => network.width(),
            Self::Words(words) => words.width,
        }
    }

    /// States after the last loaded layer, `[tokens of all sequences, width]`, sequence after sequence.
    ///
    /// # Errors
    /// A token or a length that the embedding tables do not hold; `Cancelled` when what the thread does was
    /// called off.
    pub(super) fn forward<'s>(
        &self,
        sequences: &[impl AsRef<[u32]>],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [f32]> {
        match self {
            Self::Bert(bert) => bert.forward(sequences, scratch),
            Self::PreNorm(network) => network.forward(sequences, scratch),
            Self::Words(words) => words.forward(sequences, scratch),
        }
    }
}

impl Words {
    fn forward<'s>(
        &self,
        sequences: &[impl AsRef<[u32]>],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [f32]> {
        let tokens = sequences.iter().map(|s| s.as_ref().len()).sum::<usize>();
        let hidden = scratch.hidden.resize(tokens * self.width);
        let tokens = sequences.iter().flat_map(AsRef::as_ref);
        for (row, &token) in hidden.chunks_exact_mut(self.width).zip(tokens) {
            let at = token as usize * self.width;
            let word = self.table.get(at..at + self.width);
            row.copy_from_slice(word.ok_or_else(|| {
                let vocabulary = self.table.len() / self.width;
                Error::internal(format!(
                    "token {token} is outside the table of static vectors ({vocabulary} tokens)"
                ))
            })?);
        }
        Ok(scratch.hidden.as_slice())
    }
}
