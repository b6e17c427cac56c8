//! What `config.json` and `tokenizer_config.json` say of a decoder in a safetensors folder.

use std::path::Path;

use serde_json::Value;

use super::chat::ModelTemplate;
use super::decoder::DecoderConfig;
use super::rope::{Rope, Scaling};
use crate::error::{Error, Result};

/// The architectures that `decoder` runs, as `model_type` names them.
pub(super) const DECODERS: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

/// The architectures that `bert` runs.
pub(super) const ENCODERS: [&str; 4] = ["bert", "roberta", "xlm-roberta", "camembert"];

/// Reads a file of JSON; `Null` where there is none.
pub(super) fn read(path: &Path) -> Result<Value> {
    if !path.is_file() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&std::fs::read(path)?).map_err(|error| {
        Error::corrupted(format!("{} is not JSON", path.display())).with_source(error)
    })
}

/// Shapes and constants.
///
/// # Errors
/// `FailedPrecondition` naming a setting that is not run, `Corrupted` where a value is missing.
pub(super) fn decoder(config: &Value, origin: &str) -> Result<DecoderConfig> {
    let size = |name: &str| {
        config[name]
            .as_u64()
            .and_then(|value| usize::try_from(value).ok())
    };
    let need = |name: &str| {
        size(name).ok_or_else(|| Error::corrupted(format!("{origin}: {name} is not a size")))
    };
    if let Some(activation) = config["hidden_act"].as_str()
        && activation != "silu"
    {
        return Err(not_run(origin, &format!("hidden_act {activation:?}")));
    }
    let (width, heads) = (need("hidden_size")?, need("num_attention_heads")?);
    let context = need("max_position_embeddings")?;
    // Within its window, sliding attention is plain attention.
    let slides = config["use_sliding_window"].as_bool() != Some(false);
    let window = size("sliding_window").filter(|_| slides);
    DecoderConfig {
        width,
        heads,
        kv_heads: size("num_key_value_heads").unwrap_or(heads),
        head_width: size("head_dim").unwrap_or(width / heads.max(1)),
        middle: need("intermediate_size")?,
        layers: need("num_hidden_layers")?,
        vocabulary: need("vocab_size")?,
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
        "{origin} describes {what}; this reader runs {} with silu and positions unscaled, linear \
         or as Llama 3.1",
        DECODERS.join(", ")
    ))
}

/// The chat template of a folder with what it may name.
pub(super) fn chat_template(folder: &Path) -> Result<ModelTemplate> {
    let config = read(&folder.join("tokenizer_config.json"))?;
    let file = folder.join("chat_template.jinja");
    let source = if file.is_file() {
        Some(std::fs::read_to_string(&file)?)
    } else {
        template(&config["chat_template"])
    };
    let token = |name: &str| {
        let value = &config[name];
        let text = value.as_str().or_else(|| value["content"].as_str());
        text.map(str::to_owned)
    };
    Ok(ModelTemplate {
        source,
        bos: token("bos_token"),
        eos: token("eos_token"),
    })
}

/// The only template, or the one that is called default.
fn template(value: &Value) -> Option<String> {
    let named = value.as_array().and_then(|templates| {
        let default = templates.iter().find(|one| one["name"] == "default");
        default?["template"].as_str()
    });
    value.as_str().or(named).map(str::to_owned)
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
