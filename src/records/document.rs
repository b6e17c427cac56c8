//! From records to documents: ids, texts, attributes with their kinds, ready vectors and latents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::DateTime;
use latentdb_index::Value;
use serde_json::Value as Json;

use super::kind::iso_time;
use super::mapping::{AttributeField, Mapped, MappedRecord, Mapping, absent_field};
use super::template::Template;
use super::vectors::VectorFile;
use super::{Position, Record, rows};
use crate::error::{Error, ErrorKind, Result};
use crate::reading::Reading;

/// Records whose texts are looked at for dates.
const NOTED: usize = 1000;
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
        Error::precondition(format!(
            "{} has {} rows and there are {records} records; the i-th record gets the i-th row",
            self.name,
            self.rows()
        ))
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
    /// Where the first record stands, which settled what the mapping leaves open.
    first: Option<Position>,
    /// Documents get no text.
    no_text: bool,
    /// Attribute fields that no record has had so far.
    unseen: BTreeSet<String>,
    /// The fields of the first record.
    names: Vec<String>,
    /// Attributes of no named kind whose texts are dates.
    dates: BTreeSet<String>,
    /// Fields that were left out where every field is an attribute, what they are, and whether
    /// that was told.
    left_out: BTreeMap<String, (&'static str, bool)>,
    /// Records seen.
    next: usize,
    /// Whether records say which rows are theirs.
    numbered: bool,
}

impl Converter {
    /// A converter by a mapping, and `rows` of vectors for the records. With `no_text`, documents
    /// get none.
    pub fn new(mapping: Mapping, rows: Option<Rows>, no_text: bool) -> Self {
        let unseen = mapping
            .attributes
            .iter()
            .map(|attribute| attribute.field.clone())
            .collect();
        Self {
            mapping,
            rows,
            first: None,
            no_text,
            unseen,
            names: Vec::new(),
            dates: BTreeSet::new(),
            left_out: BTreeMap::new(),
            next: 0,
            numbered: false,
        }
    }

    /// Settles by the first record what the flags leave open: the id is the field `id` where there
    /// is one, the text the field `text`. Later calls do nothing.
    ///
    /// # Errors
    /// `InvalidArgument` where documents would have attributes alone: mostly the text has another
    /// name.
    pub fn settle(&mut self, first: &Record) -> Result<()> {
        if self.first.is_some() {
            return Ok(());
        }
        self.first = Some(first.position().clone());
        self.names = first
            .fields()
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        let mapping = &mut self.mapping;
        if mapping.id.is_none() && first.get("id").is_some() {
            mapping.id = Some("id".to_owned());
        }
        if self.no_text {
            mapping.text = None;
            return Ok(());
        }
        if mapping.text.is_none() && first.get("text").is_some() {
            mapping.text = Some(Template::of_field("text"));
        }
        let has_rows = self.rows.is_some() || mapping.vector.is_some() || mapping.latents.is_some();
        if mapping.text.is_some() || has_rows {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "{} has no field \"text\", and no vector or latents are named: say what the text is \
                 with --text, for example --text \"{{title}}. {{body}}\" (there are {}), or write \
                 documents without text with --no-text",
                first.position(),
                self.names.join(", ")
            ),
        ))
    }

    /// Refuses an id or a text that the first record did not have and nothing names: it would be
    /// left out of some documents and not of others.
    fn check_settled(&self, record: &Record) -> Result<()> {
        let Some(first) = &self.first else {
            return Ok(());
        };
        let mapping = &self.mapping;
        let (field, flags) = if mapping.id.is_none() && record.get("id").is_some() {
            ("id", "name the id with --id")
        } else if mapping.text.is_none() && !self.no_text && record.get("text").is_some() {
            (
                "text",
                "name the text with --text, or leave it out with --no-text",
            )
        } else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "{} has a field {field:?} and the first record, {first}, has none: {flags}",
                record.position()
            ),
        ))
    }

    /// The number of a record that is next: its own, or its place from 0.
    pub fn number(&self, record: &Record) -> u64 {
        record
            .computed()
            .map_or(self.next as u64, |computed| computed.number)
    }

    /// The document of the next record. A record without an id field has its number.
    ///
    /// # Errors
    /// `InvalidArgument` naming the record; `FailedPrecondition` where there is no row for it.
    pub fn document(&mut self, record: &Record) -> Result<Document> {
        let computed = record.computed();
        let number = self.number(record);
        self.numbered |= computed.is_some();
        self.next += 1;
        if !self.unseen.is_empty() {
            self.unseen.retain(|field| record.get(field).is_none());
        }
        self.check_settled(record)?;
        let mapped = self.mapping.apply(record)?;
        if self.next <= NOTED {
            self.note_dates(&mapped);
        }
        if self.mapping.all_attributes {
            for (name, what) in record.formless() {
                self.left_out.entry(name.clone()).or_insert((what, false));
            }
        }
        let mut attributes = BTreeMap::new();
        for (name, own) in mapped.attributes {
            let converted = attribute(own).map_err(|what| {
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
            (Some(rows), _) => {
                let row = usize::try_from(number).unwrap_or(usize::MAX);
                Some(rows.row(row)?.to_vec())
            }
            (None, vector) => vector.or_else(|| computed?.vector.clone()),
        };
        let latents = mapped.latents.or_else(|| computed?.latents.clone());
        Ok(Document {
            id: mapped.id.unwrap_or_else(|| number.to_string()),
            text: mapped.text,
            attributes,
            vector,
            latents,
        })
    }

    fn note_dates(&mut self, mapped: &MappedRecord) {
        for (name, value) in &mapped.attributes {
            let of_kind = |known: &AttributeField| known.name == *name && known.kind.is_some();
            if let Mapped::Plain(Json::String(text)) = value
                && iso_time(text).is_some()
                && !self.mapping.attributes.iter().any(of_kind)
            {
                self.dates.insert(name.clone());
            }
        }
    }

    /// Attributes of no named kind whose texts were dates in the first records.
    pub fn dates(&self) -> impl Iterator<Item = &str> {
        self.dates.iter().map(String::as_str)
    }

    /// Fields that were left out of attributes since the last call, and what they are.
    pub fn newly_left_out(&mut self) -> Vec<(&str, &'static str)> {
        let new = self.left_out.iter_mut().filter(|(_, known)| !known.1);
        new.map(|(name, known)| {
            known.1 = true;
            (name.as_str(), known.0)
        })
        .collect()
    }

    /// Passes over a record that cannot be read, whose row stays its own; returns its number.
    pub fn skip(&mut self) -> u64 {
        self.next += 1;
        self.next as u64 - 1
    }

    /// The error of rows left over after the last record.
    ///
    /// # Errors
    /// `InvalidArgument` for a file of vectors with more rows than there were records.
    pub fn finish(&self) -> Result<()> {
        match &self.rows {
            Some(rows) if !self.numbered && rows.rows() != self.next => {
                Err(rows.mismatch(&format!("only {}", self.next)))
            }
            _ => Ok(()),
        }
    }

    /// Refuses attribute fields that no record has had so far.
    ///
    /// # Errors
    /// `InvalidArgument` naming them.
    pub fn check_seen(&self) -> Result<()> {
        match self.unseen.first() {
            None => Ok(()),
            Some(field) => Err(absent_field(field, "of the first batch ", &self.names)),
        }
    }
}

/// A mapped value as an attribute; `None` for an empty list.
pub(super) fn attribute(mapped: Mapped) -> std::result::Result<Option<Value>, String> {
    let (json, is_time) = match mapped {
        Mapped::Plain(json) => (json, false),
        Mapped::Time(json) => (json, true),
    };
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
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
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
        let mut converter = Converter::new(mapping(&[]), None, false);
        converter.settle(&first).unwrap();
        let document = converter.document(&first).unwrap();
        assert_eq!(
            (document.id.as_str(), document.text.as_deref()),
            ("7", Some("T"))
        );
        let message = |converter: &mut Converter, fields| {
            converter.document(&record(fields)).unwrap_err().to_string()
        };
        assert!(message(&mut converter, json!({"text": "T"})).contains("no field \"id\""));
        assert!(message(&mut converter, json!({"id": 1})).contains("no field \"text\""));

        let bare = record(json!({"title": "T"}));
        let mut converter = Converter::new(mapping(&[]), None, false);
        assert!(converter.settle(&bare).is_err());
        let mut converter = Converter::new(mapping(&[]), None, true);
        converter.settle(&bare).unwrap();
        assert_eq!(converter.document(&bare).unwrap().id, "0");
        let second = converter.document(&bare).unwrap();
        assert_eq!((second.id.as_str(), second.text), ("1", None));
        assert!(message(&mut converter, json!({"id": 1})).contains("has a field \"id\""));
    }

    #[test]
    fn without_texts_no_record_brings_one_whatever_the_first_has() {
        let (with, without) = (json!({"id": 1, "text": "T"}), json!({"id": 2}));
        for order in [[&with, &without], [&without, &with]] {
            let records = order.map(|fields| record(fields.clone()));
            let mut converter = Converter::new(mapping(&[]), None, true);
            converter.settle(&records[0]).unwrap();
            for record in &records {
                assert_eq!(converter.document(record).unwrap().text, None);
            }
        }
        let mut ready = mapping(&[]);
        ready.vector = Some("v".to_owned());
        let mut converter = Converter::new(ready, None, false);
        converter.settle(&record(json!({"v": [1]}))).unwrap();
        let error = converter.document(&record(json!({"v": [1], "text": "T"})));
        let message = error.unwrap_err().to_string();
        assert!(message.contains("has a field \"text\""), "{message}");
    }

    #[test]
    fn what_a_worker_made_comes_along() {
        let computed = crate::records::parts::Computed {
            number: 700,
            vector: Some(vec![0.5, 1.0]),
            latents: Some(vec![(3, 0.25)]),
        };
        let record = record(json!({"text": "T"})).with_computed(computed);
        let mut converter = Converter::new(mapping(&[]), None, false);
        let document = converter.document(&record).unwrap();
        assert_eq!(document.id, "700");
        assert_eq!(document.vector, Some(vec![0.5, 1.0]));
        assert_eq!(document.latents, Some(vec![(3, 0.25)]));
    }

    #[test]
    fn columns_of_timestamps_are_timestamps_and_other_dates_are_told() {
        let times: Arc<[String]> = ["day".to_owned(), "meta.at".to_owned()].into();
        let record = record(json!({
            "day": "2025-03-01", "meta": {"at": "2025-03-01T12:00:00Z"},
            "text_date": "2025-03-01", "told": "2025-03-01", "n": 20_250_301
        }))
        .with_times(times);
        let march = 1_740_787_200_000_000;
        let flags = [
            "day",
            "kept=day:string",
            "meta.at:timestamp(ms)",
            "told:string",
            "*",
        ];
        let mut mapping = mapping(&flags);
        mapping.text = Some("{n}".parse().unwrap());
        let mut converter = Converter::new(mapping, None, false);
        let error = converter.document(&record).unwrap_err().to_string();
        assert!(
            error.contains("attribute \"meta\": is an object"),
            "{error}"
        );
        converter.mapping.all_attributes = false;
        converter.mapping.add_attribute("text_date").unwrap();
        let document = converter.document(&record).unwrap();
        let value = |name: &str| document.attributes[name].clone();
        assert_eq!(value("day"), Value::Timestamp(march));
        assert_eq!(value("kept"), Value::String("2025-03-01".into()));
        assert_eq!(value("meta.at"), Value::Timestamp(march + 43_200_000_000));
        assert_eq!(value("text_date"), Value::String("2025-03-01".into()));
        assert_eq!(converter.dates().collect::<Vec<_>>(), ["text_date"]);
    }

    #[test]
    fn attributes_have_the_kind_of_their_value() {
        let record = record(json!({
            "s": "x", "i": 9_007_199_254_740_993_i64, "f": 0.5, "b": true, "t": "2025-03-01",
            "mixed": [1, 2.5, null], "empty": [], "null": null
        }));
        let flags = ["when=t:timestamp", "absent", "*"];
        let mut converter = Converter::new(mapping(&flags), None, false);
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
        let error = converter.check_seen().unwrap_err().to_string();
        assert!(error.contains("the field \"absent\""), "{error}");
    }

    #[test]
    fn what_no_attribute_can_hold_is_refused_by_place() {
        for (value, part) in [
            (json!({"x": 1}), "is an object"),
            (json!([[1]]), "list of lists"),
            (json!(u64::MAX), "64-bit signed"),
        ] {
            let record = record(json!({ "a": value }));
            let mut converter = Converter::new(mapping(&["a"]), None, true);
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
        let mut converter = Converter::new(mapping(&[]), Some(Rows::open(&path).unwrap()), false);
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

        // A record that was set aside finds its row by its number.
        let computed = crate::records::parts::Computed {
            number: 2000,
            ..Default::default()
        };
        let mut converter = Converter::new(mapping(&[]), Some(Rows::open(&path).unwrap()), false);
        let document = converter.document(&record.with_computed(computed)).unwrap();
        assert_eq!(document.vector.unwrap(), values[4000..4002]);
        converter.finish().unwrap();
    }
}
