//! Parquet, read batch by batch through Arrow.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::arrow_value;
use super::record::{Position, Record, Records};
use super::source::read_error;
use crate::error::{Error, ErrorKind, Result};

/// Rows decoded at a time: enough to amortise a batch, few enough for rows of long texts.
const BATCH_ROWS: usize = 256;

/// The rows of a Parquet file.
struct ParquetRows {
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    row_in_batch: usize,
    row: u64,
    name: Arc<str>,
    ended: bool,
}

/// Opens Parquet: `direct` where the source is a seekable plain file, else a temporary copy of
/// `content`, since the format is read from its end.
pub(super) fn open(
    direct: Option<File>,
    mut content: impl Read,
    name: Arc<str>,
) -> Result<Records> {
    let file = match direct.filter(is_seekable) {
        Some(file) => file,
        None => {
            let mut copy = tempfile::tempfile()?;
            io::copy(&mut content, &mut copy).map_err(|error| read_error(&name, error))?;
            copy.rewind()?;
            copy
        }
    };
    let batches = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
        .map_err(|error| {
            Error::invalid("source", format!("{name} is not a readable Parquet file"))
                .with_source(error)
        })?;
    Ok(Box::new(ParquetRows {
        batches,
        batch: None,
        row_in_batch: 0,
        row: 0,
        name,
        ended: false,
    }))
}

/// A named pipe opens like a file and has no end to read from.
fn is_seekable(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

impl Iterator for ParquetRows {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = &self.batch
                && self.row_in_batch < batch.num_rows()
            {
                let at = self.row_in_batch;
                self.row_in_batch += 1;
                self.row += 1;
                let fields = record_fields(batch, at);
                let position = Position::row(&self.name, self.row);
                return Some(Ok(Record::new(fields, position)));
            }
            if self.ended {
                return None;
            }
            match self.batches.next()? {
                Ok(batch) => {
                    self.batch = Some(batch);
                    self.row_in_batch = 0;
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(Error::new(
                        ErrorKind::Corrupted,
                        format!("cannot read {} after row {}", self.name, self.row),
                    )
                    .with_source(error)));
                }
            }
        }
    }
}

/// The fields of one row; values with no JSON form (raw bytes, durations) are left out.
fn record_fields(batch: &RecordBatch, at: usize) -> Vec<(String, serde_json::Value)> {
    batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .filter_map(|(field, column)| {
            let value = arrow_value::to_json(column.as_ref() as &dyn Array, at)?;
            Some((field.name().clone(), value))
        })
        .collect()
}
