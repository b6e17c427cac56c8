//! Streaming readers of records for ingest, and the mapping of records to documents.
//!
//! [`open`] reads JSON Lines, CSV, TSV and Parquet, plain or compressed, from a file or standard
//! input, one [`Record`] at a time. A [`mapping::Mapping`] makes the id, text, attributes, vector
//! and latents of a document out of a record. [`vectors`] reads and writes the matrix files that
//! belong to record files, [`csr`] writes sparse ones, [`rows`] reads several as one list; [`parts`]
//! keep records with the vectors and latents that were made of them, [`shards`] writes them, and
//! [`partial`] output is resumed. [`document`] makes documents out of records, [`batches`] of many.
//!
//! | to add | open |
//! |---|---|
//! | a record format | one file here, one arm in [`Format`] and [`open`] |
//! | an attribute kind | `kind.rs` |
//! | a matrix format | `vectors.rs`, or a file like `parquet_vectors.rs` |

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

mod arrow_value;
pub mod batches;
pub mod csr;
mod decompress;
mod delimited;
pub mod document;
mod json_lines;
pub mod kind;
pub mod mapping;
mod npy;
mod parquet;
pub mod parquet_vectors;
pub mod partial;
pub mod parts;
pub mod rows;
pub mod shards;
pub mod template;
pub mod vectors;

/// The largest record that is read, in bytes: what keeps memory bounded on broken input (a file
/// without line ends, a quote that never closes). Unit tests of the limit have a smaller one.
pub const MAX_RECORD_BYTES: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    Path(PathBuf),
    /// Standard input, written `-` on the command line.
    Stdin,
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        Self::from(Path::new(text))
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        if path == Path::new("-") {
            Self::Stdin
        } else {
            Self::Path(path.to_owned())
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// The layout of a record file, whatever its compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line (`.jsonl`, `.ndjson`).
    JsonLines,
    /// Comma-separated values with a header line (`.csv`).
    Csv,
    /// Tab-separated values with a header line (`.tsv`).
    Tsv,
    /// Apache Parquet (`.parquet`).
    Parquet,
}

impl Format {
    /// The format that a file name promises: its extension, after `.gz` or `.zst` is taken off.
    pub fn from_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = [".gz", ".gzip", ".zst", ".zstd"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(&name);
        let (_, extension) = name.rsplit_once('.')?;
        match extension {
            "jsonl" | "ndjson" | "jsonlines" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "jsonlines" => Ok(Self::JsonLines),
            "csv" => Ok(Self::Csv),
            "tsv" => Ok(Self::Tsv),
            "parquet" => Ok(Self::Parquet),
            _ => Err(Error::invalid(
                "format",
                format!("{text:?} is not a format; accepted are jsonl, csv, tsv and parquet"),
            )),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
        })
    }
}

/// Where a record stands in its source, for messages: `papers.jsonl line 12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    source: Arc<str>,
    unit: &'static str,
    number: u64,
}

impl Position {
    /// The `number`-th line of `source`, from 1.
    pub fn line(source: &Arc<str>, number: u64) -> Self {
        Self {
            source: Arc::clone(source),
            unit: "line",
            number,
        }
    }

    /// The `number`-th row of `source`, from 1.
    pub fn row(source: &Arc<str>, number: u64) -> Self {
        Self {
            source: Arc::clone(source),
            unit: "row",
            number,
        }
    }

    /// The line or row number, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.source, self.unit, self.number)
    }
}

/// One record: its fields in the order of the source, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    fields: Vec<(String, Value)>,
    position: Position,
    made: Option<Box<parts::Made>>,
}

impl Record {
    /// A record of `fields` at `position`.
    pub fn new(fields: Vec<(String, Value)>, position: Position) -> Self {
        Self {
            fields,
            position,
            made: None,
        }
    }

    /// The record with what was made of it.
    pub fn with_made(self, made: parts::Made) -> Self {
        Self {
            made: Some(Box::new(made)),
            ..self
        }
    }

    /// What an encode worker made of it, where it comes out of a part.
    pub fn made(&self) -> Option<&parts::Made> {
        self.made.as_deref()
    }

    /// The fields in the order of the source.
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// The fields, without the position.
    pub fn into_fields(self) -> Vec<(String, Value)> {
        self.fields
    }

    /// Where the record stands in its source.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The value at `path`: a field name, or names joined by dots into nested objects and
    /// (by index, from 0) arrays. A field whose own name holds the dots is found first.
    pub fn get(&self, path: &str) -> Option<&Value> {
        descend(path, &|name| {
            self.fields
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value)
        })
    }

    /// The error of a field that a record should have and has not; it names those that it has.
    pub fn missing(&self, path: &str) -> Error {
        const SHOWN: usize = 30;
        let names: Vec<&str> = self
            .fields
            .iter()
            .map(|(name, _)| name.as_str())
            .take(SHOWN)
            .collect();
        let rest = self.fields.len().saturating_sub(SHOWN);
        let more = if rest > 0 {
            format!(" and {rest} more")
        } else {
            String::new()
        };
        Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "{}: no field {path:?}; the record has {}{more}",
                self.position,
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            ),
        )
    }
}

/// Resolves a dot path against a lookup by name, trying the whole rest as one name first.
fn descend<'a>(path: &str, lookup: &dyn Fn(&str) -> Option<&'a Value>) -> Option<&'a Value> {
    if let Some(value) = lookup(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let rest = &path[dot + 1..];
        match lookup(&path[..dot])? {
            Value::Object(map) => descend(rest, &|name| map.get(name)),
            Value::Array(items) => descend(rest, &|name| {
                name.parse::<usize>().ok().and_then(|at| items.get(at))
            }),
            _ => None,
        }
    })
}

/// The stream of records of a source.
pub type Records = Box<dyn Iterator<Item = Result<Record>> + Send>;

/// Opens a source of records, in bounded memory.
///
/// Compression (gzip, zstd) is recognised by its magic bytes. The format is `format`, else what
/// the file name says ([`Format::from_path`]), else what the first bytes say (Parquet and JSON
/// Lines have marks, CSV has none). Parquet needs random access: from standard input or under an
/// outer compression it is copied to a temporary file first.
///
/// After an error that concerns one line (malformed JSON, a CSV row of another length) the
/// iterator goes on with the next; after one that concerns the source (I/O, broken compression)
/// it ends.
///
/// # Errors
/// `NotFound` for a missing file; `InvalidArgument` for a format that cannot be told, or a file
/// that is not of its format.
pub fn open(source: &Source, format: Option<Format>) -> Result<Records> {
    let promised = format.or(match source {
        Source::Path(path) => Format::from_path(path),
        Source::Stdin => None,
    });
    let name: Arc<str> = source.to_string().into();
    let mut file = None;
    let raw: Box<dyn Read + Send> = match source {
        Source::Path(path) => {
            let opened = open_file(path)?;
            file = opened.try_clone().ok();
            Box::new(opened)
        }
        Source::Stdin => Box::new(io::stdin()),
    };
    let mut input = decompress::decompress(raw, &name)?;
    let start = decompress::peek(&mut input.reader, SNIFFED_BYTES)
        .map_err(|error| read_error(&name, error))?;
    let format = match promised {
        Some(format) => format,
        None => sniff(&start, &name)?,
    };
    let reader = io::Cursor::new(start).chain(input.reader);
    match format {
        Format::Parquet => {
            let direct = file.filter(|_| !input.compressed);
            parquet::open(direct, reader, name)
        }
        Format::JsonLines => Ok(Box::new(json_lines::JsonLines::new(
            decompress::text(reader, &name)?,
            name,
        ))),
        Format::Csv => delimited::open(decompress::text(reader, &name)?, b',', name),
        Format::Tsv => delimited::open(decompress::text(reader, &name)?, b'\t', name),
    }
}

/// How much of the content is looked at to tell its format.
const SNIFFED_BYTES: usize = 4096;

fn sniff(start: &[u8], name: &str) -> Result<Format> {
    if start.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        // Nothing but white space: no records, in any format.
        None => Ok(Format::JsonLines),
        Some(b'{') => Ok(Format::JsonLines),
        Some(b'[') => Err(Error::invalid(
            "format",
            format!(
                "{name} holds a JSON array; wanted is one object per line (jq -c '.[]' makes it so)"
            ),
        )),
        Some(_) => Err(Error::invalid(
            "format",
            format!(
                "the format of {name} cannot be told from its name or content; say which of \
                 jsonl, csv, tsv and parquet it is"
            ),
        )),
    }
}

/// Opens a file for reading, with errors that name it.
fn open_file(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|error| {
        let shown = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => Error::not_found(format!("there is no file {shown}")),
            _ => Error::new(
                ErrorKind::FailedPrecondition,
                format!("cannot open {shown}"),
            )
            .with_source(error),
        }
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::invalid(
            "source",
            format!("{} is a folder; wanted is a file", path.display()),
        ));
    }
    Ok(file)
}

/// The error of a source that stopped being readable.
fn read_error(name: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Corrupted, format!("cannot read {name}")).with_source(error)
}

/// What the text formats read from.
type TextReader = Box<dyn BufRead + Send>;

/// Texts of a file: the lines of a `.txt` file, or of each record the first of `fields` that is a
/// text. Empty ones are left out.
///
/// # Errors
/// `NotFound` for a missing file, `InvalidArgument` for a record without any of `fields`.
pub fn texts(path: &Path, fields: &[&str]) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    if path.extension().is_some_and(|extension| extension == "txt") {
        let lines = std::fs::read_to_string(path).map_err(|error| {
            Error::not_found(format!("reading {}", path.display())).with_source(error)
        })?;
        texts.extend(lines.lines().map(|line| line.trim().to_owned()));
    } else {
        for record in open(&Source::from(path), None)? {
            let record = record?;
            let found = fields.iter().find_map(|field| record.get(field)?.as_str());
            let text = found.ok_or_else(|| {
                let message = format!("{} has none of {fields:?} as a text", record.position());
                Error::new(ErrorKind::InvalidArgument, message)
            })?;
            texts.push(text.trim().to_owned());
        }
    }
    texts.retain(|text| !text.is_empty());
    Ok(texts)
}

#[cfg(test)]
mod tests;
