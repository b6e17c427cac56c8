//! Builds a segment's graph with `hnsw_rs`, checks it, and freezes it into a file.

use std::ops::ControlFlow;

use hnsw_rs::prelude::{Distance, Hnsw};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};

use super::graph::{GraphParts, UpperNode};
use super::{DenseReader, dot};
use crate::error::{Error, Result};

/// Parameters of graph construction, in the terms of the HNSW paper (Malkov and Yashunin, 2018).
#[derive(Clone, Copy, Debug)]
pub(crate) struct GraphSettings {
    /// M: neighbours a node gets in a layer (layer 0 keeps twice as many).
    pub max_neighbours: usize,
    /// efConstruction: the beam of insertion.
    pub ef_construction: usize,
}

impl Default for GraphSettings {
    fn default() -> Self {
        Self {
            max_neighbours: 16,
            ef_construction: 200,
        }
    }
}

/// Rows handed to the builder between two checks for cancellation.
const INSERT_BATCH: usize = 2048;

/// 1 - cosine of unit vectors, kept from falling below 0 by rounding.
#[derive(Clone, Copy)]
struct CosineDistance;

impl Distance<f32> for CosineDistance {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - dot(a, b)).max(0.0)
    }
}

/// The file of a graph over all rows of `vectors`. `proceed` is asked between batches with the
/// number of rows inserted; `Break` gives the work up as `Cancelled`.
///
/// Rows go in shuffled: in topic order, the graph falls apart into islands (GUIDE, hnsw_rs facts).
pub(crate) fn build_graph(
    vectors: &DenseReader,
    settings: GraphSettings,
    pool: &rayon::ThreadPool,
    proceed: &dyn Fn(usize) -> ControlFlow<()>,
) -> Result<Vec<u8>> {
    let n_rows = vectors.n_rows();
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.shuffle(&mut StdRng::seed_from_u64(n_rows as u64));
    let hnsw = Hnsw::<f32, CosineDistance>::new(
        settings.max_neighbours,
        n_rows,
        16,
        settings.ef_construction,
        CosineDistance,
    );
    let norms = vectors.reciprocal_norms();
    let mut inserted = 0;
    for batch in order.chunks(INSERT_BATCH) {
        if proceed(inserted).is_break() {
            return Err(Error::cancelled());
        }
        let unit: Vec<(Vec<f32>, usize)> = batch
            .iter()
            .map(|&row| {
                let scaled = vectors.vector(row).iter().map(|value| value * norms[row]);
                (scaled.collect(), row)
            })
            .collect();
        if inserted == 0 {
            // The first points go in one by one, so that no two of them miss each other.
            for (vector, row) in unit.iter().take(64) {
                hnsw.insert((vector, *row));
            }
        }
        let rest: Vec<(&Vec<f32>, usize)> = unit
            .iter()
            .skip(if inserted == 0 { 64 } else { 0 })
            .map(|(vector, row)| (vector, *row))
            .collect();
        pool.install(|| hnsw.parallel_insert(&rest));
        inserted += batch.len();
    }
    freeze(&hnsw, n_rows)
}

fn freeze(hnsw: &Hnsw<f32, CosineDistance>, n_rows: usize) -> Result<Vec<u8>> {
    let points = hnsw.get_point_indexation();
    let row = |id: usize| {
        u32::try_from(id).map_err(|_| Error::internal("a segment has more rows than a graph holds"))
    };
    let mut parts = GraphParts {
        ground: vec![Vec::new(); n_rows],
        upper: Vec::new(),
        entry: 0,
        top: 0,
    };
    for point in points {
        let node = row(point.get_origin_id())?;
        let level = u32::from(point.get_point_id().0);
        if level >= parts.top {
            parts.top = level;
            parts.entry = node;
        }
        for (layer, neighbours) in (0..=level).zip(point.get_neighborhood_id()) {
            let neighbours = neighbours
                .iter()
                .map(|neighbour| row(neighbour.get_origin_id()))
                .collect::<Result<Vec<u32>>>()?;
            if layer == 0 {
                parts.ground[node as usize] = neighbours;
            } else {
                parts.upper.push(UpperNode {
                    layer,
                    node,
                    neighbours,
                });
            }
        }
    }
    Ok(parts.freeze())
}
