//! Steering by boost: the cosine plus weighted activations, as an exact top-k.
//!
//! A document outside the posting lists of the boosted latents scores its cosine alone. So the
//! candidates are every allowed document of those lists, each scored on both parts, and the `k`
//! nearest among the others: a document in neither has `k` documents at or above it. No bound on
//! the boosts is used, so weights of either sign are exact alike. The nearest part is exact where
//! it is scanned (`exact`, or few documents); a graph may miss documents outside the lists.

use std::sync::Arc;

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::{Boosts, Kind, Nearest, ResolvedQuery, nearest};
use crate::error::Result;
use crate::filter::{Allowed, AllowedInSegment};
use crate::latents::Row;
use crate::priority::spread;
use crate::rank::TopK;
use crate::snapshot::{SegmentView, Snapshot};
use crate::vector::{dot, unit};

/// Best documents whose cosines say how far cosines spread.
const SPREAD_OVER: usize = 1000;
/// Of fewer, the collection's own spread is taken.
const LEAST: usize = 50;
/// The spread at which λ counts as it is: about that of MiniLM on abstracts.
const USUAL_SPREAD: f64 = 0.05;
/// Activations count up to so many p90.
const MOST: f32 = 2.0;

/// What a latent adds to a document's cosine: `weight * min(a, most)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoostWeight {
    /// The latent.
    pub latent: u32,
    /// For each unit of raw activation.
    pub weight: f32,
    /// The raw activation from which on nothing is added.
    pub most: f32,
}

impl Boosts {
    /// What is added for raw activations, ascending by latent; a latent that no document has adds
    /// nothing. Without [`Self::unit`], 1 stands for it.
    pub fn effective(&self, snapshot: &Snapshot) -> Vec<BoostWeight> {
        let unit = self.unit.unwrap_or(1.0);
        let weights = self.weights.iter().filter_map(|entry| {
            let percentile = snapshot.percentile90(entry.latent)?;
            Some(BoostWeight {
                latent: entry.latent,
                weight: unit * entry.weight / percentile,
                most: MOST * percentile,
            })
        });
        let mut weights: Vec<BoostWeight> = weights.collect();
        weights.sort_by_key(|entry| entry.latent);
        weights
    }
}

impl BoostWeight {
    /// What an activation adds.
    pub fn part(&self, activation: f32) -> f32 {
        self.weight * activation.min(self.most)
    }
}

impl ResolvedQuery {
    /// The query with the unit of every boost measured.
    ///
    /// # Errors
    /// Those of its filters.
    pub fn with_units(mut self, snapshot: &Snapshot) -> Result<Self> {
        let alive = Arc::new(Allowed::alive(snapshot));
        measure(&mut self, snapshot, &alive, &alive)?;
        Ok(self)
    }

    /// Whether a boost of it has no unit yet.
    pub(super) fn is_open(&self) -> bool {
        match &self.kind {
            Kind::Boost(_, boosts) => boosts.unit.is_none(),
            kind => kind.children().into_iter().any(Self::is_open),
        }
    }
}

fn measure(
    query: &mut ResolvedQuery,
    snapshot: &Snapshot,
    above: &Arc<Allowed>,
    alive: &Arc<Allowed>,
) -> Result<()> {
    if !query.is_open() {
        return Ok(());
    }
    let allowed = match &query.filter {
        None => above.clone(),
        Some(filter) => Arc::new(above.narrowed(filter, snapshot)?),
    };
    match &mut query.kind {
        Kind::Boost(nearest, boosts) => {
            let mut cosines = best(nearest, snapshot, &allowed);
            if cosines.len() < LEAST {
                cosines = best(nearest, snapshot, alive);
            }
            boosts.unit = Some(unit_of(&cosines));
        }
        Kind::Fusion { children, .. } => {
            for (child, _) in children {
                measure(child, snapshot, &allowed, alive)?;
            }
        }
        Kind::Except { query, minus, .. } => {
            measure(query, snapshot, &allowed, alive)?;
            measure(minus, snapshot, alive, alive)?;
        }
        _ => {}
    }
    Ok(())
}

/// Cosines of the best allowed documents.
fn best(nearest: &Nearest, snapshot: &Snapshot, allowed: &Allowed) -> Vec<f32> {
    let direction = unit(&nearest.vector);
    let mut top = TopK::new(SPREAD_OVER);
    for (segment, allowed) in snapshot.segments().iter().zip(allowed.segments()) {
        if allowed.count() > 0 && segment.dense.n_rows() > 0 {
            nearest::search_segment(segment, allowed, nearest, &direction, SPREAD_OVER, &mut top);
        }
    }
    let hits = top.into_sorted().into_iter();
    hits.map(|hit| hit.score).collect()
}

/// The standard deviation of cosines over the usual one; 1 where they do not differ.
fn unit_of(cosines: &[f32]) -> f32 {
    let n = cosines.len().max(1) as f64;
    let mean = cosines.iter().map(|&cosine| f64::from(cosine)).sum::<f64>() / n;
    let squares = cosines
        .iter()
        .map(|&cosine| (f64::from(cosine) - mean).powi(2));
    let spread = (squares.sum::<f64>() / n).sqrt();
    if spread > 1e-6 {
        (spread / USUAL_SPREAD) as f32
    } else {
        1.0
    }
}

/// Documents below which boosted ones are not worth a second thread.
const DOCS_PER_TASK: usize = 4096;

/// Offers a segment's best `k` documents by cosine and boosts to `top`, as numbers of the snapshot.
/// `weights` ascend by latent; `unit` is x at unit norm. Returns how the nearest part was searched, with
/// all documents scored.
pub(super) fn search_segment(
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    query: &Nearest,
    unit: &[f32],
    weights: &[BoostWeight],
    k: usize,
    top: &mut TopK,
) -> Result<nearest::Searched> {
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
        spread(|| docs.par_chunks(DOCS_PER_TASK).flat_map_iter(part).collect())
    };
    for hit in hits {
        top.push(hit.doc, hit.score);
    }
    let mut searched = nearest::search_segment(segment, &others, query, unit, k, top);
    searched.compared += docs.len() as u64;
    Ok(searched)
}

/// The boosted score of a segment's document; `None` where it has no vector.
pub(super) fn score(
    segment: &SegmentView,
    doc: u32,
    unit: &[f32],
    weights: &[BoostWeight],
) -> Option<f32> {
    let cosine = cosine(segment, doc, unit)?;
    Some(cosine + boost(segment.latents.row(doc), weights))
}

/// What the latents of a row add; both ascend by latent.
fn boost(row: Row, weights: &[BoostWeight]) -> f32 {
    let mut weights = weights.iter().peekable();
    let mut sum = 0.0;
    for entry in row.iter() {
        while weights
            .next_if(|weight| weight.latent < entry.latent)
            .is_some()
        {}
        match weights.peek() {
            None => break,
            Some(weight) if weight.latent == entry.latent => sum += weight.part(entry.activation),
            Some(_) => {}
        }
    }
    sum
}

/// The cosine of a segment's document and a unit vector; `None` where it has no vector.
pub(super) fn cosine(segment: &SegmentView, doc: u32, unit: &[f32]) -> Option<f32> {
    let dense = &segment.dense;
    let row = dense.row_of(doc)?;
    Some(dot(unit, dense.vector(row)) * dense.reciprocal_norms()[row])
}
