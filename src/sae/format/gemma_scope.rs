//! Gemma Scope (`params.npz`) and Gemma Scope 2 (`config.json`, `params.safetensors`): JumpReLU
//! SAEs whose encoder does not subtract `b_dec`.
//!
//! `z = p * 1[p > threshold_i]` with `p = x W_enc + b_enc`, `x_hat = z W_dec + b_dec`; thresholds
//! are positive. The matrices are named `w_enc[d_in, n]`, `w_dec[n, d_in]`, in capitals in some
//! releases.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};
use crate::sae::weights::transposed;

use super::config::Config;
use super::npz;
use super::source::{imported, read};
use super::tensors::Tensors;

/// The weights of Gemma Scope.
pub(super) const WEIGHTS_FILE: &str = "params.npz";
/// The weights of Gemma Scope 2.
pub(super) const WEIGHTS_FILE_2: &str = "params.safetensors";
/// The configuration of Gemma Scope 2.
pub(super) const CONFIG_FILE_2: &str = "config.json";

/// What a configuration of Gemma Scope 2 says about where its vectors come from.
const FACTS: [&str; 8] = [
    "model_name",
    "hf_hook_point_in",
    "hf_hook_point",
    "layer",
    "site",
    "width",
    "l0",
    "dataset",
];

/// Reads `params.npz`.
pub(super) fn load(path: &Path) -> Result<Sae> {
    build(npz::read(path)?, "Gemma Scope", BTreeMap::new())
}

/// Reads `config.json` and `params.safetensors` of a folder.
pub(super) fn load_2(folder: &Path) -> Result<Sae> {
    let mut config = Config::read(&folder.join(CONFIG_FILE_2))?;
    match config.take("architecture") {
        Some(Value::String(name)) if name == "jump_relu" => {}
        found => {
            let found = found.unwrap_or(Value::Null);
            return Err(config.refused("architecture", &found, "\"jump_relu\""));
        }
    }
    let mut about = BTreeMap::new();
    config.take_facts(&FACTS, &mut about);
    // A transcoder reads one place of the model and writes another.
    let input = about.get("hf_hook_point_in").map(String::as_str);
    for (name, harmless) in [
        ("hf_hook_point_out", Value::from(input)),
        ("affine_connection", Value::Bool(false)),
        ("type", Value::from("sae")),
    ] {
        if let Some(found) = config.take(name)
            && found != harmless
        {
            return Err(config.refused(name, &found, "an SAE, whose output is its input"));
        }
    }
    config.finish()?;
    let weights = folder.join(WEIGHTS_FILE_2);
    let tensors = Tensors::from_safetensors(WEIGHTS_FILE_2, &read(&weights)?)?;
    build(tensors, "Gemma Scope 2", about)
}

fn build(mut tensors: Tensors, origin: &str, about: BTreeMap<String, String>) -> Result<Sae> {
    let spelled = |lower: &'static str, upper: &'static str, tensors: &Tensors| {
        if tensors.has(lower) { lower } else { upper }
    };
    let encoder = spelled("w_enc", "W_enc", &tensors);
    let decoder = spelled("w_dec", "W_dec", &tensors);
    let (w_enc, d_in, n) = tensors.take_matrix(encoder)?;
    let threshold = tensors.take("threshold", &[n])?;
    if let Some(value) = threshold.iter().find(|value| **value < 0.0) {
        return Err(Error::invalid(
            "threshold",
            format!("holds {value}; thresholds of a JumpReLU are not negative"),
        ));
    }
    let parts = SaeParts {
        architecture: Architecture::JumpRelu { threshold },
        normalisation: Normalisation::None,
        d_in,
        w_enc_t: transposed(&w_enc, d_in, n),
        b_enc: tensors.take("b_enc", &[n])?,
        w_dec: tensors.take(decoder, &[n, d_in])?,
        b_dec: tensors.take("b_dec", &[d_in])?,
        apply_b_dec_to_input: false,
        record: imported(origin, about),
    };
    tensors.take_ones("scaling_factor")?;
    tensors.finish()?;
    Sae::new(parts)
}
