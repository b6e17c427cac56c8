//! Best-first search of a graph's layer 0 by the codes of its rows.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::dense::CodedQuery;
use crate::rank::{ScoredDoc, TopK};

/// The links of layer 0, in a file or under construction.
pub(super) trait Links {
    /// Visits the rows that `node` points to.
    fn for_each(&self, node: u32, visit: impl FnMut(u32));
}

/// Fills `beam` with the nodes most similar to `query` that are met on the way from `entry`: `offer` pushes what is
/// wanted of a node. Returns the number of rows compared.
pub(super) fn walk(
    links: &impl Links,
    query: &CodedQuery,
    entry: ScoredDoc,
    visited: &mut Visited,
    offer: impl Fn(&mut TopK, u32, f32),
    beam: &mut TopK,
) -> usize {
    let mut compared = 0;
    let mut fresh: Vec<u32> = Vec::new();
    let mut frontier = BinaryHeap::new();
    visited.mark(entry.doc);
    frontier.push(Candidate(entry.score, entry.doc));
    offer(beam, entry.doc, entry.score);
    while let Some(Candidate(reach, node)) = frontier.pop() {
        if beam.is_full() && reach < beam.threshold() {
            break;
        }
        // Rows lie anywhere in memory: all are asked for before the first is needed.
        fresh.clear();
        links.for_each(node, |next| {
            if visited.mark(next) {
                query.prefetch(next as usize);
                fresh.push(next);
            }
        });
        compared += fresh.len();
        for &next in &fresh {
            let found = query.cosine(next as usize);
            if !beam.is_full() || found > beam.threshold() {
                frontier.push(Candidate(found, next));
                offer(beam, next, found);
            }
        }
    }
    compared
}

/// As [`walk`] among the nodes that pass a filter alone, from several of them: nodes that do not pass are not
/// compared, but stepped over to the nodes that they point to (ACORN-1; Patel et al., 2024), as long as an expansion has
/// found fewer than `width`. Gives up, with `None`, when more than `limit` rows were compared.
pub(super) fn walk_among(
    links: &impl Links,
    query: &CodedQuery,
    entries: &[ScoredDoc],
    (passes, offer): (impl Fn(u32) -> bool, impl Fn(&mut TopK, u32, f32)),
    visited: &mut Visited,
    beam: &mut TopK,
    (width, limit): (usize, usize),
) -> Option<usize> {
    let mut compared = 0;
    let (mut fresh, mut over): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    let mut frontier = BinaryHeap::new();
    for entry in entries {
        let stepped_over = !passes(entry.doc);
        if stepped_over || visited.mark(entry.doc) {
            frontier.push(Candidate(entry.score, entry.doc));
            if !stepped_over {
                offer(beam, entry.doc, entry.score);
            }
        }
    }
    while let Some(Candidate(reach, node)) = frontier.pop() {
        if beam.is_full() && reach < beam.threshold() {
            break;
        }
        fresh.clear();
        over.clear();
        links.for_each(node, |next| {
            if !passes(next) {
                over.push(next);
            } else if visited.mark(next) {
                query.prefetch(next as usize);
                fresh.push(next);
            }
        });
        for &step in &over {
            if fresh.len() >= width {
                break;
            }
            if visited.mark(step) {
                links.for_each(step, |next| {
                    if passes(next) && visited.mark(next) {
                        query.prefetch(next as usize);
                        fresh.push(next);
                    }
                });
            }
        }
        compared += fresh.len();
        if compared > limit {
            return None;
        }
        for &next in &fresh {
            let found = query.cosine(next as usize);
            if !beam.is_full() || found > beam.threshold() {
                frontier.push(Candidate(found, next));
                offer(beam, next, found);
            }
        }
    }
    Some(compared)
}

/// A node on the frontier, the most similar first.
struct Candidate(f32, u32);

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}

/// Marks of visited nodes that are forgotten by counting an epoch up.
#[derive(Default)]
pub(super) struct Visited {
    epochs: Vec<u32>,
    epoch: u32,
}

impl Visited {
    /// Does `work` with the marks of the calling thread, none of which is set.
    pub fn with<R>(nodes: usize, work: impl FnOnce(&mut Self) -> R) -> R {
        VISITED.with_borrow_mut(|visited| {
            visited.start(nodes);
            work(visited)
        })
    }

    fn start(&mut self, nodes: usize) {
        if self.epochs.len() < nodes {
            self.epochs.resize(nodes, 0);
        }
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.epochs.fill(0);
            self.epoch = 1;
        }
    }

    /// Marks a node; true when it was not marked.
    pub fn mark(&mut self, node: u32) -> bool {
        let slot = &mut self.epochs[node as usize];
        let fresh = *slot != self.epoch;
        *slot = self.epoch;
        fresh
    }
}

thread_local! {
    static VISITED: RefCell<Visited> = RefCell::default();
}
