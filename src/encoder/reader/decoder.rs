//! The forward pass of Llama-family decoders, up to one layer: Llama (arXiv 2307.09288), Mistral,
//! SmolLM2, Qwen2 (biases on queries, keys and values; arXiv 2407.10671) and Qwen3 (norms on query
//! and key heads; arXiv 2505.09388).
//!
//! As in `bert`, the sequences of a batch lie one after another without padding. Weights are held
//! as f32 whatever they were stored as: see `source`.

use super::rope::{Rope, Turns};
use super::source::Weights;
use crate::encoder::kernels::{
    Activation, Arithmetic, Attention, AttentionScratch, Buffer, Epilogue, Linear, Rounded,
    rms_norm, rms_norm_in_place, rotate,
};
use crate::error::{Error, Result};

/// Shapes and constants of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DecoderConfig {
    /// Values of a state.
    pub(super) width: usize,
    /// Query heads.
    pub(super) heads: usize,
    /// Key and value heads.
    pub(super) kv_heads: usize,
    /// Values of a head.
    pub(super) head_width: usize,
    /// Values between the feed-forward products.
    pub(super) middle: usize,
    /// Layers of the whole model.
    pub(super) layers: usize,
    /// Rows of the embedding table.
    pub(super) vocabulary: usize,
    /// Longest sequence.
    pub(super) context: usize,
    /// Added to the mean square before its root.
    pub(super) eps: f32,
    /// The turning of queries and keys.
    pub(super) rope: Rope,
}

impl DecoderConfig {
    /// Checks that the sizes fit together.
    pub(super) fn check(self, origin: &str) -> Result<Self> {
        let sizes = [
            ("hidden size", self.width),
            ("heads", self.heads),
            ("key-value heads", self.kv_heads),
            ("head size", self.head_width),
            ("feed-forward size", self.middle),
            ("layers", self.layers),
            ("vocabulary", self.vocabulary),
            ("context", self.context),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(Error::corrupted(format!("{origin}: {name} is 0")));
        }
        if !self.heads.is_multiple_of(self.kv_heads) || !self.head_width.is_multiple_of(2) {
            return Err(Error::corrupted(format!(
                "{origin}: {} heads are no multiple of {} key-value heads, or a head of {} values \
                 is odd",
                self.heads, self.kv_heads, self.head_width
            )));
        }
        Ok(self)
    }
}

/// Buffers of one worker, kept from batch to batch.
#[derive(Default)]
pub(super) struct Scratch {
    hidden: Buffer,
    normed: Buffer,
    qkv: Buffer,
    context: Buffer,
    middle: Buffer,
    attention: AttentionScratch,
    rounded: Rounded,
}

struct Layer {
    attention_norm: Vec<f32>,
    qkv: Linear,
    /// Norms of each query head and each key head, where the model has them.
    head_norms: Option<(Vec<f32>, Vec<f32>)>,
    output: Linear,
    feed_norm: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// The first layers of a decoder, ready to run.
pub(super) struct Decoder {
    config: DecoderConfig,
    /// `[vocabulary, width]`.
    words: Vec<f32>,
    layers: Vec<Layer>,
    turns: Turns,
    attention: Attention,
    arithmetic: Arithmetic,
}

impl Decoder {
    /// Loads the layers `0..layers`, for sequences of up to `longest` tokens.
    pub(super) fn load(
        weights: &mut dyn Weights,
        config: DecoderConfig,
        layers: usize,
        longest: usize,
        arithmetic: Arithmetic,
    ) -> Result<Self> {
        let words = weights.tensor(
            "model.embed_tokens.weight",
            &[config.vocabulary, config.width],
        )?;
        let layers = (0..layers)
            .map(|index| Layer::load(weights, &config, index, arithmetic))
            .collect::<Result<_>>()?;
        Ok(Self {
            words,
            layers,
            turns: config.rope.turns(config.head_width, longest),
            attention: Attention {
                engine: arithmetic.engine,
                heads: config.heads,
                kv_heads: config.kv_heads,
                head_width: config.head_width,
                causal: true,
            },
            arithmetic,
            config,
        })
    }

    /// Values per token.
    pub(super) fn width(&self) -> usize {
        self.config.width
    }

    /// The residual stream after the last loaded layer, `[tokens of all sequences, width]`,
    /// sequence after sequence.
    ///
    /// # Errors
    /// A token that the embedding table does not hold.
    pub(super) fn forward<'s>(
        &self,
        sequences: &[impl AsRef<[u32]>],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [f32]> {
        let tokens = sequences.iter().map(|s| s.as_ref().len()).sum::<usize>();
        let hidden = scratch.hidden.resize(tokens * self.config.width);
        self.embed(sequences, hidden)?;
        for layer in &self.layers {
            self.attend(layer, sequences, tokens, scratch);
            self.feed_forward(layer, scratch);
        }
        Ok(scratch.hidden.as_slice())
    }

    fn embed(&self, sequences: &[impl AsRef<[u32]>], hidden: &mut [f32]) -> Result<()> {
        let width = self.config.width;
        let mut rows = hidden.chunks_exact_mut(width);
        for &token in sequences.iter().flat_map(AsRef::as_ref) {
            let word = usize::try_from(token)
                .ok()
                .and_then(|token| self.words.chunks_exact(width).nth(token));
            let (Some(word), Some(row)) = (word, rows.next()) else {
                return Err(Error::internal(format!(
                    "token {token} is outside the embedding table ({} tokens)",
                    self.config.vocabulary
                )));
            };
            row.copy_from_slice(word);
        }
        Ok(())
    }

    /// `context = attention(rms_norm(hidden))`.
    fn attend(
        &self,
        layer: &Layer,
        sequences: &[impl AsRef<[u32]>],
        tokens: usize,
        scratch: &mut Scratch,
    ) {
        let row_width = self.attention.row_width();
        let block = self.arithmetic.engine.row_block();
        let qkv = scratch.qkv.resize(tokens * row_width);
        let hidden = scratch.hidden.as_slice().chunks(block * self.config.width);
        for (hidden, qkv) in hidden.zip(qkv.chunks_mut(block * row_width)) {
            let normed = scratch.normed.resize(hidden.len());
            rms_norm(hidden, &layer.attention_norm, self.config.eps, normed);
            layer
                .qkv
                .apply(normed, qkv, Epilogue::Bias, &mut scratch.rounded);
        }
        let mut rest = qkv;
        let mut context = scratch.context.resize(tokens * self.attention.width());
        for sequence in sequences {
            let length = sequence.as_ref().len();
            let (own_qkv, others) = rest.split_at_mut(length * row_width);
            let (own, after) = context.split_at_mut(length * self.attention.width());
            self.turn(layer, own_qkv);
            self.attention.apply(own_qkv, own, &mut scratch.attention);
            (rest, context) = (others, after);
        }
    }

    /// Normalises and turns the queries and keys of one sequence.
    fn turn(&self, layer: &Layer, qkv: &mut [f32]) {
        let queries = self.attention.width();
        let keys = self.config.kv_heads * self.config.head_width;
        let rows = qkv.chunks_exact_mut(self.attention.row_width());
        for (position, row) in rows.enumerate() {
            if let Some((query_norm, key_norm)) = &layer.head_norms {
                let (eps, row) = (self.config.eps, &mut row[..queries + keys]);
                let (queries, keys) = row.split_at_mut(queries);
                rms_norm_in_place(queries, query_norm, eps);
                rms_norm_in_place(keys, key_norm, eps);
            }
            let (cos, sin) = self.turns.at(position);
            rotate(&mut row[..queries + keys], cos, sin);
        }
    }

    /// Everything between two attentions, block by block of rows.
    fn feed_forward(&self, layer: &Layer, scratch: &mut Scratch) {
        let (width, block) = (self.config.width, self.arithmetic.engine.row_block());
        let rounded = &mut scratch.rounded;
        let context = scratch.context.as_slice();
        let contexts = context.chunks(block * self.attention.width());
        let hiddens = scratch.hidden.as_mut_slice().chunks_mut(block * width);
        for (context, hidden) in contexts.zip(hiddens) {
            layer
                .output
                .apply(context, hidden, Epilogue::Residual, rounded);
            let normed = scratch.normed.resize(hidden.len());
            rms_norm(hidden, &layer.feed_norm, self.config.eps, normed);
            let middle = scratch
                .middle
                .resize(hidden.len() / width * self.config.middle);
            let silu = Epilogue::Activation(Activation::Silu);
            layer.gate.apply(normed, middle, silu, rounded);
            layer.up.apply(normed, middle, Epilogue::Multiply, rounded);
            layer
                .down
                .apply(middle, hidden, Epilogue::Residual, rounded);
        }
    }
}

impl Layer {
    fn load(
        weights: &mut dyn Weights,
        config: &DecoderConfig,
        index: usize,
        arithmetic: Arithmetic,
    ) -> Result<Self> {
        let (width, middle) = (config.width, config.middle);
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let query_norm = name("self_attn.q_norm.weight");
        let head_norms = if weights.has(&query_norm) {
            let mut query_norm = weights.tensor(&query_norm, &[config.head_width])?;
            let key_norm = name("self_attn.k_norm.weight");
            for value in &mut query_norm {
                *value *= score_scale(config);
            }
            Some((query_norm, weights.tensor(&key_norm, &[config.head_width])?))
        } else {
            None
        };
        let queries = config.heads * config.head_width;
        let mut linear = |part: &str, inputs, outputs| -> Result<Linear> {
            let (weight, bias) = affine(weights, &name(part), inputs, outputs)?;
            Ok(Linear::new(arithmetic, &weight, bias, inputs))
        };
        let output = linear("self_attn.o_proj", queries, width)?;
        let gate = linear("mlp.gate_proj", width, middle)?;
        let up = linear("mlp.up_proj", width, middle)?;
        let down = linear("mlp.down_proj", middle, width)?;
        Ok(Self {
            attention_norm: weights.tensor(&name("input_layernorm.weight"), &[width])?,
            qkv: fused_qkv(
                weights,
                config,
                &name("self_attn"),
                head_norms.is_none(),
                arithmetic,
            )?,
            head_norms,
            output,
            feed_norm: weights.tensor(&name("post_attention_layernorm.weight"), &[width])?,
            gate,
            up,
            down,
        })
    }
}

/// What products of queries and keys are divided by, as a factor.
fn score_scale(config: &DecoderConfig) -> f32 {
    (config.head_width as f32).sqrt().recip()
}

/// Queries, keys and values as one product. `1 / √head_width` goes into the queries, unless a norm
/// behind would undo it.
fn fused_qkv(
    weights: &mut dyn Weights,
    config: &DecoderConfig,
    name: &str,
    scales: bool,
    arithmetic: Arithmetic,
) -> Result<Linear> {
    let width = config.width;
    let queries = config.heads * config.head_width;
    let keys = config.kv_heads * config.head_width;
    let (mut weight, mut bias) = affine(weights, &format!("{name}.q_proj"), width, queries)?;
    if scales {
        for value in weight.iter_mut().chain(&mut bias) {
            *value *= score_scale(config);
        }
    }
    for part in ["k_proj", "v_proj"] {
        let (w, b) = affine(weights, &format!("{name}.{part}"), width, keys)?;
        weight.extend(w);
        bias.extend(b);
    }
    Ok(Linear::new(arithmetic, &weight, bias, width))
}

/// A weight `[outputs, inputs]` and its bias, zeros where the model has none.
fn affine(
    weights: &mut dyn Weights,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let weight = weights.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
    let bias = format!("{name}.bias");
    let bias = if weights.has(&bias) {
        weights.tensor(&bias, &[outputs])?
    } else {
        vec![0.0; outputs]
    };
    Ok((weight, bias))
}
