//! A set of documents, and its members, found once and asked often.

use std::collections::HashMap;

use super::values::ValueTable;
use crate::error::Result;
use crate::filter::{Allowed, ResolvedFilter};
use crate::rank::TopK;
use crate::snapshot::Snapshot;
use crate::value_key::Key;

/// A set of documents: those of a snapshot that a filter describes. The two sides of a
/// diff may be of two snapshots, of two collections even, when their latents mean the same.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Where the documents are.
    pub snapshot: &'a Snapshot,
    /// Which of them.
    pub filter: &'a ResolvedFilter,
}

/// The documents of a [`Side`].
pub struct Members<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) set: Allowed,
}

impl<'a> Members<'a> {
    /// Evaluates the side's filter.
    pub fn of(side: Side<'a>) -> Result<Self> {
        Self::matching(side.snapshot, side.filter)
    }

    /// The documents of a snapshot that a filter describes, which need not live as long.
    pub fn matching(snapshot: &'a Snapshot, filter: &ResolvedFilter) -> Result<Self> {
        Ok(Self {
            snapshot,
            set: snapshot.allowed(filter)?,
        })
    }

    /// How many there are.
    pub fn documents(&self) -> u64 {
        self.set.count()
    }

    /// Their numbers in the snapshot, ascending.
    pub fn documents_of(&self) -> Vec<u32> {
        let segments = self.snapshot.segments().iter().zip(self.set.segments());
        let docs = segments.flat_map(|(segment, set)| set.iter().map(|doc| segment.base + doc));
        docs.collect()
    }

    /// Those of them that `keep` keeps, by their numbers in the snapshot.
    #[must_use]
    pub fn kept(&self, keep: impl Fn(u32) -> bool) -> Self {
        let segments = self.snapshot.segments();
        Self {
            snapshot: self.snapshot,
            set: self.set.retained(|at, doc| keep(segments[at].base + doc)),
        }
    }

    /// How many of them are among `others` too; both must be of one snapshot.
    pub fn shared_with(&self, others: &Members) -> u64 {
        let pairs = self.set.segments().iter().zip(others.set.segments());
        pairs.map(|(left, right)| left.count_shared(right)).sum()
    }

    /// The documents that are not among `others`; both must be of one snapshot.
    #[must_use]
    pub fn without(&self, others: &Members) -> Self {
        let theirs = others.set.segments();
        Self {
            snapshot: self.snapshot,
            set: self.set.retained(|at, doc| !theirs[at].contains(doc)),
        }
    }

    /// Takes the documents apart by a hash: about `share` of them are the second part. What has the
    /// same value of `by` stays together; without it, or a value, the id decides. The same for
    /// every call, and for other sets.
    pub fn split(&self, share: f64, by: Option<&str>) -> Result<(Self, Self)> {
        let mut is_second: Vec<HashMap<u32, bool>> = Vec::new();
        let second = |key: &str| hash(key) < share;
        for (segment, set) in self.snapshot.segments().iter().zip(self.set.segments()) {
            let docs = set.iter();
            let by_id = docs.map(|doc| Ok((doc, second(&self.snapshot.id(segment.base + doc)?))));
            is_second.push(by_id.collect::<Result<_>>()?);
        }
        if let Some(attribute) = by {
            let table = ValueTable::read(self.snapshot, &self.set, attribute)?;
            let key = |value| Key::of(value).map(|key| format!("{key:?}"));
            let of_value: Vec<bool> = table
                .values
                .iter()
                .map(|value| key(value).is_some_and(|key| second(&key)))
                .collect();
            for (is_second, holders) in is_second.iter_mut().zip(&table.holders) {
                let holders = holders.iter();
                is_second.extend(holders.map(|&(value, doc)| (doc, of_value[value as usize])));
            }
        }
        let part = |wanted: bool| Self {
            snapshot: self.snapshot,
            set: self
                .set
                .retained(|at, doc| is_second[at].get(&doc) == Some(&wanted)),
        };
        Ok((part(false), part(true)))
    }

    /// The median length of the texts, in words; `None` where no document has one.
    pub fn median_length(&self) -> Result<Option<u64>> {
        let table = ValueTable::lengths(self.snapshot, &self.set)?;
        let counts = table.counts();
        let half = counts.iter().sum::<u64>().div_ceil(2);
        let mut seen = 0;
        let mut lengths = table.values.iter().zip(counts);
        let median = lengths.find(|(_, count)| {
            seen += count;
            seen >= half
        });
        Ok(match median {
            Some((crate::document::Value::Integer(words), _)) => u64::try_from(*words).ok(),
            _ => None,
        })
    }

    /// The `count` documents in which any of `latents` is strongest, as numbers of the snapshot
    /// with their strongest activation, strongest first.
    pub fn strongest(&self, latents: &[u32], count: usize) -> Vec<(u32, f32)> {
        self.strongest_where(latents, count, |_, _| true)
    }

    /// As [`Self::strongest`], of the documents that `keep` keeps by their strongest activation.
    pub fn strongest_where(
        &self,
        latents: &[u32],
        count: usize,
        keep: impl Fn(u32, f32) -> bool,
    ) -> Vec<(u32, f32)> {
        let mut top = TopK::new(count);
        let mut push = |doc, activation| {
            if keep(doc, activation) {
                top.push(doc, activation);
            }
        };
        if let [latent] = latents {
            self.visit(*latent, push);
        } else {
            let mut best: HashMap<u32, f32> = HashMap::new();
            for &latent in latents {
                self.visit(latent, |doc, activation| {
                    let known = best.entry(doc).or_default();
                    *known = known.max(activation);
                });
            }
            let mut best: Vec<(u32, f32)> = best.into_iter().collect();
            best.sort_unstable_by_key(|entry| entry.0);
            for (doc, activation) in best {
                push(doc, activation);
            }
        }
        let hits = top.into_sorted().into_iter();
        hits.map(|hit| (hit.doc, hit.score)).collect()
    }

    fn visit(&self, latent: u32, mut visit: impl FnMut(u32, f32)) {
        for (segment, set) in self.snapshot.segments().iter().zip(self.set.segments()) {
            if let Some(list) = segment.latents.list(latent) {
                list.for_each(|docs, activations| {
                    for (&doc, &activation) in docs.iter().zip(activations) {
                        if set.contains(doc) {
                            visit(segment.base + doc, activation);
                        }
                    }
                });
            }
        }
    }
}

/// A number of 0 to 1 that a text always has: FNV-1a, its bits mixed as SplitMix64 does.
fn hash(text: &str) -> f64 {
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}
