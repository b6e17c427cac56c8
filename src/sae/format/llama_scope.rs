//! Llama Scope (OpenMOSS Language-Model-SAEs): `hyperparams.json` and `checkpoints/final.safetensors`.
//!
//! Weights are those of vectors whose mean norm is √d. As the library folds that for inference, with n_in and n_out the
//! mean norms in `dataset_average_activation_norm`: `b = b_enc n_in / √d`, `D = W_dec n_out / n_in`,
//! `c = b_dec n_out / √d`; then latent i is scaled by ‖D_i‖, so that its direction has length 1:
//! `p = (x W_enc + b) ‖D‖`, `z = p [p > θ]`, `x_hat = z D / ‖D‖ + c`. θ is `jump_relu_threshold`, of activations of vectors as
//! they come: SAELens multiplies it by √d / n for the same reason, and in the published files θ √d / n_out is 1.7 to 2.1,
//! though n_out is 3.4 to 29.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};
use crate::sae::weights::transposed;

use super::config::Config;
use super::source::{imported, read};
use super::tensors::{Tensors, narrow};

/// The weights.
pub(super) const WEIGHTS_FILE: &str = "checkpoints/final.safetensors";
/// The configuration.
pub(super) const CONFIG_FILE: &str = "hyperparams.json";

/// Settings of the training and of the machine.
const INERT: [&str; 30] = [
    "bias_init_method",
    "d_sae",
    "ddp_size",
    "decoder_exactly_fixed_norm",
    "device",
    "dtype",
    "exp_name",
    "exp_result_path",
    "exp_result_dir",
    "expansion_factor",
    "fp16",
    "init_decoder_norm",
    "init_encoder_norm",
    "init_encoder_with_decoder_transpose",
    "init_search",
    "initial_k",
    "k_warmup_steps",
    "l1_coefficient",
    "l1_coefficient_warmup_steps",
    "lp",
    "sae_pretrained_name_or_path",
    "seed",
    "sparsity_threshold_for_triton_spmm_kernel",
    "strict_loading",
    "tp_size",
    "use_batch_norm_mse",
    "use_ddp",
    "use_ghost_grads",
    "use_triton_kernel",
    "sae_type",
];

/// Reads a folder.
pub(super) fn load(folder: &Path) -> Result<Sae> {
    let mut config = Config::read(&folder.join(CONFIG_FILE))?;
    let mut tensors = Tensors::from_safetensors(WEIGHTS_FILE, &read(&folder.join(WEIGHTS_FILE))?)?;
    let (mut w_enc_t, n, d) = tensors.take_matrix("encoder.weight")?;
    let decoder = tensors.take("decoder.weight", &[d, n])?;
    let mut b_enc = tensors.take("encoder.bias", &[n])?;
    let mut w_dec = transposed(&decoder, d, n);
    let mut b_dec = match config.take_flag("use_decoder_bias", true)? {
        true => tensors.take("decoder.bias", &[d])?,
        false => vec![0.0; d],
    };
    tensors.finish()?;
    let size = config.take_size("d_model")?;
    if size != d {
        return Err(config.refused(
            "d_model",
            &Value::from(size),
            &format!("{d}, as the weights have it"),
        ));
    }
    let mut about = BTreeMap::new();
    about.insert("hook_point".to_owned(), place(&mut config)?);
    for name in ["apply_decoder_bias_to_pre_encoder", "use_glu_encoder"] {
        if config.take_flag(name, false)? {
            return Err(config.refused(name, &Value::Bool(true), "false"));
        }
    }
    let (input, output) = scales(&mut config, d)?;
    b_enc.iter_mut().for_each(|bias| *bias /= input);
    b_dec.iter_mut().for_each(|bias| *bias /= output);
    w_dec
        .iter_mut()
        .for_each(|weight| *weight *= input / output);
    let latents = w_dec.chunks_exact_mut(d).zip(w_enc_t.chunks_exact_mut(d));
    for ((direction, encoder), bias) in latents.zip(&mut b_enc) {
        let norm = direction
            .iter()
            .map(|weight| weight * weight)
            .sum::<f32>()
            .sqrt();
        if norm > 0.0 {
            direction.iter_mut().for_each(|weight| *weight /= norm);
            encoder.iter_mut().for_each(|weight| *weight *= norm);
            *bias *= norm;
        }
    }
    if !config.take_flag("sparsity_include_decoder_norm", true)? {
        let accepted = "true, which says in what units the threshold is";
        return Err(config.refused(
            "sparsity_include_decoder_norm",
            &Value::Bool(false),
            accepted,
        ));
    }
    let architecture = architecture(&mut config, n)?;
    config.drop_inert(&INERT);
    config.finish()?;
    Sae::new(SaeParts {
        architecture,
        normalisation: Normalisation::None,
        d_in: d,
        w_enc_t,
        b_enc,
        w_dec,
        b_dec,
        apply_b_dec_to_input: false,
        record: imported("Llama Scope", about),
    })
}

/// The place of the model that is read. What writes another is refused: its output is no reconstruction of what it reads.
fn place(config: &mut Config) -> Result<String> {
    let input = config.take_text("hook_point_in")?.unwrap_or_default();
    match config.take_text("hook_point_out")? {
        Some(output) if output != input => {
            let accepted = format!("{input:?}, as hook_point_in; transcoders are not read");
            Err(config.refused("hook_point_out", &Value::from(output), &accepted))
        }
        _ => Ok(input),
    }
}

/// What vectors are multiplied by before they are encoded, and what comes out is divided by.
fn scales(config: &mut Config, d: usize) -> Result<(f32, f32)> {
    let kind = config.take_text("norm_activation")?.unwrap_or_default();
    let norms = config.take_object("dataset_average_activation_norm")?;
    match (&*kind, norms) {
        // Weights that the library has folded already.
        ("inference", _) => Ok((1.0, 1.0)),
        ("dataset-wise", Some(norms)) => {
            let scale = |name: &str| {
                let norm = norms.get(name).and_then(Value::as_f64).map(narrow);
                let norm = norm.filter(|norm| norm.is_finite() && *norm > 0.0);
                let norm = norm.ok_or_else(|| {
                    let field = format!("dataset_average_activation_norm.{name}");
                    Error::invalid(field, format!("of {CONFIG_FILE} is not a number above 0"))
                });
                norm.map(|norm| (d as f32).sqrt() / norm)
            };
            Ok((scale("in")?, scale("out")?))
        }
        _ => {
            let accepted = "inference, and dataset-wise with dataset_average_activation_norm";
            Err(config.refused("norm_activation", &Value::from(kind), accepted))
        }
    }
}

fn architecture(config: &mut Config, n: usize) -> Result<Architecture> {
    let threshold = config
        .take("jump_relu_threshold")
        .unwrap_or_else(|| Value::from(0.0));
    let k = config.take_optional_size("top_k")?;
    let name = config.take_text("act_fn")?.unwrap_or_default();
    let above = threshold.as_f64().map(narrow).filter(|above| *above >= 0.0);
    match (&*name, above, k) {
        (_, None, _) => {
            Err(config.refused("jump_relu_threshold", &threshold, "a number of at least 0"))
        }
        ("relu", ..) => Ok(Architecture::Standard),
        // The library runs a top-k SAE that has a threshold by it.
        ("jumprelu", Some(above), _) | ("topk", Some(above), _)
            if above > 0.0 || name == "jumprelu" =>
        {
            Ok(Architecture::JumpRelu {
                threshold: vec![above; n],
            })
        }
        ("topk", _, Some(k)) => Ok(Architecture::TopK {
            k,
            rescale_by_decoder_norm: false,
        }),
        ("topk", ..) => Err(config.refused("top_k", &Value::Null, "a whole number of at least 1")),
        _ => Err(config.refused("act_fn", &Value::from(name), "jumprelu, topk, relu")),
    }
}
