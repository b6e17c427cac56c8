//! The query tree as a client sends it: texts, documents, properties and edits are not resolved to
//! vectors and latents yet.

use latentdb_index::Filter;
use latentdb_index::filter::TextMode;
use latentdb_index::query::{Fusion, Latents, LatentsBm25, Order};
use serde::{Deserialize, Serialize};

/// Latents that a text stands for, unless said otherwise.
pub const DEFAULT_CONCEPT_LATENTS: usize = 3;
/// Maximum latents that a text stands for.
pub const MAX_CONCEPT_LATENTS: usize = 100;
/// Latents chosen, unless said otherwise.
pub const DEFAULT_CANDIDATES: usize = 100;
/// T of the weights by rank, unless said otherwise.
pub const DEFAULT_TEMPERATURE: f32 = 0.3;

/// A node of the query tree as a client sends it.
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
    Matching(Order),
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

/// A preset in a query, and how strongly it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct PresetUse {
    /// Its name.
    pub name: String,
    /// What its amounts are multiplied by.
    pub strength: f32,
}

/// One edit of a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteerEdit {
    /// What is edited.
    pub of: SteerTarget,
    /// What is done.
    pub change: SteerChange,
    /// What amounts count in.
    pub unit: SteerUnit,
}

/// The latents of an edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SteerTarget {
    /// One latent.
    Latent(u32),
    /// The latents that a text names, by labels and centroids.
    Concept {
        /// The text.
        text: String,
        /// How many latents.
        latents: usize,
    },
    /// A family, by its root.
    Family(u32),
    /// Latents that are stronger in these documents than in the collection.
    Examples(Vec<String>),
}

/// What an edit does (Steering in the methods guide).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SteerChange {
    /// Moves the vector along unit decoder directions.
    Add(f32),
    /// Multiplies activations; the residual is kept.
    Scale(f32),
    /// Gives latents an activation; the residual is kept.
    Set(f32),
    /// Turns latents off; the residual is kept.
    Zero,
    /// Leaves the vector alone and adds this many times a / p90 to documents' cosines.
    Boost(f32),
}

/// What the amounts of `add` and `set` count in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SteerUnit {
    /// The vector's own length; the SAE's activations.
    #[default]
    Raw,
    /// The 90th percentile of the latent's activations.
    Percentile90,
}

impl SteerChange {
    /// The same at `strength` times the strength: amounts times it, a factor to its power; what
    /// has no strength happens at every strength but 0.
    pub(super) fn at(self, strength: f32) -> Option<Self> {
        match self {
            Self::Add(amount) => Some(Self::Add(amount * strength)),
            Self::Boost(amount) => Some(Self::Boost(amount * strength)),
            Self::Scale(factor) => Some(Self::Scale(factor.powf(strength))),
            Self::Set(_) | Self::Zero => (strength != 0.0).then_some(self),
        }
    }

    /// True when it turns a latent up.
    pub(super) fn turns_up(self) -> bool {
        match self {
            Self::Add(amount) | Self::Boost(amount) | Self::Set(amount) => amount > 0.0,
            Self::Scale(factor) => factor > 1.0,
            Self::Zero => false,
        }
    }

    /// True when it turns a latent down.
    pub(super) fn turns_down(self) -> bool {
        match self {
            Self::Add(amount) | Self::Boost(amount) => amount < 0.0,
            Self::Set(amount) => amount == 0.0,
            Self::Scale(factor) => factor < 1.0,
            Self::Zero => true,
        }
    }
}

/// Documents with a property.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyNode {
    /// Where the property comes from.
    pub source: PropertySource,
    /// Latents chosen.
    pub candidates: usize,
    /// The best of them that are kept.
    pub kept: Option<usize>,
    /// T of `exp(-(rank / kept) / T)`.
    pub temperature: f32,
    /// How documents are scored.
    pub scorer: PropertyScorer,
}

/// Where a property comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum PropertySource {
    /// Words, compared with what latents are about.
    Text {
        /// The words.
        text: String,
        /// What they are compared with.
        selection: PropertySelection,
        /// The language model that drops and orders what was chosen so.
        selector: Option<SelectorChoice>,
    },
    /// The latents of a text's own vector.
    OwnLatents(String),
    /// Example documents.
    Examples(PropertyExamples),
}

/// What the text of a property is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertySelection {
    /// The latents' centroids.
    Centroids,
    /// The latents' labels.
    Labels,
    /// Both, each standardised over the latents.
    Both,
}

/// How documents are scored with the chosen latents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PropertyScorer {
    /// Weights by rank, activations over their 90th percentiles.
    Ranks,
    /// Weights by rank, BM25.
    Bm25 {
        /// Where an activation's part saturates.
        k1: f32,
        /// How much a long document is held back.
        b: f32,
    },
    /// Similarities as weights, raw activations.
    Dot,
}

/// Documents that have a property and documents that have not.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyExamples {
    /// Ids of documents that have it.
    pub positive: Vec<String>,
    /// Ids of documents that have not; evenly spaced documents where there are none.
    pub negative: Vec<String>,
    /// Weight of the squared norm against the examples' loss.
    pub regularisation: f32,
}

/// Which language model chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorChoice {
    /// The chat endpoint that the service was opened with; its model, or another of its models.
    Chat(Option<String>),
    /// A GGUF file on this machine, or the pinned model.
    Local(Option<String>),
}
