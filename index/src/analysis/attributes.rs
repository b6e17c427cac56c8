//! Which latents go with a value of an attribute.

use rayon::prelude::*;

use super::Side;
use super::correlate::{CorrelateOptions, Margins, Pair, Tested, refuse_adjacent};
use super::members::Members;
use super::strata::{Strata, Stratified};
use super::units::{Counter, Floor, UnitIndex, Units, add_to, count_units};
use super::values::ValueTable;
use crate::document::Value;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Maximum distinct values of an attribute that is compared with latents.
const MAX_VALUES: usize = 10_000;

/// Latents and values.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeCorrelations {
    /// Documents considered, with the attribute or without.
    pub documents: u64,
    /// Pairs that could reach the support, over which p-values are adjusted: the latent and the
    /// value are each in so many documents.
    pub eligible: u64,
    /// Pairs that reached the support and were tested.
    pub tested: u64,
    /// The attribute's values with their documents; `j` of a pair is a place in this list.
    pub values: Vec<(Value, u64)>,
    /// Under [`CorrelateOptions::stratify_by`], how documents were taken apart.
    pub strata: Option<Strata>,
    /// The kept pairs (`i` a latent), highest lower bound of NPMI first.
    pub pairs: Vec<Pair>,
}

/// Holds every latent (or only `latents`) against every value of `attribute`. A list counts once
/// for each of its distinct values; documents without the attribute have none.
///
/// # Errors
/// `InvalidArgument` for options out of range and an attribute of more than 10,000 values;
/// `FailedPrecondition` for a set without documents or without the attribute; `ResourceExhausted`
/// when too many pairs reach the support.
pub fn correlate_attribute(
    side: Side,
    n_latents: usize,
    latents: Option<&[u32]>,
    attribute: &str,
    options: &CorrelateOptions,
    progress: &Progress,
) -> Result<AttributeCorrelations> {
    refuse_adjacent(options)?;
    let floor = Floor::new(options.active_above)?;
    let index = UnitIndex::new(Units::Latents(n_latents))?;
    let members = Members::of(side)?;
    let stratify_by = options.stratify_by.as_deref();
    let strata = Stratified::of(&members, stratify_by, &index, floor, progress)?;
    let set = strata
        .as_ref()
        .map_or(&members.set, |strata| &strata.inside.set);
    let table = ValueTable::read(side.snapshot, set, attribute)?;
    check_values(&table, attribute)?;
    let counts = count_units(side.snapshot, set, &index, floor, progress)?;
    let holders = table.counts();
    let value_counts: Vec<u32> = holders
        .iter()
        .map(|&count| u32::try_from(count).unwrap_or(u32::MAX))
        .collect();
    let within = strata
        .as_ref()
        .map_or_else(Vec::new, |strata| strata.with_values(&table));
    let margins = Margins::new(set.count(), &counts, &value_counts, options.min_support)?;
    let margins = margins.within(&within);
    let most = options.max_density * set.count() as f64;
    let mut wanted = vec![latents.is_none(); n_latents];
    for &latent in latents.unwrap_or_default() {
        let place = wanted.get_mut(latent as usize).ok_or_else(|| {
            Error::invalid(
                "latents",
                format!("names latent {latent}; there are {n_latents}"),
            )
        })?;
        *place = true;
    }
    for ((latent, wanted), &count) in (0..).zip(&mut wanted).zip(&counts) {
        *wanted &= f64::from(count) <= most && options.among.has(latent);
    }
    progress.announce(table.values.len() as u64)?;
    let values: Vec<u32> = (0..).take(table.values.len()).collect();
    let found: Vec<Vec<Tested>> = values
        .par_iter()
        .map(|&value| {
            let mut counter = vec![0; n_latents];
            for (at, segment) in side.snapshot.segments().iter().enumerate() {
                let rows = segment.latents.rows();
                let mut part = Counter::new(&index, floor);
                for &(_, doc) in table.holders_of(at, value) {
                    part.add(rows.row(doc));
                }
                add_to(&mut counter, &part.counts);
            }
            let found: Vec<Tested> = (0..)
                .zip(counter)
                .filter(|&(latent, both): &(u32, u32)| {
                    both >= margins.min_support && wanted[latent as usize]
                })
                .map(|(latent, both)| margins.test((latent, value), both, 0))
                .collect();
            margins.take_room(found.len())?;
            progress.advance(1)?;
            Ok(found)
        })
        .collect::<Result<_>>()?;
    let reaches = |count: &u32| *count >= margins.min_support;
    let latents = wanted.iter().zip(&counts);
    let latents = latents.filter(|(wanted, count)| **wanted && reaches(count));
    let eligible =
        latents.count() as u64 * value_counts.iter().filter(|c| reaches(c)).count() as u64;
    let (tested, pairs) = margins.finish(found.concat(), eligible, options, &|_, _| true);
    Ok(AttributeCorrelations {
        documents: set.count(),
        eligible,
        tested,
        strata: strata.map(|strata| strata.summary()),
        values: table.values.into_iter().zip(holders).collect(),
        pairs,
    })
}

fn check_values(table: &ValueTable, attribute: &str) -> Result<()> {
    match table.values.len() {
        0 => Err(Error::precondition(format!(
            "no document of the set has the attribute {attribute:?}"
        ))),
        n if n > MAX_VALUES => Err(Error::invalid(
            "attribute",
            format!("{attribute:?} has {n} distinct values; at most {MAX_VALUES} are accepted"),
        )),
        _ => Ok(()),
    }
}
