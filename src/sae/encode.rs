//! Rows to codes, the same for every batch, thread count and machine.
//!
//! A fast matrix product chooses candidates; the products of the candidates are then computed again
//! in one fixed order and compared exactly. A bound on how far two orders of summation can differ
//! (Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.1) makes the candidates
//! contain every latent that the exact comparison could keep, so the code of a row is a function
//! of that row alone.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};
use crate::instructions::dispatched;
use crate::vectors::norm;

use super::codes::Codes;
use super::kernel;
use super::model::Sae;
use super::parts::Architecture;
use super::topk::{Selector, positions_at_least};

/// Rows per matrix product: enough to use the packed encoder, few enough to stay in cache.
const BLOCK_ROWS: usize = 128;
/// The unit roundoff of f32, 2^-24.
const UNIT: f64 = f32::EPSILON as f64 / 2.0;
/// Rows longer than this could overflow in a product.
const LONGEST: f64 = 1e15;

/// Reusable memory for encoding.
#[derive(Default)]
struct Scratch {
    inputs: Vec<f32>,
    norms: Vec<f64>,
    projections: Vec<f32>,
    candidates: Vec<u32>,
    exact: Vec<f32>,
    selector: Selector,
}

impl Sae {
    /// Encodes `vectors`, `[rows, d_in]` row-major, into `out`, whose old rows are removed.
    ///
    /// The result for a row is the same bits in any batch, on any number of threads and at any
    /// vector width.
    ///
    /// # Errors
    /// `InvalidArgument` when the length is no multiple of `d_in`, or naming the row that holds a
    /// value that is not finite or is too large (norm above 1e15).
    pub fn encode(&self, vectors: &[f32], out: &mut Codes) -> Result<()> {
        let rows = self.check_rows(vectors)?;
        out.clear();
        let mut scratch = Scratch::default();
        for start in (0..rows).step_by(BLOCK_ROWS) {
            self.encode_block(vectors, start, rows, &mut scratch, out)?;
        }
        Ok(())
    }

    /// [`Sae::encode`] on `threads` threads (0: one per core).
    ///
    /// # Errors
    /// Those of [`Sae::encode`].
    pub fn encode_parallel(&self, vectors: &[f32], threads: usize) -> Result<Codes> {
        let rows = self.check_rows(vectors)?;
        let starts: Vec<usize> = (0..rows).step_by(BLOCK_ROWS).collect();
        let mut codes = Codes::new();
        if threads == 1 || starts.len() <= 1 {
            self.encode(vectors, &mut codes)?;
            return Ok(codes);
        }
        let encode = |scratch: &mut Scratch, start: usize| {
            let mut codes = Codes::new();
            self.encode_block(vectors, start, rows, scratch, &mut codes)?;
            Ok(codes)
        };
        let blocks: Result<Vec<Codes>> = on_threads(threads, || {
            let starts = starts.into_par_iter();
            starts.map_init(Scratch::default, encode).collect()
        })?;
        for block in &blocks? {
            codes.append(block);
        }
        Ok(codes)
    }

    /// The number of rows in `vectors`.
    pub(super) fn check_rows(&self, vectors: &[f32]) -> Result<usize> {
        if !vectors.len().is_multiple_of(self.d_in()) {
            return Err(Error::invalid(
                "vectors",
                format!(
                    "{} values are not whole rows; this SAE takes rows of {}",
                    vectors.len(),
                    self.d_in()
                ),
            ));
        }
        Ok(vectors.len() / self.d_in())
    }

    fn encode_block(
        &self,
        vectors: &[f32],
        start: usize,
        rows: usize,
        scratch: &mut Scratch,
        out: &mut Codes,
    ) -> Result<()> {
        let (d, n) = (self.d_in(), self.n_latents());
        let end = (start + BLOCK_ROWS).min(rows);
        self.prepare(&vectors[start * d..end * d], start, scratch)?;
        scratch.projections.resize((end - start) * n, 0.0);
        kernel::project(
            &scratch.inputs,
            &self.parts.w_enc_t,
            d,
            &mut scratch.projections,
        );
        let mut projections = std::mem::take(&mut scratch.projections);
        let inputs = std::mem::take(&mut scratch.inputs);
        for (row, (x, p)) in inputs
            .chunks_exact(d)
            .zip(projections.chunks_exact_mut(n))
            .enumerate()
        {
            let norm = scratch.norms[row];
            self.encode_row(x, norm, p, scratch, out);
        }
        scratch.projections = projections;
        scratch.inputs = inputs;
        Ok(())
    }

    /// Normalises, subtracts `s * b_dec` and checks a block of rows.
    fn prepare(&self, vectors: &[f32], first: usize, scratch: &mut Scratch) -> Result<()> {
        let d = self.d_in();
        scratch.inputs.resize(vectors.len(), 0.0);
        scratch.norms.clear();
        for (row, (x, input)) in vectors
            .chunks_exact(d)
            .zip(scratch.inputs.chunks_exact_mut(d))
            .enumerate()
        {
            if let Some(at) = x.iter().position(|v| !v.is_finite()) {
                return Err(Error::invalid(
                    format!("vectors[{}]", first + row),
                    format!("value {at} is {}; all must be finite", x[at]),
                ));
            }
            self.normalise(x, input);
            if self.parts.apply_b_dec_to_input {
                for (value, bias) in input.iter_mut().zip(&self.parts.b_dec) {
                    *value -= bias;
                }
            }
            let length = norm(input);
            if length * self.encoder_norm_max.max(1.0) > LONGEST {
                return Err(Error::invalid(
                    format!("vectors[{}]", first + row),
                    format!("has norm {length:e}, which is too large to encode"),
                ));
            }
            scratch.norms.push(length);
        }
        Ok(())
    }

    /// The code of one prepared row `x`, from its projections `p = x W_enc` without bias.
    fn encode_row(
        &self,
        x: &[f32],
        norm: f64,
        p: &mut [f32],
        scratch: &mut Scratch,
        out: &mut Codes,
    ) {
        let tolerance = self.tolerance(norm);
        let b_enc = &self.parts.b_enc;
        let Scratch {
            candidates,
            exact,
            selector,
            ..
        } = scratch;
        candidates.clear();
        match &self.parts.architecture {
            Architecture::TopK {
                k,
                rescale_by_decoder_norm: false,
            } => {
                let floor = selector.floor(p, b_enc, *k);
                positions_at_least(p, floor - 2.0 * tolerance, candidates);
                self.exact_sums(x, candidates, exact);
                let kept = selector.keep(candidates, exact, *k);
                out.push_row(kept.filter(|(_, value)| *value > 0.0));
            }
            Architecture::TopK {
                k,
                rescale_by_decoder_norm: true,
            } => {
                add_bias_and_scale(p, b_enc, &self.decoder_norms);
                let largest = self.decoder_norms.iter().copied().fold(0.0, f32::max);
                let floor = selector.floor(p, &vec![0.0; p.len()], *k);
                positions_at_least(p, floor - 2.0 * tolerance * largest, candidates);
                self.exact_sums(x, candidates, exact);
                let scores: Vec<f32> = candidates
                    .iter()
                    .zip(exact.iter())
                    .map(|(latent, value)| value * self.decoder_norms[*latent as usize])
                    .collect();
                let chosen: Vec<u32> = selector
                    .keep(candidates, &scores, *k)
                    .map(|(latent, _)| latent)
                    .collect();
                self.exact_sums(x, &chosen, exact);
                push_positive(&chosen, exact, out);
            }
            Architecture::Standard => self.thresholded(x, p, scratch, out, tolerance, |_| 0.0),
            Architecture::BatchTopK { threshold, .. } => {
                self.thresholded(x, p, scratch, out, tolerance, |_| *threshold);
            }
            Architecture::JumpRelu { threshold } => {
                self.thresholded(x, p, scratch, out, tolerance, |latent| threshold[latent]);
            }
            Architecture::Gated {
                b_gate,
                b_mag,
                r_mag,
            } => {
                for (latent, (value, bias)) in (0u32..).zip(p.iter().zip(b_gate)) {
                    if value + bias > -tolerance {
                        candidates.push(latent);
                    }
                }
                exact.resize(candidates.len(), 0.0);
                kernel::dot_chosen(x, &self.parts.w_enc_t, candidates, exact);
                out.push_row(candidates.iter().zip(exact.iter()).filter_map(
                    |(latent, projection)| {
                        let at = *latent as usize;
                        let magnitude = projection * r_mag[at].exp() + b_mag[at];
                        (projection + b_gate[at] > 0.0 && magnitude > 0.0)
                            .then_some((*latent, magnitude))
                    },
                ));
            }
            Architecture::GroupMax { k } => {
                add_bias(p, b_enc);
                self.group_maxima(x, p, *k, tolerance, scratch, out);
            }
        }
    }

    /// `z = ReLU(p) * 1[p > threshold(latent)]`.
    fn thresholded(
        &self,
        x: &[f32],
        p: &mut [f32],
        scratch: &mut Scratch,
        out: &mut Codes,
        tolerance: f32,
        threshold: impl Fn(usize) -> f32,
    ) {
        for (latent, (value, bias)) in (0u32..).zip(p.iter().zip(&self.parts.b_enc)) {
            if value + bias > threshold(latent as usize).max(0.0) - tolerance {
                scratch.candidates.push(latent);
            }
        }
        self.exact_sums(x, &scratch.candidates, &mut scratch.exact);
        out.push_row(
            scratch
                .candidates
                .iter()
                .zip(&scratch.exact)
                .filter(|(latent, value)| **value > 0.0 && **value > threshold(**latent as usize))
                .map(|(latent, value)| (*latent, *value)),
        );
    }

    /// The largest of each of `k` groups of sums `p`, the first among equals, then ReLU.
    fn group_maxima(
        &self,
        x: &[f32],
        p: &[f32],
        k: usize,
        tolerance: f32,
        scratch: &mut Scratch,
        out: &mut Codes,
    ) {
        let size = p.len() / k;
        let mut code = Vec::with_capacity(k);
        let mut first = 0u32;
        for group in p.chunks_exact(size) {
            let top = group.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            scratch.candidates.clear();
            positions_at_least(group, top - 2.0 * tolerance, &mut scratch.candidates);
            for position in &mut scratch.candidates {
                *position += first;
            }
            self.exact_sums(x, &scratch.candidates, &mut scratch.exact);
            code.extend(
                scratch
                    .selector
                    .keep(&scratch.candidates, &scratch.exact, 1)
                    .filter(|(_, value)| *value > 0.0),
            );
            first += size as u32;
        }
        out.push_row(code);
    }

    /// `x . W_enc[:, i] + b_enc[i]` of the chosen latents, in the fixed order of summation.
    fn exact_sums(&self, x: &[f32], chosen: &[u32], values: &mut Vec<f32>) {
        values.resize(chosen.len(), 0.0);
        kernel::dot_chosen(x, &self.parts.w_enc_t, chosen, values);
        for (value, latent) in values.iter_mut().zip(chosen) {
            *value += self.parts.b_enc[*latent as usize];
        }
    }

    /// How far two orders of summation can put `x . w + b` apart, for any latent, `||x|| = norm`.
    ///
    /// Each is within `(d + 2) u (||x|| ||w|| + |b|)` of the exact sum, u the unit roundoff; two
    /// more roundings cover the scaling by decoder norms.
    fn tolerance(&self, norm: f64) -> f32 {
        let products = (self.d_in() + 6) as f64 * norm * self.encoder_norm_max;
        let bias = 4.0 * self.largest_bias;
        (2.02 * UNIT * (products + bias)) as f32 + f32::MIN_POSITIVE
    }
}

dispatched! {
    fn add_bias(values: &mut [f32], bias: &[f32]) {
        for (value, bias) in values.iter_mut().zip(bias) {
            *value += bias;
        }
    }
}

dispatched! {
    fn add_bias_and_scale(values: &mut [f32], bias: &[f32], scale: &[f32]) {
        for ((value, bias), scale) in values.iter_mut().zip(bias).zip(scale) {
            *value = (*value + bias) * scale;
        }
    }
}

fn push_positive(latents: &[u32], values: &[f32], out: &mut Codes) {
    out.push_row(
        latents
            .iter()
            .copied()
            .zip(values.iter().copied())
            .filter(|(_, value)| *value > 0.0),
    );
}

/// Runs `work` with `threads` threads for what it does in parallel; 0 is one per core.
pub(super) fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    if threads == 0 {
        return Ok(work());
    }
    Ok(pool(threads)?.install(work))
}

/// A pool of `threads` threads; 0 is one per core.
pub(super) fn pool(threads: usize) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads);
    pool.thread_name(|index| format!("sae-{index}"))
        .build()
        .map_err(|error| Error::internal("no threads for the SAE").with_source(error))
}
