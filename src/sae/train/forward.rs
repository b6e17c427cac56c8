//! The forward pass: a batch in blocks of rows, what every row keeps and what is left of it.

use crate::instructions::dispatched;
use crate::sae::kernel;
use crate::sae::topk::{Selector, positions_at_least};

use super::kept::{Found, Keep, Kept};
use super::parameters::Parameters;

/// Rows per matrix product and per unit of parallel work.
pub(super) const BLOCK_ROWS: usize = 64;

/// A block of rows with all that the backward pass needs of them.
#[derive(Default)]
pub(super) struct Block {
    /// `x - b_dec`, `[rows, d]`.
    pub centred: Vec<f32>,
    /// What the encoder saw: `centred`, with noise where there is some.
    pub seen: Vec<f32>,
    pub noisy: bool,
    /// `x_hat - x`, `[rows, d]`.
    pub residual: Vec<f32>,
    /// The residual after subtracting the dead latents, `[rows, d]`.
    pub left: Vec<f32>,
    /// For Matryoshka training: the residuals of prefix g and all longer ones, summed and divided
    /// by the number of prefixes, `[rows, prefixes, d]`.
    pub suffixes: Vec<f32>,
    pub live: Kept,
    pub dead: Kept,
    /// Candidates, where selection depends on other rows.
    pub found: Found,
    pub sums: Sums,
}

/// Sums over rows: a vector of means to be and squares.
#[derive(Clone, Default)]
pub(super) struct Sums {
    pub rows: usize,
    pub input: Vec<f32>,
    pub input_squares: f64,
    pub residual: Vec<f32>,
    pub residual_squares: f64,
    /// For Matryoshka training: the squares of the residuals of all prefixes, a mean over prefixes.
    pub prefix_squares: f64,
    /// For Matryoshka training: the residuals, a mean over prefixes.
    pub prefix_residual: Vec<f32>,
    pub left_squares: f64,
    pub active: usize,
}

/// Memory of one worker.
#[derive(Default)]
pub(super) struct Scratch {
    projections: Vec<f32>,
    candidates: Vec<u32>,
    scores: Vec<f32>,
    selector: Selector,
}

/// Inputs of a step other than the weights.
pub(super) struct StepInput<'a> {
    /// The training rows, `[all, d]`.
    pub vectors: &'a [f32],
    /// The rows of this batch.
    pub rows: &'a [u32],
    /// The selection rule.
    pub keep: Keep,
    /// Lengths of Matryoshka prefixes, ascending, the last all latents; empty for none.
    pub prefixes: &'a [usize],
    /// Maximum dead latents per row.
    pub dead_slots: usize,
    /// Dead latents, ascending; empty leaves the auxiliary loss out.
    pub dead: &'a [u32],
    pub aux_alpha: f32,
    /// Added to `b_enc`: minus infinity keeps a latent out of this step. Empty for none.
    pub handicap: &'a [f32],
    /// Positions in `rows` of what the retrieval objective holds together.
    pub pairs: &'a [(u32, u32)],
    /// Weight of the contrastive term over `pairs`.
    pub contrast: f32,
    /// Standard deviation of the encoder's noise and the seed of this step's.
    pub noise: Option<(f32, u64)>,
}

impl<'a> StepInput<'a> {
    /// Rows as they are: no auxiliary loss, no noise, no prefixes.
    pub fn plain(vectors: &'a [f32], rows: &'a [u32], keep: Keep) -> Self {
        Self {
            vectors,
            rows,
            keep,
            prefixes: &[],
            dead_slots: 0,
            dead: &[],
            aux_alpha: 0.0,
            handicap: &[],
            pairs: &[],
            contrast: 0.0,
            noise: None,
        }
    }
}

impl Sums {
    pub fn add(&mut self, other: &Sums) {
        self.rows += other.rows;
        self.active += other.active;
        self.input_squares += other.input_squares;
        self.residual_squares += other.residual_squares;
        self.left_squares += other.left_squares;
        self.prefix_squares += other.prefix_squares;
        kernel::add(&mut self.input, &other.input);
        kernel::add(&mut self.residual, &other.residual);
        kernel::add(&mut self.prefix_residual, &other.prefix_residual);
    }
}

impl Block {
    /// Takes the rows in and subtracts `b_dec`.
    pub fn load(
        &mut self,
        weights: &Parameters,
        input: &StepInput,
        rows: &[u32],
        index: usize,
        d: usize,
    ) {
        let count = rows.len();
        self.centred.resize(count * d, 0.0);
        self.residual.resize(count * d, 0.0);
        self.sums = Sums {
            rows: count,
            input: vec![0.0; d],
            residual: vec![0.0; d],
            prefix_residual: vec![0.0; if input.prefixes.is_empty() { 0 } else { d }],
            ..Sums::default()
        };
        for (centred, row) in self.centred.chunks_exact_mut(d).zip(rows) {
            let start = *row as usize * d;
            let x = &input.vectors[start..start + d];
            kernel::difference(x, &weights.b_dec, centred);
            kernel::add(&mut self.sums.input, centred);
            self.sums.input_squares += f64::from(kernel::inner(centred, centred));
        }
        self.noisy = input.noise.is_some();
        if let Some((deviation, seed)) = input.noise {
            self.seen.resize(count * d, 0.0);
            let state = seed ^ (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            add_noise(&self.centred, deviation, state, &mut self.seen);
        }
        if let Keep::TopK(k) = input.keep {
            self.live.reset(count, k);
        }
        self.dead.reset(count, input.dead_slots);
        self.found.clear();
    }

    /// The encoder's inputs.
    pub fn seen(&self) -> &[f32] {
        if self.noisy {
            &self.seen
        } else {
            &self.centred
        }
    }

    pub fn encode(
        &mut self,
        weights: &Parameters,
        input: &StepInput,
        bias: &[f32],
        scratch: &mut Scratch,
    ) {
        let d = weights.b_dec.len();
        let n = bias.len();
        let Scratch {
            projections,
            candidates,
            scores,
            selector,
        } = scratch;
        projections.resize(self.sums.rows * n, 0.0);
        kernel::project(self.seen(), &weights.w_enc, d, projections);
        let pick = |p: &[f32], from: &[u32], scores: &mut Vec<f32>| {
            scores.clear();
            scores.extend(from.iter().map(|latent| p[*latent as usize]));
        };
        for (row, p) in projections.chunks_exact_mut(n).enumerate() {
            match input.keep {
                Keep::TopK(k) => {
                    let floor = selector.floor(p, bias, k);
                    candidates.clear();
                    // Only positive sums can be active.
                    positions_at_least(p, floor.max(f32::MIN_POSITIVE), candidates);
                    pick(p, candidates, scores);
                    self.live.set(row, selector.keep(candidates, scores, k));
                    self.sums.active += self.live.counts[row];
                }
                Keep::BatchTopK { floor, .. } | Keep::Above(floor) => {
                    kernel::add(p, bias);
                    candidates.clear();
                    positions_at_least(p, floor.max(f32::MIN_POSITIVE), candidates);
                    pick(p, candidates, scores);
                    self.found.push_row(candidates, scores);
                }
            }
            if !input.dead.is_empty() {
                pick(p, input.dead, scores);
                let kept = selector.keep(input.dead, scores, self.dead.slots);
                self.dead.set(row, kept.filter(|(_, sum)| *sum > 0.0));
            }
        }
    }

    pub fn decode(&mut self, weights: &Parameters, d: usize, prefixes: &[usize], with_dead: bool) {
        if prefixes.is_empty() {
            for row in 0..self.sums.rows {
                self.decode_row(weights, d, row);
            }
        } else {
            self.suffixes
                .resize(self.sums.rows * prefixes.len() * d, 0.0);
            for row in 0..self.sums.rows {
                self.decode_prefixes(weights, d, prefixes, row);
            }
        }
        if with_dead {
            self.decode_dead(weights, d);
        }
    }

    fn decode_row(&mut self, weights: &Parameters, d: usize, row: usize) {
        let at = row * d..(row + 1) * d;
        let residual = &mut self.residual[at.clone()];
        let range = self.live.range(row);
        kernel::combine(
            &self.centred[at],
            &weights.w_dec,
            &self.live.latents[range.clone()],
            &self.live.activations[range.clone()],
            residual,
            -1.0,
        );
        kernel::dot_chosen(
            residual,
            &weights.w_dec,
            &self.live.latents[range.clone()],
            &mut self.live.gradients[range],
        );
        self.sums.residual_squares += f64::from(kernel::inner(residual, residual));
        kernel::add(&mut self.sums.residual, residual);
    }

    /// The residuals of every prefix of latents, one after the other, and their sums from the
    /// longest down: a latent of prefix g is in the reconstructions of g and all longer ones.
    fn decode_prefixes(&mut self, weights: &Parameters, d: usize, prefixes: &[usize], row: usize) {
        let at = row * d..(row + 1) * d;
        let suffixes = &mut self.suffixes[row * prefixes.len() * d..][..prefixes.len() * d];
        let range = self.live.range(row);
        let latents = &self.live.latents[range.clone()];
        let activations = &self.live.activations[range.clone()];
        let ends: Vec<usize> = prefixes
            .iter()
            .map(|end| latents.partition_point(|latent| (*latent as usize) < *end))
            .collect();
        let share = 1.0 / prefixes.len() as f32;
        let mut start = 0;
        for (g, end) in ends.iter().enumerate() {
            let (before, here) = suffixes.split_at_mut(g * d);
            let (from, sign) = match before.len().checked_sub(d) {
                Some(last) => (&before[last..], 1.0),
                None => (&self.centred[at.clone()], -1.0),
            };
            let here = &mut here[..d];
            let (latents, activations) = (&latents[start..*end], &activations[start..*end]);
            kernel::combine(from, &weights.w_dec, latents, activations, here, sign);
            self.sums.prefix_squares += f64::from(share * kernel::inner(here, here));
            start = *end;
        }
        let residual = &mut self.residual[at];
        residual.copy_from_slice(&suffixes[(prefixes.len() - 1) * d..]);
        self.sums.residual_squares += f64::from(kernel::inner(residual, residual));
        kernel::add(&mut self.sums.residual, residual);

        suffixes.iter_mut().for_each(|value| *value *= share);
        for g in (1..prefixes.len()).rev() {
            let (before, here) = suffixes.split_at_mut(g * d);
            kernel::add(&mut before[(g - 1) * d..], &here[..d]);
        }
        kernel::add(&mut self.sums.prefix_residual, &suffixes[..d]);
        start = range.start;
        for (g, end) in ends.iter().enumerate() {
            let slots = start..range.start + *end;
            kernel::dot_chosen(
                &suffixes[g * d..(g + 1) * d],
                &weights.w_dec,
                &self.live.latents[slots.clone()],
                &mut self.live.gradients[slots.clone()],
            );
            start = slots.end;
        }
    }

    fn decode_dead(&mut self, weights: &Parameters, d: usize) {
        self.left.resize(self.residual.len(), 0.0);
        for row in 0..self.sums.rows {
            let at = row * d..(row + 1) * d;
            let left = &mut self.left[at.clone()];
            let range = self.dead.range(row);
            kernel::combine(
                &self.residual[at],
                &weights.w_dec,
                &self.dead.latents[range.clone()],
                &self.dead.activations[range.clone()],
                left,
                1.0,
            );
            kernel::dot_chosen(
                left,
                &weights.w_dec,
                &self.dead.latents[range.clone()],
                &mut self.dead.gradients[range],
            );
            self.sums.left_squares += f64::from(kernel::inner(left, left));
        }
    }
}

dispatched! {
    /// `out = x + deviation * noise`: each number is the sum of four uniform ones, near normal.
    pub(super) fn add_noise(x: &[f32], deviation: f32, seed: u64, out: &mut [f32]) {
        // Four uniform bytes have mean 510 and standard deviation 147.8 together.
        let factor = deviation / 147.8;
        let mut lanes = [0u32; 16];
        for (lane, state) in lanes.iter_mut().enumerate() {
            *state = (seed >> 16) as u32 ^ (lane as u32 + 1).wrapping_mul(0x9e37_79b9) ^ seed as u32;
            *state |= 1;
        }
        for (x, out) in x.chunks(16).zip(out.chunks_mut(16)) {
            for state in &mut lanes {
                *state ^= *state << 13;
                *state ^= *state >> 17;
                *state ^= *state << 5;
            }
            for (lane, (x, out)) in x.iter().zip(out.iter_mut()).enumerate() {
                let s = lanes[lane];
                let sum = (s & 255) + (s >> 8 & 255) + (s >> 16 & 255) + (s >> 24);
                *out = x + factor * (sum as f32 - 510.0);
            }
        }
    }
}
