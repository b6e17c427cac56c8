//! What rises, falls or breaks along an order: buckets of an attribute, or given sets.

use rayon::prelude::*;

use super::MAX_BUCKETS;
use super::among::Among;
use super::diff::Direction;
use super::members::Side;
use super::order::{Bucket, Buckets, Order, order};
use super::statistics::{adjust, normal_two_sided};
use super::units::{Counter, Floor, UnitIndex, Units, add_to, count_units};
use super::values::ValueTable;
use crate::error::{Error, Result};
use crate::filter::ResolvedFilter;
use crate::progress::Progress;
use crate::snapshot::Snapshot;

/// What is tested and kept. The bounds of results (`direction` and below) do not change what is
/// tested; what was not tested never passes. The default passes everything that was tested.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendOptions {
    /// A document has a latent when its activation is above this.
    pub active_above: f32,
    /// Units that fewer documents have are not tested; at least 1.
    pub min_support: u64,
    /// Where latents are followed, those that are tested.
    pub among: Among,
    /// Rises (`MoreInA`: at the end), falls, or both.
    pub direction: Direction,
    /// `change` is at least this in size.
    pub min_change: f64,
    /// The adjusted p-value is at most this.
    pub max_p_adjusted: f64,
    /// Only units whose share never turns back.
    pub only_monotone: bool,
    /// Keeps every unit, whether it passes or not.
    pub all: bool,
    /// Maximum rows.
    pub limit: usize,
}

impl Default for TrendOptions {
    fn default() -> Self {
        Self {
            active_above: 0.0,
            min_support: 5,
            among: Among::default(),
            direction: Direction::Both,
            min_change: 0.0,
            max_p_adjusted: 1.0,
            only_monotone: false,
            all: false,
            limit: usize::MAX,
        }
    }
}

/// Whether a share turns back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Monotone {
    /// It both rises and falls, or never moves.
    No,
    /// It rises and never falls.
    Rising,
    /// It falls and never rises.
    Falling,
}

/// Where a share breaks: the split into two segments of constant share that explains the counts
/// best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first bucket of the second segment.
    pub bucket: usize,
    /// Share before it.
    pub before: f64,
    /// Share from it on.
    pub after: f64,
    /// Twice the logarithm of the likelihood ratio against one constant share.
    pub statistic: f64,
    /// Its chi-square probability times the number of splits (Bonferroni), at most 1.
    pub p_value: f64,
    /// That after Benjamini and Hochberg over all tested units.
    pub p_adjusted: f64,
}

/// One unit along the order.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendRow {
    /// The latent, or the group's place in the list.
    pub unit: u32,
    /// Documents that have it, per bucket.
    pub counts: Vec<u32>,
    /// The same in all. A document in several buckets counts in each.
    pub support: u64,
    /// Least-squares slope of the share per bucket, weighted by documents.
    pub slope: f64,
    /// What the fitted line gains from the first bucket to the last.
    pub change: f64,
    /// Statistic of the Cochran-Armitage test with the buckets' places as scores.
    pub z: f64,
    /// Its two-sided p-value; 1 where untested.
    pub p_value: f64,
    /// The p-value after Benjamini and Hochberg over all tested units; 1 where untested.
    pub p_adjusted: f64,
    /// Where the share breaks; none where untested.
    pub change_point: Option<ChangePoint>,
    /// Whether the share ever turns back, over the buckets that have documents.
    pub monotone: Monotone,
}

/// Units along an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Trends {
    /// The order.
    pub buckets: Vec<Bucket>,
    /// Units that were tested.
    pub tested: u64,
    /// Units that pass the bounds, listed or not.
    pub passing: u64,
    /// The kept units, the largest `change` in size first.
    pub rows: Vec<TrendRow>,
}

/// Counts units per bucket of `attribute` and tests each for a trend. Documents without the
/// attribute are left out; one with several values counts once in each of its buckets.
///
/// # Errors
/// `InvalidArgument` for options out of range, buckets that do not suit the values, and more than
/// [`MAX_BUCKETS`] of them; `FailedPrecondition` when the attribute is missing or has values of
/// several kinds.
pub fn trends(
    side: Side,
    attribute: &str,
    buckets: Buckets,
    units: Units,
    options: &TrendOptions,
    progress: &Progress,
) -> Result<Trends> {
    let floor = Floor::new(options.active_above)?;
    let index = UnitIndex::new(units)?;
    let set = side.snapshot.allowed(side.filter)?;
    let table = ValueTable::read(side.snapshot, &set, attribute)?;
    let Order { names, bucket_of } = order(&table.values, buckets, attribute)?;
    // For each bucket, the documents of each segment, once each.
    let mut members = vec![vec![Vec::new(); table.holders.len()]; names.len()];
    for (segment, holders) in table.holders.iter().enumerate() {
        for &(value, doc) in holders {
            members[bucket_of[value as usize] as usize][segment].push(doc);
        }
    }
    for docs in members.iter_mut().flatten() {
        docs.sort_unstable();
        docs.dedup();
    }
    progress.announce(members.len() as u64)?;
    let counts: Vec<Vec<u32>> = members
        .par_iter()
        .map(|segments| {
            let mut counts = vec![0; index.len()];
            for (segment, docs) in side.snapshot.segments().iter().zip(segments) {
                let rows = segment.latents.rows();
                let mut counter = Counter::new(&index, floor);
                for &doc in docs {
                    counter.add(rows.row(doc));
                }
                add_to(&mut counts, &counter.counts);
            }
            progress.advance(1)?;
            Ok(counts)
        })
        .collect::<Result<_>>()?;
    let buckets = names
        .into_iter()
        .zip(&members)
        .map(|((name, start), segments)| Bucket {
            name,
            start,
            documents: segments.iter().map(|docs| docs.len() as u64).sum(),
        })
        .collect();
    Ok(test_trends(buckets, &counts, options))
}

/// As [`trends`] over given sets in their order: versions of a model, say. A document in several
/// sets counts in each.
///
/// # Errors
/// `InvalidArgument` for options out of range and for fewer than 2 or more than [`MAX_BUCKETS`]
/// sets.
pub fn trends_over_sets(
    snapshot: &Snapshot,
    sets: &[(String, ResolvedFilter)],
    units: Units,
    options: &TrendOptions,
    progress: &Progress,
) -> Result<Trends> {
    if !(2..=MAX_BUCKETS).contains(&sets.len()) {
        return Err(Error::invalid(
            "sets",
            format!(
                "has {} entries; 2 to {MAX_BUCKETS} are accepted",
                sets.len()
            ),
        ));
    }
    let floor = Floor::new(options.active_above)?;
    let index = UnitIndex::new(units)?;
    let mut buckets = Vec::with_capacity(sets.len());
    let mut counts = Vec::with_capacity(sets.len());
    for (name, filter) in sets {
        let set = snapshot.allowed(filter)?;
        counts.push(count_units(snapshot, &set, &index, floor, progress)?);
        buckets.push(Bucket {
            name: name.clone(),
            start: None,
            documents: set.count(),
        });
    }
    Ok(test_trends(buckets, &counts, options))
}

fn test_trends(buckets: Vec<Bucket>, counts: &[Vec<u32>], options: &TrendOptions) -> Trends {
    let documents: Vec<f64> = buckets
        .iter()
        .map(|bucket| bucket.documents as f64)
        .collect();
    let n_units = counts.first().map_or(0, Vec::len);
    let mut rows: Vec<TrendRow> = (0..n_units)
        .into_par_iter()
        .map(|unit| {
            let counts = counts.iter().map(|bucket| bucket[unit]).collect();
            test_unit(unit, counts, &documents, options)
        })
        .collect();
    let is_tested = |row: &&mut TrendRow| row.change_point.is_some();
    let mut p_values: Vec<f64> = rows
        .iter_mut()
        .filter(is_tested)
        .map(|row| row.p_value)
        .collect();
    adjust(&mut p_values);
    for (row, p) in rows.iter_mut().filter(is_tested).zip(&p_values) {
        row.p_adjusted = *p;
    }
    let points = || rows.iter().filter_map(|row| row.change_point);
    let mut of_points: Vec<f64> = points().map(|point| point.p_value).collect();
    adjust(&mut of_points);
    let points = rows.iter_mut().filter_map(|row| row.change_point.as_mut());
    for (point, p) in points.zip(of_points) {
        point.p_adjusted = p;
    }
    let passing = rows.iter().filter(|row| passes(row, options)).count();
    rows.retain(|row| options.all || passes(row, options));
    rows.sort_by(|left, right| {
        let by_size = right.change.abs().total_cmp(&left.change.abs());
        by_size.then(left.unit.cmp(&right.unit))
    });
    rows.truncate(options.limit);
    Trends {
        buckets,
        tested: p_values.len() as u64,
        passing: passing as u64,
        rows,
    }
}

fn passes(row: &TrendRow, options: &TrendOptions) -> bool {
    let favours = match options.direction {
        Direction::Both => true,
        Direction::MoreInA => row.change > 0.0,
        Direction::MoreInB => row.change < 0.0,
    };
    // A tested row has a best split.
    row.change_point.is_some()
        && favours
        && row.change.abs() >= options.min_change
        && row.p_adjusted <= options.max_p_adjusted
        && (!options.only_monotone || row.monotone != Monotone::No)
}

fn test_unit(unit: usize, counts: Vec<u32>, documents: &[f64], options: &TrendOptions) -> TrendRow {
    let having: Vec<f64> = counts.iter().map(|&count| f64::from(count)).collect();
    let support = counts.iter().map(|&count| u64::from(count)).sum();
    let line = Line::fit(&having, documents);
    // Units are counted by numbers of 32 bits.
    let unit = u32::try_from(unit).unwrap_or(u32::MAX);
    let change_point = (support >= options.min_support.max(1) && options.among.has(unit))
        .then(|| change_point(&having, documents))
        .flatten();
    let is_tested = change_point.is_some();
    TrendRow {
        unit,
        support,
        slope: line.slope,
        change: line.slope * documents.len().saturating_sub(1) as f64,
        z: if is_tested { line.z } else { 0.0 },
        p_value: if is_tested {
            normal_two_sided(line.z)
        } else {
            1.0
        },
        p_adjusted: 1.0,
        change_point,
        monotone: monotone(&having, documents),
        counts,
    }
}

/// The weighted line through the shares, and the Cochran-Armitage statistic of its slope.
struct Line {
    slope: f64,
    z: f64,
}

impl Line {
    fn fit(having: &[f64], documents: &[f64]) -> Self {
        let n: f64 = documents.iter().sum();
        let all: f64 = having.iter().sum();
        let places = || (0..documents.len()).map(|place| place as f64);
        let mean = places().zip(documents).map(|(t, n)| t * n).sum::<f64>() / n.max(1.0);
        let share = all / n.max(1.0);
        let mut spread = 0.0;
        let mut together = 0.0;
        for ((t, documents), having) in places().zip(documents).zip(having) {
            spread += documents * (t - mean) * (t - mean);
            together += (t - mean) * (having - documents * share);
        }
        let variance = share * (1.0 - share) * spread;
        Self {
            slope: if spread > 0.0 { together / spread } else { 0.0 },
            z: if variance > 0.0 {
                together / variance.sqrt()
            } else {
                0.0
            },
        }
    }
}

/// Logarithm of the likelihood of `having` of `documents` at their own share.
fn log_likelihood(having: f64, documents: f64) -> f64 {
    let part = |count: f64| {
        if count > 0.0 {
            count * (count / documents).ln()
        } else {
            0.0
        }
    };
    part(having) + part(documents - having)
}

/// The best split; none where only one bucket has documents.
fn change_point(having: &[f64], documents: &[f64]) -> Option<ChangePoint> {
    let (all, n) = (having.iter().sum::<f64>(), documents.iter().sum::<f64>());
    let whole = log_likelihood(all, n);
    let (mut left, mut n_left) = (0.0, 0.0);
    let mut splits = 0.0;
    let mut best: Option<ChangePoint> = None;
    for bucket in 1..documents.len() {
        left += having[bucket - 1];
        n_left += documents[bucket - 1];
        // A split before an empty bucket is the same as the one after it.
        if n_left == 0.0 || documents[bucket] == 0.0 {
            continue;
        }
        splits += 1.0;
        let apart = log_likelihood(left, n_left) + log_likelihood(all - left, n - n_left);
        let statistic = (2.0 * (apart - whole)).max(0.0);
        if best.is_none_or(|best| statistic > best.statistic) {
            best = Some(ChangePoint {
                bucket,
                before: left / n_left,
                after: (all - left) / (n - n_left),
                statistic,
                p_value: 1.0,
                p_adjusted: 1.0,
            });
        }
    }
    best.map(|best| ChangePoint {
        p_value: (splits * normal_two_sided(best.statistic.sqrt())).min(1.0),
        ..best
    })
}

fn monotone(having: &[f64], documents: &[f64]) -> Monotone {
    let shares: Vec<f64> = having
        .iter()
        .zip(documents)
        .filter(|(_, documents)| **documents > 0.0)
        .map(|(having, documents)| having / documents)
        .collect();
    let rises = shares.windows(2).any(|pair| pair[1] > pair[0]);
    let falls = shares.windows(2).any(|pair| pair[1] < pair[0]);
    match (rises, falls) {
        (true, false) => Monotone::Rising,
        (false, true) => Monotone::Falling,
        _ => Monotone::No,
    }
}
