//! From records to documents: ids, texts, attributes with their kinds, ready vectors and latents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::DateTime;
use latentdb_index::Value;
use serde_json::Value as Json;

use super::mapping::{Kind, Mapping};
use super::template::Template;
use super::vectors::VectorFile;
use super::{Record, rows};
use crate::error::{Error, ErrorKind, Result};
use crate::reading::Reading;

/// Rows read from a file of vectors at a time.
const ROWS: usize = 1024;

/// What a record says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The id; the record's number in the source without an id field.
    pub id: String,
    /// The text.
    pub text: Option<String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Value>,
    /// A ready vector.
    pub vector: Option<Vec<f32>>,
    /// Ready latents.
    pub latents: Option<Vec<(u32, f32)>>,
}

impl Document {
    /// About the bytes that it takes in a message.
    pub fn bytes(&self) -> usize {
        fn value_bytes(value: &Value) -> usize {
            match value {
                Value::String(text) => text.len(),
                Value::List(values) => values.iter().map(value_bytes).sum(),
                _ => 8,
            }
        }
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, own)| name.len() + value_bytes(own));
        self.id.len()
            + self.text.as_ref().map_or(0, String::len)
            + attributes.sum::<usize>()
            + self.vector.as_ref().map_or(0, |vector| vector.len() * 4)
            + self.latents.as_ref().map_or(0, |latents| latents.len() * 8)
    }
}

/// The rows of a file of vectors, in their order.
#[derive(Debug)]
pub struct Rows {
    file: VectorFile,
    name: String,
    buffer: Vec<f32>,
    start: usize,
}

impl Rows {
    /// Opens a file.
    ///
    /// # Errors
    /// Those of [`VectorFile::open`].
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            file: VectorFile::open(path, None)?,
            name: path.display().to_string(),
            buffer: Vec::new(),
            start: 0,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.file.rows()
    }

    /// Values of a row.
    pub fn dimension(&self) -> usize {
        self.file.dimension()
    }

    /// What the vectors are, if the file says so.
    ///
    /// # Errors
    /// Those of [`rows::reading`].
    pub fn reading(&self) -> Result<Option<Reading>> {
        rows::reading(&self.file)
    }

    /// The error of a file that has not as many rows as there are records.
    pub fn mismatch(&self, records: &str) -> Error {
        Error::invalid(
            "vectors",
            format!(
                "{} has {} rows and there are {records} records; the i-th record gets the i-th row",
                self.name,
                self.rows()
            ),
        )
    }

    fn row(&mut self, row: usize) -> Result<&[f32]> {
        let d = self.dimension();
        if row >= self.rows() {
            return Err(self.mismatch("more"));
        }
        if row < self.start || (row - self.start + 1) * d > self.buffer.len() {
            let end = self.rows().min(row + ROWS);
            self.file.read_rows(row..end, &mut self.buffer)?;
            self.start = row;
        }
        let at = (row - self.start) * d;
        Ok(&self.buffer[at..at + d])
    }
}

/// Makes documents out of the records of one source, in their order.
#[derive(Debug)]
pub struct Converter {
    mapping: Mapping,
    rows: Option<Rows>,
    /// Attributes whose strings are points in time.
    timestamps: BTreeSet<String>,
    /// Attribute fields that no record has had so far.
    unseen: BTreeSet<String>,
    /// Records seen.
    next: usize,
}

impl Converter {
    /// `first` settles what the flags leave open: the id is the field `id` where there is one, the
    /// text the field `text`.
    pub fn new(mut mapping: Mapping, rows: Option<Rows>, first: Option<&Record>) -> Self {
        if let Some(first) = first {
            if mapping.id.is_none() && first.get("id").is_some() {
                mapping.id = Some("id".to_owned());
            }
            if mapping.text.is_none() && first.get("text").is_some() {
                mapping.text = Some(Template::of_field("text"));
            }
        }
        let timestamps = mapping
            .attributes
            .iter()
            .filter(|attribute| attribute.kind == Some(Kind::Timestamp))
            .map(|attribute| attribute.name.clone())
            .collect();
        let unseen = mapping
            .attributes
            .iter()
            .map(|attribute| attribute.field.clone())
            .collect();
        Self {
            mapping,
            rows,
            timestamps,
            unseen,
            next: 0,
        }
    }

    /// Refuses what would make documents of attributes alone: mostly the text has another name.
    ///
    /// # Errors
    /// `InvalidArgument` naming the fields there are.
    pub fn check_content(&self, first: &Record) -> Result<()> {
        let mapping = &self.mapping;
        let has_rows = self.rows.is_some() || mapping.vector.is_some() || mapping.latents.is_some();
        if mapping.text.is_some() || has_rows {
            return Ok(());
        }
        let names: Vec<&str> = first.fields().iter().map(|(name, _)| &**name).collect();
        Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "{} has no field \"text\", and no vector or latents are named: say what the text is \
                 with --text, for example --text \"{{title}}. {{body}}\" (there are {}), or write \
                 documents without text with --no-text",
                first.position(),
                names.join(", ")
            ),
        ))
    }

    /// The document of the next record. A record without an id field has its number, from 0.
    ///
    /// # Errors
    /// `InvalidArgument` naming the record.
    pub fn document(&mut self, record: &Record) -> Result<Document> {
        let made = record.made();
        let row = self.next;
        self.next += 1;
        let mapped = self.mapping.apply(record)?;
        if !self.unseen.is_empty() {
            self.unseen.retain(|field| record.get(field).is_none());
        }
        let mut attributes = BTreeMap::new();
        for (name, json) in mapped.attributes {
            let is_time = self.timestamps.contains(&name);
            let converted = attribute(json, is_time).map_err(|what| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    format!("{}, attribute {name:?}: {what}", record.position()),
                )
            })?;
            if let Some(value) = converted {
                attributes.insert(name, value);
            }
        }
        let vector = match (&mut self.rows, mapped.vector) {
            (Some(rows), _) => Some(rows.row(row)?.to_vec()),
            (None, vector) => vector.or_else(|| made?.vector.clone()),
        };
        let latents = mapped.latents.or_else(|| made?.latents.clone());
        let number = made.map_or(row as u64, |made| made.number);
        Ok(Document {
            id: mapped.id.unwrap_or_else(|| number.to_string()),
            text: mapped.text,
            attributes,
            vector,
            latents,
        })
    }

    /// Passes over a record that cannot be read, whose row stays its own.
    pub fn skip(&mut self) {
        self.next += 1;
    }

    /// The error of rows left over after the last record.
    ///
    /// # Errors
    /// `InvalidArgument` for a file of vectors with more rows than there were records.
    pub fn finish(&self) -> Result<()> {
        match &self.rows {
            Some(rows) if rows.rows() != self.next => {
                Err(rows.mismatch(&format!("only {}", self.next)))
            }
            _ => Ok(()),
        }
    }

    /// Attribute fields that no record had.
    pub fn unseen(&self) -> impl Iterator<Item = &str> {
        self.unseen.iter().map(String::as_str)
    }
}

/// A JSON value as an attribute; `None` for an empty list.
fn attribute(json: Json, is_time: bool) -> std::result::Result<Option<Value>, String> {
    let Json::Array(items) = json else {
        return scalar(json, is_time).map(Some);
    };
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        if !item.is_null() {
            values.push(scalar(item, is_time)?);
        }
    }
    if values.is_empty() {
        return Ok(None);
    }
    // JSON writes 2.0 as 2: a list of numbers with one float is one of floats.
    if values.iter().any(|value| matches!(value, Value::Float(_))) {
        for value in &mut values {
            if let Value::Integer(number) = value {
                *value = Value::Float(*number as f64);
            }
        }
    }
    Ok(Some(Value::List(values)))
}

fn scalar(json: Json, is_time: bool) -> std::result::Result<Value, String> {
    match json {
        Json::String(text) if is_time => match DateTime::parse_from_rfc3339(&text) {
            Ok(at) => Ok(Value::Timestamp(at.timestamp_micros())),
            Err(_) => Err(format!("{text:?} is not an RFC 3339 time")),
        },
        Json::String(text) => Ok(Value::String(text)),
        Json::Bool(truth) => Ok(Value::Boolean(truth)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(Value::Integer(integer)),
            (None, Some(float)) if number.is_f64() => Ok(Value::Float(float)),
            _ => Err(format!(
                "{number} is not in the range of 64-bit signed integers; FIELD:string keeps it as \
                 text"
            )),
        },
        Json::Object(_) => Err(
            "is an object; name a field inside it as FIELD.INNER, or FIELD:string for its text"
                .to_owned(),
        ),
        Json::Array(_) => Err("is a list of lists; accepted are lists of scalars".to_owned()),
        Json::Null => Err("is null".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::Position;
    use crate::records::vectors::VectorWriter;

    fn record(fields: Json) -> Record {
        Record::new(
            fields.as_object().unwrap().clone().into_iter().collect(),
            Position::line(&"f.jsonl".into(), 3),
        )
    }

    fn mapping(attributes: &[&str]) -> Mapping {
        let mut mapping = Mapping::default();
        for flag in attributes {
            mapping.add_attribute(flag).unwrap();
        }
        mapping
    }

    #[test]
    fn the_first_record_settles_id_and_text() {
        let first = record(json!({"id": 7, "text": "T"}));
        let mut converter = Converter::new(mapping(&[]), None, Some(&first));
        let document = converter.document(&first).unwrap();
        assert_eq!(
            (document.id.as_str(), document.text.as_deref()),
            ("7", Some("T"))
        );
        let first = record(json!({"title": "T"}));
        let mut converter = Converter::new(mapping(&[]), None, Some(&first));
        assert_eq!(converter.document(&first).unwrap().id, "0");
        let second = converter.document(&first).unwrap();
        assert_eq!((second.id.as_str(), second.text), ("1", None));
    }

    #[test]
    fn what_a_worker_made_comes_along() {
        let made = crate::records::parts::Made {
            number: 700,
            vector: Some(vec![0.5, 1.0]),
            latents: Some(vec![(3, 0.25)]),
        };
        let record = record(json!({"text": "T"})).with_made(made);
        let mut converter = Converter::new(mapping(&[]), None, Some(&record));
        let document = converter.document(&record).unwrap();
        assert_eq!(document.id, "700");
        assert_eq!(document.vector, Some(vec![0.5, 1.0]));
        assert_eq!(document.latents, Some(vec![(3, 0.25)]));
    }

    #[test]
    fn attributes_have_the_kind_of_their_value() {
        let record = record(json!({
            "s": "x", "i": 9_007_199_254_740_993_i64, "f": 0.5, "b": true, "t": "2025-03-01",
            "mixed": [1, 2.5, null], "empty": [], "null": null
        }));
        let flags = ["when=t:timestamp", "absent", "*"];
        let mut converter = Converter::new(mapping(&flags), None, Some(&record));
        let document = converter.document(&record).unwrap();
        let value = |name: &str| document.attributes[name].clone();
        assert_eq!(value("s"), Value::String("x".into()));
        assert_eq!(value("i"), Value::Integer(9_007_199_254_740_993));
        assert_eq!(value("f"), Value::Float(0.5));
        assert_eq!(value("b"), Value::Boolean(true));
        assert_eq!(value("when"), Value::Timestamp(1_740_787_200_000_000));
        let mixed = [1.0, 2.5].map(Value::Float).to_vec();
        assert_eq!(value("mixed"), Value::List(mixed));
        assert_eq!(document.attributes.len(), 6);
        assert_eq!(converter.unseen().collect::<Vec<_>>(), ["absent"]);
    }

    #[test]
    fn what_no_attribute_can_hold_is_refused_by_place() {
        for (value, part) in [
            (json!({"x": 1}), "is an object"),
            (json!([[1]]), "list of lists"),
            (json!(u64::MAX), "64-bit signed"),
        ] {
            let record = record(json!({ "a": value }));
            let mut converter = Converter::new(mapping(&["a"]), None, None);
            let message = converter.document(&record).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
            assert!(
                message.contains("f.jsonl line 3, attribute \"a\""),
                "{message}"
            );
        }
    }

    #[test]
    fn records_get_the_rows_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.safetensors");
        let mut writer = VectorWriter::create(&path, 2, Default::default()).unwrap();
        let values: Vec<f32> = (0..6000_u16).map(f32::from).collect();
        writer.write_rows(&values).unwrap();
        writer.finish().unwrap();
        let record = record(json!({"x": 1}));
        let mut converter = Converter::new(mapping(&[]), Some(Rows::open(&path).unwrap()), None);
        for row in 0..3000_usize {
            assert!(converter.finish().is_err());
            if row == 5 {
                converter.skip();
                continue;
            }
            let vector = converter.document(&record).unwrap().vector.unwrap();
            assert_eq!(vector, values[2 * row..2 * row + 2]);
        }
        converter.finish().unwrap();
        let message = converter.document(&record).unwrap_err().to_string();
        assert!(message.contains("3000 rows"), "{message}");
    }
}
