//! Folders of parts: what encode workers make of a file of records, on its way into a collection.
//!
//! A part is a Parquet file of the [`About::chunk`] records that follow one another in the source
//! (the last part has what is left), under the number of their chunk, so that the parts in the
//! order of their names are the source in its order, whoever made which.
//!
//! | column | kind | what |
//! |---|---|---|
//! | `number` | `uint64` | the record's number in the source, from 0 |
//! | `record` | text | its fields as a JSON object, in the order of the source |
//! | `vector` | list of `float32` | its vector, where vectors were made |
//! | `latents` | struct of the lists `indices` (`uint32`) and `values` (`float32`) | its latents, ascending, where latents were made |
//!
//! The key `latentdb.parts` of a part's metadata is its [`About`] as JSON, and `latentdb.timestamps`
//! the list of the fields that are timestamps in the source.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder, UInt32Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, StructArray, UInt64Array};
use arrow_schema::{ArrowError, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json_lines::Fields;
pub use super::record::Computed;
use super::record::{Position, Record, Records, ordered};
use super::source::open_file;
use crate::error::{Error, ErrorKind, Result};
use crate::whole_file::WholeFile;

/// Where a part keeps its [`About`].
const ABOUT: &str = "latentdb.parts";
/// Where it keeps the paths of the fields that are timestamps in the source.
const TIMES: &str = "latentdb.timestamps";
/// Missing chunks that a message names.
const SHOWN: usize = 10;

/// Properties shared by all parts of a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Records of the source.
    pub records: u64,
    /// Records of a part.
    pub chunk: u64,
    /// What the parts were made of and with, as their maker says it.
    pub made: Value,
}

impl About {
    /// Number of parts of a complete folder.
    pub fn chunks(&self) -> u64 {
        self.records.div_ceil(self.chunk.max(1))
    }
}

/// The file of a chunk.
pub fn part_path(folder: &Path, chunk: u64) -> PathBuf {
    folder.join(format!("part-{chunk:08}.parquet"))
}

/// Writes a part; it has its name only when it is whole.
///
/// # Errors
/// `Internal` where the file cannot be written.
pub fn write_part(
    folder: &Path,
    chunk: u64,
    about: &About,
    rows: &[(Record, Computed)],
) -> Result<()> {
    let path = part_path(folder, chunk);
    let fault = |error: ParquetError| {
        Error::internal(format!("cannot write {}", path.display())).with_source(error)
    };
    let batch = batch(rows)?;
    let times = rows
        .first()
        .map_or_else(Arc::default, |row| row.0.times().clone());
    let pairs = vec![
        KeyValue::new(ABOUT.to_owned(), json(about)?),
        KeyValue::new(TIMES.to_owned(), json(&times.to_vec())?),
    ];
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(pairs))
        .build();
    let file = WholeFile::create(&path)?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(fault)?;
    writer.write(&batch).map_err(fault)?;
    writer.into_inner().map_err(fault)?.finish()
}

/// What a part says of its folder; nothing where there is no such file.
///
/// # Errors
/// `InvalidArgument` for a file that is no part.
pub fn about_part(path: &Path) -> Result<Option<About>> {
    if !path.exists() {
        return Ok(None);
    }
    let foreign = || {
        Error::invalid(
            "parts",
            format!("{} is no part of an encode worker", path.display()),
        )
    };
    let metadata = ArrowReaderMetadata::load(&open_file(path)?, Default::default())
        .map_err(|error| foreign().with_source(error))?;
    let about = kept(metadata.metadata(), ABOUT).ok_or_else(foreign)?;
    serde_json::from_str(about).map(Some).map_err(|_| foreign())
}

/// A value of a part's metadata.
fn kept<'m>(metadata: &'m ParquetMetaData, key: &str) -> Option<&'m str> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

/// A folder with all its parts.
#[derive(Clone, Debug)]
pub struct Parts {
    about: About,
    files: Vec<PathBuf>,
}

impl Parts {
    /// Opens a folder.
    ///
    /// # Errors
    /// `InvalidArgument` for a folder without parts, or with parts of several runs;
    /// `FailedPrecondition` naming the chunks of which there is no part yet.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if let Some(chunk) = chunk_of(&path) {
                found.insert(chunk, path);
            }
        }
        let mut about: Option<About> = None;
        for path in found.values() {
            let own = about_part(path)?;
            if own.is_some() && about.is_some() && own != about {
                return Err(Error::invalid(
                    "parts",
                    format!(
                        "{} belongs to another run than the parts before it: its records, text, \
                         model or SAE differ",
                        path.display()
                    ),
                ));
            }
            about = own;
        }
        let about = about.ok_or_else(|| {
            Error::invalid(
                "parts",
                format!("{} holds no part of an encode worker", folder.display()),
            )
        })?;
        let missing: Vec<u64> = (0..about.chunks())
            .filter(|chunk| !found.contains_key(chunk))
            .collect();
        if !missing.is_empty() {
            return Err(incomplete(folder, &about, &missing));
        }
        Ok(Self {
            about,
            files: found.into_values().collect(),
        })
    }

    /// Properties shared by all parts.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The records of the source in their order, each with what was made of it
    /// ([`Record::computed`]).
    pub fn records(self) -> Records {
        Box::new(self.files.into_iter().flat_map(|path| {
            let rows = read_part(&path).map_or_else(
                |error| vec![Err(error.into())],
                |records| records.into_iter().map(Ok).collect(),
            );
            rows.into_iter()
        }))
    }
}

fn incomplete(folder: &Path, about: &About, missing: &[u64]) -> Error {
    let shown: Vec<String> = missing.iter().take(SHOWN).map(u64::to_string).collect();
    let more = match missing.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Error::precondition(format!(
        "{} lacks {} of {} parts: {}{more}; run the shards that make them to their end (part c is \
         of shard c modulo the number of shards)",
        folder.display(),
        missing.len(),
        about.chunks(),
        shown.join(", ")
    ))
}

fn chunk_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let digits = name.strip_prefix("part-")?.strip_suffix(".parquet")?;
    digits.parse().ok()
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal("a part's record is not JSON").with_source(error))
}

fn batch(rows: &[(Record, Computed)]) -> Result<RecordBatch> {
    let numbers = rows.iter().map(|(_, computed)| computed.number);
    let records = rows.iter().map(|(record, _)| ordered(record.fields()));
    let records = records.collect::<Result<Vec<String>>>()?;
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(UInt64Array::from_iter_values(numbers))),
        ("record", Arc::new(StringArray::from_iter_values(records))),
    ];
    if rows.iter().any(|(_, computed)| computed.vector.is_some()) {
        let mut vectors = ListBuilder::new(Float32Builder::new());
        for (_, computed) in rows {
            let vector = computed.vector.as_deref();
            vectors.values().append_slice(vector.unwrap_or_default());
            vectors.append(vector.is_some());
        }
        columns.push(("vector", Arc::new(vectors.finish())));
    }
    if rows.iter().any(|(_, computed)| computed.latents.is_some()) {
        columns.push(("latents", Arc::new(latents_column(rows))));
    }
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| Error::internal("the columns of a part").with_source(error))
}

fn latents_column(rows: &[(Record, Computed)]) -> StructArray {
    let mut indices = ListBuilder::new(UInt32Builder::new());
    let mut values = ListBuilder::new(Float32Builder::new());
    for (_, computed) in rows {
        for &(latent, activation) in computed.latents.iter().flatten() {
            indices.values().append_value(latent);
            values.values().append_value(activation);
        }
        indices.append(computed.latents.is_some());
        values.append(computed.latents.is_some());
    }
    let lists: [(&str, ArrayRef); 2] = [
        ("indices", Arc::new(indices.finish())),
        ("values", Arc::new(values.finish())),
    ];
    let fields: Vec<(Arc<Field>, ArrayRef)> = lists
        .into_iter()
        .map(|(name, list)| {
            let field = Field::new(name, list.data_type().clone(), true);
            (Arc::new(field), list)
        })
        .collect();
    StructArray::from(fields)
}

/// All records of a part: few enough for the memory.
fn read_part(path: &Path) -> Result<Vec<Record>> {
    let broken = |what: String| {
        Error::new(
            ErrorKind::Corrupted,
            format!("cannot read the part {}: {what}", path.display()),
        )
    };
    let file: File = open_file(path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| broken(error.to_string()))?;
    let times = kept(builder.metadata(), TIMES).unwrap_or("[]");
    let times: Vec<String> =
        serde_json::from_str(times).map_err(|error| broken(error.to_string()))?;
    let times: Arc<[String]> = times.into();
    let batches = builder.build().map_err(|error| broken(error.to_string()))?;
    let name: Arc<str> = path.display().to_string().into();
    let mut records = Vec::new();
    for batch in batches {
        let batch = batch.map_err(|error: ArrowError| broken(error.to_string()))?;
        let columns = Columns::of(&batch).ok_or_else(|| broken("a column differs".to_owned()))?;
        for at in 0..batch.num_rows() {
            let fields = serde_json::from_str::<Fields>(columns.records.value(at))
                .map_err(|error| broken(error.to_string()))?;
            let position = Position::row(&name, records.len() as u64 + 1);
            let record = Record::new(fields.0, position).with_times(times.clone());
            records.push(record.with_computed(columns.computed(at)));
        }
    }
    Ok(records)
}

/// The columns of a part.
struct Columns<'b> {
    numbers: &'b UInt64Array,
    records: &'b StringArray,
    vectors: Option<&'b arrow_array::ListArray>,
    latents: Option<(&'b arrow_array::ListArray, &'b arrow_array::ListArray)>,
}

impl<'b> Columns<'b> {
    fn of(batch: &'b RecordBatch) -> Option<Self> {
        let latents = match batch.column_by_name("latents") {
            Some(column) => {
                let both = column.as_struct_opt()?;
                let list = |name| both.column_by_name(name)?.as_list_opt::<i32>();
                Some((list("indices")?, list("values")?))
            }
            None => None,
        };
        Some(Self {
            numbers: batch
                .column_by_name("number")?
                .as_primitive_opt::<UInt64Type>()?,
            records: batch.column_by_name("record")?.as_string_opt::<i32>()?,
            vectors: match batch.column_by_name("vector") {
                Some(column) => Some(column.as_list_opt::<i32>()?),
                None => None,
            },
            latents,
        })
    }

    fn computed(&self, at: usize) -> Computed {
        let floats = |list: &arrow_array::ListArray| -> Vec<f32> {
            let values = list.value(at);
            values
                .as_primitive_opt::<Float32Type>()
                .map(|values| values.values().to_vec())
                .unwrap_or_default()
        };
        let latents = self.latents.filter(|(indices, _)| !indices.is_null(at));
        Computed {
            number: self.numbers.value(at),
            vector: self.vectors.filter(|list| !list.is_null(at)).map(floats),
            latents: latents.map(|(indices, values)| {
                let latents = indices.value(at);
                let latents = latents.as_primitive_opt::<UInt32Type>();
                let latents = latents.map(|latents| latents.values().to_vec());
                latents
                    .unwrap_or_default()
                    .into_iter()
                    .zip(floats(values))
                    .collect()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(number: u64) -> (Record, Computed) {
        let fields = vec![
            ("z".to_owned(), json!({"b": 1, "a": [0.1, null]})),
            ("a".to_owned(), json!(format!("text {number}"))),
        ];
        let record = Record::new(fields, Position::line(&"f.jsonl".into(), number + 1))
            .with_times(["a".to_owned()].into());
        let computed = Computed {
            number,
            vector: Some(vec![number as f32, 0.1]),
            latents: Some(vec![(3, 0.25), (9, number as f32 + 0.1)]),
        };
        (record, computed)
    }

    fn about(records: u64) -> About {
        About {
            records,
            chunk: 2,
            made: json!({"model": "m"}),
        }
    }

    #[test]
    fn parts_give_the_records_back_in_the_order_of_the_source() {
        let folder = tempfile::tempdir().unwrap();
        let mut bare = row(4);
        bare.1.latents = Some(Vec::new());
        let rows = [row(0), row(1), row(2), row(3), bare];
        for chunk in [2, 0, 1] {
            let own = &rows[chunk * 2..rows.len().min(chunk * 2 + 2)];
            write_part(folder.path(), chunk as u64, &about(5), own).unwrap();
        }
        let parts = Parts::open(folder.path()).unwrap();
        assert_eq!(parts.about(), &about(5));
        let read: Vec<Record> = parts.records().map(|read| read.unwrap()).collect();
        assert_eq!(read.len(), 5);
        for (read, (record, computed)) in read.iter().zip(&rows) {
            assert_eq!(read.fields(), record.fields());
            assert_eq!(read.times(), record.times());
            assert_eq!(read.computed(), Some(computed));
        }
    }

    #[test]
    fn what_is_not_made_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let (record, computed) = row(0);
        let bare = Computed {
            vector: None,
            latents: None,
            ..computed
        };
        write_part(folder.path(), 0, &about(1), &[(record, bare.clone())]).unwrap();
        let read = Parts::open(folder.path())
            .unwrap()
            .records()
            .next()
            .unwrap();
        assert_eq!(read.unwrap().computed(), Some(&bare));
    }

    #[test]
    fn missing_and_foreign_parts_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(
            Parts::open(path).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
        write_part(path, 1, &about(7), &[row(2), row(3)]).unwrap();
        let error = Parts::open(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        assert!(
            error.message().contains("3 of 4 parts: 0, 2, 3;"),
            "{error}"
        );
        write_part(path, 0, &about(4), &[row(0), row(1)]).unwrap();
        let error = Parts::open(path).unwrap_err();
        assert!(error.message().contains("another run"), "{error}");
        fs::write(part_path(path, 0), "not Parquet").unwrap();
        let error = Parts::open(path).unwrap_err();
        assert!(error.message().contains("no part of"), "{error}");
        assert_eq!(about_part(&part_path(path, 5)).unwrap(), None);
    }
}
