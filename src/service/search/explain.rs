//! Why each hit matched.

use std::time::Instant;

use latentdb_index::query::Hit;
use latentdb_index::{Activation, Label};

use super::highlight::highlights;
use super::pages::{Page, Session};
use super::resolved::{Leaf, ResolvedSearch};
use super::result::{Contribution, CountedFacets, ExplainedHit, Explanation, SearchResult};
use crate::error::Result;
use crate::service::documents::AnswerSize;
use crate::vectors::{dot, norm};

pub(super) fn explain(session: &Session, page: &Page, started: Instant) -> Result<SearchResult> {
    let fetching = Instant::now();
    let search = &session.search;
    let mut size = AnswerSize::default();
    let hits = page
        .hits
        .iter()
        .map(|hit| {
            let snapshot = &search.view.snapshot;
            let document = session.options.projection.read(snapshot, hit.doc)?;
            let latents = contributions(search, hit, session.options.latents_per_hit)?;
            size.add(&document)?;
            size.add_bytes(latents.iter().map(Contribution::bytes).sum())?;
            let text = document.document.text.as_deref().unwrap_or_default();
            Ok(ExplainedHit {
                highlights: highlights(&search.words, snapshot.analyzer(), hit, text),
                document,
                score: hit.score,
                components: hit.components.clone(),
                latents,
            })
        })
        .collect::<Result<_>>()?;
    Ok(SearchResult {
        hits,
        offset: page.range.start,
        next_page_token: None,
        steering: search.steering.clone(),
        properties: search.properties.clone(),
        explanation: Explanation {
            encode: search.encode,
            fetch: fetching.elapsed(),
            total: started.elapsed(),
            ..Explanation::default()
        },
        sequence: search.view.snapshot.sequence(),
        warnings: search.view.warnings(),
        facets: CountedFacets::default(),
        size,
    })
}

/// The `most` latents that gave the most to a hit.
fn contributions(search: &ResolvedSearch, hit: &Hit, most: usize) -> Result<Vec<Contribution>> {
    let row = search.view.snapshot.latents(hit.doc);
    if most == 0 || row.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts: Vec<(Activation, f32, &str)> = Vec::new();
    for (name, leaf) in &search.leaves {
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
            Leaf::Boosts(weights) => {
                for entry in &row {
                    let weight = weights.binary_search_by_key(&entry.latent, |w| w.latent);
                    if let Ok(at) = weight {
                        parts.push((*entry, weights[at].part(entry.activation), name));
                    }
                }
            }
            Leaf::LatentsBm25(bm25) => {
                for (latent, part) in bm25.contributions(&search.view.snapshot, hit.doc) {
                    if let Ok(at) = row.binary_search_by_key(&latent, |entry| entry.latent) {
                        parts.push((row[at], part, name));
                    }
                }
            }
            Leaf::Nearest(unit) => {
                let (Some(sae), Some(vector)) = (&search.sae, search.view.snapshot.vector(hit.doc))
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
    let label_of = |latent: u32| search.labels.get(&latent);
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
