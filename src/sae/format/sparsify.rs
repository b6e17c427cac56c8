//! EleutherAI's sparsify: `cfg.json` and `sae.safetensors`.
//!
//! `z` keeps the k largest of `ReLU((x - b_dec) W_encᵀ + b)`, or the largest of each of k groups
//! (`groupmax`); `x_hat = z W_dec + b_dec`. A transcoder (`transcode`) does not subtract `b_dec`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};

use super::config::Config;
use super::source::{imported, read};
use super::tensors::Tensors;

/// The configuration.
pub(super) const CONFIG_FILE: &str = "cfg.json";
/// The tensors.
pub(super) const WEIGHTS_FILE: &str = "sae.safetensors";

/// Settings of the training.
const INERT: [&str; 3] = ["normalize_decoder", "multi_topk", "expansion_factor"];

/// Reads a folder.
pub(super) fn load(folder: &Path) -> Result<Sae> {
    let mut config = Config::read(&folder.join(CONFIG_FILE))?;
    let d_in = config.take_size("d_in")?;
    let k = config.take_size("k")?;
    let expansion = config.take("expansion_factor");
    let n = match config.take("num_latents") {
        Some(Value::Number(n)) if n.as_u64() != Some(0) => n.as_u64(),
        _ => expansion
            .as_ref()
            .and_then(Value::as_u64)
            .and_then(|factor| factor.checked_mul(d_in as u64)),
    }
    .and_then(|n| usize::try_from(n).ok())
    .ok_or_else(|| {
        Error::invalid(
            "num_latents",
            format!(
                "of {CONFIG_FILE} must be a whole number, or 0 with expansion_factor set, \
                 which is {}",
                expansion.unwrap_or(Value::Null)
            ),
        )
    })?;
    let architecture = match config.take_text("activation")?.as_deref() {
        None | Some("topk") => Architecture::TopK {
            k,
            rescale_by_decoder_norm: false,
        },
        Some("groupmax") => Architecture::GroupMax { k },
        Some(other) => {
            return Err(config.refused("activation", &Value::from(other), "topk, groupmax"));
        }
    };
    let transcode = config.take_flag("transcode", false)?;
    for (name, why) in [
        ("signed", "false; a signed top-k keeps negative activations"),
        (
            "skip_connection",
            "false; a skip connection is no part of an SAE",
        ),
    ] {
        if config.take_flag(name, false)? {
            return Err(config.refused(name, &Value::Bool(true), why));
        }
    }
    config.drop_inert(&INERT);
    config.finish()?;

    let mut tensors = Tensors::from_safetensors(WEIGHTS_FILE, &read(&folder.join(WEIGHTS_FILE))?)?;
    let mut about = BTreeMap::new();
    if transcode {
        about.insert("transcode".to_owned(), "true".to_owned());
    }
    let parts = SaeParts {
        architecture,
        normalisation: Normalisation::None,
        d_in,
        w_enc_t: tensors.take("encoder.weight", &[n, d_in])?,
        b_enc: tensors.take("encoder.bias", &[n])?,
        w_dec: tensors.take("W_dec", &[n, d_in])?,
        b_dec: tensors.take("b_dec", &[d_in])?,
        apply_b_dec_to_input: !transcode,
        record: imported("sparsify", about),
    };
    if tensors.has("W_skip") {
        return Err(Error::invalid(
            "W_skip",
            format!("of {WEIGHTS_FILE} is a skip connection, which is no part of an SAE"),
        ));
    }
    tensors.finish()?;
    Sae::new(parts)
}
