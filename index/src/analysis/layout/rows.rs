//! Documents as rows of a matrix: their unit vectors, or their latents.

use std::collections::HashMap;

use crate::snapshot::Snapshot;

/// What documents are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutSpace {
    /// Cosine of vectors.
    Vectors,
    /// Cosine of activations, each over its latent's 90th percentile.
    Latents,
}

impl LayoutSpace {
    /// What a document needs.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Vectors => "a vector",
            Self::Latents => "an active latent",
        }
    }
}

/// The rows of documents that have something in a space, each at unit length.
pub(super) struct Rows<'s> {
    snapshot: &'s Snapshot,
    space: LayoutSpace,
    docs: Vec<u32>,
    width: usize,
    /// 90th percentiles of the latents.
    scales: HashMap<u32, f32>,
}

impl<'s> Rows<'s> {
    pub fn of(snapshot: &'s Snapshot, docs: &[u32], space: LayoutSpace) -> Self {
        let mut rows = Self {
            snapshot,
            space,
            docs: Vec::with_capacity(docs.len()),
            width: 0,
            scales: HashMap::new(),
        };
        for &doc in docs {
            let mut has = false;
            match space {
                LayoutSpace::Vectors => {
                    if let Some(vector) = snapshot.vector(doc) {
                        has = vector.iter().any(|value| *value != 0.0);
                        rows.width = rows.width.max(vector.len());
                    }
                }
                LayoutSpace::Latents => snapshot.for_each_latent(doc, |own| {
                    has |= own.activation > 0.0;
                    rows.width = rows.width.max(own.latent as usize + 1);
                    rows.scales.entry(own.latent).or_insert_with(|| {
                        let scale = snapshot.percentile90(own.latent);
                        scale.filter(|scale| *scale > 0.0).unwrap_or(1.0)
                    });
                }),
            }
            if has {
                rows.docs.push(doc);
            }
        }
        rows
    }

    /// The documents, ascending.
    pub fn docs(&self) -> &[u32] {
        &self.docs
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values of a row that are not zero, with their columns, into `row`.
    pub fn read(&self, at: usize, row: &mut Vec<(u32, f32)>) {
        row.clear();
        match self.space {
            LayoutSpace::Vectors => {
                let vector = self.snapshot.vector(self.docs[at]).unwrap_or_default();
                row.extend((0..).zip(vector.iter().copied()));
            }
            LayoutSpace::Latents => self.snapshot.for_each_latent(self.docs[at], |own| {
                let scale = self.scales.get(&own.latent).copied().unwrap_or(1.0);
                row.push((own.latent, own.activation / scale));
            }),
        }
        let squares: f32 = row.iter().map(|(_, value)| value * value).sum();
        let norm = squares.sqrt().max(f32::MIN_POSITIVE);
        for (_, value) in row.iter_mut() {
            *value /= norm;
        }
    }
}
