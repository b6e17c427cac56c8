//! Results as tables in files: CSV and Parquet.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Flags of commands whose result is a table.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct FileArgs {
    /// Write the rows to this file as CSV
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Write the rows to this file as Parquet
    #[arg(long, value_name = "FILE")]
    pub(super) parquet: Option<PathBuf>,
}

impl FileArgs {
    /// True when a file is asked for.
    pub(super) fn any(&self) -> bool {
        self.csv.is_some() || self.parquet.is_some()
    }

    /// Writes the files that are asked for.
    pub(super) fn write(&self, table: impl FnOnce() -> Table) -> anyhow::Result<()> {
        if !self.any() {
            return Ok(());
        }
        let table = table();
        if let Some(path) = &self.csv {
            table
                .write_csv(path)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if let Some(path) = &self.parquet {
            table
                .write_parquet(path)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// Values of a column; `None` is an empty cell.
#[derive(Clone, Debug)]
pub(super) enum Column {
    Text(Vec<Option<String>>),
    Integer(Vec<Option<u64>>),
    Number(Vec<Option<f64>>),
}

/// Named columns of one length.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    columns: Vec<(String, Column)>,
}

impl Table {
    pub(super) fn text<T: Into<String>>(
        &mut self,
        name: &str,
        cells: impl Iterator<Item = Option<T>>,
    ) {
        // An empty text is no text on the wire.
        let cells = cells.map(|cell| cell.map(Into::into).filter(|text| !text.is_empty()));
        self.push(name, Column::Text(cells.collect()));
    }

    pub(super) fn integer(&mut self, name: &str, cells: impl Iterator<Item = Option<u64>>) {
        self.push(name, Column::Integer(cells.collect()));
    }

    pub(super) fn number(&mut self, name: &str, cells: impl Iterator<Item = f64>) {
        self.push(name, Column::Number(cells.map(Some).collect()));
    }

    pub(super) fn optional_number(&mut self, name: &str, cells: impl Iterator<Item = Option<f64>>) {
        self.push(name, Column::Number(cells.collect()));
    }

    fn push(&mut self, name: &str, column: Column) {
        self.columns.push((name.to_owned(), column));
    }

    fn write_csv(&self, path: &Path) -> anyhow::Result<()> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(self.columns.iter().map(|(name, _)| name))?;
        let rows = self.columns.first().map_or(0, |(_, column)| column.len());
        for row in 0..rows {
            writer.write_record(self.columns.iter().map(|(_, column)| column.cell(row)))?;
        }
        writer.flush()?;
        Ok(())
    }

    fn write_parquet(&self, path: &Path) -> anyhow::Result<()> {
        let columns = self
            .columns
            .iter()
            .map(|(name, column)| (name, column.array(), true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let mut writer =
            ArrowWriter::try_new(File::create(path)?, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(())
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Integer(cells) => cells.len(),
            Self::Number(cells) => cells.len(),
        }
    }

    fn cell(&self, row: usize) -> String {
        match self {
            Self::Text(cells) => cells[row].clone().unwrap_or_default(),
            Self::Integer(cells) => cells[row].map_or(String::new(), |cell| cell.to_string()),
            Self::Number(cells) => cells[row].map_or(String::new(), |cell| cell.to_string()),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::Text(cells) => Arc::new(StringArray::from_iter(cells)),
            Self::Integer(cells) => Arc::new(UInt64Array::from_iter(cells)),
            Self::Number(cells) => Arc::new(Float64Array::from_iter(cells)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{self, Source};

    #[test]
    fn both_files_give_the_rows_back() {
        let mut table = Table::default();
        table.text("label", [Some("a, \"b\""), None, Some("")].into_iter());
        table.integer("count", [Some(3), Some(u64::MAX), None].into_iter());
        table.number("share", [0.1, 1e-300, -2.0].into_iter());
        table.optional_number("bound", [Some(0.5), None, Some(1.0)].into_iter());
        let folder = tempfile::tempdir().unwrap();
        let files = FileArgs {
            csv: Some(folder.path().join("t.csv")),
            parquet: Some(folder.path().join("t.parquet")),
        };
        files.write(|| table).unwrap();
        let text = std::fs::read_to_string(files.csv.as_ref().unwrap()).unwrap();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "label,count,share,bound",
                "\"a, \"\"b\"\"\",3,0.1,0.5",
                &format!(",18446744073709551615,{},", 1e-300),
                ",,-2,1"
            ]
        );
        let source = Source::Path(files.parquet.unwrap());
        let rows: Vec<_> = records::open(&source, None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].get("label").unwrap(), "a, \"b\"");
        assert_eq!(rows[1].get("count").unwrap(), u64::MAX);
        assert_eq!(rows[1].get("share").unwrap(), 1e-300);
        assert!(rows[2].get("count").unwrap().is_null());
    }
}
