//! Searching: resolve texts, documents and edits to vectors, run the query tree, say why each hit
//! matched.
//!
//! A request (`node`) gets its presets inserted and its texts encoded (`encoded`), is resolved to
//! the engine's query (`resolve`, with `edits`, `steering`, `property` and `selector` for its
//! nodes), run (`run`), kept for further pages (`pages`) and explained (`explain`).

mod edits;
mod encoded;
mod examples;
mod explain;
mod facets;
mod highlight;
mod node;
mod pages;
mod part;
mod presets;
mod property;
mod resolve;
mod resolved;
mod result;
mod run;
mod selector;
mod slow;
mod steering;
mod sweep;

pub use facets::FacetResult;
pub use node::{
    DEFAULT_CANDIDATES, DEFAULT_CONCEPT_LATENTS, DEFAULT_TEMPERATURE, MAX_CONCEPT_LATENTS,
    NearestNode, Node, NodeKind, PresetUse, PropertyExamples, PropertyNode, PropertyScorer,
    PropertySelection, PropertySource, SelectorChoice, SteerChange, SteerEdit, SteerTarget,
    SteerUnit, Target,
};
pub use part::Search;
pub use presets::Preset;
pub use result::{
    AppliedEdit, ChosenLatent, Contribution, CountedFacets, ExplainedHit, Explanation, GroupBy,
    Highlight, PropertyReport, SearchOptions, SearchResult, SelectedBy, SteeringReport,
};
pub use slow::SlowSearch;
pub use sweep::{SweepHit, SweepStep};
