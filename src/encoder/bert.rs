//! The forward pass of BERT (arXiv 1810.04805) and of RoBERTa (arXiv 1907.11692), which differs in
//! where its positions start.
//!
//! Weights come through candle (names, shapes, dtypes); the arithmetic is `kernels`. The sequences
//! of a batch lie one after another in one `[tokens, width]` matrix: there is no padding, so a
//! batch of unequal texts costs what its tokens cost.

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{Config, HiddenAct};

use super::kernels::{
    Activation, Arithmetic, Attention, AttentionScratch, Buffer, Epilogue, Linear, Rounded,
    layer_norm,
};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Buffers of one worker, kept from batch to batch.
#[derive(Default)]
pub(super) struct Scratch {
    hidden: Buffer,
    qkv: Buffer,
    context: Buffer,
    middle: Buffer,
    attention: AttentionScratch,
    rounded: Rounded,
}

struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

struct Layer {
    qkv: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    expand: Linear,
    contract: Linear,
    output_norm: LayerNorm,
}

/// A BERT encoder, ready to run.
pub(super) struct Bert {
    width: usize,
    vocabulary: usize,
    /// `[vocabulary, width]`.
    words: Vec<f32>,
    /// `[positions, width]`, with the embedding of token type 0 added.
    positions: Vec<f32>,
    first_position: usize,
    embedding_norm: LayerNorm,
    layers: Vec<Layer>,
    attention: Attention,
    activation: Activation,
    eps: f32,
    arithmetic: Arithmetic,
}

impl Bert {
    /// Loads the first `layers` layers of a safetensors file, given as its bytes.
    ///
    /// `first_position` is the row of the position table that the first token takes.
    pub(super) fn load(
        safetensors: Vec<u8>,
        config: &Config,
        first_position: usize,
        layers: usize,
        arithmetic: Arithmetic,
    ) -> Result<Self> {
        let vb = VarBuilder::from_buffered_safetensors(safetensors, DType::F32, &Device::Cpu)
            .map_err(unreadable)?;
        let vb = ["bert", "roberta", "model"]
            .iter()
            .find(|prefix| vb.contains_tensor(&format!("{prefix}.{WORDS}")))
            .map_or(vb.clone(), |prefix| vb.pp(prefix));
        let width = config.hidden_size;
        let embeddings = vb.pp("embeddings");
        let mut positions = tensor(
            &embeddings,
            (config.max_position_embeddings, width),
            "position_embeddings.weight",
        )?;
        if config.type_vocab_size > 0 {
            let types = tensor(
                &embeddings,
                (config.type_vocab_size, width),
                "token_type_embeddings.weight",
            )?;
            for row in positions.chunks_exact_mut(width) {
                for (position, kind) in row.iter_mut().zip(&types) {
                    *position += kind;
                }
            }
        }
        let layers = (0..layers)
            .map(|index| Layer::load(&vb.pp(format!("encoder.layer.{index}")), config, arithmetic))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            width,
            vocabulary: config.vocab_size,
            words: tensor(
                &embeddings,
                (config.vocab_size, width),
                "word_embeddings.weight",
            )?,
            positions,
            first_position,
            embedding_norm: LayerNorm::load(&embeddings.pp("LayerNorm"), width)?,
            layers,
            attention: Attention {
                engine: arithmetic.engine,
                heads: config.num_attention_heads,
                kv_heads: config.num_attention_heads,
                head_width: width / config.num_attention_heads,
                causal: false,
            },
            activation: match config.hidden_act {
                HiddenAct::Gelu => Activation::Gelu,
                HiddenAct::GeluApproximate => Activation::GeluTanh,
                HiddenAct::Relu => Activation::Relu,
            },
            eps: config.layer_norm_eps as f32,
            arithmetic,
        })
    }

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

/// The one tensor that every checkpoint of the family has, whatever its prefix.
const WORDS: &str = "embeddings.word_embeddings.weight";

impl Layer {
    fn load(vb: &VarBuilder, config: &Config, arithmetic: Arithmetic) -> Result<Self> {
        let (width, middle) = (config.hidden_size, config.intermediate_size);
        let attention = vb.pp("attention");
        Ok(Self {
            qkv: fused_qkv(&attention.pp("self"), config, arithmetic)?,
            output: linear(&attention.pp("output.dense"), width, width, arithmetic)?,
            attention_norm: LayerNorm::load(&attention.pp("output.LayerNorm"), width)?,
            expand: linear(&vb.pp("intermediate.dense"), width, middle, arithmetic)?,
            contract: linear(&vb.pp("output.dense"), middle, width, arithmetic)?,
            output_norm: LayerNorm::load(&vb.pp("output.LayerNorm"), width)?,
        })
    }
}

impl LayerNorm {
    fn load(vb: &VarBuilder, width: usize) -> Result<Self> {
        // Checkpoints converted from TensorFlow call them gamma and beta.
        let (weight, bias) = if vb.contains_tensor("gamma") {
            ("gamma", "beta")
        } else {
            ("weight", "bias")
        };
        Ok(Self {
            weight: tensor(vb, width, weight)?,
            bias: tensor(vb, width, bias)?,
        })
    }

    fn apply(&self, values: &mut [f32], eps: f32) {
        layer_norm(values, &self.weight, &self.bias, eps);
    }
}

/// Queries, keys and values as one product; `1 / √head_width` goes into the queries.
fn fused_qkv(vb: &VarBuilder, config: &Config, arithmetic: Arithmetic) -> Result<Linear> {
    let width = config.hidden_size;
    let scale = ((width / config.num_attention_heads) as f32).sqrt().recip();
    let mut weight = tensor(vb, (width, width), "query.weight")?;
    let mut bias = tensor(vb, width, "query.bias")?;
    for value in weight.iter_mut().chain(&mut bias) {
        *value *= scale;
    }
    for name in ["key", "value"] {
        weight.extend(tensor(vb, (width, width), &format!("{name}.weight"))?);
        bias.extend(tensor(vb, width, &format!("{name}.bias"))?);
    }
    Ok(Linear::new(arithmetic, &weight, bias, width))
}

fn linear(
    vb: &VarBuilder,
    inputs: usize,
    outputs: usize,
    arithmetic: Arithmetic,
) -> Result<Linear> {
    let weight = tensor(vb, (outputs, inputs), "weight")?;
    Ok(Linear::new(
        arithmetic,
        &weight,
        tensor(vb, outputs, "bias")?,
        inputs,
    ))
}

fn tensor(vb: &VarBuilder, shape: impl Into<candle_core::Shape>, name: &str) -> Result<Vec<f32>> {
    vb.get(shape.into(), name)
        .and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>())
        .map_err(unreadable)
}

fn unreadable(error: candle_core::Error) -> Error {
    Error::corrupted("the weights of the sentence encoder do not fit its config.json")
        .with_source(error)
}
