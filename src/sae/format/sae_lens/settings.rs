//! What a `cfg.json` says, in the words of every version of SAELens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::sae::format::config::Config;
use crate::sae::format::source::imported;
use crate::sae::format::tensors::{Tensors, narrow};
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};
use crate::sae::record::TrainingRecord;
use crate::sae::weights::transposed;

/// The configuration.
pub const CONFIG_FILE: &str = "cfg.json";
/// The factor of `expected_average_only_in`, which SAELens keeps beside an SAE until it is folded into the weights.
pub const SCALER_FILE: &str = "activation_scaler.json";

/// LatentDB's own part of the configuration.
#[derive(Serialize, Deserialize)]
pub(super) struct Own {
    pub weights_sha256: String,
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    #[serde(default)]
    pub record: TrainingRecord,
}

/// Where the SAE's vectors come from: kept in the record, without effect on the formula.
const FACTS: [&str; 18] = [
    "model_name",
    "model_class_name",
    "hook_name",
    "hook_point",
    "hook_layer",
    "hook_point_layer",
    "hook_head_index",
    "hook_point_head_index",
    "hf_hook_name",
    "dataset_path",
    "context_size",
    "prepend_bos",
    "exclude_special_tokens",
    "seqpos_slice",
    "neuronpedia_id",
    "sae_lens_version",
    "sae_lens_training_version",
    "model_from_pretrained_kwargs",
];

/// Settings of the training, the data pipeline, the machine and the log, of versions 0 to 6.
const INERT: [&str; 105] = [
    "act_store_device",
    "activations_mixing_fraction",
    "adam_beta1",
    "adam_beta2",
    "autocast",
    "autocast_lm",
    "aux_loss_coefficient",
    "b_dec_init_method",
    "cached_activations_path",
    "checkpoint_path",
    "compile_llm",
    "compile_sae",
    "dataset_trust_remote_code",
    "dead_feature_threshold",
    "dead_feature_window",
    "decoder_heuristic_init",
    "decoder_heuristic_init_norm",
    "decoder_init_norm",
    "decoder_orthogonal_init",
    "device",
    "disable_concat_sequences",
    "dtype",
    "eval_batch_size_prompts",
    "eval_every_n_wandb_logs",
    "expansion_factor",
    "feature_sampling_method",
    "feature_sampling_window",
    "finetuning_method",
    "finetuning_tokens",
    "from_pretrained_path",
    "ghost_grad_on_loss",
    "hook_eval",
    "init_encoder_as_decoder_transpose",
    "is_dataset_tokenized",
    "jumprelu_bandwidth",
    "jumprelu_init_threshold",
    "jumprelu_sparsity_loss_mode",
    "jumprelu_tanh_scale",
    "l0_coefficient",
    "l0_lambda",
    "l0_warm_up_steps",
    "l1_coefficient",
    "l1_warm_up_steps",
    "llm_batch_size",
    "llm_compilation_mode",
    "llm_device",
    "log_activations_store_to_wandb",
    "log_optimizer_state_to_wandb",
    "log_to_wandb",
    "log_weights_to_wandb",
    "logger",
    "lp_norm",
    "lr",
    "lr_decay_steps",
    "lr_end",
    "lr_scheduler_name",
    "lr_warm_up_steps",
    "model_kwargs",
    "mse_loss_normalization",
    "n_batches_for_norm_estimate",
    "n_batches_in_buffer",
    "n_checkpoints",
    "n_eval_batches",
    "n_eval_seqs",
    "n_restart_cycles",
    "n_running_average_steps",
    "noise_scale",
    "normalize_sae_decoder",
    "output_path",
    "pre_act_loss_coefficient",
    "prefetch_llm_batches",
    "prepend_bos_eval",
    "resume",
    "resume_from_checkpoint",
    "run_name",
    "run_path",
    "sae_compilation_mode",
    "sae_id",
    "sae_path",
    "save_final_checkpoint",
    "scale_sparsity_penalty_by_decoder_norm",
    "seed",
    "sequence_separator_token",
    "sparsity_penalty",
    "sparsity_targets",
    "store_batch_size",
    "store_batch_size_prompts",
    "streaming",
    "tokens_per_buffer",
    "topk_threshold_lr",
    "total_training_steps",
    "total_training_tokens",
    "train_batch_size",
    "train_batch_size_tokens",
    "training_tokens",
    "use_cached_activations",
    "use_chat_formatting",
    "use_ghost_grads",
    "use_sparse_activations",
    "verbose",
    "wandb_entity",
    "wandb_id",
    "wandb_log_frequency",
    "wandb_project",
    "weight_decay",
];

/// A configuration that was understood in full.
pub(super) struct Settings {
    d_in: usize,
    n_latents: usize,
    architecture: Named,
    normalisation: Normalisation,
    /// Whether the weights are those of vectors times a factor that stands beside them ([`SCALER_FILE`]).
    pub is_scaled: bool,
    apply_b_dec_to_input: bool,
    about: BTreeMap<String, String>,
}

/// An architecture before its tensors are read.
enum Named {
    Standard,
    TopK { k: usize, rescale: bool },
    JumpRelu,
    Gated,
    GroupMax { k: usize },
}

impl Settings {
    /// Takes a configuration apart; with it, what LatentDB added.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field that is missing, has another value, or is not known;
    /// `Corrupted` when LatentDB's own part is not readable.
    pub fn read(mut config: Config) -> Result<(Self, Option<Own>)> {
        let mut metadata = config.take_object("metadata")?.unwrap_or_default();
        let own = own(&mut metadata)?;
        let mut about = BTreeMap::new();
        let mut metadata = Config::of(CONFIG_FILE, metadata);
        metadata.take_facts(&FACTS, &mut about);
        config.take_facts(&FACTS, &mut about);
        refuse_rescaling(&mut config)?;
        let (normalisation, is_scaled) = normalisation(&mut config)?;
        let settings = Self {
            architecture: architecture(&mut config)?,
            normalisation,
            is_scaled,
            d_in: config.take_size("d_in")?,
            n_latents: config.take_size("d_sae")?,
            apply_b_dec_to_input: config.take_flag("apply_b_dec_to_input", true)?,
            about,
        };
        config.drop_inert(&INERT);
        config.finish()?;
        Ok((settings, own))
    }

    /// The parts, from the weights.
    ///
    /// # Errors
    /// `InvalidArgument` naming the tensor that is missing, has another shape or is not known.
    pub fn parts(self, mut tensors: Tensors) -> Result<SaeParts> {
        let (d, n) = (self.d_in, self.n_latents);
        let w_enc = tensors.take("W_enc", &[d, n])?;
        let architecture = match self.architecture {
            Named::Standard => Architecture::Standard,
            Named::TopK { k, rescale } => Architecture::TopK {
                k,
                rescale_by_decoder_norm: rescale,
            },
            Named::JumpRelu => Architecture::JumpRelu {
                threshold: tensors.take("threshold", &[n])?,
            },
            Named::Gated => Architecture::Gated {
                b_gate: tensors.take("b_gate", &[n])?,
                b_mag: tensors.take("b_mag", &[n])?,
                r_mag: tensors.take("r_mag", &[n])?,
            },
            Named::GroupMax { k } => Architecture::GroupMax { k },
        };
        let b_enc = match architecture {
            Architecture::Gated { .. } => vec![0.0; n],
            _ => tensors.take("b_enc", &[n])?,
        };
        let parts = SaeParts {
            architecture,
            normalisation: self.normalisation,
            d_in: d,
            w_enc_t: transposed(&w_enc, d, n),
            b_enc,
            w_dec: tensors.take("W_dec", &[n, d])?,
            b_dec: tensors.take("b_dec", &[d])?,
            apply_b_dec_to_input: self.apply_b_dec_to_input,
            record: imported("SAELens", self.about),
        };
        tensors.take_ones("scaling_factor")?;
        tensors.take_ones("finetuning_scaling_factor")?;
        tensors.finish()?;
        Ok(parts)
    }
}

fn own(metadata: &mut Map<String, Value>) -> Result<Option<Own>> {
    metadata
        .remove("latentdb")
        .map(|own| {
            Own::deserialize(own).map_err(|e| {
                Error::corrupted(format!("{CONFIG_FILE}: metadata.latentdb is not readable"))
                    .with_source(e)
            })
        })
        .transpose()
}

/// Settings that change activations and are not implemented.
fn refuse_rescaling(config: &mut Config) -> Result<()> {
    if let Some(other) = config.take_text("reshape_activations")?
        && other != "none"
    {
        return Err(config.refused("reshape_activations", &Value::from(other), "\"none\""));
    }
    if config.take_flag("finetuning_scaling_factor", false)? {
        return Err(config.refused(
            "finetuning_scaling_factor",
            &Value::Bool(true),
            "false; fold the factors into the weights first",
        ));
    }
    Ok(())
}

fn architecture(config: &mut Config) -> Result<Named> {
    let named = config.take_text("architecture")?;
    let old = config.take_text("activation_fn_str")?;
    let activation = config.take_text("activation_fn")?.or(old);
    let mut k = config.take_optional_size("k")?;
    if let Some(arguments) = config.take_object("activation_fn_kwargs")? {
        let mut arguments = Config::of("activation_fn_kwargs", arguments);
        k = k.or(arguments.take_optional_size("k")?);
        if arguments.take_flag("signed", false)? {
            return Err(arguments.refused("signed", &Value::Bool(true), "false"));
        }
        arguments.drop_inert(&["use_sparse_activations"]);
        arguments.finish()?;
    }
    let rescale = config.take_flag("rescale_acts_by_decoder_norm", false)?;
    let missing_k = || {
        Error::invalid(
            "k",
            format!("is missing from {CONFIG_FILE}; a top-k SAE needs it"),
        )
    };
    let named = named.as_deref().unwrap_or("standard");
    let found = match (named, activation.as_deref()) {
        ("topk", None | Some("topk" | "relu")) | ("standard", Some("topk")) => {
            let k = k.ok_or_else(missing_k)?;
            return Ok(Named::TopK { k, rescale });
        }
        ("standard", None | Some("relu")) => Named::Standard,
        ("jumprelu", None | Some("relu")) => Named::JumpRelu,
        ("gated", None | Some("relu")) => Named::Gated,
        ("groupmax", None | Some("relu")) => Named::GroupMax {
            k: k.ok_or_else(missing_k)?,
        },
        ("standard" | "topk" | "jumprelu" | "gated" | "groupmax", Some(other)) => {
            return Err(config.refused("activation_fn_str", &Value::from(other), "relu, topk"));
        }
        (other, _) => {
            return Err(config.refused(
                "architecture",
                &Value::from(other),
                "standard, topk, jumprelu, gated, groupmax (batch-top-k and matryoshka SAEs are \
                 saved as jumprelu)",
            ));
        }
    };
    if rescale {
        return Err(config.refused(
            "rescale_acts_by_decoder_norm",
            &Value::Bool(true),
            "false, except for topk",
        ));
    }
    Ok(found)
}

/// The normalisation, and whether a factor is to be folded into the weights.
fn normalisation(config: &mut Config) -> Result<(Normalisation, bool)> {
    let found = match config.take("normalize_activations") {
        // Early versions said whether they averaged.
        None | Some(Value::Bool(false)) => return Ok((Normalisation::None, false)),
        Some(found) => found,
    };
    match found.as_str() {
        Some("none") => Ok((Normalisation::None, false)),
        Some("expected_average_only_in") => Ok((Normalisation::None, true)),
        Some("constant_norm_rescale") => Ok((Normalisation::ConstantNormRescale, false)),
        Some("layer_norm") => Ok((Normalisation::LayerNorm, false)),
        _ => Err(config.refused(
            "normalize_activations",
            &found,
            "none, constant_norm_rescale, layer_norm, expected_average_only_in",
        )),
    }
}

/// The factor of `expected_average_only_in`, from the bytes of [`SCALER_FILE`].
///
/// # Errors
/// `InvalidArgument` where it has none.
pub(super) fn scaling_factor(bytes: Option<&[u8]>) -> Result<f32> {
    let factor = bytes
        .and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok())
        .and_then(|scaler| scaler.get("scaling_factor")?.as_f64());
    match factor.map(narrow) {
        Some(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err(Error::invalid(
            "normalize_activations",
            format!(
                "of {CONFIG_FILE} is expected_average_only_in, and {SCALER_FILE} beside it, which would say by what \
                 vectors are multiplied, is missing or has no positive `scaling_factor`; fold the factor into the weights \
                 with SAELens (`fold_activation_norm_scaling_factor`)"
            ),
        )),
    }
}

/// Has vectors multiplied by `factor` within the weights, as SAELens folds it: latents stay the same.
pub(super) fn fold(parts: &mut SaeParts, factor: f32) {
    parts
        .w_enc_t
        .iter_mut()
        .for_each(|weight| *weight *= factor);
    let decoded = parts.w_dec.iter_mut().chain(&mut parts.b_dec);
    decoded.for_each(|weight| *weight /= factor);
    parts.record.about.insert(
        "scaling_factor".to_owned(),
        format!("{factor}, folded into the weights"),
    );
}
