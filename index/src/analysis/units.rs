//! What is counted, latents or groups of latents, and one pass over documents that counts it.

use half::f16;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::filter::Allowed;
use crate::latents::{Row, Rows};
use crate::priority::spread;
use crate::progress::Progress;
use crate::snapshot::{SegmentView, Snapshot};

/// Documents that one thread counts before it looks whether it should stop.
const CHUNK: usize = 1 << 14;
/// Fewer documents than this are not worth a second thread.
const FEWEST_DOCUMENTS: usize = 1 << 10;

/// What is counted. A unit's number is the latent's, or the group's place in the list.
#[derive(Clone, Copy, Debug)]
pub enum Units<'a> {
    /// Each latent of 0 to `n - 1`.
    Latents(usize),
    /// Groups of latents (families): a document has a group when it has any of its latents.
    Groups(&'a [Vec<u32>]),
}

/// The groups of each latent, as ranges of one list.
struct Groups {
    starts: Vec<u32>,
    groups: Vec<u32>,
}

/// Units in the form that counting needs.
pub(crate) struct UnitIndex {
    n_units: usize,
    groups: Option<Groups>,
}

impl UnitIndex {
    /// `InvalidArgument` when there are more groups than numbers for them.
    pub fn new(units: Units) -> Result<Self> {
        match units {
            Units::Latents(n_units) => Ok(Self {
                n_units,
                groups: None,
            }),
            Units::Groups(groups) => Ok(Self {
                n_units: groups.len(),
                groups: Some(Groups::new(groups)?),
            }),
        }
    }

    pub fn len(&self) -> usize {
        self.n_units
    }

    pub fn are_latents(&self) -> bool {
        self.groups.is_none()
    }
}

impl Groups {
    fn new(groups: &[Vec<u32>]) -> Result<Self> {
        let mut pairs = Vec::new();
        for (group, latents) in groups.iter().enumerate() {
            let group = u32::try_from(group)
                .map_err(|_| Error::invalid("groups", "has more entries than can be counted"))?;
            pairs.extend(latents.iter().map(|&latent| (latent, group)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let width = pairs.last().map_or(0, |pair| pair.0 as usize + 1);
        let mut starts = Vec::with_capacity(width + 1);
        let mut at = 0;
        for latent in 0..=width {
            while at < pairs.len() && (pairs[at].0 as usize) < latent {
                at += 1;
            }
            starts.push(u32::try_from(at).map_err(|_| {
                Error::invalid("groups", "have more latents in all than can be counted")
            })?);
        }
        Ok(Self {
            starts,
            groups: pairs.into_iter().map(|pair| pair.1).collect(),
        })
    }

    fn of(&self, latent: u32) -> &[u32] {
        let latent = latent as usize;
        if latent + 1 >= self.starts.len() {
            return &[];
        }
        &self.groups[self.starts[latent] as usize..self.starts[latent + 1] as usize]
    }
}

/// The largest stored activation that does not count as active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor(u16);

impl Floor {
    /// The floor of "active above `threshold`". `InvalidArgument` below 0 and for NaN.
    pub fn new(threshold: f32) -> Result<Self> {
        if threshold.is_nan() || threshold < 0.0 {
            return Err(Error::invalid(
                "active_above",
                format!("is {threshold}; 0 or more is accepted"),
            ));
        }
        let rounded = f16::from_f32(threshold);
        // Non-negative halves are ordered as their bits.
        let bits = rounded.to_bits();
        Ok(Self(if rounded.to_f32() > threshold {
            bits - 1
        } else {
            bits
        }))
    }

    /// True when every stored activation is above it.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub fn passes(self, activation: f16) -> bool {
        activation.to_bits() > self.0
    }
}

/// Counts, for each unit, the documents that have it.
pub(crate) struct Counter<'a> {
    index: &'a UnitIndex,
    floor: Floor,
    pub counts: Vec<u32>,
    /// The last document counted for a group, so that it counts once.
    stamps: Vec<u32>,
    document: u32,
}

impl<'a> Counter<'a> {
    pub fn new(index: &'a UnitIndex, floor: Floor) -> Self {
        Self {
            index,
            floor,
            counts: vec![0; index.len()],
            stamps: vec![0; if index.are_latents() { 0 } else { index.len() }],
            document: 0,
        }
    }

    /// Counts one document.
    pub fn add(&mut self, row: Row) {
        if self.index.are_latents() && self.floor.is_zero() {
            for &latent in row.latents {
                if let Some(count) = self.counts.get_mut(latent as usize) {
                    *count += 1;
                }
            }
            return;
        }
        self.document += 1;
        let active = row
            .latents
            .iter()
            .zip(row.activations)
            .filter(|(_, activation)| self.floor.passes(**activation));
        match &self.index.groups {
            None => {
                for (&latent, _) in active {
                    if let Some(count) = self.counts.get_mut(latent as usize) {
                        *count += 1;
                    }
                }
            }
            Some(groups) => {
                for (&latent, _) in active {
                    for &group in groups.of(latent) {
                        let stamp = &mut self.stamps[group as usize];
                        if *stamp != self.document {
                            *stamp = self.document;
                            self.counts[group as usize] += 1;
                        }
                    }
                }
            }
        }
    }

    /// The units of a list of distinct latents, ascending.
    pub fn units_of(index: &UnitIndex, latents: &[u32], units: &mut Vec<u32>) {
        units.clear();
        match &index.groups {
            None => units.extend(latents.iter().filter(|l| (**l as usize) < index.n_units)),
            Some(groups) => {
                units.extend(latents.iter().flat_map(|&latent| groups.of(latent)));
                units.sort_unstable();
                units.dedup();
            }
        }
    }
}

/// For each unit, the documents of `set` that have it.
pub(crate) fn count_units(
    snapshot: &Snapshot,
    set: &Allowed,
    index: &UnitIndex,
    floor: Floor,
    progress: &Progress,
) -> Result<Vec<u32>> {
    let mut counts = vec![0; index.len()];
    for (segment, docs) in snapshot.segments().iter().zip(set.segments()) {
        if docs.is_complete() && index.are_latents() && floor.is_zero() {
            for (latent, list) in segment.latents.lists() {
                if let Some(count) = counts.get_mut(latent as usize) {
                    *count += u32::try_from(list.len()).unwrap_or(u32::MAX);
                }
            }
            continue;
        }
        let docs: Vec<u32> = docs.iter().collect();
        let found = count_rows(segment, &docs, index, floor, progress)?;
        add_to(&mut counts, &found);
    }
    Ok(counts)
}

/// For each unit, the documents of a segment that have it, of those given.
pub(crate) fn count_rows(
    segment: &SegmentView,
    docs: &[u32],
    index: &UnitIndex,
    floor: Floor,
    progress: &Progress,
) -> Result<Vec<u32>> {
    let found = over_chunks(
        segment.latents.rows(),
        docs,
        progress,
        || Counter::new(index, floor),
        |counter, _, row| counter.add(row),
        |mut left, right| {
            add_to(&mut left.counts, &right.counts);
            left
        },
    )?;
    Ok(found.counts)
}

/// Adds counts of the same units.
pub(crate) fn add_to(total: &mut [u32], part: &[u32]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

/// Folds the rows of `docs` on all cores: each thread into a state of its own, which are merged.
pub(crate) fn over_chunks<S: Send>(
    rows: Rows,
    docs: &[u32],
    progress: &Progress,
    new: impl Fn() -> S + Sync,
    visit: impl Fn(&mut S, u32, Row) + Sync,
    merge: impl Fn(S, S) -> S + Sync,
) -> Result<S> {
    progress.announce(docs.len() as u64)?;
    let fold = |docs: &[u32]| -> Result<S> {
        let mut state = new();
        for chunk in docs.chunks(CHUNK) {
            for &doc in chunk {
                visit(&mut state, doc, rows.row(doc));
            }
            progress.advance(chunk.len() as u64)?;
        }
        Ok(state)
    };
    if docs.len() < FEWEST_DOCUMENTS {
        return fold(docs);
    }
    spread(|| {
        let part = docs.len().div_ceil(rayon::current_num_threads());
        docs.par_chunks(part)
            .map(fold)
            .try_reduce_with(|left, right| Ok(merge(left, right)))
            .unwrap_or_else(|| Ok(new()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_pass_what_is_strictly_above() {
        for threshold in [0.0_f32, 1e-9, 0.1, 0.5, 0.500_1, 1.0, 3.000_1, 65_504.0] {
            let floor = Floor::new(threshold).unwrap();
            for bits in (0..0x7c00_u16).step_by(7).chain([1, 2, 0x7bff]) {
                let activation = f16::from_bits(bits);
                if bits > 0 {
                    assert_eq!(floor.passes(activation), activation.to_f32() > threshold);
                }
            }
        }
        assert!(Floor::new(-1.0).is_err());
        assert!(Floor::new(f32::NAN).is_err());
    }
}
