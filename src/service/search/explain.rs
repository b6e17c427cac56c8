//! Why each hit matched.

use std::time::Instant;

use latentdb_index::query::{self, Hit, Kind, LatentWeight};
use latentdb_index::{Activation, Label, ResolvedQuery};

use super::pages::Page;
use super::pages::Session;
use super::{Contribution, ExplainedHit, Explanation, Ready, SearchResult};
use crate::error::Result;
use crate::service::core::View;
use crate::vectors::{dot, norm, unit};

/// What is needed to explain a hit of a leaf.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    /// Effective weights, ascending by latent.
    Latents(Vec<LatentWeight>),
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
                let weights = query::effective_weights(boosts, &view.snapshot);
                leaves.push((name.clone(), Leaf::Latents(weights)));
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
        Kind::Text { .. } | Kind::Matching => {}
    }
}

pub(super) fn explain(session: &Session, page: &Page, started: Instant) -> Result<SearchResult> {
    let fetching = Instant::now();
    let ready = &session.ready;
    let hits = session.hits[page.range.clone()]
        .iter()
        .map(|hit| {
            Ok(ExplainedHit {
                document: session
                    .options
                    .projection
                    .read(&ready.view.snapshot, hit.doc)?,
                score: hit.score,
                components: hit.components.clone(),
                latents: contributions(ready, hit, session.options.latents_per_hit)?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(SearchResult {
        hits,
        next_page_token: None,
        steering: ready.steering.clone(),
        properties: ready.properties.clone(),
        explanation: Explanation {
            encode: ready.encode,
            fetch: fetching.elapsed(),
            total: started.elapsed(),
            ..Explanation::default()
        },
        sequence: ready.view.snapshot.sequence(),
    })
}

/// The `most` latents that gave the most to a hit.
fn contributions(ready: &Ready, hit: &Hit, most: usize) -> Result<Vec<Contribution>> {
    let row = ready.view.snapshot.latents(hit.doc);
    if most == 0 || row.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts: Vec<(Activation, f32, &str)> = Vec::new();
    for (name, leaf) in &ready.leaves {
        if !hit
            .components
            .iter()
            .any(|component| component.name == *name)
        {
            continue;
        }
        match leaf {
            Leaf::Latents(weights) => {
                for entry in &row {
                    let weight = weights.binary_search_by_key(&entry.latent, |w| w.latent);
                    if let Ok(at) = weight {
                        parts.push((*entry, weights[at].weight * entry.activation, name));
                    }
                }
            }
            Leaf::LatentsBm25(bm25) => {
                for (latent, part) in bm25.contributions(&ready.view.snapshot, hit.doc) {
                    if let Ok(at) = row.binary_search_by_key(&latent, |entry| entry.latent) {
                        parts.push((row[at], part, name));
                    }
                }
            }
            Leaf::Nearest(unit) => {
                let (Some(sae), Some(vector)) = (&ready.sae, ready.view.snapshot.vector(hit.doc))
                else {
                    continue;
                };
                let length = norm(vector) as f32;
                for entry in &row {
                    let direction = sae.decoder_row(entry.latent)?;
                    let along = dot(unit, direction) as f32;
                    parts.push((*entry, entry.activation * along / length, name));
                }
            }
        }
    }
    if parts.is_empty() {
        parts.extend(row.iter().map(|&entry| (entry, 0.0, "")));
    }
    parts.sort_by(|a, b| {
        let by_part = b.1.abs().total_cmp(&a.1.abs());
        by_part.then(b.0.activation.total_cmp(&a.0.activation))
    });
    parts.truncate(most);
    let label_of = |latent: u32| ready.labels.get(&latent);
    Ok(parts
        .into_iter()
        .map(|(entry, contribution, component)| Contribution {
            latent: entry.latent,
            label: label_of(entry.latent).map(|label| label.text.clone()),
            low_confidence: label_of(entry.latent).is_some_and(Label::is_low_confidence),
            activation: entry.activation,
            contribution,
            component: component.to_owned(),
        })
        .collect())
}
