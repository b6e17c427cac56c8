//! Graphs while writes go on, and where they cannot be written.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use latentdb_index::{Collection, Document, Operation, Snapshot};
use rand::RngExt;

use crate::generate::random;
use crate::graph::nearest;

const ROWS: usize = 24_000;
const DIMENSION: usize = 8;

fn upsert(id: String, random: &mut rand::rngs::StdRng) -> Operation {
    let mut document = Document::new(id);
    let values = (0..DIMENSION).map(|_| random.random_range(-1.0..1.0));
    document.vector = Some(values.collect());
    Operation::Upsert(Box::new(document))
}

fn load(collection: &Collection) {
    let mut random = random(21);
    let operations = (0..ROWS).map(|row| upsert(row.to_string(), &mut random));
    collection.write(operations.collect(), None).unwrap();
}

fn wait(collection: &Collection, until: impl Fn(&Collection) -> bool) {
    let started = Instant::now();
    while !until(collection) {
        let waited = started.elapsed();
        let progress = collection.graph_progress();
        assert!(waited < Duration::from_secs(300), "{progress:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The best ten of a query by the graph are nearly those of a scan.
fn assert_finds(snapshot: &Snapshot, access: &str) {
    let mut random = random(22);
    let mut found = 0;
    for _ in 0..40 {
        let query: Vec<f32> = (0..DIMENSION)
            .map(|_| random.random_range(-1.0..1.0))
            .collect();
        let [exact, walked] = [true, false]
            .map(|exact| nearest(snapshot, &query, &latentdb_index::Filter::All, exact));
        assert_eq!(walked.plan.access, access);
        let best = |doc| exact.hits.iter().any(|hit| hit.doc == doc);
        found += walked.hits.iter().filter(|hit| best(hit.doc)).count();
    }
    assert!(found > 380, "{found} of 400");
}

#[test]
fn a_graph_is_built_while_writes_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    load(&collection);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = random(23);
            let mut at = 0;
            // Never quiet for as long as a graph once waited.
            while !done.load(Ordering::Relaxed) {
                let write = vec![upsert(format!("late-{at}"), &mut random)];
                collection.write(write, None).unwrap();
                at += 1;
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        wait(&collection, |collection| {
            collection.snapshot().graph_coverage().1 >= ROWS as u64
        });
        done.store(true, Ordering::Relaxed);
    });
    assert_finds(&collection.snapshot(), "graph+scan");
    let progress = collection.graph_progress();
    assert_eq!((progress.share, progress.failure), (1.0, None));
}

#[test]
fn a_merge_leaves_no_time_without_a_graph() {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    load(&collection);
    wait(&collection, |collection| {
        collection.graph_progress().share == 1.0
    });
    let mut random = random(24);
    let deleted = (0..3000).map(|row| (row * 7).to_string()).collect();
    let mut operations = vec![Operation::Delete(deleted)];
    operations.extend((0..2000).map(|row| upsert(format!("new-{row}"), &mut random)));
    collection.write(operations, None).unwrap();
    collection.merge().unwrap();
    wait(&collection, |collection| {
        collection.graph_progress().share == 1.0
    });
    let snapshot = collection.snapshot();
    assert_eq!(snapshot.graph_coverage(), (23_000, 23_000));
    assert_finds(&snapshot, "graph");
    let graphs = fs::read_dir(directory.path().join("graphs")).unwrap();
    assert_eq!(graphs.count(), 1);
}

#[test]
fn where_a_graph_cannot_be_written_scans_go_on_and_the_reason_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    let graphs = directory.path().join("graphs");
    fs::remove_dir(&graphs).unwrap();
    fs::write(&graphs, "in the way").unwrap();
    load(&collection);
    wait(&collection, |collection| {
        collection.graph_progress().failure.is_some()
    });
    assert!(collection.graph_progress().share < 1.0);
    assert_finds(&collection.snapshot(), "scan");
    fs::remove_file(&graphs).unwrap();
    fs::create_dir(&graphs).unwrap();
    wait(&collection, |collection| {
        collection.graph_progress().share == 1.0
    });
    assert_eq!(collection.graph_progress().failure, None);
    assert_finds(&collection.snapshot(), "graph");
}
