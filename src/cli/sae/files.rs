//! Flags that name files of vectors.

use std::ops::Range;
use std::path::PathBuf;

use crate::records::rows::RowFiles;

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

fn parse_range(text: &str) -> Result<Range<usize>, String> {
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
    pub fn open(&self) -> crate::error::Result<RowFiles> {
        RowFiles::open(&self.vectors, self.tensor.as_deref(), self.rows.as_ref())
    }

    /// Opens files whose rows belong to those of [`open`](Self::open), in the same order.
    pub fn beside(&self, files: &[PathBuf]) -> crate::error::Result<RowFiles> {
        RowFiles::open(files, None, self.rows.as_ref())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_rows_is_not_empty() {
        assert_eq!(parse_range("1000..1600"), Ok(1000..1600));
        assert!(parse_range("5..5").is_err() && parse_range("7").is_err());
        let files = FileArgs {
            vectors: vec!["0.npy".into(), "1.npy".into()],
            tensor: None,
            rows: Some(1000..1600),
        };
        assert_eq!(files.names(), "0.npy, 1.npy rows 1000..1600");
    }
}
