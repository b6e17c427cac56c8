//! Graphs in parts, taken along, and over vectors that lie badly.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::file::NO_NODE;
use super::reach::unreached;
use super::*;
use crate::dense::{DenseReader, GraphSettings, GrowingGraph, carry};

const DIMENSION: usize = 24;

fn settings() -> GraphSettings {
    GraphSettings {
        seed_rows: 500,
        ..GraphSettings::default()
    }
}

fn noisy(random: &mut StdRng, centre: &[f32], spread: f32) -> Vec<f32> {
    let mut noise = || random.random_range(-spread..=spread);
    centre.iter().map(|value| value + noise()).collect()
}

/// Rows around some centres, in the order of the centres: as topics come.
fn rows(count: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = StdRng::seed_from_u64(seed);
    let centres: Vec<Vec<f32>> = (0..30)
        .map(|_| noisy(&mut random, &[0.0; DIMENSION], 1.0))
        .collect();
    (0..count)
        .map(|row| noisy(&mut random, &centres[row * centres.len() / count], 0.5))
        .collect()
}

fn opened(growing: &mut GrowingGraph, n_rows: usize) -> Graph {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.graph");
    std::fs::write(&path, growing.freeze()).unwrap();
    Graph::open(&path, n_rows).unwrap()
}

fn whole(vectors: &Arc<DenseReader>) -> Graph {
    let mut growing = GrowingGraph::new(vectors.clone(), settings()).unwrap();
    growing.grow(usize::MAX, &|| Ok(())).unwrap();
    assert_eq!(growing.missing(), 0);
    opened(&mut growing, vectors.n_rows())
}

/// Every node can be reached from the entry and the layers above.
fn assert_reachable(graph: &Graph) {
    let n_rows = graph.file.n_nodes as u32;
    let is_node = |row: &u32| !graph.missing.contains(*row) && graph.twins.node_of(*row) == *row;
    let above = graph.file.upper_nodes().into_iter().map(|node| node.node);
    let entries = above.chain([graph.file.entry]);
    let lost = unreached(
        &graph.file,
        (0..n_rows).filter(is_node),
        entries,
        n_rows as usize,
    );
    assert_eq!(lost, [0; 0]);
}

/// The share of hits that are as similar, but for the tolerance, as the tenth best of the rows that pass.
fn recall(
    graph: &Graph,
    vectors: &DenseReader,
    passes: Option<&dyn Fn(u32) -> bool>,
    tolerance: f32,
) -> f64 {
    let mut random = StdRng::seed_from_u64(77);
    let all: Vec<u32> = (0..vectors.n_rows() as u32).collect();
    let passing: Vec<u32> = match passes {
        Some(passes) => all.into_iter().filter(|row| passes(*row)).collect(),
        None => all,
    };
    let contains = |row: u32| passing.binary_search(&row).is_ok();
    let examples = |count: u64| {
        let step = (passing.len() / count as usize).max(1);
        passing.iter().step_by(step).copied().collect()
    };
    let rows = PassingRows {
        contains: &contains,
        examples: &examples,
        count: passing.len() as u64,
    };
    let cosine = |unit: &[f32], row: u32| {
        dot(unit, vectors.vector(row as usize)) * vectors.reciprocal_norms()[row as usize]
    };
    let (mut found, mut asked) = (0, 0);
    for _ in 0..100 {
        let row = random.random_range(0..vectors.n_rows());
        let unit = crate::vector::unit(&noisy(&mut random, vectors.vector(row), 0.3));
        let mut exact: Vec<f32> = passing.iter().map(|row| cosine(&unit, *row)).collect();
        exact.sort_by(|a, b| b.total_cmp(a));
        let rows = passes.map(|_| &rows);
        let Some((hits, _)) = graph.search(vectors, &unit, 10, 100, rows) else {
            continue;
        };
        assert!(hits.iter().all(|hit| contains(hit.doc)));
        let least = exact[9] - tolerance;
        found += hits.iter().filter(|hit| hit.score >= least).count();
        asked += 10;
    }
    assert!(asked >= 500, "{asked}");
    found as f64 / asked as f64
}

#[test]
fn a_graph_serves_what_is_built_and_grows_on() {
    let vectors = Arc::new(DenseReader::of_rows(&rows(4000, 1)));
    let mut growing = GrowingGraph::new(vectors.clone(), settings()).unwrap();
    growing.grow(700, &|| Ok(())).unwrap();
    let part = opened(&mut growing, 4000);
    assert_eq!(part.known() + part.missing().len(), 4000);
    assert!((700..2000).contains(&part.known()), "{}", part.known());
    assert_reachable(&part);
    let knows = |row: u32| !part.missing().contains(row);
    let (hits, _) = part
        .search(&vectors, &[1.0; DIMENSION], 50, 100, None)
        .unwrap();
    assert_eq!(hits.len(), 50);
    assert!(hits.iter().all(|hit| knows(hit.doc)));
    let mut resumed = GrowingGraph::resume(vectors.clone(), settings(), &part).unwrap();
    assert_eq!(resumed.missing() as u64, part.missing().len());
    resumed.grow(usize::MAX, &|| Ok(())).unwrap();
    let graph = opened(&mut resumed, 4000);
    assert_eq!(graph.known(), 4000);
    assert_reachable(&graph);
    assert!(recall(&graph, &vectors, None, 1e-6) > 0.98);
}

#[test]
fn filters_find_what_passes_near_and_far() {
    let vectors = Arc::new(DenseReader::of_rows(&rows(16_000, 2)));
    let graph = whole(&vectors);
    for tenths in [2, 5, 9] {
        let passes = |row: u32| row.wrapping_mul(2_654_435_761) >> 16 & 1023 < tenths * 102;
        let found = recall(&graph, &vectors, Some(&passes), 1e-6);
        assert!(found > 0.95, "{tenths}: {found}");
    }
    // A few topics alone: most queries lie among rows none of which passes.
    let found = recall(&graph, &vectors, Some(&|row| row < 3200), 1e-6);
    assert!(found > 0.9, "{found}");
}

#[test]
fn equal_and_nearly_equal_vectors_are_found() {
    let mut all = rows(4000, 3);
    let (same, near) = (all[10].clone(), all[2000].clone());
    let mut random = StdRng::seed_from_u64(4);
    for row in 0..1000 {
        all[row * 4] = same.clone();
        all[row * 4 + 1] = noisy(&mut random, &near, 1e-4);
    }
    let vectors = Arc::new(DenseReader::of_rows(&all));
    let graph = whole(&vectors);
    assert_eq!(graph.known(), 4000);
    assert_reachable(&graph);
    assert!(recall(&graph, &vectors, None, 1e-3) > 0.97);
    let (hits, _) = graph
        .search(&vectors, &crate::vector::unit(&same), 900, 900, None)
        .unwrap();
    assert!(hits.len() == 900 && hits.iter().all(|hit| hit.score > 0.9999));
}

#[test]
fn a_merge_takes_the_graph_along() {
    let old = rows(3000, 5);
    let graph = whole(&Arc::new(DenseReader::of_rows(&old)));
    // Of the old rows a tenth is gone; others stand before them.
    let before = rows(400, 6);
    let kept: Vec<usize> = (0..old.len()).filter(|row| row % 10 != 3).collect();
    let mut moved = vec![NO_NODE; old.len()];
    for (at, &row) in kept.iter().enumerate() {
        moved[row] = (before.len() + at) as u32;
    }
    let mut merged = before.clone();
    merged.extend(kept.iter().map(|&row| old[row].clone()));
    let vectors = Arc::new(DenseReader::of_rows(&merged));
    let mut growing = carry(&graph, &moved, &vectors, settings())
        .unwrap()
        .unwrap();
    assert_eq!(growing.missing(), before.len());
    let carried = opened(&mut growing, merged.len());
    assert_eq!(carried.known() as usize, kept.len());
    assert_reachable(&carried);
    let was_there = |row: u32| row as usize >= before.len();
    let found = recall(&carried, &vectors, Some(&was_there), 1e-6);
    assert!(found > 0.95, "{found}");
    growing.grow(usize::MAX, &|| Ok(())).unwrap();
    let graph = opened(&mut growing, merged.len());
    assert_eq!(graph.known() as usize, merged.len());
    assert_reachable(&graph);
    assert!(recall(&graph, &vectors, None, 1e-6) > 0.97);
    // Too little is left of it.
    assert!(
        carry(&graph, &[NO_NODE; 10], &vectors, settings())
            .unwrap()
            .is_none()
    );
}

#[test]
fn building_ends_where_it_is_called_off() {
    let vectors = Arc::new(DenseReader::of_rows(&rows(3000, 8)));
    let mut growing = GrowingGraph::new(vectors, settings()).unwrap();
    let stopped = || Err(crate::error::Error::cancelled());
    assert!(growing.grow(usize::MAX, &stopped).is_err());
    // What was not inserted is still to be.
    growing.grow(usize::MAX, &|| Ok(())).unwrap();
    assert_eq!(growing.missing(), 0);
    assert_eq!(opened(&mut growing, 3000).known(), 3000);
}
