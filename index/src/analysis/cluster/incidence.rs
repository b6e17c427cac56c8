//! Documents as sets of an axis' latents, and the Jaccard index between them.

use crate::snapshot::Snapshot;

/// Sets of places on the axis, one row per document.
pub(super) struct Incidence {
    ends: Vec<usize>,
    places: Vec<u32>,
}

impl Incidence {
    /// The documents with a latent of `axis` (ascending), those without, and the sets of the
    /// former.
    pub fn read(snapshot: &Snapshot, docs: &[u32], axis: &[u32]) -> (Vec<u32>, Vec<u32>, Self) {
        /// No place on the axis.
        const OFF: u32 = u32::MAX;
        let width = axis.last().map_or(0, |last| *last as usize + 1);
        let mut place_of = vec![OFF; width];
        for (place, latent) in (0..).zip(axis) {
            place_of[*latent as usize] = place;
        }
        let (mut covered, mut uncovered) = (Vec::new(), Vec::new());
        let mut sets = Self::from_sets(&[]);
        for &doc in docs {
            let before = sets.places.len();
            let (segment, local) = snapshot.locate(doc);
            for &latent in segment.latents.row(local).latents {
                match place_of.get(latent as usize) {
                    Some(&place) if place != OFF => sets.places.push(place),
                    _ => {}
                }
            }
            if sets.places.len() == before {
                uncovered.push(doc);
            } else {
                sets.ends.push(sets.places.len());
                covered.push(doc);
            }
        }
        (covered, uncovered, sets)
    }

    /// Rows as given, each ascending.
    pub fn from_sets(rows: &[&[u32]]) -> Self {
        let mut sets = Self {
            ends: vec![0],
            places: Vec::new(),
        };
        for row in rows {
            sets.places.extend_from_slice(row);
            sets.ends.push(sets.places.len());
        }
        sets
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len() - 1
    }

    /// The places of a row, ascending.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.places[self.ends[row]..self.ends[row + 1]]
    }
}

/// Rows that others are compared with, by the places they hold.
pub(super) struct Landmarks {
    /// Each landmark's row.
    rows: Vec<usize>,
    /// Size of each landmark's set.
    sizes: Vec<u32>,
    /// Landmarks that hold each place.
    holding: Vec<Vec<u32>>,
    /// The landmarks' sets.
    sets: Incidence,
}

/// A row's affinities to the landmarks with which it shares something.
pub(super) struct Affinities {
    shared: Vec<u32>,
    /// Landmarks that share something, and the affinity to them.
    found: Vec<(u32, f64)>,
}

impl Affinities {
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Landmarks and the affinity to them; those left out have affinity 0.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.found
            .iter()
            .map(|&(at, affinity)| (at as usize, affinity))
    }
}

impl Landmarks {
    /// Landmarks at `rows`, ascending.
    pub fn new(incidence: &Incidence, rows: &[usize]) -> Self {
        let sets: Vec<&[u32]> = rows.iter().map(|&row| incidence.row(row)).collect();
        let width = sets.iter().filter_map(|set| set.last()).max();
        let mut holding = vec![Vec::new(); width.map_or(0, |last| *last as usize + 1)];
        for (at, set) in (0..).zip(&sets) {
            for &place in *set {
                holding[place as usize].push(at);
            }
        }
        Self {
            rows: rows.to_vec(),
            sizes: sets.iter().map(|set| length(set)).collect(),
            holding,
            sets: Incidence::from_sets(&sets),
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// A landmark's set.
    pub fn set(&self, at: usize) -> &[u32] {
        self.sets.row(at)
    }

    /// Which landmark a row is, where it is one.
    pub fn place_of(&self, row: usize) -> Option<usize> {
        self.rows.binary_search(&row).ok()
    }

    /// What [`Self::affinities`] writes to.
    pub fn buffer(&self) -> Affinities {
        Affinities {
            shared: vec![0; self.len()],
            found: Vec::new(),
        }
    }

    /// The Jaccard index of a set with each landmark's: places in both over places in either.
    pub fn affinities(&self, set: &[u32], out: &mut Affinities) {
        out.found.clear();
        for &place in set {
            let holding = self.holding.get(place as usize);
            for &at in holding.into_iter().flatten() {
                let shared = &mut out.shared[at as usize];
                if *shared == 0 {
                    out.found.push((at, 0.0));
                }
                *shared += 1;
            }
        }
        // A sum over affinities must not depend on the order in which places were met.
        out.found.sort_unstable_by_key(|(at, _)| *at);
        let size = length(set);
        for (at, affinity) in &mut out.found {
            let shared = std::mem::take(&mut out.shared[*at as usize]);
            let either = size + self.sizes[*at as usize] - shared;
            *affinity = f64::from(shared) / f64::from(either);
        }
    }
}

/// The size of a set of latents, whose numbers are u32.
fn length(set: &[u32]) -> u32 {
    u32::try_from(set.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn affinities_are_intersection_over_union() {
        let mut random = StdRng::seed_from_u64(3);
        let sets: Vec<Vec<u32>> = (0..60)
            .map(|_| (0..20).filter(|_| random.random_bool(0.2)).collect())
            .collect();
        let sets: Vec<&[u32]> = sets.iter().map(Vec::as_slice).collect();
        let incidence = Incidence::from_sets(&sets);
        let rows: Vec<usize> = (0..60).step_by(2).collect();
        let landmarks = Landmarks::new(&incidence, &rows);
        let mut found = landmarks.buffer();
        for (row, set) in sets.iter().enumerate() {
            landmarks.affinities(set, &mut found);
            let mut dense = vec![0.0; landmarks.len()];
            for (at, affinity) in found.iter() {
                dense[at] = affinity;
            }
            let one: BTreeSet<&u32> = set.iter().collect();
            for (at, &other) in rows.iter().enumerate() {
                let two: BTreeSet<&u32> = sets[other].iter().collect();
                let either = one.union(&two).count().max(1) as f64;
                assert_eq!(dense[at], one.intersection(&two).count() as f64 / either);
            }
            assert_eq!(landmarks.place_of(row), (row % 2 == 0).then_some(row / 2));
        }
    }
}
