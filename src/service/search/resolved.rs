//! A resolved search: everything that runs it and explains its hits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use latentdb_index::query::{self, BoostWeight, Hit, Kind, LatentWeight, Plan};
use latentdb_index::{Label, ResolvedQuery};
use roaring::RoaringBitmap;

use super::highlight::Words;
use super::result::{PropertyReport, SteeringReport};
use crate::error::Result;
use crate::sae::Sae;
use crate::service::core::View;
use crate::vectors::unit;

/// A query resolved over one view, with what explains its hits, as a page session keeps it.
pub(super) struct ResolvedSearch {
    pub view: View,
    pub query: ResolvedQuery,
    pub leaves: Vec<(String, Leaf)>,
    pub words: Vec<Words>,
    pub steering: Vec<SteeringReport>,
    pub properties: Vec<PropertyReport>,
    pub sae: Option<Arc<Sae>>,
    pub labels: Arc<BTreeMap<u32, Label>>,
    pub encode: Duration,
}

impl ResolvedSearch {
    /// The collection's id.
    pub fn collection_id(&self) -> &str {
        &self.view.spec.record.id
    }

    /// The best `count` hits behind those of the documents `seen`.
    pub fn execute_after(&self, seen: &RoaringBitmap, count: usize) -> Result<(Vec<Hit>, Plan)> {
        let ranking = query::execute_after(&self.query, &self.view.snapshot, seen, count)?;
        Ok((ranking.hits, ranking.plan))
    }
}

/// What is needed to explain a hit of a leaf.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    /// Effective weights, ascending by latent.
    Latents(Vec<LatentWeight>),
    /// What activations add to a cosine, ascending by latent.
    Boosts(Vec<BoostWeight>),
    /// BM25 over latents.
    LatentsBm25(query::LatentsBm25),
    /// The query vector at unit norm.
    Nearest(Vec<f32>),
}

/// The leaves whose scores latents explain; the right side of `except` gives no scores.
pub(super) fn collect_leaves(query: &ResolvedQuery, view: &View, leaves: &mut Vec<(String, Leaf)>) {
    let name = query.name.clone();
    match &query.kind {
        Kind::Nearest(nearest) | Kind::Boost(nearest, _) => {
            if let Kind::Boost(_, boosts) = &query.kind {
                let weights = boosts.effective(&view.snapshot);
                leaves.push((name.clone(), Leaf::Boosts(weights)));
            }
            leaves.push((name, Leaf::Nearest(unit(&nearest.vector))));
        }
        Kind::Latents(latents) => {
            let weights = query::effective_weights(latents, &view.snapshot);
            leaves.push((name, Leaf::Latents(weights)));
        }
        Kind::LatentsBm25(bm25) => leaves.push((name, Leaf::LatentsBm25(bm25.clone()))),
        Kind::Except { query, .. } => collect_leaves(query, view, leaves),
        Kind::Fusion { children, .. } => {
            for (child, _) in children {
                collect_leaves(child, view, leaves);
            }
        }
        Kind::Text { .. } | Kind::Matching(_) => {}
    }
}
