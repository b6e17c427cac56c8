//! Steering by boost: the cosine plus weighted activations, as an exact top-k.
//!
//! A document outside the posting lists of the boosted latents scores its cosine alone. So the
//! candidates are every allowed document of those lists, each scored on both parts, and the `k`
//! nearest among the others: a document in neither has `k` documents at or above it. No bound on
//! the boosts is used, so weights of either sign are exact alike. The nearest part is exact where
//! it is scanned (`exact`, or few documents); a graph may miss documents outside the lists.

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::{LatentWeight, Nearest, latents, nearest};
use crate::error::Result;
use crate::filter::AllowedInSegment;
use crate::rank::TopK;
use crate::snapshot::SegmentView;
use crate::vector::dot;

/// Documents below which boosted ones are not worth a second thread.
const DOCS_PER_TASK: usize = 4096;

/// Offers a segment's best `k` documents by `cos(x, d) + Σ w_i a_i(d)` to `top`, as numbers of the
/// snapshot. `weights` are effective ones, ascending by latent; `unit` is x at unit norm. Returns
/// the access path of the nearest part and the documents scored.
pub(super) fn search_segment(
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    query: &Nearest,
    unit: &[f32],
    weights: &[LatentWeight],
    k: usize,
    top: &mut TopK,
) -> Result<(nearest::Access, u64)> {
    let mut listed = RoaringBitmap::new();
    for entry in weights {
        if let Some(list) = segment.latents.list(entry.latent) {
            listed |= list.set()?;
        }
    }
    let (boosted, others) = allowed.split(listed);
    let docs: Vec<u32> = boosted.iter().collect();
    let part = |docs: &[u32]| {
        let mut part = TopK::new(k);
        for &doc in docs {
            if let Some(score) = score(segment, doc, unit, weights) {
                part.push(segment.base + doc, score);
            }
        }
        part.into_sorted()
    };
    let hits: Vec<_> = if docs.len() < 2 * DOCS_PER_TASK {
        part(&docs)
    } else {
        docs.par_chunks(DOCS_PER_TASK).flat_map_iter(part).collect()
    };
    for hit in hits {
        top.push(hit.doc, hit.score);
    }
    let (access, compared) = nearest::search_segment(segment, &others, query, unit, k, top);
    Ok((access, compared + docs.len() as u64))
}

/// The boosted score of a segment's document; `None` where it has no vector.
pub(super) fn score(
    segment: &SegmentView,
    doc: u32,
    unit: &[f32],
    weights: &[LatentWeight],
) -> Option<f32> {
    let cosine = cosine(segment, doc, unit)?;
    let boost = latents::score_row(segment.latents.row(doc), weights);
    Some(cosine + boost.unwrap_or(0.0))
}

/// The cosine of a segment's document and a unit vector; `None` where it has no vector.
pub(super) fn cosine(segment: &SegmentView, doc: u32, unit: &[f32]) -> Option<f32> {
    let dense = &segment.dense;
    let row = dense.row_of(doc)?;
    Some(dot(unit, dense.vector(row)) * dense.reciprocal_norms()[row])
}
