//! Collects forward rows and writes the component's file: rows as they came, lists by transposing.

use bitpacking::{BitPacker, BitPacker4x};
use half::f16;
use roaring::RoaringBitmap;

use super::layout::{BLOCK, ENTRY_BYTES, HEADER_BYTES, MAGIC, SHORT_LIST};
use crate::document::Activation;
use crate::error::Result;
use crate::segment_file::{align, narrow};

/// The sparse matrix of a segment under construction, row by row.
#[derive(Default)]
pub(crate) struct LatentsBuilder {
    /// End of each document's row in the two arrays below.
    ends: Vec<u64>,
    latents: Vec<u32>,
    activations: Vec<u16>,
}

impl LatentsBuilder {
    /// The matrix of so many documents without latents.
    pub fn empty(documents: usize) -> Self {
        Self {
            ends: vec![0; documents],
            ..Self::default()
        }
    }

    /// Appends empty rows until there are so many.
    pub fn pad(&mut self, documents: usize) {
        self.ends.resize(documents, self.latents.len() as u64);
    }

    /// Appends the next document's row, ascending by latent. Activations are rounded to f16;
    /// what rounds to zero is not active and is left out.
    pub fn push(&mut self, row: impl Iterator<Item = Activation>) {
        for entry in row {
            let stored = f16::from_f32(entry.activation);
            if stored > f16::ZERO {
                self.latents.push(entry.latent);
                self.activations.push(stored.to_bits());
            }
        }
        self.ends.push(self.latents.len() as u64);
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.ends.capacity() * 8 + self.latents.capacity() * 4 + self.activations.capacity() * 2
    }

    /// The component's file.
    pub fn finish(self) -> Result<Vec<u8>> {
        let mut out = vec![0_u8; HEADER_BYTES];
        out.extend_from_slice(&0_u64.to_le_bytes());
        out.extend_from_slice(bytemuck::cast_slice(&self.ends));
        let row_latents_at = out.len();
        out.extend_from_slice(bytemuck::cast_slice(&self.latents));
        align(&mut out);
        let row_activations_at = out.len();
        out.extend_from_slice(bytemuck::cast_slice(&self.activations));
        align(&mut out);

        let columns = Columns::transpose(&self);
        let n_lists = columns.latents.len();
        let directory_at = out.len();
        let postings_at = directory_at + n_lists * ENTRY_BYTES;
        let mut directory = Vec::with_capacity(n_lists * ENTRY_BYTES);
        let mut postings = Vec::new();
        for list in 0..n_lists {
            let (docs, activations) = columns.list(list);
            directory.extend_from_slice(&columns.latents[list].to_le_bytes());
            directory.extend_from_slice(&narrow::<u32>(docs.len(), "list length")?.to_le_bytes());
            let set_at = (postings_at + postings.len()) as u64;
            write_set(docs, &mut postings)?;
            let blocks_at = (postings_at + postings.len()) as u64;
            write_blocks(docs, activations, &mut postings)?;
            directory.extend_from_slice(&set_at.to_le_bytes());
            directory.extend_from_slice(&blocks_at.to_le_bytes());
        }
        out.extend_from_slice(&directory);
        out.extend_from_slice(&postings);

        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&narrow::<u32>(self.ends.len(), "document count")?.to_le_bytes());
        header.extend_from_slice(&narrow::<u32>(n_lists, "list count")?.to_le_bytes());
        for field in [
            self.latents.len(),
            row_latents_at,
            row_activations_at,
            directory_at,
            out.len(),
        ] {
            header.extend_from_slice(&(field as u64).to_le_bytes());
        }
        header.extend_from_slice(&[0; 4]);
        let checksum = crc32fast::hash(&header);
        header.extend_from_slice(&checksum.to_le_bytes());
        out[..HEADER_BYTES].copy_from_slice(&header);
        Ok(out)
    }
}

/// The matrix by column: the latents that occur, and each one's documents and activations.
struct Columns {
    latents: Vec<u32>,
    starts: Vec<usize>,
    docs: Vec<u32>,
    activations: Vec<u16>,
}

impl Columns {
    /// A counting sort: linear in the entries plus the largest latent.
    fn transpose(rows: &LatentsBuilder) -> Self {
        let width = rows.latents.iter().max().map_or(0, |&top| top as usize + 1);
        let mut counts = vec![0_usize; width];
        for &latent in &rows.latents {
            counts[latent as usize] += 1;
        }
        let mut next = vec![0_usize; width];
        let mut latents = Vec::new();
        let mut starts = vec![0];
        let mut total = 0;
        for (latent, &count) in counts.iter().enumerate() {
            next[latent] = total;
            total += count;
            if count > 0 {
                latents.push(latent as u32);
                starts.push(total);
            }
        }
        let mut docs = vec![0_u32; total];
        let mut activations = vec![0_u16; total];
        let mut at = 0;
        for (doc, &end) in rows.ends.iter().enumerate() {
            while at < end as usize {
                let slot = &mut next[rows.latents[at] as usize];
                docs[*slot] = doc as u32;
                activations[*slot] = rows.activations[at];
                *slot += 1;
                at += 1;
            }
        }
        Self {
            latents,
            starts,
            docs,
            activations,
        }
    }

    fn list(&self, list: usize) -> (&[u32], &[u16]) {
        let range = self.starts[list]..self.starts[list + 1];
        (&self.docs[range.clone()], &self.activations[range])
    }
}

/// The roaring form of a list, nothing for a short one.
fn write_set(docs: &[u32], out: &mut Vec<u8>) -> Result<()> {
    if docs.len() > SHORT_LIST {
        let mut set = RoaringBitmap::from_sorted_iter(docs.iter().copied()).map_err(|_| {
            crate::error::Error::internal("a posting list is not in ascending order")
        })?;
        set.optimize();
        set.serialize_into(&mut *out)?;
        align(out);
    }
    Ok(())
}

/// Block table, then each full block's packed ids and activations, then the tail.
///
/// A table entry is the block's last document (u32), the offset of its data from the end of the
/// table (u32), its bit width (u8), a zero, and its largest activation (f16). The tail, if there
/// is one, has an entry of its own with width 0 and raw ids.
fn write_blocks(docs: &[u32], activations: &[u16], out: &mut Vec<u8>) -> Result<()> {
    let packer = BitPacker4x::new();
    let mut table = Vec::new();
    let mut data = Vec::new();
    let mut previous = None;
    let mut packed = [0_u8; BLOCK * 4];
    for (ids, values) in docs.chunks(BLOCK).zip(activations.chunks(BLOCK)) {
        let last = ids[ids.len() - 1];
        // Positive f16 numbers are ordered as their bits are.
        let maximum = values.iter().copied().max().unwrap_or(0);
        let offset = narrow::<u32>(data.len(), "list data")?;
        let width = if ids.len() == BLOCK {
            let width = packer.num_bits_strictly_sorted(previous, ids);
            let written = packer.compress_strictly_sorted(previous, ids, &mut packed, width);
            data.extend_from_slice(&packed[..written]);
            width
        } else {
            data.extend_from_slice(bytemuck::cast_slice(ids));
            0
        };
        data.extend_from_slice(bytemuck::cast_slice(values));
        table.extend_from_slice(&last.to_le_bytes());
        table.extend_from_slice(&offset.to_le_bytes());
        table.extend_from_slice(&[width, 0]);
        table.extend_from_slice(&maximum.to_le_bytes());
        previous = Some(last);
    }
    out.extend_from_slice(&table);
    out.extend_from_slice(&data);
    align(out);
    Ok(())
}
