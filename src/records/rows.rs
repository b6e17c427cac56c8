//! Files of vectors as rows to train and measure on: shards of safetensors, `.npy` or Parquet; and
//! what such files say of their rows.

use std::ops::Range;
use std::path::PathBuf;

use super::parquet_vectors::ParquetVectors;
use super::vectors::VectorFile;
use crate::error::{Error, Result};
use crate::reading::{EncoderIdentity, PooledReading, Reading, TokenReading};
use crate::sae::{Normalisation, RowSource, Sae, slices};

/// Metadata of a file of token states: a [`Reading`].
pub const READING: &str = "reading";
/// Metadata of a file of vectors: an [`EncoderIdentity`].
pub const ENCODER: &str = "encoder";

/// Rows that are read at once of a file whose rows can be read anywhere.
const PIECE: usize = 1024;
/// Rows that are read at once of a row group.
const GROUP_PIECE: usize = 16_384;

/// What the rows of a file are, if it says so.
///
/// # Errors
/// `Corrupted` for a record of token states that cannot be read.
pub fn reading(file: &VectorFile) -> Result<Option<Reading>> {
    let metadata = file.metadata()?;
    let unreadable = |error| Error::corrupted("a file's record of its rows").with_source(error);
    if let Some(reading) = metadata.get(READING) {
        return serde_json::from_str(reading).map(Some).map_err(unreadable);
    }
    let encoder = metadata.get(ENCODER);
    // Another program may keep anything there.
    let encoder = encoder.and_then(|json| serde_json::from_str::<EncoderIdentity>(json).ok());
    Ok(encoder.map(|encoder| {
        Reading::Pooled(PooledReading {
            encoder: Some(encoder),
        })
    }))
}

/// Files of one dimension, one after the other.
#[derive(Debug)]
pub struct RowFiles {
    shards: Vec<(Range<usize>, Shard)>,
    dimension: usize,
    /// The rows that are read of all.
    shown: Range<usize>,
}

#[derive(Debug)]
enum Shard {
    Matrix(VectorFile),
    Parquet(ParquetVectors),
}

impl RowFiles {
    /// Opens files; `tensor` names the tensor or column, which is found by its usual name or alone
    /// otherwise. `rows` limits the rows of all files together.
    ///
    /// # Errors
    /// `InvalidArgument` for files of several dimensions and for `rows` that pass the end.
    pub fn open(
        paths: &[PathBuf],
        tensor: Option<&str>,
        rows: Option<&Range<usize>>,
    ) -> Result<Self> {
        let mut opened = Self {
            shards: Vec::with_capacity(paths.len()),
            dimension: 0,
            shown: 0..0,
        };
        let mut start = 0;
        for path in paths {
            let (shard, rows, dimension) = if ParquetVectors::is_parquet(path)? {
                let file = ParquetVectors::open(path, tensor)?;
                let (rows, dimension) = (file.rows(), file.dimension());
                (Shard::Parquet(file), rows, dimension)
            } else {
                let file = VectorFile::open(path, tensor)?;
                let (rows, dimension) = (file.rows(), file.dimension());
                (Shard::Matrix(file), rows, dimension)
            };
            if !opened.shards.is_empty() && dimension != opened.dimension {
                return Err(Error::invalid(
                    "vectors",
                    format!(
                        "{} has vectors of {dimension} values, the files before of {}",
                        path.display(),
                        opened.dimension
                    ),
                ));
            }
            opened.dimension = dimension;
            opened.shards.push((start..start + rows, shard));
            start += rows;
        }
        opened.shown = match rows {
            Some(rows) if rows.end > start => {
                return Err(Error::invalid(
                    "rows",
                    format!(
                        "{}..{} passes the {start} rows of the files",
                        rows.start, rows.end
                    ),
                ));
            }
            Some(rows) => rows.clone(),
            None => 0..start,
        };
        Ok(opened)
    }

    /// What the rows are, if the first file says so.
    ///
    /// # Errors
    /// See [`reading`].
    pub fn reading(&self) -> Result<Option<Reading>> {
        match self.shards.first() {
            Some((_, Shard::Matrix(file))) => reading(file),
            _ => Ok(None),
        }
    }

    /// Normalisation of the rows in training, unless told otherwise: token states are rescaled.
    ///
    /// # Errors
    /// See [`reading`].
    pub fn normalisation(&self) -> Result<Normalisation> {
        Ok(match self.reading()? {
            Some(Reading::Token(_)) => Normalisation::ConstantNormRescale,
            _ => Normalisation::None,
        })
    }

    /// Records in an SAE that it was trained on these rows.
    ///
    /// # Errors
    /// See [`reading`].
    pub fn describe(&self, sae: &mut Sae) -> Result<()> {
        match self.reading()? {
            Some(Reading::Token(rows)) => sae.set_reading(Reading::Token(TokenReading {
                normalisation: sae.normalisation().name().to_owned(),
                ..rows
            })),
            Some(pooled) => sae.set_reading(pooled),
            None => {}
        }
        Ok(())
    }
}

impl RowSource for RowFiles {
    fn rows(&self) -> usize {
        self.shown.len()
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn chunks(&self) -> Vec<Range<usize>> {
        let mut chunks = Vec::new();
        for (range, shard) in &self.shards {
            match shard {
                Shard::Matrix(_) => chunks.extend(slices(range.clone(), PIECE)),
                Shard::Parquet(file) => {
                    for group in file.groups() {
                        let group = range.start + group.start..range.start + group.end;
                        chunks.extend(slices(group, GROUP_PIECE));
                    }
                }
            }
        }
        let first = self.shown.start;
        chunks
            .into_iter()
            .map(|chunk| chunk.start.max(first)..chunk.end.min(self.shown.end))
            .filter(|chunk| !chunk.is_empty())
            .map(|chunk| chunk.start - first..chunk.end - first)
            .collect()
    }

    fn read(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let first = self.shown.start;
        let rows = rows.start + first..rows.end + first;
        let within = self.shards.iter().find(|(range, _)| {
            range.start <= rows.start && rows.end <= range.end && rows.start < range.end
        });
        let Some((range, shard)) = within else {
            return Err(Error::invalid(
                "rows",
                format!("{}..{} lies in no one file", rows.start, rows.end),
            ));
        };
        let local = rows.start - range.start..rows.end - range.start;
        match shard {
            Shard::Matrix(file) => file.read_rows(local, out),
            Shard::Parquet(file) => file.read_rows(local, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::records::vectors::VectorWriter;

    fn all(shards: &RowFiles) -> Vec<f32> {
        let mut piece = Vec::new();
        let mut all = Vec::new();
        for range in shards.chunks() {
            shards.read(range, &mut piece).unwrap();
            all.extend_from_slice(&piece);
        }
        all
    }

    #[test]
    fn shards_are_one_list_of_rows() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (shard, rows) in [(0u16, 1500u16), (1, 700)] {
            let path = folder.path().join(format!("{shard}.safetensors"));
            let mut writer = VectorWriter::create(&path, 2, BTreeMap::new()).unwrap();
            for row in 0..rows {
                let value = f32::from(shard * 1500 + row);
                writer.write_rows(&[value, -value]).unwrap();
            }
            writer.finish().unwrap();
            paths.push(path);
        }
        let shards = RowFiles::open(&paths, None, None).unwrap();
        assert_eq!((shards.rows(), shards.dimension()), (2200, 2));
        let expected: Vec<f32> = (0..2200u16)
            .flat_map(|v| [f32::from(v), -f32::from(v)])
            .collect();
        assert_eq!(all(&shards), expected);
        assert_eq!(shards.chunks(), [0..1024, 1024..1500, 1500..2200]);
        let mut out = Vec::new();
        shards.read(1500..1501, &mut out).unwrap();
        assert_eq!(out, [1500.0, -1500.0]);
        assert!(shards.read(1499..1501, &mut out).is_err());
        let some = RowFiles::open(&paths, None, Some(&(1000..1600))).unwrap();
        assert_eq!(some.chunks(), [0..24, 24..500, 500..600]);
        assert_eq!(all(&some), expected[2000..3200]);
        assert!(RowFiles::open(&paths, None, Some(&(1000..2201))).is_err());

        let other = folder.path().join("other.safetensors");
        let mut writer = VectorWriter::create(&other, 3, BTreeMap::new()).unwrap();
        writer.write_rows(&[0.0; 3]).unwrap();
        writer.finish().unwrap();
        paths.push(other);
        assert!(RowFiles::open(&paths, None, None).is_err());
    }
}
