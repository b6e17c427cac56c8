//! A random collection, and the same documents in a map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use half::f16;
use latentdb_index::filter::{Shape, parse};
use latentdb_index::{
    Activation, Collection, Document, Operation, ResolvedFilter, Snapshot, Value,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub const N_LATENTS: usize = 30;
const SOURCES: [&str; 3] = ["news", "tweets", "films"];
/// Midnight of 2025-01-01 in microseconds.
pub const START: i64 = 1_735_689_600_000_000;
pub const DAY: i64 = 86_400_000_000;

pub struct Corpus {
    _folder: tempfile::TempDir,
    _collection: Collection,
    pub snapshot: Arc<Snapshot>,
    /// The living documents by id.
    pub documents: BTreeMap<String, Document>,
}

fn document(random: &mut StdRng, id: usize) -> Document {
    let mut document = Document::new(format!("d{id}"));
    let mut latents = BTreeMap::new();
    for latent in 0..N_LATENTS as u32 {
        // Densities from .6 to nearly none.
        let density = 0.6 / f64::from(latent * latent / 20 + 1);
        if random.random_bool(density) {
            latents.insert(latent, random.random_range(0.05_f32..2.0));
        }
    }
    // What goes together, so that there is something to find.
    if latents.contains_key(&3) && random.random_bool(0.8) {
        latents.insert(17, 1.0);
    }
    let activation = |(latent, activation)| Activation { latent, activation };
    document.codes = vec![latents.into_iter().map(activation).collect()];
    let mut set = |name: &str, value: Value| {
        document.attributes.insert(name.to_owned(), value);
    };
    let source = SOURCES[random.random_range(0..3)];
    set("source", Value::String(source.to_owned()));
    set("row", Value::Integer((id / 2) as i64));
    set("side", Value::Boolean(id.is_multiple_of(2)));
    set("year", Value::Integer(2000 + random.random_range(0..6)));
    let day = START + random.random_range(0..60) * DAY + random.random_range(0..DAY);
    set("day", Value::Timestamp(day));
    if random.random_bool(0.7) {
        let tags = (0..2).map(|_| Value::String(format!("t{}", random.random_range(0..5))));
        set("tags", Value::List(tags.collect()));
    }
    document
}

impl Corpus {
    /// `count` documents in several segments, a tenth replaced and a tenth deleted.
    pub fn random(count: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut operations: Vec<Vec<Operation>> = Vec::new();
        let mut documents = BTreeMap::new();
        let mut upsert = |document: Document| {
            documents.insert(document.id.clone(), document.clone());
            Operation::Upsert(Box::new(document))
        };
        let ids: Vec<usize> = (0..count).collect();
        for part in ids.chunks(count.div_ceil(3)) {
            operations.push(
                part.iter()
                    .map(|&id| upsert(document(&mut random, id)))
                    .collect(),
            );
        }
        let replaced = ids.iter().filter(|id| *id % 10 == 3);
        operations.push(
            replaced
                .map(|&id| upsert(document(&mut random, id)))
                .collect(),
        );
        let deleted: Vec<String> = ids
            .iter()
            .filter(|id| *id % 10 == 7)
            .map(|id| format!("d{id}"))
            .collect();
        for id in &deleted {
            documents.remove(id);
        }
        operations.push(vec![Operation::Delete(deleted)]);
        Self::written(operations, documents)
    }

    /// These documents, in one batch.
    pub fn of(made: Vec<Document>) -> Self {
        let documents = made.iter().map(|d| (d.id.clone(), d.clone())).collect();
        let upserts = made.into_iter().map(|d| Operation::Upsert(Box::new(d)));
        Self::written(vec![upserts.collect()], documents)
    }

    fn written(batches: Vec<Vec<Operation>>, mut documents: BTreeMap<String, Document>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let collection = Collection::open(folder.path()).unwrap();
        for batch in batches {
            collection.write(batch, None).unwrap();
        }
        let snapshot = collection.snapshot();
        for document in documents.values_mut() {
            for entry in &mut document.codes_mut(0).latents {
                entry.activation = f16::from_f32(entry.activation).to_f32();
            }
        }
        assert_eq!(snapshot.n_docs(), documents.len() as u64);
        Self {
            _folder: folder,
            _collection: collection,
            snapshot,
            documents,
        }
    }

    /// The documents of a filter, as the engine finds them (its filters have an oracle of their
    /// own).
    pub fn matching(&self, filter: &ResolvedFilter) -> Vec<&Document> {
        let numbers = self.snapshot.documents_matching(filter).unwrap();
        let ids = numbers.iter().map(|&doc| self.snapshot.id(doc).unwrap());
        ids.map(|id| &self.documents[&id]).collect()
    }
}

/// A filter of the text language.
pub fn filter(text: &str) -> ResolvedFilter {
    let shape = Shape {
        dimension: None,
        n_latents: Some(N_LATENTS),
        ..Shape::default()
    };
    parse(text).unwrap().resolve(&shape).unwrap()
}

/// The latents of a document above a threshold.
pub fn active(document: &Document, above: f32) -> BTreeSet<u32> {
    let entries = document.latents().iter();
    entries
        .filter(|entry| entry.activation > above)
        .map(|entry| entry.latent)
        .collect()
}

/// How many documents have a latent.
pub fn having(documents: &[&Document], latent: u32, above: f32) -> u64 {
    documents
        .iter()
        .filter(|document| active(document, above).contains(&latent))
        .count() as u64
}

/// Both are finite and nearly equal.
pub fn close(found: f64, expected: f64) {
    let bound = 1e-9 * expected.abs().max(1.0);
    assert!((found - expected).abs() <= bound, "{found}, not {expected}");
}
