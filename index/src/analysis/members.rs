//! A set of documents, and its members, found once and asked often.

use std::collections::HashMap;

use crate::error::Result;
use crate::filter::{Allowed, ResolvedFilter};
use crate::rank::TopK;
use crate::snapshot::Snapshot;

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
        Ok(Self {
            snapshot: side.snapshot,
            set: side.snapshot.allowed(side.filter)?,
        })
    }

    /// How many there are.
    pub fn documents(&self) -> u64 {
        self.set.count()
    }

    /// How many of them are among `others` too; both must be of one snapshot.
    pub fn shared_with(&self, others: &Members) -> u64 {
        let pairs = self.set.segments().iter().zip(others.set.segments());
        pairs.map(|(left, right)| left.count_shared(right)).sum()
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
