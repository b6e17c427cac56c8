//! The contrastive term of the retrieval objective: a row's code is to be nearer to its partner's
//! than to those of the other partners of the batch.
//!
//! With `ẑ` the codes at unit norm, `(d_i, q_i)` the pairs of a batch and `τ` the temperature, the
//! term is InfoNCE, `-1/m Σ_i ln softmax_j(ẑ(q_i)·ẑ(d_j) / τ)_i`. With `G` its gradient by the
//! cosines, `∂/∂ẑ(q_i) = Σ_j G_ij ẑ(d_j)`, the same transposed for `d_j`, and through the norm
//! `∂z = (∂ẑ - (∂ẑ·ẑ) ẑ) / ‖z‖`, at the latents that the row keeps.

use rayon::prelude::*;

use crate::vectors::norm;

use super::forward::{BLOCK_ROWS, Block};

/// What cosines are divided by.
const TEMPERATURE: f32 = 0.05;

/// One code at unit norm.
struct Unit {
    latents: Vec<u32>,
    values: Vec<f32>,
    /// Before it was scaled; above 0.
    norm: f32,
}

impl Unit {
    fn of(blocks: &[Block], row: u32) -> Self {
        let (block, row) = place(row);
        let kept = &blocks[block].live;
        let range = kept.range(row);
        let mut values = kept.activations[range.clone()].to_vec();
        let norm = (norm(&values) as f32).max(f32::MIN_POSITIVE);
        values.iter_mut().for_each(|value| *value /= norm);
        Self {
            latents: kept.latents[range].to_vec(),
            values,
            norm,
        }
    }

    fn entries(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let latents = self.latents.iter().map(|latent| *latent as usize);
        latents.zip(self.values.iter().copied())
    }

    fn dot(&self, dense: &[f32]) -> f32 {
        self.entries()
            .map(|(latent, value)| value * dense[latent])
            .sum()
    }

    fn add_to(&self, dense: &mut [f32], factor: f32) {
        for (latent, value) in self.entries() {
            dense[latent] += factor * value;
        }
    }

    /// `∂z` at the latents kept, from `∂ẑ` at all.
    fn gradient(&self, by_unit: &[f32]) -> Vec<f32> {
        let along = self.dot(by_unit);
        self.entries()
            .map(|(latent, value)| (by_unit[latent] - along * value) / self.norm)
            .collect()
    }
}

fn place(row: u32) -> (usize, usize) {
    (row as usize / BLOCK_ROWS, row as usize % BLOCK_ROWS)
}

/// Adds `factor` times the term's gradient to the activations' and returns the term.
///
/// `pairs` are rows of the batch, a document's and its partner's; no row is in two of them. `same`
/// says that the document of one pair is the partner of another, which is not to be pushed away.
pub(super) fn add(
    blocks: &mut [Block],
    pairs: &[(u32, u32)],
    same: impl Fn(usize, usize) -> bool + Sync,
    n: usize,
    factor: f32,
) -> f64 {
    let m = pairs.len();
    let units = |side: fn(&(u32, u32)) -> u32| -> Vec<Unit> {
        let rows = pairs.par_iter().map(side);
        rows.map(|row| Unit::of(blocks, row)).collect()
    };
    let (documents, partners) = (units(|pair| pair.0), units(|pair| pair.1));

    // Row i holds the gradient by the cosines of partner i; first the cosines, then probabilities.
    let mut by_cosine = vec![0.0f32; m * m];
    let losses: Vec<f64> = by_cosine
        .par_chunks_mut(m)
        .zip(&partners)
        .enumerate()
        .map_init(
            || vec![0.0f32; n],
            |dense, (i, (row, partner))| {
                partner.add_to(dense, 1.0);
                for (j, (score, document)) in row.iter_mut().zip(&documents).enumerate() {
                    *score = if i != j && same(j, i) {
                        f32::NEG_INFINITY
                    } else {
                        document.dot(dense) / TEMPERATURE
                    };
                }
                clear(dense, partner);
                let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let own = row[i];
                let mut total = 0.0;
                for score in row.iter_mut() {
                    *score = (*score - highest).exp();
                    total += *score;
                }
                let share = 1.0 / (TEMPERATURE * m as f32);
                row.iter_mut().for_each(|score| *score *= share / total);
                row[i] -= share;
                f64::from(total.ln() + highest - own)
            },
        )
        .collect();

    let gradients =
        |of: &[Unit], others: &[Unit], weight: &(dyn Fn(usize, usize) -> f32 + Sync)| {
            of.par_iter()
                .enumerate()
                .map_init(
                    || vec![0.0f32; n],
                    |dense, (at, unit)| {
                        dense.fill(0.0);
                        for (other, entry) in others.iter().enumerate() {
                            entry.add_to(dense, weight(at, other));
                        }
                        unit.gradient(dense)
                    },
                )
                .collect::<Vec<Vec<f32>>>()
        };
    let of_partners = gradients(&partners, &documents, &|i, j| by_cosine[i * m + j]);
    let of_documents = gradients(&documents, &partners, &|j, i| by_cosine[i * m + j]);
    for ((document, partner), (of_document, of_partner)) in
        pairs.iter().zip(of_documents.iter().zip(&of_partners))
    {
        for (row, gradient) in [(document, of_document), (partner, of_partner)] {
            let (block, row) = place(*row);
            let kept = &mut blocks[block].live;
            let range = kept.range(row);
            for (held, value) in kept.gradients[range].iter_mut().zip(gradient) {
                *held += factor * value;
            }
        }
    }
    losses.iter().sum::<f64>() / m.max(1) as f64
}

fn clear(dense: &mut [f32], unit: &Unit) {
    for latent in &unit.latents {
        dense[*latent as usize] = 0.0;
    }
}
