//! Documents whose sets of latents are nearly the same, by Jaccard similarity. Exact.
//!
//! Documents with equal sets are one record; similar records are found by [`similar_pairs`].

use std::collections::HashMap;

use rayon::prelude::*;

use super::Side;
use super::similar_sets::{SortedSets, jaccard, similar_pairs};
use super::units::{Floor, UnitIndex, Units, count_units};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Documents that are read between two looks whether the work was called off.
const CHECK_EVERY: usize = 4096;

/// What counts as nearly the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DuplicateOptions {
    /// Smallest Jaccard similarity, above 0 and at most 1.
    pub threshold: f64,
    /// A document has a latent when its activation is above this.
    pub active_above: f32,
    /// Documents with fewer latents are left out; at least 1.
    pub min_latents: usize,
}

impl Default for DuplicateOptions {
    fn default() -> Self {
        Self {
            threshold: 0.8,
            active_above: 0.0,
            min_latents: 4,
        }
    }
}

/// Documents that are linked by similar pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateGroup {
    /// Numbers of the snapshot, ascending, each with its similarity to the first one. Links chain,
    /// so that may be below the threshold.
    pub documents: Vec<(u32, f64)>,
}

/// The near-duplicates of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Duplicates {
    /// Documents that were compared.
    pub documents: u64,
    /// Documents left out for having too few latents.
    pub left_out: u64,
    /// Pairs of documents that reach the threshold.
    pub pairs: u64,
    /// Groups of two and more, the largest first.
    pub groups: Vec<DuplicateGroup>,
}

/// Records: sets of latents as ascending ranks of rarity (the rarest is 0), shortest first.
struct Records {
    sets: SortedSets,
    /// The documents of each record, ascending.
    documents: Vec<Vec<u32>>,
}

/// Finds groups of documents whose latents are nearly the same.
///
/// # Errors
/// `InvalidArgument` for options out of range; `ResourceExhausted` when more than 20,000,000 pairs
/// of different sets are similar.
pub fn near_duplicates(
    side: Side,
    n_latents: usize,
    options: &DuplicateOptions,
    progress: &Progress,
) -> Result<Duplicates> {
    if !(options.threshold > 0.0 && options.threshold <= 1.0) {
        return Err(Error::invalid(
            "threshold",
            format!(
                "is {}; a similarity above 0 and up to 1 is accepted",
                options.threshold
            ),
        ));
    }
    let (records, left_out) = records(side, n_latents, options, progress)?;
    let links = similar_pairs(&records.sets, options.threshold, progress)?;
    let size = |record: u32| records.documents[record as usize].len() as u64;
    let within: u64 = records
        .documents
        .iter()
        .map(|documents| documents.len() as u64)
        .map(|n| n * (n - 1) / 2)
        .sum();
    let between: u64 = links.iter().map(|&(a, b)| size(a) * size(b)).sum();
    Ok(Duplicates {
        documents: records.documents.iter().map(|all| all.len() as u64).sum(),
        left_out,
        pairs: within + between,
        groups: groups(&records, &links),
    })
}

/// The records of a set, and how many documents were left out.
fn records(
    side: Side,
    n_latents: usize,
    options: &DuplicateOptions,
    progress: &Progress,
) -> Result<(Records, u64)> {
    let floor = Floor::new(options.active_above)?;
    let set = side.snapshot.allowed(side.filter)?;
    let index = UnitIndex::new(Units::Latents(n_latents))?;
    let counts = count_units(side.snapshot, &set, &index, floor, progress)?;
    let mut by_rarity: Vec<(u32, u32)> = counts.into_iter().zip(0..).collect();
    by_rarity.sort_unstable();
    let mut rank_of = vec![0_u32; n_latents];
    for (rank, (_, latent)) in (0..).zip(&by_rarity) {
        rank_of[*latent as usize] = rank;
    }
    let mut left_out = 0;
    let mut same: HashMap<Vec<u32>, Vec<u32>> = HashMap::new();
    for (segment, docs) in side.snapshot.segments().iter().zip(set.segments()) {
        let rows = segment.latents.rows();
        for (at, doc) in docs.iter().enumerate() {
            if at % CHECK_EVERY == 0 {
                progress.check()?;
            }
            let row = rows.row(doc);
            let active = row.latents.iter().zip(row.activations);
            let mut ranks: Vec<u32> = active
                .filter(|(_, activation)| floor.passes(**activation))
                .filter_map(|(&latent, _)| rank_of.get(latent as usize).copied())
                .collect();
            if ranks.len() < options.min_latents.max(1) {
                left_out += 1;
                continue;
            }
            ranks.sort_unstable();
            same.entry(ranks).or_default().push(segment.base + doc);
        }
    }
    let mut sorted: Vec<(Vec<u32>, Vec<u32>)> = same.into_iter().collect();
    sorted.par_sort_unstable_by(|left, right| {
        let by_length = left.0.len().cmp(&right.0.len());
        by_length.then_with(|| left.0.cmp(&right.0))
    });
    let mut records = Records {
        sets: SortedSets::new(n_latents),
        documents: Vec::with_capacity(sorted.len()),
    };
    for (ranks, documents) in sorted {
        records.sets.push(&ranks);
        records.documents.push(documents);
    }
    Ok((records, left_out))
}

/// The connected components of two documents and more.
fn groups(records: &Records, links: &[(u32, u32)]) -> Vec<DuplicateGroup> {
    let mut parent: Vec<u32> = (0..).take(records.documents.len()).collect();
    for &(a, b) in links {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b) as usize] = a.min(b);
    }
    let mut members: HashMap<u32, Vec<u32>> = HashMap::new();
    for record in (0..).take(records.documents.len()) {
        let root = root(&mut parent, record);
        members.entry(root).or_default().push(record);
    }
    let mut groups: Vec<DuplicateGroup> = members
        .into_values()
        .filter_map(|members| group(records, &members))
        .collect();
    groups.sort_unstable_by(|left, right| {
        let by_size = right.documents.len().cmp(&left.documents.len());
        by_size.then_with(|| left.documents[0].0.cmp(&right.documents[0].0))
    });
    groups
}

fn root(parent: &mut [u32], mut at: u32) -> u32 {
    while parent[at as usize] != at {
        // Halve the path on the way.
        parent[at as usize] = parent[parent[at as usize] as usize];
        at = parent[at as usize];
    }
    at
}

fn group(records: &Records, members: &[u32]) -> Option<DuplicateGroup> {
    let first_of = |record: &u32| records.documents[*record as usize].first().copied();
    let first = *members.iter().min_by_key(|record| first_of(record))?;
    let mut documents: Vec<(u32, f64)> = Vec::new();
    for &record in members {
        let similarity = jaccard(records.sets.get(first), records.sets.get(record));
        let all = &records.documents[record as usize];
        documents.extend(all.iter().map(|&doc| (doc, similarity)));
    }
    documents.sort_unstable_by_key(|entry| entry.0);
    (documents.len() > 1).then_some(DuplicateGroup { documents })
}
