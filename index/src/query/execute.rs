//! Runs a resolved query tree over one snapshot.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use roaring::RoaringBitmap;

use super::idf::Idf;
use super::{
    ActivationScale, Boosts, Component, Hit, Kind, LatentWeight, Latents, Nearest, Order, Plan,
    Ranking, ResolvedQuery, boost, latents, latents_bm25, nearest, order, text,
};
use crate::error::Result;
use crate::filter::Allowed;
use crate::progress::Progress;
use crate::rank::{Fusion, ScoredDoc, TopK, fuse};
use crate::snapshot::Snapshot;
use crate::vector::unit;

/// The `limit` best hits of a query.
pub fn execute(query: &ResolvedQuery, snapshot: &Snapshot, limit: usize) -> Result<Ranking> {
    let alive = Arc::new(Allowed::alive(snapshot));
    if query.is_open() {
        let query = query.clone().with_units(snapshot)?;
        return Executor { snapshot, alive }.run(&query, None, limit);
    }
    Executor { snapshot, alive }.run(query, None, limit)
}

/// The `limit` best hits that are not among `seen`, which are all the hits before them, by their
/// numbers in the snapshot: the hits of a next page, however deep. Scores and ranks are those of the
/// whole ranking.
///
/// A node that ranks rankings is run as deep as the last hit; any other skips those seen.
pub fn execute_after(
    query: &ResolvedQuery,
    snapshot: &Snapshot,
    seen: &RoaringBitmap,
    limit: usize,
) -> Result<Ranking> {
    let n_seen = usize::try_from(seen.len()).unwrap_or(usize::MAX);
    if matches!(query.kind, Kind::Fusion { .. } | Kind::Except { .. }) {
        let mut ranking = execute(query, snapshot, limit.saturating_add(n_seen))?;
        ranking.hits.retain(|hit| !seen.contains(hit.doc));
        ranking.hits.truncate(limit);
        return Ok(ranking);
    }
    let alive = Arc::new(Allowed::alive(snapshot));
    let rest = Arc::new(alive.without(seen, snapshot));
    let open = query.is_open();
    let query = if open {
        &query.clone().with_units(snapshot)?
    } else {
        query
    };
    let mut ranking = Executor { snapshot, alive }.run(query, Some(&rest), limit)?;
    ranking.plan.allowed += seen.len();
    for component in ranking.hits.iter_mut().flat_map(|hit| &mut hit.components) {
        component.rank = component.rank.saturating_add(n_seen as u32);
    }
    Ok(ranking)
}

pub(super) struct Executor<'a> {
    pub(super) snapshot: &'a Snapshot,
    alive: Arc<Allowed>,
}

impl Executor<'_> {
    pub(super) fn run(
        &self,
        query: &ResolvedQuery,
        inherited: Option<&Arc<Allowed>>,
        limit: usize,
    ) -> Result<Ranking> {
        let started = Instant::now();
        let above = inherited.unwrap_or(&self.alive);
        let allowed = match &query.filter {
            None => above.clone(),
            Some(filter) => Arc::new(above.narrowed(filter, self.snapshot)?),
        };
        let mut plan = Plan {
            name: query.name.clone(),
            allowed: allowed.count(),
            selectivity: allowed.count() as f64 / self.alive.count().max(1) as f64,
            ..Plan::default()
        };
        let hits = match &query.kind {
            Kind::Nearest(nearest) => self.nearest(nearest, None, &allowed, limit, &mut plan)?,
            Kind::Boost(nearest, boosts) => {
                self.nearest(nearest, Some(boosts), &allowed, limit, &mut plan)?
            }
            Kind::Latents(latents) => self.latents(latents, &allowed, limit, &mut plan)?,
            Kind::LatentsBm25(bm25) => {
                let scorer = latents_bm25::Scorer::new(bm25, self.snapshot);
                let mut top = TopK::new(limit);
                plan.access = "rows";
                for (segment, allowed) in self.snapshot.segments().iter().zip(allowed.segments()) {
                    Progress::check_current()?;
                    plan.candidates += scorer.search_segment(segment, allowed, &mut top)?;
                }
                leaf_hits(top.into_sorted(), &plan.name)
            }
            Kind::Text { text, mode } => {
                let mut top = TopK::new(limit);
                plan.access = "bm25";
                plan.candidates = text::search(self.snapshot, &allowed, text, *mode, &mut top)?;
                leaf_hits(top.into_sorted(), &plan.name)
            }
            Kind::Matching(order) => {
                plan.access = match order {
                    Order::Stored => "bitmap",
                    Order::By(_) => "sorted",
                    Order::Random { .. } => "sample",
                };
                plan.candidates = allowed.count();
                let docs = order::first(order, self.snapshot, &allowed, limit)?;
                let docs = docs.into_iter().map(|doc| ScoredDoc { doc, score: 0.0 });
                leaf_hits(docs.collect(), &plan.name)
            }
            Kind::Fusion {
                children,
                method: Fusion::Linear(scale),
                depth,
            } => {
                plan.access = "linear";
                self.linear(children, *scale, *depth, &allowed, limit, &mut plan)?
            }
            Kind::Fusion {
                children,
                method,
                depth,
            } => {
                plan.access = "fusion";
                let mut rankings = Vec::with_capacity(children.len());
                for (child, weight) in children {
                    let ranking = self.run(child, Some(&allowed), *depth)?;
                    plan.children.push(ranking.plan);
                    rankings.push((ranking.hits, *weight));
                }
                let fused = fused_hits(*method, rankings, &plan);
                plan.candidates = fused.len() as u64;
                fused.into_iter().take(limit).collect()
            }
            Kind::Except { query, minus, top } => {
                plan.access = "except";
                let minus = self.run(minus, None, *top)?;
                let taken: HashSet<u32> = minus.hits.iter().map(|hit| hit.doc).collect();
                // At most `top` hits are lost, so this many more fill the limit.
                let wanted = limit.saturating_add(taken.len());
                let kept = self.run(query, Some(&allowed), wanted)?;
                plan.candidates = kept.hits.len() as u64;
                plan.children = vec![kept.plan, minus.plan];
                kept.hits
                    .into_iter()
                    .filter(|hit| !taken.contains(&hit.doc))
                    .take(limit)
                    .collect()
            }
        };
        plan.elapsed = started.elapsed();
        Ok(Ranking { hits, plan })
    }

    fn nearest(
        &self,
        nearest: &Nearest,
        boosts: Option<&Boosts>,
        allowed: &Allowed,
        limit: usize,
        plan: &mut Plan,
    ) -> Result<Vec<Hit>> {
        let unit = unit(&nearest.vector);
        let weights = boosts.map(|boosts| boosts.effective(self.snapshot));
        let mut top = TopK::new(limit);
        let (mut graphs, mut scans) = (false, false);
        for (segment, allowed) in self.snapshot.segments().iter().zip(allowed.segments()) {
            Progress::check_current()?;
            if allowed.count() == 0 || segment.dense.n_rows() == 0 {
                continue;
            }
            let searched = match &weights {
                None => nearest::search_segment(segment, allowed, nearest, &unit, limit, &mut top),
                Some(weights) => boost::search_segment(
                    segment, allowed, nearest, &unit, weights, limit, &mut top,
                )?,
            };
            graphs |= searched.graph;
            scans |= searched.scan;
            plan.candidates += searched.compared;
        }
        plan.access = match (graphs, scans) {
            (true, true) => "graph+scan",
            (true, false) => "graph",
            _ => "scan",
        };
        Ok(leaf_hits(top.into_sorted(), &plan.name))
    }

    fn latents(
        &self,
        latents: &Latents,
        allowed: &Allowed,
        limit: usize,
        plan: &mut Plan,
    ) -> Result<Vec<Hit>> {
        let weights = effective_weights(latents, self.snapshot);
        let mut top = TopK::new(limit);
        plan.access = "postings";
        for (segment, allowed) in self.snapshot.segments().iter().zip(allowed.segments()) {
            Progress::check_current()?;
            let (access, read) = latents::search_segment(segment, allowed, &weights, &mut top)?;
            if access == latents::Access::Rows {
                plan.access = "rows";
            }
            plan.candidates += read;
        }
        Ok(leaf_hits(top.into_sorted(), &plan.name))
    }
}

/// The weights a document's raw activations are multiplied by, ascending by latent.
pub fn effective_weights(latents: &Latents, snapshot: &Snapshot) -> Vec<LatentWeight> {
    let idf = latents.idf.then(|| Idf::of(snapshot));
    let mut weights: Vec<LatentWeight> = latents
        .weights
        .iter()
        .map(|entry| LatentWeight {
            latent: entry.latent,
            weight: idf.as_ref().map_or(1.0, |idf| idf.weight(entry.latent))
                * match latents.scale {
                    ActivationScale::Raw => entry.weight,
                    // A latent that no document has contributes nothing, whatever its weight.
                    ActivationScale::Percentile90 => snapshot
                        .percentile90(entry.latent)
                        .map_or(0.0, |percentile| entry.weight / percentile),
                },
        })
        .collect();
    weights.sort_by_key(|entry| entry.latent);
    weights
}

fn leaf_hits(ranked: Vec<ScoredDoc>, name: &str) -> Vec<Hit> {
    (1..)
        .zip(ranked)
        .map(|(rank, scored)| Hit {
            doc: scored.doc,
            score: scored.score,
            components: vec![Component {
                name: name.to_owned(),
                score: scored.score,
                rank,
                contribution: scored.score,
            }],
        })
        .collect()
}

/// Fuses the children's hits. A hit's components are, for each child that holds it, the child's
/// own entry and, below a nested fusion, the entries of that fusion's children.
fn fused_hits(
    method: crate::rank::Fusion,
    rankings: Vec<(Vec<Hit>, f32)>,
    plan: &Plan,
) -> Vec<Hit> {
    let scored: Vec<(Vec<ScoredDoc>, f32)> = rankings
        .iter()
        .map(|(hits, weight)| {
            let docs = hits.iter().map(|hit| ScoredDoc {
                doc: hit.doc,
                score: hit.score,
            });
            (docs.collect(), *weight)
        })
        .collect();
    fuse(method, &scored)
        .into_iter()
        .map(|fused| {
            let mut components = Vec::new();
            for (which, part) in fused.parts.iter().enumerate() {
                let Some(part) = part else { continue };
                let name = &plan.children[which].name;
                components.push(Component {
                    name: name.clone(),
                    score: part.score,
                    rank: part.rank,
                    contribution: part.contribution,
                });
                let inner = &rankings[which].0[part.rank as usize - 1].components;
                components.extend(inner.iter().filter(|inner| inner.name != *name).cloned());
            }
            Hit {
                doc: fused.doc,
                score: fused.score,
                components,
            }
        })
        .collect()
}
