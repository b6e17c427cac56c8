//! Streaming readers of records for ingest, and the mapping of records to documents.
//!
//! [`open`] reads JSON Lines, CSV, TSV, Parquet and Arrow IPC, plain or compressed, from a file or standard
//! input, one [`Record`] at a time. A [`mapping::Mapping`] makes the id, text, attributes, vector
//! and latents of a document out of a record. [`vectors`] reads and writes the matrix files that
//! belong to record files, [`csr`] writes sparse ones, [`rows`] reads several as one list; [`parts`]
//! keep records with the vectors and latents that were made of them, [`shards`] writes them, and
//! [`partial`] output is resumed. [`document`] makes documents out of records, [`batches`] of many,
//! and [`rejects`] keeps those that cannot be. [`exported`] writes and reads whole collections.
//!
//! | to add | open |
//! |---|---|
//! | a record format | one file here, one arm in [`Format`] and [`open`] |
//! | an attribute kind | `kind.rs` |
//! | a matrix format | `vectors.rs`, or a file like `parquet_vectors.rs` |

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

mod arrow_file;
mod arrow_rows;
mod arrow_value;
pub mod assignment;
pub mod batches;
pub mod csr;
mod decompress;
mod delimited;
pub mod document;
pub mod exported;
mod json_lines;
pub mod kind;
pub mod latents;
pub mod mapping;
mod matrix;
mod npz;
mod parquet;
pub mod parquet_vectors;
pub mod partial;
pub mod parts;
mod record;
pub mod rejects;
pub mod rows;
pub mod shards;
mod source;
pub mod template;
pub mod vectors;

pub use record::{Position, Record, Records, Unread};
pub use source::{MAX_RECORD_BYTES, Source};

use delimited::Dialect;
use source::{open_file, read_error};

/// The layout of a record file, whatever its compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line (`.jsonl`, `.ndjson`).
    JsonLines,
    /// Comma-separated values with a header line (`.csv`).
    Csv,
    /// The same with quotes as text.
    CsvPlain,
    /// Tab-separated values with a header line (`.tsv`).
    Tsv,
    /// The same with quotes as text.
    TsvPlain,
    /// Apache Parquet (`.parquet`).
    Parquet,
    /// Apache Arrow IPC, a file (`.arrow`, `.feather`) or a stream (`.arrows`).
    Arrow,
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
            "arrow" | "feather" | "arrows" | "ipc" => Some(Self::Arrow),
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
            "csv-plain" => Ok(Self::CsvPlain),
            "tsv" => Ok(Self::Tsv),
            "tsv-plain" => Ok(Self::TsvPlain),
            "parquet" => Ok(Self::Parquet),
            "arrow" | "feather" => Ok(Self::Arrow),
            _ => Err(Error::invalid(
                "format",
                format!(
                    "{text:?} is not a format; accepted are jsonl, csv, tsv, parquet, arrow, and \
                     csv-plain and tsv-plain, in which quotes are text"
                ),
            )),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::CsvPlain => "csv-plain",
            Self::Tsv => "tsv",
            Self::TsvPlain => "tsv-plain",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        })
    }
}

/// Opens a source of records, in bounded memory.
///
/// Compression (gzip, zstd) is recognised by its magic bytes. The format is `format`, else what
/// the file name says ([`Format::from_path`]), else what the first bytes say (Parquet, Arrow and
/// JSON Lines have marks, CSV has none). Parquet and Arrow files need random access: from standard
/// input or under an outer compression they are copied to a temporary file first.
///
/// After an error that concerns one line (malformed JSON, a CSV row of another length, a stray
/// quote) the iterator goes on with the next; after one that concerns the source (I/O, broken compression)
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
    let reader = io::Cursor::new(start.clone()).chain(input.reader);
    match format {
        Format::Parquet => {
            let direct = file.filter(|_| !input.compressed);
            parquet::open(direct, reader, name)
        }
        Format::Arrow => {
            let direct = file.filter(|_| !input.compressed);
            arrow_file::open(&start, direct, reader, name)
        }
        Format::JsonLines => Ok(Box::new(json_lines::JsonLines::new(
            decompress::text(reader, &name)?,
            name,
        ))),
        Format::Csv | Format::CsvPlain | Format::Tsv | Format::TsvPlain => {
            let dialect = Dialect {
                delimiter: match format {
                    Format::Csv | Format::CsvPlain => b',',
                    _ => b'\t',
                },
                quotes: matches!(format, Format::Csv | Format::Tsv),
            };
            delimited::open(decompress::text(reader, &name)?, dialect, name)
        }
    }
}

/// Bytes of content examined to detect its format.
const SNIFFED_BYTES: usize = 4096;

fn sniff(start: &[u8], name: &str) -> Result<Format> {
    if start.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if arrow_file::is_arrow(start) {
        return Ok(Format::Arrow);
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
                 jsonl, csv, tsv, parquet and arrow it is"
            ),
        )),
    }
}

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
