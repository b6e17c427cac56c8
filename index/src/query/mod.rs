//! The query tree: what is asked, how it is planned and run, and what comes back.
//!
//! A [`Query`] is a node with an optional filter; nodes nest freely. [`Query::resolve`] checks it
//! and turns it into a [`ResolvedQuery`], which [`execute()`] runs. A filter holds for the node it
//! stands on and everything below it: it is applied before ranking, so a node returns its best
//! documents *among those allowed*. The one exception is the right side of [`Kind::Except`], which
//! is a query of its own.

mod boost;
mod execute;
mod groups;
mod idf;
mod latents;
mod latents_bm25;
mod linear;
mod nearest;
mod order;
mod pointwise;
mod resolve;
mod text;
mod word_forms;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::rank::{Fusion, Scale};
pub use boost::BoostWeight;
pub use execute::{effective_weights, execute, execute_after};
pub use groups::Groups;
pub(crate) use nearest::SCAN_BELOW;
pub use order::{Order, OrderBy, OrderKey};

use crate::filter::{Filter, ResolvedFilter, TextMode};

/// Maximum hits of one part of a query, and of one page with those before it.
pub const MAX_HITS: usize = 10_000;
/// Deepest nesting of a query.
pub const MAX_DEPTH: usize = 16;
/// Maximum weighted latents of one node.
pub const MAX_WEIGHTS: usize = 4096;
/// Hits taken from each child of a fusion, unless said otherwise.
pub const DEFAULT_FUSION_DEPTH: usize = 1000;

/// A node of the query tree, as it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What the node ranks by.
    pub kind: Kind<Query>,
    /// Which documents it may return; combined with the filters above it.
    pub filter: Option<Filter>,
    /// How its component scores are named; the kind's name when absent.
    pub name: Option<String>,
}

/// A node of the query tree that the engine runs: checked, its filter resolved, its name unique.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedQuery {
    /// What the node ranks by.
    pub kind: Kind<ResolvedQuery>,
    /// Which documents it may return; combined with the filters above it.
    pub filter: Option<ResolvedFilter>,
    /// How its component scores are named.
    pub name: String,
}

/// What a node ranks by; `Q` is the form of the nodes below it.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind<Q = Query> {
    /// Cosine similarity to a vector.
    Nearest(Nearest),
    /// Cosine similarity to a vector plus a weighted sum of activations (the methods guide, boost).
    /// Hits have a vector.
    Boost(Nearest, Boosts),
    /// A weighted sum of activations.
    Latents(Latents),
    /// BM25 over latents.
    LatentsBm25(LatentsBm25),
    /// BM25 over the documents' text.
    Text {
        /// The words.
        text: String,
        /// How many of them a hit must hold.
        mode: TextMode,
    },
    /// Several rankings made one.
    Fusion {
        /// The rankings and their weights.
        children: Vec<(Q, f32)>,
        /// How their scores are combined.
        method: Fusion,
        /// Hits taken from each child.
        depth: usize,
    },
    /// The hits of `query` that are not among the `top` best of `minus`.
    Except {
        /// Where hits come from.
        query: Box<Q>,
        /// What is taken away.
        minus: Box<Q>,
        /// How many of `minus`' best hits are taken away.
        top: usize,
    },
    /// Every allowed document, unscored.
    Matching(Order),
}

/// Cosine similarity to a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The query vector, of the collection's dimension; its norm does not matter.
    pub vector: Vec<f32>,
    /// Compare with every allowed document instead of walking the graph.
    pub exact: bool,
    /// Beam of the graph search, ef in the HNSW paper; larger finds more and takes longer.
    pub ef: usize,
}

/// The beam when a query names none: recall at 10 of .99 on 60,000 MiniLM vectors.
pub const DEFAULT_EF: usize = 100;

/// A weighted sum of activations: `Σ w_i a_i`, or `Σ w_i a_i / p90_i`.
///
/// Hits are the documents in which at least one of the latents is active. Scores are sums of the
/// stored f16 activations in ascending order of latents, so the ranking is exact.
#[derive(Clone, Debug, PartialEq)]
pub struct Latents {
    /// The latents and their weights, of either sign.
    pub weights: Vec<LatentWeight>,
    /// What activations are divided by.
    pub scale: ActivationScale,
    /// Multiply weights by the latents' inverse document frequency, `ln((N - df + .5) / (df + .5))` and not below 0:
    /// rare latents tell more, those of half the documents nothing.
    pub idf: bool,
}

/// Activations that are added to a cosine: `u Σ λ_i min(a_i / p90_i, 2)`.
///
/// `u` makes one λ mean the same for encoders whose cosines are close together: the standard deviation
/// of the cosines of the 1,000 best documents, over .05. Under a filter those of the allowed ones; of
/// fewer than 50 it says nothing, and the collection's own is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Boosts {
    /// The latents and their λ, of either sign.
    pub weights: Vec<LatentWeight>,
    /// `u`; measured on the query's candidates where absent ([`ResolvedQuery::with_units`]).
    pub unit: Option<f32>,
}

/// A latent and its weight in a query.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentWeight {
    /// The latent's number.
    pub latent: u32,
    /// Its weight: positive wants it, negative does not.
    pub weight: f32,
}

/// A BM25 query whose words are latents.
#[derive(Clone, Debug, PartialEq)]
pub struct LatentsBm25 {
    /// The latents and their weights, of either sign.
    pub weights: Vec<LatentWeight>,
    /// Where an activation's part saturates, above 0.
    pub k1: f32,
    /// How much a document with many strong latents is held back, 0 to 1.
    pub b: f32,
}

/// k1 of the published settings: activations saturate late.
pub const DEFAULT_K1: f32 = 8.0;
/// b of the published settings.
pub const DEFAULT_B: f32 = 0.7;

/// What activations are divided by before they are weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ActivationScale {
    /// Nothing.
    #[default]
    Raw,
    /// The 90th percentile of the latent's non-zero activations in the snapshot.
    Percentile90,
}

/// A hit with what each part of the query gave to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The document's number in the snapshot.
    pub doc: u32,
    /// Its score at the root of the query.
    pub score: f32,
    /// One entry per leaf and fusion child that holds the document.
    pub components: Vec<Component>,
}

/// What one node gave to a hit.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// The node's name, or its place and kind (`0.nearest`).
    pub name: String,
    /// The document's score in that node.
    pub score: f32,
    /// Its rank there, from 1.
    pub rank: u32,
    /// The part of the parent's score it stands for; the score itself at the root.
    pub contribution: f32,
}

/// How a node was run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The node's name, as in [`Component::name`].
    pub name: String,
    /// The access path: `graph`, `scan`, `graph+scan`, `postings`, `rows`, `bm25`, `fusion`,
    /// `linear`, `except`, `bitmap`, `sorted`, `sample`.
    pub access: &'static str,
    /// Documents the filters allow.
    pub allowed: u64,
    /// `allowed` over the documents of the snapshot.
    pub selectivity: f64,
    /// Documents whose score was computed.
    pub candidates: u64,
    /// Time taken, children included.
    pub elapsed: Duration,
    /// The plans of the node's children.
    pub children: Vec<Plan>,
}

/// What a query returns.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// The hits, best first.
    pub hits: Vec<Hit>,
    /// How they were found.
    pub plan: Plan,
}

impl Query {
    /// A node without filter or name.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            filter: None,
            name: None,
        }
    }

    /// The same node with a filter.
    #[must_use]
    pub fn filtered(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }
}

impl<Q> Kind<Q> {
    /// The kind's name, as components and plans show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Nearest(_) | Self::Boost(..) => "nearest",
            Self::Latents(_) | Self::LatentsBm25(_) => "latents",
            Self::Text { .. } => "text",
            Self::Fusion { .. } => "fusion",
            Self::Except { .. } => "excluding",
            Self::Matching(_) => "matching",
        }
    }

    /// The direct children.
    pub fn children(&self) -> Vec<&Q> {
        match self {
            Self::Fusion { children, .. } => children.iter().map(|(child, _)| child).collect(),
            Self::Except { query, minus, .. } => vec![query, minus],
            _ => Vec::new(),
        }
    }
}
