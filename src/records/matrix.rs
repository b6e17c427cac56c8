//! The layout of a matrix of vectors in a file.

use std::fs::File;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// The tensor that vectors are kept in when none is named.
pub const DEFAULT_TENSOR: &str = "embeddings";

/// The element type of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
}

impl Element {
    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// The layout of a matrix in a file: `[rows, dimension]` from byte `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub start: usize,
    pub element: Element,
    pub rows: usize,
    pub dimension: usize,
    /// Whether values of a column lie side by side (Fortran order), instead of those of a row.
    pub by_columns: bool,
}

/// The layout, where it lies within a file of `length` bytes.
pub(super) fn checked(layout: Layout, length: usize) -> Result<Layout> {
    if layout.dimension == 0 {
        return Err(Error::invalid("vectors", "has vectors of dimension 0"));
    }
    let end = layout
        .rows
        .checked_mul(layout.dimension)
        .and_then(|elements| elements.checked_mul(layout.element.bytes()))
        .and_then(|bytes| bytes.checked_add(layout.start));
    match end {
        Some(end) if end <= length => Ok(layout),
        _ => Err(Error::invalid(
            "vectors",
            format!(
                "is cut short: {length} bytes do not hold {} rows of {}",
                layout.rows, layout.dimension
            ),
        )),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is the purpose"
)]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

/// Maps a file into memory.
pub(super) fn map_file(file: &File) -> Result<Mmap> {
    #[expect(unsafe_code, reason = "memory maps are unsafe to make")]
    // SAFETY: the map is read only, and every read goes through bounds-checked slices of bytes
    // decoded by value, so bytes that another process changes give other numbers, never an
    // invalid reference. Truncating the file while it is mapped ends the process (SIGBUS); that
    // is the contract of every memory-mapped input, and the writer below replaces files by
    // renaming, which leaves existing maps whole.
    let map = unsafe { Mmap::map(file) };
    Ok(map?)
}
