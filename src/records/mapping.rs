//! From a record to the parts of a document.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::Value;

pub use super::kind::{Kind, TimeForm, TimeUnit};
use super::kind::{excerpt, scalar_text};
pub use super::template::Template;
use super::{Record, Records};
use crate::error::{Error, ErrorKind, Result};

/// Fields of an exported collection that are no attributes.
pub(super) const OF_EXPORTS: [&str; 3] = [
    "_latentdb_attributes",
    "_latentdb_codes",
    "_latentdb_positions",
];

/// Fields that a message names.
const SHOWN_FIELDS: usize = 30;

/// One field of a record that becomes an attribute.
///
/// Written `FIELD`, `FIELD:KIND` or `NAME=FIELD[:KIND]`. A field whose own name holds a colon
/// needs its kind: `dc:title:string`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeField {
    /// The field's name or dot path in the record.
    pub field: String,
    /// The attribute's name in the document.
    pub name: String,
    /// The kind its values are converted to; without one they stay what the format has.
    pub kind: Option<Kind>,
}

impl FromStr for AttributeField {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, source) = match text.split_once('=') {
            Some((name, source)) => (Some(name.trim()), source),
            None => (None, text),
        };
        // A pattern of a timestamp may hold colons.
        let colon = source.find(":timestamp(").or_else(|| source.rfind(':'));
        let (field, kind) = match colon.map(|at| (&source[..at], &source[at + 1..])) {
            Some((field, kind)) => (
                field.trim(),
                Some(kind.trim().parse::<Kind>().map_err(|error| {
                    Error::invalid("attribute", format!("in {text:?}, {}", error.message()))
                })?),
            ),
            None => (source.trim(), None),
        };
        let name = name.unwrap_or(field);
        if field.is_empty() || name.is_empty() {
            return Err(Error::invalid(
                "attribute",
                format!(
                    "{text:?} has an empty name; accepted are FIELD, FIELD:KIND, \
                     NAME=FIELD[:KIND] and * for all fields"
                ),
            ));
        }
        Ok(Self {
            field: field.to_owned(),
            name: name.to_owned(),
            kind,
        })
    }
}

/// The mapping from fields of a record to parts of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The field of the document's id.
    pub id: Option<String>,
    /// The template of the document's text.
    pub text: Option<Template>,
    /// The fields of a ready dense vector: an array of numbers, or that as JSON text.
    pub vector: Option<String>,
    /// The field of ready latents: `{"12": 0.5}`, `[[12, 0.5]]` or
    /// `{"indices": [12], "values": [0.5]}`.
    pub latents: Option<String>,
    /// The fields that become attributes.
    pub attributes: Vec<AttributeField>,
    /// Whether every field that is not named above becomes an attribute of its own name too.
    pub all_attributes: bool,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Mapped {
    /// As it stands in the record, or as the kind of the attribute has it.
    Plain(Value),
    /// RFC 3339 strings: a timestamp, or a list of them.
    Time(Value),
}

/// The parts of a document, as its record has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MappedRecord {
    /// The id; numbers as their decimal string.
    pub id: Option<String>,
    /// The text.
    pub text: Option<String>,
    /// Name and value of the attributes that the record has; none of them null.
    pub attributes: Vec<(String, Mapped)>,
    /// The dense vector `[d]`, finite.
    pub vector: Option<Vec<f32>>,
    /// Latents and their activations: ascending, distinct, finite, above 0.
    pub latents: Option<Vec<(u32, f32)>>,
}

impl Mapping {
    /// Adds what one `--attribute` flag says: an [`AttributeField`], or `*` for all fields.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed flag or an attribute name given twice.
    pub fn add_attribute(&mut self, flag: &str) -> Result<()> {
        if flag.trim() == "*" {
            self.all_attributes = true;
            return Ok(());
        }
        let attribute: AttributeField = flag.parse()?;
        if self
            .attributes
            .iter()
            .any(|known| known.name == attribute.name)
        {
            return Err(Error::invalid(
                "attribute",
                format!("the attribute {:?} is given twice", attribute.name),
            ));
        }
        self.attributes.push(attribute);
        Ok(())
    }

    /// The fields that parts of documents are made of.
    fn fields(&self) -> impl Iterator<Item = &str> {
        let parts = [&self.id, &self.vector, &self.latents];
        let parts = parts.into_iter().flatten().map(String::as_str);
        let text = self.text.iter().flat_map(Template::fields);
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|attribute| attribute.field.as_str());
        parts.chain(text).chain(attributes)
    }

    /// Refuses fields that none of `records` has: optional fields are the rule in JSON, but one that
    /// is missing everywhere is misspelt. Ends with the record that has the last of them.
    ///
    /// # Errors
    /// `InvalidArgument` naming a field and those that there are.
    pub fn check_fields(&self, records: Records) -> Result<()> {
        let mut absent: BTreeSet<&str> = self.fields().collect();
        let mut names: Vec<String> = Vec::new();
        for record in records {
            if absent.is_empty() {
                return Ok(());
            }
            let Ok(record) = record else {
                continue;
            };
            let formless = |field: &str| record.formless().iter().any(|known| known.0 == field);
            absent.retain(|field| record.get(field).is_none() && !formless(field));
            for (name, _) in record.fields() {
                if names.len() < SHOWN_FIELDS && !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        match absent.first() {
            Some(field) if !names.is_empty() => Err(absent_field(field, "", &names)),
            _ => Ok(()),
        }
    }

    /// The parts of a document in `record`.
    ///
    /// # Errors
    /// `InvalidArgument`, beginning with the record's position: a missing id, text, vector or
    /// latents field, or a value that is not of its kind.
    pub fn apply(&self, record: &Record) -> Result<MappedRecord> {
        let part = |path: &Option<String>| match path {
            Some(path) => match record.get(path) {
                Some(value) => Ok(Some((path.clone(), value))),
                None => Err(record.missing(path)),
            },
            None => Ok(None),
        };
        let at = |path: &str, error: &Error| field_error(record, path, error.message());
        let mut mapped = MappedRecord {
            attributes: self.map_attributes(record)?,
            ..MappedRecord::default()
        };
        if let Some((path, value)) = part(&self.id)? {
            mapped.id = Some(id(value).map_err(|error| at(&path, &error))?);
        }
        if let Some(template) = &self.text {
            mapped.text = Some(template.render(record)?);
        }
        if let Some((path, value)) = part(&self.vector)? {
            mapped.vector = vector(value).map_err(|error| at(&path, &error))?;
        }
        if let Some((path, value)) = part(&self.latents)? {
            mapped.latents = latents(value).map_err(|error| at(&path, &error))?;
        }
        Ok(mapped)
    }

    fn map_attributes(&self, record: &Record) -> Result<Vec<(String, Mapped)>> {
        let mut attributes = Vec::new();
        for attribute in &self.attributes {
            let Some(value) = record.get(&attribute.field) else {
                let mut formless = record.formless().iter();
                match formless.find(|known| known.0 == attribute.field) {
                    None => continue,
                    Some((name, what)) => {
                        let message =
                            format!("is {what}; strings, numbers, booleans and times are accepted");
                        return Err(field_error(record, name, &message));
                    }
                }
            };
            let mapped = mapped(record, &attribute.field, attribute.kind.as_ref(), value)?;
            attributes.extend(mapped.map(|value| (attribute.name.clone(), value)));
        }
        if self.all_attributes {
            for (name, value) in record.fields() {
                let named = self.attributes.iter().any(|known| known.name == *name);
                if !named && !self.reads(name) && !OF_EXPORTS.contains(&name.as_str()) {
                    let mapped = mapped(record, name, None, value)?;
                    attributes.extend(mapped.map(|value| (name.clone(), value)));
                }
            }
        }
        Ok(attributes)
    }

    /// Whether the top-level field `name` is already read by another part, whole or by a path
    /// into it.
    fn reads(&self, name: &str) -> bool {
        let holds = |path: &str| {
            path.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let parts = [&self.id, &self.vector, &self.latents];
        parts.into_iter().flatten().any(|path| holds(path))
            || self.text.iter().flat_map(Template::fields).any(holds)
            || self.attributes.iter().any(|known| known.field == name)
    }
}

/// A value as a kind; a column of timestamps is one of timestamps whatever its unit, unless it is
/// asked for as something else.
fn mapped(
    record: &Record,
    field: &str,
    kind: Option<&Kind>,
    value: &Value,
) -> Result<Option<Mapped>> {
    const ISO: Kind = Kind::Timestamp(TimeForm::Iso);
    let kind = match kind {
        None | Some(Kind::Timestamp(_)) if record.is_time(field) => Some(&ISO),
        kind => kind,
    };
    let Some(kind) = kind else {
        return Ok(Some(Mapped::Plain(value.clone())).filter(|_| !value.is_null()));
    };
    let converted = kind.convert(value);
    let converted = converted.map_err(|error| field_error(record, field, error.message()))?;
    Ok(converted.map(|value| match kind {
        Kind::Timestamp(_) => Mapped::Time(value),
        _ => Mapped::Plain(value),
    }))
}

/// The error of a field of the mapping that no record has.
pub(super) fn absent_field(field: &str, of: &str, names: &[String]) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!(
            "no record {of}has the field {field:?}; there are {}",
            names.join(", ")
        ),
    )
}

fn field_error(record: &Record, path: &str, message: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!("{}, field {path:?}: {message}", record.position()),
    )
}

fn id(value: &Value) -> Result<String> {
    // Beyond 2^53 a float stands for many integers, so its decimal is not what was written.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let rounded = value.is_f64() && value.as_f64().is_some_and(|value| value.abs() > EXACT);
    match scalar_text(value) {
        Some(id) if !id.is_empty() && !rounded && !value.is_boolean() => Ok(id),
        _ => Err(Error::invalid(
            "",
            format!(
                "{} is not an id; accepted is a string that is not empty, or a number of 64 bits",
                excerpt(value)
            ),
        )),
    }
}

/// CSV has no lists: there they stand as JSON text.
fn parsed_text(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

fn vector(value: &Value) -> Result<Option<Vec<f32>>> {
    if value.is_null() {
        return Ok(None);
    }
    let parsed = parsed_text(value);
    let value = parsed.as_ref().unwrap_or(value);
    let values = value
        .as_array()
        .filter(|items| !items.is_empty())
        .and_then(|items| items.iter().map(single).collect::<Option<Vec<f32>>>());
    match values {
        Some(values) => Ok(Some(values)),
        None => Err(Error::invalid(
            "",
            format!(
                "{} is not a vector; accepted is an array of finite numbers",
                excerpt(value)
            ),
        )),
    }
}

/// A JSON number in single precision, where it is finite there.
fn single(value: &Value) -> Option<f32> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "single precision is what vectors are stored in"
    )]
    let single = value.as_f64()? as f32;
    Some(single).filter(|value| value.is_finite())
}

fn latents(value: &Value) -> Result<Option<Vec<(u32, f32)>>> {
    if value.is_null() {
        return Ok(None);
    }
    let parsed = parsed_text(value);
    let value = parsed.as_ref().unwrap_or(value);
    let refused = |what: &str| {
        Error::invalid(
            "",
            format!(
                "{} {what}; accepted are {{\"12\": 0.5}}, [[12, 0.5]] and {{\"indices\": [12], \
                 \"values\": [0.5]}}, with finite activations of 0 or more",
                excerpt(value)
            ),
        )
    };
    let mut pairs = pairs(value).ok_or_else(|| refused("is not a set of latents"))?;
    if pairs.iter().any(|(_, activation)| *activation < 0.0) {
        return Err(refused("has a negative activation"));
    }
    pairs.retain(|(_, activation)| *activation > 0.0);
    pairs.sort_by_key(|(latent, _)| *latent);
    if pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(refused("has a latent twice"));
    }
    Ok(Some(pairs))
}

fn pairs(value: &Value) -> Option<Vec<(u32, f32)>> {
    let index = |value: &Value| value.as_u64().and_then(|index| u32::try_from(index).ok());
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| match item.as_array()?.as_slice() {
                [latent, activation] => Some((index(latent)?, single(activation)?)),
                _ => None,
            })
            .collect(),
        Value::Object(map) => match (map.get("indices"), map.get("values")) {
            (Some(indices), Some(values)) => {
                let (indices, values) = (indices.as_array()?, values.as_array()?);
                if indices.len() != values.len() {
                    return None;
                }
                indices
                    .iter()
                    .zip(values)
                    .map(|(latent, activation)| Some((index(latent)?, single(activation)?)))
                    .collect()
            }
            _ => map
                .iter()
                .map(|(latent, activation)| Some((latent.parse().ok()?, single(activation)?)))
                .collect(),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Position;
    use serde_json::json;

    fn record(fields: Value) -> Record {
        Record::new(
            fields.as_object().unwrap().clone().into_iter().collect(),
            Position::line(&"f.jsonl".into(), 3),
        )
    }

    fn mapping(attributes: &[&str]) -> Mapping {
        let mut mapping = Mapping {
            id: Some("id".to_owned()),
            text: Some("{meta.title}".parse().unwrap()),
            ..Mapping::default()
        };
        for flag in attributes {
            mapping.add_attribute(flag).unwrap();
        }
        mapping
    }

    #[test]
    fn flags_parse_into_fields_names_and_kinds() {
        let field = |text: &str| text.parse::<AttributeField>().unwrap();
        let expected = |field: &str, name: &str, kind| AttributeField {
            field: field.to_owned(),
            name: name.to_owned(),
            kind,
        };
        assert_eq!(field("year"), expected("year", "year", None));
        assert_eq!(field("year:int"), expected("year", "year", Some(Kind::Int)));
        assert_eq!(
            field("when=meta.date:timestamp"),
            expected("meta.date", "when", Some(Kind::Timestamp(TimeForm::Iso)))
        );
        let pattern = Kind::Timestamp(TimeForm::Pattern("%Y:%m:%d".to_owned()));
        assert_eq!(
            field("d:timestamp(%Y:%m:%d)"),
            expected("d", "d", Some(pattern))
        );
        assert_eq!(
            field("dc:title:string"),
            expected("dc:title", "dc:title", Some(Kind::String))
        );
        let error = "year:integer".parse::<AttributeField>().unwrap_err();
        assert!(
            error.to_string().contains("accepted are string, int"),
            "{error}"
        );
        for empty in ["", "=x", "a=", ":int"] {
            assert!(empty.parse::<AttributeField>().is_err(), "{empty:?}");
        }
        assert!(mapping(&["a"]).add_attribute("a=b").is_err());
    }

    #[test]
    fn a_record_maps_to_its_parts() {
        let record = record(json!({
            "id": 12, "meta": {"title": "T"}, "year": "2020", "tags": ["x"], "none": null,
            "v": [0.5, -1], "z": {"9": 0.25, "3": 1.5, "4": 0}
        }));
        let mut mapping = mapping(&["published=year:int", "absent", "*"]);
        mapping.vector = Some("v".to_owned());
        mapping.latents = Some("z".to_owned());
        assert_eq!(
            mapping.apply(&record).unwrap(),
            MappedRecord {
                id: Some("12".to_owned()),
                text: Some("T".to_owned()),
                attributes: vec![
                    ("published".to_owned(), Mapped::Plain(json!(2020))),
                    ("tags".to_owned(), Mapped::Plain(json!(["x"]))),
                ],
                vector: Some(vec![0.5, -1.0]),
                latents: Some(vec![(3, 1.5), (9, 0.25)]),
            }
        );
        let error = mapping.check_fields(Box::new([Ok(record.clone())].into_iter()));
        assert_eq!(
            error.unwrap_err().message(),
            "no record has the field \"absent\"; there are id, meta, none, tags, v, year, z"
        );
        let rest = Record::new(
            vec![("absent".to_owned(), json!(null))],
            record.position().clone(),
        );
        let records: Records = Box::new([Ok(record), Ok(rest)].into_iter());
        mapping.check_fields(records).unwrap();
    }

    #[test]
    fn errors_name_the_record_and_the_field() {
        let message = |mapping: &Mapping, fields: Value| {
            mapping.apply(&record(fields)).unwrap_err().to_string()
        };
        let plain = mapping(&["year:int"]);
        let meta = json!({"title": "T"});
        assert_eq!(
            message(&plain, json!({"id": "a", "meta": meta, "year": "soon"})),
            "f.jsonl line 3, field \"year\": \"soon\" is not of kind int; accepted is a whole \
             number of 64 bits"
        );
        assert!(message(&plain, json!({"meta": meta})).contains("no field \"id\""));
        for id in [json!(null), json!(""), json!(1e20), json!([1]), json!(true)] {
            let text = message(&plain, json!({"id": id, "meta": meta}));
            assert!(text.contains("is not an id"), "{text}");
        }
        let mut ready = mapping(&[]);
        ready.vector = Some("v".to_owned());
        for vector in [json!([]), json!([1, "2"]), json!([1e39]), json!("1 2")] {
            let text = message(&ready, json!({"id": "a", "meta": meta, "v": vector}));
            assert!(text.contains("is not a vector"), "{text}");
        }
    }

    #[test]
    fn latents_take_three_forms_and_no_negative_or_double_entry() {
        let expected = Some(vec![(3, 1.5), (12, 0.5)]);
        for form in [
            json!({"12": 0.5, "3": 1.5}),
            json!([[12, 0.5], [3, 1.5]]),
            json!({"indices": [12, 3], "values": [0.5, 1.5]}),
            json!("{\"12\": 0.5, \"3\": 1.5}"),
        ] {
            assert_eq!(latents(&form).unwrap(), expected, "{form}");
        }
        for wrong in [
            json!([[1, -0.5]]),
            json!([[1, 0.5], [1, 0.25]]),
            json!([[1.5, 0.5]]),
            json!({"indices": [1], "values": []}),
            json!([0.5, 1.5]),
        ] {
            assert!(latents(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn vectors_in_csv_are_json_text() {
        assert_eq!(vector(&json!("[1, 2.5]")).unwrap(), Some(vec![1.0, 2.5]));
        assert_eq!(vector(&json!(null)).unwrap(), None);
    }
}
