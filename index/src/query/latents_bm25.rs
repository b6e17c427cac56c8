//! BM25 over latents: a document's latents are its words, activations their frequencies
//! (the methods guide).
//!
//! `Σ w_i idf_i a_i (k1 + 1) / (a_i + k1 (1 - b + b L / mean L))` with L the sum of a document's
//! activations and `idf = ln((N - df + .5) / (df + .5))`, not below 0. Statistics are those of the
//! segments; they count deleted documents until those are merged away, as BM25 over text does.

use roaring::RoaringBitmap;

use super::idf::Idf;
use super::{LatentWeight, LatentsBm25};
use crate::error::{Error, Result};
use crate::filter::AllowedInSegment;
use crate::latents::Row;
use crate::rank::TopK;
use crate::snapshot::{SegmentView, Snapshot};

impl LatentsBm25 {
    /// What each of the query's latents gives to a document's score.
    pub fn contributions(&self, snapshot: &Snapshot, doc: u32) -> Vec<(u32, f32)> {
        let (segment, local) = snapshot.locate(doc);
        let scorer = Scorer::new(self, snapshot);
        scorer.parts(segment.latents.row(local)).collect()
    }

    pub(super) fn validate_parameters(&self) -> Result<()> {
        if !(self.k1.is_finite() && self.k1 > 0.0) {
            let message = format!("is {}; a finite number above 0 is accepted", self.k1);
            return Err(Error::invalid("k1", message));
        }
        if !(0.0..=1.0).contains(&self.b) {
            let message = format!("is {}; 0 to 1 is accepted", self.b);
            return Err(Error::invalid("b", message));
        }
        Ok(())
    }
}

/// A query with the statistics of its snapshot.
pub(super) struct Scorer {
    /// Weight times idf, ascending by latent.
    weights: Vec<LatentWeight>,
    k1: f32,
    b: f32,
    mean_length: f32,
}

impl Scorer {
    pub fn new(query: &LatentsBm25, snapshot: &Snapshot) -> Self {
        let idf = Idf::of(snapshot);
        let weighted = |entry: &LatentWeight| LatentWeight {
            latent: entry.latent,
            weight: entry.weight * idf.weight(entry.latent),
        };
        let mut weights: Vec<LatentWeight> = query.weights.iter().map(weighted).collect();
        weights.sort_by_key(|entry| entry.latent);
        Self {
            weights,
            k1: query.k1,
            b: query.b,
            mean_length: snapshot.mean_activation_sum(),
        }
    }

    /// The score of a row; `None` when it has none of the latents.
    pub fn score(&self, row: Row) -> Option<f32> {
        let mut any = false;
        // From 0, so that a part of -0 does not rank below one of 0.
        let score = self.parts(row).fold(0.0, |sum, (_, part)| {
            any = true;
            sum + part
        });
        any.then_some(score)
    }

    fn parts<'a>(&'a self, row: Row<'a>) -> impl Iterator<Item = (u32, f32)> + 'a {
        let length: f32 = row.iter().map(|entry| entry.activation).sum();
        let hold = self.k1 * (1.0 - self.b + self.b * length / self.mean_length);
        row.iter().filter_map(move |entry| {
            let at = self
                .weights
                .binary_search_by_key(&entry.latent, |weight| weight.latent)
                .ok()?;
            let frequency = entry.activation;
            let part = frequency * (self.k1 + 1.0) / (frequency + hold);
            Some((entry.latent, self.weights[at].weight * part))
        })
    }

    /// Offers the allowed documents of a segment that have any of the latents to `top`. Returns
    /// the documents scored.
    pub fn search_segment(
        &self,
        segment: &SegmentView,
        allowed: &AllowedInSegment,
        top: &mut TopK,
    ) -> Result<u64> {
        let mut listed = RoaringBitmap::new();
        for entry in &self.weights {
            if let Some(list) = segment.latents.list(entry.latent) {
                listed |= list.set()?;
            }
        }
        let (docs, _) = allowed.split(listed);
        for doc in &docs {
            if let Some(score) = self.score(segment.latents.row(doc)) {
                top.push(segment.base + doc, score);
            }
        }
        Ok(docs.len())
    }
}
