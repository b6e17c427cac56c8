//! The forward pass of transformers with a norm before each part and gated feed-forwards (arXiv 2002.05202), up to one
//! layer: decoders of the Llama family and ModernBERT. What they differ in is data: the norms, which tokens a layer
//! sees, by which angles positions turn heads, the activation.
//!
//! As in `bert`, the sequences of a batch lie one after another without padding. Weights are held
//! as f32 whatever they were stored as: see `weights`.

use super::kernels::{
    Activation, Arithmetic, Attention, Epilogue, Linear, layer_norm, rms_norm_in_place, rotate,
};
use super::rope::Turns;
use super::scratch::Scratch;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// A norm of states.
pub(super) enum Norm {
    /// By the root of the mean square (arXiv 1910.07467).
    Rms(Vec<f32>),
    /// By mean and deviation (arXiv 1607.06450): weight and bias.
    Layer(Vec<f32>, Vec<f32>),
}

impl Norm {
    fn apply(&self, values: &mut [f32], eps: f32) {
        match self {
            Self::Rms(weight) => rms_norm_in_place(values, weight, eps),
            Self::Layer(weight, bias) => layer_norm(values, weight, bias, eps),
        }
    }
}

/// What layers see, and how their positions turn: layers of one model may be of two kinds.
pub(super) struct Kind {
    pub(super) attention: Attention,
    pub(super) turns: Turns,
}

/// One layer.
pub(super) struct Layer {
    /// Its place among the model's kinds.
    pub(super) kind: usize,
    /// The first layer of ModernBERT has none.
    pub(super) attention_norm: Option<Norm>,
    pub(super) qkv: Linear,
    /// Norms of each query head and each key head, where the model has them.
    pub(super) head_norms: Option<(Vec<f32>, Vec<f32>)>,
    pub(super) output: Linear,
    pub(super) feed_norm: Norm,
    pub(super) gate: Linear,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

/// The first layers of such a model, ready to run.
pub(super) struct PreNorm {
    pub(super) width: usize,
    /// `[vocabulary, width]`.
    pub(super) words: Vec<f32>,
    pub(super) word_norm: Option<Norm>,
    pub(super) layers: Vec<Layer>,
    /// Behind the last layer, where the whole model is run.
    pub(super) last_norm: Option<Norm>,
    pub(super) kinds: Vec<Kind>,
    /// Of the gates.
    pub(super) activation: Activation,
    pub(super) eps: f32,
    pub(super) arithmetic: Arithmetic,
}

impl PreNorm {
    /// Values per token.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The residual stream after the last loaded layer, behind the last norm where that is loaded,
    /// `[tokens of all sequences, width]`, sequence after sequence.
    ///
    /// # Errors
    /// A token that the embedding table does not hold; `Cancelled` when what the thread does was called off.
    pub(super) fn forward<'s>(
        &self,
        sequences: &[impl AsRef<[u32]>],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [f32]> {
        let tokens = sequences.iter().map(|s| s.as_ref().len()).sum::<usize>();
        let hidden = scratch.hidden.resize(tokens * self.width);
        self.embed(sequences, hidden)?;
        for layer in &self.layers {
            Progress::check_current()?;
            self.attend(layer, sequences, tokens, scratch);
            self.feed_forward(layer, scratch);
        }
        if let Some(norm) = &self.last_norm {
            norm.apply(scratch.hidden.as_mut_slice(), self.eps);
        }
        Ok(scratch.hidden.as_slice())
    }

    fn embed(&self, sequences: &[impl AsRef<[u32]>], hidden: &mut [f32]) -> Result<()> {
        let width = self.width;
        let mut rows = hidden.chunks_exact_mut(width);
        for &token in sequences.iter().flat_map(AsRef::as_ref) {
            let word = usize::try_from(token)
                .ok()
                .and_then(|token| self.words.chunks_exact(width).nth(token));
            let (Some(word), Some(row)) = (word, rows.next()) else {
                return Err(Error::internal(format!(
                    "token {token} is outside the embedding table ({} tokens)",
                    self.words.len() / width
                )));
            };
            row.copy_from_slice(word);
        }
        if let Some(norm) = &self.word_norm {
            norm.apply(hidden, self.eps);
        }
        Ok(())
    }

    /// `context = attention(norm(hidden))`.
    fn attend(
        &self,
        layer: &Layer,
        sequences: &[impl AsRef<[u32]>],
        tokens: usize,
        scratch: &mut Scratch,
    ) {
        let attention = &self.kinds[layer.kind].attention;
        let row_width = attention.row_width();
        let block = self.arithmetic.engine.row_block();
        let qkv = scratch.qkv.resize(tokens * row_width);
        let hidden = scratch.hidden.as_slice().chunks(block * self.width);
        for (hidden, qkv) in hidden.zip(qkv.chunks_mut(block * row_width)) {
            let normed = scratch.normed.resize(hidden.len());
            normed.copy_from_slice(hidden);
            if let Some(norm) = &layer.attention_norm {
                norm.apply(normed, self.eps);
            }
            layer
                .qkv
                .apply(normed, qkv, Epilogue::Bias, &mut scratch.rounded);
        }
        let mut rest = qkv;
        let mut context = scratch.context.resize(tokens * attention.width());
        for sequence in sequences {
            let length = sequence.as_ref().len();
            let (own_qkv, others) = rest.split_at_mut(length * row_width);
            let (own, after) = context.split_at_mut(length * attention.width());
            self.turn(layer, own_qkv);
            attention.apply(own_qkv, own, &mut scratch.attention);
            (rest, context) = (others, after);
        }
    }

    /// Normalises and turns the queries and keys of one sequence.
    fn turn(&self, layer: &Layer, qkv: &mut [f32]) {
        let Kind { attention, turns } = &self.kinds[layer.kind];
        let queries = attention.width();
        let keys = attention.kv_heads * attention.head_width;
        let rows = qkv.chunks_exact_mut(attention.row_width());
        for (position, row) in rows.enumerate() {
            if let Some((query_norm, key_norm)) = &layer.head_norms {
                let (eps, row) = (self.eps, &mut row[..queries + keys]);
                let (queries, keys) = row.split_at_mut(queries);
                rms_norm_in_place(queries, query_norm, eps);
                rms_norm_in_place(keys, key_norm, eps);
            }
            let (cos, sin) = turns.at(position);
            rotate(&mut row[..queries + keys], cos, sin);
        }
    }

    /// Everything between two attentions, block by block of rows.
    fn feed_forward(&self, layer: &Layer, scratch: &mut Scratch) {
        let (width, block) = (self.width, self.arithmetic.engine.row_block());
        let rounded = &mut scratch.rounded;
        let context = scratch.context.as_slice();
        let contexts = context.chunks(block * self.kinds[layer.kind].attention.width());
        let hiddens = scratch.hidden.as_mut_slice().chunks_mut(block * width);
        for (context, hidden) in contexts.zip(hiddens) {
            layer
                .output
                .apply(context, hidden, Epilogue::Residual, rounded);
            let normed = scratch.normed.resize(hidden.len());
            normed.copy_from_slice(hidden);
            layer.feed_norm.apply(normed, self.eps);
            let middle = scratch
                .middle
                .resize(hidden.len() / width * layer.gate.outputs());
            let activation = Epilogue::Activation(self.activation);
            layer.gate.apply(normed, middle, activation, rounded);
            layer.up.apply(normed, middle, Epilogue::Multiply, rounded);
            layer
                .down
                .apply(middle, hidden, Epilogue::Residual, rounded);
        }
    }
}
