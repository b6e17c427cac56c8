//! One step of training: the loss of a batch and its gradient, derived by hand.
//!
//! With `c = x - b_dec`, `p = c W_enc + b_enc`, `z` the k largest `p` after ReLU and
//! `r = z W_dec - c = x_hat - x`, the loss is `Σ‖r‖² / V + α Σ‖a‖² / V'` (O'Neill et al. 2024), where
//! `V = Σ‖x - mean(x)‖²`, `a = z' W_dec + r` is what the dead latents `z'` leave of the residual
//! `-r`, which is taken as a constant, and `V'` is the spread of the residuals. So
//!
//! - `∂/∂z_i = 2/V r·W_dec[i]` where `z_i > 0`, and the same with `a`, `α/V'` for dead latents;
//! - `∂/∂W_dec[i] = Σ 2/V z_i r`, `∂/∂W_enc[:, i] = Σ ∂z_i c`, `∂/∂b_enc[i] = Σ ∂z_i`;
//! - `∂/∂b_dec = Σ 2/V r - Σ_i ∂b_enc[i] W_enc[:, i]`: the decoder's part and, through `c`, the
//!   encoder's. AuxK decodes without bias, so it adds to the second only.
//!
//! Rows work in blocks of a fixed size and latents in their own order, so that sums do not depend
//! on the number of threads.
//!
//! With pairs of rows the loss has `γ` times the term of `contrast` too, whose gradient is added to `∂z`.
//!
//! With Matryoshka prefixes the first term is the mean of the prefixes' NMSE, so `r` at latent `i`
//! stands for the sum of the residuals of all prefixes that hold `i`, over the number of prefixes.

use std::sync::Mutex;

use rayon::prelude::*;

use crate::instructions::dispatched;
use crate::sae::kernel;
use crate::vectors::norm;

use super::contrast;
use super::forward::{BLOCK_ROWS, Block, Scratch, StepInput, Sums};
use super::kept::Keep;
use super::parameters::Parameters;
use super::select;

/// Latents per unit of parallel work.
pub(super) const CHUNK_LATENTS: usize = 64;

/// One activation of one latent, for the backward pass.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// Row of the batch, with [`DEAD`] set for AuxK.
    row: u32,
    /// `z` times the factor of its loss.
    activation: f32,
    /// `∂z`, the factor included.
    gradient: f32,
}

/// Marks an [`Entry`] of the auxiliary loss.
const DEAD: u32 = 1 << 31;

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct StepOutput {
    /// NMSE of the batch with all latents.
    pub fvu: f64,
    /// The first part of the loss: `fvu`, or the mean over Matryoshka prefixes.
    pub nmse: f64,
    /// AuxK's NMSE without its weight.
    pub aux: f64,
    /// The contrastive term without its weight; 0 without pairs.
    pub contrast: f64,
    /// Mean number of active latents.
    pub l0: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// The smallest activation that was kept, where one was.
    pub smallest: Option<f32>,
}

/// Memory for steps of one shape, and the gradient that [`Backprop::run`] leaves.
pub(super) struct Backprop {
    n: usize,
    d: usize,
    blocks: Vec<Block>,
    scratch: Mutex<Vec<Scratch>>,
    starts: Vec<u32>,
    entries: Vec<Entry>,
    bias: Vec<f32>,
    norms: Vec<f64>,
    through_input: Vec<f32>,
    /// The gradient; rows of latents that were in no code are left as they were.
    pub gradient: Parameters,
}

impl Backprop {
    pub fn new(n: usize, d: usize) -> Self {
        let chunks = n.div_ceil(CHUNK_LATENTS);
        Self {
            n,
            d,
            blocks: Vec::new(),
            scratch: Mutex::new(Vec::new()),
            starts: vec![0; n + 1],
            entries: Vec::new(),
            bias: vec![0.0; n],
            norms: vec![0.0; n],
            through_input: vec![0.0; chunks * d],
            gradient: Parameters::zeros(n, d),
        }
    }

    /// Whether a latent was in the code of any row of the last step, AuxK included: where it was
    /// not, its gradient is zero.
    pub fn touched(&self, latent: usize) -> bool {
        self.starts[latent] < self.starts[latent + 1]
    }

    /// Calls `f` for every latent that the top-k kept in the last step (AuxK does not count).
    pub fn for_each_kept(&self, mut f: impl FnMut(u32)) {
        for block in &self.blocks {
            for row in 0..block.sums.rows {
                block.live.latents[block.live.range(row)]
                    .iter()
                    .for_each(|latent| f(*latent));
            }
        }
    }

    /// Computes loss and gradient of a batch. Runs on the rayon pool it is called in.
    pub fn run(&mut self, weights: &Parameters, input: &StepInput) -> StepOutput {
        let sums = self.forward(weights, input);
        let rows = input.rows.len() as f64;
        let spread = |squares: f64, sum: &[f32]| {
            let centre = sum.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / rows;
            (squares - centre).max(f64::MIN_POSITIVE)
        };
        let variance = spread(sums.input_squares, &sums.input);
        let live_factor = (2.0 / variance) as f32;
        let (aux, dead_factor) = if input.dead.is_empty() {
            (0.0, 0.0)
        } else {
            let variance = spread(sums.residual_squares, &sums.residual);
            (
                sums.left_squares / variance,
                (2.0 * f64::from(input.aux_alpha) / variance) as f32,
            )
        };
        let contrast = if input.pairs.is_empty() {
            0.0
        } else {
            let row_of = |at: u32| input.rows[at as usize];
            let same = |a: usize, b: usize| row_of(input.pairs[a].0) == row_of(input.pairs[b].1);
            // What is gathered takes the live factor.
            let factor = input.contrast / live_factor;
            contrast::add(&mut self.blocks, input.pairs, same, self.n, factor)
        };
        self.gather(live_factor, dead_factor);
        self.backward(weights, input.prefixes);
        let g_b_dec = &mut self.gradient.b_dec;
        let (residuals, squares) = if input.prefixes.is_empty() {
            (&sums.residual, sums.residual_squares)
        } else {
            (&sums.prefix_residual, sums.prefix_squares)
        };
        for (g, residual) in g_b_dec.iter_mut().zip(residuals) {
            *g = live_factor * residual;
        }
        for part in self.through_input.chunks_exact(self.d) {
            for (g, value) in g_b_dec.iter_mut().zip(part) {
                *g -= value;
            }
        }
        let gradient = self.norms.iter().sum::<f64>() + norm(g_b_dec).powi(2);
        StepOutput {
            fvu: sums.residual_squares / variance,
            nmse: squares / variance,
            aux,
            contrast,
            l0: sums.active as f64 / rows,
            gradient_norm: gradient.sqrt(),
            smallest: self.smallest(),
        }
    }

    /// The smallest activation of the last step that was kept.
    fn smallest(&self) -> Option<f32> {
        let kept = self.blocks.iter().flat_map(|block| {
            (0..block.sums.rows).flat_map(|row| &block.live.activations[block.live.range(row)])
        });
        kept.copied()
            .filter(|value| *value > 0.0)
            .min_by(f32::total_cmp)
    }

    /// The mean, over batches of `rows`, of the smallest activation that a batch keeps: the
    /// threshold that a batch-top-k SAE has without a batch.
    pub fn threshold(
        &mut self,
        weights: &Parameters,
        vectors: &[f32],
        rows: &[u32],
        batch: usize,
        k: usize,
    ) -> Option<f32> {
        let (mut sum, mut count) = (0.0, 0);
        for batch in rows.chunks_exact(batch.min(rows.len()).max(1)) {
            let keep = Keep::BatchTopK { k, floor: 0.0 };
            self.forward(weights, &StepInput::plain(vectors, batch, keep));
            if let Some(smallest) = self.smallest() {
                sum += f64::from(smallest);
                count += 1;
            }
        }
        (count > 0).then(|| (sum / f64::from(count)) as f32)
    }

    /// `Σ‖x_hat - x‖²` and `Σ‖x‖²`, `Σx` about `b_dec`, of rows, without gradients: for held-out
    /// rows during training. Returns NMSE over all `rows`.
    pub fn fvu(&mut self, weights: &Parameters, vectors: &[f32], rows: &[u32], keep: Keep) -> f64 {
        let mut residual = 0.0;
        let mut squares = 0.0;
        let mut mean = vec![0.0f64; self.d];
        for batch in rows.chunks(1024) {
            let sums = self.forward(weights, &StepInput::plain(vectors, batch, keep));
            residual += sums.residual_squares;
            squares += sums.input_squares;
            for (m, v) in mean.iter_mut().zip(&sums.input) {
                *m += f64::from(*v);
            }
        }
        let centre = mean.iter().map(|v| v * v).sum::<f64>() / rows.len() as f64;
        residual / (squares - centre).max(f64::MIN_POSITIVE)
    }

    fn forward(&mut self, weights: &Parameters, input: &StepInput) -> Sums {
        let d = self.d;
        self.bias.copy_from_slice(&weights.b_enc);
        for (bias, handicap) in self.bias.iter_mut().zip(input.handicap) {
            *bias += handicap;
        }
        let count = input.rows.len().div_ceil(BLOCK_ROWS);
        self.blocks.resize_with(count, Block::default);
        let (scratches, bias) = (&self.scratch, &self.bias);
        self.blocks
            .par_iter_mut()
            .zip(input.rows.par_chunks(BLOCK_ROWS))
            .enumerate()
            .for_each(|(index, (block, rows))| {
                let lock = |pool: &Mutex<Vec<Scratch>>| {
                    pool.lock()
                        .map(|mut pool| pool.pop())
                        .unwrap_or_default()
                        .unwrap_or_default()
                };
                let mut scratch = lock(scratches);
                block.load(weights, input, rows, index, d);
                block.encode(weights, input, bias, &mut scratch);
                if let Keep::TopK(_) = input.keep {
                    block.decode(weights, d, input.prefixes, !input.dead.is_empty());
                }
                if let Ok(mut pool) = scratches.lock() {
                    pool.push(scratch);
                }
            });
        if !matches!(input.keep, Keep::TopK(_)) {
            if let Some(lower) = select::keep_of_batch(&mut self.blocks, input.keep) {
                // The floor was above the smallest that is kept.
                let input = &StepInput {
                    keep: lower,
                    ..*input
                };
                return self.forward(weights, input);
            }
            self.blocks.par_iter_mut().for_each(|block| {
                block.decode(weights, d, input.prefixes, !input.dead.is_empty());
            });
        }
        let mut total = Sums {
            input: vec![0.0; d],
            residual: vec![0.0; d],
            prefix_residual: vec![0.0; if input.prefixes.is_empty() { 0 } else { d }],
            ..Sums::default()
        };
        for block in &self.blocks {
            total.add(&block.sums);
        }
        total
    }

    /// Lists the activations of every latent, rows ascending.
    fn gather(&mut self, live_factor: f32, dead_factor: f32) {
        self.starts.fill(0);
        for block in &self.blocks {
            for kept in [&block.live, &block.dead] {
                for row in 0..kept.counts.len() {
                    for latent in &kept.latents[kept.range(row)] {
                        self.starts[*latent as usize + 1] += 1;
                    }
                }
            }
        }
        for latent in 0..self.n {
            self.starts[latent + 1] += self.starts[latent];
        }
        let total = self.starts[self.n] as usize;
        self.entries.resize(total, Entry::default());
        let mut next = self.starts.clone();
        let mut first = 0u32;
        for block in &self.blocks {
            for (kept, factor, mark) in [
                (&block.live, live_factor, 0),
                (&block.dead, dead_factor, DEAD),
            ] {
                for (row, number) in (0..kept.counts.len()).zip(first..) {
                    for slot in kept.range(row) {
                        let place = &mut next[kept.latents[slot] as usize];
                        self.entries[*place as usize] = Entry {
                            row: number | mark,
                            activation: factor * kept.activations[slot],
                            gradient: factor * kept.gradients[slot],
                        };
                        *place += 1;
                    }
                }
            }
            first += BLOCK_ROWS as u32;
        }
    }

    fn backward(&mut self, weights: &Parameters, prefixes: &[usize]) {
        let d = self.d;
        let (starts, entries, blocks) = (&self.starts, &self.entries, &self.blocks);
        let rows = CHUNK_LATENTS * d;
        self.gradient
            .w_enc
            .par_chunks_mut(rows)
            .zip(self.gradient.w_dec.par_chunks_mut(rows))
            .zip(self.gradient.b_enc.par_chunks_mut(CHUNK_LATENTS))
            .zip(self.norms.par_chunks_mut(CHUNK_LATENTS))
            .zip(self.through_input.par_chunks_mut(d))
            .enumerate()
            .for_each(|(chunk, ((((g_enc, g_dec), g_bias), norms), through))| {
                through.fill(0.0);
                for (offset, (g_enc, g_dec)) in g_enc
                    .chunks_exact_mut(d)
                    .zip(g_dec.chunks_exact_mut(d))
                    .enumerate()
                {
                    let latent = chunk * CHUNK_LATENTS + offset;
                    let entries = &entries[starts[latent] as usize..starts[latent + 1] as usize];
                    norms[offset] = 0.0;
                    g_bias[offset] = 0.0;
                    if entries.is_empty() {
                        continue;
                    }
                    let at = latent * d..(latent + 1) * d;
                    let prefix = prefixes.partition_point(|end| *end <= latent);
                    let bias = accumulate(entries, blocks, prefix, prefixes.len(), g_enc, g_dec);
                    let squares = finish(
                        bias,
                        &weights.w_enc[at.clone()],
                        &weights.w_dec[at],
                        g_enc,
                        g_dec,
                        through,
                    );
                    g_bias[offset] = bias;
                    norms[offset] = f64::from(squares) + f64::from(bias).powi(2);
                }
            });
    }
}

dispatched! {
    /// The sums over one latent's activations: encoder and decoder rows, and the bias's returned.
    /// The latent is of the `prefix`-th of `prefixes` Matryoshka prefixes, where there are any.
    fn accumulate(
        entries: &[Entry], blocks: &[Block], prefix: usize, prefixes: usize, g_enc: &mut [f32],
        g_dec: &mut [f32],
    ) -> f32 {
        let d = g_enc.len();
        g_enc.fill(0.0);
        g_dec.fill(0.0);
        let mut bias = 0.0;
        for entry in entries {
            let row = (entry.row & !DEAD) as usize;
            let block = &blocks[row / BLOCK_ROWS];
            let start = row % BLOCK_ROWS * d;
            let (errors, at) = if entry.row & DEAD != 0 {
                (&block.left, start)
            } else if prefixes == 0 {
                (&block.residual, start)
            } else {
                (&block.suffixes, start * prefixes + prefix * d)
            };
            kernel::add_scaled(g_dec, entry.activation, &errors[at..at + d]);
            kernel::add_scaled(g_enc, entry.gradient, &block.seen()[start..start + d]);
            bias += entry.gradient;
        }
        bias
    }
}

dispatched! {
    /// Takes the part along the decoder row out of its gradient, adds the bias's way through the
    /// input, and returns the squared norm of both rows.
    fn finish(
        bias: f32, w_enc: &[f32], w_dec: &[f32], g_enc: &[f32], g_dec: &mut [f32],
        through: &mut [f32],
    ) -> f32 {
        let along = kernel::dot(g_dec, w_dec);
        kernel::add_scaled(g_dec, -along, w_dec);
        kernel::add_scaled(through, bias, w_enc);
        kernel::dot(g_enc, g_enc) + kernel::dot(g_dec, g_dec)
    }
}

#[cfg(test)]
mod tests;
