//! Reads the component in place, and writes it: rows, their reciprocal norms and codes, and the
//! map between documents and rows where some documents have no vector.

use std::io::Write;

use tantivy::directory::OwnedBytes;

use super::codes::{Codes, CodesWriter, Scale, padded};
use super::{HEADER_BYTES, MAGIC, NO_ROW};
use crate::error::{Error, Result};
use crate::segment_file::{AlignedBytes, narrow, widen};

/// An open `dense` file: `n_rows` vectors of `dimension` values.
pub(crate) struct DenseReader {
    bytes: AlignedBytes,
    n_docs: u32,
    n_rows: usize,
    dimension: usize,
    /// Where the row map, the reciprocal norms, the vectors and the codes start.
    map_at: usize,
    norms_at: usize,
    vectors_at: usize,
    codes_at: usize,
}

impl DenseReader {
    /// Opens a file whose bytes outlive the reader.
    pub fn open(bytes: OwnedBytes) -> Result<Self> {
        let bytes = AlignedBytes::new(bytes);
        if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
            return Err(Error::corrupted("not a dense file of version 2"));
        }
        let fields: &[u32] = bytemuck::cast_slice(&bytes[8..HEADER_BYTES]);
        let checked = HEADER_BYTES - 4;
        if crc32fast::hash(&bytes[..checked]) != fields[fields.len() - 1] {
            return Err(Error::corrupted("the dense header fails its checksum"));
        }
        let offset = |at: usize| widen(u64::from(fields[at]) | u64::from(fields[at + 1]) << 32);
        let reader = Self {
            n_docs: fields[0],
            n_rows: fields[1] as usize,
            dimension: fields[2] as usize,
            map_at: offset(4)?,
            norms_at: offset(6)?,
            vectors_at: offset(8)?,
            codes_at: offset(10)?,
            bytes,
        };
        if reader.has_map() {
            reader.bytes.section::<u32>(reader.map_range())?;
        }
        reader.bytes.section::<f32>(reader.norms_range())?;
        reader.bytes.section::<f32>(reader.vectors_range())?;
        reader.bytes.section::<i8>(reader.codes_range())?;
        reader.bytes.section::<Scale>(reader.scales_range())?;
        Ok(reader)
    }

    /// Documents of the segment, deleted ones included.
    pub fn n_docs(&self) -> u32 {
        self.n_docs
    }

    /// Documents with a vector, deleted ones included.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Values of a vector; 0 when no document has one.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The row of a document, where it has a vector.
    pub fn row_of(&self, doc: u32) -> Option<usize> {
        if !self.has_map() {
            return Some(doc as usize);
        }
        let map: &[u32] = bytemuck::cast_slice(&self.bytes[self.map_range()]);
        let row = map[doc as usize];
        (row != NO_ROW).then_some(row as usize)
    }

    /// The document of a row.
    pub fn doc_of(&self, row: usize) -> u32 {
        if !self.has_map() {
            return row as u32;
        }
        let map: &[u32] = bytemuck::cast_slice(&self.bytes[self.map_range()]);
        map[self.n_docs as usize + row]
    }

    /// A row as it was given.
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors()[row * self.dimension..(row + 1) * self.dimension]
    }

    /// All rows, row-major.
    pub fn vectors(&self) -> &[f32] {
        bytemuck::cast_slice(&self.bytes[self.vectors_range()])
    }

    /// 1 over the norm of each row.
    pub fn reciprocal_norms(&self) -> &[f32] {
        bytemuck::cast_slice(&self.bytes[self.norms_range()])
    }

    /// The rows at 8 bits a value.
    pub fn codes(&self) -> Codes<'_> {
        Codes::new(
            bytemuck::cast_slice(&self.bytes[self.codes_range()]),
            bytemuck::cast_slice(&self.bytes[self.scales_range()]),
            self.dimension,
        )
    }

    fn has_map(&self) -> bool {
        self.n_rows != self.n_docs as usize
    }

    fn map_range(&self) -> std::ops::Range<usize> {
        self.map_at..self.map_at + (self.n_docs as usize + self.n_rows) * 4
    }

    fn norms_range(&self) -> std::ops::Range<usize> {
        self.norms_at..self.norms_at + self.n_rows * 4
    }

    fn vectors_range(&self) -> std::ops::Range<usize> {
        self.vectors_at..self.vectors_at + self.n_rows * self.dimension * 4
    }

    fn codes_range(&self) -> std::ops::Range<usize> {
        self.codes_at..self.codes_at + self.n_rows * padded(self.dimension)
    }

    fn scales_range(&self) -> std::ops::Range<usize> {
        let start = self.codes_range().end;
        start..start + self.n_rows * size_of::<Scale>()
    }
}

/// Everything before the vectors, which may be larger than memory wants.
#[derive(Default)]
pub(crate) struct DenseLayout {
    row_of_doc: Vec<u32>,
    doc_of_row: Vec<u32>,
    reciprocal_norms: Vec<f32>,
    dimension: usize,
}

impl DenseLayout {
    /// Counts the next document: with its vector's dimension and reciprocal norm, or without one.
    pub fn push(&mut self, vector: Option<(usize, f32)>) -> Result<()> {
        let Some((dimension, reciprocal_norm)) = vector else {
            self.row_of_doc.push(NO_ROW);
            return Ok(());
        };
        if self.dimension != 0 && self.dimension != dimension {
            return Err(Error::internal(format!(
                "a vector of {dimension} values among vectors of {}",
                self.dimension
            )));
        }
        self.dimension = dimension;
        let doc = narrow::<u32>(self.row_of_doc.len(), "document count")?;
        self.row_of_doc
            .push(narrow::<u32>(self.doc_of_row.len(), "row count")?);
        self.doc_of_row.push(doc);
        self.reciprocal_norms.push(reciprocal_norm);
        Ok(())
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.row_of_doc.capacity() * 4
            + self.doc_of_row.capacity() * 4
            + self.reciprocal_norms.capacity() * 4
    }

    /// Writes header, map and norms; the caller appends the vectors, row-major, then padding up to
    /// the codes ([`Self::write_padding`]), then these.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        let n_rows = self.doc_of_row.len();
        let has_map = n_rows != self.row_of_doc.len();
        let map_words = if has_map {
            self.row_of_doc.len() + n_rows
        } else {
            0
        };
        let map_at = HEADER_BYTES;
        let norms_at = (map_at + map_words * 4).next_multiple_of(64);
        let vectors_at = (norms_at + n_rows * 4).next_multiple_of(64);

        let mut head = Vec::with_capacity(vectors_at);
        head.extend_from_slice(&MAGIC);
        for field in [self.row_of_doc.len(), n_rows, self.dimension, 0] {
            head.extend_from_slice(&narrow::<u32>(field, "header field")?.to_le_bytes());
        }
        let codes_at = (vectors_at + self.vector_bytes()).next_multiple_of(64);
        for field in [map_at, norms_at, vectors_at, codes_at] {
            head.extend_from_slice(&(field as u64).to_le_bytes());
        }
        head.resize(HEADER_BYTES - 4, 0);
        let checksum = crc32fast::hash(&head);
        head.extend_from_slice(&checksum.to_le_bytes());
        if has_map {
            head.extend_from_slice(bytemuck::cast_slice(&self.row_of_doc));
            head.extend_from_slice(bytemuck::cast_slice(&self.doc_of_row));
        }
        head.resize(norms_at, 0);
        head.extend_from_slice(bytemuck::cast_slice(&self.reciprocal_norms));
        head.resize(vectors_at, 0);
        out.write_all(&head)?;
        Ok(())
    }

    /// Writes what stands between the vectors and the codes.
    pub fn write_padding(&self, out: &mut impl Write) -> std::io::Result<()> {
        let bytes = self.vector_bytes();
        out.write_all(&[0; 64][..bytes.next_multiple_of(64) - bytes])
    }

    /// A writer of the codes, for when the vectors are written.
    pub fn codes_writer(&self) -> CodesWriter {
        CodesWriter::new(self.dimension, self.doc_of_row.len())
    }

    /// Values of a vector; 0 when there is none.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// 1 over the norm of each row.
    pub fn reciprocal_norms(&self) -> &[f32] {
        &self.reciprocal_norms
    }

    fn vector_bytes(&self) -> usize {
        self.doc_of_row.len() * self.dimension * 4
    }
}

#[cfg(test)]
impl DenseReader {
    /// A file of these rows, open.
    pub fn of_rows(rows: &[Vec<f32>]) -> Self {
        let rows: Vec<_> = rows.iter().cloned().map(Some).collect();
        Self::open(OwnedBytes::new(tests::file(&rows))).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::reciprocal_norm;

    pub(super) fn file(rows: &[Option<Vec<f32>>]) -> Vec<u8> {
        let mut layout = DenseLayout::default();
        for row in rows {
            layout
                .push(row.as_ref().map(|row| (row.len(), reciprocal_norm(row))))
                .unwrap();
        }
        let mut out = Vec::new();
        layout.write(&mut out).unwrap();
        for row in rows.iter().flatten() {
            out.extend_from_slice(bytemuck::cast_slice(row));
        }
        layout.write_padding(&mut out).unwrap();
        let mut codes = layout.codes_writer();
        for (row, &norm) in rows.iter().flatten().zip(layout.reciprocal_norms()) {
            codes.push(row, norm, &mut out).unwrap();
        }
        codes.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn rows_and_documents_map_both_ways() {
        let rows = [
            Some(vec![3.0, 4.0]),
            None,
            Some(vec![1.0, 0.0]),
            Some(vec![0.0, -2.0]),
        ];
        let reader = DenseReader::open(OwnedBytes::new(file(&rows))).unwrap();
        assert_eq!(reader.n_rows(), 3);
        for (doc, row) in rows.iter().enumerate() {
            let found = reader.row_of(doc as u32);
            assert_eq!(found.map(|row| reader.vector(row)), row.as_deref());
            if let Some(row) = found {
                assert_eq!(reader.doc_of(row), doc as u32);
            }
        }
        assert_eq!(reader.reciprocal_norms(), [0.2, 1.0, 0.5]);
        // (3, 4) and (0, -2) have the cosine -0.8.
        let codes = reader.codes();
        assert!((codes.cosine(0, 2) + 0.8).abs() < 0.01);
        assert!((codes.query(&[0.0, 1.0]).cosine(2) + 1.0).abs() < 0.01);
        let full = DenseReader::open(OwnedBytes::new(file(&rows[2..]))).unwrap();
        assert_eq!(full.vector(full.row_of(1).unwrap()), [0.0, -2.0]);
    }

    #[test]
    fn a_damaged_or_short_file_is_an_error() {
        let bytes = file(&[Some(vec![3.0, 4.0])]);
        for at in 0..HEADER_BYTES {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(
                DenseReader::open(OwnedBytes::new(damaged)).is_err(),
                "byte {at}"
            );
        }
        assert!(DenseReader::open(OwnedBytes::new(bytes[..bytes.len() - 4].to_vec())).is_err());
    }
}
