//! Parquet, read batch by batch through Arrow.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use arrow_array::RecordBatchReader as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::arrow_rows::ArrowRows;
use super::record::Records;
use super::source::seekable;
use crate::error::{Error, Result};

/// Rows decoded at a time: enough to amortise a batch, few enough for rows of long texts.
const BATCH_ROWS: usize = 256;

/// Opens Parquet: `direct` where the source is a seekable plain file, else a temporary copy of
/// `content`, since the format is read from its end.
pub(super) fn open(direct: Option<File>, content: impl Read, name: Arc<str>) -> Result<Records> {
    let file = seekable(direct, content, &name)?;
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
    let schema = batches.schema();
    let rows = ArrowRows::new(Box::new(batches), schema.fields(), name);
    Ok(Box::new(rows))
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
