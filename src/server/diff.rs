//! AnalysisService.Diff, and the wire types that analyses share.

use latentdb_index::analysis::statistics::Test;
use latentdb_index::analysis::{DiffOptions, Direction, Measure, Selection};
use latentdb_proto::v1;
use latentdb_proto::v1::diff_response::Part;

use super::address::{address, address_in};
use super::reader::span_of;
use super::status::{entry, required};
use super::streams::cut;
use super::types::{count_or, non_empty, set, wire_document};
use crate::error::{Error, Result};
use crate::service::{Comparison, DiffRequest, DiffResult, LabelledDiffRow, LatentGroup, NamedSet};

/// Smallest difference of shares that is listed, unless said otherwise (Jiang et al. 2025).
const DEFAULT_MIN_DELTA: f64 = 0.03;
/// Rows that are listed, unless said otherwise (Jiang et al. 2025).
const DEFAULT_LIMIT: usize = 200;
/// Most rows that are listed; `all` has no limit.
const MAX_LIMIT: usize = 1_000_000;
/// Most documents listed per row.
const MAX_DOCUMENTS: u32 = 20;

pub(super) fn request(wire: v1::DiffRequest) -> Result<DiffRequest> {
    let measure = match entry(wire.measure, "measure")? {
        v1::DiffMeasure::Prevalence => Measure::Prevalence,
        v1::DiffMeasure::MeanActivation => Measure::MeanActivation,
    };
    let direction = match entry(wire.direction, "direction")? {
        v1::DiffDirection::Both => Direction::Both,
        v1::DiffDirection::MoreInA => Direction::MoreInA,
        v1::DiffDirection::MoreInB => Direction::MoreInB,
    };
    let min_delta = match measure {
        Measure::Prevalence => DEFAULT_MIN_DELTA,
        Measure::MeanActivation => 0.0,
    };
    let selection = Selection {
        min_delta: wire.min_delta.unwrap_or(min_delta),
        direction,
        max_p_adjusted: wire.max_p_adjusted.unwrap_or(1.0),
        max_b_share: wire.max_b_share,
        limit: count_or(wire.limit, DEFAULT_LIMIT, MAX_LIMIT, "limit")?,
    };
    if wire.documents > MAX_DOCUMENTS {
        let message = format!("is {}; at most {MAX_DOCUMENTS} is accepted", wire.documents);
        return Err(Error::invalid("documents", message));
    }
    let defaults = DiffOptions::default();
    Ok(DiffRequest {
        address: address(wire.collection)?,
        a: set(Some(required(wire.a, "a")?), "a")?,
        b: named_sets(wire.b, "b")?,
        b_address: non_empty(wire.b_collection)
            .map(|text| address_in(text, "b_collection"))
            .transpose()?,
        same_latents: wire.same_latents,
        options: DiffOptions {
            measure,
            active_above: wire.active_above,
            min_support: wire.min_support.max(1),
            confidence: wire.confidence.unwrap_or(defaults.confidence),
        },
        pair_by: non_empty(wire.pair_by),
        groups: groups(wire.groups),
        selection: (!wire.all).then_some(selection),
        documents: wire.documents as usize,
    })
}

pub(super) fn named_sets(wire: Vec<v1::NamedSet>, field: &str) -> Result<Vec<NamedSet>> {
    wire.into_iter()
        .enumerate()
        .map(|(at, named)| {
            let place = format!("{field}[{at}].filter");
            Ok(NamedSet {
                name: named.name,
                filter: set(Some(required(named.filter, &place)?), &place)?,
            })
        })
        .collect()
}

pub(super) fn groups(wire: Vec<v1::LatentGroup>) -> Vec<LatentGroup> {
    wire.into_iter()
        .map(|group| LatentGroup {
            name: group.name,
            latents: group.latents,
        })
        .collect()
}

pub(super) fn answer(result: DiffResult) -> Vec<v1::DiffResponse> {
    let mut messages = Vec::new();
    for comparison in result.comparisons {
        messages.push(response(Part::Comparison(head(&comparison))));
        let lists = cut(comparison.rows.into_iter().map(row)).into_iter();
        messages.extend(lists.map(|rows| response(Part::Rows(v1::DiffRows { rows }))));
    }
    messages
}

fn response(part: Part) -> v1::DiffResponse {
    v1::DiffResponse { part: Some(part) }
}

fn head(comparison: &Comparison) -> v1::DiffComparison {
    v1::DiffComparison {
        name: comparison.name.clone(),
        a_documents: comparison.a_documents,
        b_documents: comparison.b_documents,
        shared: comparison.shared,
        a_unpaired: comparison.unpaired.map(|unpaired| unpaired.0),
        b_unpaired: comparison.unpaired.map(|unpaired| unpaired.1),
        tested: comparison.tested,
        passing: comparison.passing,
    }
}

fn row(labelled: LabelledDiffRow) -> v1::DiffRow {
    let row = labelled.row;
    let label = labelled.label.unwrap_or_default();
    v1::DiffRow {
        latent: row.unit,
        label: label.text,
        low_confidence: label.low_confidence,
        a_count: row.a_count,
        b_count: row.b_count,
        a: row.a,
        b: row.b,
        delta: row.delta,
        relative: row.relative,
        low: row.interval.0,
        high: row.interval.1,
        only_a: row.discordant.map(|only| only.0),
        only_b: row.discordant.map(|only| only.1),
        test: wire_test(row.test).into(),
        p_value: row.p_value,
        p_adjusted: row.p_adjusted,
        documents: labelled
            .documents
            .into_iter()
            .map(|(document, activation)| v1::ActivatingDocument {
                span: span_of(document.positions(), row.unit),
                document: Some(wire_document(document)),
                activation,
            })
            .collect(),
        counterparts: labelled
            .counterparts
            .into_iter()
            .map(wire_document)
            .collect(),
    }
}

pub(super) fn wire_test(test: Test) -> v1::StatisticalTest {
    match test {
        Test::Untested => v1::StatisticalTest::Untested,
        Test::Fisher => v1::StatisticalTest::Fisher,
        Test::TwoProportion => v1::StatisticalTest::TwoProportion,
        Test::Welch => v1::StatisticalTest::Welch,
        Test::McnemarExact => v1::StatisticalTest::McnemarExact,
        Test::Mcnemar => v1::StatisticalTest::Mcnemar,
    }
}
