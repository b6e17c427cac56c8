//! Hypotheses: differences between sets of texts in words, tested by a judge that reads texts held back
//! (METHODS section 10; arXiv 2512.10092, relabelling and verifying differences).
//!
//! | step | file |
//! |---|---|
//! | what is asked for, and what comes back | `request.rs`, `result.rs` |
//! | which sets are compared, which latents set them apart on the discovery half | `compared.rs` |
//! | the texts that a label is scored on, made from and scored on again | `drawn.rs` |
//! | who labels and who judges | `annotators.rs` |
//! | labels that hold on the compared sets, one per concept | `named.rs` |
//! | texts of the other half, judged one at a time | `judged.rs` |

mod annotators;
mod compared;
mod drawn;
mod judged;
mod named;
mod request;
mod result;

use std::sync::Arc;
use std::time::Instant;

use latentdb_index::{Progress, validate_attribute_name};

use super::diff::NamedSet;
use super::{Analyses, check_share, n_latents_of};
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::names::resolve_set;

pub use request::{Compared, HypothesiseRequest};
pub use result::{ComparedSets, Hypothesis, HypothesiseResult, Judged, LeftOut};

impl Analyses {
    /// Puts what sets documents apart into words, and tests that on documents held back. `progress` says how
    /// far it is and calls it off. Nothing is kept: labels stay as they are.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `FailedPrecondition` for empty sets, a collection without latents
    /// or texts, a judge by similarity without an encoder, and a chat model without an endpoint; what that
    /// gives, but for a budget of tokens that ran out: the result then says what is missing.
    pub async fn hypothesise(
        self: &Arc<Self>,
        request: HypothesiseRequest,
        progress: Arc<Progress>,
    ) -> Result<HypothesiseResult> {
        let view = self.core.view(&request.address)?;
        let n_latents = n_latents_of(&view)?;
        check(&request)?;
        let among = view.recurring(request.min_recurrence)?;
        let source = match &request.compared {
            Compared::Sets { a, b, overlap } => compared::Source::Sets {
                names: (
                    named(a, "A"),
                    b.as_ref().map_or("rest".into(), |b| named(b, "B")),
                ),
                a: resolve_set(&view, &a.filter, "sets.a")?,
                b: match b {
                    Some(b) => Some(resolve_set(&view, &b.filter, "sets.b")?),
                    None => None,
                },
                overlap: *overlap,
            },
            Compared::Clusters {
                filter,
                axis,
                options,
            } => compared::Source::Clusters {
                filter: resolve_set(&view, filter, "clusters.filter")?,
                axis: self
                    .resolve_axis(&view, axis)
                    .await
                    .within("clusters")?
                    .numbers(),
                options: options.clone(),
            },
            Compared::Pairs {
                filter,
                latents,
                min_support,
                max_label_similarity,
            } => {
                super::check_latents(latents, n_latents).within("pairs.latents")?;
                compared::Source::Pairs {
                    filter: resolve_set(&view, filter, "pairs.filter")?,
                    latents: latents.clone(),
                    min_support: *min_support,
                    similar: self.labels.similar(&view).await?,
                    max_label_similarity: *max_label_similarity,
                }
            }
        };
        let labels = self.labels.of(&view)?;
        let service = self.clone();
        blocking(move || {
            let begun = Instant::now();
            let annotators = annotators::Annotators::open(&service, &view, &request)?;
            let found = compared::find(
                (&view, n_latents),
                &among,
                &source,
                &request,
                &labels,
                &progress,
            )?;
            let named = named::Naming {
                service: &service,
                view: &view,
                request: &request,
                annotators: &annotators,
                labels: &labels,
                progress: &progress,
            }
            .run(&found)?;
            let (naming, naming_tokens) = (begun.elapsed().as_secs_f64(), annotators.tokens());
            let judging = Instant::now();
            let mut result = judged::judge(&view, &request, &annotators, found, named, &progress)?;
            result.seconds = (naming, judging.elapsed().as_secs_f64());
            result.tokens = (naming_tokens, annotators.tokens() - naming_tokens);
            result.warnings.extend(annotators.warnings(&view));
            result.warnings.extend(view.warnings());
            Ok(result)
        })
        .await
    }
}

fn named(set: &NamedSet, otherwise: &str) -> String {
    match &*set.name {
        "" => otherwise.to_owned(),
        name => name.to_owned(),
    }
}

fn check(request: &HypothesiseRequest) -> Result<()> {
    check_share(request.max_p_adjusted, "max_p_adjusted")?;
    if !(0.1..=0.9).contains(&request.confirm) {
        let message = format!("is {}; a share of .1 to .9 is accepted", request.confirm);
        return Err(Error::invalid("confirm", message));
    }
    if let Some(by) = &request.split_by {
        validate_attribute_name(by).within("split_by")?;
    }
    Ok(())
}
