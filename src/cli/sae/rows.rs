//! Files of vectors as rows to train and measure on: shards of safetensors, `.npy` or Parquet.

use std::ops::Range;
use std::path::PathBuf;

use crate::cli::reading;
use crate::error::{Error, Result};
use crate::reading::Reading;
use crate::records::parquet_vectors::ParquetVectors;
use crate::records::vectors::VectorFile;
use crate::sae::{RowSource, slices};

/// Rows that are read at once of a file whose rows can be read anywhere.
const PIECE: usize = 1024;
/// Rows that are read at once of a row group.
const GROUP_PIECE: usize = 16_384;

/// Which files of vectors are read.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct FileArgs {
    /// Vectors of this file, in this process: safetensors, .npy or Parquet; several files are
    /// shards, in the order given
    #[arg(long, value_name = "FILE", group = "on")]
    pub vectors: Vec<PathBuf>,
    /// Tensor or column of the files; found by its name or alone when left out
    #[arg(long, value_name = "NAME", requires = "vectors")]
    tensor: Option<String>,
    /// Only these of all their rows, the last left out
    #[arg(long, value_name = "FIRST..LAST", requires = "vectors", value_parser = parse_range)]
    rows: Option<Range<usize>>,
}

fn parse_range(text: &str) -> std::result::Result<Range<usize>, String> {
    let wrong = || format!("{text:?} is no range of rows as 0..54000");
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    let (first, last) = (first.parse(), last.parse());
    match (first, last) {
        (Ok(first), Ok(last)) if first < last => Ok(first..last),
        _ => Err(wrong()),
    }
}

impl FileArgs {
    /// Opens the files.
    pub fn open(&self) -> Result<Shards> {
        let mut shards = Shards::open(&self.vectors, self.tensor.as_deref())?;
        if let Some(rows) = &self.rows {
            if rows.end > shards.shown.end {
                return Err(Error::invalid(
                    "rows",
                    format!(
                        "{}..{} passes the {} rows of the files",
                        rows.start, rows.end, shards.shown.end
                    ),
                ));
            }
            shards.shown = rows.clone();
        }
        Ok(shards)
    }

    /// The files, for a record.
    pub fn names(&self) -> String {
        let names: Vec<String> = self
            .vectors
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let rows = match &self.rows {
            Some(rows) => format!(" rows {}..{}", rows.start, rows.end),
            None => String::new(),
        };
        names.join(", ") + &rows
    }
}

/// Files of one dimension, one after the other.
pub(super) struct Shards {
    shards: Vec<(Range<usize>, Shard)>,
    dimension: usize,
    /// The rows that are shown of all.
    shown: Range<usize>,
}

enum Shard {
    Matrix(VectorFile),
    Parquet(ParquetVectors),
}

impl Shards {
    fn open(paths: &[PathBuf], tensor: Option<&str>) -> Result<Self> {
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
        opened.shown = 0..start;
        Ok(opened)
    }

    /// What the rows are, where the first file says so.
    pub fn reading(&self) -> Result<Option<Reading>> {
        match self.shards.first() {
            Some((_, Shard::Matrix(file))) => reading::of_file(file),
            _ => Ok(None),
        }
    }
}

impl RowSource for Shards {
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

    fn all(shards: &Shards) -> Vec<f32> {
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
        let shards = Shards::open(&paths, None).unwrap();
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
        let some = FileArgs {
            vectors: paths.clone(),
            tensor: None,
            rows: Some(1000..1600),
        };
        assert!(some.names().ends_with("1.safetensors rows 1000..1600"));
        let some = some.open().unwrap();
        assert_eq!(some.chunks(), [0..24, 24..500, 500..600]);
        assert_eq!(all(&some), expected[2000..3200]);
        assert!(parse_range("5..5").is_err() && parse_range("7").is_err());

        let other = folder.path().join("other.safetensors");
        let mut writer = VectorWriter::create(&other, 3, BTreeMap::new()).unwrap();
        writer.write_rows(&[0.0; 3]).unwrap();
        writer.finish().unwrap();
        paths.push(other);
        assert!(Shards::open(&paths, None).is_err());
    }
}
