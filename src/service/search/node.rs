//! The query tree as a client means it: texts, documents and edits are not vectors yet.

use latentdb_index::Filter;
use latentdb_index::filter::TextMode;
use latentdb_index::query::{Fusion, Latents, LatentsBm25};

use super::edits::SteerEdit;
use super::presets::PresetUse;
use super::property::PropertyNode;

/// A node of the query tree as a client means it: texts and documents are not vectors yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What the node ranks by.
    pub kind: NodeKind,
    /// Which documents it may return.
    pub filter: Option<Filter>,
    /// How its component scores are named.
    pub name: Option<String>,
}

/// What a node ranks by.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// Cosine similarity.
    Nearest(NearestNode),
    /// A weighted sum of activations.
    Latents(Latents),
    /// BM25 over latents.
    LatentsBm25(LatentsBm25),
    /// Latents chosen for a property.
    Property(PropertyNode),
    /// BM25.
    Text {
        /// The words.
        text: String,
        /// How many of them a hit must hold.
        mode: TextMode,
    },
    /// Several rankings made one.
    Fusion {
        /// The rankings and their weights.
        children: Vec<(Node, f32)>,
        /// How scores are made comparable.
        method: Fusion,
        /// Hits taken from each child.
        depth: usize,
    },
    /// The hits of one query that are not among the best of another.
    Except {
        /// Where hits come from.
        query: Box<Node>,
        /// What is taken away.
        minus: Box<Node>,
        /// How many of its best hits are taken away.
        top: usize,
    },
    /// Every allowed document.
    Matching,
}

/// Cosine similarity to a target, with edits.
#[derive(Clone, Debug, PartialEq)]
pub struct NearestNode {
    /// What is near.
    pub target: Target,
    /// Saved edits, applied before those below.
    pub presets: Vec<PresetUse>,
    /// Edits, applied together.
    pub edits: Vec<SteerEdit>,
    /// Steps that make the steered vector's code agree with the edited one; 0 for none.
    pub consistent_steps: usize,
    /// Compare with every allowed document.
    pub exact: bool,
    /// Beam of the graph search.
    pub ef: usize,
}

/// What a nearest query is near to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A text, through the collection's encoder.
    Text(String),
    /// A vector.
    Vector(Vec<f32>),
    /// The vector of a stored document.
    Document(String),
}
