//! SAELens' layout: `cfg.json` and `sae_weights.safetensors` with canonical tensor names.
//!
//! LatentDB writes the layout's fields so that SAELens can load the result, and adds its own under
//! `metadata.latentdb`: the hash of the weights, the record of the training, and what the layout
//! cannot say (a batch-top-k SAE is stored as JumpReLU, as SAELens does).

mod settings;

use std::borrow::Cow;
use std::path::Path;

use safetensors::{Dtype, View};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::reading::Reading;
use crate::sae::model::{Architecture, Sae};
use crate::sae::record::TrainingRecord;

use super::config::Config;
use super::tensors::{Tensors, transposed};
use super::{hex, read, write};

use settings::Settings;

/// The configuration.
pub const CONFIG_FILE: &str = "cfg.json";
/// The tensors.
pub const WEIGHTS_FILE: &str = "sae_weights.safetensors";

/// What LatentDB adds to the configuration.
#[derive(Serialize, Deserialize)]
struct Own {
    weights_sha256: String,
    architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<usize>,
    #[serde(default)]
    record: TrainingRecord,
}

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
        let found = hex(&Sha256::digest(&weights));
        if found != own.weights_sha256 {
            return Err(Error::corrupted(format!(
                "{WEIGHTS_FILE} has SHA-256 {found}; {CONFIG_FILE} was written for {}",
                own.weights_sha256
            )));
        }
    }
    let tensors = Tensors::from_safetensors(WEIGHTS_FILE, &weights)?;
    let mut parts = settings.parts(tensors)?;
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
/// `Internal` when writing fails.
pub(in crate::sae) fn save(sae: &Sae, dir: &Path) -> Result<()> {
    let weights = weights(sae)?;
    let config = serde_json::to_vec_pretty(&config_of(sae, hex(&Sha256::digest(&weights)))?)
        .map_err(|e| Error::internal("the SAE's configuration is not JSON").with_source(e))?;
    check_destination(dir)?;
    write::replace(dir, &[(WEIGHTS_FILE, &weights), (CONFIG_FILE, &config)])
}

pub(in crate::sae) fn check_destination(dir: &Path) -> Result<()> {
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

/// A named f32 tensor to be written.
struct Tensor<'a> {
    shape: Vec<usize>,
    values: Cow<'a, [f32]>,
}

impl View for &Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}

/// The bytes of the weights file: what is hashed is what is written.
pub(in crate::sae) fn weights(sae: &Sae) -> Result<Vec<u8>> {
    let (d, n) = (sae.d_in(), sae.n_latents());
    let parts = sae.parts();
    let mut tensors: Vec<(&str, Tensor)> = vec![
        (
            "W_enc",
            Tensor {
                shape: vec![d, n],
                values: Cow::Owned(transposed(&parts.w_enc_t, n, d)),
            },
        ),
        (
            "W_dec",
            Tensor {
                shape: vec![n, d],
                values: Cow::Borrowed(&parts.w_dec),
            },
        ),
        ("b_dec", vector(&parts.b_dec)),
    ];
    let uniform;
    match &parts.architecture {
        Architecture::Gated {
            b_gate,
            b_mag,
            r_mag,
        } => tensors.extend([
            ("b_gate", vector(b_gate)),
            ("b_mag", vector(b_mag)),
            ("r_mag", vector(r_mag)),
        ]),
        Architecture::JumpRelu { threshold } => {
            tensors.extend([
                ("b_enc", vector(&parts.b_enc)),
                ("threshold", vector(threshold)),
            ]);
        }
        Architecture::BatchTopK { threshold, .. } => {
            uniform = vec![*threshold; n];
            tensors.extend([
                ("b_enc", vector(&parts.b_enc)),
                ("threshold", vector(&uniform)),
            ]);
        }
        Architecture::Standard | Architecture::TopK { .. } | Architecture::GroupMax { .. } => {
            tensors.push(("b_enc", vector(&parts.b_enc)));
        }
    }
    safetensors::serialize(tensors.iter().map(|(name, t)| (*name, t)), None)
        .map_err(|e| Error::internal("the weights could not be serialised").with_source(e))
}

fn vector(values: &[f32]) -> Tensor<'_> {
    Tensor {
        shape: vec![values.len()],
        values: Cow::Borrowed(values),
    }
}

#[cfg(test)]
mod tests;
