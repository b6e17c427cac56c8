//! CSV and TSV with a header line (RFC 4180). Every value is a string; a mapping gives it a kind.
//!
//! A quote opens a value only at its first byte, is doubled within, and closes it only at its last:
//! any other is an error, since what a lenient reader makes of it swallows the rows that follow.

use std::io;
use std::str::from_utf8;
use std::sync::Arc;

use serde_json::Value;

use super::record::{Position, Record, Records, Unread};
use super::source::{MAX_RECORD_BYTES, TextReader, read_error};
use crate::error::{Error, ErrorKind, Result};

/// How values are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// Between the values of a row.
    pub delimiter: u8,
    /// Whether values may stand in quotes; else a quote is a byte like any other.
    pub quotes: bool,
}

/// The records of a delimited text.
struct Delimited {
    rows: Rows,
    header: Vec<String>,
    ended: bool,
}

/// Opens delimited text and reads its header.
pub(super) fn open(text: TextReader, dialect: Dialect, name: Arc<str>) -> Result<Records> {
    let mut rows = Rows {
        text,
        dialect,
        name,
        buffer: Vec::new(),
        start: 0,
        line: 1,
    };
    let header = match rows.next(&[])? {
        Some(row) => column_names(&row, &rows.name)?,
        None => Vec::new(),
    };
    Ok(Box::new(Delimited {
        rows,
        header,
        ended: false,
    }))
}

/// The columns' names: an empty one (an exported row index) becomes `column_N`, N from 1.
fn column_names(header: &Row, name: &str) -> Result<Vec<String>> {
    let wrong = |what: String| {
        let message = format!("{name} line {}: {what}", header.line);
        Error::new(ErrorKind::InvalidArgument, message)
    };
    let mut names: Vec<String> = Vec::with_capacity(header.values.len());
    for (at, column) in header.values.iter().enumerate() {
        let column =
            from_utf8(column).map_err(|_| wrong(format!("column {} is not UTF-8 text", at + 1)))?;
        let column = match column.trim() {
            "" => numbered(at),
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

fn numbered(at: usize) -> String {
    format!("column_{}", at + 1)
}

/// Values by the names of their columns, also where they are of another number or no text.
fn named<'v>(header: &[String], values: impl Iterator<Item = &'v [u8]>) -> Vec<(String, Value)> {
    let name = |at: usize| header.get(at).cloned().unwrap_or_else(|| numbered(at));
    values
        .enumerate()
        .map(|(at, value)| (name(at), String::from_utf8_lossy(value).into()))
        .collect()
}

impl Delimited {
    fn record(&self, row: &Row) -> Result<Record, Unread> {
        let wrong = |what: String| Unread {
            error: Error::new(
                ErrorKind::InvalidArgument,
                format!("{} line {}: {what}", self.rows.name, row.line),
            ),
            fields: named(&self.header, row.values.iter().map(Vec::as_slice)),
            text: None,
        };
        if row.values.len() != self.header.len() {
            return Err(wrong(format!(
                "{} values, but the header has {} columns",
                row.values.len(),
                self.header.len()
            )));
        }
        let mut fields = Vec::with_capacity(self.header.len());
        for (name, value) in self.header.iter().zip(&row.values) {
            let value = from_utf8(value)
                .map_err(|_| wrong(format!("column {name:?} is not UTF-8 text")))?;
            fields.push((name.clone(), Value::from(value)));
        }
        Ok(Record::new(
            fields,
            Position::line(&self.rows.name, row.line),
        ))
    }
}

impl Iterator for Delimited {
    type Item = Result<Record, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.rows.next(&self.header) {
            Ok(Some(row)) => Some(self.record(&row)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(unread) => {
                self.ended = unread.error.kind() != ErrorKind::InvalidArgument;
                Some(Err(unread))
            }
        }
    }
}

/// A row of values.
struct Row {
    /// The line that it begins on, from 1.
    line: u64,
    values: Vec<Vec<u8>>,
}

/// The rows of a delimited text.
struct Rows {
    text: TextReader,
    dialect: Dialect,
    name: Arc<str>,
    /// What is read of the text, from some byte before `start`.
    buffer: Vec<u8>,
    /// Where the next row begins in the buffer.
    start: usize,
    /// The line that it begins on, from 1.
    line: u64,
}

/// A value's end: where it is in the buffer, and on which line.
type End = (usize, u64);

/// Why no row could be read.
enum Fault {
    Source(io::Error),
    /// A quote that is not where quotes are: its place, its line and what is wrong.
    Quote(usize, u64, String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Source(error)
    }
}

impl Rows {
    /// The next row that is not blank. After a quote that is wrong, the next row is the one on the
    /// line after it: nothing else is lost to it.
    fn next(&mut self, header: &[String]) -> Result<Option<Row>, Unread> {
        let mut at = self.start;
        let mut row = Row {
            line: self.line,
            values: Vec::new(),
        };
        match self.read(&mut at, &mut row, header) {
            Ok(line) => {
                (self.start, self.line) = (at, line);
                Ok(Some(row).filter(|row| !row.values.is_empty()))
            }
            Err(Fault::Source(cause)) => Err(self.unreadable(cause).into()),
            Err(Fault::Quote(at, line, what)) => {
                let end = self.line_end(at).map_err(|cause| self.unreadable(cause))?;
                let bytes = &self.buffer[self.start..end];
                let values = bytes.split(|byte| *byte == self.dialect.delimiter);
                let unread = Unread {
                    error: Error::new(
                        ErrorKind::InvalidArgument,
                        format!("{} line {line}: {what}", self.name),
                    ),
                    fields: named(header, values),
                    text: None,
                };
                (self.start, self.line) = (end, line);
                Err(unread)
            }
        }
    }

    /// Reads the values of the next row that is not blank; returns the line after it.
    fn read(&mut self, at: &mut usize, row: &mut Row, header: &[String]) -> Result<u64, Fault> {
        self.forget();
        *at = self.start;
        while let Some(length) = self.line_feed(*at)? {
            *at += length;
            self.line += 1;
            self.start = *at;
        }
        row.line = self.line;
        let mut line = self.line;
        if self.byte(*at)?.is_none() {
            return Ok(line);
        }
        loop {
            let mut value = Vec::new();
            let column = row.values.len();
            let column = || match header.get(column) {
                Some(name) => format!("column {name:?}"),
                None => format!("column {}", column + 1),
            };
            (*at, line) = if self.dialect.quotes && self.byte(*at)? == Some(b'"') {
                self.quoted((*at, line), &mut value, &column)?
            } else {
                self.plain((*at, line), &mut value, &column)?
            };
            row.values.push(value);
            if self.byte(*at)? == Some(self.dialect.delimiter) {
                *at += 1;
            } else if let Some(length) = self.line_feed(*at)? {
                *at += length;
                return Ok(line + 1);
            } else {
                return Ok(line);
            }
        }
    }

    fn plain(
        &mut self,
        (mut at, line): End,
        value: &mut Vec<u8>,
        column: &dyn Fn() -> String,
    ) -> Result<End, Fault> {
        loop {
            match self.byte(at)? {
                None | Some(b'\n' | b'\r') => return Ok((at, line)),
                Some(byte) if byte == self.dialect.delimiter => return Ok((at, line)),
                Some(b'"') if self.dialect.quotes => {
                    let what = format!(
                        "a quote stands within {}, which does not begin with one; such a value is \
                         written in quotes with those within doubled, and --format csv-plain or \
                         tsv-plain takes quotes as text",
                        column()
                    );
                    return Err(Fault::Quote(at, line, what));
                }
                Some(byte) => value.push(byte),
            }
            at += 1;
        }
    }

    fn quoted(
        &mut self,
        (opened, first_line): End,
        value: &mut Vec<u8>,
        column: &dyn Fn() -> String,
    ) -> Result<End, Fault> {
        let (mut at, mut line) = (opened + 1, first_line);
        loop {
            let Some(byte) = self.byte(at)? else {
                let what = format!("the quote that opens {} is never closed", column());
                return Err(Fault::Quote(opened, first_line, what));
            };
            if byte == b'"' {
                if self.byte(at + 1)? != Some(b'"') {
                    break;
                }
                at += 1;
            } else if byte == b'\n' || byte == b'\r' && self.byte(at + 1)? != Some(b'\n') {
                line += 1;
            }
            value.push(byte);
            at += 1;
        }
        at += 1;
        match self.byte(at)? {
            None | Some(b'\n' | b'\r') => Ok((at, line)),
            Some(byte) if byte == self.dialect.delimiter => Ok((at, line)),
            Some(_) => {
                let what = format!(
                    "the quote that opens {} is closed on line {line} with text after it; a quote \
                     within a value is doubled",
                    column()
                );
                Err(Fault::Quote(opened, first_line, what))
            }
        }
    }

    /// The length of the line's end at a place, if one is there: CR LF, LF or CR.
    fn line_feed(&mut self, at: usize) -> io::Result<Option<usize>> {
        Ok(match self.byte(at)? {
            Some(b'\r') if self.byte(at + 1)? == Some(b'\n') => Some(2),
            Some(b'\n' | b'\r') => Some(1),
            _ => None,
        })
    }

    /// Where the line at a place ends.
    fn line_end(&mut self, mut at: usize) -> io::Result<usize> {
        while self.byte(at)?.is_some() && self.line_feed(at)?.is_none() {
            at += 1;
        }
        Ok(at)
    }

    /// The byte at a place in the buffer, which grows to hold it; `None` behind the text.
    fn byte(&mut self, at: usize) -> io::Result<Option<u8>> {
        while at >= self.buffer.len() {
            if at - self.start > MAX_RECORD_BYTES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let read = self.text.fill_buf()?;
            if read.is_empty() {
                return Ok(None);
            }
            let length = read.len();
            self.buffer.extend_from_slice(read);
            self.text.consume(length);
        }
        Ok(Some(self.buffer[at]))
    }

    /// Drops what lies before the next row where that is most of the buffer.
    fn forget(&mut self) {
        if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }

    fn unreadable(&self, cause: io::Error) -> Error {
        let (name, line) = (&self.name, self.line);
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
}
