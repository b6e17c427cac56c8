//! The tensors and settings of an SAE, checked.

use crate::error::{Error, Result};

use super::normalisation::Normalisation;
use super::record::TrainingRecord;

/// The function from pre-activations to activations.
///
/// With `x' = x - s * b_dec` and `p = x' W_enc + b_enc`, the formulas stand at each variant.
#[derive(Clone, Debug, PartialEq)]
pub enum Architecture {
    /// `z = ReLU(p)`.
    Standard,
    /// The k largest `p` of the row, then ReLU; among equals the smaller latent is kept.
    TopK {
        /// Maximum active latents per row.
        k: usize,
        /// Whether latents compete by `p * ||W_dec row||` rather than by `p`.
        rescale_by_decoder_norm: bool,
    },
    /// `z = ReLU(p) * 1[p > threshold]`: the form that a batch-top-k SAE takes after training.
    BatchTopK {
        /// Mean active latents per row in training.
        k: usize,
        /// The moving average of the smallest kept activation.
        threshold: f32,
    },
    /// `z = ReLU(p) * 1[p > threshold_i]`, strictly above.
    JumpRelu {
        /// One threshold per latent, `[n_latents]`.
        threshold: Vec<f32>,
    },
    /// `z = 1[x' W_enc + b_gate > 0] * ReLU(x' (W_enc * exp(r_mag)) + b_mag)`; no `b_enc`.
    Gated {
        /// Bias of the gate, `[n_latents]`.
        b_gate: Vec<f32>,
        /// Bias of the magnitude, `[n_latents]`.
        b_mag: Vec<f32>,
        /// Logarithm of the magnitude's scale, `[n_latents]`.
        r_mag: Vec<f32>,
    },
    /// The latents are split into k equal groups in order; the largest `p` of each, then ReLU.
    GroupMax {
        /// Number of groups.
        k: usize,
    },
}

impl Architecture {
    /// The name used in configuration files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::TopK { .. } => "topk",
            Self::BatchTopK { .. } => "batchtopk",
            Self::JumpRelu { .. } => "jumprelu",
            Self::Gated { .. } => "gated",
            Self::GroupMax { .. } => "groupmax",
        }
    }

    /// The active latents of a row, at most or on average for batch-top-k, if the architecture sets
    /// it.
    pub fn k(&self) -> Option<usize> {
        match self {
            Self::TopK { k, .. } | Self::BatchTopK { k, .. } | Self::GroupMax { k } => Some(*k),
            Self::Standard | Self::JumpRelu { .. } | Self::Gated { .. } => None,
        }
    }
}

/// The tensors and settings that make an [`Sae`](super::Sae); all matrices row-major.
#[derive(Clone, Debug)]
pub struct SaeParts {
    /// The function from pre-activations to activations.
    pub architecture: Architecture,
    /// The normalisation of input vectors.
    pub normalisation: Normalisation,
    /// Length of the vectors.
    pub d_in: usize,
    /// `W_enc` transposed: one encoder direction per latent, `[n_latents, d_in]`.
    pub w_enc_t: Vec<f32>,
    /// `[n_latents]`; zeros for [`Architecture::Gated`].
    pub b_enc: Vec<f32>,
    /// One decoder direction per latent, `[n_latents, d_in]`.
    pub w_dec: Vec<f32>,
    /// `[d_in]`.
    pub b_dec: Vec<f32>,
    /// Whether the encoder subtracts `b_dec` (`s`).
    pub apply_b_dec_to_input: bool,
    /// The origin of the weights.
    pub record: TrainingRecord,
}

impl SaeParts {
    /// A top-k SAE without biases.
    #[cfg(test)]
    pub(super) fn plain(k: usize, d_in: usize, w_enc_t: Vec<f32>, w_dec: Vec<f32>) -> Self {
        Self {
            architecture: Architecture::TopK {
                k,
                rescale_by_decoder_norm: false,
            },
            normalisation: Normalisation::None,
            d_in,
            b_enc: vec![0.0; w_enc_t.len() / d_in],
            w_enc_t,
            w_dec,
            b_dec: vec![0.0; d_in],
            apply_b_dec_to_input: true,
            record: TrainingRecord::default(),
        }
    }

    /// Checks shapes, values and `k`.
    ///
    /// # Errors
    /// `InvalidArgument` naming the tensor or setting.
    pub(super) fn check(&self) -> Result<()> {
        let n_latents = self.b_enc.len();
        check_shapes(self, n_latents)?;
        if let Some(recurrence) = &self.record.recurrence {
            recurrence.check(n_latents)?;
        }
        check_architecture(&self.architecture, n_latents)
    }

    /// Every bias that is added to a projection before it is compared.
    pub(super) fn encoder_biases(&self) -> impl Iterator<Item = f32> + '_ {
        let gate: &[f32] = match &self.architecture {
            Architecture::Gated { b_gate, .. } => b_gate,
            _ => &[],
        };
        self.b_enc.iter().chain(gate).copied()
    }
}

fn check_shapes(parts: &SaeParts, n_latents: usize) -> Result<()> {
    if parts.d_in == 0 || n_latents == 0 || u32::try_from(n_latents).is_err() {
        return Err(Error::invalid(
            "sae",
            format!(
                "has d_in {} and {n_latents} latents; both must be at least 1",
                parts.d_in
            ),
        ));
    }
    let matrix = n_latents * parts.d_in;
    let mut tensors: Vec<(&str, &[f32], usize)> = vec![
        ("W_enc", &parts.w_enc_t, matrix),
        ("b_enc", &parts.b_enc, n_latents),
        ("W_dec", &parts.w_dec, matrix),
        ("b_dec", &parts.b_dec, parts.d_in),
    ];
    match &parts.architecture {
        Architecture::JumpRelu { threshold } => tensors.push(("threshold", threshold, n_latents)),
        Architecture::Gated {
            b_gate,
            b_mag,
            r_mag,
        } => tensors.extend([
            ("b_gate", b_gate.as_slice(), n_latents),
            ("b_mag", b_mag.as_slice(), n_latents),
            ("r_mag", r_mag.as_slice(), n_latents),
        ]),
        Architecture::Standard
        | Architecture::TopK { .. }
        | Architecture::BatchTopK { .. }
        | Architecture::GroupMax { .. } => {}
    }
    for (name, values, expected) in tensors {
        if values.len() != expected {
            return Err(Error::invalid(
                name,
                format!(
                    "has {} values; {n_latents} latents of {} need {expected}",
                    values.len(),
                    parts.d_in
                ),
            ));
        }
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::invalid(
                name,
                format!("value {at} is {}; weights must be finite", values[at]),
            ));
        }
    }
    Ok(())
}

fn check_architecture(architecture: &Architecture, n_latents: usize) -> Result<()> {
    match architecture {
        Architecture::TopK { k, .. } | Architecture::BatchTopK { k, .. }
            if *k == 0 || *k > n_latents =>
        {
            Err(Error::invalid(
                "k",
                format!("is {k}; must be between 1 and the {n_latents} latents"),
            ))
        }
        Architecture::GroupMax { k } if *k == 0 || !n_latents.is_multiple_of(*k) => {
            Err(Error::invalid(
                "k",
                format!("is {k}; must divide the {n_latents} latents into equal groups"),
            ))
        }
        Architecture::BatchTopK { threshold, .. } if !threshold.is_finite() => Err(Error::invalid(
            "threshold",
            format!("is {threshold}; must be finite"),
        )),
        _ => Ok(()),
    }
}
