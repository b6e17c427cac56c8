//! Property retrieval (the methods guide): latents are chosen for a property, ranked and weighted, and
//! become a query that can be read.

use latentdb_index::query::{
    ActivationScale, Kind, LatentWeight, Latents, LatentsBm25, MAX_WEIGHTS,
};

use super::encoded::Encoded;
use super::examples::fit;
use super::node::{PropertyNode, PropertyScorer, PropertySelection, PropertySource};
use super::part::Search;
use super::result::{ChosenLatent, PropertyReport};
use crate::error::{Error, Result, Within as _};
use crate::service::core::{View, no_sae};

/// Latents that examples are told by, unless a number is asked for.
const EXAMPLE_LATENTS: usize = 50;

/// `exp(-(rank / kept) / temperature)`.
pub(super) fn rank_weight(rank: usize, kept: usize, temperature: f32) -> f32 {
    (-(rank as f32 / kept as f32) / temperature).exp()
}

/// The `most` latents that a text's vector is about, best first, with what they were chosen by.
pub(super) fn choose(
    view: &View,
    encoded: &Encoded,
    vector: &[f32],
    selection: PropertySelection,
    most: usize,
) -> Result<Vec<(u32, f32)>> {
    if view.n_latents().is_none() {
        return Err(no_sae(view));
    }
    let by_centroid = || view.snapshot.centroids().similarities(vector);
    let by_label = || encoded.label_similarities(vector);
    let mut chosen = match selection {
        PropertySelection::Centroids => by_centroid(),
        PropertySelection::Labels => {
            let found = by_label();
            if found.is_empty() {
                return Err(Error::precondition(format!(
                    "no latent of collection {:?} has a label: label them (`latentdb latents label \
                     {}`), or choose latents by centroids",
                    view.name(),
                    view.name()
                )));
            }
            found
        }
        PropertySelection::Both => added(standardised(by_centroid()), &standardised(by_label())),
    };
    chosen.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    chosen.truncate(most);
    Ok(chosen)
}

/// Scores by centroid plus those by label, both ascending by latent. A latent without a label gets
/// what labels give on average, which is 0.
fn added(mut centroids: Vec<(u32, f32)>, labels: &[(u32, f32)]) -> Vec<(u32, f32)> {
    for (latent, score) in &mut centroids {
        let label = labels.binary_search_by_key(latent, |entry| entry.0);
        *score += label.map_or(0.0, |at| labels[at].1);
    }
    centroids
}

/// Scores less their mean, in standard deviations.
fn standardised(mut scores: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    let count = scores.len().max(1) as f32;
    let mean = scores.iter().map(|(_, score)| score).sum::<f32>() / count;
    let squares = scores.iter().map(|(_, score)| (score - mean).powi(2));
    let deviation = (squares.sum::<f32>() / count).sqrt().max(f32::MIN_POSITIVE);
    for (_, score) in &mut scores {
        *score = (*score - mean) / deviation;
    }
    scores
}

impl Search {
    /// The query over latents that a property stands for.
    pub(super) fn property(
        &self,
        view: &View,
        encoded: &Encoded,
        node: &PropertyNode,
    ) -> Result<PropertyReport> {
        check(node)?;
        let most = node.kept.unwrap_or(node.candidates).min(node.candidates);
        let (mut vector, mut selected_by) = (None, None);
        let (chosen, weights): (Vec<(u32, f32)>, Vec<f32>) = match &node.source {
            PropertySource::Text {
                text, selection, ..
            } => {
                let words = encoded.text(text)?;
                let chosen = match encoded.selected(node) {
                    None => choose(view, encoded, words, *selection, most)?,
                    Some(selected) => {
                        selected_by = Some(selected.by.clone());
                        let latents = selected.latents.iter().take(most);
                        latents.copied().collect()
                    }
                };
                let weights = weights(&chosen, node);
                (chosen, weights)
            }
            PropertySource::OwnLatents(text) => {
                let sae = self.core.required_sae(view)?;
                let words = encoded.text(text)?;
                let mut codes = crate::sae::Codes::new();
                sae.encode(words, &mut codes)?;
                let (latents, activations) = codes.row(0);
                let mut chosen: Vec<(u32, f32)> = latents
                    .iter()
                    .copied()
                    .zip(activations.iter().copied())
                    .collect();
                chosen.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                chosen.truncate(most);
                let weights = weights(&chosen, node);
                (chosen, weights)
            }
            PropertySource::Examples(examples) => {
                // Fewer than a property's words stand for: each has a weight that a person can read.
                let most = node.kept.map_or(EXAMPLE_LATENTS.min(most), |_| most);
                let fitted = fit(view, examples, most).within("examples")?;
                vector = fitted.vector;
                let chosen = fitted.latents;
                let weights = chosen.iter().map(|(_, weight)| *weight).collect();
                (chosen, weights)
            }
        };
        if chosen.is_empty() {
            return Err(Error::precondition(match &node.source {
                PropertySource::Examples(_) => {
                    "no latent tells the positive examples from the negative ones: take others, \
                     that differ in what is looked for"
                }
                _ => {
                    "no latent stands for the property: no document has latents yet, or none is \
                     active where the property is looked for"
                }
            }));
        }
        let labels = self.labels.of(view)?;
        let chosen: Vec<ChosenLatent> = chosen
            .into_iter()
            .zip(weights)
            .map(|((latent, similarity), weight)| ChosenLatent {
                latent,
                label: labels.get(&latent).map(|label| label.text.clone()),
                weight,
                similarity,
            })
            .collect();
        Ok(PropertyReport {
            component: String::new(),
            query: query(&chosen, node),
            chosen,
            vector,
            selected_by,
        })
    }
}

fn weights(chosen: &[(u32, f32)], node: &PropertyNode) -> Vec<f32> {
    let by_rank = |at: usize| rank_weight(at + 1, chosen.len(), node.temperature);
    let weighted = chosen.iter().enumerate();
    weighted
        .map(|(at, (_, similarity))| match node.scorer {
            PropertyScorer::Ranks | PropertyScorer::Bm25 { .. } => by_rank(at),
            PropertyScorer::Dot => *similarity,
        })
        .collect()
}

fn query(chosen: &[ChosenLatent], node: &PropertyNode) -> Kind {
    let weights: Vec<LatentWeight> = chosen
        .iter()
        .map(|entry| LatentWeight {
            latent: entry.latent,
            weight: entry.weight,
        })
        .collect();
    let fitted = matches!(node.source, PropertySource::Examples(_));
    match node.scorer {
        PropertyScorer::Bm25 { k1, b } => Kind::LatentsBm25(LatentsBm25 { weights, k1, b }),
        // Fitted weights are those of activations over percentiles.
        PropertyScorer::Dot if !fitted => Kind::Latents(Latents {
            weights,
            scale: ActivationScale::Raw,
            idf: false,
        }),
        _ => Kind::Latents(Latents {
            weights,
            scale: ActivationScale::Percentile90,
            idf: false,
        }),
    }
}

pub(super) fn check(node: &PropertyNode) -> Result<()> {
    let counts = [("candidates", Some(node.candidates)), ("kept", node.kept)];
    for (field, count) in counts {
        if count.is_some_and(|count| !(1..=MAX_WEIGHTS).contains(&count)) {
            return Err(Error::invalid(
                field,
                format!("is {}; 1 to {MAX_WEIGHTS} is accepted", count.unwrap_or(0)),
            ));
        }
    }
    if !(node.temperature.is_finite() && node.temperature > 0.0) {
        let message = format!(
            "is {}; a finite number above 0 is accepted",
            node.temperature
        );
        return Err(Error::invalid("temperature", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latent_without_a_label_is_not_doubled() {
        let centroids = standardised(vec![(0, 0.1), (1, 0.5), (2, 0.3)]);
        let labels = standardised(vec![(1, 0.2), (2, 0.6)]);
        let both = added(centroids.clone(), &labels);
        // Its score is that of its centroid: labels say nothing of it.
        assert_eq!(both[0], centroids[0]);
        for (at, of_label) in [(1, -1.0), (2, 1.0)] {
            let sum = centroids[at].1 + of_label;
            assert!((both[at].1 - sum).abs() < 1e-6, "{both:?}");
        }
        assert_eq!(added(centroids.clone(), &[]), centroids);
    }
}
