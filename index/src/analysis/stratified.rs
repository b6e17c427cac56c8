//! Two sets compared within strata: documents of equal length, say.

use rayon::prelude::*;

use super::diff::{
    ByValue, Diff, DiffOptions, DiffRow, Measure, adjust_rows, check_sets, finish, row,
};
use super::mantel_haenszel::{self, Stratum, weighted};
use super::members::Members;
use super::partition::{Partition, Placed};
use super::spread::Spread;
use super::units::{Floor, UnitIndex, Units, add_to, count_rows};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::snapshot::Snapshot;

/// Maximum counts that are kept: strata times units, 8 bytes each.
const MAX_COUNTS: usize = 1 << 26;

/// Compares the documents of A and B that have values of `attribute` in common: within strata, one
/// per value, numbers and timestamps of more than ten values by deciles of both sets. `length`
/// stands for the number of words, unless an attribute has that name. Shares are weighted by
/// `A_h B_h / N_h` over strata, tested after Cochran, Mantel and Haenszel, with Sato's interval.
///
/// # Errors
/// `InvalidArgument` for options out of range, mean activations, an attribute that few documents
/// have or that no value of is in both sets.
pub fn compare_stratified(
    a: &Members,
    b: &Members,
    attribute: &str,
    units: Units,
    options: &DiffOptions,
    progress: &Progress,
) -> Result<Diff> {
    const FIELD: &str = "stratify_by";
    options.check()?;
    check_sets(a.documents(), b.documents())?;
    if options.measure != Measure::Prevalence {
        return Err(Error::invalid(
            FIELD,
            "is given with mean activations; shares are compared over strata",
        ));
    }
    let floor = Floor::new(options.active_above)?;
    let index = UnitIndex::new(units)?;
    let partition = Partition::strata(&[a, b], attribute, FIELD)?;
    let sizes = [partition.sizes(0), partition.sizes(1)];
    let shared: Vec<usize> = (0..partition.parts)
        .filter(|&part| sizes.iter().all(|sizes| sizes[part] > 0))
        .collect();
    if shared.is_empty() {
        return Err(Error::invalid(
            FIELD,
            format!(
                "names {attribute:?}, of which no value is in both sets, so nothing can be compared \
                 within one; name an attribute that both sets share values of"
            ),
        ));
    }
    if shared.len().saturating_mul(index.len()) > MAX_COUNTS {
        return Err(Error::invalid(
            FIELD,
            format!(
                "gives {} strata of {} latents each; name an attribute with fewer values",
                shared.len(),
                index.len()
            ),
        ));
    }
    let mut strata = Vec::with_capacity(shared.len());
    for &part in &shared {
        let count = |members: &Members, set: usize| {
            let placed = &partition.sets[set];
            count_part(members.snapshot, placed, part, &index, floor, progress)
        };
        strata.push(Counted {
            sizes: [sizes[0][part], sizes[1][part]],
            counts: [count(a, 0)?, count(b, 1)?],
        });
    }
    let units: Vec<usize> = (0..index.len()).collect();
    let mut rows: Vec<DiffRow> = units
        .into_par_iter()
        .map(|unit| compared(unit, &strata, options))
        .collect();
    let tested = adjust_rows(&mut rows);
    let inside = |set: usize| strata.iter().map(|stratum| stratum.sizes[set]).sum::<u64>();
    Ok(Diff {
        a_documents: inside(0),
        b_documents: inside(1),
        unpaired: None,
        by: Some(ByValue {
            groups: strata.len() as u64,
            a_outside: a.documents() - inside(0),
            b_outside: b.documents() - inside(1),
        }),
        tested,
        rows,
    })
}

/// Documents of one stratum, of A and of B: all, and by unit those that have it.
struct Counted {
    sizes: [u64; 2],
    counts: [Vec<u32>; 2],
}

fn compared(unit: usize, counted: &[Counted], options: &DiffOptions) -> DiffRow {
    let strata: Vec<Stratum> = counted
        .iter()
        .map(|stratum| {
            let side = |set: usize| (stratum.counts[set][unit].into(), stratum.sizes[set]);
            Stratum {
                a: side(0),
                b: side(1),
            }
        })
        .collect();
    let a_count = strata.iter().map(|stratum| stratum.a.0).sum();
    let b_count = strata.iter().map(|stratum| stratum.b.0).sum();
    let found = weighted(&strata);
    let spread = found.map(|found| (found.error, f64::INFINITY));
    let (share_a, share_b) = found.map_or((0.0, 0.0), |found| (found.a, found.b));
    let mut row = row(
        unit,
        a_count,
        b_count,
        Spread::of(share_a - share_b, spread),
    );
    (row.a, row.b) = (share_a, share_b);
    if a_count + b_count >= options.min_support.max(1) {
        let margins: Vec<_> = strata
            .iter()
            .map(|stratum| mantel_haenszel::Margins {
                first: stratum.a.1,
                second: stratum.a.0 + stratum.b.0,
                n: stratum.a.1 + stratum.b.1,
            })
            .collect();
        (row.p_value, row.test) = mantel_haenszel::test(a_count, &margins);
    }
    finish(row, options)
}

/// For each unit, the documents of a part of a set that have it.
pub(super) fn count_part(
    snapshot: &Snapshot,
    placed: &[Vec<Placed>],
    part: usize,
    index: &UnitIndex,
    floor: Floor,
    progress: &Progress,
) -> Result<Vec<u32>> {
    let mut counts = vec![0; index.len()];
    for (segment, placed) in snapshot.segments().iter().zip(placed) {
        let start = placed.partition_point(|entry| (entry.0 as usize) < part);
        let end = placed.partition_point(|entry| entry.0 as usize <= part);
        if start == end {
            continue;
        }
        let docs: Vec<u32> = placed[start..end].iter().map(|entry| entry.1).collect();
        let found = count_rows(segment, &docs, index, floor, progress)?;
        add_to(&mut counts, &found);
    }
    Ok(counts)
}
