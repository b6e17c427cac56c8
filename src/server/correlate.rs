//! AnalysisService.Correlate.

use latentdb_index::analysis::CorrelateOptions;
use latentdb_proto::v1;
use latentdb_proto::v1::correlate_response::Part;
use latentdb_proto::v1::correlated_pair::Other;

use super::address::address;
use super::diff::{DEFAULT_MAX_P, support, wire_test};
use super::streams::cut;
use super::types::{filter, non_empty, non_zero, set, wire_value};
use crate::error::{Error, Result};
use crate::service::{
    CorrelateRequest, CorrelateResult, CorrelatedWith, JoinedSide, LabelledPair, ShownLabel,
};

/// Labels as similar as this say the same (Jiang et al. 2025).
pub(super) const DEFAULT_LABEL_SIMILARITY: f64 = 0.2;

pub(super) fn request(wire: v1::CorrelateRequest) -> Result<CorrelateRequest> {
    let join = match (non_empty(wire.join_by), wire.other_filter) {
        (Some(attribute), other) => Some(JoinedSide {
            attribute,
            filter: set(other, "other_filter")?,
        }),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(Error::invalid(
                "other_filter",
                "is given without `join_by`, the attribute that joins its documents",
            ));
        }
    };
    let defaults = CorrelateOptions::default();
    Ok(CorrelateRequest {
        address: address(wire.collection)?,
        filter: filter(wire.filter)?,
        latents: wire.latents,
        others: wire.others,
        attribute: non_empty(wire.attribute),
        join,
        options: CorrelateOptions {
            active_above: wire.active_above,
            exclude_adjacent: wire.exclude_adjacent,
            stratify_by: non_empty(wire.stratify_by),
            min_support: support(wire.min_support, defaults.min_support),
            max_density: wire.max_density.unwrap_or(defaults.max_density),
            min_npmi: wire.min_npmi.unwrap_or(defaults.min_npmi),
            max_p_adjusted: match wire.all {
                true => 1.0,
                false => wire.max_p_adjusted.unwrap_or(DEFAULT_MAX_P),
            },
            limit: non_zero(wire.limit).unwrap_or(defaults.limit),
            ..defaults
        },
        min_recurrence: wire.min_recurrence,
        max_label_similarity: wire
            .max_label_similarity
            .unwrap_or(DEFAULT_LABEL_SIMILARITY),
    })
}

pub(super) fn answer(result: CorrelateResult) -> Vec<v1::CorrelateResponse> {
    let mut messages = vec![response(Part::Summary(v1::CorrelateSummary {
        documents: result.documents,
        tested: result.tested,
        eligible: result.eligible,
        listed: result.pairs.len() as u64,
        stopped: result.stopped,
        similar_labels: result.similar_labels,
        unpaired: result.unpaired.map(|unpaired| unpaired.0),
        other_unpaired: result.unpaired.map(|unpaired| unpaired.1),
        adjacent_pairs: result.adjacent_pairs,
        strata: result.strata.map(|strata| strata.strata),
        outside: result.strata.map(|strata| strata.outside),
        warnings: result.warnings,
    }))];
    let lists = cut(result.pairs.into_iter().map(pair)).into_iter();
    messages.extend(lists.map(|pairs| response(Part::Pairs(v1::CorrelatePairs { pairs }))));
    messages
}

fn response(part: Part) -> v1::CorrelateResponse {
    v1::CorrelateResponse { part: Some(part) }
}

fn pair(labelled: LabelledPair) -> v1::CorrelatedPair {
    let pair = labelled.pair;
    let (other, j_label) = match labelled.with {
        CorrelatedWith::Latent(label) => (Other::J(pair.j), label),
        CorrelatedWith::Value(value) => (Other::Value(wire_value(value)), ShownLabel::default()),
    };
    let i_label = labelled.label;
    v1::CorrelatedPair {
        i: pair.i,
        i_label: i_label.text,
        i_low_confidence: i_label.low_confidence,
        i_recurrence: i_label.recurrence,
        other: Some(other),
        j_label: j_label.text,
        j_low_confidence: j_label.low_confidence,
        j_recurrence: j_label.recurrence,
        count: pair.count,
        adjacent: pair.adjacent,
        i_count: pair.i_count,
        j_count: pair.j_count,
        pmi: pair.pmi,
        npmi: pair.npmi,
        npmi_low: pair.npmi_low,
        j_given_i: pair.j_given_i,
        i_given_j: pair.i_given_j,
        test: wire_test(pair.test).into(),
        p_value: pair.p_value,
        p_adjusted: pair.p_adjusted,
        label_similarity: labelled.label_similarity,
    }
}
