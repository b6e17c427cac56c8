//! A sparse autoencoder: its tensors, its hash and its decoder.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::reading::Reading;
use crate::vectors::{norm, unit};

use super::codes::Codes;
use super::kernel;
use super::normalisation::{Normalisation, RowScale};
use super::parts::{Architecture, SaeParts};
use super::record::{Recurrence, TrainingRecord};
use super::weights;

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
    weights_hash: String,
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
        parts.check()?;
        let decoder_norms = parts
            .w_dec
            .chunks_exact(parts.d_in)
            .map(|row| norm(row) as f32)
            .collect();
        let encoder_norm_max = parts
            .w_enc_t
            .chunks_exact(parts.d_in)
            .map(norm)
            .fold(0.0, f64::max);
        let largest_bias = parts
            .encoder_biases()
            .map(|b| f64::from(b.abs()))
            .fold(0.0, f64::max);
        let weights_hash = weights_hash(&parts)?;
        Ok(Self {
            hash: identity(&weights_hash, &parts.record),
            weights_hash,
            n_latents: parts.b_enc.len(),
            parts,
            decoder_norms,
            encoder_norm_max,
            largest_bias,
        })
    }

    /// Length of the vectors this SAE takes.
    pub fn d_in(&self) -> usize {
        self.parts.d_in
    }

    /// Number of latents.
    pub fn n_latents(&self) -> usize {
        self.n_latents
    }

    /// The active latents of a row, at most or on average for batch-top-k, if the architecture sets
    /// it.
    pub fn k(&self) -> Option<usize> {
        self.parts.architecture.k()
    }

    /// The function from pre-activations to activations.
    pub fn architecture(&self) -> &Architecture {
        &self.parts.architecture
    }

    /// The normalisation of a vector, applied before the encoder and undone after the decoder.
    pub fn normalisation(&self) -> Normalisation {
        self.parts.normalisation
    }

    /// Whether the encoder subtracts `b_dec` (`s`).
    pub fn apply_b_dec_to_input(&self) -> bool {
        self.parts.apply_b_dec_to_input
    }

    /// SHA-256 of the weights file that [`format::save`](super::format::save) writes, of how they are used (architecture,
    /// k, normalisation, what is subtracted first) and of what the record says that they read, in
    /// hexadecimal: what fits an SAE depends on all three.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The origin of the weights.
    pub fn record(&self) -> &TrainingRecord {
        &self.parts.record
    }

    /// Mean of the rows it was trained on, where its record has that.
    pub fn training_mean(&self) -> Option<&[f32]> {
        let mean = self.record().report.as_ref()?.mean.as_deref()?;
        (mean.len() == self.d_in()).then_some(mean)
    }

    /// Whether thresholds decide how many latents are active, so that their number says how well it
    /// suits what it reads.
    pub fn has_thresholds(&self) -> bool {
        !matches!(
            self.parts.architecture,
            Architecture::TopK { .. } | Architecture::GroupMax { .. }
        )
    }

    /// Adds a fact to the record: the embedder, the corpus. The hash changes where it is one of what
    /// the SAE reads.
    pub fn set_about(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.parts.record.about.insert(key.into(), value.into());
        self.hash = identity(&self.weights_hash, &self.parts.record);
    }

    /// Says what the SAE reads, where its training could not know; the hash is that of the SAE that
    /// reads it.
    pub fn set_reading(&mut self, reading: Reading) {
        self.parts.record.reading = Some(reading);
        self.hash = identity(&self.weights_hash, &self.parts.record);
    }

    /// Says how often its latents come back; the hash stays.
    ///
    /// # Errors
    /// `InvalidArgument` where that is of another number of latents.
    pub fn set_recurrence(&mut self, recurrence: Recurrence) -> Result<()> {
        recurrence.check(self.n_latents)?;
        self.parts.record.recurrence = Some(recurrence);
        Ok(())
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
        Ok(unit(self.decoder_row(latent)?))
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

/// The hash of an SAE: that of its weights, and of what it reads where the record says so.
fn identity(weights_hash: &str, record: &TrainingRecord) -> String {
    match record.reads() {
        Some(reads) => hex(Sha256::digest(format!("{weights_hash} {reads}"))),
        None => weights_hash.to_owned(),
    }
}

/// The hash of weights and settings: equal weights used in two ways are two SAEs.
fn weights_hash(parts: &SaeParts) -> Result<String> {
    let rescales = matches!(
        parts.architecture,
        Architecture::TopK {
            rescale_by_decoder_norm: true,
            ..
        }
    );
    let settings = format!(
        "{} k={:?} rescale={rescales} b_dec={} {}",
        parts.architecture.name(),
        parts.architecture.k(),
        parts.apply_b_dec_to_input,
        parts.normalisation.name(),
    );
    let mut digest = Sha256::new();
    digest.update(weights::to_bytes(parts)?);
    digest.update(settings.as_bytes());
    Ok(hex(digest.finalize()))
}

#[cfg(test)]
mod tests;
