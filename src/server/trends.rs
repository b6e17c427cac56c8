//! AnalysisService.Trends.

use latentdb_index::analysis::{
    Buckets, CalendarUnit, ChangePoint, Direction, Monotone, TrendOptions,
};
use latentdb_proto::v1;
use latentdb_proto::v1::trends_response::Part;

use super::address::address;
use super::diff::{DEFAULT_MAX_P, groups, named_sets, support};
use super::status::entry;
use super::streams::cut;
use super::types::{count_or, filter, wire_value};
use crate::error::{Error, Result};
use crate::service::{LabelledTrendRow, TrendOrder, TrendsRequest, TrendsResult};

/// Rows that are listed, unless said otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Maximum rows that are listed.
const MAX_LIMIT: usize = 1_000_000;

pub(super) fn request(wire: v1::TrendsRequest) -> Result<TrendsRequest> {
    let order = match (wire.attribute.is_empty(), wire.sets.is_empty()) {
        (false, true) => TrendOrder::Attribute(wire.attribute, buckets(wire.buckets, wire.bins)?),
        (true, false) => TrendOrder::Sets(named_sets(wire.sets, "sets")?),
        _ => {
            let message = "or `sets` gives the order; exactly one of them is accepted";
            return Err(Error::invalid("attribute", message));
        }
    };
    let direction = match entry(wire.direction, "direction")? {
        v1::TrendDirection::Both => Direction::Both,
        v1::TrendDirection::Rising => Direction::MoreInA,
        v1::TrendDirection::Falling => Direction::MoreInB,
    };
    let defaults = TrendOptions::default();
    Ok(TrendsRequest {
        address: address(wire.collection)?,
        filter: filter(wire.filter)?,
        order,
        min_recurrence: wire.min_recurrence,
        groups: groups(wire.groups),
        options: TrendOptions {
            active_above: wire.active_above,
            min_support: support(wire.min_support, defaults.min_support),
            direction,
            min_change: wire.min_change.unwrap_or_default(),
            max_p_adjusted: wire.max_p_adjusted.unwrap_or(DEFAULT_MAX_P),
            only_monotone: wire.only_monotone,
            all: wire.all,
            limit: count_or(wire.limit, DEFAULT_LIMIT, MAX_LIMIT, "limit")?,
            ..defaults
        },
    })
}

fn buckets(kind: i32, bins: u32) -> Result<Buckets> {
    Ok(match entry(kind, "buckets")? {
        v1::TrendBuckets::Values => Buckets::Values,
        v1::TrendBuckets::Hour => Buckets::Calendar(CalendarUnit::Hour),
        v1::TrendBuckets::Day => Buckets::Calendar(CalendarUnit::Day),
        v1::TrendBuckets::Week => Buckets::Calendar(CalendarUnit::Week),
        v1::TrendBuckets::Month => Buckets::Calendar(CalendarUnit::Month),
        v1::TrendBuckets::Quarter => Buckets::Calendar(CalendarUnit::Quarter),
        v1::TrendBuckets::Year => Buckets::Calendar(CalendarUnit::Year),
        v1::TrendBuckets::Bins => Buckets::Bins(bins as usize),
    })
}

pub(super) fn answer(result: TrendsResult) -> Vec<v1::TrendsResponse> {
    let buckets = result.buckets.into_iter().map(|bucket| v1::TrendBucket {
        name: bucket.name,
        start: bucket.start.map(wire_value),
        documents: bucket.documents,
    });
    let mut messages = vec![response(Part::Summary(v1::TrendsSummary {
        buckets: buckets.collect(),
        tested: result.tested,
        passing: result.passing,
        warnings: result.warnings,
    }))];
    let lists = cut(result.rows.into_iter().map(row)).into_iter();
    messages.extend(lists.map(|rows| response(Part::Rows(v1::TrendRows { rows }))));
    messages
}

fn response(part: Part) -> v1::TrendsResponse {
    v1::TrendsResponse { part: Some(part) }
}

fn row(labelled: LabelledTrendRow) -> v1::TrendRow {
    let row = labelled.row;
    let label = labelled.label;
    v1::TrendRow {
        latent: row.unit,
        label: label.text,
        low_confidence: label.low_confidence,
        recurrence: label.recurrence,
        counts: row.counts,
        slope: row.slope,
        change: row.change,
        z: row.z,
        p_value: row.p_value,
        p_adjusted: row.p_adjusted,
        change_point: row.change_point.map(change_point),
        monotone: match row.monotone {
            Monotone::No => v1::Monotone::No,
            Monotone::Rising => v1::Monotone::Rising,
            Monotone::Falling => v1::Monotone::Falling,
        }
        .into(),
    }
}

fn change_point(found: ChangePoint) -> v1::ChangePoint {
    v1::ChangePoint {
        // At most MAX_BUCKETS.
        bucket: found.bucket as u32,
        before: found.before,
        after: found.after,
        statistic: found.statistic,
        p_value: found.p_value,
        p_adjusted: found.p_adjusted,
    }
}
