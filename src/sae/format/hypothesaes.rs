//! HypotheSAEs: a `.pt` of `{config, state_dict}`.
//!
//! `p = (x - input_bias) W_encᵀ + neuron_bias`; `z` keeps the k largest `p` and then ReLU, or with
//! `use_batch_topk` is `ReLU(p) * 1[p > threshold]`; `x_hat = z W_decᵀ + input_bias`. With
//! `prefix_lengths` it was trained as a Matryoshka SAE, which changes no formula.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};
use crate::sae::weights::transposed;

use super::pickle::Value;
use super::source::imported;
use super::torch::{Checkpoint, Fields};

/// Settings of the training.
const INERT: [&str; 3] = ["aux_k", "multi_k", "dead_neuron_threshold_steps"];

/// Whether a checkpoint has the names of this format.
pub(super) fn is_here(root: &Fields) -> bool {
    root.has("config") && root.has("state_dict")
}

/// Reads a file.
pub(super) fn load(path: &Path) -> Result<Sae> {
    let mut checkpoint = Checkpoint::open(path)?;
    let mut root = checkpoint.take_root();
    let mut config = root.take_fields("config")?;
    let state = root.take_fields("state_dict")?;
    root.finish("the checkpoint")?;
    let d_in = config.take_size("input_dim")?;
    let n = config.take_size("m_total_neurons")?;
    let k = config.take_size("k_active_neurons")?;
    let is_batch_top_k = config.take_flag("use_batch_topk")?;
    for name in INERT {
        config.take(name);
    }
    let mut about = BTreeMap::new();
    if let Some(Value::List(prefixes)) = config.take("prefix_lengths") {
        let prefixes: Vec<String> = prefixes
            .iter()
            .filter_map(|prefix| match prefix {
                Value::Int(length) => Some(length.to_string()),
                _ => None,
            })
            .collect();
        about.insert("matryoshka".to_owned(), prefixes.join(", "));
    }
    config.finish("config")?;

    let mut tensors = checkpoint.tensors(state)?;
    let architecture = if is_batch_top_k {
        let threshold = tensors.take_number("threshold")?;
        if threshold <= 0.0 {
            return Err(Error::invalid(
                "threshold",
                format!("is {threshold}: training never set it, so codes are not defined"),
            ));
        }
        Architecture::BatchTopK { k, threshold }
    } else {
        tensors.drop_bookkeeping("threshold");
        Architecture::TopK {
            k,
            rescale_by_decoder_norm: false,
        }
    };
    tensors.drop_bookkeeping("steps_since_activation");
    let w_enc_t = tensors.take("encoder.weight", &[n, d_in])?;
    let decoder = tensors.take("decoder.weight", &[d_in, n])?;
    let parts = SaeParts {
        architecture,
        normalisation: Normalisation::None,
        d_in,
        w_enc_t,
        b_enc: tensors.take("neuron_bias", &[n])?,
        w_dec: transposed(&decoder, d_in, n),
        b_dec: tensors.take("input_bias", &[d_in])?,
        apply_b_dec_to_input: true,
        record: imported("HypotheSAEs", about),
    };
    tensors.finish()?;
    Sae::new(parts)
}
