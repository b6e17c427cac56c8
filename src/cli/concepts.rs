//! Flags for queries over concepts: properties, boosts, edits by text, family or examples, presets.

use latentdb_proto::v1::{
    LatentSelector, NearestQuery, PresetUse, PropertyExamples, PropertyQuery, PropertyScorer,
    PropertySelection, SelectorKind, SteerEdit, SteerUnit, property_query::From, steer_edit::Edit,
};

use super::flags;

/// What a property is, and how latents are chosen for it.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct PropertyArgs {
    /// Hits have this property, through latents chosen for it: "a complaint about late delivery"
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["own_latents", "positive"])]
    property: Option<String>,
    /// Hits share the latents of this text's vector
    #[arg(long, value_name = "TEXT", conflicts_with = "positive")]
    own_latents: Option<String>,
    /// Hits are like this stored document and others so named: weights are fitted. Repeatable
    #[arg(long, value_name = "ID")]
    positive: Vec<String>,
    /// Hits are not like this stored document; documents of the collection when left out.
    /// Repeatable
    #[arg(long, value_name = "ID", requires = "positive")]
    negative: Vec<String>,
    /// What the text of a property is compared with; centroids when left out, labels with
    /// --selector
    #[arg(long, value_enum)]
    select: Option<Selection>,
    #[command(flatten)]
    selector: SelectorArgs,
    /// Latents chosen for a property; 100 when left out
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>)]
    candidates: Option<u32>,
    /// The best of them that are kept; all when left out
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>)]
    kept: Option<u32>,
    /// T of the weights by rank; .3 when left out
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
    /// How documents are scored with the chosen latents
    #[arg(long, value_enum, default_value_t = Scorer::Ranks)]
    scorer: Scorer,
}

/// The language model that chooses among latents.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct SelectorArgs {
    /// Let a language model drop and order the candidates by their labels: the chat endpoint that
    /// the server was started with, or one in the server
    #[arg(long, value_enum)]
    selector: Option<SelectorModel>,
    /// The chat endpoint's model, or a GGUF file on the server
    #[arg(long, value_name = "MODEL", requires = "selector")]
    selector_model: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SelectorModel {
    Chat,
    Local,
}

impl SelectorArgs {
    /// The selector asked for.
    pub(super) fn selector(&self) -> Option<LatentSelector> {
        let kind = match self.selector? {
            SelectorModel::Chat => SelectorKind::Chat,
            SelectorModel::Local => SelectorKind::Local,
        };
        Some(LatentSelector {
            kind: kind.into(),
            model: self.selector_model.clone().unwrap_or_default(),
        })
    }
}

/// What the text of a property is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Selection {
    /// The mean vectors of the latents' documents
    Centroids,
    /// The latents' labels
    Labels,
    /// Both
    Both,
}

/// How documents are scored with chosen latents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Scorer {
    /// Weights by rank, activations over their 90th percentiles
    #[default]
    Ranks,
    /// Weights by rank, BM25 with activations as frequencies
    Bm25,
    /// Similarities as weights, raw activations
    Dot,
}

impl PropertyArgs {
    /// The property that the flags describe, if any.
    pub(super) fn query(&self) -> Option<PropertyQuery> {
        let from = if let Some(text) = &self.property {
            From::Text(text.clone())
        } else if let Some(text) = &self.own_latents {
            From::OwnLatentsOf(text.clone())
        } else if !self.positive.is_empty() {
            From::Examples(PropertyExamples {
                positive: self.positive.clone(),
                negative: self.negative.clone(),
                regularisation: None,
            })
        } else {
            return None;
        };
        let selector = self.selector.selector();
        let selection = match self.select {
            None if selector.is_some() => PropertySelection::Labels,
            None | Some(Selection::Centroids) => PropertySelection::Centroids,
            Some(Selection::Labels) => PropertySelection::Labels,
            Some(Selection::Both) => PropertySelection::Both,
        };
        let scorer = match self.scorer {
            Scorer::Ranks => PropertyScorer::Ranks,
            Scorer::Bm25 => PropertyScorer::Bm25,
            Scorer::Dot => PropertyScorer::Dot,
        };
        Some(PropertyQuery {
            from: Some(from),
            selection: selection.into(),
            selector,
            candidates: self.candidates.unwrap_or_default(),
            kept: self.kept.unwrap_or_default(),
            temperature: self.temperature,
            scorer: scorer.into(),
            ..PropertyQuery::default()
        })
    }
}

/// Edits of a query.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct SteerArgs {
    /// Edit the query vector: ID=+A or ID=-A adds the latent's direction, ID*F scales, ID:=V sets,
    /// ID=0 or ID:zero zeroes its activation. For ID also family:ROOT, like:DOCUMENT or a text, as
    /// in "theory=+0.5". Repeatable
    #[arg(long, value_name = "EDIT", value_parser = flags::steer_edit)]
    pub(super) steer: Vec<SteerEdit>,
    /// Add S times a / p90 of a latent to hits' cosines: ID=S, family:ROOT=S, like:DOCUMENT=S or
    /// TEXT=S; a negative S turns it down. Repeatable
    #[arg(long, value_name = "WHAT=S", value_parser = flags::boost)]
    boost: Vec<SteerEdit>,
    /// Amounts of --steer count in 90th percentiles of the latents' activations
    #[arg(long)]
    steer_p90: bool,
    /// Make the steered vector's code agree with the edited one in N steps; about 10 suffice
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    consistent: u32,
    /// Use saved edits, at a strength where given. Repeatable
    #[arg(long, value_name = "NAME[=STRENGTH]", value_parser = flags::preset_use)]
    preset: Vec<PresetUse>,
}

impl SteerArgs {
    /// True when nothing is steered.
    pub(super) fn is_empty(&self) -> bool {
        self.steer.is_empty() && self.boost.is_empty() && self.preset.is_empty()
    }

    /// True when it says how a query uses edits, not only the edits.
    pub(super) fn is_more_than_edits(&self) -> bool {
        !self.preset.is_empty() || self.consistent > 0
    }

    /// The edits, in the unit asked for.
    pub(super) fn edits(&self) -> Vec<SteerEdit> {
        let mut edits = self.steer.clone();
        if self.steer_p90 {
            for edit in &mut edits {
                if let Some(Edit::Add(_) | Edit::Set(_)) = edit.edit {
                    edit.set_unit(SteerUnit::P90);
                }
            }
        }
        edits.extend(self.boost.iter().cloned());
        edits
    }

    /// Steers a query.
    pub(super) fn apply(&self, nearest: &mut NearestQuery) {
        nearest.steer = self.edits();
        nearest.presets.clone_from(&self.preset);
        nearest.consistent_steps = self.consistent;
    }
}
