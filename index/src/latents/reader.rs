//! Reads the component in place. Opening checks the header and that every section lies in the
//! file; postings are decoded block by block.

use bitpacking::{BitPacker, BitPacker4x};
use half::f16;
use half::slice::HalfFloatSliceExt;
use roaring::RoaringBitmap;
use tantivy::directory::OwnedBytes;

use super::builder::LatentsBuilder;
use super::layout::{BLOCK, BLOCK_ENTRY_BYTES, ENTRY_BYTES, HEADER_BYTES, MAGIC, SHORT_LIST};
use crate::document::Activation;
use crate::error::{Error, Result};
use crate::segment_file::{AlignedBytes, widen};

/// An open `latents` file.
pub(crate) struct LatentsReader {
    bytes: AlignedBytes,
    n_docs: u32,
    n_lists: usize,
    n_entries: usize,
    row_latents_at: usize,
    row_activations_at: usize,
    directory_at: usize,
}

/// A document's latents, ascending, and their activations.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub latents: &'a [u32],
    pub activations: &'a [f16],
}

/// All rows of a segment, opened once for a pass over many documents.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    ends: &'a [u64],
    latents: &'a [u32],
    activations: &'a [f16],
}

impl<'a> Rows<'a> {
    /// A document's row. `doc` is below [`LatentsReader::n_docs`].
    pub fn row(self, doc: u32) -> Row<'a> {
        let range = self.ends[doc as usize] as usize..self.ends[doc as usize + 1] as usize;
        Row {
            latents: &self.latents[range.clone()],
            activations: &self.activations[range],
        }
    }

    /// Entries of the rows of `docs`.
    pub fn entries(self, docs: std::ops::Range<u32>) -> usize {
        (self.ends[docs.end as usize] - self.ends[docs.start as usize]) as usize
    }
}

impl<'a> Row<'a> {
    pub fn iter(self) -> impl Iterator<Item = Activation> + 'a {
        self.latents
            .iter()
            .zip(self.activations)
            .map(|(&latent, activation)| Activation {
                latent,
                activation: activation.to_f32(),
            })
    }

    /// The activations as f32 in `buffer`: for whole rows, many times faster than one by one.
    pub fn decode(self, buffer: &mut Vec<f32>) -> &[f32] {
        buffer.resize(self.activations.len(), 0.0);
        self.activations.convert_to_f32_slice(buffer);
        buffer
    }
}

/// What the block table says of one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Its entries: [`BLOCK`], fewer in the tail.
    pub len: usize,
    /// Its largest document.
    pub last_doc: u32,
    /// Its largest activation.
    pub maximum: f32,
    offset: usize,
    width: u8,
}

/// One latent's posting list.
#[derive(Clone, Copy)]
pub(crate) struct PostingList<'a> {
    length: usize,
    set: &'a [u8],
    table: &'a [u8],
    data: &'a [u8],
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

impl LatentsReader {
    /// Opens a file whose bytes outlive the reader.
    pub fn open(bytes: OwnedBytes) -> Result<Self> {
        let bytes = AlignedBytes::new(bytes);
        if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
            return Err(Error::corrupted("not a latents file of version 1"));
        }
        let checked = HEADER_BYTES - 4;
        if crc32fast::hash(&bytes[..checked]) != u32_at(&bytes, checked) {
            return Err(Error::corrupted("the latents header fails its checksum"));
        }
        let reader = Self {
            n_docs: u32_at(&bytes, 8),
            n_lists: u32_at(&bytes, 12) as usize,
            n_entries: widen(u64_at(&bytes, 16))?,
            row_latents_at: widen(u64_at(&bytes, 24))?,
            row_activations_at: widen(u64_at(&bytes, 32))?,
            directory_at: widen(u64_at(&bytes, 40))?,
            bytes,
        };
        if widen(u64_at(&reader.bytes, 48))? != reader.bytes.len() {
            return Err(Error::corrupted("the latents file is cut short"));
        }
        reader.bytes.section::<u64>(reader.row_ends_range())?;
        reader.bytes.section::<u32>(reader.row_latents_range())?;
        reader
            .bytes
            .section::<u16>(reader.row_activations_range())?;
        reader.bytes.section::<u8>(
            reader.directory_at..reader.directory_at + reader.n_lists * ENTRY_BYTES,
        )?;
        Ok(reader)
    }

    /// The matrix of so many documents without latents.
    pub fn empty(documents: usize) -> Result<Self> {
        Self::open(OwnedBytes::new(LatentsBuilder::empty(documents).finish()?))
    }

    /// Bytes of the file.
    pub fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Documents of the segment, deleted ones included.
    pub fn n_docs(&self) -> u32 {
        self.n_docs
    }

    /// Stored entries of the matrix.
    pub fn n_entries(&self) -> usize {
        self.n_entries
    }

    /// A document's row. `doc` is below [`Self::n_docs`].
    pub fn row(&self, doc: u32) -> Row<'_> {
        self.rows().row(doc)
    }

    /// All rows.
    pub fn rows(&self) -> Rows<'_> {
        Rows {
            ends: bytemuck::cast_slice(&self.bytes[self.row_ends_range()]),
            latents: bytemuck::cast_slice(&self.bytes[self.row_latents_range()]),
            activations: bytemuck::cast_slice(&self.bytes[self.row_activations_range()]),
        }
    }

    /// The posting list of `latent`, where any document has it.
    pub fn list(&self, latent: u32) -> Option<PostingList<'_>> {
        let (mut low, mut high) = (0, self.n_lists);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.latent_at(middle).cmp(&latent) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.list_at(middle)),
            }
        }
        None
    }

    /// All posting lists, ascending by latent.
    pub fn lists(&self) -> impl Iterator<Item = (u32, PostingList<'_>)> {
        (0..self.n_lists).map(|index| (self.latent_at(index), self.list_at(index)))
    }

    /// The highest latent that any document has.
    pub fn last_latent(&self) -> Option<u32> {
        (self.n_lists > 0).then(|| self.latent_at(self.n_lists - 1))
    }

    fn latent_at(&self, index: usize) -> u32 {
        u32_at(&self.bytes, self.directory_at + index * ENTRY_BYTES)
    }

    fn list_at(&self, index: usize) -> PostingList<'_> {
        let entry = self.directory_at + index * ENTRY_BYTES;
        let length = u32_at(&self.bytes, entry + 4) as usize;
        let set_at = u64_at(&self.bytes, entry + 8) as usize;
        let blocks_at = u64_at(&self.bytes, entry + 16) as usize;
        let table_bytes = length.div_ceil(BLOCK) * BLOCK_ENTRY_BYTES;
        PostingList {
            length,
            set: &self.bytes[set_at..blocks_at],
            table: &self.bytes[blocks_at..blocks_at + table_bytes],
            data: &self.bytes[blocks_at + table_bytes..],
        }
    }

    fn row_ends_range(&self) -> std::ops::Range<usize> {
        HEADER_BYTES..HEADER_BYTES + (self.n_docs as usize + 1) * 8
    }

    fn row_latents_range(&self) -> std::ops::Range<usize> {
        self.row_latents_at..self.row_latents_at + self.n_entries * 4
    }

    fn row_activations_range(&self) -> std::ops::Range<usize> {
        self.row_activations_at..self.row_activations_at + self.n_entries * 2
    }
}

impl<'a> PostingList<'a> {
    /// Documents in the list, deleted ones included.
    pub fn len(&self) -> usize {
        self.length
    }

    /// The list as a set.
    pub fn set(&self) -> Result<RoaringBitmap> {
        if self.length <= SHORT_LIST {
            let ids = self.data[..self.length * 4].chunks_exact(4);
            return Ok(ids.map(|id| u32_at(id, 0)).collect());
        }
        // The bytes are our own and covered by the segment's checksum.
        RoaringBitmap::deserialize_unchecked_from(self.set)
            .map_err(|error| Error::corrupted("a posting list's set is damaged").with_source(error))
    }

    /// Number of blocks, the tail included.
    pub fn n_blocks(&self) -> usize {
        self.length.div_ceil(BLOCK)
    }

    /// The table's entry `index`, below [`Self::n_blocks`].
    pub fn block(&self, index: usize) -> Block {
        let entry = &self.table[index * BLOCK_ENTRY_BYTES..(index + 1) * BLOCK_ENTRY_BYTES];
        Block {
            len: BLOCK.min(self.length - index * BLOCK),
            last_doc: u32_at(entry, 0),
            offset: u32_at(entry, 4) as usize,
            width: entry[8],
            maximum: f16::from_bits(u16::from_le_bytes([entry[10], entry[11]])).to_f32(),
        }
    }

    /// The block table.
    #[cfg(test)]
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        let list = *self;
        (0..self.n_blocks()).map(move |index| list.block(index))
    }

    /// Decodes block `index` into the two buffers; the first `len` values are filled.
    pub fn decode(
        &self,
        index: usize,
        docs: &mut [u32; BLOCK],
        activations: &mut [f32; BLOCK],
    ) -> usize {
        let block = self.block(index);
        let ids_bytes = if block.len == BLOCK {
            let previous = (index > 0).then(|| self.block(index - 1).last_doc);
            BitPacker4x::new().decompress_strictly_sorted(
                previous,
                &self.data[block.offset..],
                docs,
                block.width,
            )
        } else {
            let bytes = &self.data[block.offset..block.offset + block.len * 4];
            for (doc, id) in docs.iter_mut().zip(bytes.chunks_exact(4)) {
                *doc = u32_at(id, 0);
            }
            block.len * 4
        };
        let at = block.offset + ids_bytes;
        // Blocks start at even offsets of an aligned file, so the cast holds.
        let values: &[f16] = bytemuck::cast_slice(&self.data[at..at + block.len * 2]);
        values.convert_to_f32_slice(&mut activations[..block.len]);
        block.len
    }

    /// Calls `visit` with each block's documents and activations, in order.
    pub fn for_each(&self, mut visit: impl FnMut(&[u32], &[f32])) {
        let mut docs = [0; BLOCK];
        let mut activations = [0.0; BLOCK];
        for index in 0..self.n_blocks() {
            let len = self.decode(index, &mut docs, &mut activations);
            visit(&docs[..len], &activations[..len]);
        }
    }
}
