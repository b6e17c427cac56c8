//! Counts: of a filter, by attribute value, by latent.

use std::sync::Arc;

use latentdb_index::analysis::{attribute_facet, latent_counts};
use latentdb_index::filter::{AttributeTest, Resolver as _};
use latentdb_index::{Filter, Label, Value, validate_attribute_name};

use super::part::Search;
use crate::error::{Result, Within as _};
use crate::service::blocking;
use crate::service::core::{Address, no_sae};
use crate::service::names::resolve_filter;

/// What a facet counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FacetBy {
    /// Values of an attribute.
    Attribute(String),
    /// Active latents.
    Latents,
}

/// A latent's count with its label.
#[derive(Clone, Debug)]
pub struct LabelledCount {
    /// The latent.
    pub latent: u32,
    /// Its label.
    pub label: Option<String>,
    /// Whether the label's score is low.
    pub low_confidence: bool,
    /// Documents.
    pub count: u64,
    /// Mean activation over those.
    pub mean_activation: f32,
}

/// A facet's counts.
#[derive(Clone, Debug, Default)]
pub struct FacetResult {
    /// By value, most frequent first.
    pub values: Vec<(Value, u64)>,
    /// By latent, most frequent first.
    pub latents: Vec<LabelledCount>,
    /// Distinct values or latents.
    pub distinct: u64,
    /// Documents in the set.
    pub documents: u64,
    /// Filters that cannot match, each once.
    pub warnings: Vec<String>,
}

impl Search {
    /// The exact number of documents a filter describes, and warnings of filters that cannot match.
    pub async fn count(
        self: &Arc<Self>,
        address: &Address,
        filter: Filter,
    ) -> Result<(u64, Vec<String>)> {
        let view = self.core.view(address)?;
        let filter = resolve_filter(&view, &filter)?;
        blocking(move || Ok((view.snapshot.count(&filter)?, view.warnings()))).await
    }

    /// Exact counts by attribute value or by latent.
    pub async fn facet(
        self: &Arc<Self>,
        address: &Address,
        filter: Filter,
        by: FacetBy,
        limit: usize,
    ) -> Result<FacetResult> {
        let view = self.core.view(address)?;
        let filter = resolve_filter(&view, &filter)?;
        if by == FacetBy::Latents && view.n_latents().is_none() {
            return Err(no_sae(&view));
        }
        let labels = self.labels.of(&view)?;
        blocking(move || {
            let snapshot = &view.snapshot;
            match by {
                FacetBy::Attribute(name) => {
                    validate_attribute_name(&name).within("attribute")?;
                    view.consider(&name, &AttributeTest::Exists)?;
                    let facet = attribute_facet(snapshot, &filter, &name, limit)?;
                    let pairs = facet.values.into_iter();
                    Ok(FacetResult {
                        values: pairs.map(|entry| (entry.value, entry.count)).collect(),
                        distinct: facet.distinct,
                        documents: snapshot.count(&filter)?,
                        warnings: view.warnings(),
                        ..FacetResult::default()
                    })
                }
                FacetBy::Latents => {
                    let mut counts = latent_counts(snapshot, &filter)?;
                    let distinct = counts.len() as u64;
                    counts.sort_by(|a, b| b.count.cmp(&a.count).then(a.latent.cmp(&b.latent)));
                    counts.truncate(limit);
                    Ok(FacetResult {
                        latents: counts
                            .into_iter()
                            .map(|entry| LabelledCount {
                                latent: entry.latent,
                                label: labels.get(&entry.latent).map(|label| label.text.clone()),
                                low_confidence: labels
                                    .get(&entry.latent)
                                    .is_some_and(Label::is_low_confidence),
                                count: entry.count,
                                mean_activation: entry.mean_activation,
                            })
                            .collect(),
                        distinct,
                        documents: snapshot.count(&filter)?,
                        warnings: view.warnings(),
                        ..FacetResult::default()
                    })
                }
            }
        })
        .await
    }
}
