//! The matrices of several SAEs in one file: each SAE of a collection has a space of its own, with
//! latents numbered from 0. A segment of one space is that space's file and nothing around it
//! (FORMAT.md, "latents").

use tantivy::directory::OwnedBytes;

use super::builder::LatentsBuilder;
use super::reader::LatentsReader;
use crate::document::Activation;
use crate::error::{Error, Result};
use crate::segment_file::{align, narrow, widen};

/// First bytes of a file of several matrices.
const SPACES_MAGIC: [u8; 8] = *b"LDBLATS1";
/// Bytes before the table: magic, number of spaces, checksum of what precedes the spaces.
const HEADER_BYTES: usize = 16;
/// Bytes of a space's entry: where it starts, how long it is.
const ENTRY_BYTES: usize = 16;

/// The matrices of a segment under construction, document by document.
#[derive(Default)]
pub(crate) struct SpacesBuilder {
    spaces: Vec<LatentsBuilder>,
    documents: usize,
}

impl SpacesBuilder {
    /// Appends the next document: its row in each space, ascending by latent. Spaces it has no row
    /// for get an empty one.
    pub fn push<R: Iterator<Item = Activation>>(&mut self, rows: impl Iterator<Item = R>) {
        for (space, row) in rows.enumerate() {
            if space == self.spaces.len() {
                self.spaces.push(LatentsBuilder::empty(self.documents));
            }
            self.spaces[space].push(row);
        }
        self.documents += 1;
        for space in &mut self.spaces {
            space.pad(self.documents);
        }
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.spaces.iter().map(LatentsBuilder::memory).sum()
    }

    /// The component's file.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        if self.spaces.len() < 2 {
            let only = self.spaces.pop();
            return only
                .unwrap_or_else(|| LatentsBuilder::empty(self.documents))
                .finish();
        }
        let count = self.spaces.len();
        let mut out = vec![0; HEADER_BYTES + count * ENTRY_BYTES];
        let mut table = Vec::with_capacity(count * ENTRY_BYTES);
        for space in self.spaces {
            align(&mut out);
            let bytes = space.finish()?;
            table.extend_from_slice(&(out.len() as u64).to_le_bytes());
            table.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(&bytes);
        }
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&SPACES_MAGIC);
        header.extend_from_slice(&narrow::<u32>(count, "space count")?.to_le_bytes());
        let checksum = checksum(&header, &table);
        header.extend_from_slice(&checksum.to_le_bytes());
        out[..HEADER_BYTES].copy_from_slice(&header);
        out[HEADER_BYTES..HEADER_BYTES + table.len()].copy_from_slice(&table);
        Ok(out)
    }
}

/// Opens the matrices of a component's file, one at least.
pub(crate) fn open_spaces(bytes: OwnedBytes) -> Result<Vec<LatentsReader>> {
    if bytes.len() < HEADER_BYTES || bytes[..8] != SPACES_MAGIC {
        return Ok(vec![LatentsReader::open(bytes)?]);
    }
    let count = widen(u64::from(number(&bytes[8..12])?))?;
    let table_end = count
        .checked_mul(ENTRY_BYTES)
        .and_then(|table| table.checked_add(HEADER_BYTES))
        .filter(|&end| count > 0 && end <= bytes.len())
        .ok_or_else(|| Error::corrupted("the table of latent spaces is cut short"))?;
    let table = &bytes[HEADER_BYTES..table_end];
    if number(&bytes[12..HEADER_BYTES])? != checksum(&bytes[..12], table) {
        return Err(Error::corrupted(
            "the table of latent spaces fails its checksum",
        ));
    }
    let mut spaces: Vec<LatentsReader> = Vec::with_capacity(count);
    for entry in table.chunks_exact(ENTRY_BYTES) {
        let start = widen(long(&entry[..8])?)?;
        let length = widen(long(&entry[8..])?)?;
        let end = start.checked_add(length).filter(|&end| end <= bytes.len());
        let end = end.ok_or_else(|| Error::corrupted("a latent space does not fit its file"))?;
        let space = LatentsReader::open(bytes.slice(start..end))?;
        if spaces
            .first()
            .is_some_and(|first| first.n_docs() != space.n_docs())
        {
            return Err(Error::corrupted(
                "two latent spaces of a segment differ in their documents",
            ));
        }
        spaces.push(space);
    }
    Ok(spaces)
}

fn checksum(header: &[u8], table: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(table);
    hasher.finalize()
}

fn number(bytes: &[u8]) -> Result<u32> {
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| Error::corrupted("the table of latent spaces is cut short"))?;
    Ok(u32::from_le_bytes(bytes))
}

fn long(bytes: &[u8]) -> Result<u64> {
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| Error::corrupted("the table of latent spaces is cut short"))?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(latents: &[u32]) -> std::vec::IntoIter<Activation> {
        let entries: Vec<Activation> = latents
            .iter()
            .map(|&latent| Activation {
                latent,
                activation: 0.5,
            })
            .collect();
        entries.into_iter()
    }

    fn latents(reader: &LatentsReader, doc: u32) -> Vec<u32> {
        reader.row(doc).iter().map(|entry| entry.latent).collect()
    }

    fn two_spaces() -> Vec<u8> {
        let mut builder = SpacesBuilder::default();
        builder.push([row(&[1, 4])].into_iter());
        builder.push([row(&[]), row(&[0, 7])].into_iter());
        builder.push([row(&[2])].into_iter());
        builder.finish().unwrap()
    }

    #[test]
    fn each_space_has_its_own_rows_and_lists() {
        let spaces = open_spaces(OwnedBytes::new(two_spaces())).unwrap();
        assert_eq!(spaces.len(), 2);
        assert!(spaces.iter().all(|space| space.n_docs() == 3));
        assert_eq!(latents(&spaces[0], 0), [1, 4]);
        assert_eq!(latents(&spaces[0], 2), [2]);
        assert_eq!(latents(&spaces[1], 1), [0, 7]);
        assert!(latents(&spaces[1], 0).is_empty());
        assert!(spaces[0].list(7).is_none());
        assert_eq!(spaces[1].list(7).unwrap().len(), 1);
    }

    #[test]
    fn one_space_is_a_file_without_a_table() {
        let mut builder = SpacesBuilder::default();
        builder.push([row(&[3])].into_iter());
        builder.push(std::iter::empty::<std::vec::IntoIter<Activation>>());
        let bytes = builder.finish().unwrap();
        assert_eq!(bytes[..8], crate::latents::layout::MAGIC);
        let spaces = open_spaces(OwnedBytes::new(bytes)).unwrap();
        assert_eq!((spaces.len(), spaces[0].n_docs()), (1, 2));
        let none = SpacesBuilder::default().finish().unwrap();
        assert_eq!(open_spaces(OwnedBytes::new(none)).unwrap()[0].n_docs(), 0);
    }

    #[test]
    fn a_damaged_table_is_an_error() {
        let bytes = two_spaces();
        for at in 0..HEADER_BYTES + 2 * ENTRY_BYTES {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert!(open_spaces(OwnedBytes::new(damaged)).is_err(), "byte {at}");
        }
        for length in [12, 40, bytes.len() - 1] {
            assert!(open_spaces(OwnedBytes::new(bytes[..length].to_vec())).is_err());
        }
    }
}
