//! sentence-transformers' `SparseAutoEncoder` module, of CSR (arXiv 2503.01776) and CSRv2 (arXiv 2602.05735): `config.json`
//! and `model.safetensors` in a folder of a `SparseEncoder`.
//!
//! `p = (x - pre_bias) Wᵀ + latent_bias`; `z` keeps the k largest `p` and then ReLU; `x_hat = z W + pre_bias`. With
//! `normalize` a vector is first taken to mean 0 and deviation 1, and its reconstruction back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};

use super::config::Config;
use super::source::{imported, read};
use super::tensors::Tensors;

/// The configuration.
pub(super) const CONFIG_FILE: &str = "config.json";
/// The tensors.
pub(super) const WEIGHTS_FILE: &str = "model.safetensors";
/// What lists the modules of a whole encoder.
const MODULES_FILE: &str = "modules.json";

/// Whether a folder is that of the module; networks have the same files.
pub(super) fn is_here(folder: &Path) -> bool {
    let config = Config::read(&folder.join(CONFIG_FILE));
    config.is_ok_and(|mut config| {
        ["hidden_dim", "k_aux", "k"]
            .iter()
            .all(|name| config.take(name).is_some())
    })
}

/// The module's folder in that of a whole encoder.
pub(super) fn module_of(folder: &Path) -> Option<PathBuf> {
    let modules = std::fs::read(folder.join(MODULES_FILE)).ok()?;
    let modules: Vec<Value> = serde_json::from_slice(&modules).ok()?;
    let is_sae = |module: &&Value| {
        let kind = module["type"].as_str().unwrap_or_default();
        kind.rsplit('.').next() == Some("SparseAutoEncoder")
    };
    let place = modules.iter().find(is_sae)?["path"].as_str()?;
    let folder = folder.join(place);
    is_here(&folder).then_some(folder)
}

/// Reads the module's folder.
pub(super) fn load(folder: &Path) -> Result<Sae> {
    let mut config = Config::read(&folder.join(CONFIG_FILE))?;
    let d_in = config.take_size("input_dim")?;
    let n = config.take_size("hidden_dim")?;
    let k = config.take_size("k")?;
    let normalisation = match config.take_flag("normalize", false)? {
        true => Normalisation::LayerNorm,
        false => Normalisation::None,
    };
    config.drop_inert(&["k_aux", "dead_threshold"]);
    config.finish()?;
    let mut tensors = Tensors::from_safetensors(WEIGHTS_FILE, &read(&folder.join(WEIGHTS_FILE))?)?;
    tensors.drop_bookkeeping("stats_last_nonzero");
    // The decoder is the encoder turned. A file holds what both share once, under either name.
    let mut shared = Vec::new();
    for name in ["encoder.weight", "decoder.linear.weight"] {
        if tensors.has(name) {
            shared.push(tensors.take(name, &[n, d_in])?);
        }
    }
    let Some(w_enc_t) = shared.pop() else {
        return Err(Error::invalid(
            "encoder.weight",
            format!(
                "is missing from {WEIGHTS_FILE}, and decoder.linear.weight, which is the same, too"
            ),
        ));
    };
    if shared.iter().any(|other| *other != w_enc_t) {
        return Err(Error::invalid(
            "decoder.linear.weight",
            format!(
                "of {WEIGHTS_FILE} is not encoder.weight, to which a SparseAutoEncoder ties it"
            ),
        ));
    }
    let parts = SaeParts {
        architecture: Architecture::TopK {
            k,
            rescale_by_decoder_norm: false,
        },
        normalisation,
        d_in,
        w_dec: w_enc_t.clone(),
        w_enc_t,
        b_enc: tensors.take("latent_bias", &[n])?,
        b_dec: tensors.take("pre_bias", &[d_in])?,
        apply_b_dec_to_input: true,
        record: imported("sentence-transformers", BTreeMap::new()),
    };
    tensors.finish()?;
    Sae::new(parts)
}
