//! A target explained by a few latents.

use std::sync::Arc;

use latentdb_index::analysis::explain::{
    Choice, ExplainOptions, Explained, ExplainedLatent, TargetKind, TargetOf, explain,
};
use latentdb_index::analysis::{Members, Side};
use latentdb_index::{Filter, Progress, validate_attribute_name};

use super::{Analyses, n_latents_of};
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::core::Address;
use crate::service::documents::{Projection, ReadDocument};
use crate::service::labels::ShownLabel;
use crate::service::names::{resolve_filter, resolve_set};

/// Length alone is worth a word where it is this share of what the latents explain.
const MOSTLY_LENGTH: f64 = 0.5;
/// A score above chance that is worth a word.
const SOMETHING: f64 = 0.02;

/// What is explained.
#[derive(Clone, Debug)]
pub struct ExplainRequest {
    /// The collection.
    pub address: Address,
    /// Which of its documents.
    pub filter: Filter,
    /// The attribute that is explained; empty where a filter is.
    pub target: String,
    /// Instead, whether documents are of this filter.
    pub target_filter: Option<Filter>,
    /// How often latents come back in SAEs of other seeds that are chosen; all where absent.
    pub min_recurrence: Option<f32>,
    /// How; its target is that above.
    pub options: ExplainOptions,
    /// Documents per latent.
    pub documents: usize,
    /// What is read of them.
    pub projection: Projection,
}

/// An explanation with what a reader wants to know of it.
#[derive(Clone, Debug)]
pub struct ExplainResult {
    /// The scores; its latents are those of `latents`.
    pub found: Explained,
    /// The latents.
    pub latents: Vec<DescribedLatent>,
    /// Tests in the filter that no document can pass, and what to know of the scores.
    pub warnings: Vec<String>,
}

/// A latent with its label and documents.
#[derive(Clone, Debug)]
pub struct DescribedLatent {
    /// The figures.
    pub own: ExplainedLatent,
    /// As it is shown.
    pub label: ShownLabel,
    /// Documents in which it is strongest.
    pub documents: Vec<ReadDocument>,
}

impl Analyses {
    /// Explains an attribute by a few latents. `progress` says how far it is and calls it off.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `FailedPrecondition` when the collection has no latents, the
    /// target one value, or too few documents.
    pub async fn explain(
        self: &Arc<Self>,
        request: ExplainRequest,
        progress: Arc<Progress>,
    ) -> Result<ExplainResult> {
        let view = self.core.view(&request.address)?;
        let n_latents = n_latents_of(&view)?;
        let target = match (&request.target_filter, request.target.is_empty()) {
            (Some(filter), true) => TargetOf::Filter(resolve_set(&view, filter, "target_filter")?),
            (None, false) => {
                validate_attribute_name(&request.target).within("target")?;
                TargetOf::Attribute(request.target.clone())
            }
            _ => {
                let message =
                    "or `target_filter` is what is explained; exactly one of them is accepted";
                return Err(Error::invalid("target", message));
            }
        };
        let options = ExplainOptions {
            target,
            among: view.recurring(request.min_recurrence)?,
            ..request.options
        };
        if let Some(by) = &options.split_by {
            validate_attribute_name(by).within("split_by")?;
        }
        let filter = resolve_filter(&view, &request.filter)?;
        let labels = self.labels.of(&view)?;
        let mut warnings = view.warnings();
        blocking(move || {
            let snapshot = &view.snapshot;
            let side = Side {
                snapshot,
                filter: &filter,
            };
            let found = explain(side, n_latents, &options, &progress)?;
            let members = Members::of(side)?;
            let describe = |own: &ExplainedLatent| {
                let latents = [&[own.latent], &own.alike[..]].concat();
                let strongest = members.strongest(&latents, request.documents).into_iter();
                Ok(DescribedLatent {
                    own: own.clone(),
                    label: view.shown(&labels, own.latent),
                    documents: strongest
                        .map(|(doc, _)| request.projection.read(snapshot, doc))
                        .collect::<Result<_>>()?,
                })
            };
            let latents = found.latents.iter().map(describe);
            let latents = latents.collect::<Result<_>>()?;
            if options.choice == Choice::Gain {
                warnings.extend(remarks(&found));
            }
            Ok(ExplainResult {
                latents,
                found,
                warnings,
            })
        })
        .await
    }
}

/// What to know of the scores.
fn remarks(found: &Explained) -> Vec<String> {
    let chance = match &found.kind {
        TargetKind::Number => 0.0,
        TargetKind::Classes(classes) if classes.len() == 2 => 0.5,
        // What always telling the largest class gives.
        TargetKind::Classes(classes) => {
            let all: u64 = classes.iter().map(|own| own.1).sum();
            let largest = classes.iter().map(|own| own.1).max().unwrap_or(0);
            2.0 * largest as f64 / (all + largest).max(1) as f64 / classes.len() as f64
        }
    };
    let gain = found.score - chance;
    let mut said = Vec::new();
    if gain < SOMETHING {
        said.push(
            "the latents tell next to nothing of the target on documents held out".to_owned(),
        );
    } else if found
        .length
        .is_some_and(|length| length - chance > MOSTLY_LENGTH * gain)
    {
        said.push(
            "the length of texts alone tells more than half of what the latents do: hold effects against it \
             (diff --stratify-by length)"
                .to_owned(),
        );
    }
    said
}
