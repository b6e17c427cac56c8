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
use crate::service::{
    Comparison, Design, DiffRequest, DiffResult, LabelledDiffRow, LatentGroup, NamedSet, Overlap,
};

/// Smallest difference of shares that is listed, unless said otherwise (Jiang et al. 2025).
const DEFAULT_MIN_DELTA: f64 = 0.03;
/// Adjusted p-value up to which rows pass, unless said otherwise.
pub(super) const DEFAULT_MAX_P: f64 = 0.05;
/// Rows that are listed, unless said otherwise (Jiang et al. 2025).
const DEFAULT_LIMIT: usize = 200;
/// Maximum rows that are listed; `all` has no limit.
const MAX_LIMIT: usize = 1_000_000;
/// Maximum documents listed per row.
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
        max_p_adjusted: wire.max_p_adjusted.unwrap_or(DEFAULT_MAX_P),
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
            min_support: support(wire.min_support, defaults.min_support),
            confidence: wire.confidence.unwrap_or(defaults.confidence),
        },
        design: design(wire.pair_by, wire.stratify_by, wire.cluster_by)?,
        overlap: overlap(wire.overlap, "overlap")?,
        confirm: wire.confirm,
        min_recurrence: wire.min_recurrence,
        groups: groups(wire.groups),
        selection,
        all: wire.all,
        documents: wire.documents as usize,
    })
}

/// How documents are compared: independent, unless one of these says otherwise.
fn design(pair_by: String, stratify_by: String, cluster_by: String) -> Result<Design> {
    let given = [
        non_empty(pair_by).map(Design::PairBy),
        non_empty(stratify_by).map(Design::StratifyBy),
        non_empty(cluster_by).map(Design::ClusterBy),
    ];
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (None, _) => Ok(Design::Independent),
        (Some(design), None) => Ok(design),
        (Some(first), Some(second)) => Err(Error::invalid(
            second.field(),
            format!("is given with {}; one of them is accepted", first.field()),
        )),
    }
}

/// The least documents of a test; 0 stands for `otherwise`.
pub(super) fn support(wire: u64, otherwise: u64) -> u64 {
    match wire {
        0 => otherwise,
        given => given,
    }
}

pub(super) fn named_sets(wire: Vec<v1::NamedSet>, field: &str) -> Result<Vec<NamedSet>> {
    wire.into_iter()
        .enumerate()
        .map(|(at, named)| {
            let place = format!("{field}[{at}].filter");
            named_set(named, &place)
        })
        .collect()
}

/// A set with a name; `field` is where its filter is.
pub(super) fn named_set(wire: v1::NamedSet, field: &str) -> Result<NamedSet> {
    Ok(NamedSet {
        name: wire.name,
        filter: set(Some(required(wire.filter, field)?), field)?,
    })
}

pub(super) fn overlap(wire: i32, field: &str) -> Result<Overlap> {
    Ok(match entry(wire, field)? {
        v1::DiffOverlap::Refuse => Overlap::Refuse,
        v1::DiffOverlap::Drop => Overlap::Drop,
        v1::DiffOverlap::Keep => Overlap::Keep,
    })
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
        found: comparison.found,
        groups: comparison.by.map(|by| by.groups),
        a_outside: comparison.by.map(|by| by.a_outside),
        b_outside: comparison.by.map(|by| by.b_outside),
        a_median_length: comparison.median_lengths.0,
        b_median_length: comparison.median_lengths.1,
        warnings: comparison.warnings.clone(),
    }
}

fn row(labelled: LabelledDiffRow) -> v1::DiffRow {
    let row = labelled.row;
    let label = labelled.label;
    v1::DiffRow {
        latent: row.unit,
        label: label.text,
        low_confidence: label.low_confidence,
        recurrence: label.recurrence,
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
        Test::CochranMantelHaenszel => v1::StatisticalTest::CochranMantelHaenszel,
        Test::StratifiedExact => v1::StatisticalTest::StratifiedExact,
        Test::ClusterRobust => v1::StatisticalTest::ClusterRobust,
    }
}
