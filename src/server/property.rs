//! Property queries on the wire, and queries over latents.

use latentdb_index::query::{
    ActivationScale, DEFAULT_B, DEFAULT_K1, Kind, LatentWeight, Latents, LatentsBm25, MAX_WEIGHTS,
};
use latentdb_proto::v1;

use super::annotators::{chat_model, local_model};
use super::status::{entry, required};
use super::types::{count_or, non_empty, non_zero};
use crate::error::{Error, Result};
use crate::service::{
    DEFAULT_CANDIDATES, DEFAULT_TEMPERATURE, NodeKind, PropertyExamples, PropertyNode,
    PropertyReport, PropertyScorer, PropertySelection, PropertySource, SelectorChoice,
};

/// Weight of the squared norm in a fit from examples.
const DEFAULT_REGULARISATION: f32 = 1.0;

/// A weighted sum, or BM25 where it is asked for.
pub(super) fn latents(wire: v1::LatentsQuery) -> Result<NodeKind> {
    let weights = wire
        .weights
        .into_iter()
        .map(|entry| LatentWeight {
            latent: entry.latent,
            weight: entry.weight,
        })
        .collect();
    let scale = match entry(wire.scale, "scale")? {
        v1::ActivationScale::Raw => ActivationScale::Raw,
        v1::ActivationScale::P90 => ActivationScale::Percentile90,
    };
    Ok(match wire.bm25 {
        None => NodeKind::Latents(Latents {
            weights,
            scale,
            idf: wire.idf,
        }),
        Some(bm25) => NodeKind::LatentsBm25(LatentsBm25 {
            weights,
            k1: bm25.k1.unwrap_or(DEFAULT_K1),
            b: bm25.b.unwrap_or(DEFAULT_B),
        }),
    })
}

pub(super) fn property(wire: v1::PropertyQuery) -> Result<PropertyNode> {
    use v1::property_query::From;
    let from = required(wire.from, "from")?;
    if wire.selector.is_some() && !matches!(from, From::Text(_)) {
        let message = "is accepted with `text` only: other latents are not chosen by labels";
        return Err(Error::invalid("selector", message));
    }
    let source = match from {
        From::Text(text) => PropertySource::Text {
            text,
            selection: selection(wire.selection)?,
            selector: wire.selector.map(selector).transpose()?,
        },
        From::OwnLatentsOf(text) => PropertySource::OwnLatents(text),
        From::Examples(examples) => PropertySource::Examples(PropertyExamples {
            positive: examples.positive,
            negative: examples.negative,
            regularisation: examples.regularisation.unwrap_or(DEFAULT_REGULARISATION),
        }),
    };
    let scorer = match entry(wire.scorer, "scorer")? {
        v1::PropertyScorer::Ranks => PropertyScorer::Ranks,
        v1::PropertyScorer::Bm25 => PropertyScorer::Bm25 {
            k1: wire.k1.unwrap_or(DEFAULT_K1),
            b: wire.b.unwrap_or(DEFAULT_B),
        },
        v1::PropertyScorer::Dot => PropertyScorer::Dot,
    };
    Ok(PropertyNode {
        source,
        candidates: count_or(
            wire.candidates,
            DEFAULT_CANDIDATES,
            MAX_WEIGHTS,
            "candidates",
        )?,
        kept: non_zero(wire.kept),
        temperature: wire.temperature.unwrap_or(DEFAULT_TEMPERATURE),
        scorer,
    })
}

fn selection(wire: i32) -> Result<PropertySelection> {
    Ok(match entry(wire, "selection")? {
        v1::PropertySelection::Centroids => PropertySelection::Centroids,
        v1::PropertySelection::Labels => PropertySelection::Labels,
        v1::PropertySelection::Both => PropertySelection::Both,
    })
}

fn selector(wire: v1::LatentSelector) -> Result<SelectorChoice> {
    let model = non_empty(wire.model);
    Ok(match entry(wire.kind, "selector.kind")? {
        v1::SelectorKind::Chat => SelectorChoice::Chat(chat_model(model)?),
        v1::SelectorKind::Local => SelectorChoice::Local(local_model(model)?),
    })
}

pub(super) fn wire_property(report: PropertyReport) -> v1::ChosenLatents {
    let query = wire_latents(&report.query).map(|latents| v1::Query {
        kind: Some(v1::query::Kind::Latents(latents)),
        filter: None,
        name: report.component.clone(),
    });
    let (selector, candidates) = report
        .selected_by
        .map_or((String::new(), 0), |by| (by.model, by.candidates as u64));
    v1::ChosenLatents {
        selector,
        candidates,
        component: report.component,
        latents: (1..)
            .zip(report.chosen)
            .map(|(rank, chosen)| v1::ChosenLatent {
                latent: chosen.latent,
                label: chosen.label.unwrap_or_default(),
                rank,
                weight: chosen.weight,
                similarity: chosen.similarity,
            })
            .collect(),
        query,
        vector: report.vector.map(|values| v1::Vector { values }),
    }
}

/// What a property stands for is always a query over latents.
fn wire_latents(kind: &Kind) -> Option<v1::LatentsQuery> {
    let weights = |weights: &[LatentWeight]| {
        let wire = |entry: &LatentWeight| v1::LatentWeight {
            latent: entry.latent,
            weight: entry.weight,
        };
        weights.iter().map(wire).collect()
    };
    match kind {
        Kind::Latents(latents) => Some(v1::LatentsQuery {
            weights: weights(&latents.weights),
            scale: match latents.scale {
                ActivationScale::Raw => v1::ActivationScale::Raw,
                ActivationScale::Percentile90 => v1::ActivationScale::P90,
            }
            .into(),
            idf: latents.idf,
            bm25: None,
        }),
        Kind::LatentsBm25(bm25) => Some(v1::LatentsQuery {
            weights: weights(&bm25.weights),
            scale: v1::ActivationScale::Raw.into(),
            idf: false,
            bm25: Some(v1::LatentsBm25 {
                k1: Some(bm25.k1),
                b: Some(bm25.b),
            }),
        }),
        _ => None,
    }
}
