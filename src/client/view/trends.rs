//! Trends as a table and a figure.

use latentdb_proto::v1::value::Kind;
use latentdb_proto::v1::{Monotone, TrendBucket, TrendRow, TrendsRequest};

use super::names;
use crate::client::streams::Trends;
use crate::report::trends::Places;
use crate::report::{Table, format, trends};

/// Maximum characters per row's little curve.
const CURVE: usize = 24;
/// Breaks with a larger adjusted p-value are not shown.
const BREAK: f64 = 0.05;
/// Buckets with fewer documents are gaps in the curve: their shares say little.
pub const FEW: u64 = 20;

/// Shares of the buckets; none for a bucket of few documents.
fn shares(found: &Trends, row: &TrendRow) -> Vec<Option<f64>> {
    let share = |(bucket, count): (&TrendBucket, &u32)| {
        (bucket.documents >= FEW).then(|| f64::from(*count) / bucket.documents as f64)
    };
    let buckets = found.summary.buckets.iter();
    buckets.zip(&row.counts).map(share).collect()
}

fn latent(row: &TrendRow) -> String {
    names::latent(row.latent, &row.label, row.low_confidence, row.recurrence)
}

fn monotone(row: &TrendRow) -> &'static str {
    match row.monotone() {
        Monotone::No => "no",
        Monotone::Rising => "rising",
        Monotone::Falling => "falling",
    }
}

/// A break that passes, as `3.0% to 9.0% at 2021`.
fn broken(found: &Trends, row: &TrendRow) -> Option<String> {
    let point = row.change_point.filter(|point| point.p_adjusted <= BREAK)?;
    let bucket = found.summary.buckets.get(point.bucket as usize)?;
    let [before, after] = [point.before, point.after].map(format::percent);
    Some(format!("{before} to {after} at {}", bucket.name))
}

/// The rows as one table, in files with a column of counts for each bucket.
pub fn table(found: &Trends) -> Table {
    let buckets = &found.summary.buckets;
    let documents: u64 = buckets.iter().map(|bucket| bucket.documents).sum();
    let share = |row: &TrendRow| {
        let support: u64 = row.counts.iter().map(|&count| u64::from(count)).sum();
        support as f64 / documents.max(1) as f64
    };
    let break_at = |row: &TrendRow| {
        let bucket = buckets.get(row.change_point?.bucket as usize)?;
        Some(bucket.name.clone())
    };
    let mut columns = Table::of(&found.rows)
        .value("latent", |row| row.latent)
        .value("label", |row| &*row.label)
        .value("recurrence", |row| row.recurrence)
        .text("latent", latent)
        .text("curve", |row| format::curve(&shares(found, row), CURVE))
        .number("share", |row| format::percent(share(row)))
        .value("slope", |row| row.slope)
        .column(
            "change",
            "change",
            |row| row.change,
            |change| format!("{:+.1}", change * 100.0),
        )
        .value("z", |row| row.z)
        .value("p_value", |row| row.p_value)
        .column(
            "p_adjusted",
            "adjusted p",
            |row| row.p_adjusted,
            format::p_value,
        )
        .value("monotone", monotone)
        .value("change_point", break_at)
        .text("break", |row| {
            format::cut(&broken(found, row).unwrap_or_default(), 60)
        })
        .value("change_point_p_adjusted", |row| {
            row.change_point.map(|point| point.p_adjusted)
        });
    for (at, bucket) in buckets.iter().enumerate() {
        columns = columns.value(&bucket.name, |row| row.counts.get(at).copied());
    }
    columns.build()
}

/// Where a bucket lies on the horizontal axis: its number, its moment in seconds, or its place.
fn place(bucket: &TrendBucket, at: usize) -> f64 {
    match kind(bucket) {
        Some(Kind::Integer(number)) => *number as f64,
        Some(Kind::Float(number)) => *number,
        Some(Kind::Timestamp(time)) => time.seconds as f64,
        _ => at as f64,
    }
}

fn kind(bucket: &TrendBucket) -> Option<&Kind> {
    bucket.start.as_ref()?.kind.as_ref()
}

/// What the places of buckets are: whole numbers of four digits are taken for years.
fn places(buckets: &[TrendBucket]) -> Places {
    let is_year = |bucket| matches!(kind(bucket), Some(Kind::Integer(1000..=2999)));
    match buckets.first().and_then(kind) {
        Some(Kind::Integer(_)) if buckets.iter().all(is_year) => Places::Years,
        Some(Kind::Integer(_) | Kind::Float(_)) => Places::Numbers,
        Some(Kind::Timestamp(_)) => Places::Dates,
        _ => Places::Names(buckets.iter().map(|bucket| bucket.name.clone()).collect()),
    }
}

/// The shares of the first rows without the wire; buckets of few documents are left out.
pub fn trends(request: &TrendsRequest, found: &Trends) -> trends::Trends {
    let buckets = found.summary.buckets.iter();
    let at: Vec<f64> = (0..)
        .zip(buckets)
        .map(|(at, bucket)| place(bucket, at))
        .collect();
    let points = |row: &TrendRow| {
        let shares = at.iter().zip(shares(found, row));
        let points = shares.filter_map(|(place, share)| Some((*place, share?)));
        points.collect()
    };
    let drawn = found.rows.iter().take(trends::LINES);
    let order = match &*request.attribute {
        "" => "sets",
        attribute => attribute,
    };
    trends::Trends {
        collection: request.collection.clone(),
        order: order.to_owned(),
        places: places(&found.summary.buckets),
        rows: drawn.map(|row| (latent(row), points(row))).collect(),
    }
}
