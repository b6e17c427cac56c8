//! latentsae: `cfg.json` with a `sae_type`, and `sae.safetensors`.
//!
//! `x' = x - input_mean` with `mean_center`, which folds into the bias; `p = ReLU((x' - b_dec) W_encᵀ + b)`; `topk`
//! keeps the k largest, `matryoshka` as many as its last level, `jumprelu` what lies above `exp(log_threshold)`, without
//! the cap on active latents that bounds the library's memory; `x_hat = z W_dec + b_dec`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::Result;
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};

use super::config::Config;
use super::source::{imported, read};
use super::sparsify::{CONFIG_FILE, WEIGHTS_FILE};
use super::tensors::Tensors;

/// Settings of the training.
const INERT: [&str; 23] = [
    "expansion_factor",
    "skip_rank",
    "normalize_decoder",
    "multi_topk",
    "jumprelu_init_threshold",
    "jumprelu_bandwidth",
    "jumprelu_max_active",
    "sparsity_penalty",
    "k_anneal",
    "k_anneal_start",
    "k_anneal_pct",
    "lista_eta",
    "lista_steps",
    "decorr_alpha",
    "max_fire_rate",
    "fire_rate_penalty",
    "batchtopk_threshold",
    "batchtopk_threshold_beta",
    "matryoshka_sizes",
    "matryoshka_loss_weights",
    "cosine_alpha_init",
    "cosine_per_feature",
    "decoder_init_norm",
];

/// Whether a folder is of this format: sparsify's files, with a setting that only this library has.
pub(super) fn is_here(folder: &Path) -> bool {
    Config::read(&folder.join(CONFIG_FILE))
        .is_ok_and(|mut config| config.take("sae_type").is_some())
}

/// Reads a folder.
pub(super) fn load(folder: &Path) -> Result<Sae> {
    let mut config = Config::read(&folder.join(CONFIG_FILE))?;
    let mut tensors = Tensors::from_safetensors(WEIGHTS_FILE, &read(&folder.join(WEIGHTS_FILE))?)?;
    let d_in = config.take_size("d_in")?;
    let (w_enc_t, n, _) = tensors.take_matrix("encoder.weight")?;
    let mut about = BTreeMap::new();
    let kind = config.take_text("sae_type")?.unwrap_or_default();
    let k = config.take_size("k")?;
    let levels = config.take_text("matryoshka_ks")?.unwrap_or_default();
    let top_k = |k| Architecture::TopK {
        k,
        rescale_by_decoder_norm: false,
    };
    if config.take_flag("matryoshka_use_batchtopk", false)? {
        let accepted = "false; its codes keep what lies above a threshold, k at most, which is no architecture here";
        return Err(config.refused("matryoshka_use_batchtopk", &Value::Bool(true), accepted));
    }
    let architecture = match &*kind {
        "topk" => top_k(k),
        "matryoshka" => {
            let last = levels
                .rsplit(',')
                .next()
                .and_then(|level| level.trim().parse().ok());
            let Some(last) = last else {
                return Err(config.refused(
                    "matryoshka_ks",
                    &Value::from(levels),
                    "whole numbers with commas",
                ));
            };
            about.insert("matryoshka".to_owned(), levels);
            top_k(last)
        }
        "jumprelu" => {
            let logarithms = tensors.take("log_threshold", &[n])?;
            Architecture::JumpRelu {
                threshold: logarithms.into_iter().map(f32::exp).collect(),
            }
        }
        other => {
            let accepted = "topk, matryoshka, jumprelu (others have signs, gates, inhibition or caps that no code here has)";
            return Err(config.refused("sae_type", &Value::from(other), accepted));
        }
    };
    if config.take_flag("use_skip", false)? {
        let accepted = "false; a skip connection is no part of an SAE";
        return Err(config.refused("use_skip", &Value::Bool(true), accepted));
    }
    let mut b_dec = tensors.take("b_dec", &[d_in])?;
    if config.take_flag("mean_center", false)? {
        let mean = tensors.take("input_mean", &[d_in])?;
        for (bias, mean) in b_dec.iter_mut().zip(mean) {
            *bias += mean;
        }
        about.insert("mean_center".to_owned(), "folded into b_dec".to_owned());
    }
    config.take_facts(&["num_latents"], &mut about);
    config.drop_inert(&INERT);
    config.finish()?;
    let parts = SaeParts {
        architecture,
        normalisation: Normalisation::None,
        d_in,
        w_enc_t,
        b_enc: tensors.take("encoder.bias", &[n])?,
        w_dec: tensors.take("W_dec", &[n, d_in])?,
        b_dec,
        apply_b_dec_to_input: true,
        record: imported("latentsae", about),
    };
    tensors.finish()?;
    Sae::new(parts)
}
