//! What the two segment components share: aligned bytes, and small readers and writers of
//! little-endian fields.

use std::ops::{Deref, Range};

use tantivy::directory::OwnedBytes;

use crate::error::{Error, Result};

// Sections are read in place as slices of little-endian numbers.
const _: () = assert!(cfg!(target_endian = "little"));

/// Every section of a component file starts at a multiple of this.
pub(crate) const ALIGNMENT: usize = 8;

/// A file's bytes at an address that is a multiple of [`ALIGNMENT`].
pub(crate) enum AlignedBytes {
    /// The memory map itself: pages are aligned, so this is the case in practice.
    Mapped(OwnedBytes),
    /// A copy, where the directory handed out an unaligned buffer.
    Copied(Vec<u64>, usize),
}

impl AlignedBytes {
    pub fn new(bytes: OwnedBytes) -> Self {
        if bytes.as_slice().as_ptr().align_offset(ALIGNMENT) == 0 {
            return Self::Mapped(bytes);
        }
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(&bytes);
        Self::Copied(words, bytes.len())
    }

    /// The section `range` as numbers; `Corrupted` when it is not inside the file.
    pub fn section<T: bytemuck::Pod>(&self, range: Range<usize>) -> Result<&[T]> {
        self.get(range.clone())
            .and_then(|bytes| bytemuck::try_cast_slice(bytes).ok())
            .ok_or_else(|| {
                Error::corrupted(format!(
                    "a section at {range:?} does not fit its file of {} bytes",
                    self.len()
                ))
            })
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes.as_slice(),
            Self::Copied(words, length) => &bytemuck::cast_slice(words)[..*length],
        }
    }
}

/// Pads `out` with zeros to the next multiple of [`ALIGNMENT`].
pub(crate) fn align(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
}

/// A number from a usize that a format stores in fewer bits; `Internal` when it does not fit.
pub(crate) fn narrow<T: TryFrom<usize>>(value: usize, what: &str) -> Result<T> {
    T::try_from(value)
        .map_err(|_| Error::internal(format!("{what} {value} is beyond what the format holds")))
}

/// A usize from a stored number.
pub(crate) fn widen(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::corrupted(format!("offset {value} is too large")))
}
