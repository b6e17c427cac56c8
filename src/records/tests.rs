use std::fs;
use std::io::Write;
use std::path::PathBuf;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;
use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Int64Array, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).unwrap()
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Source {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        Source::Path(path)
    }

    fn records(&self, name: &str, content: impl AsRef<[u8]>) -> Vec<Result<Record>> {
        let records = open(&self.write(name, content), None).unwrap();
        records.map(|record| Ok(record?)).collect()
    }

    /// The records as arrays of their values.
    fn values(&self, name: &str, content: impl AsRef<[u8]>) -> Vec<Value> {
        let records = self.records(name, content);
        records
            .into_iter()
            .map(|record| values(&record.unwrap()))
            .collect()
    }
}

fn values(record: &Record) -> Value {
    record
        .fields()
        .iter()
        .map(|(_, value)| value.clone())
        .collect()
}

const LINES: &str = "\u{feff}{\"z\": 1, \"a\": {\"b\": [10, 20]}}\r\n\n  \r\n{\"z\": \"é\"}";

#[test]
fn json_lines_plain_and_compressed_and_unnamed() {
    let files = Files::new();
    let expected = [json!([1, {"b": [10, 20]}]), json!(["é"])];
    let plain = LINES.as_bytes();
    // Two members and two frames: what appending compressed files to one another gives.
    let two_members = [gzip(&plain[..40]), gzip(&plain[40..])].concat();
    let two_frames = [zstandard(&plain[..7]), zstandard(&plain[7..])].concat();
    for (name, content) in [
        ("a.jsonl", plain.to_vec()),
        ("a.ndjson", plain.to_vec()),
        ("a.jsonl.gz", gzip(plain)),
        ("a.JSONL.zst", zstandard(plain)),
        ("members", two_members),
        ("frames", two_frames),
        ("a.json", plain.to_vec()),
        ("lying.jsonl.gz", plain.to_vec()),
    ] {
        assert_eq!(files.values(name, content), expected, "{name}");
    }
    let records = files.records("a.jsonl", LINES);
    let last = records[1].as_ref().unwrap();
    assert_eq!(last.position().number(), 4);
    assert!(last.position().to_string().ends_with("a.jsonl line 4"));
    let first = records[0].as_ref().unwrap();
    assert_eq!(first.get("a.b.1"), Some(&json!(20)));
    assert_eq!(first.get("a.b.2"), None);
    assert_eq!(first.get("a.c"), None);
    assert!(files.values("empty.jsonl", "").is_empty());
    assert!(files.values("blank", "\n \n").is_empty());
}

#[test]
fn a_bad_json_line_is_named_and_the_next_is_read() {
    let files = Files::new();
    let records = files.records(
        "a.jsonl",
        "{\"a\": 1}\n{\"a\": }\n[1]\n{\"a\": 2, \"a\": 3}\n",
    );
    assert_eq!(records.len(), 4);
    let message = |at: usize| records[at].as_ref().unwrap_err().to_string();
    assert!(
        message(1).ends_with("a.jsonl line 2: not a JSON object, at column 7: expected value"),
        "{}",
        message(1)
    );
    assert!(message(2).contains("line 3") && message(2).contains("expected an object"));
    assert_eq!(values(records[3].as_ref().unwrap()), json!([3]));
}

#[test]
fn delimited_text() {
    let files = Files::new();
    let csv = "\u{feff}id,,text\r\n1,x,\"a \"\"b\"\",\r\nc\"\r\n\r\n2,,é\r\n";
    let expected = [json!(["1", "x", "a \"b\",\r\nc"]), json!(["2", "", "é"])];
    assert_eq!(files.values("a.csv", csv), expected);
    assert_eq!(files.values("a.csv.gz", gzip(csv.as_bytes())), expected);
    assert_eq!(
        files.values("a.csv.zst", zstandard(csv.as_bytes())),
        expected
    );
    let tsv = "id\t\ttext\n1\tx\t\"a \"\"b\"\",\r\nc\"\n2\t\té\n";
    assert_eq!(files.values("a.tsv", tsv), expected);
    let records = files.records("a.csv", csv);
    let positions: Vec<u64> = records
        .iter()
        .map(|r| r.as_ref().unwrap().position().number())
        .collect();
    assert_eq!(positions, [2, 5]);
    let unix = files.records("a.csv", csv.replace("\r\n", "\n"));
    let positions: Vec<u64> = unix
        .iter()
        .map(|r| r.as_ref().unwrap().position().number())
        .collect();
    assert_eq!(positions, [2, 5]);
    assert_eq!(
        records[0].as_ref().unwrap().get("column_2"),
        Some(&json!("x"))
    );
    assert!(files.values("header.csv", "a,b\n").is_empty());
}

#[test]
fn bad_csv_rows_are_named_and_the_next_is_read() {
    let files = Files::new();
    let records = files.records("a.csv", b"a,b\n1,2\n1,2,3\n1,\xff\n3,4\n");
    let message = |at: usize| records[at].as_ref().unwrap_err().to_string();
    assert!(
        message(1).ends_with("a.csv line 3: 3 values, but the header has 2 columns"),
        "{}",
        message(1)
    );
    assert!(
        message(2).ends_with("line 4: column \"b\" is not UTF-8 text"),
        "{}",
        message(2)
    );
    assert_eq!(values(records[3].as_ref().unwrap()), json!(["3", "4"]));
    let twice = files.write("twice.csv", "a,a\n1,2\n");
    let error = open(&twice, None).err().unwrap().to_string();
    assert!(error.contains("the column \"a\" twice"), "{error}");
}

/// The message and the fields of what cannot be read, the values of what can.
fn read(files: &Files, name: &str, content: &str, format: Option<Format>) -> Vec<Value> {
    let records = open(&files.write(name, content), format).unwrap();
    records
        .map(|record| match record {
            Ok(record) => values(&record),
            Err(unread) => {
                let message = unread.error.message().to_owned();
                let (_, place) = message.split_once(name).unwrap();
                let fields = unread.fields.into_iter().map(|(_, value)| value);
                json!({ (place): fields.collect::<Vec<_>>() })
            }
        })
        .collect()
}

#[test]
fn a_quote_that_is_wrong_takes_no_other_row_with_it() {
    let files = Files::new();
    let mut unclosed = String::from("id,text\n1,a\n2,\"it was 5 inch\n");
    for number in 3..500 {
        unclosed.push_str(&format!("{number},b\n"));
    }
    let rows = read(&files, "a.csv", &unclosed, None);
    let whole = rows.iter().filter(|row| row.is_array()).count();
    assert_eq!((whole, rows.len()), (498, 499));
    let never = " line 3: the quote that opens column \"text\" is never closed";
    assert_eq!(rows[1], json!({ never: ["2", "\"it was 5 inch"] }));

    for (row, line, part) in [
        ("2,5\" pipe", 3, "a quote stands within column \"text\""),
        ("2, \"x\"", 3, "a quote stands within column \"text\""),
        ("2,say \"\"x\"\"", 3, "a quote stands within"),
        (
            "2,\"a \\\"b\\\" c\"",
            3,
            "is closed on line 3 with text after it",
        ),
        ("2,\"x\" ", 3, "with text after it"),
        ("2,\"x\ny\"z", 3, "is closed on line 4 with text after it"),
    ] {
        // What follows the line of the quote is read as rows of their own.
        let content = format!("id,text\n1,a\n{row}\n4,d\n");
        let read = read(&files, "a.csv", &content, None);
        let (message, _) = read[1].as_object().unwrap().iter().next().unwrap();
        assert_eq!(
            (&read[0], read.last()),
            (&json!(["1", "a"]), Some(&json!(["4", "d"])))
        );
        let place = format!(" line {line}: ");
        assert!(
            message.starts_with(&place) && message.contains(part),
            "{message}"
        );
    }
    // The line is the one that the quote opens on, not the one that the row begins on.
    let read = read(&files, "a.csv", "a,b\n\"x\ny\",5\" pipe\n1,2\n", None);
    let (message, fields) = read[0].as_object().unwrap().iter().next().unwrap();
    assert!(message.starts_with(" line 3: "), "{message}");
    assert_eq!(fields, &json!(["\"x\ny\"", "5\" pipe"]));
    assert_eq!(read[1], json!(["1", "2"]));
    let header = files.write("h.csv", "a,\"b\n1,2\n");
    let error = open(&header, None).err().unwrap().to_string();
    assert!(
        error.contains("h.csv line 1: the quote that opens column 2"),
        "{error}"
    );
}

#[test]
fn quotes_are_text_where_they_are_said_to_be() {
    let files = Files::new();
    let rows = "id\ttext\n1\t5\" pipe\n2\t\"x\n";
    let expected = [json!(["1", "5\" pipe"]), json!(["2", "\"x"])];
    assert_eq!(
        read(&files, "a.tsv", rows, Some(Format::TsvPlain)),
        expected
    );
    let rows = rows.replace('\t', ",");
    assert_eq!(
        read(&files, "a.csv", &rows, Some(Format::CsvPlain)),
        expected
    );
    for format in ["csv-plain", "tsv-plain"] {
        assert_eq!(format.parse::<Format>().unwrap().to_string(), format);
    }
}

#[test]
fn lines_end_in_a_carriage_return_too() {
    let files = Files::new();
    let records = files.records("a.csv", "a,b\r1,2\r\r\"x\ry\",4\r5,6");
    let records: Vec<Record> = records.into_iter().map(Result::unwrap).collect();
    let lines: Vec<u64> = records.iter().map(|own| own.position().number()).collect();
    assert_eq!(lines, [2, 4, 6]);
    assert_eq!(values(&records[1]), json!(["x\ry", "4"]));
}

fn parquet_bytes(rows: usize, compression: Compression) -> Vec<u8> {
    let numbers: Vec<i64> = (0..i64::try_from(rows).unwrap()).collect();
    let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    let mut tags = ListBuilder::new(StringBuilder::new());
    for number in 0..rows {
        vectors
            .values()
            .append_slice(&[0.1, if number == 0 { -1.0 } else { 1.0 }]);
        vectors.append(true);
        if number == 0 {
            tags.values().append_value("x");
            tags.values().append_null();
        }
        tags.append(number == 0);
    }
    let names: DictionaryArray<Int32Type> = numbers
        .iter()
        .map(|n| if n % 2 == 0 { "even" } else { "odd" })
        .collect();
    let whether = BooleanArray::from(vec![true; rows]);
    let meta = StructArray::from(vec![(
        Arc::new(Field::new("whether", DataType::Boolean, false)),
        Arc::new(whether) as ArrayRef,
    )]);
    let instant = 1_740_832_200_250_000;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(Int64Array::from(numbers))),
        ("text", Arc::new(StringArray::from(vec!["é"; rows]))),
        ("score", Arc::new(Float32Array::from(vec![0.1; rows]))),
        ("vector", Arc::new(vectors.finish())),
        ("tags", Arc::new(tags.finish())),
        ("parity", Arc::new(names)),
        ("meta", Arc::new(meta)),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![instant; rows]).with_timezone("UTC")),
        ),
        (
            "local",
            Arc::new(TimestampMicrosecondArray::from(vec![0; rows])),
        ),
        ("day", Arc::new(Date32Array::from(vec![20_148; rows]))),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![1_250; rows])
                    .with_precision_and_scale(9, 2)
                    .unwrap(),
            ),
        ),
        (
            "raw",
            Arc::new(BinaryArray::from(vec![b"\xff\x00".as_slice(); rows])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(400))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn infinite_numbers_of_tables_are_refused_and_nan_is_nothing() {
    let numbers = Float32Array::from(vec![1.0, f32::INFINITY, f32::NAN]);
    let batch = RecordBatch::try_from_iter([("score", Arc::new(numbers) as ArrayRef)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let records = Files::new().records("a.parquet", writer.into_inner().unwrap());
    let found: Vec<Result<Value, String>> = records
        .into_iter()
        .map(|record| match record {
            Ok(record) => Ok(values(&record)),
            Err(error) => Err(error.to_string()),
        })
        .collect();
    assert_eq!(
        (&found[0], &found[2]),
        (&Ok(json!([1.0])), &Ok(json!([null])))
    );
    let refused = found[1].as_ref().unwrap_err();
    assert!(refused.starts_with("score is infinite at "), "{refused}");
    assert!(refused.contains("a.parquet row 2"), "{refused}");
}

#[test]
fn parquet_types_and_compressions() {
    let files = Files::new();
    let expected = |number: usize| {
        json!([
            number, "é", 0.1,
            [f64::from(0.1_f32), if number == 0 { -1.0 } else { 1.0 }],
            if number == 0 { json!(["x", null]) } else { json!(null) },
            if number.is_multiple_of(2) { "even" } else { "odd" },
            {"whether": true}, "2025-03-01T12:30:00.250Z", "1970-01-01T00:00:00Z", "2025-03-01", 12.5
        ])
    };
    let snappy = parquet_bytes(1000, Compression::SNAPPY);
    let contents = [
        ("a.parquet", snappy.clone()),
        ("unnamed", snappy.clone()),
        ("a.parquet.gz", gzip(&snappy)),
        ("outer", zstandard(&snappy)),
        (
            "zstd.parquet",
            parquet_bytes(1000, Compression::ZSTD(Default::default())),
        ),
        (
            "gzip.parquet",
            parquet_bytes(1000, Compression::GZIP(Default::default())),
        ),
        ("lz4.parquet", parquet_bytes(1000, Compression::LZ4_RAW)),
    ];
    for (name, content) in contents {
        let records = files.records(name, content);
        assert_eq!(records.len(), 1000, "{name}");
        for (at, record) in records.iter().enumerate() {
            let record = record.as_ref().unwrap();
            assert_eq!(values(record), expected(at), "{name}");
            assert_eq!(record.position().number(), at as u64 + 1);
        }
    }
    let record = files.records("a.parquet", snappy).remove(0).unwrap();
    assert_eq!(record.times()[..], ["at", "local", "day"]);
    assert_eq!(record.get("meta.whether"), Some(&json!(true)));
    assert_eq!(record.get("raw"), None);
    assert_eq!(record.formless(), [("raw".to_owned(), "raw bytes")]);
    assert!(record.position().to_string().ends_with("a.parquet row 1"));
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    let files = Files::new();
    let refuse = |source: &Source| open(source, None).err().unwrap();
    let folder = Source::Path(files.0.path().to_owned());
    let missing = Source::Path(files.0.path().join("none.jsonl"));
    assert_eq!(refuse(&missing).kind(), ErrorKind::NotFound);
    let parquet = parquet_bytes(10, Compression::SNAPPY);
    for (source, part) in [
        (folder, "is a folder"),
        (files.write("a.json", "[{\"a\": 1}]"), "one object per line"),
        (
            files.write("a.txt", "hello"),
            "jsonl, csv, tsv, parquet and arrow",
        ),
        (files.write("a.csv", b"\xff\xfea\0,\0b\0"), "UTF-16"),
        (
            files.write("cut.parquet", &parquet[..parquet.len() - 9]),
            "Parquet",
        ),
    ] {
        let error = refuse(&source).to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!("xlsx".parse::<Format>().is_err());
}

#[test]
fn broken_compression_ends_the_records_with_an_error() {
    let files = Files::new();
    let lines = "{\"a\": 1}\n".repeat(50_000);
    for (name, whole) in [
        ("a.jsonl.gz", gzip(lines.as_bytes())),
        ("a.jsonl.zst", zstandard(lines.as_bytes())),
        ("a.csv.gz", gzip("a,b\n1,2\n".repeat(50_000).as_bytes())),
    ] {
        let records = files.records(name, &whole[..whole.len() - 5]);
        let (last, before) = records.split_last().unwrap();
        assert_eq!(
            last.as_ref().unwrap_err().kind(),
            ErrorKind::Corrupted,
            "{name}"
        );
        assert!(before.iter().all(Result::is_ok), "{name}");
    }
}

#[test]
fn a_record_without_end_is_refused() {
    let files = Files::new();
    let long = "x".repeat(2 * MAX_RECORD_BYTES);
    for (name, content) in [
        ("a.jsonl", format!("{{\"a\": 1}}\n{{\"a\": \"{long}")),
        ("a.csv", format!("a\n1\n\"{long}")),
    ] {
        let records = files.records(name, content);
        let position = records[0].as_ref().unwrap().position().number() + 1;
        let error = records[1].as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        assert!(
            error.message().contains(&format!("line {position}: ")),
            "{error}"
        );
        assert_eq!(records.len(), 2);
    }
}

#[test]
fn a_given_format_wins_over_the_name() {
    let files = Files::new();
    let source = files.write("a.csv", "{\"a\": 1}\n");
    let records: Vec<_> = open(&source, Some(Format::JsonLines)).unwrap().collect();
    assert_eq!(values(records[0].as_ref().unwrap()), json!([1]));
}

/// Only where `LATENTDB_CORPORA` names the folder of the arXiv abstracts.
#[test]
fn the_arxiv_abstracts_read() {
    let Some(data) = std::env::var_os("LATENTDB_CORPORA") else {
        return;
    };
    let path = PathBuf::from(data).join("arxiv-abstracts.jsonl.zst");
    let mapping = mapping::Mapping {
        id: Some("id".to_owned()),
        text: Some("{title}. {abstract}".parse().unwrap()),
        all_attributes: true,
        ..mapping::Mapping::default()
    };
    let mut rows = 0;
    for record in open(&Source::Path(path), None).unwrap() {
        let mapped = mapping.apply(&record.unwrap()).unwrap();
        let names: Vec<&str> = mapped
            .attributes
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["categories", "date"]);
        rows += 1;
    }
    assert_eq!(rows, 60_000);
}
