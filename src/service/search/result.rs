//! What a search gives back.

use std::time::Duration;

use latentdb_index::query::{Component, Plan};
use latentdb_index::{Activation, Document};

use super::edits::AppliedEdit;
use super::property::PropertyReport;
use crate::service::documents::Projection;

/// What comes back beside the hits' scores.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// Hits a page, 1 to 1,000.
    pub limit: usize,
    /// What is read of the documents.
    pub projection: Projection,
    /// Contributing latents listed per hit.
    pub latents_per_hit: usize,
}

/// One page of hits.
#[derive(Clone, Debug)]
pub struct SearchResult {
    /// The hits, best first.
    pub hits: Vec<ExplainedHit>,
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
}

/// A hit with its reasons.
#[derive(Clone, Debug)]
pub struct ExplainedHit {
    /// The document, as the projection says.
    pub document: Document,
    /// Its score.
    pub score: f32,
    /// What each node gave.
    pub components: Vec<Component>,
    /// The latents that contributed most.
    pub latents: Vec<Contribution>,
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
