//! Vectors in a column of a Parquet file, read by row group.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};

use super::matrix::narrow;
use super::parquet::check_codecs;
use super::source::open_file;
use crate::error::{Error, Result};

/// Names that a column of vectors has when none is given, in this order.
const USUAL_COLUMNS: [&str; 4] = ["embedding", "embeddings", "vector", "vectors"];
/// Rows decoded at a time.
const BATCH_ROWS: usize = 1024;

/// A column of vectors: lists of one length of half, single or double precision numbers.
#[derive(Debug)]
pub struct ParquetVectors {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    column: usize,
    dimension: usize,
    groups: Vec<Range<usize>>,
}

impl ParquetVectors {
    /// Opens a file. `column` names the column; without it that is `embedding`, `embeddings`,
    /// `vector` or `vectors`, or the only column of lists of numbers.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `InvalidArgument` for one that is no Parquet file or has no
    /// such column, naming the columns there are.
    pub fn open(path: &Path, column: Option<&str>) -> Result<Self> {
        let file = open_file(path)?;
        let metadata = ArrowReaderMetadata::load(&file, Default::default()).map_err(|error| {
            Error::invalid(
                "vectors",
                format!("{} is not a readable Parquet file", path.display()),
            )
            .with_source(error)
        })?;
        check_codecs(metadata.metadata())
            .map_err(|what| Error::invalid("vectors", format!("{} {what}", path.display())))?;
        let column = find_column(&metadata, column)
            .map_err(|what| Error::invalid("column", format!("{} {what}", path.display())))?;
        let mut groups = Vec::new();
        let mut start = 0;
        for group in metadata.metadata().row_groups() {
            let rows = usize::try_from(group.num_rows()).unwrap_or(0);
            groups.push(start..start + rows);
            start += rows;
        }
        let mut opened = Self {
            path: path.to_owned(),
            file,
            metadata,
            column,
            dimension: 0,
            groups,
        };
        opened.dimension = opened.first_length()?;
        Ok(opened)
    }

    /// Whether a file starts as Parquet does.
    ///
    /// # Errors
    /// `NotFound` for a missing file.
    pub fn is_parquet(path: &Path) -> Result<bool> {
        use std::io::Read;
        let mut magic = Vec::new();
        open_file(path)?.take(4).read_to_end(&mut magic)?;
        Ok(magic == b"PAR1")
    }

    /// Number of vectors.
    pub fn rows(&self) -> usize {
        self.groups.last().map_or(0, |group| group.end)
    }

    /// Values of a vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The rows of every row group: what is read at once.
    pub fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }

    /// Replaces `out` by the vectors of `range`, row-major.
    ///
    /// # Errors
    /// `InvalidArgument` for a range that passes the end, a missing vector or one of another
    /// length; `Corrupted` when the file cannot be decoded.
    pub fn read_rows(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        if range.start > range.end || range.end > self.rows() {
            return Err(Error::invalid(
                "rows",
                format!(
                    "{}..{} is outside the {} rows of {}",
                    range.start,
                    range.end,
                    self.rows(),
                    self.path.display()
                ),
            ));
        }
        out.reserve(range.len() * self.dimension);
        let mut row = range.start;
        for lists in self.lists(range)? {
            let lists = lists?;
            for at in 0..lists.len() {
                self.append(&lists, at, row, out)?;
                row += 1;
            }
        }
        Ok(())
    }

    fn append(&self, lists: &ArrayRef, at: usize, row: usize, out: &mut Vec<f32>) -> Result<()> {
        let values = list(lists, at).filter(|values| values.len() == self.dimension);
        let appended = values.is_some_and(|values| numbers(&values, out));
        if appended {
            return Ok(());
        }
        Err(Error::invalid(
            format!("vectors[{row}]"),
            format!(
                "of {} is missing or not {} numbers",
                self.path.display(),
                self.dimension
            ),
        ))
    }

    /// The column over some rows, batch by batch.
    fn lists(&self, range: Range<usize>) -> Result<impl Iterator<Item = Result<ArrayRef>> + '_> {
        let overlaps = |group: &Range<usize>| group.start < range.end && range.start < group.end;
        let chosen: Vec<usize> = (0..self.groups.len())
            .filter(|at| overlaps(&self.groups[*at]))
            .collect();
        let first = chosen
            .first()
            .map_or(range.start, |at| self.groups[*at].start);
        let file = self.file.try_clone()?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), [self.column]);
        let batches = builder
            .with_projection(mask)
            .with_row_groups(chosen)
            .with_offset(range.start - first)
            .with_limit(range.len())
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| self.corrupted().with_source(error))?;
        Ok(batches.map(|batch| match batch {
            Ok(batch) => Ok(batch.column(0).clone()),
            Err(error) => Err(self.corrupted().with_source(error)),
        }))
    }

    fn corrupted(&self) -> Error {
        Error::corrupted(format!("{} cannot be decoded", self.path.display()))
    }

    fn first_length(&self) -> Result<usize> {
        let lists = match self.lists(0..self.rows().min(1))?.next() {
            None => return Err(Error::invalid("vectors", "has no rows")),
            Some(lists) => lists?,
        };
        list(&lists, 0)
            .map(|values| values.len())
            .filter(|length| *length > 0)
            .ok_or_else(|| Error::invalid("vectors[0]", "is missing or empty"))
    }
}

fn find_column(
    metadata: &ArrowReaderMetadata,
    column: Option<&str>,
) -> std::result::Result<usize, String> {
    let fields = metadata.schema().fields();
    let named = |name: &str| fields.iter().position(|field| field.name() == name);
    let lists: Vec<usize> = (0..fields.len())
        .filter(|at| is_list_of_numbers(fields[*at].data_type()))
        .collect();
    let found = match column {
        Some(name) => named(name),
        None => USUAL_COLUMNS
            .iter()
            .filter_map(|name| named(name))
            .find(|at| lists.contains(at))
            .or(match lists[..] {
                [only] => Some(only),
                _ => None,
            }),
    };
    found.filter(|at| lists.contains(at)).ok_or_else(|| {
        let names: Vec<&str> = lists.iter().map(|at| fields[*at].name().as_str()).collect();
        format!(
            "has no such column of vectors{}; columns of lists of numbers are {names:?}",
            column.map_or(String::new(), |name| format!(" {name:?}"))
        )
    })
}

fn is_list_of_numbers(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            matches!(
                field.data_type(),
                DataType::Float16 | DataType::Float32 | DataType::Float64
            )
        }
        _ => false,
    }
}

/// The list at a place; `None` where it is null.
fn list(lists: &ArrayRef, at: usize) -> Option<ArrayRef> {
    if lists.is_null(at) {
        return None;
    }
    match lists.data_type() {
        DataType::List(_) => Some(lists.as_list::<i32>().value(at)),
        DataType::LargeList(_) => Some(lists.as_list::<i64>().value(at)),
        DataType::FixedSizeList(..) => Some(lists.as_fixed_size_list().value(at)),
        _ => None,
    }
}

/// Appends numbers; false where one is null or they are of another type.
fn numbers(values: &ArrayRef, out: &mut Vec<f32>) -> bool {
    if values.null_count() > 0 {
        return false;
    }
    match values.data_type() {
        DataType::Float16 => {
            let values = values.as_primitive::<Float16Type>().values();
            out.extend(values.iter().map(|value| value.to_f32()));
        }
        DataType::Float32 => out.extend_from_slice(values.as_primitive::<Float32Type>().values()),
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>().values();
            out.extend(values.iter().map(|value| narrow(*value)));
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
    use arrow_array::{Float64Array, RecordBatch};
    use arrow_schema::{Field, Schema};
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    use super::*;

    fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, group_rows: usize) {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
            .collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(group_rows))
            .build();
        let file = File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    fn lists(rows: &[&[f32]]) -> ArrayRef {
        let mut builder = ListBuilder::new(Float32Builder::new());
        for row in rows {
            builder.values().append_slice(row);
            builder.append(true);
        }
        Arc::new(builder.finish())
    }

    #[test]
    fn rows_of_any_range_are_read_over_row_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.parquet");
        let mut fixed = FixedSizeListBuilder::new(Float32Builder::new(), 3);
        for row in 0..25u16 {
            let first = f32::from(row);
            fixed.values().append_slice(&[first, first + 0.25, -first]);
            fixed.append(true);
        }
        let stars: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 25]));
        write(
            &path,
            vec![("stars", stars), ("any name", Arc::new(fixed.finish()))],
            10,
        );
        assert!(ParquetVectors::is_parquet(&path).unwrap());
        let file = ParquetVectors::open(&path, None).unwrap();
        assert_eq!((file.rows(), file.dimension()), (25, 3));
        assert_eq!(file.groups(), [0..10, 10..20, 20..25]);
        let mut out = vec![9.0];
        for range in [0..25, 3..4, 9..21, 20..25, 7..7] {
            file.read_rows(range.clone(), &mut out).unwrap();
            let expected: Vec<f32> = range
                .flat_map(|row| [row as f32, row as f32 + 0.25, -(row as f32)])
                .collect();
            assert_eq!(out, expected);
        }
        assert!(file.read_rows(24..26, &mut out).is_err());
    }

    #[test]
    fn columns_are_named_and_broken_rows_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.parquet");
        let (a, b) = (lists(&[&[1.0, 2.0], &[3.0]]), lists(&[&[5.0], &[6.0]]));
        write(&path, vec![("a", a.clone()), ("embedding", b.clone())], 10);
        assert_eq!(ParquetVectors::open(&path, None).unwrap().dimension(), 1);
        let ragged = ParquetVectors::open(&path, Some("a")).unwrap();
        let error = ragged.read_rows(0..2, &mut Vec::new()).unwrap_err();
        assert_eq!(error.field(), Some("vectors[1]"));
        write(&path, vec![("a", a), ("b", b)], 10);
        let error = ParquetVectors::open(&path, None).unwrap_err();
        assert!(error.to_string().contains("\"a\", \"b\""), "{error}");
        let error = ParquetVectors::open(&path, Some("c")).unwrap_err();
        assert_eq!(error.field(), Some("column"));
    }
}
