//! Rows of Arrow batches as records.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, Fields};

use super::arrow_value;
use super::record::{Position, Record, Unread};
use crate::error::{Error, ErrorKind};

type Field = (String, serde_json::Value);
type Formless = (String, &'static str);

/// Batches in their order.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// The rows of a source of batches.
pub(super) struct ArrowRows {
    batches: Batches,
    batch: Option<RecordBatch>,
    row_in_batch: usize,
    row: u64,
    times: Arc<[String]>,
    name: Arc<str>,
    ended: bool,
}

impl ArrowRows {
    /// The rows of `batches`, whose columns are `fields`; messages call the source `name`.
    pub fn new(batches: Batches, fields: &Fields, name: Arc<str>) -> Self {
        let mut times = Vec::new();
        add_times(fields, "", &mut times);
        Self {
            batches,
            batch: None,
            row_in_batch: 0,
            row: 0,
            times: times.into(),
            name,
            ended: false,
        }
    }
}

impl Iterator for ArrowRows {
    type Item = Result<Record, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = &self.batch
                && self.row_in_batch < batch.num_rows()
            {
                let at = self.row_in_batch;
                self.row_in_batch += 1;
                self.row += 1;
                let (fields, formless) = record_fields(batch, at);
                let position = Position::row(&self.name, self.row);
                if let Some(field) = infinite(batch, at) {
                    let message = format!("is infinite at {position}; finite numbers are accepted");
                    return Some(Err(Unread {
                        error: Error::invalid(field, message),
                        fields,
                        text: None,
                    }));
                }
                let record = Record::new(fields, position)
                    .with_times(self.times.clone())
                    .with_formless(formless);
                return Some(Ok(record));
            }
            if self.ended {
                return None;
            }
            match self.batches.next()? {
                Ok(batch) => {
                    self.batch = Some(batch);
                    self.row_in_batch = 0;
                }
                Err(error) => {
                    self.ended = true;
                    self.batch = None;
                    let message = format!("cannot read {} after row {}", self.name, self.row);
                    return Some(Err(Error::new(ErrorKind::Corrupted, message)
                        .with_source(error)
                        .into()));
                }
            }
        }
    }
}

/// Adds the paths of timestamps and dates, and of lists of them.
fn add_times(fields: &Fields, parent: &str, times: &mut Vec<String>) {
    fn is_time(data_type: &DataType) -> bool {
        match data_type {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => true,
            DataType::Dictionary(_, values) => is_time(values),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => is_time(item.data_type()),
            _ => false,
        }
    }
    for field in fields {
        let path = format!("{parent}{}", field.name());
        match field.data_type() {
            DataType::Struct(inner) => add_times(inner, &format!("{path}."), times),
            data_type if is_time(data_type) => times.push(path),
            _ => {}
        }
    }
}

/// A field of one row that holds an infinite number, which JSON has no form for. NaN is what tables
/// write for nothing, and is read so.
fn infinite(batch: &RecordBatch, at: usize) -> Option<&str> {
    let fields = batch.schema_ref().fields().iter();
    let mut fields = fields.zip(batch.columns());
    let found = fields.find(|(_, column)| arrow_value::is_infinite(column, at));
    found.map(|(field, _)| field.name().as_str())
}

/// The fields of one row, and those whose values have no JSON form, with what they are.
fn record_fields(batch: &RecordBatch, at: usize) -> (Vec<Field>, Vec<Formless>) {
    let (mut fields, mut formless) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = field.name().clone();
        match arrow_value::to_json(column, at) {
            Some(value) => fields.push((name, value)),
            None => formless.push((name, arrow_value::formless(field.data_type()))),
        }
    }
    (fields, formless)
}
