//! Inserts rows into a graph, in parallel: the algorithm of the HNSW paper (Malkov and Yashunin, 2018) for layer 0, on
//! a flat adjacency and by the rows' codes. A graph begins with a seed that `hnsw_rs` builds, whose layers above 0
//! stay as they are: their nodes are a random sample of the rows, and lead every walk near its end.
//!
//! Readers of a row's links take no lock: they may see old links beside new ones, all of which are nodes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use rayon::prelude::*;

use super::file::{GraphParts, NO_NODE, Twin, UpperNode};
use super::reach::unreached;
use super::seed::build_seed;
use super::settings::GraphSettings;
use super::twins::find_twins;
use super::walk::{Links, Visited, walk};
use super::{Graph, descend};
use crate::dense::DenseReader;
use crate::dense::codes::Codes;
use crate::error::{Error, ErrorKind, Result};
use crate::rank::{ScoredDoc, TopK};

/// Links that a node may have beyond its limit until the furthest are dropped: sorting costs more than a link.
const SLACK: usize = 8;
/// Rows inserted between two checks for cancellation.
const INSERT_BATCH: usize = 1024;
/// Locks of nodes, shared by those whose numbers differ by a multiple.
const LOCKS: usize = 4096;
/// Rounds of linking nodes that nothing leads to.
const MENDING_ROUNDS: usize = 8;

/// A graph under construction.
pub(crate) struct GrowingGraph {
    vectors: Arc<DenseReader>,
    settings: GraphSettings,
    ground: Ground,
    upper: HashMap<(u32, u32), Vec<u32>>,
    entry: u32,
    top: u32,
    twins: Vec<Twin>,
    /// Rows still to be inserted, in no order, the next one last.
    missing: Vec<u32>,
}

/// Layer 0: room for the same number of links at each row.
struct Ground {
    links: Vec<AtomicU32>,
    slots: usize,
    locks: Vec<Mutex<()>>,
}

impl Ground {
    fn new(n_rows: usize, slots: usize) -> Result<Self> {
        let mut links = Vec::new();
        links.try_reserve_exact(n_rows * slots).map_err(|error| {
            Error::new(
                ErrorKind::ResourceExhausted,
                format!("memory holds no graph of {n_rows} vectors under construction"),
            )
            .with_source(error)
        })?;
        links.resize_with(n_rows * slots, || AtomicU32::new(NO_NODE));
        Ok(Self {
            links,
            slots,
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
        })
    }

    fn slots_of(&self, node: u32) -> &[AtomicU32] {
        &self.links[node as usize * self.slots..(node as usize + 1) * self.slots]
    }

    fn list(&self, node: u32) -> Vec<u32> {
        let mut list = Vec::with_capacity(self.slots);
        self.for_each(node, |next| list.push(next));
        list
    }

    /// Writes a list; whoever calls holds the node's lock, or is alone.
    fn set(&self, node: u32, list: &[u32]) {
        let filled = list.iter().copied().chain(std::iter::repeat(NO_NODE));
        for (slot, next) in self.slots_of(node).iter().zip(filled) {
            slot.store(next, Ordering::Relaxed);
        }
    }

    fn lock(&self, node: u32) -> parking_lot::MutexGuard<'_, ()> {
        self.locks[node as usize % LOCKS].lock()
    }
}

impl Links for Ground {
    fn for_each(&self, node: u32, mut visit: impl FnMut(u32)) {
        for slot in self.slots_of(node) {
            match slot.load(Ordering::Relaxed) {
                NO_NODE => break,
                next => visit(next),
            }
        }
    }
}

impl GrowingGraph {
    /// A graph of nothing yet.
    ///
    /// # Errors
    /// `ResourceExhausted` where memory holds no links for all rows.
    pub fn new(vectors: Arc<DenseReader>, settings: GraphSettings) -> Result<Self> {
        Self::of(vectors, settings, GraphParts::default())
    }

    /// The graph of a segment, to be completed.
    pub fn resume(
        vectors: Arc<DenseReader>,
        settings: GraphSettings,
        graph: &Graph,
    ) -> Result<Self> {
        let rows = 0..graph.file.n_nodes as u32;
        let parts = GraphParts {
            ground: rows.map(|row| graph.file.ground(row).to_vec()).collect(),
            upper: graph.file.upper_nodes(),
            entry: graph.file.entry,
            top: graph.file.top,
            twins: graph.file.twins().collect(),
            missing: graph.file.missing().to_vec(),
        };
        Self::of(vectors, settings, parts)
    }

    /// A graph whose nodes are the rows of `parts.ground` but for twins and missing ones; no rows there, none yet.
    pub(super) fn of(
        vectors: Arc<DenseReader>,
        settings: GraphSettings,
        parts: GraphParts,
    ) -> Result<Self> {
        let n_rows = u32::try_from(vectors.n_rows())
            .map_err(|_| Error::internal("a segment has more rows than a graph holds"))?;
        let ground = Ground::new(n_rows as usize, 2 * settings.max_neighbours + SLACK)?;
        let mut state = vec![State::Missing; n_rows as usize];
        for (row, list) in (0..).zip(&parts.ground) {
            state[row as usize] = State::Node;
            ground.set(row, list);
        }
        for &row in &parts.missing {
            state[row as usize] = State::Missing;
        }
        for twin in &parts.twins {
            state[twin.row as usize] = State::Twin;
        }
        let mut twins = parts.twins;
        let found = find_twins(
            vectors.codes(),
            n_rows,
            |row| state[row as usize] == State::Node,
            |row| state[row as usize] == State::Twin,
        );
        for twin in &found {
            state[twin.row as usize] = State::Twin;
        }
        twins.extend(found);
        let mut missing: Vec<u32> = (0..n_rows)
            .filter(|row| state[*row as usize] == State::Missing)
            .collect();
        missing.shuffle(&mut StdRng::seed_from_u64(u64::from(n_rows)));
        let upper = parts.upper.into_iter();
        Ok(Self {
            vectors,
            settings,
            ground,
            upper: upper
                .map(|node| ((node.layer, node.node), node.neighbours))
                .collect(),
            entry: parts.entry,
            top: parts.top,
            twins,
            missing,
        })
    }

    /// Rows that are still to be inserted.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    fn is_empty(&self) -> bool {
        self.missing.len() + self.twins.len() == self.vectors.n_rows()
    }

    /// Inserts about `rows` more rows on the threads of the calling pool. `proceed` is asked before each batch; its
    /// error ends the work between two batches.
    pub fn grow(&mut self, rows: usize, proceed: &dyn Fn() -> Result<()>) -> Result<()> {
        if self.is_empty() && !self.missing.is_empty() {
            let start = self.missing.len().saturating_sub(self.settings.seed_rows);
            let codes = self.vectors.codes();
            let seed = build_seed(codes, &self.missing[start..], &self.settings, proceed)?;
            self.missing.truncate(start);
            for (row, list) in seed.ground {
                self.ground.set(row, &list);
            }
            for node in seed.upper {
                self.upper.insert((node.layer, node.node), node.neighbours);
            }
            (self.entry, self.top) = (seed.entry, seed.top);
        }
        let goal = self.missing.len().saturating_sub(rows);
        while self.missing.len() > goal {
            proceed()?;
            let start = self.missing.len().saturating_sub(INSERT_BATCH).max(goal);
            self.missing[start..]
                .par_iter()
                .for_each(|&row| self.insert(row));
            self.missing.truncate(start);
        }
        Ok(())
    }

    /// The nodes most similar to a row, best first.
    fn nearest(&self, row: u32) -> Vec<ScoredDoc> {
        let query = self.vectors.codes().query_of(row as usize);
        let (entry, _) = descend(&query, (self.entry, self.top), |layer, node| {
            self.upper.get(&(layer, node)).map_or(&[], Vec::as_slice)
        });
        let mut beam = TopK::new(self.settings.ef_construction);
        Visited::with(self.vectors.n_rows(), |visited| {
            let offer = |beam: &mut TopK, node: u32, score: f32| {
                if node != row {
                    beam.push(node, score);
                }
            };
            walk(&self.ground, &query, entry, visited, offer, &mut beam)
        });
        beam.into_sorted()
    }

    fn insert(&self, row: u32) {
        let found = self.nearest(row);
        let chosen = choose(self.vectors.codes(), &found, self.limit());
        {
            let _lock = self.ground.lock(row);
            self.ground.set(row, &chosen);
        }
        for node in chosen {
            self.link(node, row);
        }
    }

    /// Adds a link; where a node has no room for it, the furthest are dropped.
    fn link(&self, node: u32, to: u32) {
        let _lock = self.ground.lock(node);
        let mut list = self.ground.list(node);
        if list.contains(&to) {
            return;
        }
        list.push(to);
        if list.len() > self.ground.slots {
            list = self.shortened(node, &list);
        }
        self.ground.set(node, &list);
    }

    /// The nearest of a node's links. Choosing among them as for a new node makes walks longer: measured on 60,000
    /// abstracts, a recall of .991 takes a beam of 48 then, and one of 32 with the nearest.
    fn shortened(&self, node: u32, list: &[u32]) -> Vec<u32> {
        let nearest = by_similarity(self.vectors.codes(), node, list).into_iter();
        nearest.take(self.limit()).map(|link| link.doc).collect()
    }

    /// Links that a node may have.
    fn limit(&self) -> usize {
        2 * self.settings.max_neighbours
    }

    /// The file of what is built so far: no node has more links than it may, and nodes that no path led to are linked
    /// to once more, or left out.
    pub fn freeze(&mut self) -> Vec<u8> {
        let nodes = self.nodes();
        let limit = self.limit();
        nodes.par_iter().for_each(|&node| {
            let list = self.ground.list(node);
            if list.len() > limit {
                self.ground.set(node, &self.shortened(node, &list));
            }
        });
        let lost = self.mend(&nodes);
        let mut missing = self.missing.clone();
        missing.extend(&lost);
        let (kept, left): (Vec<Twin>, Vec<Twin>) = self.twins.iter().partition(|twin| {
            nodes.binary_search(&twin.node).is_ok() && lost.binary_search(&twin.node).is_err()
        });
        missing.extend(left.iter().map(|twin| twin.row));
        missing.sort_unstable();
        let n_rows = self.vectors.n_rows() as u32;
        let parts = GraphParts {
            ground: (0..n_rows)
                .map(|row| match lost.binary_search(&row) {
                    Ok(_) => Vec::new(),
                    Err(_) => self.ground.list(row),
                })
                .collect(),
            upper: self
                .upper
                .iter()
                .map(|(&(layer, node), neighbours)| UpperNode {
                    layer,
                    node,
                    neighbours: neighbours.clone(),
                })
                .collect(),
            entry: self.entry,
            top: self.top,
            twins: kept,
            missing,
        };
        parts.freeze()
    }

    /// Rows that are nodes, ascending.
    fn nodes(&self) -> Vec<u32> {
        let mut is_node = vec![true; self.vectors.n_rows()];
        for &row in &self.missing {
            is_node[row as usize] = false;
        }
        for twin in &self.twins {
            is_node[twin.row as usize] = false;
        }
        let rows = (0..).zip(is_node);
        rows.filter_map(|(row, is)| is.then_some(row)).collect()
    }

    /// Links nodes that no path leads to from nodes near them; returns those for which that could not be done, ascending.
    fn mend(&self, nodes: &[u32]) -> Vec<u32> {
        let lost = || {
            let above = self.upper.keys().map(|(_, node)| *node);
            let entries = above.chain((!nodes.is_empty()).then_some(self.entry));
            let n_rows = self.vectors.n_rows();
            unreached(&self.ground, nodes.iter().copied(), entries, n_rows)
        };
        for _ in 0..MENDING_ROUNDS {
            let lost = lost();
            if lost.is_empty() {
                return lost;
            }
            for row in lost {
                let found = self.nearest(row);
                let mut lists = found
                    .iter()
                    .map(|near| (near.doc, self.ground.list(near.doc)));
                let room = lists.find(|(_, list)| list.len() < self.ground.slots);
                if let Some((node, mut list)) = room
                    && !list.contains(&row)
                {
                    list.push(row);
                    self.ground.set(node, &list);
                }
                if self.ground.list(row).is_empty() {
                    let chosen = choose(self.vectors.codes(), &found, self.limit());
                    self.ground.set(row, &chosen);
                }
            }
        }
        lost()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    Node,
    Twin,
}

/// Of candidates, best first, at most `limit` that are each more similar to the centre than to any chosen before it
/// (the heuristic of the HNSW paper, algorithm 4).
fn choose(codes: Codes, candidates: &[ScoredDoc], limit: usize) -> Vec<u32> {
    let mut chosen: Vec<u32> = Vec::with_capacity(limit);
    for candidate in candidates {
        if chosen.len() == limit {
            break;
        }
        let row = candidate.doc as usize;
        let apart = |other: &u32| codes.cosine(*other as usize, row) < candidate.score;
        if chosen.iter().all(apart) {
            chosen.push(candidate.doc);
        }
    }
    chosen
}

/// [`choose`] of some of a node's links.
pub(super) fn best_links(codes: Codes, node: u32, links: &[u32], limit: usize) -> Vec<u32> {
    choose(codes, &by_similarity(codes, node, links), limit)
}

/// A node's links, the most similar first.
fn by_similarity(codes: Codes, node: u32, links: &[u32]) -> Vec<ScoredDoc> {
    let scored = links.iter().map(|&link| ScoredDoc {
        doc: link,
        score: codes.cosine(node as usize, link as usize),
    });
    let mut scored: Vec<ScoredDoc> = scored.collect();
    scored.sort_unstable();
    scored
}
