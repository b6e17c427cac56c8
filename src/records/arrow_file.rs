//! Arrow IPC files (`.arrow`, Feather version 2) and streams, read batch by batch.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;

use super::arrow_rows::ArrowRows;
use super::record::Records;
use super::source::seekable;
use crate::error::{Error, Result};

/// What a file begins with; a stream begins with the length of its first message instead.
const MAGIC: &[u8] = b"ARROW1";
/// What a stream begins with, and files of Feather version 1.
const CONTINUATION: &[u8] = b"\xff\xff\xff\xff";
const FEATHER_1: &[u8] = b"FEA1";

/// Whether content begins as an Arrow IPC file or stream does, or as Feather.
pub(super) fn is_arrow(start: &[u8]) -> bool {
    [MAGIC, CONTINUATION, FEATHER_1]
        .iter()
        .any(|mark| start.starts_with(mark))
}

/// Opens what begins with `start`: `direct` where the source is a plain file, else `content`; a
/// file, which is read from its end, is then copied to a temporary one first.
pub(super) fn open(
    start: &[u8],
    direct: Option<File>,
    content: impl Read + Send + 'static,
    name: Arc<str>,
) -> Result<Records> {
    let unreadable = |error: ArrowError| {
        Error::invalid("source", format!("{name} is not a readable Arrow IPC file"))
            .with_source(error)
    };
    if start.starts_with(FEATHER_1) {
        return Err(Error::invalid(
            "source",
            format!(
                "{name} is of Feather version 1; accepted is version 2 \
                 (pyarrow.feather.write_feather, pandas.DataFrame.to_feather)"
            ),
        ));
    }
    if start.starts_with(MAGIC) {
        let file = BufReader::new(seekable(direct, content, &name)?);
        let batches = FileReader::try_new(file, None).map_err(unreadable)?;
        let schema = batches.schema();
        return Ok(Box::new(ArrowRows::new(
            Box::new(batches),
            schema.fields(),
            name,
        )));
    }
    let batches = StreamReader::try_new(content, None).map_err(unreadable)?;
    let schema = batches.schema();
    Ok(Box::new(ArrowRows::new(
        Box::new(batches),
        schema.fields(),
        name,
    )))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, DictionaryArray, Float64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    };
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
    use serde_json::json;

    use super::*;
    use crate::records::{self, Format, Source};

    fn batch() -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("one"), None, Some("ü")]));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![0.1, -0.0, 3.0]));
        let times = TimestampMicrosecondArray::from(vec![0, 1, 1_740_787_200_000_000]);
        let times: ArrayRef = Arc::new(times.with_timezone("UTC"));
        let kinds: DictionaryArray<Int32Type> = vec!["a", "b", "a"].into_iter().collect();
        RecordBatch::try_from_iter([
            ("text", texts),
            ("share", numbers),
            ("day", times),
            ("kind", Arc::new(kinds)),
        ])
        .unwrap()
    }

    fn file(path: &Path, compression: Option<CompressionType>) {
        let options = IpcWriteOptions::default().try_with_compression(compression);
        let out = File::create(path).unwrap();
        let batch = batch();
        let writer = FileWriter::try_new_with_options(out, &batch.schema(), options.unwrap());
        let mut writer = writer.unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    }

    fn check(path: &Path) {
        let source = Source::from(path);
        let rows: Vec<_> = records::open(&source, None)
            .unwrap()
            .map(|record| record.unwrap())
            .collect();
        assert_eq!(rows.len(), 6);
        let record = &rows[5];
        assert_eq!(record.get("text"), Some(&json!("ü")));
        assert_eq!(record.get("share"), Some(&json!(3.0)));
        assert_eq!(record.get("kind"), Some(&json!("a")));
        assert_eq!(record.get("day"), Some(&json!("2025-03-01T00:00:00Z")));
        assert!(record.is_time("day") && !record.is_time("text"));
        assert_eq!(rows[4].get("text"), Some(&json!(null)));
        assert!(record.position().to_string().ends_with("row 6"));
    }

    #[test]
    fn files_and_streams_are_read_by_their_marks() {
        let folder = tempfile::tempdir().unwrap();
        let compressions = [
            None,
            Some(CompressionType::LZ4_FRAME),
            Some(CompressionType::ZSTD),
        ];
        for (at, compression) in compressions.into_iter().enumerate() {
            // By the name, and by the content alone.
            for name in ["a.arrow", "b.feather", "c"] {
                let path = folder.path().join(format!("{at}{name}"));
                file(&path, compression);
                check(&path);
            }
        }
        let path = folder.path().join("s.arrows");
        let batch = batch();
        let out = File::create(&path).unwrap();
        let mut writer = StreamWriter::try_new(out, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        check(&path);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.arrow");
        file(&path, None);
        let whole = std::fs::read(&path).unwrap();
        for (content, part) in [
            (&whole[..whole.len() / 2], "not a readable Arrow IPC file"),
            (b"FEA1 and more", "Feather version 1"),
            (b"{\"a\": 1}", "not a readable Arrow IPC file"),
        ] {
            std::fs::write(&path, content).unwrap();
            let opened = records::open(&Source::from(path.as_path()), Some(Format::Arrow));
            let error = opened.err().unwrap();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
