//! The graph of a segment: found, used, obeyed and repaired.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use latentdb_index::filter::Shape;
use latentdb_index::query::{DEFAULT_EF, Hit, Kind, Nearest, Ranking, execute};
use latentdb_index::{Collection, Document, Filter, Operation, Query, Snapshot, Value};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::generate::random;

/// Enough for a graph, also when a tenth is deleted or filtered out.
const ROWS: usize = 22_400;
const DIMENSION: usize = 8;
const QUERIES: usize = 100;

/// Vectors around a few hundred centres, in the order of the centres: as topics come.
fn vectors() -> Vec<Vec<f32>> {
    let mut random = random(3);
    let mut around = |centre: &[f32], spread: f32| -> Vec<f32> {
        let noise = |random: &mut StdRng| random.random_range(-spread..spread);
        centre
            .iter()
            .map(|value| value + noise(&mut random))
            .collect()
    };
    let centres: Vec<Vec<f32>> = (0..200).map(|_| around(&[0.0; DIMENSION], 1.0)).collect();
    (0..ROWS)
        .map(|row| around(&centres[row * centres.len() / ROWS], 0.4))
        .collect()
}

fn write(collection: &Collection, vectors: &[Vec<f32>]) {
    // Two segments that are both too small for a graph: the background merges them first.
    for half in [0..ROWS / 2, ROWS / 2..ROWS] {
        let operations = half.map(|row| {
            let mut document = Document::new(row.to_string());
            document.vector = Some(vectors[row].clone());
            document
                .attributes
                .insert("tenth".into(), Value::Integer((row % 10) as i64));
            Operation::Upsert(Box::new(document))
        });
        collection.write(operations.collect(), None).unwrap();
    }
}

fn wait_for_graph(collection: &Collection) {
    let started = Instant::now();
    loop {
        let (rows, covered) = collection.snapshot().graph_coverage();
        if rows > 0 && rows == covered {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(300),
            "{covered} of {rows}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn nearest(snapshot: &Snapshot, vector: &[f32], filter: &Filter, exact: bool) -> Ranking {
    let kind = Kind::Nearest(Nearest {
        vector: vector.to_vec(),
        exact,
        ef: DEFAULT_EF,
    });
    let query = Query::new(kind).filtered(filter.clone());
    let shape = Shape {
        dimension: Some(DIMENSION),
        n_latents: None,
        ..Shape::default()
    };
    let resolved = query.resolve(&shape);
    execute(&resolved.unwrap(), snapshot, 10).unwrap()
}

/// Recall at 10 against the exact search; every hit must have its exact score and pass `valid`.
fn recall(
    snapshot: &Snapshot,
    vectors: &[Vec<f32>],
    filter: &Filter,
    access: &str,
    valid: &dyn Fn(usize) -> bool,
) -> f64 {
    let mut random = random(9);
    let mut found = 0;
    for _ in 0..QUERIES {
        let query: Vec<f32> = (0..DIMENSION)
            .map(|_| random.random_range(-1.0..1.0))
            .collect();
        let exact = nearest(snapshot, &query, filter, true);
        assert_eq!(exact.plan.access, "scan");
        let graph = nearest(snapshot, &query, filter, false);
        assert_eq!(graph.plan.access, access);
        assert_eq!((exact.hits.len(), graph.hits.len()), (10, 10));
        for hit in exact.hits.iter().chain(&graph.hits) {
            let row: usize = snapshot.id(hit.doc).unwrap().parse().unwrap();
            assert!(valid(row), "row {row} is filtered out or deleted");
            let cosine = crate::naive::cosine(&query, &vectors[row]);
            assert!((f64::from(hit.score) - cosine).abs() < 1e-5);
        }
        let holds = |hit: &&Hit| exact.hits.iter().any(|other| other.doc == hit.doc);
        found += graph.hits.iter().filter(holds).count();
    }
    found as f64 / (10 * QUERIES) as f64
}

fn graph_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("graphs")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_graph_is_found_used_obeyed_and_repaired() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let vectors = vectors();
    let collection = Collection::open(path).unwrap();
    write(&collection, &vectors);
    let before = collection.snapshot();
    assert_eq!(before.graph_coverage(), (ROWS as u64, 0));
    wait_for_graph(&collection);

    let snapshot = collection.snapshot();
    assert_eq!(snapshot.n_segments(), 1, "small segments were merged");
    let all = recall(&snapshot, &vectors, &Filter::All, "graph", &|_| true);
    assert!(all >= 0.95, "recall {all}");
    let most = Filter::equals("tenth", Value::Integer(3)).negate();
    let filtered = recall(&snapshot, &vectors, &most, "graph", &|row| row % 10 != 3);
    assert!(filtered >= 0.95, "recall under a filter {filtered}");
    let few = Filter::equals("tenth", Value::Integer(3));
    let scanned = recall(&snapshot, &vectors, &few, "scan", &|row| row % 10 == 3);
    assert_eq!(scanned, 1.0);
    // The snapshot from before the graph still scans.
    assert_eq!(
        recall(&before, &vectors, &Filter::All, "scan", &|_| true),
        1.0
    );

    let gone = Filter::equals("tenth", Value::Integer(7));
    collection
        .write(vec![Operation::DeleteMatching(gone)], None)
        .unwrap();
    let living = collection.snapshot();
    let left = recall(&living, &vectors, &Filter::All, "graph", &|row| {
        row % 10 != 7
    });
    assert!(left >= 0.95, "recall after deletes {left}");
    drop((collection, snapshot, before, living));

    damaged_or_missing(path, &vectors);
}

/// Continues with the collection above, a tenth of it deleted.
fn damaged_or_missing(path: &Path, vectors: &[Vec<f32>]) {
    let valid = |row: usize| row % 10 != 7;
    let files = graph_files(path);
    let [file] = &files[..] else {
        panic!("one graph was built: {files:?}");
    };
    let good = fs::read(file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bad in [&flipped[..], &good[..good.len() - 4], &[]] {
        fs::write(file, bad).unwrap();
        let collection = Collection::open(path).unwrap();
        let snapshot = collection.snapshot();
        assert_eq!(snapshot.graph_coverage(), (ROWS as u64, 0));
        assert_eq!(
            recall(&snapshot, vectors, &Filter::All, "scan", &valid),
            1.0
        );
    }
    fs::write(file, &good).unwrap();
    let collection = Collection::open(path).unwrap();
    let snapshot = collection.snapshot();
    assert_eq!(snapshot.graph_coverage(), (ROWS as u64, ROWS as u64));
    let reopened = recall(&snapshot, vectors, &Filter::All, "graph", &valid);
    assert!(reopened >= 0.95, "recall after reopening {reopened}");
    drop((collection, snapshot));

    fs::remove_file(file).unwrap();
    let collection = Collection::open(path).unwrap();
    assert_eq!(collection.snapshot().graph_coverage().1, 0);
    wait_for_graph(&collection);
    let rebuilt = recall(
        &collection.snapshot(),
        vectors,
        &Filter::All,
        "graph",
        &valid,
    );
    assert!(rebuilt >= 0.95, "recall after rebuilding {rebuilt}");

    // A merge makes a new segment; the graph of the old one goes when the new one is ready.
    collection.merge().unwrap();
    assert_eq!(collection.snapshot().graph_coverage().1, 0);
    wait_for_graph(&collection);
    // It goes right behind: the new one is seen a moment before.
    let shown = Instant::now();
    while graph_files(path).len() != 1 {
        assert!(
            shown.elapsed() < Duration::from_secs(60),
            "the graph of a dead segment stays behind"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let merged = recall(
        &collection.snapshot(),
        vectors,
        &Filter::All,
        "graph",
        &valid,
    );
    assert!(merged >= 0.95, "recall after merging {merged}");
}
