//! What sets two sets apart.

use std::cmp::Ordering;

use half::slice::HalfFloatSliceExt;

use super::members::Members;
use super::spread::Spread;
use super::statistics::{Sample, Test, adjust, independence, student_two_sided, welch_error};
use super::units::{Floor, UnitIndex, Units, count_units, over_chunks};
use crate::error::{Error, Result};
use crate::filter::Allowed;
use crate::progress::Progress;
use crate::snapshot::Snapshot;

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// The share of documents that have a unit.
    #[default]
    Prevalence,
    /// The mean activation over all documents of a set, inactive ones at 0. For latents only.
    MeanActivation,
}

/// How sets are measured and compared.
#[derive(Clone, Copy, Debug)]
pub struct DiffOptions {
    /// What is compared.
    pub measure: Measure,
    /// A document has a latent when its activation is above this.
    pub active_above: f32,
    /// Units that fewer documents of both sets together have are not tested; at least 1.
    pub min_support: u64,
    /// Of the intervals, between 0 and 1.
    pub confidence: f64,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self {
            measure: Measure::Prevalence,
            active_above: 0.0,
            min_support: 5,
            confidence: 0.95,
        }
    }
}

impl DiffOptions {
    pub(super) fn check(&self) -> Result<()> {
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(Error::invalid(
                "confidence",
                format!(
                    "is {}; a share between 0 and 1 is accepted",
                    self.confidence
                ),
            ));
        }
        Ok(())
    }

    /// Only latents have activations.
    pub(super) fn check_units(&self, index: &UnitIndex) -> Result<()> {
        if self.measure == Measure::MeanActivation && !index.are_latents() {
            return Err(Error::invalid(
                "measure",
                "is the mean activation, which groups have not; compare their prevalence",
            ));
        }
        Ok(())
    }
}

/// What was counted over one set.
pub struct Measured {
    documents: u64,
    counts: Vec<u32>,
    /// Sums of activations and of their squares, where means are compared.
    moments: Option<Vec<(f64, f64)>>,
}

impl Measured {
    /// Documents of the set.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// For each unit, the documents that have it.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }
}

/// One unit's difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiffRow {
    /// The latent, or the group's place in the list.
    pub unit: u32,
    /// Documents of A that have it (rows, where sets are paired).
    pub a_count: u64,
    /// The same of B.
    pub b_count: u64,
    /// Share of A's documents that have it, or mean activation over A.
    pub a: f64,
    /// The same of B.
    pub b: f64,
    /// `a - b`.
    pub delta: f64,
    /// `delta / max(a, b)`, between -1 and 1; 0 where both are 0.
    pub relative: f64,
    /// Confidence interval of `delta`: Newcombe's for shares, Welch's for means, Sato's over strata,
    /// Student's over clusters.
    pub interval: (f64, f64),
    pub(super) spread: Spread,
    /// Rows in which only A or only B has it, where sets are paired.
    pub discordant: Option<(u64, u64)>,
    /// Where the p-value comes from.
    pub test: Test,
    /// Probability of such a difference, or a larger one, without any; 1 where untested.
    pub p_value: f64,
    /// The p-value after Benjamini and Hochberg over all tested units; 1 where untested.
    pub p_adjusted: f64,
}

/// The differences of two sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// Documents of A, or rows where sets are paired.
    pub a_documents: u64,
    /// Documents of B, or rows where sets are paired.
    pub b_documents: u64,
    /// Join values that only A and only B have, where sets are paired.
    pub unpaired: Option<(u64, u64)>,
    /// Where sets are compared by an attribute's values.
    pub by: Option<ByValue>,
    /// Units that were tested.
    pub tested: u64,
    /// One row per unit, by number.
    pub rows: Vec<DiffRow>,
}

/// Strata or clusters of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByValue {
    /// Strata that have documents of both sets, or clusters.
    pub groups: u64,
    /// Documents of A in no such stratum, which are left out; of clusters, documents without the
    /// attribute, each a cluster of its own.
    pub a_outside: u64,
    /// The same of B.
    pub b_outside: u64,
}

/// Counts a set.
///
/// # Errors
/// `InvalidArgument` for options out of range, and for mean activations of groups.
pub fn measure(
    members: &Members,
    units: Units,
    options: &DiffOptions,
    progress: &Progress,
) -> Result<Measured> {
    options.check()?;
    let floor = Floor::new(options.active_above)?;
    let index = UnitIndex::new(units)?;
    options.check_units(&index)?;
    let (snapshot, set) = (members.snapshot, &members.set);
    let (counts, moments) = match options.measure {
        Measure::Prevalence => (count_units(snapshot, set, &index, floor, progress)?, None),
        Measure::MeanActivation => {
            let (counts, moments) = sum_activations(snapshot, set, &index, floor, progress)?;
            (counts, Some(moments))
        }
    };
    Ok(Measured {
        documents: set.count(),
        counts,
        moments,
    })
}

type Moments = (Vec<u32>, Vec<(f64, f64)>);

/// Counts of active latents, and sums of their activations and squares.
fn sum_activations(
    snapshot: &Snapshot,
    set: &Allowed,
    index: &UnitIndex,
    floor: Floor,
    progress: &Progress,
) -> Result<Moments> {
    let n = index.len();
    let new = || -> Moments { (vec![0; n], vec![(0.0, 0.0); n]) };
    let merge = |mut left: Moments, right: Moments| {
        for (left, right) in left.0.iter_mut().zip(right.0) {
            *left += right;
        }
        for (left, right) in left.1.iter_mut().zip(right.1) {
            left.0 += right.0;
            left.1 += right.1;
        }
        left
    };
    let mut total = new();
    for (segment, docs) in snapshot.segments().iter().zip(set.segments()) {
        let docs: Vec<u32> = docs.iter().collect();
        let part = over_chunks(
            segment.latents.rows(),
            &docs,
            progress,
            || (new(), Vec::new()),
            |(moments, wide), _, row| {
                wide.resize(row.latents.len(), 0.0_f32);
                row.activations.convert_to_f32_slice(wide);
                for ((&latent, half), &value) in row.latents.iter().zip(row.activations).zip(&*wide)
                {
                    let at = latent as usize;
                    if at < n && floor.passes(*half) {
                        let value = f64::from(value);
                        moments.0[at] += 1;
                        moments.1[at].0 += value;
                        moments.1[at].1 += value * value;
                    }
                }
            },
            |left, right| (merge(left.0, right.0), left.1),
        )?;
        total = merge(total, part.0);
    }
    Ok(total)
}

/// Compares two measured sets, unit by unit. Both must be measured with the same units and
/// `options`.
///
/// # Errors
/// `InvalidArgument` when they were not; `FailedPrecondition` when a set is empty.
pub fn compare(a: &Measured, b: &Measured, options: &DiffOptions) -> Result<Diff> {
    options.check()?;
    check_sets(a.documents, b.documents)?;
    if a.counts.len() != b.counts.len() {
        return Err(Error::invalid("b", "was measured with other units than a"));
    }
    let mut rows = Vec::with_capacity(a.counts.len());
    for unit in 0..a.counts.len() {
        rows.push(match (&a.moments, &b.moments) {
            (None, None) => shares(a, b, unit, options),
            (Some(of_a), Some(of_b)) => {
                let sample_a = sample(of_a[unit], a.documents);
                let sample_b = sample(of_b[unit], b.documents);
                means(a, b, unit, sample_a, sample_b, options)
            }
            _ => return Err(Error::invalid("b", "was measured otherwise than a")),
        });
    }
    let tested = adjust_rows(&mut rows);
    Ok(Diff {
        a_documents: a.documents,
        b_documents: b.documents,
        unpaired: None,
        by: None,
        tested,
        rows,
    })
}

/// `FailedPrecondition` where a set is empty.
pub(super) fn check_sets(a: u64, b: u64) -> Result<()> {
    for (documents, side) in [(a, "a"), (b, "b")] {
        if documents == 0 {
            return Err(Error::precondition(format!(
                "set {side} holds no documents, so there is nothing to compare"
            )));
        }
    }
    Ok(())
}

fn sample((sum, squares): (f64, f64), n: u64) -> Sample {
    let mean = sum / n as f64;
    Sample {
        n,
        mean,
        variance: ((squares - sum * mean) / (n as f64 - 1.0)).max(0.0),
    }
}

fn shares(a: &Measured, b: &Measured, unit: usize, options: &DiffOptions) -> DiffRow {
    let (a_count, b_count) = (u64::from(a.counts[unit]), u64::from(b.counts[unit]));
    let spread = Spread::Independent((a_count, a.documents), (b_count, b.documents));
    let mut row = row(unit, a_count, b_count, spread);
    (row.a, row.b) = (
        a_count as f64 / a.documents as f64,
        b_count as f64 / b.documents as f64,
    );
    if a_count + b_count >= options.min_support.max(1) {
        let n = a.documents + b.documents;
        (row.p_value, row.test) = independence(a_count, a.documents, a_count + b_count, n);
    }
    finish(row, options)
}

fn means(
    a: &Measured,
    b: &Measured,
    unit: usize,
    sample_a: Sample,
    sample_b: Sample,
    options: &DiffOptions,
) -> DiffRow {
    let (a_count, b_count) = (u64::from(a.counts[unit]), u64::from(b.counts[unit]));
    let (delta, found) = (
        sample_a.mean - sample_b.mean,
        welch_error(sample_a, sample_b),
    );
    let mut row = row(unit, a_count, b_count, Spread::of(delta, found));
    (row.a, row.b) = (sample_a.mean, sample_b.mean);
    if let Some((error, freedom)) = found
        && a_count + b_count >= options.min_support.max(1)
    {
        row.p_value = student_two_sided(delta / error, freedom);
        row.test = Test::Welch;
    }
    finish(row, options)
}

/// An untested row.
pub(super) fn row(unit: usize, a_count: u64, b_count: u64, spread: Spread) -> DiffRow {
    DiffRow {
        // Units are counted by numbers of 32 bits.
        unit: u32::try_from(unit).unwrap_or(u32::MAX),
        a_count,
        b_count,
        a: 0.0,
        b: 0.0,
        delta: 0.0,
        relative: 0.0,
        interval: (0.0, 0.0),
        spread,
        discordant: None,
        test: Test::Untested,
        p_value: 1.0,
        p_adjusted: 1.0,
    }
}

/// The row with what follows from `a`, `b` and its spread.
pub(super) fn finish(mut row: DiffRow, options: &DiffOptions) -> DiffRow {
    row.interval = row.spread.interval(options.confidence);
    row.delta = row.a - row.b;
    let larger = row.a.max(row.b);
    row.relative = if larger > 0.0 {
        row.delta / larger
    } else {
        0.0
    };
    row
}

/// Adjusts the p-values of the tested rows; returns how many there are.
pub(super) fn adjust_rows(rows: &mut [DiffRow]) -> u64 {
    adjust_tested(rows.iter_mut().filter(|row| row.is_tested()).collect())
}

fn adjust_tested(mut rows: Vec<&mut DiffRow>) -> u64 {
    let mut p_values: Vec<f64> = rows.iter().map(|row| row.p_value).collect();
    adjust(&mut p_values);
    for (row, p) in rows.iter_mut().zip(&p_values) {
        row.p_adjusted = *p;
    }
    p_values.len() as u64
}

/// Adjusts the p-values of several comparisons as one family: over everything that was tested in
/// any of them.
pub fn adjust_together(diffs: &mut [Diff]) {
    let rows = diffs.iter_mut().flat_map(|diff| &mut diff.rows);
    adjust_tested(rows.filter(|row| row.is_tested()).collect());
}

/// Widens the intervals of rows that were selected, `rows.len()` of `tested` ones, to hold the rate
/// of false coverage (Benjamini and Yekutieli, 2005): at confidence `1 - q` each gets an interval of
/// confidence `1 - R q / m`.
pub fn cover_selected(rows: &mut [&mut DiffRow], tested: u64, options: &DiffOptions) {
    let share = (rows.len() as f64 / tested.max(1) as f64).min(1.0);
    let confidence = 1.0 - share * (1.0 - options.confidence);
    for row in rows {
        row.interval = row.spread.interval(confidence);
    }
}

impl DiffRow {
    /// Whether it had the support of a test.
    pub fn is_tested(&self) -> bool {
        self.test != Test::Untested
    }
}

impl Diff {
    /// Leaves only some units tested: what another part of the documents suggested.
    pub fn test_only(&mut self, is_tested: impl Fn(u32) -> bool) {
        for row in &mut self.rows {
            if !is_tested(row.unit) {
                row.test = Test::Untested;
                (row.p_value, row.p_adjusted) = (1.0, 1.0);
            }
        }
        self.tested = adjust_rows(&mut self.rows);
    }
}

/// Which side a difference favours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Either.
    #[default]
    Both,
    /// More in A.
    MoreInA,
    /// More in B.
    MoreInB,
}

/// Which rows of a diff pass. The default passes everything that was tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selection {
    /// `delta` is larger than this in size; equal is not enough unless it is 0.
    pub min_delta: f64,
    /// Which side it favours.
    pub direction: Direction,
    /// The adjusted p-value is at most this.
    pub max_p_adjusted: f64,
    /// At least one document of A has the unit, and at most this share of B's: what A has and B
    /// (nearly) has not.
    pub max_b_share: Option<f64>,
    /// Maximum rows.
    pub limit: usize,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            min_delta: 0.0,
            direction: Direction::Both,
            max_p_adjusted: 1.0,
            max_b_share: None,
            limit: usize::MAX,
        }
    }
}

/// The rows that pass a selection, the largest `delta` in size first, ties by unit. What was not
/// tested never passes.
pub fn select(diff: &Diff, selection: &Selection) -> Vec<DiffRow> {
    let share_of_b = |row: &DiffRow| row.b_count as f64 / diff.b_documents.max(1) as f64;
    let mut kept: Vec<DiffRow> = diff
        .rows
        .iter()
        .filter(|row| {
            let favours = match selection.direction {
                Direction::Both => true,
                Direction::MoreInA => row.delta > 0.0,
                Direction::MoreInB => row.delta < 0.0,
            };
            let is_large = selection.min_delta <= 0.0 || row.delta.abs() > selection.min_delta;
            let is_missing_in_b = selection
                .max_b_share
                .is_none_or(|most| row.a_count > 0 && share_of_b(row) <= most);
            row.is_tested()
                && favours
                && is_large
                && is_missing_in_b
                && row.p_adjusted <= selection.max_p_adjusted
        })
        .copied()
        .collect();
    kept.sort_by(by_size);
    kept.truncate(selection.limit);
    kept
}

fn by_size(left: &DiffRow, right: &DiffRow) -> Ordering {
    right
        .delta
        .abs()
        .total_cmp(&left.delta.abs())
        .then(left.unit.cmp(&right.unit))
}
