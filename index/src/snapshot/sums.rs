//! Sums of a segment's unit vectors per latent, from which centroids are made.

use rayon::prelude::*;
use roaring::RoaringBitmap;

use crate::dense::DenseReader;
use crate::latents::{LatentsReader, PostingList};
use crate::vector::add_scaled;

/// Per latent, ascending: the sum of its documents' unit vectors times activations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub latents: Vec<u32>,
    /// Row-major, one row per latent.
    pub rows: Vec<f32>,
}

impl Sums {
    /// The sums of a segment's documents, of those in `alive` where it is given.
    pub fn of(latents: &LatentsReader, dense: &DenseReader, alive: Option<&RoaringBitmap>) -> Self {
        let lists: Vec<(u32, PostingList)> = latents.lists().collect();
        let alive = |doc| alive.is_none_or(|alive| alive.contains(doc));
        let rows: Vec<Vec<f32>> = lists
            .par_iter()
            .map(|(_, list)| sum_list(dense, list, &alive))
            .collect();
        Self {
            latents: lists.iter().map(|(latent, _)| *latent).collect(),
            rows: rows.concat(),
        }
    }

    /// The sums less those of documents that are not in `alive`. A latent that loses more than half
    /// of its documents is summed again, so that rounding never speaks for deleted documents.
    pub fn without_deleted(
        &self,
        latents: &LatentsReader,
        dense: &DenseReader,
        alive: Option<&RoaringBitmap>,
    ) -> Self {
        let mut sums = self.clone();
        let Some(alive) = alive else {
            return sums;
        };
        let dimension = dense.dimension();
        let norms = dense.reciprocal_norms();
        let mut deleted = vec![0_usize; sums.latents.len()];
        for doc in (0..latents.n_docs()).filter(|&doc| !alive.contains(doc)) {
            let vector = dense.row_of(doc);
            for entry in latents.row(doc).iter() {
                let Ok(at) = sums.latents.binary_search(&entry.latent) else {
                    continue;
                };
                deleted[at] += 1;
                if let Some(row) = vector {
                    let sum = &mut sums.rows[at * dimension..(at + 1) * dimension];
                    add_scaled(sum, dense.vector(row), -entry.activation * norms[row]);
                }
            }
        }
        for (at, &latent) in sums.latents.iter().enumerate() {
            if let Some(list) = latents.list(latent)
                && deleted[at] * 2 > list.len()
            {
                let sum = sum_list(dense, &list, &|doc| alive.contains(doc));
                sums.rows[at * dimension..(at + 1) * dimension].copy_from_slice(&sum);
            }
        }
        sums
    }
}

fn sum_list(dense: &DenseReader, list: &PostingList, alive: &dyn Fn(u32) -> bool) -> Vec<f32> {
    let mut sum = vec![0.0; dense.dimension()];
    let norms = dense.reciprocal_norms();
    list.for_each(|docs, activations| {
        for (&doc, &activation) in docs.iter().zip(activations) {
            if let Some(row) = dense.row_of(doc).filter(|_| alive(doc)) {
                add_scaled(&mut sum, dense.vector(row), activation * norms[row]);
            }
        }
    });
    sum
}
