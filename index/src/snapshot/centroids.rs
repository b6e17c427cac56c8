//! Centroids: where in the space of vectors the documents of a latent lie (the methods guide).
//!
//! A latent's centroid is the mean of its documents' unit vectors, weighted by their activations
//! and brought to norm 1. (Dividing activations by a percentile of the latent, as the methods guide
//! writes it, scales its sum and leaves its direction alone.) A text whose vector is near a latent's
//! centroid names what the latent's documents have in common, so latents can be chosen by a text
//! without labels.
//!
//! The sums of segments add up. A segment never changes but for its deletes, so its sum is cached
//! with its open components, deleted documents are subtracted, and after a write only what is new
//! is read.

use std::collections::HashMap;

use super::segment::SegmentView;
use super::sums::Sums;
use crate::vector::{add_scaled, dot};

/// Segments below this many documents are summed again each time instead of kept.
const KEEP_FROM: u32 = 4096;

/// A centroid per latent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Centroids {
    dimension: usize,
    latents: Vec<u32>,
    /// Row-major, norm 1.
    rows: Vec<f32>,
}

impl Centroids {
    /// The centroids of the latents of segments. Latents without a document that has a vector have
    /// none. Reads all segments whose sums are not kept yet: a third of a second for 60,000
    /// documents of 32 latents and 384 values on two cores.
    pub(crate) fn of(segments: &[SegmentView]) -> Self {
        let dimension = segments
            .iter()
            .map(|segment| segment.dense.dimension())
            .max()
            .unwrap_or(0);
        let mut total: HashMap<u32, Vec<f32>> = HashMap::new();
        for segment in segments {
            let (latents, dense) = (&segment.latents, &segment.dense);
            let alive = segment.alive.as_ref();
            if dense.n_rows() == 0 {
                continue;
            }
            let sums = if latents.n_docs() < KEEP_FROM {
                Sums::of(latents, dense, alive)
            } else {
                let kept = segment
                    .centroid_sums
                    .get_or_init(|| Sums::of(latents, dense, None));
                kept.without_deleted(latents, dense, alive)
            };
            for (latent, row) in sums.latents.iter().zip(sums.rows.chunks_exact(dimension)) {
                match total.get_mut(latent) {
                    Some(sum) => add_scaled(sum, row, 1.0),
                    None => {
                        total.insert(*latent, row.to_vec());
                    }
                }
            }
        }
        let mut sums: Vec<(u32, Vec<f32>)> = total.into_iter().collect();
        sums.sort_by_key(|(latent, _)| *latent);
        let mut centroids = Self {
            dimension,
            ..Self::default()
        };
        for (latent, sum) in sums {
            let norm = dot(&sum, &sum).sqrt();
            if norm > 0.0 {
                centroids.latents.push(latent);
                centroids.rows.extend(sum.iter().map(|value| value / norm));
            }
        }
        centroids
    }

    /// The centroid of a latent, `[dimension]`, norm 1.
    pub fn get(&self, latent: u32) -> Option<&[f32]> {
        let at = self.latents.binary_search(&latent).ok()?;
        Some(&self.rows[at * self.dimension..(at + 1) * self.dimension])
    }

    /// Every latent that has a centroid, with the cosine of it and `vector` (of any norm but 0);
    /// in order of latents.
    pub fn similarities(&self, vector: &[f32]) -> Vec<(u32, f32)> {
        if self.dimension == 0 {
            return Vec::new();
        }
        let norm = dot(vector, vector).sqrt();
        self.latents
            .iter()
            .zip(self.rows.chunks_exact(self.dimension))
            .map(|(&latent, row)| (latent, dot(vector, row) / norm))
            .collect()
    }
}
