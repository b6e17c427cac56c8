//! Parquet, read batch by batch through Arrow.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchReader as _};
use arrow_schema::{DataType, Fields};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::arrow_value;
use super::record::{Position, Record, Records, Unread};
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
    times: Arc<[String]>,
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
    let unreadable = |error: ParquetError| {
        Error::invalid("source", format!("{name} is not a readable Parquet file"))
            .with_source(error)
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unreadable)?;
    check_codecs(builder.metadata())
        .map_err(|what| Error::invalid("source", format!("{name} {what}")))?;
    let batches = builder
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(unreadable)?;
    let mut times = Vec::new();
    add_times(batches.schema().fields(), "", &mut times);
    Ok(Box::new(ParquetRows {
        batches,
        batch: None,
        row_in_batch: 0,
        row: 0,
        times: times.into(),
        name,
        ended: false,
    }))
}

/// Refuses columns that are compressed by what is not built in, before a row is read.
pub(super) fn check_codecs(metadata: &ParquetMetaData) -> Result<(), String> {
    let groups = metadata.row_groups().iter();
    for column in groups.flat_map(|group| group.columns()) {
        if !matches!(
            column.compression(),
            Compression::UNCOMPRESSED
                | Compression::SNAPPY
                | Compression::GZIP(_)
                | Compression::ZSTD(_)
                | Compression::LZ4
                | Compression::LZ4_RAW
        ) {
            let codec = column.compression().to_string();
            let codec = codec.split('(').next().unwrap_or_default();
            return Err(format!(
                "has the column {:?} compressed by {codec}; accepted are none, SNAPPY, GZIP, ZSTD \
                 and LZ4 (pandas: df.to_parquet(path, compression=\"zstd\"))",
                column.column_path().string()
            ));
        }
    }
    Ok(())
}

/// A named pipe opens like a file and has no end to read from.
fn is_seekable(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

impl Iterator for ParquetRows {
    type Item = Result<Record, Unread>;

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
                let record = Record::new(fields, position).with_times(self.times.clone());
                return Some(Ok(record));
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
                    let message = format!("cannot read {} after row {}", self.name, self.row);
                    return Some(Err(Error::new(ErrorKind::Corrupted, message)
                        .with_source(error)
                        .into()));
                }
            }
        }
    }
}

/// Adds the paths of timestamps and dates, and of lists of them.
fn add_times(fields: &Fields, parent: &str, times: &mut Vec<String>) {
    fn is_time(data_type: &DataType) -> bool {
        match data_type {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => true,
            DataType::Dictionary(_, values) => is_time(values),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => is_time(item.data_type()),
            _ => false,
        }
    }
    for field in fields {
        let path = format!("{parent}{}", field.name());
        match field.data_type() {
            DataType::Struct(inner) => add_times(inner, &format!("{path}."), times),
            data_type if is_time(data_type) => times.push(path),
            _ => {}
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

#[cfg(test)]
mod tests {
    use parquet::basic::BrotliLevel;
    use parquet::file::metadata::{ColumnChunkMetaData, FileMetaData, RowGroupMetaData};
    use parquet::schema::parser::parse_message_type;
    use parquet::schema::types::SchemaDescriptor;

    use super::*;

    #[test]
    fn a_codec_that_is_not_built_in_is_named_with_its_column() {
        let schema = parse_message_type("message m { required binary a; required binary b; }");
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema.unwrap())));
        let metadata = |second: Compression| {
            let codecs = [Compression::SNAPPY, second];
            let columns = codecs.iter().enumerate().map(|(at, codec)| {
                let column = ColumnChunkMetaData::builder(schema.column(at));
                column.set_compression(*codec).build().unwrap()
            });
            let group = RowGroupMetaData::builder(schema.clone());
            let group = group
                .set_column_metadata(columns.collect())
                .build()
                .unwrap();
            let file = FileMetaData::new(2, 0, None, None, schema.clone(), None);
            ParquetMetaData::new(file, vec![group])
        };
        check_codecs(&metadata(Compression::LZ4_RAW)).unwrap();
        for (codec, name) in [
            (Compression::BROTLI(BrotliLevel::default()), "BROTLI"),
            (Compression::LZO, "LZO"),
        ] {
            let error = check_codecs(&metadata(codec)).unwrap_err();
            let expected = format!("the column \"b\" compressed by {name};");
            assert!(error.contains(&expected), "{error}");
        }
    }
}
