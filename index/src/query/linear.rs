//! Linear combination: `Σ w_p s_p(d)` over the parts p of a query, every candidate scored on every
//! part, scores raw or standardised.
//!
//! Candidates are the union of the parts' best. A document that is no candidate has in each part
//! at most the last score of that part's best (at least 0, which is what a part gives to a
//! document it does not score). While the sum of these bounds is not below the `limit`-th score,
//! more is taken from each part, so the combination is exact over all allowed documents wherever
//! its parts are: a nearest part that walks a graph may miss documents on the first round.

use std::sync::Arc;

use super::execute::Executor;
use super::{Component, Hit, Kind, Plan, ResolvedQuery, pointwise};
use crate::error::Result;
use crate::filter::Allowed;
use crate::rank::Scale;

/// Documents over which scores are standardised at most: evenly spaced ones of those allowed.
const STATISTICS_SAMPLE: u64 = 16_384;
/// How much more is taken from each part in the next round.
const DEEPER: usize = 4;

/// A part of the combination.
struct Part<'a> {
    query: &'a ResolvedQuery,
    weight: f32,
    allowed: Arc<Allowed>,
    mean: f64,
    deviation: f64,
}

impl Part<'_> {
    /// The part of the combined score that a score stands for.
    fn contribution(&self, score: f32) -> f32 {
        let standard = if self.deviation > 0.0 {
            (f64::from(score) - self.mean) / self.deviation
        } else {
            0.0
        };
        (f64::from(self.weight) * standard) as f32
    }
}

/// What one round of candidates gave.
struct Round {
    hits: Vec<Hit>,
    plans: Vec<Plan>,
    candidates: usize,
    /// No other document can pass the last of the hits.
    complete: bool,
}

impl Executor<'_> {
    /// The best `limit` documents of a linear combination.
    pub(super) fn linear(
        &self,
        children: &[(ResolvedQuery, f32)],
        scale: Scale,
        depth: usize,
        allowed: &Arc<Allowed>,
        limit: usize,
        plan: &mut Plan,
    ) -> Result<Vec<Hit>> {
        let mut parts = Vec::with_capacity(children.len());
        for (query, weight) in children {
            let allowed = match &query.filter {
                None => allowed.clone(),
                Some(filter) => Arc::new(allowed.narrowed(filter, self.snapshot)?),
            };
            parts.push(Part {
                query,
                weight: *weight,
                allowed,
                mean: 0.0,
                deviation: 1.0,
            });
        }
        if scale == Scale::Standard {
            let sample = self.sample(allowed);
            for part in &mut parts {
                (part.mean, part.deviation) = moments(&self.scores(part, &sample)?);
            }
        }
        let mut depth = depth.max(limit);
        let mut deeper = false;
        loop {
            let round = self.round(&parts, allowed, depth, limit, deeper)?;
            if round.complete || depth as u64 >= allowed.count() {
                plan.candidates = round.candidates as u64;
                plan.children = round.plans;
                return Ok(round.hits);
            }
            depth = depth.saturating_mul(DEEPER);
            deeper = true;
        }
    }

    fn round(
        &self,
        parts: &[Part],
        allowed: &Arc<Allowed>,
        depth: usize,
        limit: usize,
        exact: bool,
    ) -> Result<Round> {
        let mut docs = Vec::new();
        let mut plans = Vec::with_capacity(parts.len());
        let mut bound = 0.0_f64;
        let mut exhausted = true;
        for part in parts {
            // Deep in a graph a walk costs more than the scan.
            let ranking = if exact {
                self.run(&scanned(part.query), Some(allowed), depth)?
            } else {
                self.run(part.query, Some(allowed), depth)?
            };
            let last = match ranking.hits.last() {
                Some(last) if ranking.hits.len() >= depth => {
                    exhausted = false;
                    last.score.max(0.0)
                }
                _ => 0.0,
            };
            bound += f64::from(if part.weight >= 0.0 {
                part.contribution(last)
            } else {
                part.contribution(self.least(part.query))
            });
            docs.extend(ranking.hits.iter().map(|hit| hit.doc));
            plans.push(ranking.plan);
        }
        docs.sort_unstable();
        docs.dedup();
        let hits = self.combined(parts, &docs, &plans, limit)?;
        let last = hits
            .last()
            .map_or(f64::NEG_INFINITY, |hit| f64::from(hit.score));
        Ok(Round {
            complete: exhausted || (hits.len() >= limit && last > bound),
            candidates: docs.len(),
            hits,
            plans,
        })
    }

    /// Scores `docs` on every part and keeps the best.
    fn combined(
        &self,
        parts: &[Part],
        docs: &[u32],
        plans: &[Plan],
        limit: usize,
    ) -> Result<Vec<Hit>> {
        let mut hits: Vec<Hit> = docs
            .iter()
            .map(|&doc| Hit {
                doc,
                score: 0.0,
                components: Vec::with_capacity(parts.len()),
            })
            .collect();
        for (part, plan) in parts.iter().zip(plans) {
            let scores = self.scores(part, docs)?;
            let ranks = ranks(&scores);
            for ((hit, score), rank) in hits.iter_mut().zip(scores).zip(ranks) {
                let contribution = part.contribution(score);
                hit.score += contribution;
                hit.components.push(Component {
                    name: plan.name.clone(),
                    score,
                    rank,
                    contribution,
                });
            }
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.doc.cmp(&b.doc)));
        hits.truncate(limit);
        Ok(hits)
    }

    fn scores(&self, part: &Part, docs: &[u32]) -> Result<Vec<f32>> {
        let scores = pointwise::scores(self.snapshot, part.query, &part.allowed, docs)?;
        Ok(scores
            .into_iter()
            .map(|score| score.unwrap_or(0.0))
            .collect())
    }

    /// Evenly spaced allowed documents, ascending.
    fn sample(&self, allowed: &Allowed) -> Vec<u32> {
        let stride = allowed.count().div_ceil(STATISTICS_SAMPLE).max(1);
        let segments = self.snapshot.segments().iter().zip(allowed.segments());
        (0_u64..)
            .zip(
                segments
                    .flat_map(|(segment, allowed)| allowed.iter().map(|doc| segment.base + doc)),
            )
            .filter(|(at, _)| at % stride == 0)
            .map(|(_, doc)| doc)
            .collect()
    }

    /// A score that no document of a leaf is below.
    fn least(&self, query: &ResolvedQuery) -> f32 {
        let negative = |weights: Vec<super::LatentWeight>| -> f32 {
            weights
                .iter()
                .filter(|entry| entry.weight < 0.0)
                .map(|entry| entry.weight * self.snapshot.maximum_activation(entry.latent))
                .sum()
        };
        match &query.kind {
            // Rounding may pass -1 by a little.
            Kind::Nearest(_) => -1.01,
            Kind::Boost(_, boosts) => {
                let parts = boosts.effective(self.snapshot).into_iter();
                let least = parts.map(|entry| {
                    entry
                        .part(self.snapshot.maximum_activation(entry.latent))
                        .min(0.0)
                });
                least.sum::<f32>() * 1.01 - 1.01
            }
            Kind::Latents(latents) => {
                negative(super::effective_weights(latents, self.snapshot)) * 1.01
            }
            // An activation's part is below k1 + 1, its idf below ln of twice the documents.
            Kind::LatentsBm25(bm25) => {
                let most = (2.0 * self.snapshot.n_docs() as f32 + 2.0).ln() * (bm25.k1 + 1.0);
                let negative = bm25.weights.iter().map(|entry| entry.weight.min(0.0));
                negative.sum::<f32>() * most
            }
            _ => 0.0,
        }
    }
}

/// The same leaf without a graph.
fn scanned(query: &ResolvedQuery) -> ResolvedQuery {
    let mut query = query.clone();
    if let Kind::Nearest(nearest) | Kind::Boost(nearest, _) = &mut query.kind {
        nearest.exact = true;
    }
    query
}

/// Mean and standard deviation; what differs by rounding alone does not deviate.
fn moments(scores: &[f32]) -> (f64, f64) {
    let most = scores
        .iter()
        .fold(0.0_f32, |most, score| most.max(score.abs()));
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().map(|&score| f64::from(score)).sum::<f64>() / count;
    let squares = scores
        .iter()
        .map(|&score| (f64::from(score) - mean).powi(2));
    let deviation = (squares.sum::<f64>() / count).sqrt();
    let flat = deviation <= 1e-6 * f64::from(most);
    (mean, if flat { 0.0 } else { deviation })
}

/// The rank of each score among all, from 1.
fn ranks(scores: &[f32]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let mut ranks = vec![0; scores.len()];
    for (rank, at) in (1_u32..).zip(order) {
        ranks[at] = rank;
    }
    ranks
}
