//! Ways of searching for a text.

use crate::cli::flags;
use clap::ValueEnum as _;
use latentdb_proto::v1::{
    FusionMethod, NearestQuery, PropertyQuery, PropertyScorer, PropertySelection, Query,
    nearest_query::To, property_query::From, query::Kind,
};

use crate::cli::concepts::SelectorArgs;
use crate::cli::failure::Usage;
use crate::cli::search::{fused, node, weighted, words_query};

/// A way of searching for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(super) enum Method {
    /// In an order by chance
    Random,
    /// By cosine to the text
    Dense,
    /// By BM25
    Bm25,
    /// Latents chosen by centroids
    PropertyCentroid,
    /// Latents chosen by labels
    PropertyLabel,
    /// Latents chosen by both
    PropertyBoth,
    /// Latents chosen by the language model of --selector among those with the nearest labels
    PropertySelector,
    /// Latents chosen by centroids, scored by BM25 over latents
    PropertyBm25,
    /// The text's own latents
    OwnLatents,
    /// Dense and property-centroid, standardised, weights 1 and .5
    Hybrid,
    /// Dense and property-both, standardised, weights 1 and .5
    HybridBoth,
    /// Dense and property-selector, standardised, weights 1 and .5
    HybridSelector,
    /// Dense, property-centroid and BM25, standardised, weights 1, .5 and .25
    HybridText,
    /// Dense and property-centroid by reciprocal rank
    HybridRrf,
}

impl Method {
    /// Its name in flags and in output.
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// True when it needs labels.
    pub(super) fn needs_labels(self) -> bool {
        matches!(
            self,
            Self::PropertyLabel | Self::PropertyBoth | Self::HybridBoth
        ) || self.needs_selector()
    }

    /// True when it needs a language model that chooses latents.
    pub(super) fn needs_selector(self) -> bool {
        matches!(self, Self::PropertySelector | Self::HybridSelector)
    }

    /// The query for a text; none for chance, which needs no search.
    pub(super) fn query(self, text: &str, settings: &Settings) -> Option<Query> {
        let property = |selection, scorer| settings.property(text, selection, scorer);
        let by_model = || settings.selected(text);
        let by_centroid = || property(PropertySelection::Centroids, PropertyScorer::Ranks);
        let by_both = || property(PropertySelection::Both, PropertyScorer::Ranks);
        let hybrid = |property| {
            let weights = [1.0, settings.property_weight];
            weighted(
                vec![dense(text), property],
                &weights,
                FusionMethod::Standard,
            )
        };
        Some(match self {
            Self::Random => return None,
            Self::Dense => dense(text),
            Self::Bm25 => words_query("text", text),
            Self::PropertyCentroid => by_centroid(),
            Self::PropertyLabel => property(PropertySelection::Labels, PropertyScorer::Ranks),
            Self::PropertyBoth => by_both(),
            Self::PropertySelector => by_model(),
            Self::PropertyBm25 => property(PropertySelection::Centroids, PropertyScorer::Bm25),
            Self::OwnLatents => settings.own_latents(text),
            Self::Hybrid => hybrid(by_centroid()),
            Self::HybridBoth => hybrid(by_both()),
            Self::HybridSelector => hybrid(by_model()),
            Self::HybridText => weighted(
                vec![dense(text), by_centroid(), words_query("text", text)],
                &[1.0, settings.property_weight, settings.text_weight],
                FusionMethod::Standard,
            ),
            Self::HybridRrf => fused(
                vec![dense(text), by_centroid()],
                FusionMethod::ReciprocalRank,
            ),
        })
    }
}

/// What property queries and hybrids are made with.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Settings {
    /// Latents chosen for a property
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = flags::count::<u32>)]
    candidates: u32,
    /// The best of them that are kept; all when 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    kept: u32,
    /// T of the weights by rank
    #[arg(long, value_name = "T", default_value_t = 0.3)]
    temperature: f32,
    /// Weight of the property in hybrids
    #[arg(long, value_name = "W", default_value_t = 0.5)]
    property_weight: f32,
    /// Weight of BM25 in hybrids that have it
    #[arg(long, value_name = "W", default_value_t = 0.25)]
    text_weight: f32,
    #[command(flatten)]
    selector: SelectorArgs,
}

impl Settings {
    /// True where a language model is to choose latents.
    pub(super) fn has_selector(&self) -> bool {
        self.selector.selector().is_some()
    }

    /// Refuses methods that need a selector where none is named.
    pub(super) fn check(&self, methods: &[Method]) -> anyhow::Result<()> {
        let unmet = methods.iter().find(|method| method.needs_selector());
        if let Some(method) = unmet.filter(|_| !self.has_selector()) {
            let usage = format!("{} needs --selector chat or local", method.name());
            return Err(Usage(usage).into());
        }
        Ok(())
    }

    fn property(&self, text: &str, selection: PropertySelection, scorer: PropertyScorer) -> Query {
        let property = self.property_query(text, selection, scorer);
        node("property", Kind::Property(property))
    }

    fn selected(&self, text: &str) -> Query {
        let (by, scorer) = (PropertySelection::Labels, PropertyScorer::Ranks);
        let property = PropertyQuery {
            selector: self.selector.selector(),
            ..self.property_query(text, by, scorer)
        };
        node("property", Kind::Property(property))
    }

    fn property_query(
        &self,
        text: &str,
        selection: PropertySelection,
        scorer: PropertyScorer,
    ) -> PropertyQuery {
        PropertyQuery {
            from: Some(From::Text(text.to_owned())),
            selection: selection.into(),
            candidates: self.candidates,
            kept: self.kept,
            temperature: Some(self.temperature),
            scorer: scorer.into(),
            ..PropertyQuery::default()
        }
    }

    fn own_latents(&self, text: &str) -> Query {
        let property = PropertyQuery {
            from: Some(From::OwnLatentsOf(text.to_owned())),
            candidates: self.candidates,
            kept: self.kept,
            scorer: PropertyScorer::Dot.into(),
            ..PropertyQuery::default()
        };
        node("own", Kind::Property(property))
    }
}

/// Cosine to a text, exact.
fn dense(text: &str) -> Query {
    let nearest = NearestQuery {
        to: Some(To::Text(text.to_owned())),
        exact: true,
        ..NearestQuery::default()
    };
    node("nearest", Kind::Nearest(nearest))
}
