//! The first rows of a graph, and its layers above 0, by `hnsw_rs`.

use hnsw_rs::prelude::{Distance, Hnsw};
use rayon::prelude::*;

use super::file::UpperNode;
use super::settings::GraphSettings;
use crate::dense::codes::Codes;
use crate::error::{Error, Result};

/// Rows handed to the builder between two checks for cancellation.
const INSERT_BATCH: usize = 2048;
/// Rows that go in one by one, so that no two of them miss each other.
const ALONE: usize = 64;

/// 1 - cosine of two rows by their codes, kept from falling below 0 by rounding. A point is the
/// number of its row: the builder holds no vectors of its own.
#[derive(Clone, Copy)]
struct CosineDistance<'a>(Codes<'a>);

impl Distance<u32> for CosineDistance<'_> {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        (1.0 - self.0.cosine(a[0] as usize, b[0] as usize)).max(0.0)
    }
}

/// A graph over some rows.
pub(super) struct Seed {
    /// The links of each row in layer 0.
    pub ground: Vec<(u32, Vec<u32>)>,
    pub upper: Vec<UpperNode>,
    /// The row where a search starts, in the top layer.
    pub entry: u32,
    pub top: u32,
}

/// Builds a graph over `rows`, which are in no order: in the order of topics, it falls apart into islands. `proceed` is
/// asked before each batch of rows; its error ends the work.
pub(super) fn build_seed(
    codes: Codes,
    rows: &[u32],
    settings: &GraphSettings,
    proceed: &dyn Fn() -> Result<()>,
) -> Result<Seed> {
    let hnsw = Hnsw::<u32, CosineDistance>::new(
        settings.max_neighbours,
        rows.len(),
        16,
        settings.ef_construction,
        CosineDistance(codes),
    );
    let insert = |row: &u32| hnsw.insert((std::slice::from_ref(row), *row as usize));
    let (alone, rest) = rows.split_at(rows.len().min(ALONE));
    alone.iter().for_each(insert);
    for batch in rest.chunks(INSERT_BATCH) {
        proceed()?;
        batch.par_iter().for_each(insert);
    }
    let row = |id: usize| {
        u32::try_from(id).map_err(|_| Error::internal("a segment has more rows than a graph holds"))
    };
    let mut seed = Seed {
        ground: Vec::with_capacity(rows.len()),
        upper: Vec::new(),
        entry: 0,
        top: 0,
    };
    for point in hnsw.get_point_indexation() {
        let node = row(point.get_origin_id())?;
        let level = u32::from(point.get_point_id().0);
        if level >= seed.top {
            seed.top = level;
            seed.entry = node;
        }
        for (layer, neighbours) in (0..=level).zip(point.get_neighborhood_id()) {
            let neighbours = neighbours
                .iter()
                .map(|neighbour| row(neighbour.get_origin_id()))
                .collect::<Result<Vec<u32>>>()?;
            if layer == 0 {
                seed.ground.push((node, neighbours));
            } else {
                seed.upper.push(UpperNode {
                    layer,
                    node,
                    neighbours,
                });
            }
        }
    }
    Ok(seed)
}
