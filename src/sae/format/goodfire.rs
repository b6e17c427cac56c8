//! Goodfire's releases: a `.pt` or `.pth` of `encoder_linear` and `decoder_linear`.
//!
//! `z = ReLU(x W_encᵀ + b_enc)`; `x_hat = z W_decᵀ + b_dec`, as SAELens reads them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};
use crate::sae::weights::transposed;

use super::source::imported;
use super::torch::{Checkpoint, Fields};

/// Whether a checkpoint has the names of this format.
pub(super) fn is_here(root: &Fields) -> bool {
    root.has("encoder_linear.weight") && root.has("decoder_linear.weight")
}

/// Reads a file.
pub(super) fn load(path: &Path) -> Result<Sae> {
    let mut checkpoint = Checkpoint::open(path)?;
    let root = checkpoint.take_root();
    let mut tensors = checkpoint.tensors(root)?;
    let (w_enc_t, n, d_in) = tensors.take_matrix("encoder_linear.weight")?;
    let decoder = tensors.take("decoder_linear.weight", &[d_in, n])?;
    let parts = SaeParts {
        architecture: Architecture::Standard,
        normalisation: Normalisation::None,
        d_in,
        w_enc_t,
        b_enc: tensors.take("encoder_linear.bias", &[n])?,
        w_dec: transposed(&decoder, d_in, n),
        b_dec: tensors.take("decoder_linear.bias", &[d_in])?,
        apply_b_dec_to_input: false,
        record: imported("Goodfire", BTreeMap::new()),
    };
    tensors.finish()?;
    Sae::new(parts)
}
