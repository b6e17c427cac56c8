//! The frozen graph: a flat adjacency in a memory map, searched together with the vectors.
//!
//! Layer 0 has a fixed stride; the few nodes of the layers above have theirs in a table sorted by
//! node. The file is checked as a whole when it is opened (FORMAT.md, "graph").

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use super::{CodedQuery, DenseReader};
use crate::error::{Error, Result};
use crate::rank::{ScoredDoc, TopK};
use crate::vector::dot;

/// First bytes of the file: name and format version.
const MAGIC: [u8; 8] = *b"LDBGRPH1";
/// Bytes of the header.
const HEADER_BYTES: usize = 64;
/// Fills the unused places of a node's neighbours.
const NO_NODE: u32 = u32::MAX;

/// A neighbour list of a node above layer 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UpperNode {
    /// Layer, 1 and up.
    pub layer: u32,
    /// The node's row.
    pub node: u32,
    /// Rows it points to in that layer.
    pub neighbours: Vec<u32>,
}

/// The parts of a graph before they are frozen.
pub(super) struct GraphParts {
    /// Layer 0, by row.
    pub ground: Vec<Vec<u32>>,
    /// All layers above.
    pub upper: Vec<UpperNode>,
    /// The row where a search starts, in the top layer.
    pub entry: u32,
    /// The top layer.
    pub top: u32,
}

impl GraphParts {
    /// The file of the graph.
    pub fn freeze(mut self) -> Vec<u8> {
        self.upper.sort();
        let stride = self.ground.iter().map(Vec::len).max().unwrap_or(0);
        let upper_stride = self
            .upper
            .iter()
            .map(|node| node.neighbours.len())
            .max()
            .unwrap_or(0);
        let mut words: Vec<u32> = Vec::new();
        for neighbours in &self.ground {
            words.extend_from_slice(neighbours);
            words.extend(std::iter::repeat_n(NO_NODE, stride - neighbours.len()));
        }
        for node in &self.upper {
            words.extend([node.layer, node.node]);
            words.extend_from_slice(&node.neighbours);
            words.extend(std::iter::repeat_n(
                NO_NODE,
                upper_stride - node.neighbours.len(),
            ));
        }
        let body: &[u8] = bytemuck::cast_slice(&words);
        let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
        out.extend_from_slice(&MAGIC);
        for field in [
            self.ground.len(),
            stride,
            self.upper.len(),
            upper_stride,
            self.entry as usize,
            self.top as usize,
        ] {
            out.extend_from_slice(&(field as u64).to_le_bytes());
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&out);
        checksum.update(body);
        out.extend_from_slice(&u64::from(checksum.finalize()).to_le_bytes());
        out.extend_from_slice(body);
        out
    }
}

/// An open graph.
pub(crate) struct Graph {
    map: Mmap,
    n_nodes: usize,
    stride: usize,
    n_upper: usize,
    upper_stride: usize,
    entry: u32,
    top: u32,
}

impl Graph {
    /// Opens a graph file and checks it against the number of rows it must have.
    pub fn open(path: &Path, n_rows: usize) -> Result<Self> {
        let file = File::open(path)?;
        #[expect(
            unsafe_code,
            reason = "a memory map of a file that is never changed in place"
        )]
        // SAFETY: graph files are written once under another name and renamed; nobody edits them.
        let map = unsafe { Mmap::map(&file)? };
        if map.len() < HEADER_BYTES || map[..8] != MAGIC {
            return Err(Error::corrupted("not a graph file of version 1"));
        }
        let fields: &[u64] = bytemuck::cast_slice(&map[8..HEADER_BYTES]);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&map[..HEADER_BYTES - 8]);
        checksum.update(&map[HEADER_BYTES..]);
        if u64::from(checksum.finalize()) != fields[6] {
            return Err(Error::corrupted("the graph fails its checksum"));
        }
        let [n_nodes, stride, n_upper, upper_stride] = [0, 1, 2, 3].map(|at| fields[at] as usize);
        let words = n_nodes * stride + n_upper * (upper_stride + 2);
        if n_nodes != n_rows || map.len() != HEADER_BYTES + words * 4 {
            return Err(Error::corrupted("the graph is of another set of vectors"));
        }
        Ok(Self {
            n_nodes,
            stride,
            n_upper,
            upper_stride,
            entry: fields[4] as u32,
            top: fields[5] as u32,
            map,
        })
    }

    fn words(&self) -> &[u32] {
        bytemuck::cast_slice(&self.map[HEADER_BYTES..])
    }

    fn upper(&self, layer: u32, node: u32) -> &[u32] {
        let table = &self.words()[self.n_nodes * self.stride..];
        let width = self.upper_stride + 2;
        let (mut low, mut high) = (0, self.n_upper);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = &table[middle * width..(middle + 1) * width];
            match (entry[0], entry[1]).cmp(&(layer, node)) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return until_none(&entry[2..]),
            }
        }
        &[]
    }

    /// The documents nearest to `unit` (unit norm) by cosine: best-first search of layer 0 with a
    /// beam of `ef` allowed documents, entered through the layers above. The walk compares codes;
    /// what the beam has kept is scored by the vectors.
    ///
    /// Documents that `allowed` refuses are walked through but not kept. Returns at most `k` hits,
    /// best first, and the number of rows compared.
    pub fn search(
        &self,
        vectors: &DenseReader,
        unit: &[f32],
        k: usize,
        ef: usize,
        allowed: impl Fn(u32) -> bool,
    ) -> (Vec<ScoredDoc>, usize) {
        if self.n_nodes == 0 {
            return (Vec::new(), 0);
        }
        let query = vectors.codes().query(unit);
        let mut beam = TopK::new(ef.max(k).max(1));
        let compared = VISITED.with_borrow_mut(|visited| {
            visited.start(self.n_nodes);
            let keep = |node: u32| allowed(vectors.doc_of(node as usize));
            let (entry, compared) = self.descend(&query);
            compared + self.walk(&query, entry, visited, keep, &mut beam)
        });
        let norms = vectors.reciprocal_norms();
        let mut top = TopK::new(k);
        for kept in beam.into_sorted() {
            let row = kept.doc as usize;
            let score = dot(unit, vectors.vector(row)) * norms[row];
            top.push(vectors.doc_of(row), score);
        }
        (top.into_sorted(), compared)
    }

    /// Goes down the layers above 0, each time to the neighbour that is nearest. Returns where it
    /// ends and the number of rows compared.
    fn descend(&self, query: &CodedQuery) -> (ScoredDoc, usize) {
        let score = |node: u32| ScoredDoc {
            doc: node,
            score: query.cosine(node as usize),
        };
        let mut compared = 1;
        let mut best = score(self.entry);
        for layer in (1..=self.top).rev() {
            loop {
                let before = best.doc;
                for &node in self.upper(layer, best.doc) {
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

    /// The beam search of layer 0: fills `beam` with rows. Returns the number of rows compared.
    fn walk(
        &self,
        query: &CodedQuery,
        entry: ScoredDoc,
        visited: &mut Visited,
        keep: impl Fn(u32) -> bool,
        beam: &mut TopK,
    ) -> usize {
        let words = self.words();
        let mut compared = 0;
        let mut fresh: Vec<u32> = Vec::with_capacity(self.stride);
        let mut frontier = BinaryHeap::new();
        visited.mark(entry.doc);
        frontier.push(Candidate(entry.score, entry.doc));
        if keep(entry.doc) {
            beam.push(entry.doc, entry.score);
        }
        while let Some(Candidate(reach, node)) = frontier.pop() {
            if beam.is_full() && reach < beam.threshold() {
                break;
            }
            // Rows lie anywhere in memory: all are asked for before the first is needed.
            let at = node as usize * self.stride;
            fresh.clear();
            for &next in until_none(&words[at..at + self.stride]) {
                if visited.mark(next) {
                    query.prefetch(next as usize);
                    fresh.push(next);
                }
            }
            compared += fresh.len();
            for &next in &fresh {
                let found = query.cosine(next as usize);
                if !beam.is_full() || found > beam.threshold() {
                    frontier.push(Candidate(found, next));
                    if keep(next) {
                        beam.push(next, found);
                    }
                }
            }
        }
        compared
    }
}

fn until_none(neighbours: &[u32]) -> &[u32] {
    let end = neighbours
        .iter()
        .position(|&node| node == NO_NODE)
        .unwrap_or(neighbours.len());
    &neighbours[..end]
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
struct Visited {
    epochs: Vec<u32>,
    epoch: u32,
}

impl Visited {
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
    fn mark(&mut self, node: u32) -> bool {
        let slot = &mut self.epochs[node as usize];
        let fresh = *slot != self.epoch;
        *slot = self.epoch;
        fresh
    }
}

thread_local! {
    static VISITED: RefCell<Visited> = RefCell::default();
}
