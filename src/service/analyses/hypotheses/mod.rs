//! Hypotheses: differences between sets of texts in words, tested by a judge that reads texts held back
//! (METHODS section 10; arXiv 2512.10092, relabelling and verifying differences).
//!
//! | step | file |
//! |---|---|
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

use std::sync::Arc;
use std::time::Instant;

use latentdb_index::analysis::cluster::ClusterOptions;
use latentdb_index::{Filter, Progress, validate_attribute_name};

use super::axis::AxisRequest;
use super::diff::{NamedSet, Overlap};
use super::{Analyses, check_share, n_latents_of};
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::core::Address;
use crate::service::documents::{Projection, ReadDocument};
use crate::service::labels::{JudgeChoice, LabellerChoice};
use crate::service::names::{resolve_filter, resolve_set};

/// Where hypotheses come from.
#[derive(Clone, Debug)]
pub enum Compared {
    /// Two sets of documents.
    Sets {
        /// The first.
        a: NamedSet,
        /// The second; all documents that are not of A where there is none.
        b: Option<NamedSet>,
        /// What becomes of documents that are in both.
        overlap: Overlap,
    },
    /// Each cluster of documents along an axis, with all others.
    Clusters {
        /// Which documents.
        filter: Filter,
        /// What they are grouped by.
        axis: AxisRequest,
        /// How.
        options: ClusterOptions,
    },
    /// Documents in which one latent of a correlated pair is active, with those in which it is not.
    Pairs {
        /// Which documents.
        filter: Filter,
        /// Latents, one of which is in every pair; all where empty.
        latents: Vec<u32>,
        /// Pairs in fewer documents are not tested.
        min_support: u64,
        /// Cosine of labels from which on a pair of latents is dropped.
        max_label_similarity: f64,
    },
}

/// What is found and tested.
#[derive(Clone, Debug)]
pub struct HypothesiseRequest {
    /// The collection.
    pub address: Address,
    /// Where hypotheses come from.
    pub compared: Compared,
    /// Latents that become hypotheses, those that differ most first: of a comparison of two sets, of each
    /// cluster, or pairs.
    pub latents: usize,
    /// Adjusted p-values up to this: of a difference of latents, and of what was judged.
    pub max_p_adjusted: f64,
    /// The share of the documents that nothing is found, named or chosen on.
    pub confirm: f64,
    /// Documents with one value of this attribute are all on one side of that.
    pub split_by: Option<String>,
    /// Who names what differs.
    pub labeller: LabellerChoice,
    /// Who judges.
    pub judge: JudgeChoice,
    /// Documents judged of each set at most; `None` for 1,000 where similarity judges and 50 where a model
    /// reads.
    pub judged: Option<usize>,
    /// Decides which documents are drawn.
    pub seed: u64,
    /// Documents listed per hypothesis that were judged to show it.
    pub documents: usize,
    /// What is read of them.
    pub projection: Projection,
}

/// Hypotheses and how they fared.
#[derive(Clone, Debug, Default)]
pub struct HypothesiseResult {
    /// The pairs of sets.
    pub comparisons: Vec<ComparedSets>,
    /// The hypotheses: of each comparison those of the largest difference of latents first.
    pub hypotheses: Vec<Hypothesis>,
    /// Latents that differ and gave no hypothesis.
    pub left_out: Vec<LeftOut>,
    /// Who labelled, and who judged.
    pub labeller: String,
    /// The same.
    pub judge: String,
    /// Tokens that the chat endpoint counted.
    pub tokens: u64,
    /// Tokens that judging was expected to take, where a chat endpoint judges.
    pub expected_tokens: u64,
    /// Seconds that finding and naming took, and judging.
    pub seconds: (f64, f64),
    /// What to know of the result.
    pub warnings: Vec<String>,
}

/// Two sets, and how many documents they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComparedSets {
    /// What they are called.
    pub names: (String, String),
    /// Documents that latents were compared on.
    pub discovery: (u64, u64),
    /// Documents held back.
    pub confirmation: (u64, u64),
    /// Latents that differ there, or pairs that go together.
    pub differing: u64,
}

/// A difference in words, and whether it holds.
#[derive(Clone, Debug)]
pub struct Hypothesis {
    /// The claim as a sentence.
    pub sentence: String,
    /// What is claimed to be more frequent.
    pub label: String,
    /// Whether that label was made for the compared sets.
    pub relabelled: bool,
    /// The share of documents that the label told apart right, of those with the latent and as many without.
    pub label_score: f64,
    /// Which comparison it is of.
    pub comparison: usize,
    /// Whether it claims more in A than in B.
    pub more_in_a: bool,
    /// The latent, the first of those whose labels say the same.
    pub latent: u32,
    /// The others.
    pub alike: Vec<u32>,
    /// The latent whose documents are A, where sets come of a pair.
    pub given: Option<u32>,
    /// Shares of A and B with the latent where it was found, and its p-value there, adjusted.
    pub found: (f64, f64, f64),
    /// What the judge says of documents held back; `None` where the budget of tokens ran out before.
    pub judged: Option<Judged>,
}

/// What a judge says of documents of both sets.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Documents of A judged, and those that show the label.
    pub a: (u64, u64),
    /// The same of B.
    pub b: (u64, u64),
    /// Of those documents, the ones in which the latent is active.
    pub active: (u64, u64),
    /// Documents of which the judge said nothing usable; they count as not showing it.
    pub unusable: u64,
    /// Share of A minus share of B, and its 95 % interval (Newcombe's).
    pub delta: f64,
    /// The interval.
    pub interval: (f64, f64),
    /// p-value of no difference, and the same after Benjamini and Hochberg over the hypotheses judged.
    pub p_value: f64,
    /// The same.
    pub p_adjusted: f64,
    /// The difference is on the side that is claimed, at an adjusted p-value that is small enough.
    pub holds: bool,
    /// Cohen's kappa of judge and latent; `None` where both always say one thing.
    pub kappa: Option<f64>,
    /// Documents that show it, of the side that is claimed to have more.
    pub documents: Vec<ReadDocument>,
}

/// A latent that differs, without a hypothesis.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// The latent.
    pub latent: u32,
    /// Which comparison it is of.
    pub comparison: usize,
    /// The label that it has or was given, if any.
    pub label: String,
    /// Why.
    pub why: String,
}

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
        let source = match &request.compared {
            Compared::Sets { a, b, overlap } => compared::Source::Sets {
                names: (
                    named(a, "A"),
                    b.as_ref().map_or("rest".into(), |b| named(b, "B")),
                ),
                a: resolve_set(&view, &a.filter, "a")?,
                b: match b {
                    Some(b) => Some(resolve_set(&view, &b.filter, "b")?),
                    None => None,
                },
                overlap: *overlap,
            },
            Compared::Clusters {
                filter,
                axis,
                options,
            } => compared::Source::Clusters {
                filter: resolve_filter(&view, filter)?,
                axis: self.resolve_axis(&view, axis).await?.numbers(),
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
            let found = compared::find(&view, n_latents, &source, &request, &labels, &progress)?;
            let named = named::Naming {
                service: &service,
                view: &view,
                request: &request,
                annotators: &annotators,
                labels: &labels,
                progress: &progress,
            }
            .run(&found)?;
            let naming = begun.elapsed().as_secs_f64();
            let judging = Instant::now();
            let mut result = judged::judge(&view, &request, &annotators, found, named, &progress)?;
            result.seconds = (naming, judging.elapsed().as_secs_f64());
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
