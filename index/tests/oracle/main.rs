//! The engine against a naive implementation of the same.
//!
//! Random sequences of writes, merges and reopenings are applied to a [`Collection`] and to a map
//! of documents; after every step random filters and queries are asked of both. A failure prints
//! the shortest sequence found and the seed; `LATENTDB_SEED=<seed>` runs it again, `PROPTEST_CASES`
//! sets how many sequences are tried. `directed` holds what chance does not reach.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod conditions;
mod directed;
mod facets;
mod generate;
mod graph;
mod graph_beside_writes;
mod naive;
mod switching;
mod texts;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use latentdb_index::filter::Name;
use latentdb_index::{Collection, Filter, Operation, Snapshot, StreamPosition, Written};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::RngExt;

use check::Checked;
use facets::check_facets;
use generate::random;
use naive::{Applied, Model};

/// One step of a sequence. What it does in detail follows from its seed.
#[derive(Clone, Debug)]
enum Step {
    /// Insert or replace documents.
    Upsert { seed: u64, count: usize },
    /// Update documents that exist.
    Update { seed: u64, count: usize },
    /// Delete by id, some of which do not exist.
    Delete { seed: u64, count: usize },
    /// Delete what a filter describes.
    DeleteMatching { seed: u64 },
    /// Change attributes of what a filter describes.
    UpdateMatching { seed: u64 },
    /// Inserts of what may exist, and writes that require a state of documents.
    Conditional { seed: u64 },
    /// Everything in one batch; it may be one that must be refused.
    Mixed { seed: u64 },
    /// Send the last batch of a stream again.
    Retry { seed: u64 },
    /// Merge all segments.
    Merge,
    /// Close and open.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let seed = any::<u64>;
    prop_oneof![
        4 => (seed(), 1..60_usize).prop_map(|(seed, count)| Step::Upsert { seed, count }),
        1 => (seed(), 200..500_usize).prop_map(|(seed, count)| Step::Upsert { seed, count }),
        2 => (seed(), 1..30_usize).prop_map(|(seed, count)| Step::Update { seed, count }),
        2 => (seed(), 1..60_usize).prop_map(|(seed, count)| Step::Delete { seed, count }),
        1 => seed().prop_map(|seed| Step::DeleteMatching { seed }),
        1 => seed().prop_map(|seed| Step::UpdateMatching { seed }),
        2 => seed().prop_map(|seed| Step::Conditional { seed }),
        3 => seed().prop_map(|seed| Step::Mixed { seed }),
        1 => seed().prop_map(|seed| Step::Retry { seed }),
        1 => Just(Step::Merge),
        1 => Just(Step::Reopen),
    ]
}

/// A batch, and where it stands in its stream.
type Batch = (Vec<Operation>, Option<StreamPosition>);

/// A collection, its model, and what was seen on the way.
struct Run {
    path: PathBuf,
    collection: Option<Collection>,
    model: Model,
    last: Option<Batch>,
    /// Numbers of the batches that were written, by stream.
    written: BTreeMap<String, Vec<u64>>,
    /// Snapshots of earlier steps with what they held; they must not change.
    kept: Vec<(Arc<Snapshot>, Model)>,
}

impl Run {
    fn new(path: PathBuf) -> Self {
        Self {
            collection: Some(Collection::open(&path).unwrap()),
            path,
            model: Model::default(),
            last: None,
            written: BTreeMap::new(),
            kept: Vec::new(),
        }
    }

    fn collection(&self) -> &Collection {
        self.collection.as_ref().unwrap()
    }

    fn take(&mut self, step: &Step) {
        let living: Vec<String> = self.model.documents.keys().cloned().collect();
        match *step {
            Step::Upsert { seed, count } => {
                let operations = generate::upserts(&mut random(seed), count);
                self.write(seed, operations);
            }
            Step::Update { seed, count } => {
                let operations = generate::updates(&mut random(seed), count, &living);
                self.write(seed, operations);
            }
            Step::Delete { seed, count } => {
                let operations = generate::deletes(&mut random(seed), count);
                self.write(seed, operations);
            }
            Step::DeleteMatching { seed } => {
                let filter = generate::filter(&mut random(seed), 1)
                    .resolve(&naive::Names)
                    .unwrap();
                self.write(seed, vec![Operation::DeleteMatching(filter)]);
            }
            Step::UpdateMatching { seed } => {
                self.write(seed, vec![generate::matching_update(&mut random(seed))]);
            }
            Step::Conditional { seed } => {
                let operations = generate::conditional(&mut random(seed), &self.model.documents);
                self.write(seed, operations);
            }
            Step::Mixed { seed } => {
                let operations = generate::mixed(&mut random(seed), &living);
                self.write(seed, operations);
            }
            Step::Retry { seed } => self.retry(seed),
            Step::Merge => {
                self.collection().merge().unwrap();
                self.model.ghosts = false;
                assert!(
                    self.collection().snapshot().n_segments() <= 1,
                    "after a merge"
                );
            }
            Step::Reopen => {
                let before = self.collection().snapshot().sequence();
                drop(self.collection.take());
                self.collection = Some(Collection::open(&self.path).unwrap());
                assert_eq!(self.collection().snapshot().sequence(), before);
            }
        }
    }

    /// Writes a batch to both, half of them as the next of one of two streams.
    fn write(&mut self, seed: u64, operations: Vec<Operation>) {
        let position = seed.is_multiple_of(2).then(|| {
            let stream = format!("stream {}", seed / 2 % 2);
            let batch = self.model.streams.get(&stream).map_or(0, |last| last.0) + 1 + seed / 4 % 2;
            StreamPosition { stream, batch }
        });
        let expected = self.model.apply(&operations);
        let answer = self
            .collection()
            .write(operations.clone(), position.clone());
        match (answer, expected) {
            (Ok(written), Ok(expected)) => {
                let found = Applied {
                    upserted: written.upserted,
                    deleted: written.deleted,
                    existing: written.existing,
                };
                assert_eq!((found, written.duplicate), (expected, false));
                let sequence = self.collection().snapshot().sequence();
                assert!(
                    sequence >= written.sequence,
                    "acknowledged with sequence {}, the snapshot is of {sequence}",
                    written.sequence
                );
                if let Some(position) = position {
                    let last = (position.batch, written.sequence);
                    self.model.streams.insert(position.stream.clone(), last);
                    let written = self.written.entry(position.stream.clone()).or_default();
                    written.push(position.batch);
                    self.last = Some((operations, Some(position)));
                }
            }
            (Err(error), Err(kind)) => assert_eq!(error.kind(), kind, "{error}"),
            (answer, expected) => panic!("{answer:?}, expected {expected:?}: {operations:?}"),
        }
    }

    fn retry(&mut self, seed: u64) {
        let Some((operations, Some(mut position))) = self.last.clone() else {
            return;
        };
        let (_, sequence) = self.model.streams[&position.stream];
        // Any batch that was written is recognised, not only the last.
        let written = &self.written[&position.stream];
        position.batch = written[usize::try_from(seed).unwrap() % written.len()];
        let written = self.collection().write(operations, Some(position)).unwrap();
        let expected = Written {
            sequence,
            duplicate: true,
            ..Written::default()
        };
        assert_eq!(written, expected);
    }

    /// Asks both the same questions.
    fn check(&mut self, seed: u64) {
        let mut random = random(seed);
        let snapshot = self.collection().snapshot();
        let checked = Checked::new(&snapshot, &self.model);
        checked.versions();
        checked.statistics(&generate::filter(&mut random, 1));
        for filter in [Filter::All, generate::filter(&mut random, 1)] {
            check_facets(&snapshot, &self.model, &filter, &mut random);
        }
        for _ in 0..8 {
            checked.filter(&generate::filter(&mut random, 3));
        }
        for at in 0..8 {
            let limit = [1, 3, 10, 1000][at % 4];
            checked.query(&generate::query(&mut random, 2), &Filter::All, limit);
        }
        let across = Filter::Or(vec![
            Filter::Named(Name::Through {
                sae: "second".into(),
                filter: Box::new(generate::filter(&mut random, 1)),
            }),
            generate::filter(&mut random, 1),
        ]);
        let across = across.resolve(&naive::Names).unwrap();
        assert_eq!(
            snapshot.count(&across).unwrap(),
            self.model.matching(&across).len() as u64,
            "{across:?}"
        );
        for space in [1, 2] {
            let other = self.model.through(space);
            let through = snapshot.in_space(space).unwrap();
            let checked = Checked::new(&through, &other);
            checked.statistics(&generate::filter(&mut random, 1));
            check_facets(&through, &other, &Filter::All, &mut random);
            checked.filter(&generate::filter(&mut random, 2));
            checked.query(&generate::query(&mut random, 2), &Filter::All, 10);
        }
        if let Some((snapshot, model)) = self.kept.first() {
            let checked = Checked::new(snapshot, model);
            checked.filter(&generate::filter(&mut random, 2));
            checked.query(&generate::query(&mut random, 1), &Filter::All, 10);
        }
        if self.kept.len() > 1 {
            self.kept.remove(0);
        }
        if random.random_bool(0.4) {
            self.kept.push((snapshot, self.model.clone()));
        }
    }
}

/// Sequences tried unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 40;

#[test]
fn every_answer_is_the_oracles() {
    let seed: u64 = match std::env::var("LATENTDB_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    let cases = std::env::var("PROPTEST_CASES").ok();
    let config = Config {
        cases: cases.map_or(CASES, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        max_shrink_iters: 200,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let steps = (proptest::collection::vec(step(), 1..16), any::<u64>());
    let result = TestRunner::new_with_rng(config, random).run(&steps, |(steps, seed)| {
        let directory = tempfile::tempdir().unwrap();
        let mut run = Run::new(directory.path().join("collection"));
        for (at, step) in (0..).zip(&steps) {
            run.take(step);
            run.check(seed.wrapping_add(at));
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("LATENTDB_SEED={seed}: {error}");
    }
}
