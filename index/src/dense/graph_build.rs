//! Builds a segment's graph with `hnsw_rs`, checks it, and freezes it into a file.

use hnsw_rs::prelude::{Distance, Hnsw};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use rayon::prelude::*;

use super::DenseReader;
use super::codes::Codes;
use super::graph::{GraphParts, UpperNode};
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

/// 1 - cosine of two rows by their codes, kept from falling below 0 by rounding. A point is the
/// number of its row: the builder holds no vectors of its own.
#[derive(Clone, Copy)]
struct CosineDistance<'a>(Codes<'a>);

impl Distance<u32> for CosineDistance<'_> {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        (1.0 - self.0.cosine(a[0] as usize, b[0] as usize)).max(0.0)
    }
}

/// The file of a graph over all rows of `vectors`. `proceed` is asked before each batch of rows;
/// its error ends the work.
///
/// Rows go in shuffled: in topic order, the graph falls apart into islands.
pub(crate) fn build_graph(
    vectors: &DenseReader,
    settings: GraphSettings,
    pool: &rayon::ThreadPool,
    proceed: &dyn Fn() -> Result<()>,
) -> Result<Vec<u8>> {
    let n_rows = vectors.n_rows();
    let rows = u32::try_from(n_rows)
        .map_err(|_| Error::internal("a segment has more rows than a graph holds"))?;
    let mut order: Vec<u32> = (0..rows).collect();
    order.shuffle(&mut StdRng::seed_from_u64(n_rows as u64));
    let hnsw = Hnsw::<u32, CosineDistance>::new(
        settings.max_neighbours,
        n_rows,
        16,
        settings.ef_construction,
        CosineDistance(vectors.codes()),
    );
    let insert = |row: &u32| hnsw.insert((std::slice::from_ref(row), *row as usize));
    let mut inserted = 0;
    for batch in order.chunks(INSERT_BATCH) {
        proceed()?;
        // The first points go in one by one, so that no two of them miss each other.
        let alone = if inserted == 0 {
            batch.len().min(64)
        } else {
            0
        };
        batch[..alone].iter().for_each(insert);
        pool.install(|| batch[alone..].par_iter().for_each(insert));
        inserted += batch.len();
    }
    freeze(&hnsw, n_rows)
}

fn freeze(hnsw: &Hnsw<u32, CosineDistance>, n_rows: usize) -> Result<Vec<u8>> {
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
