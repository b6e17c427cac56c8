//! Decoders of the Llama family: Llama (arXiv 2307.09288), Mistral, SmolLM2, Qwen2 (biases on queries, keys and
//! values; arXiv 2407.10671) and Qwen3 (norms on query and key heads; arXiv 2505.09388).

use serde_json::Value;

use crate::encoder::kernels::{Activation, Arithmetic, Attention, Linear, Sight};
use crate::encoder::prenorm::{Kind, Layer, Norm, PreNorm};
use crate::encoder::rope::{Rope, Scaling};
use crate::encoder::weights::Weights;
use crate::error::{Error, Result};

use super::affine::affine;
use super::sizes::Sizes;

/// What `model_type` calls them.
pub(in crate::encoder) const LLAMAS: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

/// Shapes and constants of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::encoder) struct LlamaConfig {
    /// Values of a state.
    pub(in crate::encoder) width: usize,
    /// Query heads.
    pub(in crate::encoder) heads: usize,
    /// Key and value heads.
    pub(in crate::encoder) kv_heads: usize,
    /// Values of a head.
    pub(in crate::encoder) head_width: usize,
    /// Values between the feed-forward products.
    pub(in crate::encoder) middle: usize,
    /// Layers of the whole model.
    pub(in crate::encoder) layers: usize,
    /// Rows of the embedding table.
    pub(in crate::encoder) vocabulary: usize,
    /// Longest sequence.
    pub(in crate::encoder) context: usize,
    /// Added to the mean square before its root.
    pub(in crate::encoder) eps: f32,
    /// The turning of queries and keys.
    pub(in crate::encoder) rope: Rope,
}

impl LlamaConfig {
    /// Checks that the sizes fit together.
    pub(in crate::encoder) fn check(self, origin: &str) -> Result<Self> {
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

/// Shapes and constants.
///
/// # Errors
/// `FailedPrecondition` naming a setting that is not run, `Corrupted` where a value is missing.
pub(in crate::encoder) fn decoder(config: &Value, origin: &str) -> Result<LlamaConfig> {
    let sizes = Sizes { config, origin };
    if let Some(activation) = config["hidden_act"].as_str()
        && activation != "silu"
    {
        return Err(not_run(origin, &format!("hidden_act {activation:?}")));
    }
    let (width, heads) = (
        sizes.need("hidden_size")?,
        sizes.need("num_attention_heads")?,
    );
    let context = sizes.need("max_position_embeddings")?;
    // Within its window, sliding attention is plain attention.
    let slides = config["use_sliding_window"].as_bool() != Some(false);
    let window = sizes.get("sliding_window").filter(|_| slides);
    LlamaConfig {
        width,
        heads,
        kv_heads: sizes.get("num_key_value_heads").unwrap_or(heads),
        head_width: sizes.get("head_dim").unwrap_or(width / heads.max(1)),
        middle: sizes.need("intermediate_size")?,
        layers: sizes.need("num_hidden_layers")?,
        vocabulary: sizes.need("vocab_size")?,
        context: window.map_or(context, |window| window.min(context)),
        eps: config["rms_norm_eps"].as_f64().unwrap_or(1e-6) as f32,
        rope: rope(config, origin)?,
    }
    .check(origin)
}

fn rope(config: &Value, origin: &str) -> Result<Rope> {
    let parameters = [&config["rope_parameters"], &config["rope_scaling"]];
    let given = parameters.into_iter().find(|value| value.is_object());
    let given = given.unwrap_or(&Value::Null);
    let theta = [&config["rope_theta"], &given["rope_theta"]];
    let theta = theta.into_iter().find_map(Value::as_f64);
    let kind = [&given["rope_type"], &given["type"]];
    let kind = kind
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or("default");
    let need = |name: &str| {
        given[name]
            .as_f64()
            .ok_or_else(|| Error::corrupted(format!("{origin}: {name} of {kind} is missing")))
    };
    let scaling = match kind {
        "default" => Scaling::None,
        "linear" => Scaling::Linear(need("factor")?),
        "llama3" => Scaling::Llama3 {
            factor: need("factor")?,
            low: need("low_freq_factor")?,
            high: need("high_freq_factor")?,
            context: need("original_max_position_embeddings")?,
        },
        other => return Err(not_run(origin, &format!("positions scaled by {other:?}"))),
    };
    Ok(Rope {
        theta: theta.unwrap_or(10_000.0),
        scaling,
    })
}

fn not_run(origin: &str, what: &str) -> Error {
    Error::precondition(format!(
        "{origin} describes {what}; {} are run with silu and positions unscaled, linear \
         or as Llama 3.1",
        LLAMAS.join(", ")
    ))
}

/// Loads the layers `0..layers`, for sequences of up to `longest` tokens, and with `is_whole` the norm behind them.
pub(in crate::encoder) fn load(
    weights: &mut dyn Weights,
    config: &LlamaConfig,
    layers: usize,
    is_whole: bool,
    longest: usize,
    arithmetic: Arithmetic,
) -> Result<PreNorm> {
    let words = weights.tensor("embed_tokens.weight", &[config.vocabulary, config.width])?;
    let layers = (0..layers)
        .map(|index| load_layer(weights, config, index, arithmetic))
        .collect::<Result<_>>()?;
    let last_norm = match is_whole {
        true => Some(Norm::Rms(weights.tensor("norm.weight", &[config.width])?)),
        false => None,
    };
    Ok(PreNorm {
        width: config.width,
        words,
        word_norm: None,
        layers,
        last_norm,
        kinds: vec![Kind {
            attention: Attention {
                engine: arithmetic.engine,
                heads: config.heads,
                kv_heads: config.kv_heads,
                head_width: config.head_width,
                sight: Sight::Before,
                bias: None,
            },
            turns: config.rope.turns(config.head_width, longest),
        }],
        activation: Activation::Silu,
        eps: config.eps,
        arithmetic,
    })
}

fn load_layer(
    weights: &mut dyn Weights,
    config: &LlamaConfig,
    index: usize,
    arithmetic: Arithmetic,
) -> Result<Layer> {
    let (width, middle) = (config.width, config.middle);
    let name = |part: &str| format!("layers.{index}.{part}");
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
    let attention_norm = weights.tensor(&name("input_layernorm.weight"), &[width])?;
    let feed_norm = weights.tensor(&name("post_attention_layernorm.weight"), &[width])?;
    Ok(Layer {
        kind: 0,
        attention_norm: Some(Norm::Rms(attention_norm)),
        qkv: fused_qkv(
            weights,
            config,
            &name("self_attn"),
            head_norms.is_none(),
            arithmetic,
        )?,
        head_norms,
        output,
        feed_norm: Norm::Rms(feed_norm),
        gate,
        up,
        down,
    })
}

/// What products of queries and keys are divided by, as a factor.
fn score_scale(config: &LlamaConfig) -> f32 {
    (config.head_width as f32).sqrt().recip()
}

/// Queries, keys and values as one product. `1 / √head_width` goes into the queries, unless a norm
/// behind would undo it.
fn fused_qkv(
    weights: &mut dyn Weights,
    config: &LlamaConfig,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config() -> Value {
        json!({
            "model_type": "llama", "hidden_size": 64, "num_attention_heads": 4,
            "num_key_value_heads": 2, "intermediate_size": 96, "num_hidden_layers": 3,
            "vocab_size": 50, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
            "rope_theta": 500000.0, "hidden_act": "silu"
        })
    }

    #[test]
    fn shapes_are_read_and_windows_shorten_the_context() {
        let read = decoder(&config(), "c").unwrap();
        assert_eq!((read.head_width, read.kv_heads, read.context), (16, 2, 128));
        assert_eq!(read.rope.theta, 500_000.0);
        let mut slides = config();
        slides["sliding_window"] = json!(32);
        assert_eq!(decoder(&slides, "c").unwrap().context, 32);
        slides["use_sliding_window"] = json!(false);
        assert_eq!(decoder(&slides, "c").unwrap().context, 128);
    }

    #[test]
    fn both_spellings_of_scaled_positions_are_read() {
        let mut older = config();
        older["rope_scaling"] = json!({
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192
        });
        let scaled = decoder(&older, "c").unwrap().rope;
        assert!(matches!(
            scaled.scaling,
            Scaling::Llama3 { factor: 8.0, .. }
        ));
        let mut newer = config();
        newer["rope_theta"] = Value::Null;
        newer["rope_parameters"] = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 7.0});
        let rope = decoder(&newer, "c").unwrap().rope;
        assert_eq!((rope.theta, rope.scaling), (7.0, Scaling::Linear(2.0)));
    }

    #[test]
    fn what_is_not_run_is_named() {
        for (field, value) in [
            ("hidden_act", json!("gelu")),
            ("rope_scaling", json!({"type": "yarn"})),
        ] {
            let mut other = config();
            other[field] = value;
            let error = decoder(&other, "c").unwrap_err().to_string();
            assert!(error.contains("gelu") || error.contains("yarn"), "{error}");
        }
        let mut odd = config();
        odd["num_key_value_heads"] = json!(3);
        assert!(decoder(&odd, "c").is_err());
    }
}
