//! The documents of the discovery half that a label is scored on, made from, and scored on again.

use std::collections::HashSet;

use latentdb_index::Snapshot;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::compared::Halves;
use crate::error::Result;

/// Fewest documents with a latent that a label can be scored on, made from, and scored on again.
const FEWEST: usize = 8;

/// Documents with a latent and documents without it, with their texts.
#[derive(Default)]
pub(super) struct Texts {
    pub active: Vec<(u32, String)>,
    pub inactive: Vec<(u32, String)>,
}

/// The documents of a latent.
pub(super) struct Drawn {
    pub scored: Texts,
    /// The strongest of the others.
    pub made_from: Texts,
    pub scored_again: Texts,
    /// Share of the discovery half that has it.
    pub share: f64,
}

/// How many documents are drawn on each side.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub scored: usize,
    pub made_from: usize,
}

/// What makes a document usable.
pub(super) struct UsableTexts<'a> {
    pub snapshot: &'a Snapshot,
    /// A judge compares with its vector.
    pub needs_vector: bool,
}

impl UsableTexts<'_> {
    /// The text of a document that is usable.
    pub fn text(&self, doc: u32) -> Result<Option<String>> {
        if self.needs_vector && self.snapshot.vector(doc).is_none() {
            return Ok(None);
        }
        Ok(self.snapshot.stored(doc)?.text)
    }

    /// The first `most` usable documents.
    pub fn take(&self, docs: impl Iterator<Item = u32>, most: usize) -> Result<Vec<(u32, String)>> {
        let mut taken = Vec::new();
        for doc in docs {
            if taken.len() == most {
                break;
            }
            taken.extend(self.text(doc)?.map(|text| (doc, text)));
        }
        Ok(taken)
    }
}

/// Draws the documents of a latent; `None` where too few have it, or have it not.
pub(super) fn draw(
    reading: &UsableTexts<'_>,
    halves: &Halves<'_>,
    latent: u32,
    sizes: Sizes,
    seed: u64,
) -> Result<Option<Drawn>> {
    let mut all = halves.discovery.0.documents_of();
    all.extend(halves.discovery.1.documents_of());
    all.sort_unstable();
    all.dedup();
    let mut active: Vec<(u32, f32)> = Vec::new();
    let mut has = HashSet::new();
    reading
        .snapshot
        .for_each_posting(latent, |doc, activation| {
            if all.binary_search(&doc).is_ok() {
                active.push((doc, activation));
                has.insert(doc);
            }
        });
    let mut random = StdRng::seed_from_u64(seed ^ u64::from(latent).rotate_left(32));
    let mut inactive: Vec<u32> = all.into_iter().filter(|doc| !has.contains(doc)).collect();
    let share = active.len() as f64 / (active.len() + inactive.len()).max(1) as f64;
    active.shuffle(&mut random);
    inactive.shuffle(&mut random);
    // An even share of few documents is scored on, the rest made from.
    let scored = sizes.scored.min(active.len().min(inactive.len()) / 4);
    if scored < FEWEST / 4 {
        return Ok(None);
    }
    let own = reading.take(active.iter().map(|entry| entry.0), 2 * scored)?;
    let others = reading.take(inactive.iter().copied(), 2 * scored + sizes.made_from)?;
    let taken: HashSet<u32> = own.iter().map(|entry| entry.0).collect();
    active.retain(|entry| !taken.contains(&entry.0));
    active.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let strongest = reading.take(active.iter().map(|entry| entry.0), sizes.made_from)?;
    if own.len() < 2 * scored || others.len() <= 2 * scored || strongest.is_empty() {
        return Ok(None);
    }
    let mut own = own.into_iter();
    let mut others = others.into_iter();
    let mut part = |count: usize| Texts {
        active: own.by_ref().take(count).collect(),
        inactive: others.by_ref().take(count).collect(),
    };
    let (scored, scored_again) = (part(scored), part(scored));
    Ok(Some(Drawn {
        scored,
        scored_again,
        share,
        made_from: Texts {
            active: strongest,
            inactive: others.collect(),
        },
    }))
}
