//! Checkpoints with the tensor names of openai/sparse_autoencoder, and the release of O'Neill et al. 2024, which
//! uses the same names with other conventions.
//!
//! `p = (x - pre_bias) W_encᵀ + latent_bias`, `x_hat = z W_decᵀ + pre_bias`. OpenAI's file says
//! `activation`: with `TopK` the input is normalised as by a layer norm (subtract the mean, divide
//! by the unbiased standard deviation + 1e-5) and the output scaled back, with `ReLU` it is not.
//! The file of O'Neill et al. says nothing: top-k, no normalisation, and k only in the file's name,
//! `{domain}_{k}_{n}_{x}.pth`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};
use crate::sae::weights::transposed;

use super::source::imported;
use super::tensors::Tensors;
use super::torch::{Checkpoint, Fields};

/// Counters of the training that a state dictionary carries.
const BOOKKEEPING: [&str; 3] = [
    "stats_last_nonzero",
    "latents_activation_frequency",
    "latents_mean_square",
];

/// Whether a checkpoint has the names of this format.
pub(super) fn is_here(root: &Fields) -> bool {
    ["pre_bias", "latent_bias", "encoder.weight"]
        .iter()
        .all(|name| root.has(name))
}

/// Reads a file of openai/sparse_autoencoder.
pub(super) fn load(path: &Path) -> Result<Sae> {
    let mut checkpoint = Checkpoint::open(path)?;
    let mut root = checkpoint.take_root();
    let activation = root.take_text("activation")?;
    let state = match root.take("activation_state_dict") {
        None => None,
        Some(value) => Some(Fields::of(value, "activation_state_dict")?),
    };
    let (architecture, normalisation) = match activation.as_deref() {
        None | Some("ReLU") => {
            if let Some(state) = state {
                state.finish("activation_state_dict")?;
            }
            (Architecture::Standard, Normalisation::None)
        }
        Some("TopK") => (top_k(state)?, Normalisation::LayerNorm),
        Some(other) => {
            return Err(Error::invalid(
                "activation",
                format!("is {other:?}; accepted: ReLU, TopK"),
            ));
        }
    };
    let tensors = checkpoint.tensors(root)?;
    build(
        tensors,
        architecture,
        normalisation,
        None,
        "openai/sparse_autoencoder",
    )
}

fn top_k(state: Option<Fields>) -> Result<Architecture> {
    let mut state = state
        .ok_or_else(|| Error::invalid("activation_state_dict", "is missing; a TopK needs its k"))?;
    let k = state.take_size("k")?;
    if let Some(other) = state.take_text("postact_fn")?
        && other != "ReLU"
    {
        return Err(Error::invalid(
            "postact_fn",
            format!("is {other:?}; accepted: ReLU (others leave negative activations)"),
        ));
    }
    state.finish("activation_state_dict")?;
    Ok(Architecture::TopK {
        k,
        rescale_by_decoder_norm: false,
    })
}

/// k and n of a file name of O'Neill et al. 2024, `{domain}_{k}_{n}_{x}.pth`; the last part may be
/// absent.
pub(super) fn oneill_name(path: &Path) -> Option<(usize, usize)> {
    if path.extension()? != "pth" {
        return None;
    }
    let mut parts = path.file_stem()?.to_str()?.split('_');
    parts.next().filter(|domain| !domain.is_empty())?;
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Reads a file of the release of O'Neill et al. 2024.
pub(super) fn load_oneill(path: &Path) -> Result<Sae> {
    let (k, n) = oneill_name(path).ok_or_else(|| {
        Error::invalid(
            "source",
            format!(
                "{} is not named {{domain}}_{{k}}_{{n}}_{{x}}.pth, and files of O'Neill et al. say k \
                 nowhere else",
                path.display()
            ),
        )
    })?;
    let mut checkpoint = Checkpoint::open(path)?;
    let root = checkpoint.take_root();
    let tensors = checkpoint.tensors(root)?;
    let architecture = Architecture::TopK {
        k,
        rescale_by_decoder_norm: false,
    };
    build(
        tensors,
        architecture,
        Normalisation::None,
        Some(n),
        "O'Neill et al. 2024",
    )
}

fn build(
    mut tensors: Tensors,
    architecture: Architecture,
    normalisation: Normalisation,
    named_n: Option<usize>,
    origin: &str,
) -> Result<Sae> {
    let (w_enc_t, n, d_in) = tensors.take_matrix("encoder.weight")?;
    if let Some(named) = named_n
        && named != n
    {
        return Err(Error::invalid(
            "encoder.weight",
            format!("has {n} latents; the file's name says {named}"),
        ));
    }
    let decoder = tensors.take("decoder.weight", &[d_in, n])?;
    let parts = SaeParts {
        architecture,
        normalisation,
        d_in,
        w_enc_t,
        b_enc: tensors.take("latent_bias", &[n])?,
        w_dec: transposed(&decoder, d_in, n),
        b_dec: tensors.take("pre_bias", &[d_in])?,
        apply_b_dec_to_input: true,
        record: imported(origin, BTreeMap::new()),
    };
    for name in BOOKKEEPING {
        tensors.drop_bookkeeping(name);
    }
    tensors.finish()?;
    Sae::new(parts)
}
