//! ModernBERT (arXiv 2412.13663): layers that see everything among layers that see a window, biases only where the
//! configuration has them.

use serde_json::Value;

use crate::encoder::kernels::{Activation, Arithmetic, Attention, Linear, Sight};
use crate::encoder::prenorm::{Kind, Layer, Norm, PreNorm};
use crate::encoder::rope::{Rope, Scaling};
use crate::encoder::weights::Weights;
use crate::error::{Error, Result};

use super::affine::affine;
use super::sizes::{Sizes, activation};

/// Places of the kinds of layers.
const FULL: usize = 0;
const SLIDING: usize = 1;

/// Shapes and constants.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::encoder) struct ModernConfig {
    width: usize,
    heads: usize,
    middle: usize,
    vocabulary: usize,
    /// Longest sequence.
    pub(in crate::encoder) context: usize,
    /// The kind of each layer.
    kinds: Vec<usize>,
    /// Tokens that a sliding layer sees on each side.
    reach: usize,
    /// Bases of the frequencies of positions, by kind.
    thetas: [f64; 2],
    activation: Activation,
    eps: f32,
}

impl ModernConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// `FailedPrecondition` naming a setting that is not run, `Corrupted` where a value is missing.
    pub(in crate::encoder) fn read(config: &Value, origin: &str) -> Result<Self> {
        let sizes = Sizes { config, origin };
        let layers = sizes.need("num_hidden_layers")?;
        let every = sizes.get("global_attn_every_n_layers").unwrap_or(3).max(1);
        let kinds = match config["layer_types"].as_array() {
            Some(types) => types
                .iter()
                .map(|kind| match kind.as_str() {
                    Some("full_attention") => Ok(FULL),
                    Some("sliding_attention") => Ok(SLIDING),
                    _ => Err(Error::precondition(format!(
                        "{origin}: a layer of type {kind}; full_attention and sliding_attention are run"
                    ))),
                })
                .collect::<Result<Vec<_>>>()?,
            None => (0..layers)
                .map(|layer| if layer % every == 0 { FULL } else { SLIDING })
                .collect(),
        };
        let theta = |kind: &str, older: &str, usual: f64| {
            let rope = &config["rope_parameters"][kind];
            match rope["rope_type"].as_str() {
                None | Some("default") => Ok([&rope["rope_theta"], &config[older]]
                    .into_iter()
                    .find_map(Value::as_f64)
                    .unwrap_or(usual)),
                Some(other) => Err(Error::precondition(format!(
                    "{origin}: positions scaled by {other:?}; they are run unscaled"
                ))),
            }
        };
        let read = Self {
            width: sizes.need("hidden_size")?,
            heads: sizes.need("num_attention_heads")?,
            middle: sizes.need("intermediate_size")?,
            vocabulary: sizes.need("vocab_size")?,
            context: sizes.need("max_position_embeddings")?,
            kinds,
            reach: sizes.get("local_attention").unwrap_or(128) / 2,
            thetas: [
                theta("full_attention", "global_rope_theta", 160_000.0)?,
                theta("sliding_attention", "local_rope_theta", 10_000.0)?,
            ],
            activation: activation(&config["hidden_activation"], origin)?,
            eps: config["norm_eps"].as_f64().unwrap_or(1e-5) as f32,
        };
        let head = read.width / read.heads;
        if read.kinds.len() != layers
            || layers == 0
            || head * read.heads != read.width
            || head % 2 == 1
        {
            return Err(Error::corrupted(format!(
                "{origin}: layer_types says {} layers of {layers}, or hidden_size is no even multiple of \
                 num_attention_heads",
                read.kinds.len()
            )));
        }
        Ok(read)
    }

    pub(in crate::encoder) fn layers(&self) -> usize {
        self.kinds.len()
    }
}

/// Loads the layers `0..layers`, for sequences of up to `longest` tokens, and with `is_whole` the norm behind them.
pub(in crate::encoder) fn load(
    weights: &mut dyn Weights,
    config: &ModernConfig,
    layers: usize,
    is_whole: bool,
    longest: usize,
    arithmetic: Arithmetic,
) -> Result<PreNorm> {
    let (width, head_width) = (config.width, config.width / config.heads);
    let words = weights.tensor(
        "embeddings.tok_embeddings.weight",
        &[config.vocabulary, width],
    )?;
    let word_norm = norm(weights, "embeddings.norm", width)?;
    let kinds = [Sight::All, Sight::Near(config.reach)]
        .into_iter()
        .zip(config.thetas);
    let kinds = kinds.map(|(sight, theta)| Kind {
        attention: Attention {
            engine: arithmetic.engine,
            heads: config.heads,
            kv_heads: config.heads,
            head_width,
            sight,
            bias: None,
        },
        turns: Rope {
            theta,
            scaling: Scaling::None,
        }
        .turns(head_width, longest),
    });
    let layers = config.kinds.iter().take(layers).enumerate();
    let layers = layers.map(|(index, kind)| load_layer(weights, config, index, *kind, arithmetic));
    let layers = layers.collect::<Result<_>>()?;
    let last_norm = match is_whole {
        true => Some(norm(weights, "final_norm", width)?),
        false => None,
    };
    Ok(PreNorm {
        width,
        words,
        word_norm: Some(word_norm),
        layers,
        last_norm,
        kinds: kinds.collect(),
        activation: config.activation,
        eps: config.eps,
        arithmetic,
    })
}

fn load_layer(
    weights: &mut dyn Weights,
    config: &ModernConfig,
    index: usize,
    kind: usize,
    arithmetic: Arithmetic,
) -> Result<Layer> {
    let (width, middle) = (config.width, config.middle);
    let name = |part: &str| format!("layers.{index}.{part}");
    // The norm of the words is the first layer's.
    let attention_norm = match weights.has(&name("attn_norm.weight")) {
        true => Some(norm(weights, &name("attn_norm"), width)?),
        false => None,
    };
    let (mut qkv, mut bias) = affine(weights, &name("attn.Wqkv"), width, 3 * width)?;
    let scale = ((width / config.heads) as f32).sqrt().recip();
    for value in qkv[..width * width].iter_mut().chain(&mut bias[..width]) {
        *value *= scale;
    }
    let (gated, gated_bias) = affine(weights, &name("mlp.Wi"), width, 2 * middle)?;
    let (gate, up) = gated.split_at(middle * width);
    let (gate_bias, up_bias) = gated_bias.split_at(middle);
    let (output, output_bias) = affine(weights, &name("attn.Wo"), width, width)?;
    let (down, down_bias) = affine(weights, &name("mlp.Wo"), middle, width)?;
    Ok(Layer {
        kind,
        attention_norm,
        qkv: Linear::new(arithmetic, &qkv, bias, width),
        head_norms: None,
        output: Linear::new(arithmetic, &output, output_bias, width),
        feed_norm: norm(weights, &name("mlp_norm"), width)?,
        gate: Linear::new(arithmetic, gate, gate_bias.to_vec(), width),
        up: Linear::new(arithmetic, up, up_bias.to_vec(), width),
        down: Linear::new(arithmetic, &down, down_bias, middle),
    })
}

/// A norm by mean and deviation, its bias zeros where the model has none.
fn norm(weights: &mut dyn Weights, name: &str, width: usize) -> Result<Norm> {
    let weight = weights.tensor(&format!("{name}.weight"), &[width])?;
    let bias = format!("{name}.bias");
    let bias = match weights.has(&bias) {
        true => weights.tensor(&bias, &[width])?,
        false => vec![0.0; width],
    };
    Ok(Norm::Layer(weight, bias))
}
