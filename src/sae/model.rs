//! What an SAE is: its tensors, its architecture and its decoder.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::reading::Reading;

use super::codes::Codes;
use super::format;
use super::kernel;
use super::record::TrainingRecord;

/// How pre-activations become activations.
///
/// With `x' = x - s * b_dec` and `p = x' W_enc + b_enc`, the formulas stand at each variant.
#[derive(Clone, Debug, PartialEq)]
pub enum Architecture {
    /// `z = ReLU(p)`.
    Standard,
    /// The k largest `p` of the row, then ReLU; among equals the smaller latent is kept.
    TopK {
        /// How many latents a row keeps at most.
        k: usize,
        /// Whether latents compete by `p * ||W_dec row||` rather than by `p`.
        rescale_by_decoder_norm: bool,
    },
    /// `z = ReLU(p) * 1[p > threshold]`: the form that a batch-top-k SAE takes after training.
    BatchTopK {
        /// How many latents a row kept on average in training.
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
        /// How many groups there are.
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
}

/// What is done to a vector before the encoder and undone after the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// Nothing.
    #[default]
    None,
    /// `x * sqrt(d_in) / ||x||`.
    ConstantNormRescale,
    /// `(x - mean) / (std + 1e-5)` with the unbiased standard deviation of the row.
    LayerNorm,
}

impl Normalisation {
    /// The name used in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ConstantNormRescale => "constant_norm_rescale",
            Self::LayerNorm => "layer_norm",
        }
    }

    /// Writes the normalised row and returns what undoes it.
    pub(super) fn apply(self, x: &[f32], out: &mut [f32]) -> RowScale {
        let d = x.len() as f64;
        match self {
            Self::None => {
                out.copy_from_slice(x);
                RowScale {
                    scale: 1.0,
                    shift: 0.0,
                }
            }
            Self::ConstantNormRescale => {
                let norm = kernel::norm(x);
                let factor = if norm > 0.0 { d.sqrt() / norm } else { 1.0 };
                for (o, v) in out.iter_mut().zip(x) {
                    *o = (f64::from(*v) * factor) as f32;
                }
                RowScale {
                    scale: (1.0 / factor) as f32,
                    shift: 0.0,
                }
            }
            Self::LayerNorm => {
                let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / d;
                let squares = x
                    .iter()
                    .map(|v| (f64::from(*v) - mean).powi(2))
                    .sum::<f64>();
                let std = (squares / (d - 1.0).max(1.0)).sqrt();
                for (o, v) in out.iter_mut().zip(x) {
                    *o = ((f64::from(*v) - mean) / (std + 1e-5)) as f32;
                }
                // SAELens multiplies by the standard deviation without the 1e-5.
                RowScale {
                    scale: std as f32,
                    shift: mean as f32,
                }
            }
        }
    }
}

/// What undoes the normalisation of one row: `x = normalised * scale + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RowScale {
    pub scale: f32,
    pub shift: f32,
}

/// The tensors and settings that make an [`Sae`]; all matrices row-major.
#[derive(Clone, Debug)]
pub struct SaeParts {
    /// How pre-activations become activations.
    pub architecture: Architecture,
    /// What is done to a vector first.
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
    /// Where the weights came from.
    pub record: TrainingRecord,
}

/// A sparse autoencoder: `z = f((x - s b_dec) W_enc + b_enc)`, `x_hat = z W_dec + b_dec`.
///
/// Immutable once made; share it through an `Arc`.
#[derive(Clone, Debug)]
pub struct Sae {
    pub(super) parts: SaeParts,
    pub(super) n_latents: usize,
    /// Norms of the decoder rows, `[n_latents]`.
    pub(super) decoder_norms: Vec<f32>,
    /// The largest norm of an encoder direction, for the error bound of candidate selection.
    pub(super) encoder_norm_max: f64,
    /// The largest absolute encoder bias, for the same bound.
    pub(super) largest_bias: f64,
    hash: String,
}

impl Sae {
    /// Bytes of its weights in memory.
    pub fn memory_bytes(&self) -> u64 {
        let parts = &self.parts;
        let values =
            parts.w_enc_t.len() + parts.w_dec.len() + parts.b_enc.len() + parts.b_dec.len();
        (4 * (values + self.decoder_norms.len())) as u64
    }

    /// An SAE of the given parts.
    ///
    /// # Errors
    /// `InvalidArgument` naming the tensor when shapes disagree, a value is not finite, or `k` does
    /// not fit.
    pub fn new(parts: SaeParts) -> Result<Self> {
        let n_latents = parts.b_enc.len();
        check_shapes(&parts, n_latents)?;
        check_architecture(&parts.architecture, n_latents)?;
        let decoder_norms = parts
            .w_dec
            .chunks_exact(parts.d_in)
            .map(|row| kernel::norm(row) as f32)
            .collect();
        let encoder_norm_max = parts
            .w_enc_t
            .chunks_exact(parts.d_in)
            .map(kernel::norm)
            .fold(0.0, f64::max);
        let largest_bias = encoder_biases(&parts)
            .map(|b| f64::from(b.abs()))
            .fold(0.0, f64::max);
        let mut sae = Self {
            parts,
            n_latents,
            decoder_norms,
            encoder_norm_max,
            largest_bias,
            hash: String::new(),
        };
        sae.hash = sae.identity()?;
        Ok(sae)
    }

    /// The hash of weights and settings: equal weights used in two ways are two SAEs.
    fn identity(&self) -> Result<String> {
        let rescales = matches!(
            self.parts.architecture,
            Architecture::TopK {
                rescale_by_decoder_norm: true,
                ..
            }
        );
        let settings = format!(
            "{} k={:?} rescale={rescales} b_dec={} {}",
            self.parts.architecture.name(),
            self.k(),
            self.parts.apply_b_dec_to_input,
            self.parts.normalisation.name(),
        );
        let mut digest = Sha256::new();
        digest.update(format::sae_lens::weights(self)?);
        digest.update(settings.as_bytes());
        Ok(hex(&digest.finalize()))
    }

    /// Loads an SAE from a directory; [`mod@format`] says which layouts are read.
    ///
    /// # Errors
    /// `NotFound` when the directory holds none, `InvalidArgument` naming what is not understood,
    /// `Corrupted` when the weights do not match their configuration.
    pub fn load(dir: &std::path::Path) -> Result<Self> {
        format::load(dir)
    }

    /// Checks that an SAE can be saved to a directory: there is none, it is empty, or it holds an
    /// SAE, which saving replaces. Asked before a long training, not after it.
    ///
    /// # Errors
    /// `InvalidArgument` where it is a file, or holds something else.
    pub fn check_destination(dir: &std::path::Path) -> Result<()> {
        format::sae_lens::check_destination(dir)
    }

    /// Saves as `cfg.json` and `sae_weights.safetensors` (SAELens' layout), durable and whole.
    ///
    /// # Errors
    /// `InvalidArgument` for an architecture the layout cannot hold and as
    /// [`Self::check_destination`]; `Internal` when writing fails.
    pub fn save(&self, dir: &std::path::Path) -> Result<()> {
        format::sae_lens::save(self, dir)
    }

    /// Length of the vectors this SAE takes.
    pub fn d_in(&self) -> usize {
        self.parts.d_in
    }

    /// How many latents it has.
    pub fn n_latents(&self) -> usize {
        self.n_latents
    }

    /// How many latents a row keeps (at most, or on average for batch-top-k), where that is set.
    pub fn k(&self) -> Option<usize> {
        match &self.parts.architecture {
            Architecture::TopK { k, .. }
            | Architecture::BatchTopK { k, .. }
            | Architecture::GroupMax { k } => Some(*k),
            Architecture::Standard | Architecture::JumpRelu { .. } | Architecture::Gated { .. } => {
                None
            }
        }
    }

    /// How pre-activations become activations.
    pub fn architecture(&self) -> &Architecture {
        &self.parts.architecture
    }

    /// What is done to a vector before the encoder and undone after the decoder.
    pub fn normalisation(&self) -> Normalisation {
        self.parts.normalisation
    }

    /// Whether the encoder subtracts `b_dec` (`s`).
    pub fn apply_b_dec_to_input(&self) -> bool {
        self.parts.apply_b_dec_to_input
    }

    /// SHA-256 of the weights file that [`Sae::save`] writes and of how they are used (architecture,
    /// k, normalisation, what is subtracted first), in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Where the weights came from.
    pub fn record(&self) -> &TrainingRecord {
        &self.parts.record
    }

    /// Adds a fact to the record: the embedder, the corpus. Weights and hash stay as they are.
    pub fn set_about(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.parts.record.about.insert(key.into(), value.into());
    }

    /// Says what the SAE reads, where its training could not know. Weights and hash stay as they
    /// are.
    pub fn set_reading(&mut self, reading: Reading) {
        self.parts.record.reading = Some(reading);
    }

    /// The tensors and settings.
    pub fn parts(&self) -> &SaeParts {
        &self.parts
    }

    /// The decoder direction of a latent as stored, `[d_in]`.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such latent.
    pub fn decoder_row(&self, latent: u32) -> Result<&[f32]> {
        self.row_of(&self.parts.w_dec, latent)
    }

    /// The encoder direction of a latent (a column of `W_enc`), `[d_in]`.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such latent.
    pub fn encoder_row(&self, latent: u32) -> Result<&[f32]> {
        self.row_of(&self.parts.w_enc_t, latent)
    }

    /// The decoder direction of a latent with norm 1, `[d_in]`; zeros when the row is zero.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such latent.
    pub fn direction(&self, latent: u32) -> Result<Vec<f32>> {
        let row = self.decoder_row(latent)?;
        let norm = kernel::norm(row);
        let factor = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        Ok(row
            .iter()
            .map(|v| (f64::from(*v) * factor) as f32)
            .collect())
    }

    /// Reconstructions `z W_dec + b_dec` of codes, `[rows, d_in]` row-major.
    ///
    /// With a [`Normalisation`] these are in the normalised space; [`Sae::reconstruct`] comes back.
    ///
    /// # Errors
    /// `InvalidArgument` when a code names a latent that does not exist.
    pub fn decode(&self, codes: &Codes) -> Result<Vec<f32>> {
        if let Some(latent) = codes
            .latents()
            .iter()
            .find(|l| **l as usize >= self.n_latents)
        {
            return Err(self.no_such_latent(*latent));
        }
        let mut out = vec![0.0; codes.rows() * self.d_in()];
        for (row, (latents, activations)) in out.chunks_exact_mut(self.d_in()).zip(codes.iter()) {
            kernel::combine(
                &self.parts.b_dec,
                &self.parts.w_dec,
                latents,
                activations,
                row,
                1.0,
            );
        }
        Ok(out)
    }

    /// Encodes and decodes: `x_hat` of every row in the space of the input, with the codes.
    ///
    /// # Errors
    /// Those of [`Sae::encode`].
    pub fn reconstruct(&self, vectors: &[f32], threads: usize) -> Result<(Vec<f32>, Codes)> {
        let codes = self.encode_parallel(vectors, threads)?;
        let out = self.restore(vectors, &codes)?;
        Ok((out, codes))
    }

    /// `x_hat` of codes in the space of the input: decoded, then the normalisation of the vectors
    /// they belong to undone.
    ///
    /// # Errors
    /// `InvalidArgument` when a code names a latent that does not exist.
    pub fn restore(&self, vectors: &[f32], codes: &Codes) -> Result<Vec<f32>> {
        let mut out = self.decode(codes)?;
        if self.parts.normalisation != Normalisation::None {
            let mut unused = vec![0.0; self.d_in()];
            for (row, x) in out
                .chunks_exact_mut(self.d_in())
                .zip(vectors.chunks_exact(self.d_in()))
            {
                let back = self.normalise(x, &mut unused);
                for value in row {
                    *value = *value * back.scale + back.shift;
                }
            }
        }
        Ok(out)
    }

    /// Writes the normalised row and returns what undoes it.
    pub(super) fn normalise(&self, x: &[f32], out: &mut [f32]) -> RowScale {
        self.parts.normalisation.apply(x, out)
    }

    fn row_of<'a>(&self, matrix: &'a [f32], latent: u32) -> Result<&'a [f32]> {
        matrix
            .chunks_exact(self.d_in())
            .nth(latent as usize)
            .ok_or_else(|| self.no_such_latent(latent))
    }

    pub(super) fn no_such_latent(&self, latent: u32) -> Error {
        Error::invalid(
            "latent",
            format!(
                "{latent} does not exist; this SAE has latents 0 to {}",
                self.n_latents - 1
            ),
        )
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

/// Every bias that is added to a projection before it is compared.
fn encoder_biases(parts: &SaeParts) -> impl Iterator<Item = f32> + '_ {
    let gate: &[f32] = match &parts.architecture {
        Architecture::Gated { b_gate, .. } => b_gate,
        _ => &[],
    };
    parts.b_enc.iter().chain(gate).copied()
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
