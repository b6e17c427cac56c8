//! The BERT family by its configurations and the names of its tensors: BERT (arXiv 1810.04805), RoBERTa (arXiv
//! 1907.11692), XLM-RoBERTa, CamemBERT, MPNet (arXiv 2004.09297) and DistilBERT (arXiv 1910.01108).

use serde_json::Value;

use crate::encoder::bert::{Bert, Layer, LayerNorm};
use crate::encoder::kernels::{Activation, Arithmetic, Attention, Linear, RelativeBias, Sight};
use crate::encoder::weights::Weights;
use crate::error::{Error, Result};

use super::affine::affine;
use super::sizes::{Sizes, activation};

/// Distance from which on all keys share a bucket of MPNet's biases.
const FARTHEST: f64 = 128.0;

/// What `model_type` calls them.
pub(in crate::encoder) const BERTS: [&str; 6] = [
    "bert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "mpnet",
    "distilbert",
];

/// Shapes and constants.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::encoder) struct BertConfig {
    width: usize,
    heads: usize,
    middle: usize,
    pub(in crate::encoder) layers: usize,
    vocabulary: usize,
    /// Rows of the position table, and that of the first token.
    positions: usize,
    first_position: usize,
    /// Rows of the table of token types; every token is of the first.
    types: usize,
    /// Buckets of biases by distance.
    buckets: usize,
    activation: Activation,
    eps: f32,
    names: Names,
}

/// What a model calls its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Names {
    layer: &'static str,
    query: &'static str,
    key: &'static str,
    value: &'static str,
    output: &'static str,
    attention_norm: &'static str,
    expand: &'static str,
    contract: &'static str,
    output_norm: &'static str,
}

const BERT: Names = Names {
    layer: "encoder.layer",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    expand: "intermediate.dense",
    contract: "output.dense",
    output_norm: "output.LayerNorm",
};
const MPNET: Names = Names {
    query: "attention.attn.q",
    key: "attention.attn.k",
    value: "attention.attn.v",
    output: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    ..BERT
};
const DISTILBERT: Names = Names {
    layer: "transformer.layer",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    expand: "ffn.lin1",
    contract: "ffn.lin2",
    output_norm: "output_layer_norm",
};

impl BertConfig {
    /// Reads `config.json` of a model of type `kind`.
    ///
    /// # Errors
    /// `FailedPrecondition` naming a setting that is not run, `Corrupted` where a value is missing.
    pub(in crate::encoder) fn read(kind: &str, config: &Value, origin: &str) -> Result<Self> {
        let sizes = Sizes { config, origin };
        if let Some(other) = config["position_embedding_type"].as_str()
            && other != "absolute"
        {
            return Err(Error::precondition(format!(
                "{origin}: position_embedding_type {other:?}; absolute is run"
            )));
        }
        let padding = sizes.get("pad_token_id");
        let is_distil = kind == "distilbert";
        let of = |usual, distil| sizes.need(if is_distil { distil } else { usual });
        let read = Self {
            width: of("hidden_size", "dim")?,
            heads: of("num_attention_heads", "n_heads")?,
            middle: of("intermediate_size", "hidden_dim")?,
            layers: of("num_hidden_layers", "n_layers")?,
            vocabulary: sizes.need("vocab_size")?,
            positions: sizes.need("max_position_embeddings")?,
            // Positions are counted from the padding id on, which itself is position `pad_token_id`.
            first_position: match kind {
                "bert" | "distilbert" => 0,
                "mpnet" => padding.unwrap_or(1) + 1,
                _ => padding.unwrap_or(0) + 1,
            },
            types: match kind {
                "mpnet" | "distilbert" => 0,
                _ => sizes.get("type_vocab_size").unwrap_or(2),
            },
            buckets: match kind {
                "mpnet" => sizes.get("relative_attention_num_buckets").unwrap_or(32),
                _ => 0,
            },
            activation: activation(
                &config[if is_distil {
                    "activation"
                } else {
                    "hidden_act"
                }],
                origin,
            )?,
            eps: config["layer_norm_eps"].as_f64().unwrap_or(1e-12) as f32,
            names: match kind {
                "mpnet" => MPNET,
                "distilbert" => DISTILBERT,
                _ => BERT,
            },
        };
        if !read.width.is_multiple_of(read.heads) || read.positions <= read.first_position {
            return Err(Error::corrupted(format!(
                "{origin}: hidden_size {} has to be a multiple of num_attention_heads {}, and \
                 max_position_embeddings {} above the first position, {}",
                read.width, read.heads, read.positions, read.first_position
            )));
        }
        Ok(read)
    }

    /// Longest sequence.
    pub(in crate::encoder) fn context(&self) -> usize {
        self.positions - self.first_position
    }
}

/// Loads the layers `0..layers`.
pub(in crate::encoder) fn load(
    weights: &mut dyn Weights,
    config: &BertConfig,
    layers: usize,
    arithmetic: Arithmetic,
) -> Result<Bert> {
    let width = config.width;
    let table = |name: &str| format!("embeddings.{name}_embeddings.weight");
    let mut positions = weights.tensor(&table("position"), &[config.positions, width])?;
    if config.types > 0 {
        let types = weights.tensor(&table("token_type"), &[config.types, width])?;
        for row in positions.chunks_exact_mut(width) {
            for (position, kind) in row.iter_mut().zip(&types) {
                *position += kind;
            }
        }
    }
    let bias = match config.buckets {
        0 => None,
        _ => Some(relative_bias(weights, config)?),
    };
    let layers = (0..layers)
        .map(|index| load_layer(weights, config, index, arithmetic))
        .collect::<Result<Vec<_>>>()?;
    Ok(Bert {
        width,
        vocabulary: config.vocabulary,
        words: weights.tensor(&table("word"), &[config.vocabulary, width])?,
        positions,
        first_position: config.first_position,
        embedding_norm: norm(weights, "embeddings.LayerNorm", width)?,
        layers,
        attention: Attention {
            engine: arithmetic.engine,
            heads: config.heads,
            kv_heads: config.heads,
            head_width: width / config.heads,
            sight: Sight::All,
            bias,
        },
        activation: config.activation,
        eps: config.eps,
        arithmetic,
    })
}

fn load_layer(
    weights: &mut dyn Weights,
    config: &BertConfig,
    index: usize,
    arithmetic: Arithmetic,
) -> Result<Layer> {
    let (width, middle, names) = (config.width, config.middle, config.names);
    let name = |part: &str| format!("{}.{index}.{part}", names.layer);
    let mut linear = |part: &str, inputs, outputs| -> Result<Linear> {
        let (weight, bias) = affine(weights, &name(part), inputs, outputs)?;
        Ok(Linear::new(arithmetic, &weight, bias, inputs))
    };
    let output = linear(names.output, width, width)?;
    let expand = linear(names.expand, width, middle)?;
    let contract = linear(names.contract, middle, width)?;
    // Queries, keys and values as one product; `1 / √head_width` goes into the queries.
    let scale = ((width / config.heads) as f32).sqrt().recip();
    let (mut qkv, mut bias) = affine(weights, &name(names.query), width, width)?;
    for value in qkv.iter_mut().chain(&mut bias) {
        *value *= scale;
    }
    for part in [names.key, names.value] {
        let (w, b) = affine(weights, &name(part), width, width)?;
        qkv.extend(w);
        bias.extend(b);
    }
    Ok(Layer {
        qkv: Linear::new(arithmetic, &qkv, bias, width),
        output,
        attention_norm: norm(weights, &name(names.attention_norm), width)?,
        expand,
        contract,
        output_norm: norm(weights, &name(names.output_norm), width)?,
    })
}

fn norm(weights: &mut dyn Weights, name: &str, width: usize) -> Result<LayerNorm> {
    // Checkpoints converted from TensorFlow call them gamma and beta.
    let (weight, bias) = match weights.has(&format!("{name}.gamma")) {
        true => ("gamma", "beta"),
        false => ("weight", "bias"),
    };
    Ok(LayerNorm {
        weight: weights.tensor(&format!("{name}.{weight}"), &[width])?,
        bias: weights.tensor(&format!("{name}.{bias}"), &[width])?,
    })
}

/// MPNet's biases: near distances have a bucket each, far ones share buckets that grow with their logarithm.
fn relative_bias(weights: &mut dyn Weights, config: &BertConfig) -> Result<RelativeBias> {
    let shape = [config.buckets, config.heads];
    let table = weights.tensor("encoder.relative_attention_bias.weight", &shape)?;
    let half = config.buckets / 2;
    let near = half / 2;
    let bucket = |distance: isize| {
        let away = distance.unsigned_abs();
        let within = if away < near {
            away
        } else {
            // In single precision, as the reference computes it: some distances lie on the edge of a bucket.
            let share = (away as f32 / near as f32).ln() / (FARTHEST / near as f64).ln() as f32;
            (near + (share * (half - near) as f32) as usize).min(half - 1)
        };
        if distance > 0 { half + within } else { within }
    };
    let reach = config.context();
    Ok(RelativeBias::new(config.heads, reach, |head, distance| {
        table[bucket(distance) * config.heads + head]
    }))
}
