//! The documents that labels are made from and scored on.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use latentdb_index::{Snapshot, TopK, dot};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::passages::Passages;
use crate::error::{Error, Result};
use crate::label::{Evidence, LEAST_CHECKED, Passage, Stratum, is_held_out};
use crate::progress::Progress;

/// Parts of a latent's documents by activation, of which as many documents each are drawn.
const PARTS: usize = 5;

/// A collection's documents with text, on the two sides of the split. What is drawn of them follows from ids, texts,
/// latents and seeds: merges, which renumber documents, change no label.
pub(super) struct Corpus {
    snapshot: Arc<Snapshot>,
    shown: Side,
    held_out: Side,
}

/// Documents of one side in the order of their ids. Their places in it stand for them.
#[derive(Default)]
struct Side {
    docs: Vec<u32>,
    texts: Vec<String>,
    /// Documents, ascending, and their places.
    places: Vec<(u32, u32)>,
}

/// Which documents of a latent are evidence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Draw {
    /// The strongest, so many at most, and as many others.
    Strongest(usize),
    /// Some of every strength, and others to check on.
    Across {
        /// Documents to name from, and as many inactive ones.
        made_from: usize,
        /// Activating documents to check on, at most a third of all, and [`CHECKED_INACTIVE`] times as
        /// many inactive ones.
        checked: usize,
    },
}

/// Inactive documents to check on for each activating one.
const CHECKED_INACTIVE: usize = 4;

/// Held-out documents of a latent, or others to choose a threshold on.
pub(super) struct Sample {
    /// Places of documents and how they were drawn, in an order that says nothing about that: judges may
    /// see all at once.
    drawn: Vec<(u32, Stratum)>,
    held_out: bool,
}

impl Sample {
    /// How each document was drawn, in their order.
    pub fn strata(&self) -> Vec<Stratum> {
        self.drawn.iter().map(|(_, stratum)| *stratum).collect()
    }

    /// Documents that activate the latent.
    pub fn positives(&self) -> usize {
        let active = |entry: &&(u32, Stratum)| entry.1.is_active();
        self.drawn.iter().filter(active).count()
    }

    /// Documents that do not.
    pub fn negatives(&self) -> usize {
        self.drawn.len() - self.positives()
    }
}

impl Side {
    fn push(&mut self, doc: u32, text: String) {
        let place = self.docs.len() as u32;
        self.docs.push(doc);
        self.texts.push(text);
        self.places.push((doc, place));
    }

    fn place(&self, doc: u32) -> Option<u32> {
        let at = self
            .places
            .binary_search_by_key(&doc, |entry| entry.0)
            .ok()?;
        Some(self.places[at].1)
    }

    fn all(&self) -> Range<u32> {
        0..self.docs.len() as u32
    }
}

impl Corpus {
    /// Reads all documents with text. Blocks.
    pub fn read(snapshot: Arc<Snapshot>) -> Result<Self> {
        let living: Vec<u32> = snapshot.living().collect();
        let read = |&doc: &u32| -> Result<Option<(String, u32, String)>> {
            let document = snapshot.stored(doc)?;
            Ok(document.text.map(|text| (document.id, doc, text)))
        };
        let documents: Vec<_> = living.par_iter().map(read).collect::<Result<_>>()?;
        let mut documents: Vec<_> = documents.into_iter().flatten().collect();
        documents.par_sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut shown = Side::default();
        let mut held_out = Side::default();
        for (id, doc, text) in documents {
            match is_held_out(&id) {
                true => held_out.push(doc, text),
                false => shown.push(doc, text),
            }
        }
        shown.places.par_sort_unstable();
        held_out.places.par_sort_unstable();
        if shown.docs.is_empty() {
            return Err(Error::precondition(
                "the collection holds no texts to make labels from",
            ));
        }
        Ok(Self {
            snapshot,
            shown,
            held_out,
        })
    }

    /// The texts that labellers may see.
    pub fn shown_texts(&self) -> Vec<&str> {
        self.shown.texts.iter().map(String::as_str).collect()
    }

    /// What labellers are shown of a latent.
    pub fn evidence(
        &self,
        latent: u32,
        draw: Draw,
        passages: &Passages,
        seed: u64,
        progress: &Progress,
    ) -> Result<Evidence<'_>> {
        let (ranked, active) = self.ranked(latent, &self.shown);
        let taken: HashSet<u32> = ranked.iter().map(|entry| entry.0).collect();
        let mut random = StdRng::seed_from_u64(seed ^ u64::from(latent).rotate_left(32));
        let inactive =
            |most, random: &mut StdRng| draw_inactive(self.shown.all(), &taken, most, random);
        let (chosen, others, checked, unchecked) = match draw {
            Draw::Strongest(most) => {
                let chosen = ranked[..most.min(ranked.len())].to_vec();
                let others = inactive(most, &mut random);
                (chosen, others, Vec::new(), Vec::new())
            }
            Draw::Across { made_from, checked } => {
                // Too few tell nothing, and are better named from.
                let checked = match checked.min(ranked.len() / 3) {
                    ..LEAST_CHECKED => Vec::new(),
                    checked => evenly(&ranked, checked),
                };
                let taken: HashSet<u32> = checked.iter().map(|entry| entry.0).collect();
                let mut left = ranked.clone();
                left.retain(|entry| !taken.contains(&entry.0));
                // Half the strongest, which say what it is about, half of every other strength. Near-copies
                // among them are left out later.
                let mut chosen = left.clone();
                let rest = chosen.split_off(made_from.min(chosen.len()));
                chosen.extend(evenly(&rest, made_from));
                let mut others =
                    inactive(made_from + CHECKED_INACTIVE * checked.len(), &mut random);
                others.shuffle(&mut random);
                let unchecked = others.split_off(made_from.min(others.len()));
                (chosen, others, checked, unchecked)
            }
        };
        let read = |places: &[u32], is_active: bool| {
            self.passages(&self.shown, latent, places, is_active, passages, progress)
        };
        let places = |ranked: &[(u32, f32)]| ranked.iter().map(|entry| entry.0).collect::<Vec<_>>();
        let strengths = chosen.iter().map(|entry| entry.1);
        let strengths_checked = checked.iter().map(|entry| entry.1);
        let mut checks: Vec<(Passage<'_>, f32)> = Vec::new();
        checks.extend(
            read(&places(&checked), true)?
                .into_iter()
                .zip(strengths_checked),
        );
        checks.extend(read(&unchecked, false)?.into_iter().map(|text| (text, 0.0)));
        let documents = self.shown.docs.len() + self.held_out.docs.len();
        Ok(Evidence {
            active: read(&places(&chosen), true)?
                .into_iter()
                .zip(strengths)
                .collect(),
            inactive: read(&others, false)?,
            checks,
            share: active as f64 / documents.max(1) as f64,
            seed: seed ^ u64::from(latent),
        })
    }

    /// The documents of a side that activate a latent, strongest first, and how many of both sides do.
    fn ranked(&self, latent: u32, side: &Side) -> (Vec<(u32, f32)>, usize) {
        let (mut ranked, mut active) = (Vec::new(), 0);
        self.snapshot.for_each_posting(latent, |doc, activation| {
            active += 1;
            ranked.extend(side.place(doc).map(|place| (place, activation)));
        });
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        (ranked, active)
    }

    fn passages<'c>(
        &'c self,
        side: &'c Side,
        latent: u32,
        places: &[u32],
        is_active: bool,
        passages: &Passages,
        progress: &Progress,
    ) -> Result<Vec<Passage<'c>>> {
        let texts: Vec<(u32, &str)> = places
            .iter()
            .map(|&place| place as usize)
            .map(|place| (side.docs[place], side.texts[place].as_str()))
            .collect();
        let mut read = passages.of(&self.snapshot, latent, &texts, is_active, progress)?;
        for (passage, (doc, _)) in read.iter_mut().zip(&texts) {
            passage.vector = self.snapshot.vector(*doc);
        }
        Ok(read)
    }

    /// Up to `most` documents on one side that activate a latent, as many of each fifth of them by
    /// activation, and as many that do not: half at random, half those nearest to the latent's
    /// centroid, all at random where there are no vectors.
    pub fn sample(&self, latent: u32, most: usize, held_out: bool, seed: u64) -> Sample {
        let side = self.side(held_out);
        let ranked = self.ranked(latent, side).0;
        let mut taken: HashSet<u32> = ranked.iter().map(|entry| entry.0).collect();
        let mut random = StdRng::seed_from_u64(seed ^ u64::from(latent).rotate_left(32));
        let mut drawn: Vec<(u32, Stratum)> = Vec::new();
        for part in 0..PARTS {
            let at = |part: usize| part * ranked.len() / PARTS;
            let share = (part + 1) * most / PARTS - part * most / PARTS;
            let active = ranked[at(part)..at(part + 1)].sample(&mut random, share);
            let stratum = Stratum::Active(part as u8);
            drawn.extend(active.map(|entry| (entry.0, stratum)));
        }
        let near = self.nearest_inactive(side, latent, drawn.len() / 2, &taken);
        let far = drawn.len() - near.len();
        taken.extend(&near);
        let others = draw_inactive(side.all(), &taken, far, &mut random);
        drawn.extend(near.into_iter().map(|place| (place, Stratum::Nearest)));
        drawn.extend(others.into_iter().map(|place| (place, Stratum::Random)));
        drawn.shuffle(&mut random);
        Sample { drawn, held_out }
    }

    /// The documents of a side nearest to a latent's centroid among those not in `active`.
    fn nearest_inactive(
        &self,
        side: &Side,
        latent: u32,
        most: usize,
        active: &HashSet<u32>,
    ) -> Vec<u32> {
        let centroids = self.snapshot.centroids();
        let Some(centroid) = centroids.get(latent) else {
            return Vec::new();
        };
        let mut nearest = TopK::new(most);
        for place in side.all().filter(|place| !active.contains(place)) {
            if let Some(vector) = self.snapshot.vector(side.docs[place as usize]) {
                let norm = dot(vector, vector).sqrt().max(f32::MIN_POSITIVE);
                nearest.push(place, dot(vector, centroid) / norm);
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

    /// The documents of a sample as a judge sees them.
    pub fn trials(
        &self,
        latent: u32,
        sample: &Sample,
        passages: &Passages,
        progress: &Progress,
    ) -> Result<Vec<Passage<'_>>> {
        let side = self.side(sample.held_out);
        let of = |is_active: bool| {
            let own = sample
                .drawn
                .iter()
                .filter(|entry| entry.1.is_active() == is_active);
            let places: Vec<u32> = own.map(|entry| entry.0).collect();
            self.passages(side, latent, &places, is_active, passages, progress)
        };
        let (mut active, mut inactive) = (of(true)?.into_iter(), of(false)?.into_iter());
        let next = |(_, stratum): &(u32, Stratum)| match stratum.is_active() {
            true => active.next(),
            false => inactive.next(),
        };
        Ok(sample.drawn.iter().filter_map(next).collect())
    }
}

/// At most `most` of a ranking, evenly spaced, in its order.
fn evenly<T: Copy>(ranked: &[T], most: usize) -> Vec<T> {
    let most = most.min(ranked.len());
    let place = |at: usize| (2 * at + 1) * ranked.len() / (2 * most);
    (0..most).map(|at| ranked[place(at)]).collect()
}

/// Up to `most` of `places` that are not in `active`, ascending.
fn draw_inactive(
    places: Range<u32>,
    active: &HashSet<u32>,
    most: usize,
    random: &mut StdRng,
) -> Vec<u32> {
    if places.is_empty() {
        return Vec::new();
    }
    let mut drawn = HashSet::new();
    // Most latents are rare, so that nearly every draw is one; the rest is counted out.
    for _ in 0..4 * most {
        let place = random.random_range(places.clone());
        if drawn.len() < most && !active.contains(&place) {
            drawn.insert(place);
        }
    }
    if drawn.len() < most {
        let is_other = |place: &u32| !active.contains(place) && !drawn.contains(place);
        let mut others: Vec<u32> = places.filter(is_other).collect();
        others.shuffle(random);
        drawn.extend(others.into_iter().take(most - drawn.len()));
    }
    let mut drawn: Vec<u32> = drawn.into_iter().collect();
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_evenly_spaced_covers_the_ranking() {
        let ranked: Vec<u32> = (0..100).collect();
        assert_eq!(evenly(&ranked, 5), [10, 30, 50, 70, 90]);
        assert_eq!(evenly(&ranked, 200), ranked);
        assert!(evenly(&[0; 0], 3).is_empty() && evenly(&ranked, 0).is_empty());
    }

    #[test]
    fn inactive_documents_are_found_however_few_they_are() {
        let places = 0..1000;
        let mut random = StdRng::seed_from_u64(1);
        let active: HashSet<u32> = (0..995).collect();
        let drawn = draw_inactive(places.clone(), &active, 10, &mut random);
        assert_eq!(drawn, [995, 996, 997, 998, 999]);
        let few = draw_inactive(places.clone(), &HashSet::new(), 10, &mut random);
        assert_eq!(few.len(), 10);
        assert!(draw_inactive(0..0, &active, 10, &mut random).is_empty());
        let dense: HashSet<u32> = places.clone().filter(|doc| doc % 10 != 0).collect();
        for _ in 0..100 {
            let drawn = draw_inactive(places.clone(), &dense, 10, &mut random);
            assert_eq!(drawn.len(), 10);
            assert!(drawn.iter().all(|doc| doc % 10 == 0));
        }
    }
}
