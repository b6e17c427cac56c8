//! Random documents, the same each time, and brute force over them.

use std::collections::HashMap;

use latentdb_proto::v1::{Activation, Activations, Document, Hit, Value, Vector, value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub(crate) const DIMENSION: usize = 12;
pub(crate) const N_LATENTS: u32 = 40;
const WORDS: [&str; 8] = [
    "river", "stone", "engine", "garden", "paper", "storm", "violin", "harbour",
];
const SOURCES: [&str; 3] = ["tweets", "films", "news"];

/// One document as the oracle knows it.
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) vector: Vec<f32>,
    pub(crate) latents: Vec<(u32, f32)>,
    pub(crate) source: &'static str,
    pub(crate) year: i64,
}

impl Item {
    pub(crate) fn document(&self) -> Document {
        Document {
            id: self.id.clone(),
            text: Some(self.text.clone()),
            attributes: [
                ("source".to_owned(), value::Kind::String(self.source.into())),
                ("year".to_owned(), value::Kind::Integer(self.year)),
            ]
            .map(|(name, kind)| (name, Value { kind: Some(kind) }))
            .into(),
            vector: Some(Vector {
                values: self.vector.clone(),
            }),
            latents: Some(Activations {
                values: self
                    .latents
                    .iter()
                    .map(|&(latent, activation)| Activation { latent, activation })
                    .collect(),
            }),
            ..Document::default()
        }
    }

    pub(crate) fn cosine(&self, query: &[f32]) -> f64 {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter()
                .zip(b)
                .map(|(&x, &y)| f64::from(x) * f64::from(y))
                .sum()
        };
        let norms = (dot(&self.vector, &self.vector) * dot(query, query)).sqrt();
        dot(&self.vector, query) / norms
    }

    pub(crate) fn activation(&self, latent: u32) -> Option<f64> {
        let found = self.latents.iter().find(|(number, _)| *number == latent);
        found.map(|(_, activation)| f64::from(*activation))
    }

    pub(crate) fn holds(&self, word: &str) -> bool {
        self.text.split(' ').any(|found| found == word)
    }
}

/// `count` documents; activations are multiples of 1/64, which 16-bit floats hold exactly.
pub(crate) fn items(count: usize, seed: u64) -> Vec<Item> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|at| Item {
            id: format!("d{at:04}"),
            text: (0..random.random_range(2..6))
                .map(|_| WORDS[random.random_range(0..WORDS.len())])
                .collect::<Vec<_>>()
                .join(" "),
            vector: (0..DIMENSION)
                .map(|_| random.random_range(-1.0..1.0))
                .collect(),
            latents: (0..N_LATENTS)
                .filter_map(|latent| {
                    let is_active = random.random_range(0..N_LATENTS) >= latent;
                    is_active.then(|| (latent, random.random_range(1..160_u8)))
                })
                .map(|(latent, sixty_fourths)| (latent, f32::from(sixty_fourths) / 64.0))
                .collect(),
            source: SOURCES[random.random_range(0..SOURCES.len())],
            year: random.random_range(2000..2026),
        })
        .collect()
}

/// Asserts that the hits are the `limit` best of `scores`, in order; documents of equal score may
/// swap.
pub(crate) fn assert_ranking(hits: &[Hit], scores: &HashMap<String, f64>, limit: usize) {
    let mut best: Vec<f64> = scores.values().copied().collect();
    best.sort_by(|a, b| b.total_cmp(a));
    best.truncate(limit);
    assert_eq!(hits.len(), best.len());
    let mut ids: Vec<&str> = ids(hits);
    for (hit, expected) in hits.iter().zip(&best) {
        let own = scores[id(hit)];
        let found = f64::from(hit.score);
        assert!((found - own).abs() < 1e-4, "{}: {found} for {own}", id(hit));
        assert!((found - expected).abs() < 1e-4, "{}: {found}", id(hit));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), hits.len());
}

/// A hit's document.
pub(crate) fn id(hit: &Hit) -> &str {
    &hit.document.as_ref().unwrap().id
}

/// The hits' documents, in order.
pub(crate) fn ids(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(id).collect()
}
