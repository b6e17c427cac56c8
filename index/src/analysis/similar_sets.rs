//! All pairs of sets whose Jaccard similarity reaches a threshold. Exact.
//!
//! Two sets of similarity `t` or more share at least `α = ⌈t / (1 + t) · (|x| + |y|)⌉` elements. With the elements of
//! every set sorted, rarest first, the first `d` shared ones therefore lie within its first `|x| - α + d` elements
//! (prefix filtering: Bayardo, Ma and Srikant, 2007, *Scaling up all pairs similarity search*; for `d > 1`: Wang, Li
//! and Feng, 2012, *Can we beat the prefix filtering?*). So sets are grouped by their first shared element, groups that
//! are large by the second one too, and so on until few sets meet; only these are compared. A pair counts in the one
//! group whose elements are the first that it shares, so that no pair is found twice and nothing has to be remembered.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// Maximum similar pairs that one join keeps.
const MAX_PAIRS: usize = 20_000_000;
/// Groups up to this size are compared pair by pair.
const COMPARE_UP_TO: usize = 96;
/// Members of a group between two looks whether the work was called off.
const CHECK_EVERY: usize = 1024;
/// What rounding may add to a product of a threshold and a length.
const ROUNDING: f64 = 1e-9;

/// Sets as ascending elements, the rarest of which is 0. They are numbered by length, the shortest first.
pub(super) struct SortedSets {
    ends: Vec<usize>,
    elements: Vec<u32>,
    signatures: Vec<u128>,
    n_elements: usize,
}

impl SortedSets {
    /// No sets yet, of elements below `n_elements`.
    pub fn new(n_elements: usize) -> Self {
        Self {
            ends: Vec::new(),
            elements: Vec::new(),
            signatures: Vec::new(),
            n_elements,
        }
    }

    /// Adds a set that is no shorter than those before.
    pub fn push(&mut self, set: &[u32]) {
        self.elements.extend_from_slice(set);
        self.ends.push(self.elements.len());
        self.signatures.push(signature(set));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The elements of a set.
    pub fn get(&self, number: u32) -> &[u32] {
        let at = number as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.elements[start..self.ends[at]]
    }
}

/// One bit for each element, by its hash: sets differ in at least as many elements as their signatures in bits.
fn signature(set: &[u32]) -> u128 {
    let bit = |element: u32| element.wrapping_mul(0x9E37_79B1) >> 25;
    set.iter()
        .fold(0, |bits, &element| bits | 1 << bit(element))
}

/// `|a ∩ b| / |a ∪ b|` of two ascending lists.
pub(super) fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let (mut at_a, mut at_b, mut both) = (0, 0, 0_usize);
    while at_a < a.len() && at_b < b.len() {
        both += usize::from(a[at_a] == b[at_b]);
        let (left, right) = (a[at_a], b[at_b]);
        at_a += usize::from(left <= right);
        at_b += usize::from(right <= left);
    }
    both as f64 / (a.len() + b.len() - both) as f64
}

/// Pairs of sets that reach the threshold, above 0 and at most 1; the lower number first, in no order. `progress`
/// counts sets.
///
/// # Errors
/// `ResourceExhausted` for more than 20,000,000 pairs; `Cancelled`.
pub(super) fn similar_pairs(
    sets: &SortedSets,
    threshold: f64,
    progress: &Progress,
) -> Result<Vec<(u32, u32)>> {
    let join = Join {
        sets,
        threshold,
        room: AtomicUsize::new(MAX_PAIRS),
        progress,
    };
    let mut groups: Vec<Vec<Member>> = vec![Vec::new(); sets.n_elements];
    let mut members = 0;
    for number in (0..).take(sets.len()) {
        let set = sets.get(number);
        let prefix = join.longer_prefix(set.len(), 1);
        for (place, &element) in (0..).zip(&set[..prefix]) {
            groups[element as usize].push(Member { number, place });
        }
        members += prefix as u64;
    }
    progress.announce(members)?;
    let found: Vec<Vec<(u32, u32)>> = groups
        .into_par_iter()
        .map(|group| {
            let mut found = Vec::new();
            join.group(&group, 1, &mut found)?;
            progress.advance(group.len() as u64)?;
            Ok(found)
        })
        .collect::<Result<_>>()?;
    Ok(found.concat())
}

/// A set of a group.
#[derive(Clone, Copy)]
struct Member {
    number: u32,
    /// Place of the group's last element in the set.
    place: u32,
}

struct Join<'a> {
    sets: &'a SortedSets,
    threshold: f64,
    room: AtomicUsize,
    progress: &'a Progress,
}

impl Join<'_> {
    /// Elements that two sets of these lengths share at least.
    fn overlap(&self, a: usize, b: usize) -> usize {
        at_least(self.threshold / (1.0 + self.threshold), a + b)
    }

    /// Elements that a set shares at least with one that is no shorter.
    fn least_overlap(&self, length: usize) -> usize {
        self.overlap(length, length)
    }

    /// Length of the prefix that holds the first `depth` elements shared with one that is no shorter.
    fn shorter_prefix(&self, length: usize, depth: usize) -> usize {
        (length + depth - self.least_overlap(length)).min(length)
    }

    /// The same, shared with one that is no longer.
    fn longer_prefix(&self, length: usize, depth: usize) -> usize {
        (length + depth - at_least(self.threshold, length)).min(length)
    }

    /// Finds the pairs whose first `depth` shared elements are those that all members of a group have, members in
    /// the order of their numbers.
    fn group(&self, group: &[Member], depth: usize, found: &mut Vec<(u32, u32)>) -> Result<()> {
        if group.len() <= COMPARE_UP_TO {
            return self.compare(group, group.len(), depth, found);
        }
        // Sets that may share no more than these elements with another cannot be told apart by one more.
        let short = group.partition_point(|member| {
            self.least_overlap(self.sets.get(member.number).len()) <= depth
        });
        self.compare(group, short, depth, found)?;
        let mut next: Vec<(u32, Member)> = Vec::new();
        for (at, member) in group[short..].iter().enumerate() {
            if at % CHECK_EVERY == 0 {
                self.progress.check()?;
            }
            let set = self.sets.get(member.number);
            let prefix = self.longer_prefix(set.len(), depth + 1);
            for place in member.place + 1..prefix as u32 {
                let number = member.number;
                next.push((set[place as usize], Member { number, place }));
            }
        }
        next.sort_unstable_by_key(|(element, member)| (*element, member.number));
        let mut members = Vec::new();
        for group in next.chunk_by(|(left, _), (right, _)| left == right) {
            if group.len() > 1 {
                members.clear();
                members.extend(group.iter().map(|(_, member)| *member));
                self.group(&members, depth + 1, found)?;
            }
        }
        Ok(())
    }

    /// Compares each of the first `n_shorter` members with all that come after it.
    fn compare(
        &self,
        group: &[Member],
        n_shorter: usize,
        depth: usize,
        found: &mut Vec<(u32, u32)>,
    ) -> Result<()> {
        for (at, shorter) in group[..n_shorter].iter().enumerate() {
            if at % CHECK_EVERY == 0 {
                self.progress.check()?;
            }
            let set = self.sets.get(shorter.number);
            if shorter.place as usize >= self.shorter_prefix(set.len(), depth) {
                continue;
            }
            let before = found.len();
            for longer in &group[at + 1..] {
                let length = self.sets.get(longer.number).len();
                if at_least(self.threshold, length) > set.len() {
                    break;
                }
                if self.is_similar(*shorter, *longer, depth) {
                    found.push((shorter.number, longer.number));
                }
            }
            self.take_room(found.len() - before)?;
        }
        Ok(())
    }

    /// Whether two members reach the threshold, and share no more elements up to the group's last than the `depth` of
    /// the group.
    fn is_similar(&self, a: Member, b: Member, depth: usize) -> bool {
        let (left, right) = (self.sets.get(a.number), self.sets.get(b.number));
        let least = self.overlap(left.len(), right.len());
        let (place_a, place_b) = (a.place as usize, b.place as usize);
        let rest = (left.len() - place_a).min(right.len() - place_b) - 1;
        if depth + rest < least {
            return false;
        }
        let [bits_a, bits_b] = [a, b].map(|member| self.sets.signatures[member.number as usize]);
        let differ = (bits_a ^ bits_b).count_ones() as usize;
        if differ + 2 * least > left.len() + right.len() {
            return false;
        }
        shared(&left[..place_a], &right[..place_b]) == depth - 1
            && jaccard(left, right) >= self.threshold
    }

    fn take_room(&self, pairs: usize) -> Result<()> {
        let take = |room: usize| room.checked_sub(pairs);
        match self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "more than {MAX_PAIRS} pairs of different sets are similar: raise the threshold or the minimum \
                     number of latents"
                ),
            )),
        }
    }
}

/// Elements that are in both of two ascending lists.
fn shared(a: &[u32], b: &[u32]) -> usize {
    let (mut at_a, mut at_b, mut both) = (0, 0, 0);
    while at_a < a.len() && at_b < b.len() {
        let (left, right) = (a[at_a], b[at_b]);
        both += usize::from(left == right);
        at_a += usize::from(left <= right);
        at_b += usize::from(right <= left);
    }
    both
}

/// `⌈share · length⌉`, not lifted by rounding; at least 1.
fn at_least(share: f64, length: usize) -> usize {
    // Saturating, and never above the length but by rounding.
    ((share * length as f64 - ROUNDING).ceil() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use rand::seq::index::sample;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    /// Sets of uneven elements and lengths, many of them copies of others with a few changes.
    fn sets(random: &mut StdRng, count: usize, n_elements: usize) -> SortedSets {
        let mut all: Vec<Vec<u32>> = Vec::new();
        while all.len() < count {
            let length = random.random_range(1..=24_usize.min(n_elements));
            let mut set: Vec<u32> = match random.random_range(0..3) {
                0 if !all.is_empty() => {
                    let mut set = all[random.random_range(0..all.len())].clone();
                    let at = random.random_range(0..set.len());
                    set[at] = random.random_range(0..n_elements as u32);
                    set
                }
                _ => {
                    let drawn = sample(random, n_elements, length);
                    drawn.iter().map(|element| element as u32).collect()
                }
            };
            set.sort_unstable();
            set.dedup();
            all.push(set);
        }
        all.sort_by_key(Vec::len);
        let mut sets = SortedSets::new(n_elements);
        all.iter().for_each(|set| sets.push(set));
        sets
    }

    #[test]
    fn pairs_are_those_of_comparing_all() {
        let mut random = StdRng::seed_from_u64(11);
        for n_elements in [3, 12, 40, 300] {
            let sets = sets(&mut random, 700, n_elements);
            for threshold in [0.05, 0.2, 0.5, 0.6, 0.75, 0.8, 0.9, 1.0] {
                let mut found = similar_pairs(&sets, threshold, &Progress::default()).unwrap();
                found.sort_unstable();
                let numbers = 0..sets.len() as u32;
                let all: Vec<(u32, u32)> = numbers
                    .flat_map(|a| (a + 1..sets.len() as u32).map(move |b| (a, b)))
                    .filter(|&(a, b)| jaccard(sets.get(a), sets.get(b)) >= threshold)
                    .collect();
                assert!(found == all, "{n_elements} elements at {threshold}");
            }
        }
    }

    #[test]
    fn work_that_was_called_off_ends() {
        let sets = sets(&mut StdRng::seed_from_u64(5), 500, 20);
        let progress = Progress::default();
        progress.stop();
        let error = similar_pairs(&sets, 0.5, &progress).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}
