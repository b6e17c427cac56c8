//! Exported collections: a folder with the documents, the records of what is kept besides them, and
//! a manifest.
//!
//! | file | holds |
//! |---|---|
//! | `documents.jsonl` or `documents.parquet` | a document per line or row |
//! | `records.jsonl` | saved sets, presets, families and labels, as the server gives them |
//! | `manifest.json` | the collection's definition; rows, bytes and SHA-256 of both files |
//!
//! | field of a document | is |
//! |---|---|
//! | `id`, `text`, `vector`, `latents` | what `ingest` takes: the latents are the default SAE's |
//! | any other name | the attribute of that name |
//! | `_latentdb_timestamps` | names of attributes that are timestamps (JSON Lines; columns of Parquet say it) |
//! | `_latentdb_attributes` | attributes whose names are in this table, or whose values the field of their name cannot hold: other kinds than in the rest of a column, doubles that the parser of JSON would round; they count instead of it |
//! | `_latentdb_codes` | latents of the other SAEs, by their names |
//! | `_latentdb_positions` | the tokens on which latents are strongest, by the names of SAEs |
//!
//! In Parquet the last three are JSON text. Files are written whole or not at all, the manifest last.

mod columns;
mod manifest;
mod row;
mod writer;

pub use manifest::{FileEntry, Manifest};
pub use row::Shape;
pub use writer::{DocumentWriter, RecordWriter};

use std::path::Path;

use latentdb_index::Document;

use super::{Format, Source, open};
use crate::error::{Error, Result};

/// The file of records.
pub const RECORDS: &str = "records.jsonl";

/// Reads the documents of a folder, with the codes of `saes` in their order.
///
/// # Errors
/// `NotFound` for a missing file; those of a document name its line or row.
pub fn documents(
    path: &Path,
    saes: Vec<String>,
) -> Result<impl Iterator<Item = Result<Document>> + Send> {
    let records = open(&Source::from(path), Format::from_path(path))?;
    Ok(records.map(move |record| row::decode(&record.map_err(Error::from)?, &saes)))
}
