//! SAELens' layout: `cfg.json` and `sae_weights.safetensors` with canonical tensor names.
//!
//! LatentDB writes the layout's fields so that SAELens can load the result, and adds its own under
//! `metadata.latentdb`: the hash of the weights, the record of the training, and what the layout
//! cannot say (a batch-top-k SAE is stored as JumpReLU, as SAELens does).

mod settings;

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::reading::Reading;
use crate::sae::model::Sae;
use crate::sae::parts::Architecture;
use crate::sae::weights;

use super::config::Config;
use super::source::read;
use super::tensors::Tensors;
use super::write;

use settings::{Own, Settings};

pub use settings::{CONFIG_FILE, SCALER_FILE};

/// The tensors.
pub const WEIGHTS_FILE: &str = "sae_weights.safetensors";

/// Whether `dir` looks like this layout.
pub(super) fn is_here(dir: &Path) -> bool {
    dir.join(CONFIG_FILE).is_file() && dir.join(WEIGHTS_FILE).is_file()
}

/// Loads an SAE in SAELens' layout.
///
/// # Errors
/// `InvalidArgument` naming the field or tensor that is missing or not understood, `Corrupted`
/// when the weights are not those the configuration was written for.
pub fn load(dir: &Path) -> Result<Sae> {
    let config = Config::read(&dir.join(CONFIG_FILE))?;
    let weights = read(&dir.join(WEIGHTS_FILE))?;
    let (settings, own) = Settings::read(config)?;
    if let Some(own) = &own {
        let found = hex(Sha256::digest(&weights));
        if found != own.weights_sha256 {
            return Err(Error::corrupted(format!(
                "{WEIGHTS_FILE} has SHA-256 {found}; {CONFIG_FILE} was written for {}",
                own.weights_sha256
            )));
        }
    }
    let tensors = Tensors::from_safetensors(WEIGHTS_FILE, &weights)?;
    let factor = match settings.is_scaled {
        true => Some(settings::scaling_factor(
            read(&dir.join(SCALER_FILE)).ok().as_deref(),
        )?),
        false => None,
    };
    let mut parts = settings.parts(tensors)?;
    if let Some(factor) = factor {
        settings::fold(&mut parts, factor);
    }
    if let Some(own) = own {
        if own.architecture == "batchtopk"
            && let (Some(k), Architecture::JumpRelu { threshold }) = (own.k, &parts.architecture)
            && let Some(&first) = threshold.first()
            && threshold.iter().all(|t| *t == first)
        {
            parts.architecture = Architecture::BatchTopK {
                k,
                threshold: first,
            };
        }
        parts.record = own.record;
    }
    Sae::new(parts)
}

/// Saves an SAE in SAELens' layout: weights first, then the configuration that names their hash.
///
/// # Errors
/// `InvalidArgument` as [`check_destination`]; `Internal` when writing fails.
pub fn save(sae: &Sae, dir: &Path) -> Result<()> {
    let weights = weights::to_bytes(sae.parts())?;
    let config = serde_json::to_vec_pretty(&config_of(sae, hex(Sha256::digest(&weights)))?)
        .map_err(|e| Error::internal("the SAE's configuration is not JSON").with_source(e))?;
    check_destination(dir)?;
    write::replace(dir, &[(WEIGHTS_FILE, &weights), (CONFIG_FILE, &config)])
}

/// Checks that an SAE can be saved to a directory: it does not exist, is empty, or holds an SAE,
/// which saving replaces. Asked before a long training, not after it.
///
/// # Errors
/// `InvalidArgument` for a file, or a directory that holds something else.
pub fn check_destination(dir: &Path) -> Result<()> {
    write::check_destination(dir, CONFIG_FILE)
}

fn config_of(sae: &Sae, weights_sha256: String) -> Result<Value> {
    let (architecture, k) = match sae.architecture() {
        Architecture::BatchTopK { .. } => ("jumprelu", None),
        other => (other.name(), sae.k()),
    };
    let own = Own {
        weights_sha256,
        architecture: sae.architecture().name().to_owned(),
        k: sae.k(),
        record: sae.record().clone(),
    };
    let own = serde_json::to_value(own)
        .map_err(|e| Error::internal("the training record is not JSON").with_source(e))?;
    let mut config = json!({
        "architecture": architecture,
        "d_in": sae.d_in(),
        "d_sae": sae.n_latents(),
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": sae.apply_b_dec_to_input(),
        "normalize_activations": sae.normalisation().name(),
        "reshape_activations": "none",
        "metadata": { "latentdb": own },
    });
    if let Some(k) = k {
        config["k"] = json!(k);
    }
    if let Some(Reading::Token(reading)) = &sae.record().reading {
        config["metadata"]["model_name"] = json!(reading.model);
        config["metadata"]["hook_name"] = json!(reading.hook_name());
        config["metadata"]["prepend_bos"] = json!(reading.prepend_bos);
        config["metadata"]["context_size"] = json!(reading.window.length);
    }
    if let Architecture::TopK {
        rescale_by_decoder_norm,
        ..
    } = sae.architecture()
    {
        config["rescale_acts_by_decoder_norm"] = json!(rescale_by_decoder_norm);
    }
    Ok(config)
}

#[cfg(test)]
mod tests;
