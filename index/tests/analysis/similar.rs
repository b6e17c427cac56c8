//! Near-duplicates against all pairs.

use std::collections::{BTreeMap, BTreeSet};

use latentdb_index::analysis::{DuplicateOptions, Side, near_duplicates};
use latentdb_index::{Activation, Document, Filter, Progress};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::corpus::{Corpus, active, filter};

const LATENTS: usize = 60;

/// Random sets, and copies of them with none to three latents changed.
fn corpus(count: usize, seed: u64) -> Corpus {
    let mut random = StdRng::seed_from_u64(seed);
    let mut sets: Vec<BTreeSet<u32>> = Vec::new();
    for at in 0..count {
        let mut set: BTreeSet<u32> = if at > 0 && random.random_bool(0.3) {
            sets[random.random_range(0..at)].clone()
        } else {
            let length = random.random_range(0..16);
            (0..length)
                .map(|_| random.random_range(0..LATENTS as u32))
                .collect()
        };
        for _ in 0..random.random_range(0..4) {
            let latent = random.random_range(0..LATENTS as u32);
            if !set.remove(&latent) {
                set.insert(latent);
            }
        }
        sets.push(set);
    }
    let made = sets.into_iter().enumerate().map(|(id, set)| {
        let mut document = Document::new(format!("{id:04}"));
        let activation = |latent| Activation {
            latent,
            activation: 0.5 + latent as f32 / 64.0,
        };
        document.codes_mut(0).latents = set.into_iter().map(activation).collect();
        document
    });
    Corpus::of(made.collect())
}

fn jaccard(a: &BTreeSet<u32>, b: &BTreeSet<u32>) -> f64 {
    a.intersection(b).count() as f64 / a.union(b).count() as f64
}

#[test]
fn groups_are_those_of_all_pairs() {
    for (count, seed) in [(40, 1), (400, 2), (900, 3)] {
        let corpus = corpus(count, seed);
        for (threshold, min_latents, above, text) in [
            (0.5, 1, 0.0, "not id = \"none\""),
            (0.8, 4, 0.0, "not id = \"none\""),
            (0.75, 2, 0.8, "not id = \"none\""),
            (1.0, 1, 0.0, "not latent(5)"),
            (0.2, 3, 0.0, "latent(7) or latent(8)"),
        ] {
            let filter = filter(text);
            let options = DuplicateOptions {
                threshold,
                active_above: above,
                min_latents,
            };
            let side = Side {
                snapshot: &corpus.snapshot,
                filter: &filter,
            };
            let found = near_duplicates(side, LATENTS, &options, &Progress::default()).unwrap();

            let all = corpus.matching(&filter);
            let kept: Vec<(&str, BTreeSet<u32>)> = all
                .iter()
                .map(|document| (&*document.id, active(document, above)))
                .filter(|(_, set)| set.len() >= min_latents)
                .collect();
            assert_eq!(found.documents, kept.len() as u64);
            assert_eq!(found.left_out, (all.len() - kept.len()) as u64);
            let mut group: Vec<usize> = (0..kept.len()).collect();
            let mut pairs = 0;
            for a in 0..kept.len() {
                for b in 0..a {
                    if jaccard(&kept[a].1, &kept[b].1) >= threshold {
                        pairs += 1;
                        let (from, to) = (group[a], group[b]);
                        group
                            .iter_mut()
                            .filter(|of| **of == from)
                            .for_each(|of| *of = to);
                    }
                }
            }
            assert_eq!(found.pairs, pairs, "at {threshold}");
            let mut members: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
            for (at, of) in group.iter().enumerate() {
                members.entry(*of).or_default().insert(kept[at].0);
            }
            let expected: BTreeSet<BTreeSet<String>> = members
                .into_values()
                .filter(|members| members.len() > 1)
                .map(|members| members.into_iter().map(str::to_owned).collect())
                .collect();
            let id = |doc: u32| corpus.snapshot.id(doc).unwrap();
            let groups: BTreeSet<BTreeSet<String>> = found
                .groups
                .iter()
                .map(|group| group.documents.iter().map(|(doc, _)| id(*doc)).collect())
                .collect();
            assert_eq!(groups, expected);
            let set = |doc: u32| active(&corpus.documents[&id(doc)], above);
            for group in &found.groups {
                let first = set(group.documents[0].0);
                for &(doc, similarity) in &group.documents {
                    assert_eq!(similarity, jaccard(&first, &set(doc)));
                }
            }
            let sizes: Vec<usize> = found.groups.iter().map(|g| g.documents.len()).collect();
            assert!(sizes.is_sorted_by(|left, right| left >= right));
        }
    }
}

#[test]
fn thresholds_out_of_range_are_refused() {
    let corpus = corpus(10, 4);
    for threshold in [0.0, -1.0, 1.1, f64::NAN] {
        let options = DuplicateOptions {
            threshold,
            ..DuplicateOptions::default()
        };
        let side = Side {
            snapshot: &corpus.snapshot,
            filter: &Filter::All,
        };
        let error = near_duplicates(side, LATENTS, &options, &Progress::default()).unwrap_err();
        assert_eq!(error.field(), Some("threshold"));
    }
}
