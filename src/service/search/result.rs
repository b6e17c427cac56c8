//! Search response.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use latentdb_index::analysis::{Facet, FacetCounts};
use latentdb_index::query::{Component, Kind, Plan};
use latentdb_index::{Activation, Label, Span};

use super::node::SteerChange;
use crate::service::documents::{AnswerSize, Projection, ReadDocument};

/// What a search returns in addition to scores.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// Hits a page, 1 to 1,000.
    pub limit: usize,
    /// Hits before the first page; with `limit` at most 10,000.
    pub offset: usize,
    /// Hits below this score are left out.
    pub min_score: Option<f32>,
    /// At most a few hits of each value of an attribute.
    pub group_by: Option<GroupBy>,
    /// What is read of the documents.
    pub projection: Projection,
    /// Contributing latents listed per hit.
    pub latents_per_hit: usize,
    /// What the documents that the root's filter allows are counted by, with the first page.
    pub facets: Vec<Facet>,
}

/// At most `most` hits of each value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBy {
    /// The attribute.
    pub attribute: String,
    /// Hits of each of its values, 1 to 1,000.
    pub most: usize,
}

/// One page of hits.
#[derive(Clone, Debug)]
pub struct SearchResult {
    /// The hits, best first.
    pub hits: Vec<ExplainedHit>,
    /// Hits before the first of these.
    pub offset: usize,
    /// Where the next page is.
    pub next_page_token: Option<String>,
    /// What steering did, per steered node.
    pub steering: Vec<SteeringReport>,
    /// The latents that were chosen, per property node.
    pub properties: Vec<PropertyReport>,
    /// How the query was run.
    pub explanation: Explanation,
    /// Number of the commit the snapshot shows.
    pub sequence: u64,
    /// Filters that cannot match, each once.
    pub warnings: Vec<String>,
    /// Counts over the documents that the root's filter allows; of the first page.
    pub facets: CountedFacets,
    /// Bytes of the documents of the hits.
    pub(crate) size: AnswerSize,
}

/// The counts of facets, with the labels of the latents among them.
#[derive(Clone, Debug, Default)]
pub struct CountedFacets {
    /// One per facet, in their order.
    pub counts: Vec<FacetCounts>,
    /// The collection's labels, by latent.
    pub labels: Arc<BTreeMap<u32, Label>>,
}

/// A hit with its reasons.
#[derive(Clone, Debug)]
pub struct ExplainedHit {
    /// The document, as the projection says.
    pub document: ReadDocument,
    /// Its score.
    pub score: f32,
    /// What each node gave.
    pub components: Vec<Component>,
    /// The latents that contributed most.
    pub latents: Vec<Contribution>,
    /// Words of the text that the query asked for; none where the projection leaves out the text.
    pub highlights: Vec<Highlight>,
}

/// Words of a hit's text that the query asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// The node that ranks by them; empty of a condition in a filter.
    pub component: String,
    /// Where they are.
    pub span: Span,
}

/// A latent's part of a component's score.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The latent.
    pub latent: u32,
    /// Its label.
    pub label: Option<String>,
    /// Whether the label's score is low.
    pub low_confidence: bool,
    /// Its activation in the document.
    pub activation: f32,
    /// Its part of the component's score.
    pub contribution: f32,
    /// The component; empty where the latent is only active.
    pub component: String,
}

impl Contribution {
    /// Its bytes as a message has it, roughly.
    pub(super) fn bytes(&self) -> usize {
        24 + self.label.as_ref().map_or(0, String::len) + self.component.len()
    }
}

/// What steering did to a query vector.
#[derive(Clone, Debug)]
pub struct SteeringReport {
    /// The node.
    pub component: String,
    /// Cosine of the original and the steered vector.
    pub cosine: f64,
    /// Norm of what the SAE does not explain of the original.
    pub residual_norm: f64,
    /// Latents of the original.
    pub before: Vec<Activation>,
    /// Latents of the steered vector.
    pub after: Vec<Activation>,
    /// The steered vector.
    pub vector: Vec<f32>,
    /// The edits as they were applied.
    pub applied: Vec<AppliedEdit>,
    /// Squared distance of the steered vector's code and the wanted one, before and after the
    /// steps that make them agree.
    pub inconsistency: Option<(f64, f64)>,
}

/// An edit of one latent, its amount raw (a boost's in units of p90).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AppliedEdit {
    /// The latent.
    pub latent: u32,
    /// What is done to it.
    pub change: SteerChange,
}

/// The latents that stand for a property.
#[derive(Clone, Debug)]
pub struct PropertyReport {
    /// The node.
    pub component: String,
    /// Best first.
    pub chosen: Vec<ChosenLatent>,
    /// The node as a query over them.
    pub query: Kind,
    /// A direction in the space of vectors, fitted from the same examples; `None` without examples.
    pub vector: Option<Vec<f32>>,
    /// The language model that chose, where one did.
    pub selected_by: Option<SelectedBy>,
}

/// A chosen latent; its rank is its place.
#[derive(Clone, Debug)]
pub struct ChosenLatent {
    /// The latent.
    pub latent: u32,
    /// Its label.
    pub label: Option<String>,
    /// Its weight in the query.
    pub weight: f32,
    /// What it was chosen by.
    pub similarity: f32,
}

/// Who chose latents, among how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedBy {
    /// `chat:MODEL` or `local:MODEL`.
    pub model: String,
    /// Candidates that it was shown.
    pub candidates: usize,
}

/// How a query was run.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The root's plan.
    pub plan: Plan,
    /// Making vectors from texts and edits.
    pub encode: Duration,
    /// Running the plan.
    pub execute: Duration,
    /// Reading documents and latents.
    pub fetch: Duration,
    /// All of it.
    pub total: Duration,
}
