//! Which latents of one SAE are which of another: by what they are active in, over documents that both have
//! read. The two may be of other sizes, seeds, versions or encoders (METHODS section 10, mapping).

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::snapshot::Snapshot;

/// Counterparts of a latent that may be matched with it.
const CANDIDATES: usize = 20;
/// A document of one side that the other has not.
const NONE: u32 = u32::MAX;
/// How much an assignment may fall short of the best one, in φ per latent.
const SLACK: f64 = 1e-5;
/// Fewest documents on both sides.
const FEWEST: u64 = 10;

/// One side of a matching.
#[derive(Clone, Copy)]
pub struct Space<'a> {
    /// Documents with the latents of an SAE.
    pub snapshot: &'a Snapshot,
    /// How many latents it has.
    pub n_latents: usize,
}

/// Latents of A and B that are active in the same documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// Documents that both sides have.
    pub documents: u64,
    /// Latents of each side that are active in so many of those that they could be matched.
    pub active: (u64, u64),
    /// One per such latent of A, by number.
    pub rows: Vec<Match>,
}

/// A latent of A, and its counterpart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The latent of A.
    pub latent: u32,
    /// Shared documents in which it is active.
    pub documents: u64,
    /// The latent of B that it was matched with: no other one has that.
    pub other: Option<Counterpart>,
    /// The latent of B that is active most as it is, whether or not it was matched with another.
    pub nearest: Option<Counterpart>,
}

/// A latent of B.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counterpart {
    /// The latent.
    pub latent: u32,
    /// Shared documents in which it is active.
    pub documents: u64,
    /// Shared documents in which both are active.
    pub both: u64,
    /// Correlation of the two being active, above 0.
    pub phi: f64,
}

/// Matches the latents of A with those of B one to one, so that the sum of φ is largest, among the 20 of B whose
/// φ with a latent is largest. Latents in fewer than `min_support` shared documents are left out.
///
/// # Errors
/// `FailedPrecondition` where the sides share fewer than ten documents; `Cancelled`.
pub fn match_latents(
    a: Space,
    b: Space,
    min_support: u64,
    progress: &Progress,
) -> Result<Matching> {
    let shared = shared(a.snapshot, b.snapshot, progress)?;
    let documents = shared.iter().filter(|other| **other != NONE).count() as u64;
    if documents < FEWEST {
        return Err(Error::precondition(format!(
            "the two share {documents} documents; at least {FEWEST} with the same ids are needed to see which \
             latents are active together: ingest the same documents on both sides"
        )));
    }
    let b_counts = counts(b, &shared, progress)?;
    progress.announce(a.n_latents as u64)?;
    let found: Vec<Option<Row>> = (0..a.n_latents as u32)
        .into_par_iter()
        .map_init(
            || vec![0_u32; b.n_latents],
            |joint, latent| {
                progress.advance(1)?;
                Ok(row(
                    a,
                    b,
                    latent,
                    &shared,
                    (&b_counts, documents),
                    min_support,
                    joint,
                ))
            },
        )
        .collect::<Result<_>>()?;
    let rows: Vec<Row> = found.into_iter().flatten().collect();
    let values: Vec<Vec<(u32, f64)>> = rows
        .iter()
        .map(|row| {
            row.candidates
                .iter()
                .map(|own| (own.latent, own.phi))
                .collect()
        })
        .collect();
    let assigned = assign(&values, b.n_latents, progress)?;
    let pick = |row: &Row, latent: Option<u32>| {
        let latent = latent?;
        row.candidates
            .iter()
            .find(|own| own.latent == latent)
            .copied()
    };
    let b_active = b_counts
        .iter()
        .filter(|count| **count >= min_support.max(1))
        .count();
    Ok(Matching {
        documents,
        active: (rows.len() as u64, b_active as u64),
        rows: rows
            .iter()
            .zip(assigned)
            .map(|(row, assigned)| Match {
                latent: row.latent,
                documents: row.documents,
                other: pick(row, assigned),
                nearest: row.candidates.first().copied(),
            })
            .collect(),
    })
}

/// A latent of A with the latents of B that are active most as it is.
struct Row {
    latent: u32,
    documents: u64,
    candidates: Vec<Counterpart>,
}

/// For each document of A its number in B, or [`NONE`].
fn shared(a: &Snapshot, b: &Snapshot, progress: &Progress) -> Result<Vec<u32>> {
    let living: Vec<u32> = a.living().collect();
    let mut others = vec![NONE; living.last().map_or(0, |last| *last as usize + 1)];
    progress.announce(living.len() as u64)?;
    let find = |docs: &[u32]| -> Result<Vec<(u32, u32)>> {
        progress.advance(docs.len() as u64)?;
        let found = docs
            .iter()
            .map(|&doc| Ok(b.find(&a.id(doc)?)?.map(|other| (doc, other))));
        found.filter_map(Result::transpose).collect()
    };
    let parts: Vec<Vec<(u32, u32)>> = living.par_chunks(1024).map(find).collect::<Result<_>>()?;
    for (doc, other) in parts.into_iter().flatten() {
        others[doc as usize] = other;
    }
    Ok(others)
}

/// Shared documents in which each latent of B is active.
fn counts(b: Space, shared: &[u32], progress: &Progress) -> Result<Vec<u64>> {
    let docs: Vec<u32> = shared
        .iter()
        .copied()
        .filter(|other| *other != NONE)
        .collect();
    let part = |docs: &[u32]| -> Result<Vec<u64>> {
        progress.check()?;
        let mut counts = vec![0; b.n_latents];
        for &doc in docs {
            b.snapshot.for_each_latent(doc, |own| {
                if own.activation > 0.0 {
                    counts[own.latent as usize] += 1;
                }
            });
        }
        Ok(counts)
    };
    let chunk = docs.len().div_ceil(rayon::current_num_threads()).max(1);
    let parts: Vec<Vec<u64>> = docs.par_chunks(chunk).map(part).collect::<Result<_>>()?;
    let mut all = vec![0; b.n_latents];
    for part in parts {
        for (sum, own) in all.iter_mut().zip(part) {
            *sum += own;
        }
    }
    Ok(all)
}

/// A latent of A and its candidates; `None` where too few shared documents have it. `joint` is all 0, before and
/// after.
fn row(
    a: Space,
    b: Space,
    latent: u32,
    shared: &[u32],
    (b_counts, documents): (&[u64], u64),
    min_support: u64,
    joint: &mut [u32],
) -> Option<Row> {
    let mut own = 0_u64;
    let mut touched: Vec<u32> = Vec::new();
    a.snapshot.for_each_posting(latent, |doc, activation| {
        let other = shared.get(doc as usize).copied().unwrap_or(NONE);
        if other == NONE || activation <= 0.0 {
            return;
        }
        own += 1;
        b.snapshot.for_each_latent(other, |entry| {
            if entry.activation > 0.0 {
                let count = &mut joint[entry.latent as usize];
                if *count == 0 {
                    touched.push(entry.latent);
                }
                *count += 1;
            }
        });
    });
    let mut candidates: Vec<Counterpart> = Vec::new();
    for other in touched {
        let both = u64::from(std::mem::take(&mut joint[other as usize]));
        let theirs = b_counts[other as usize];
        let phi = phi(both, own, theirs, documents);
        if theirs >= min_support.max(1) && phi > 0.0 {
            candidates.push(Counterpart {
                latent: other,
                documents: theirs,
                both,
                phi,
            });
        }
    }
    candidates.sort_by(|x, y| y.phi.total_cmp(&x.phi).then(x.latent.cmp(&y.latent)));
    candidates.truncate(CANDIDATES);
    (own >= min_support.max(1)).then_some(Row {
        latent,
        documents: own,
        candidates,
    })
}

/// Correlation of two properties of `n` things, of which `first` have the one, `second` the other, `both` both; 0
/// where all or none have one of them.
fn phi(both: u64, first: u64, second: u64, n: u64) -> f64 {
    let (k, r, c, n) = (both as f64, first as f64, second as f64, n as f64);
    let spread = (r * (n - r) * c * (n - c)).sqrt();
    match spread > 0.0 {
        true => (n * k - r * c) / spread,
        false => 0.0,
    }
}

/// Gives rows columns, each to one row at most, so that the sum of values is within [`SLACK`] per row of the largest;
/// a row may go without. Bertsekas' auction: each row that has none bids for the column that is worth most to it
/// after prices, by as much as it is worth more than the next.
fn assign(
    values: &[Vec<(u32, f64)>],
    columns: usize,
    progress: &Progress,
) -> Result<Vec<Option<u32>>> {
    let mut prices = vec![0.0; columns];
    let mut owner: Vec<Option<usize>> = vec![None; columns];
    let mut of: Vec<Option<u32>> = vec![None; values.len()];
    let mut bidding: Vec<usize> = (0..values.len()).rev().collect();
    let mut bids = 0_u64;
    while let Some(row) = bidding.pop() {
        bids += 1;
        if bids.is_multiple_of(1 << 16) {
            progress.check()?;
        }
        // To go without is worth 0.
        let (mut best, mut second) = ((0.0, None), 0.0);
        for &(column, value) in &values[row] {
            let worth = value - prices[column as usize];
            if worth > best.0 {
                (second, best) = (best.0, (worth, Some(column)));
            } else if worth > second {
                second = worth;
            }
        }
        let (worth, Some(column)) = best else {
            continue;
        };
        prices[column as usize] += worth - second + SLACK;
        if let Some(before) = owner[column as usize].replace(row) {
            of[before] = None;
            bidding.push(before);
        }
        of[row] = Some(column);
    }
    Ok(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest sum over all assignments.
    fn best(values: &[Vec<(u32, f64)>], taken: &mut Vec<u32>) -> f64 {
        let Some((row, rest)) = values.split_first() else {
            return 0.0;
        };
        let mut most = best(rest, taken);
        for &(column, value) in row {
            if !taken.contains(&column) {
                taken.push(column);
                most = most.max(value + best(rest, taken));
                taken.pop();
            }
        }
        most
    }

    #[test]
    fn an_assignment_is_the_best_one() {
        use rand::{RngExt as _, SeedableRng as _};
        let mut random = rand::rngs::StdRng::seed_from_u64(4);
        for _ in 0..200 {
            let rows = random.random_range(1..7);
            let values: Vec<Vec<(u32, f64)>> = (0..rows)
                .map(|_| {
                    let columns = (0..6).filter(|_| random.random_bool(0.6));
                    let columns: Vec<u32> = columns.collect();
                    columns
                        .into_iter()
                        .map(|column| (column, random.random_range(0.01..1.0)))
                        .collect()
                })
                .collect();
            let found = assign(&values, 6, &Progress::default()).unwrap();
            let mut taken: Vec<u32> = found.iter().flatten().copied().collect();
            taken.sort_unstable();
            assert!(taken.windows(2).all(|pair| pair[0] != pair[1]));
            let value = |(row, column): (usize, &Option<u32>)| {
                let entry = values[row].iter().find(|own| Some(own.0) == *column);
                entry.map_or(0.0, |own| own.1)
            };
            let sum: f64 = found.iter().enumerate().map(value).sum();
            let most = best(&values, &mut Vec::new());
            assert!(sum > most - 1e-4 && sum < most + 1e-12, "{sum} {most}");
        }
    }

    #[test]
    fn phi_is_the_correlation_of_two_indicators() {
        // numpy.corrcoef([1,1,1,0,0,0,0,0], [1,1,0,1,0,0,0,0])[0, 1]
        assert!((phi(2, 3, 3, 8) - 0.466_666_7).abs() < 1e-6);
        assert_eq!((phi(8, 8, 3, 8), phi(0, 0, 3, 8)), (0.0, 0.0));
        assert_eq!(phi(3, 3, 3, 8), 1.0);
    }
}
