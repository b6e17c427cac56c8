//! The forward pass of BERT (arXiv 1810.04805) and of what differs from it in data only: where positions start, and
//! biases of attention by distance.
//!
//! The arithmetic is `kernels`. The sequences
//! of a batch lie one after another in one `[tokens, width]` matrix: there is no padding, so a
//! batch of unequal texts costs what its tokens cost.

use super::kernels::{Activation, Arithmetic, Attention, Epilogue, Linear, layer_norm};
use super::scratch::Scratch;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// The weight and bias of a norm.
pub(super) struct LayerNorm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// One layer.
pub(super) struct Layer {
    pub(super) qkv: Linear,
    pub(super) output: Linear,
    pub(super) attention_norm: LayerNorm,
    pub(super) expand: Linear,
    pub(super) contract: Linear,
    pub(super) output_norm: LayerNorm,
}

/// A BERT encoder, ready to run.
pub(super) struct Bert {
    pub(super) width: usize,
    pub(super) vocabulary: usize,
    /// `[vocabulary, width]`.
    pub(super) words: Vec<f32>,
    /// `[positions, width]`, with the embedding of token type 0 added.
    pub(super) positions: Vec<f32>,
    pub(super) first_position: usize,
    pub(super) embedding_norm: LayerNorm,
    pub(super) layers: Vec<Layer>,
    pub(super) attention: Attention,
    pub(super) activation: Activation,
    pub(super) eps: f32,
    pub(super) arithmetic: Arithmetic,
}

impl Bert {
    /// Values per token and per vector.
    pub(super) fn width(&self) -> usize {
        self.width
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
        let tokens = sequences.iter().map(|s| s.as_ref().len()).sum::<usize>();
        self.embed(sequences, scratch.hidden.resize(tokens * self.width))?;
        for layer in &self.layers {
            Progress::check_current()?;
            self.attend(layer, sequences, tokens, scratch);
            self.feed_forward(layer, scratch);
        }
        Ok(scratch.hidden.as_slice())
    }

    fn embed(&self, sequences: &[impl AsRef<[u32]>], hidden: &mut [f32]) -> Result<()> {
        let mut rows = hidden.chunks_exact_mut(self.width);
        for sequence in sequences {
            let places = self.positions.chunks_exact(self.width);
            let mut places = places.skip(self.first_position);
            for (&token, row) in sequence.as_ref().iter().zip(rows.by_ref()) {
                let word = usize::try_from(token)
                    .ok()
                    .filter(|&token| token < self.vocabulary)
                    .map(|token| &self.words[token * self.width..(token + 1) * self.width]);
                let (Some(word), Some(place)) = (word, places.next()) else {
                    return Err(Error::internal(format!(
                        "token {token} or its position is outside the embedding tables \
                         ({} tokens)",
                        self.vocabulary
                    )));
                };
                for ((value, w), p) in row.iter_mut().zip(word).zip(place) {
                    *value = w + p;
                }
            }
        }
        self.embedding_norm.apply(hidden, self.eps);
        Ok(())
    }

    /// `context = attention(hidden)`.
    fn attend(
        &self,
        layer: &Layer,
        sequences: &[impl AsRef<[u32]>],
        tokens: usize,
        scratch: &mut Scratch,
    ) {
        let width = self.width;
        let qkv = scratch.qkv.resize(tokens * 3 * width);
        let (hidden, rounded) = (scratch.hidden.as_slice(), &mut scratch.rounded);
        layer.qkv.apply(hidden, qkv, Epilogue::Bias, rounded);
        let mut qkv: &[f32] = qkv;
        let mut context = scratch.context.resize(tokens * width);
        for sequence in sequences {
            let length = sequence.as_ref().len();
            let (own_qkv, rest) = qkv.split_at(length * 3 * width);
            let (own, others) = context.split_at_mut(length * width);
            self.attention.apply(own_qkv, own, &mut scratch.attention);
            (qkv, context) = (rest, others);
        }
    }

    /// Everything between two attentions, block by block of rows, so that the wide intermediate
    /// values never leave the cache.
    fn feed_forward(&self, layer: &Layer, scratch: &mut Scratch) {
        let block = self.arithmetic.engine.row_block() * self.width;
        let rounded = &mut scratch.rounded;
        let context = scratch.context.as_slice().chunks(block);
        let hidden = scratch.hidden.as_mut_slice().chunks_mut(block);
        for (context, hidden) in context.zip(hidden) {
            layer
                .output
                .apply(context, hidden, Epilogue::Residual, rounded);
            layer.attention_norm.apply(hidden, self.eps);
            let rows = hidden.len() / self.width;
            let middle = scratch.middle.resize(rows * layer.expand.outputs());
            let activation = Epilogue::Activation(self.activation);
            layer.expand.apply(hidden, middle, activation, rounded);
            layer
                .contract
                .apply(middle, hidden, Epilogue::Residual, rounded);
            layer.output_norm.apply(hidden, self.eps);
        }
    }
}

impl LayerNorm {
    fn apply(&self, values: &mut [f32], eps: f32) {
        layer_norm(values, &self.weight, &self.bias, eps);
    }
}
