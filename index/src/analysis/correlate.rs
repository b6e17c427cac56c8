//! Which latents occur together.
//!
//! Pairs are counted latent by latent: the rows of the documents that have `i` are added into one
//! counter per thread, from which the pairs of `i` with enough support are kept. Memory is the
//! packed rows of the set, a counter per thread and the kept pairs; no matrix of all pairs exists.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::Side;
use super::among::Among;
use super::cooccurrence::{Packed, PackedRows, PairCounter};
use super::joined::{LatentRows, join};
use super::mantel_haenszel;
use super::members::Members;
use super::statistics::{Test, adjust_among, independence, normal_quantile, wilson};
use super::strata::{Strata, Stratified, StratumCounts};
use super::units::{Floor, UnitIndex, Units, count_units};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// Maximum pairs that one analysis tests; each takes 56 bytes.
pub const MAX_TESTED_PAIRS: usize = 10_000_000;
/// Confidence of the lower bound that pairs are ordered by.
const CONFIDENCE: f64 = 0.95;

/// Which pairs of latents are tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Every pair, once.
    #[default]
    All,
    /// These latents with every other.
    With(Vec<u32>),
    /// Each of the first with each of the second.
    Between(Vec<u32>, Vec<u32>),
}

/// Which pairs are tested and kept. The bounds of results (`min_npmi` and below) do not change
/// what is tested.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelateOptions {
    /// A document has a latent when its activation is above this.
    pub active_above: f32,
    /// Leaves out of a pair's table the documents in which both latents fire most on the same
    /// or neighbouring tokens, since they see one word twice: they count neither as having both, nor
    /// one, nor at all. Needs stored positions; a latent without one there is on no word.
    pub exclude_adjacent: bool,
    /// Compares within strata of this attribute, numbers and timestamps of more than ten values by
    /// deciles; `length` is the number of words where no attribute has that name. What occurs
    /// together is held against `Σ n_i,h n_j,h / N_h`.
    pub stratify_by: Option<String>,
    /// Pairs in fewer documents are not tested; at least 1.
    pub min_support: u64,
    /// Latents in a larger share of the documents ("stop latents") are left out.
    pub max_density: f64,
    /// Latents that are tested.
    pub among: Among,
    /// Smallest normalised pointwise mutual information that is kept.
    pub min_npmi: f64,
    /// Largest adjusted p-value that is kept.
    pub max_p_adjusted: f64,
    /// Maximum pairs that are kept.
    pub limit: usize,
}

impl Default for CorrelateOptions {
    fn default() -> Self {
        Self {
            active_above: 0.0,
            exclude_adjacent: false,
            stratify_by: None,
            min_support: 20,
            max_density: 1.0,
            among: Among::default(),
            min_npmi: -1.0,
            max_p_adjusted: 1.0,
            limit: usize::MAX,
        }
    }
}

/// Two latents, or a latent and a value, and how they go together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The first latent.
    pub i: u32,
    /// The second latent, or the value's place in the list of values.
    pub j: u32,
    /// Documents with both, here and below without those of `adjacent`.
    pub count: u64,
    /// Documents left out since both fire on the same word; 0 unless
    /// [`CorrelateOptions::exclude_adjacent`].
    pub adjacent: u64,
    /// Documents with `i`.
    pub i_count: u64,
    /// Documents with `j`.
    pub j_count: u64,
    /// Pointwise mutual information, `ln(P_ij / (P_i P_j))`; over strata `ln(n_ij / expected)`.
    pub pmi: f64,
    /// `pmi / -ln P_ij`, -1 to 1; 0 where every document has both.
    pub npmi: f64,
    /// `npmi` with the lower 95% Wilson bound of `n_ij / N` in place of `P_ij`.
    pub npmi_low: f64,
    /// Share of the documents with `i` that have `j`.
    pub j_given_i: f64,
    /// Share of the documents with `j` that have `i`.
    pub i_given_j: f64,
    /// Probability of a count so far from independence.
    pub p_value: f64,
    /// The p-value after Benjamini and Hochberg over all eligible pairs
    /// ([`Correlations::eligible`]).
    pub p_adjusted: f64,
    /// Where the p-value comes from.
    pub test: Test,
}

/// Pairs of latents.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlations {
    /// Documents (or joined rows) considered.
    pub documents: u64,
    /// Pairs of the scope that could reach the support: each of the two is in so many documents.
    /// P-values are adjusted over them, and those below the support count as 1: how often two occur
    /// together is what is tested, so it must not choose the tests.
    pub eligible: u64,
    /// Pairs that reached the support and were tested.
    pub tested: u64,
    /// Latents left out as too dense, ascending.
    pub stopped: Vec<u32>,
    /// Joined values that only one side has, where sides are joined.
    pub unpaired: Option<(u64, u64)>,
    /// Under [`CorrelateOptions::exclude_adjacent`], the pairs that reach the support only with
    /// the documents left out.
    pub adjacent_pairs: Option<u64>,
    /// Under [`CorrelateOptions::stratify_by`], how documents were taken apart.
    pub strata: Option<Strata>,
    /// The kept pairs, highest lower bound of NPMI first, ties by count and then by number.
    pub pairs: Vec<Pair>,
}

/// A pair that reached the support.
#[derive(Clone, Copy)]
pub(super) struct Tested {
    i: u32,
    j: u32,
    count: u32,
    adjacent: u32,
    test: Test,
    npmi: f64,
    npmi_low: f64,
    p: f64,
    adjusted: f64,
}

/// What all pairs of an analysis are held against.
pub(super) struct Margins<'a> {
    pub documents: u64,
    pub i_counts: &'a [u32],
    pub j_counts: &'a [u32],
    pub min_support: u32,
    /// The same of each stratum; empty where pairs are not tested within any.
    strata: &'a [StratumCounts],
    quantile: f64,
    room: AtomicUsize,
}

/// PMI, NPMI, and NPMI with the lower bound of the joint share.
struct Information {
    pmi: f64,
    npmi: f64,
    npmi_low: f64,
}

impl<'a> Margins<'a> {
    pub fn new(
        documents: u64,
        i_counts: &'a [u32],
        j_counts: &'a [u32],
        min_support: u64,
    ) -> Result<Self> {
        if documents == 0 {
            return Err(Error::precondition(
                "the set holds no documents, so nothing occurs together in it",
            ));
        }
        Ok(Self {
            documents,
            i_counts,
            j_counts,
            min_support: u32::try_from(min_support.max(1)).unwrap_or(u32::MAX),
            strata: &[],
            quantile: normal_quantile(CONFIDENCE),
            room: AtomicUsize::new(MAX_TESTED_PAIRS),
        })
    }

    /// The same, with pairs tested within strata.
    pub fn within(self, strata: &'a [StratumCounts]) -> Self {
        Self { strata, ..self }
    }

    pub fn test(&self, (i, j): (u32, u32), count: u32, adjacent: u32) -> Tested {
        let (i_count, j_count, n) = self.counts(i, j, adjacent);
        let (p, test) = if self.strata.is_empty() {
            independence(count.into(), i_count, j_count, n)
        } else {
            mantel_haenszel::test(count.into(), &self.tables(i, j))
        };
        let Information { npmi, npmi_low, .. } = self.information(i, j, count, adjacent);
        Tested {
            i,
            j,
            count,
            adjacent,
            test,
            npmi,
            npmi_low,
            p,
            adjusted: p,
        }
    }

    /// Documents with `i`, with `j`, and all, without those left out.
    fn counts(&self, i: u32, j: u32, adjacent: u32) -> (u64, u64, u64) {
        let left_out = u64::from(adjacent);
        let of_i = u64::from(self.i_counts[i as usize]);
        let of_j = u64::from(self.j_counts[j as usize]);
        (of_i - left_out, of_j - left_out, self.documents - left_out)
    }

    /// The margins of each stratum.
    fn tables(&self, i: u32, j: u32) -> Vec<mantel_haenszel::Margins> {
        let strata = self.strata.iter();
        let margins = strata.map(|stratum| mantel_haenszel::Margins {
            first: stratum.i_counts[i as usize].into(),
            second: stratum.j_counts.as_ref().unwrap_or(&stratum.i_counts)[j as usize].into(),
            n: stratum.documents,
        });
        margins.collect()
    }

    fn information(&self, i: u32, j: u32, count: u32, adjacent: u32) -> Information {
        let (i_count, j_count, documents) = self.counts(i, j, adjacent);
        let n = documents as f64;
        // Documents that would have both were the two independent.
        let expected = if self.strata.is_empty() {
            i_count as f64 * j_count as f64 / n
        } else {
            mantel_haenszel::expected(&self.tables(i, j))
        };
        let of = |share: f64| {
            let (pmi, surprise) = ((share * n / expected).ln(), -share.ln());
            (pmi, if surprise > 0.0 { pmi / surprise } else { 0.0 })
        };
        let (pmi, npmi) = of(f64::from(count) / n);
        let (_, npmi_low) = of(wilson(count.into(), documents, self.quantile).0);
        Information {
            pmi,
            npmi,
            npmi_low,
        }
    }

    /// `ResourceExhausted` when so many more pairs are too many.
    pub fn take_room(&self, pairs: usize) -> Result<()> {
        let take = |room: usize| room.checked_sub(pairs);
        match self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "more than {MAX_TESTED_PAIRS} pairs are in {} documents or more: raise the \
                     minimum support, lower the maximum density, or name latents",
                    self.min_support
                ),
            )),
        }
    }

    /// Adjusts the p-values over `eligible` pairs and keeps the best; returns the number of tests
    /// with them.
    pub fn finish(
        &self,
        mut tested: Vec<Tested>,
        eligible: u64,
        options: &CorrelateOptions,
        keep: &dyn Fn(u32, u32) -> bool,
    ) -> (u64, Vec<Pair>) {
        let mut p_values: Vec<f64> = tested.iter().map(|pair| pair.p).collect();
        adjust_among(&mut p_values, eligible);
        for (pair, adjusted) in tested.iter_mut().zip(p_values) {
            pair.adjusted = adjusted;
        }
        let n_tested = tested.len() as u64;
        tested.retain(|pair| {
            pair.npmi >= options.min_npmi && pair.adjusted <= options.max_p_adjusted
        });
        tested.par_sort_unstable_by(|left, right| {
            right
                .npmi_low
                .total_cmp(&left.npmi_low)
                .then(right.count.cmp(&left.count))
                .then((left.i, left.j).cmp(&(right.i, right.j)))
        });
        let kept = tested
            .iter()
            .filter(|pair| keep(pair.i, pair.j))
            .take(options.limit)
            .map(|pair| self.pair(pair))
            .collect();
        (n_tested, kept)
    }

    fn pair(&self, tested: &Tested) -> Pair {
        let Tested {
            i,
            j,
            count,
            adjacent,
            ..
        } = *tested;
        let (i_count, j_count, _) = self.counts(i, j, adjacent);
        let Information {
            pmi,
            npmi,
            npmi_low,
        } = self.information(i, j, count, adjacent);
        let joint = f64::from(count);
        Pair {
            i,
            j,
            count: count.into(),
            adjacent: adjacent.into(),
            i_count,
            j_count,
            pmi,
            npmi,
            npmi_low,
            j_given_i: joint / i_count as f64,
            i_given_j: joint / j_count as f64,
            p_value: tested.p,
            p_adjusted: tested.adjusted,
            test: tested.test,
        }
    }
}

/// Which latents may be first and second of a pair, stop latents taken out.
struct Sides {
    first: Vec<u32>,
    may_be_first: Vec<bool>,
    may_be_second: Vec<bool>,
    /// Every pair is wanted, so only `j > i` need be counted.
    is_triangle: bool,
    /// `(i, j)` and `(j, i)` are one pair, and `(i, i)` is none.
    is_symmetric: bool,
}

impl Sides {
    fn new(scope: &Scope, n_latents: usize, is_stopped: &dyn Fn(u32) -> bool) -> Result<Self> {
        let all = || -> Result<Vec<u32>> {
            let n = u32::try_from(n_latents)
                .map_err(|_| Error::internal("more latents than numbers for them"))?;
            Ok((0..n).collect())
        };
        let (first, second) = match scope {
            Scope::All => (all()?, all()?),
            Scope::With(latents) => (latents.clone(), all()?),
            Scope::Between(first, second) => (first.clone(), second.clone()),
        };
        let mask = |latents: &[u32], field: &str| -> Result<Vec<bool>> {
            let mut mask = vec![false; n_latents];
            for &latent in latents {
                let place = mask.get_mut(latent as usize).ok_or_else(|| {
                    Error::invalid(
                        field,
                        format!("names latent {latent}; there are {n_latents}"),
                    )
                })?;
                *place = !is_stopped(latent);
            }
            Ok(mask)
        };
        let may_be_first = mask(&first, "latents")?;
        let may_be_second = mask(&second, "others")?;
        let first = (0..)
            .zip(&may_be_first)
            .filter(|(_, may)| **may)
            .map(|(latent, _)| latent)
            .collect();
        Ok(Self {
            first,
            may_be_first,
            may_be_second,
            is_triangle: *scope == Scope::All,
            is_symmetric: true,
        })
    }

    /// Pairs that are wanted and could reach the support.
    fn eligible(&self, margins: &Margins) -> u64 {
        let reaches = |counts: &[u32], latent: usize| counts[latent] >= margins.min_support;
        let (mut first, mut second, mut both) = (0_u64, 0_u64, 0_u64);
        for (latent, (&of_i, &of_j)) in self
            .may_be_first
            .iter()
            .zip(&self.may_be_second)
            .enumerate()
        {
            let of_i = of_i && reaches(margins.i_counts, latent);
            let of_j = of_j && reaches(margins.j_counts, latent);
            first += u64::from(of_i);
            second += u64::from(of_j);
            both += u64::from(of_i && of_j);
        }
        let ordered = first * second;
        if self.is_symmetric {
            // Without the pairs of one latent, and each pair of two that may be both only once.
            ordered - both - both * both.saturating_sub(1) / 2
        } else {
            ordered
        }
    }

    fn wants(&self, i: u32, j: u32) -> bool {
        if !self.may_be_second[j as usize] {
            return false;
        }
        if !self.is_symmetric || i < j {
            return true;
        }
        // The mirrored pair, where it is tested, comes with the smaller number first.
        i > j && !(self.may_be_first[j as usize] && self.may_be_second[i as usize])
    }
}

/// What counting found.
#[derive(Default)]
struct Counted {
    tested: Vec<Tested>,
    /// Pairs that would have been tested but for the documents left out.
    adjacent_pairs: u64,
}

/// Counts and tests the pairs of `sides`; `count` adds the rows of `i`'s documents to a counter.
fn test_pairs(
    sides: &Sides,
    margins: &Margins,
    looks_at_tokens: bool,
    progress: &Progress,
    count: impl Fn(u32, &mut PairCounter) + Sync,
) -> Result<Counted> {
    progress.announce(sides.first.len() as u64)?;
    let n_second = margins.j_counts.len();
    let found: Vec<Counted> = sides
        .first
        .par_iter()
        .map_init(
            || PairCounter::new(n_second, looks_at_tokens),
            |counter, &i| {
                let mut found = Counted::default();
                if margins.i_counts[i as usize] >= margins.min_support {
                    count(i, counter);
                    found.take(i, counter, sides, margins);
                    counter.clear();
                    margins.take_room(found.tested.len())?;
                }
                progress.advance(1)?;
                Ok(found)
            },
        )
        .collect::<Result<_>>()?;
    let mut all = Counted::default();
    all.tested
        .reserve(found.iter().map(|part| part.tested.len()).sum());
    for part in found {
        all.tested.extend(part.tested);
        all.adjacent_pairs += part.adjacent_pairs;
    }
    Ok(all)
}

impl Counted {
    /// Tests the pairs of `i`.
    fn take(&mut self, i: u32, counter: &PairCounter, sides: &Sides, margins: &Margins) {
        let least = margins.min_support;
        for (j, &both) in (0..).zip(&counter.both) {
            let adjacent = counter.adjacent.get(j as usize).copied().unwrap_or(0);
            if both + adjacent < least || !sides.wants(i, j) {
                continue;
            }
            if both < least {
                self.adjacent_pairs += 1;
            } else {
                self.tested.push(margins.test((i, j), both, adjacent));
            }
        }
    }
}

/// Pairs of latents that occur in the same documents of a set. `keep` has the last word on a pair
/// (whether its labels are too similar, say) and is asked in the order of the result, until
/// `limit` pairs are kept; what it refuses has been tested all the same.
///
/// # Errors
/// `InvalidArgument` for options out of range and latents that do not exist; `FailedPrecondition`
/// for an empty set, and to exclude adjacent latents where no document has positions;
/// `ResourceExhausted` when more than [`MAX_TESTED_PAIRS`] reach the support.
pub fn correlate(
    side: Side,
    n_latents: usize,
    scope: &Scope,
    options: &CorrelateOptions,
    keep: &dyn Fn(u32, u32) -> bool,
    progress: &Progress,
) -> Result<Correlations> {
    if options.exclude_adjacent && options.stratify_by.is_some() {
        return Err(Error::invalid(
            "exclude_adjacent",
            "is given with stratify_by; one of them is accepted",
        ));
    }
    let floor = Floor::new(options.active_above)?;
    let index = UnitIndex::new(Units::Latents(n_latents))?;
    let members = Members::of(side)?;
    let stratify_by = options.stratify_by.as_deref();
    let strata = Stratified::of(&members, stratify_by, &index, floor, progress)?;
    let set = strata
        .as_ref()
        .map_or(&members.set, |strata| &strata.inside.set);
    let counts = count_units(side.snapshot, set, &index, floor, progress)?;
    let margins = Margins::new(set.count(), &counts, &counts, options.min_support)?;
    let margins = margins.within(strata.as_ref().map_or(&[], |strata| &strata.counts));
    let most = options.max_density * set.count() as f64;
    let is_stopped =
        |latent: u32| f64::from(counts[latent as usize]) > most || !options.among.has(latent);
    let sides = Sides::new(scope, n_latents, &is_stopped)?;
    let only = (*scope != Scope::All).then_some(&sides.first[..]);
    let packing = (floor, options.exclude_adjacent);
    let Counted {
        tested,
        adjacent_pairs,
    } = if n_latents <= 1 << 16 {
        let rows = PackedRows::<u16>::new(side.snapshot, set, only, packing, progress)?;
        test_rows(&rows, &sides, &margins, options, progress)?
    } else {
        let rows = PackedRows::<u32>::new(side.snapshot, set, only, packing, progress)?;
        test_rows(&rows, &sides, &margins, options, progress)?
    };
    let eligible = sides.eligible(&margins);
    let (tested, pairs) = margins.finish(tested, eligible, options, keep);
    Ok(Correlations {
        documents: set.count(),
        eligible,
        tested,
        stopped: stopped(&counts, most),
        unpaired: None,
        adjacent_pairs: options.exclude_adjacent.then_some(adjacent_pairs),
        strata: strata.map(|strata| strata.summary()),
        pairs,
    })
}

/// Counts and tests the pairs of `sides` over packed rows.
fn test_rows<L: Packed>(
    rows: &PackedRows<L>,
    sides: &Sides,
    margins: &Margins,
    options: &CorrelateOptions,
    progress: &Progress,
) -> Result<Counted> {
    if options.exclude_adjacent && rows.with_positions() == 0 {
        return Err(Error::precondition(
            "no document of the set has stored positions, so latents of the same word cannot be \
             told: make the collection from an SAE of tokens, with positions, or leave \
             exclude_adjacent out",
        ));
    }
    let above = sides.is_triangle;
    let looks_at_tokens = options.exclude_adjacent;
    test_pairs(sides, margins, looks_at_tokens, progress, |i, counter| {
        rows.count(i, above, counter);
    })
}

/// Latents denser than `most`, ascending.
fn stopped(counts: &[u32], most: f64) -> Vec<u32> {
    (0..)
        .zip(counts)
        .filter(|(_, count)| f64::from(**count) > most)
        .map(|(latent, _)| latent)
        .collect()
}

/// Pairs of a latent of A's documents and a latent of B's, where documents are joined by the value
/// of an attribute (the first argument): latents of prompts against latents of their answers. One row per value that is
/// on both sides; a side has a latent when any of its documents with the value has it. `(i, j)` and
/// `(j, i)` differ, and `(i, i)` is a pair.
///
/// # Errors
/// As [`correlate`]; `FailedPrecondition` when no value is on both sides.
pub fn correlate_joined(
    (a, b, attribute): (Side, Side, &str),
    n_latents: usize,
    scope: &Scope,
    options: &CorrelateOptions,
    keep: &dyn Fn(u32, u32) -> bool,
    progress: &Progress,
) -> Result<Correlations> {
    refuse_adjacent(options)?;
    if options.stratify_by.is_some() {
        return Err(Error::invalid(
            "stratify_by",
            "is given for joined sides; it is for pairs of one document",
        ));
    }
    let floor = Floor::new(options.active_above)?;
    let joined = join(&Members::of(a)?, &Members::of(b)?, attribute, floor)?;
    let (lists, of_a) = postings(&joined.a, n_latents);
    let (_, of_b) = postings(&joined.b, n_latents);
    let documents = joined.a.len() as u64;
    let margins = Margins::new(documents, &of_a, &of_b, options.min_support)?;
    let most = options.max_density * documents as f64;
    let is_stopped = |latent: u32| {
        let at = latent as usize;
        f64::from(of_a[at]) > most || f64::from(of_b[at]) > most || !options.among.has(latent)
    };
    let sides = Sides {
        is_triangle: false,
        is_symmetric: false,
        ..Sides::new(scope, n_latents, &is_stopped)?
    };
    let Counted { tested, .. } = test_pairs(&sides, &margins, false, progress, |i, counter| {
        for &row in &lists[i as usize] {
            counter.add(joined.b.row(row as usize));
        }
    })?;
    let eligible = sides.eligible(&margins);
    let (tested, pairs) = margins.finish(tested, eligible, options, keep);
    let mut too_dense = stopped(&of_a, most);
    too_dense.extend(stopped(&of_b, most));
    too_dense.sort_unstable();
    too_dense.dedup();
    Ok(Correlations {
        documents,
        eligible,
        tested,
        stopped: too_dense,
        unpaired: Some(joined.unpaired),
        adjacent_pairs: None,
        strata: None,
        pairs,
    })
}

/// `InvalidArgument` where latents of one word are to be left out, but pairs are not of one text.
pub(super) fn refuse_adjacent(options: &CorrelateOptions) -> Result<()> {
    if options.exclude_adjacent {
        return Err(Error::invalid(
            "exclude_adjacent",
            "is for pairs of latents of one document",
        ));
    }
    Ok(())
}

/// The rows that have each latent, and how many they are.
fn postings(rows: &LatentRows, n_latents: usize) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut lists = vec![Vec::new(); n_latents];
    for (number, at) in (0..).zip(0..rows.len()) {
        for &latent in rows.row(at) {
            if let Some(list) = lists.get_mut(latent as usize) {
                list.push(number);
            }
        }
    }
    let counts = lists
        .iter()
        .map(|list: &Vec<u32>| u32::try_from(list.len()).unwrap_or(u32::MAX))
        .collect();
    (lists, counts)
}
