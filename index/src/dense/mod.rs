//! The `dense` segment component: one vector per document, and a graph over them.
//!
//! Vectors live in a file of the segment (FORMAT.md, "dense"), written and merged with tantivy's
//! own, each with its 8-bit codes, which searches read first. The graph is derived: a file per
//! segment id in a directory of its own, built in the background, published in parts, taken along by
//! merges, and searched in place. What it does not know is scanned; missing or damaged, it means an
//! exact scan and a rebuild, never an error.

mod codes;
mod graph;
mod lineage;
mod plugin;
mod reader;
mod verify;

pub(crate) use codes::CodedQuery;
pub(crate) use graph::{Graph, GraphSettings, GrowingGraph, PassingRows, carry};
pub(crate) use lineage::{Lineages, Source, moved_twice};
pub(crate) use plugin::DensePlugin;
pub(crate) use reader::DenseReader;

/// File extension of the component.
pub(crate) const EXTENSION: &str = "dense";

/// First bytes of the file: name and format version.
const MAGIC: [u8; 8] = *b"LDBDENS2";
/// Bytes of the header.
const HEADER_BYTES: usize = 64;
/// In the row map: this document has no vector.
const NO_ROW: u32 = u32::MAX;
