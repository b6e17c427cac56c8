//! The file of a graph (FORMAT.md, "graph"): what is frozen and what is opened, side by side.

use std::cmp::Ordering;
use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use super::walk::Links;
use crate::error::{Error, Result};

/// First bytes of the file: name and format version.
const MAGIC: [u8; 8] = *b"LDBGRPH2";
/// Bytes of the header: rows of links begin on a cache line.
const HEADER_BYTES: usize = 128;
/// Numbers of the header before its checksum.
const N_FIELDS: usize = 8;
const CHECKSUM_AT: usize = 8 + N_FIELDS * 8;
/// Fills the unused places of a node's neighbours.
pub(super) const NO_NODE: u32 = u32::MAX;

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

/// A row whose codes equal those of a node, which stands for it in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Twin {
    pub node: u32,
    pub row: u32,
}

/// The parts of a graph that is not frozen.
#[derive(Default)]
pub(super) struct GraphParts {
    /// Layer 0, by row.
    pub ground: Vec<Vec<u32>>,
    /// All layers above.
    pub upper: Vec<UpperNode>,
    /// The row where a search starts, in the top layer.
    pub entry: u32,
    /// The top layer.
    pub top: u32,
    /// Rows that other rows stand for.
    pub twins: Vec<Twin>,
    /// Rows that the graph does not know, ascending.
    pub missing: Vec<u32>,
}

impl GraphParts {
    /// The file of the graph.
    pub fn freeze(mut self) -> Vec<u8> {
        self.upper.sort();
        self.twins.sort();
        let width = |lists: &mut dyn Iterator<Item = usize>| lists.max().unwrap_or(0);
        let stride = width(&mut self.ground.iter().map(Vec::len));
        let upper_stride = width(&mut self.upper.iter().map(|node| node.neighbours.len()));
        let fields = [
            self.ground.len(),
            stride,
            self.upper.len(),
            upper_stride,
            self.entry as usize,
            self.top as usize,
            self.twins.len(),
            self.missing.len(),
        ];
        let words = self.ground.len() * stride + self.upper.len() * (upper_stride + 2);
        let words = words + self.twins.len() * 2 + self.missing.len();
        let mut out = Vec::with_capacity(HEADER_BYTES + words * 4);
        out.extend_from_slice(&MAGIC);
        for field in fields {
            out.extend_from_slice(&(field as u64).to_le_bytes());
        }
        out.resize(HEADER_BYTES, 0);
        let push = |list: &[u32], stride: usize, out: &mut Vec<u8>| {
            out.extend_from_slice(bytemuck::cast_slice(list));
            let rest = stride - list.len();
            out.extend(std::iter::repeat_n(NO_NODE.to_le_bytes(), rest).flatten());
        };
        for neighbours in &self.ground {
            push(neighbours, stride, &mut out);
        }
        for node in &self.upper {
            push(&[node.layer, node.node], 2, &mut out);
            push(&node.neighbours, upper_stride, &mut out);
        }
        for twin in &self.twins {
            push(&[twin.node, twin.row], 2, &mut out);
        }
        push(&self.missing, self.missing.len(), &mut out);
        let checksum = u64::from(checksum(&out));
        out[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(&checksum.to_le_bytes());
        out
    }
}

/// The checksum of a file, over all but its own bytes.
fn checksum(bytes: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes[..CHECKSUM_AT]);
    checksum.update(&bytes[CHECKSUM_AT + 8..]);
    checksum.finalize()
}

/// An open file.
pub(super) struct GraphFile {
    map: Mmap,
    pub n_nodes: usize,
    pub stride: usize,
    n_upper: usize,
    upper_stride: usize,
    pub entry: u32,
    pub top: u32,
    n_twins: usize,
    n_missing: usize,
}

impl GraphFile {
    /// Opens a file and checks it against the number of rows it must have.
    pub fn open(path: &Path, n_rows: usize) -> Result<Self> {
        let file = File::open(path)?;
        #[expect(
            unsafe_code,
            reason = "a memory map of a file that is never changed in place"
        )]
        // SAFETY: graph files are written once under another name and renamed; nobody edits them.
        let map = unsafe { Mmap::map(&file)? };
        if map.len() < HEADER_BYTES || map[..8] != MAGIC {
            return Err(Error::corrupted("not a graph file of version 2"));
        }
        let fields: &[u64] = bytemuck::cast_slice(&map[8..CHECKSUM_AT + 8]);
        if u64::from(checksum(&map)) != fields[N_FIELDS] {
            return Err(Error::corrupted("the graph fails its checksum"));
        }
        let number = |at: usize| {
            usize::try_from(fields[at])
                .ok()
                .filter(|number| *number <= map.len())
                .ok_or_else(|| Error::corrupted("a number of the graph's header is too large"))
        };
        let opened = Self {
            n_nodes: number(0)?,
            stride: number(1)?,
            n_upper: number(2)?,
            upper_stride: number(3)?,
            entry: fields[4] as u32,
            top: fields[5] as u32,
            n_twins: number(6)?,
            n_missing: number(7)?,
            map,
        };
        let bytes = HEADER_BYTES + opened.missing_range().end * 4;
        if opened.n_nodes != n_rows || opened.map.len() != bytes {
            return Err(Error::corrupted("the graph is of another set of vectors"));
        }
        Ok(opened)
    }

    fn words(&self) -> &[u32] {
        bytemuck::cast_slice(&self.map[HEADER_BYTES..])
    }

    fn upper_range(&self) -> std::ops::Range<usize> {
        let start = self.n_nodes * self.stride;
        start..start + self.n_upper * (self.upper_stride + 2)
    }

    fn twins_range(&self) -> std::ops::Range<usize> {
        let start = self.upper_range().end;
        start..start + self.n_twins * 2
    }

    fn missing_range(&self) -> std::ops::Range<usize> {
        let start = self.twins_range().end;
        start..start + self.n_missing
    }

    /// The rows that a node points to in layer 0.
    pub fn ground(&self, node: u32) -> &[u32] {
        let at = node as usize * self.stride;
        until_none(&self.words()[at..at + self.stride])
    }

    /// The rows that a node points to in a layer above.
    pub fn upper(&self, layer: u32, node: u32) -> &[u32] {
        let table = &self.words()[self.upper_range()];
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

    /// All layers above.
    pub fn upper_nodes(&self) -> Vec<UpperNode> {
        let table = &self.words()[self.upper_range()];
        let nodes = table.chunks_exact(self.upper_stride + 2);
        nodes
            .map(|entry| UpperNode {
                layer: entry[0],
                node: entry[1],
                neighbours: until_none(&entry[2..]).to_vec(),
            })
            .collect()
    }

    /// Rows that other rows stand for, by these.
    pub fn twins(&self) -> impl ExactSizeIterator<Item = Twin> + '_ {
        let pairs = self.words()[self.twins_range()].chunks_exact(2);
        pairs.map(|pair| Twin {
            node: pair[0],
            row: pair[1],
        })
    }

    /// Rows that the graph does not know, ascending.
    pub fn missing(&self) -> &[u32] {
        &self.words()[self.missing_range()]
    }
}

impl Links for GraphFile {
    fn for_each(&self, node: u32, visit: impl FnMut(u32)) {
        self.ground(node).iter().copied().for_each(visit);
    }
}

fn until_none(neighbours: &[u32]) -> &[u32] {
    let end = neighbours
        .iter()
        .position(|&node| node == NO_NODE)
        .unwrap_or(neighbours.len());
    &neighbours[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> GraphParts {
        GraphParts {
            ground: vec![vec![1, 2], vec![0], vec![], vec![]],
            upper: vec![UpperNode {
                layer: 1,
                node: 1,
                neighbours: vec![0],
            }],
            entry: 1,
            top: 1,
            twins: vec![Twin { node: 0, row: 3 }],
            missing: vec![2],
        }
    }

    #[test]
    fn what_is_frozen_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.graph");
        std::fs::write(&path, parts().freeze()).unwrap();
        let file = GraphFile::open(&path, 4).unwrap();
        assert_eq!((file.ground(0), file.ground(2)), (&[1, 2][..], &[][..]));
        assert_eq!((file.upper(1, 1), file.upper(1, 0)), (&[0][..], &[][..]));
        assert_eq!((file.entry, file.top), (1, 1));
        assert_eq!(file.upper_nodes(), parts().upper);
        assert_eq!(file.twins().collect::<Vec<_>>(), parts().twins);
        assert_eq!(file.missing(), [2]);
        assert!(GraphFile::open(&path, 5).is_err());
    }

    #[test]
    fn damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.graph");
        let bytes = parts().freeze();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            std::fs::write(&path, damaged).unwrap();
            assert!(GraphFile::open(&path, 4).is_err(), "byte {at}");
        }
        std::fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
        assert!(GraphFile::open(&path, 4).is_err());
    }
}
