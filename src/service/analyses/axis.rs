//! An axis: the latents that matter to a question (Clustering along an axis in the methods guide).

use std::collections::BTreeMap;
use std::sync::Arc;

use latentdb_index::Label;

use super::{Analyses, check_latents, n_latents_of};
use crate::error::{Error, Result, Within as _};
use crate::label::Keyphrases;
use crate::reading::Role;
use crate::service::blocking;
use crate::service::core::View;
use crate::service::families::families_at;

/// Maximum texts per axis.
const MAX_TEXTS: usize = 100;

/// What an axis is made of.
#[derive(Clone, Debug, Default)]
pub struct AxisRequest {
    /// Texts, each naming the latents most similar to it.
    pub texts: Vec<String>,
    /// Latents by number.
    pub latents: Vec<u32>,
    /// Families of latents, by their roots.
    pub families: Vec<u32>,
    /// Latents that each text names.
    pub per_text: usize,
    /// What texts are compared with; the better of what there is where absent.
    pub source: Option<AxisSource>,
    /// How often latents come back in SAEs of other seeds that texts name; all where absent.
    pub min_recurrence: Option<f32>,
}

/// What texts are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisSource {
    /// The latents' labels.
    Labels,
    /// The mean vectors of the latents' documents.
    Centroids,
}

/// Latents to look at documents by.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// The latents, ascending.
    pub latents: Vec<AxisLatent>,
    /// What texts were compared with, where there were any.
    pub source: Option<AxisSource>,
}

/// A latent of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisLatent {
    /// The latent.
    pub latent: u32,
    /// The text that named it (the most similar one) and the cosine to it; `None` when it was
    /// listed or is of a listed family.
    pub named: Option<(usize, f32)>,
    /// The root of the first listed family that has it; `None` when it was listed itself.
    pub family: Option<u32>,
}

impl Axis {
    /// The latents' numbers, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        self.latents.iter().map(|entry| entry.latent).collect()
    }
}

impl Analyses {
    /// The latents of an axis.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `FailedPrecondition` when the collection has no
    /// latents, or lacks what its texts would be compared with, or its families were not looked
    /// for; `NotFound` for a family that is not there.
    pub(super) async fn resolve_axis(
        self: &Arc<Self>,
        view: &View,
        request: &AxisRequest,
    ) -> Result<Axis> {
        let n_latents = n_latents_of(view)?;
        check(request, n_latents)?;
        let among = view.recurring(request.min_recurrence).within("axis")?;
        let mut entries = self.listed(view, request).await?;
        if request.texts.is_empty() {
            return Ok(axis(entries, None));
        }
        let labels = self.labels.of(view)?;
        let source = request.source.unwrap_or_else(|| best_source(&labels));
        let queries = self.encode_on(view, request.texts.clone()).await?;
        let similarities: Vec<Vec<(u32, f32)>> = match source {
            AxisSource::Labels => {
                let Some(known) = self.labels.similar(view).await? else {
                    return Err(no_labels(view));
                };
                let cosines = |query: &Vec<f32>| known.cosines(query);
                queries.iter().map(cosines).collect()
            }
            AxisSource::Centroids => {
                let snapshot = view.snapshot.clone();
                blocking(move || {
                    let centroids = snapshot.centroids();
                    let near = |query: &Vec<f32>| centroids.similarities(query);
                    Ok(queries.iter().map(near).collect())
                })
                .await?
            }
        };
        for (text, mut similarities) in similarities.into_iter().enumerate() {
            similarities.retain(|(latent, _)| among.has(*latent));
            for (latent, similarity) in most_similar(similarities, request.per_text) {
                let named = Some((text, similarity));
                entries
                    .entry(latent)
                    .and_modify(|known| {
                        if known.named.is_some_and(|(_, best)| best < similarity) {
                            known.named = named;
                        }
                    })
                    .or_insert(AxisLatent {
                        latent,
                        named,
                        family: None,
                    });
            }
        }
        if entries.is_empty() {
            return Err(Error::precondition(
                "no latent has documents with vectors, which the axis' texts are compared with, or comes back \
                 as often as axis.min_recurrence asks",
            ));
        }
        Ok(axis(entries, Some(source)))
    }

    /// The listed latents, and those of the listed families.
    async fn listed(
        self: &Arc<Self>,
        view: &View,
        request: &AxisRequest,
    ) -> Result<BTreeMap<u32, AxisLatent>> {
        let entry = |latent, family| {
            let named = None;
            (
                latent,
                AxisLatent {
                    latent,
                    named,
                    family,
                },
            )
        };
        let mut entries: BTreeMap<u32, AxisLatent> = request
            .latents
            .iter()
            .map(|&latent| entry(latent, None))
            .collect();
        if request.families.is_empty() {
            return Ok(entries);
        }
        let (of, roots) = (view.clone(), request.families.clone());
        let families = blocking(move || families_at(&of, &roots).within("axis.families")).await?;
        for family in families {
            for member in &family.members {
                let (latent, entry) = entry(member.latent, Some(family.root));
                entries.entry(latent).or_insert(entry);
            }
        }
        Ok(entries)
    }

    async fn encode_on(self: &Arc<Self>, view: &View, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        let (service, of) = (self.clone(), view.clone());
        let encoder = blocking(move || service.core.encoder_of(&of)).await?;
        let encoder = encoder.ok_or_else(|| {
            Error::precondition(format!(
                "collection {:?} has no encoder to compare texts with latents; give the latents \
                 of the axis by number",
                view.name()
            ))
        })?;
        encoder.encode(texts, Role::Query).await
    }
}

fn no_labels(view: &View) -> Error {
    Error::precondition(format!(
        "the latents of collection {:?} have no labels; make some with latentdb latents label, or \
         compare with centroids",
        view.name()
    ))
}

/// Labels, unless all of them are the built-in keyphrases: those find fewer of the documents than
/// centroids do (Property retrieval in the methods guide).
fn best_source(labels: &BTreeMap<u32, Label>) -> AxisSource {
    if labels
        .values()
        .any(|label| label.source != Keyphrases::SOURCE)
    {
        AxisSource::Labels
    } else {
        AxisSource::Centroids
    }
}

fn axis(entries: BTreeMap<u32, AxisLatent>, source: Option<AxisSource>) -> Axis {
    Axis {
        latents: entries.into_values().collect(),
        source,
    }
}

/// The `most` highest, ties in order of latent.
fn most_similar(mut similarities: Vec<(u32, f32)>, most: usize) -> Vec<(u32, f32)> {
    similarities.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    similarities.truncate(most);
    similarities
}

fn check(request: &AxisRequest, n_latents: usize) -> Result<()> {
    let wrong = |field: &str, message: String| Err(Error::invalid(format!("axis{field}"), message));
    if request.texts.is_empty() && request.latents.is_empty() && request.families.is_empty() {
        let accepted = "is empty; texts, latents or families are accepted";
        return wrong("", accepted.to_owned());
    }
    if request.texts.len() > MAX_TEXTS {
        let count = request.texts.len();
        let message = format!("has {count} entries; at most {MAX_TEXTS} are accepted");
        return wrong(".texts", message);
    }
    let is_blank = |text: &String| text.trim().is_empty();
    if let Some(at) = request.texts.iter().position(is_blank) {
        return wrong(&format!(".texts[{at}]"), "is empty".to_owned());
    }
    check_latents(&request.latents, n_latents).within("axis.latents")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_latents_are_chosen_by_number_among_equals() {
        let similarities = vec![(4, 0.5), (0, 0.1), (3, 0.5), (2, 0.9)];
        let found = most_similar(similarities.clone(), 3);
        assert_eq!(found, [(2, 0.9), (3, 0.5), (4, 0.5)]);
        assert_eq!(most_similar(similarities, 9).len(), 4);
    }

    #[test]
    fn keyphrases_alone_do_not_make_labels_the_better_source() {
        let label = |source: &str| Label::new("t", source, None, 0);
        let mut labels = BTreeMap::from([(1, label(Keyphrases::SOURCE))]);
        assert_eq!(best_source(&BTreeMap::new()), AxisSource::Centroids);
        assert_eq!(best_source(&labels), AxisSource::Centroids);
        labels.insert(2, label("a person"));
        assert_eq!(best_source(&labels), AxisSource::Labels);
    }

    #[test]
    fn wrong_axes_are_named() {
        let request = AxisRequest {
            texts: vec!["a".to_owned(), " ".to_owned()],
            latents: vec![3, 9],
            ..AxisRequest::default()
        };
        assert_eq!(
            check(&request, 9).unwrap_err().field(),
            Some("axis.texts[1]")
        );
        let listed = AxisRequest {
            texts: Vec::new(),
            ..request
        };
        assert_eq!(
            check(&listed, 9).unwrap_err().field(),
            Some("axis.latents[1]")
        );
        assert!(check(&listed, 10).is_ok());
        assert_eq!(
            check(&AxisRequest::default(), 9).unwrap_err().field(),
            Some("axis")
        );
    }
}
