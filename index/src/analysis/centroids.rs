//! Centroids: where in the space of vectors the documents of a latent lie (METHODS §5).
//!
//! A latent's centroid is the mean of its documents' unit vectors, weighted by their activations
//! and brought to norm 1. (Dividing activations by a percentile of the latent, as METHODS writes
//! it, changes its sum by a factor and its direction not at all.) A text whose vector is near a
//! latent's centroid names what the latent's documents have in common, so latents can be chosen by
//! a text without labels.
//!
//! The sums of segments add up. A segment never changes but for its deletes, so its sum is kept
//! beside its open components, deleted documents are taken out again, and after a write only what
//! is new is read.

use std::collections::HashMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::collection::{SegmentView, Snapshot};
use crate::dense::{DenseReader, dot};
use crate::latents::PostingList;

/// Segments below this many documents are summed again each time instead of kept.
const KEEP_FROM: u32 = 4096;

/// Sums of a segment's documents, deleted ones included: computed once.
pub(crate) type SegmentSums = OnceLock<Sums>;

/// Per latent, ascending: the sum of its documents' unit vectors times activations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    latents: Vec<u32>,
    /// Row-major, one row per latent.
    rows: Vec<f32>,
}

/// A centroid per latent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Centroids {
    dimension: usize,
    latents: Vec<u32>,
    /// Row-major, norm 1.
    rows: Vec<f32>,
}

impl Centroids {
    /// The centroids of a snapshot's latents. Latents without a document that has a vector have
    /// none. Reads all segments whose sums are not kept yet: a third of a second for 60,000
    /// documents of 32 latents and 384 values on two cores.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let dimension = snapshot
            .segments()
            .iter()
            .map(|segment| segment.dense.dimension())
            .max()
            .unwrap_or(0);
        let mut total: HashMap<u32, Vec<f32>> = HashMap::new();
        for segment in snapshot.segments() {
            if segment.dense.n_rows() == 0 {
                continue;
            }
            let sums = if segment.latents.n_docs() < KEEP_FROM {
                sum_segment(segment, true)
            } else {
                let kept = segment
                    .centroid_sums
                    .get_or_init(|| sum_segment(segment, false));
                without_deleted(kept, segment)
            };
            for (latent, row) in sums.latents.iter().zip(sums.rows.chunks_exact(dimension)) {
                match total.get_mut(latent) {
                    Some(sum) => add(sum, row, 1.0),
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

/// The sums of a segment's documents; of the living ones alone where asked.
fn sum_segment(segment: &SegmentView, living: bool) -> Sums {
    let lists: Vec<(u32, PostingList)> = segment.latents.lists().collect();
    let rows: Vec<Vec<f32>> = lists
        .par_iter()
        .map(|(_, list)| {
            let alive = |doc| {
                let alive = segment.alive.as_ref().filter(|_| living);
                alive.is_none_or(|alive| alive.contains(doc))
            };
            sum_list(&segment.dense, list, &alive)
        })
        .collect();
    Sums {
        latents: lists.iter().map(|(latent, _)| *latent).collect(),
        rows: rows.concat(),
    }
}

fn sum_list(dense: &DenseReader, list: &PostingList, alive: &dyn Fn(u32) -> bool) -> Vec<f32> {
    let mut sum = vec![0.0; dense.dimension()];
    let norms = dense.reciprocal_norms();
    list.for_each(|docs, activations| {
        for (&doc, &activation) in docs.iter().zip(activations) {
            if let Some(row) = dense.row_of(doc).filter(|_| alive(doc)) {
                add(&mut sum, dense.vector(row), activation * norms[row]);
            }
        }
    });
    sum
}

/// The sums less those of deleted documents. What loses more than half of its documents is summed
/// anew, so that rounding never speaks for documents that are gone.
fn without_deleted(kept: &Sums, segment: &SegmentView) -> Sums {
    let mut sums = kept.clone();
    let Some(alive) = &segment.alive else {
        return sums;
    };
    let dense = &segment.dense;
    let dimension = dense.dimension();
    let norms = dense.reciprocal_norms();
    let mut deleted = vec![0_usize; sums.latents.len()];
    for doc in (0..segment.latents.n_docs()).filter(|&doc| !alive.contains(doc)) {
        let vector = dense.row_of(doc);
        for entry in segment.latents.row(doc).iter() {
            let Ok(at) = sums.latents.binary_search(&entry.latent) else {
                continue;
            };
            deleted[at] += 1;
            if let Some(row) = vector {
                let sum = &mut sums.rows[at * dimension..(at + 1) * dimension];
                add(sum, dense.vector(row), -entry.activation * norms[row]);
            }
        }
    }
    for (at, &latent) in sums.latents.iter().enumerate() {
        if let Some(list) = segment.latents.list(latent)
            && deleted[at] * 2 > list.len()
        {
            let anew = sum_list(dense, &list, &|doc| alive.contains(doc));
            sums.rows[at * dimension..(at + 1) * dimension].copy_from_slice(&anew);
        }
    }
    sums
}

fn add(sum: &mut [f32], vector: &[f32], factor: f32) {
    for (value, add) in sum.iter_mut().zip(vector) {
        *value += factor * add;
    }
}
