//! The graph of a segment: a flat adjacency in a memory map, searched together with the vectors.
//!
//! `seed` builds the first rows with `hnsw_rs`, `grow` inserts rows into what there is, `carry` takes a graph along
//! when its segment is merged; `file` holds the format, `walk` the search.

mod carry;
mod file;
mod grow;
mod reach;
mod seed;
mod settings;
#[cfg(test)]
mod tests;
mod twins;
mod walk;

use std::path::Path;

use roaring::RoaringBitmap;

use super::{CodedQuery, DenseReader};
use crate::error::Result;
use crate::rank::{ScoredDoc, TopK};
use crate::vector::dot;
use file::GraphFile;
use twins::Twins;
use walk::{Visited, walk, walk_among};

pub(crate) use carry::carry;
pub(crate) use grow::GrowingGraph;
pub(crate) use settings::GraphSettings;

/// Nodes that a filtered search starts from, spread over those that pass.
const SPREAD_ENTRIES: u64 = 24;
/// Nodes nearest to the query, passing or not, that it starts from.
const NEAR_ENTRIES: usize = 32;

/// An open graph, over all rows of a segment or some of them.
pub(crate) struct Graph {
    file: GraphFile,
    twins: Twins,
    missing: RoaringBitmap,
}

/// The rows that a search may find.
pub(crate) struct PassingRows<'a> {
    /// Whether a row is one of them.
    pub contains: &'a dyn Fn(u32) -> bool,
    /// Some of them, spread over all.
    pub examples: &'a dyn Fn(u64) -> Vec<u32>,
    /// How many there are.
    pub count: u64,
}

impl Graph {
    /// Opens a graph file and checks it against the number of rows it must have.
    pub fn open(path: &Path, n_rows: usize) -> Result<Self> {
        let file = GraphFile::open(path, n_rows)?;
        Ok(Self {
            twins: Twins::new(file.twins().collect()),
            missing: file.missing().iter().copied().collect(),
            file,
        })
    }

    /// Rows that the graph does not know: they are to be compared one by one.
    pub fn missing(&self) -> &RoaringBitmap {
        &self.missing
    }

    /// How many rows it knows.
    pub fn known(&self) -> u64 {
        self.file.n_nodes as u64 - self.missing.len()
    }

    /// The documents nearest to `unit` (unit norm) by cosine among the rows that the graph knows: best-first search of
    /// layer 0 with a beam of `ef` rows, entered through the layers above. The walk compares codes; what the beam has
    /// kept is scored by the vectors.
    ///
    /// With `passing` only these rows are found; `None` when that would compare a good part of them. Returns at most
    /// `k` hits, best first, and the number of rows compared.
    pub fn search(
        &self,
        vectors: &DenseReader,
        unit: &[f32],
        k: usize,
        ef: usize,
        passing: Option<&PassingRows>,
    ) -> Option<(Vec<ScoredDoc>, usize)> {
        if self.known() == 0 {
            return Some((Vec::new(), 0));
        }
        let query = vectors.codes().query(unit);
        let mut beam = TopK::new(ef.max(k).max(1));
        let (entry, above) = self.descend(&query);
        let compared = match passing {
            None => self.walk(&query, entry, &mut beam),
            Some(passing) => self.walk_among(&query, entry, passing, &mut beam)?,
        };
        let norms = vectors.reciprocal_norms();
        let mut top = TopK::new(k);
        for kept in beam.into_sorted() {
            let row = kept.doc as usize;
            let score = dot(unit, vectors.vector(row)) * norms[row];
            top.push(vectors.doc_of(row), score);
        }
        Some((top.into_sorted(), above + compared))
    }

    fn walk(&self, query: &CodedQuery, entry: ScoredDoc, beam: &mut TopK) -> usize {
        let offer = |beam: &mut TopK, node: u32, score: f32| {
            beam.push(node, score);
            for row in self.twins.of(node) {
                beam.push(row, score);
            }
        };
        Visited::with(self.file.n_nodes, |visited| {
            walk(&self.file, query, entry, visited, offer, beam)
        })
    }

    /// The walk among the rows that pass starts from what is nearest, whether it passes or not, and from all around.
    fn walk_among(
        &self,
        query: &CodedQuery,
        entry: ScoredDoc,
        passing: &PassingRows,
        beam: &mut TopK,
    ) -> Option<usize> {
        let mut near = TopK::new(NEAR_ENTRIES);
        let compared = Visited::with(self.file.n_nodes, |visited| {
            let offer = |near: &mut TopK, node: u32, score: f32| near.push(node, score);
            walk(&self.file, query, entry, visited, offer, &mut near)
        });
        let mut entries = near.into_sorted();
        let contains = passing.contains;
        let passes = |node: u32| contains(node) || self.twins.of(node).any(contains);
        let offer = |beam: &mut TopK, node: u32, score: f32| {
            if contains(node) {
                beam.push(node, score);
            }
            for row in self.twins.of(node).filter(|row| contains(*row)) {
                beam.push(row, score);
            }
        };
        for row in (passing.examples)(SPREAD_ENTRIES) {
            let node = self.twins.node_of(row);
            if !self.missing.contains(node) {
                let score = query.cosine(node as usize);
                entries.push(ScoredDoc { doc: node, score });
            }
        }
        // Half of what a scan compares.
        let limit = (passing.count / 2) as usize;
        let width = self.file.stride;
        let among = Visited::with(self.file.n_nodes, |visited| {
            let of_node = (passes, offer);
            walk_among(
                &self.file,
                query,
                &entries,
                of_node,
                visited,
                beam,
                (width, limit),
            )
        })?;
        Some(compared + entries.len() + among)
    }

    /// Goes down the layers above 0, each time to the neighbour that is nearest. Returns where it
    /// ends and the number of rows compared.
    fn descend(&self, query: &CodedQuery) -> (ScoredDoc, usize) {
        descend(query, (self.file.entry, self.file.top), |layer, node| {
            self.file.upper(layer, node)
        })
    }
}

/// Goes down the layers above 0 from the entry in the top layer, each time to the neighbour that is nearest.
fn descend<'a>(
    query: &CodedQuery,
    (entry, top): (u32, u32),
    neighbours: impl Fn(u32, u32) -> &'a [u32],
) -> (ScoredDoc, usize) {
    let score = |node: u32| ScoredDoc {
        doc: node,
        score: query.cosine(node as usize),
    };
    let mut compared = 1;
    let mut best = score(entry);
    for layer in (1..=top).rev() {
        loop {
            let before = best.doc;
            for &node in neighbours(layer, best.doc) {
                compared += 1;
                let found = score(node);
                if found.score > best.score {
                    best = found;
                }
            }
            if best.doc == before {
                break;
            }
        }
    }
    (best, compared)
}
