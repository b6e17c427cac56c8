//! What the component's writer and reader share of its layout (FORMAT.md, "latents").

/// File extension of the component.
pub(crate) const EXTENSION: &str = "latents";

/// First bytes of the file: name and format version.
pub(super) const MAGIC: [u8; 8] = *b"LDBLATN1";
/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 64;
/// Documents in a full block.
pub(crate) const BLOCK: usize = 128;
/// Lists up to this long have no bitmap: their tail, raw ids, is the set.
pub(super) const SHORT_LIST: usize = 7;
/// Bytes of a directory entry.
pub(super) const ENTRY_BYTES: usize = 24;
/// Bytes of a block's entry in a list's block table.
pub(super) const BLOCK_ENTRY_BYTES: usize = 12;
