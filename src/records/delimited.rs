//! CSV and TSV with a header line. Every value is a string; a mapping gives it a kind.

use std::io::{self, Read};
use std::str::from_utf8;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder};
use serde_json::Value;

use super::record::{Position, Record, Records};
use super::source::{MAX_RECORD_BYTES, TextReader, read_error};
use crate::error::{Error, ErrorKind, Result};

/// The rows of a delimited text.
struct Delimited {
    reader: Reader<Metered>,
    read_since_row: Arc<AtomicUsize>,
    header: Vec<String>,
    row: ByteRecord,
    /// Whether lines end in a line feed alone.
    unix_lines: bool,
    name: Arc<str>,
    ended: bool,
}

/// Opens delimited text and reads its header.
pub(super) fn open(text: TextReader, delimiter: u8, name: Arc<str>) -> Result<Records> {
    let read_since_row = Arc::new(AtomicUsize::new(0));
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(Metered {
            inner: text,
            read: Arc::clone(&read_since_row),
        });
    let row = reader
        .byte_headers()
        .map_err(|error| csv_error(&name, error, 1))?
        .clone();
    let header = column_names(&row, &name)?;
    // The csv crate ends a row at the first byte of CR LF and counts the line at the second.
    let unix_lines = reader.position().line() > 1 + line_feeds(&row);
    Ok(Box::new(Delimited {
        reader,
        read_since_row,
        header,
        row,
        unix_lines,
        name,
        ended: false,
    }))
}

/// The columns' names: an empty one (an exported row index) becomes `column_N`, N from 1.
fn column_names(header: &ByteRecord, name: &str) -> Result<Vec<String>> {
    let wrong =
        |what: String| Error::new(ErrorKind::InvalidArgument, format!("{name} line 1: {what}"));
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (at, column) in header.iter().enumerate() {
        let column =
            from_utf8(column).map_err(|_| wrong(format!("column {} is not UTF-8 text", at + 1)))?;
        let column = match column.trim() {
            "" => format!("column_{}", at + 1),
            column => column.to_owned(),
        };
        if names.contains(&column) {
            return Err(wrong(format!(
                "the header names the column {column:?} twice"
            )));
        }
        names.push(column);
    }
    Ok(names)
}

fn line_feeds(row: &ByteRecord) -> u64 {
    row.iter().flatten().filter(|byte| **byte == b'\n').count() as u64
}

impl Delimited {
    /// The line on which the row that was just read begins. The csv crate's own figure is that
    /// of the row before's end: blank lines, and the line feed of a CR LF, come after it.
    fn first_line(&self, before: u64) -> u64 {
        let passed = self.reader.position().line() - before;
        let own = line_feeds(&self.row) + u64::from(self.unix_lines);
        before + passed.saturating_sub(own)
    }

    fn record(&self, line: u64) -> Result<Record> {
        let wrong = |what: String| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("{} line {line}: {what}", self.name),
            )
        };
        if self.row.len() != self.header.len() {
            return Err(wrong(format!(
                "{} values, but the header has {} columns",
                self.row.len(),
                self.header.len()
            )));
        }
        let mut fields = Vec::with_capacity(self.header.len());
        for (name, value) in self.header.iter().zip(&self.row) {
            let value = from_utf8(value)
                .map_err(|_| wrong(format!("column {name:?} is not UTF-8 text")))?;
            fields.push((name.clone(), Value::from(value)));
        }
        Ok(Record::new(fields, Position::line(&self.name, line)))
    }
}

impl Iterator for Delimited {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.read_since_row.store(0, Ordering::Relaxed);
        let before = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.row) {
            Ok(true) => Some(self.record(self.first_line(before))),
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(csv_error(&self.name, error, before)))
            }
        }
    }
}

/// Reading rows of any length as bytes fails with the input only.
fn csv_error(name: &str, error: csv::Error, line: u64) -> Error {
    let cause = match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        other => io::Error::other(format!("{other:?}")),
    };
    if cause.kind() == io::ErrorKind::FileTooLarge {
        return Error::new(
            ErrorKind::ResourceExhausted,
            format!(
                "{name} line {line}: the row is longer than {} MiB; is a quote left open?",
                MAX_RECORD_BYTES >> 20
            ),
        );
    }
    read_error(&format!("{name} from line {line}"), cause)
}

/// Stops a row that never ends: the csv crate would gather it until memory is full.
struct Metered {
    inner: TextReader,
    read: Arc<AtomicUsize>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if self.read.fetch_add(read, Ordering::Relaxed) > MAX_RECORD_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}
