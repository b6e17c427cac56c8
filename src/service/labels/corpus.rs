//! The documents that labels are made from and scored on.

use std::collections::HashSet;
use std::sync::Arc;

use latentdb_index::{Snapshot, TopK};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::label::{Evidence, Trial, is_held_out};
use crate::vectors::{cosine, norm};

/// A collection's documents with text, on the two sides of the split.
pub(super) struct Corpus {
    snapshot: Arc<Snapshot>,
    shown: Side,
    held_out: Side,
    /// Mean of the documents' vectors at unit length, where they have any.
    mean: Option<Vec<f32>>,
}

/// Documents of one side, ascending.
#[derive(Default)]
struct Side {
    docs: Vec<u32>,
    texts: Vec<String>,
}

/// Held-out documents of a latent, or others to choose a threshold on.
pub(super) struct Sample {
    /// Documents and whether it is active there, in an order that says nothing about that: judges
    /// may see all at once.
    docs: Vec<(u32, bool)>,
    /// How many of them are active.
    pub positives: usize,
    held_out: bool,
}

impl Side {
    fn place(&self, doc: u32) -> Option<usize> {
        self.docs.binary_search(&doc).ok()
    }
}

impl Corpus {
    /// Reads all documents with text. Blocks.
    pub fn read(snapshot: Arc<Snapshot>) -> Result<Self> {
        let living: Vec<u32> = snapshot.living().collect();
        let read = |&doc: &u32| -> Result<Option<(u32, String, bool)>> {
            let document = snapshot.stored(doc)?;
            let is_held_out = is_held_out(&document.id);
            Ok(document.text.map(|text| (doc, text, is_held_out)))
        };
        let documents: Vec<_> = living.par_iter().map(read).collect::<Result<_>>()?;
        let mut shown = Side::default();
        let mut held_out = Side::default();
        for (doc, text, is_held_out) in documents.into_iter().flatten() {
            let side = if is_held_out {
                &mut held_out
            } else {
                &mut shown
            };
            side.docs.push(doc);
            side.texts.push(text);
        }
        if shown.docs.is_empty() {
            return Err(Error::precondition(
                "the collection holds no texts to make labels from",
            ));
        }
        let mean = mean_vector(&snapshot, shown.docs.iter().map(|&doc| (doc, 1.0)));
        Ok(Self {
            snapshot,
            shown,
            held_out,
            mean,
        })
    }

    /// The texts that labellers may see.
    pub fn shown_texts(&self) -> Vec<&str> {
        self.shown.texts.iter().map(String::as_str).collect()
    }

    /// What labellers are shown of a latent: its `most` strongest documents and as many others.
    pub fn evidence(&self, latent: u32, most: usize, seed: u64) -> Evidence<'_> {
        let mut top = TopK::new(most);
        let mut active = HashSet::new();
        self.snapshot.for_each_posting(latent, |doc, activation| {
            active.insert(doc);
            if self.shown.place(doc).is_some() {
                top.push(doc, activation);
            }
        });
        let strongest: Vec<(usize, f32)> = top
            .into_sorted()
            .into_iter()
            .filter_map(|hit| Some((self.shown.place(hit.doc)?, hit.score)))
            .collect();
        let mut random = StdRng::seed_from_u64(seed ^ u64::from(latent).rotate_left(32));
        let inactive = draw_inactive(&self.shown.docs, &active, most, &mut random);
        let text = |place: usize| self.shown.texts[place].as_str();
        Evidence {
            direction: self.direction(&strongest),
            active: strongest.iter().map(|&(at, a)| (text(at), a)).collect(),
            inactive: inactive
                .into_iter()
                .filter_map(|doc| self.shown.place(doc))
                .map(text)
                .collect(),
            seed: seed ^ u64::from(latent),
        }
    }

    /// Where documents lie as seen from all.
    fn direction(&self, strongest: &[(usize, f32)]) -> Option<Vec<f32>> {
        let mean = self.mean.as_ref()?;
        let documents = strongest.iter().map(|&(at, a)| (self.shown.docs[at], a));
        let own = mean_vector(&self.snapshot, documents)?;
        Some(own.iter().zip(mean).map(|(own, mean)| own - mean).collect())
    }

    /// Up to `most` documents on one side that activate a latent, drawn from the `3 * most` that do
    /// most, and as many that do not, random ones or the nearest to those.
    pub fn sample(
        &self,
        latent: u32,
        most: usize,
        held_out: bool,
        hard_negatives: bool,
        seed: u64,
    ) -> Sample {
        let side = self.side(held_out);
        let mut top = TopK::new(3 * most);
        let mut active = HashSet::new();
        self.snapshot.for_each_posting(latent, |doc, activation| {
            active.insert(doc);
            if side.place(doc).is_some() {
                top.push(doc, activation);
            }
        });
        let strongest: Vec<u32> = top.into_sorted().iter().map(|hit| hit.doc).collect();
        let mut random = StdRng::seed_from_u64(seed ^ u64::from(latent).rotate_left(32));
        let chosen: Vec<u32> = strongest
            .choose_multiple(&mut random, most)
            .copied()
            .collect();
        let others = if hard_negatives {
            self.nearest_inactive(side, &chosen, &active)
        } else {
            draw_inactive(&side.docs, &active, chosen.len(), &mut random)
        };
        let positives = chosen.len();
        let chosen = chosen.into_iter().map(|doc| (doc, true));
        let others = others.into_iter().map(|doc| (doc, false));
        let mut docs: Vec<(u32, bool)> = chosen.chain(others).collect();
        docs.shuffle(&mut random);
        Sample {
            docs,
            positives,
            held_out,
        }
    }

    /// The documents of a side nearest to the mean of `docs` among those not in `active`, as many.
    fn nearest_inactive(&self, side: &Side, docs: &[u32], active: &HashSet<u32>) -> Vec<u32> {
        let Some(mean) = mean_vector(&self.snapshot, docs.iter().map(|&doc| (doc, 1.0))) else {
            return Vec::new();
        };
        let mut nearest = TopK::new(docs.len());
        for &doc in side.docs.iter().filter(|doc| !active.contains(doc)) {
            if let Some(vector) = self.snapshot.vector(doc) {
                nearest.push(doc, cosine(vector, &mean) as f32);
            }
        }
        nearest.into_sorted().iter().map(|hit| hit.doc).collect()
    }

    fn side(&self, held_out: bool) -> &Side {
        if held_out {
            &self.held_out
        } else {
            &self.shown
        }
    }

    /// The documents of a sample as a judge sees them, and which of them are active.
    pub fn trials(&self, sample: &Sample) -> (Vec<Trial<'_>>, Vec<bool>) {
        let side = self.side(sample.held_out);
        let trial = |&(doc, is_active): &(u32, bool)| {
            let text = side.texts[side.place(doc)?].as_str();
            let vector = self.snapshot.vector(doc);
            Some((Trial { text, vector }, is_active))
        };
        sample.docs.iter().filter_map(trial).unzip()
    }
}

/// Up to `most` of `docs` that are not in `active`.
fn draw_inactive(
    docs: &[u32],
    active: &HashSet<u32>,
    most: usize,
    random: &mut StdRng,
) -> Vec<u32> {
    let mut drawn = HashSet::new();
    // Most latents are rare, so that nearly every draw is one; the rest is counted out.
    for _ in 0..4 * most {
        if let Some(doc) = docs.choose(random)
            && drawn.len() < most
            && !active.contains(doc)
        {
            drawn.insert(*doc);
        }
    }
    if drawn.len() < most {
        let is_other = |doc: &&u32| !active.contains(doc) && !drawn.contains(doc);
        let mut others: Vec<u32> = docs.iter().filter(is_other).copied().collect();
        others.shuffle(random);
        drawn.extend(others.into_iter().take(most - drawn.len()));
    }
    let mut drawn: Vec<u32> = drawn.into_iter().collect();
    drawn.sort_unstable();
    drawn
}

/// The weighted mean of documents' vectors at unit length; `None` where none has one.
fn mean_vector(
    snapshot: &Snapshot,
    documents: impl Iterator<Item = (u32, f32)>,
) -> Option<Vec<f32>> {
    let mut mean: Vec<f64> = Vec::new();
    let mut mass = 0.0;
    for (doc, weight) in documents {
        if let Some(vector) = snapshot.vector(doc) {
            mean.resize(vector.len(), 0.0);
            let scale = f64::from(weight) / norm(vector).max(f64::MIN_POSITIVE);
            for (sum, &value) in mean.iter_mut().zip(vector) {
                *sum += scale * f64::from(value);
            }
            mass += f64::from(weight);
        }
    }
    (mass > 0.0).then(|| mean.iter().map(|sum| (sum / mass) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inactive_documents_are_found_however_few_they_are() {
        let docs: Vec<u32> = (0..1000).collect();
        let mut random = StdRng::seed_from_u64(1);
        let active: HashSet<u32> = (0..995).collect();
        let drawn = draw_inactive(&docs, &active, 10, &mut random);
        assert_eq!(drawn, [995, 996, 997, 998, 999]);
        let few = draw_inactive(&docs, &HashSet::new(), 10, &mut random);
        assert_eq!(few.len(), 10);
        assert!(draw_inactive(&[], &active, 10, &mut random).is_empty());
        let dense: HashSet<u32> = docs.iter().copied().filter(|doc| doc % 10 != 0).collect();
        for _ in 0..100 {
            let drawn = draw_inactive(&docs, &dense, 10, &mut random);
            assert_eq!(drawn.len(), 10);
            assert!(drawn.iter().all(|doc| doc % 10 == 0));
        }
    }
}
