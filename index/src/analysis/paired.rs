//! Two sets compared row by row: the same prompt answered by two models.

use super::diff::{Diff, DiffOptions, Measure, adjust_rows, finish, row};
use super::joined::join;
use super::members::Members;
use super::spread::Spread;
use super::statistics::mcnemar;
use super::units::{Counter, Floor, UnitIndex, Units};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Compares the documents of A and B that have the same value of `attribute`. Each value that is
/// on both sides is one row; a side has a unit in a row when any of its documents there has it, so
/// a B of several models gives A's share minus the share of rows in which any of them fires.
/// Tested with McNemar's test; the counts of a [`DiffRow`](super::DiffRow) are rows.
///
/// # Errors
/// `InvalidArgument` for options out of range and for mean activations; `FailedPrecondition` when
/// no value is on both sides.
pub fn compare_paired(
    a: &Members,
    b: &Members,
    attribute: &str,
    units: Units,
    options: &DiffOptions,
    progress: &Progress,
) -> Result<Diff> {
    options.check()?;
    if options.measure != Measure::Prevalence {
        return Err(Error::invalid(
            "measure",
            "is the mean activation; paired sets are compared by prevalence",
        ));
    }
    let floor = Floor::new(options.active_above)?;
    let index = UnitIndex::new(units)?;
    let joined = join(a, b, attribute, floor)?;
    progress.announce(joined.a.len() as u64)?;
    // Per unit: rows in which both sides have it, only A, only B.
    let mut counts = vec![[0_u64; 3]; index.len()];
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for at in 0..joined.a.len() {
        Counter::units_of(&index, joined.a.row(at), &mut of_a);
        Counter::units_of(&index, joined.b.row(at), &mut of_b);
        for unit in &of_a {
            let place = usize::from(of_b.binary_search(unit).is_err());
            counts[*unit as usize][place] += 1;
        }
        for unit in of_b.iter().filter(|unit| of_a.binary_search(unit).is_err()) {
            counts[*unit as usize][2] += 1;
        }
        progress.advance(1)?;
    }
    let n = joined.a.len() as u64;
    let mut rows = Vec::with_capacity(counts.len());
    for (unit, &[both, only_a, only_b]) in counts.iter().enumerate() {
        let spread = Spread::Paired(both, only_a, only_b, n);
        let mut row = row(unit, both + only_a, both + only_b, spread);
        (row.a, row.b) = (row.a_count as f64 / n as f64, row.b_count as f64 / n as f64);
        row.discordant = Some((only_a, only_b));
        if row.a_count + row.b_count >= options.min_support.max(1) {
            (row.p_value, row.test) = mcnemar(only_a, only_b);
        }
        rows.push(finish(row, options));
    }
    let tested = adjust_rows(&mut rows);
    Ok(Diff {
        a_documents: n,
        b_documents: n,
        unpaired: Some(joined.unpaired),
        by: None,
        tested,
        rows,
    })
}
