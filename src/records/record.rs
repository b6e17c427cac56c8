//! One record and its position in the source.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// The field in which a line of JSON names those of its fields that are timestamps.
pub(super) const TIMES: &str = "_latentdb_timestamps";

/// What is known of a record besides its fields: its number, and the vector and latents computed
/// from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Computed {
    /// The record's number in the source, from 0.
    pub number: u64,
    /// Its vector.
    pub vector: Option<Vec<f32>>,
    /// Its latents, ascending.
    pub latents: Option<Vec<(u32, f32)>>,
}

/// The position of a record in its source, for messages: `papers.jsonl line 12`.
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

    /// The range from here to `last`: `papers.jsonl line 12 to 40`.
    pub fn to(&self, last: &Self) -> String {
        if self == last {
            self.to_string()
        } else if self.source == last.source {
            format!("{self} to {}", last.number)
        } else {
            format!("{self} to {last}")
        }
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
    computed: Option<Box<Computed>>,
    /// Paths of fields that are timestamps in the source, as RFC 3339 strings or dates.
    times: Arc<[String]>,
    /// Fields whose values have no JSON form, and what they are.
    formless: Vec<(String, &'static str)>,
}

impl Record {
    /// A record of `fields` at `position`.
    pub fn new(fields: Vec<(String, Value)>, position: Position) -> Self {
        Self {
            fields,
            position,
            computed: None,
            times: Arc::default(),
            formless: Vec::new(),
        }
    }

    /// The record with its vector and latents.
    pub fn with_computed(self, computed: Computed) -> Self {
        Self {
            computed: Some(Box::new(computed)),
            ..self
        }
    }

    /// The record with the paths of its fields that are timestamps.
    pub fn with_times(self, times: Arc<[String]>) -> Self {
        Self { times, ..self }
    }

    /// The record with the fields that have no JSON form, and what their values are: raw bytes.
    pub(super) fn with_formless(self, formless: Vec<(String, &'static str)>) -> Self {
        Self { formless, ..self }
    }

    /// Fields that have no JSON form, and what their values are.
    pub(super) fn formless(&self) -> &[(String, &'static str)] {
        &self.formless
    }

    /// Paths of the fields that are timestamps in the source.
    pub fn times(&self) -> &Arc<[String]> {
        &self.times
    }

    /// Whether a field is a timestamp in the source.
    pub fn is_time(&self, path: &str) -> bool {
        self.times.iter().any(|known| known == path)
    }

    /// The record with its field [`TIMES`] taken out, where that names timestamps among its fields.
    pub(super) fn take_times(mut self) -> Self {
        let Some(at) = self.fields.iter().position(|(name, _)| name == TIMES) else {
            return self;
        };
        let names = serde_json::from_value::<Vec<String>>(self.fields[at].1.clone());
        if let Ok(names) = names
            && names
                .iter()
                .all(|name| self.fields.iter().any(|(own, _)| own == name))
        {
            self.fields.remove(at);
            self.times = names.into();
        }
        self
    }

    /// The number of a record that was set aside, or also the vector and latents of one that comes
    /// out of a part.
    pub fn computed(&self) -> Option<&Computed> {
        self.computed.as_deref()
    }

    /// The fields and the position.
    pub(super) fn into_parts(self) -> (Vec<(String, Value)>, Position) {
        (self.fields, self.position)
    }

    /// The fields in the order of the source.
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// The position of the record in its source.
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

/// A record that cannot be read, with what there is to mend it from.
#[derive(Debug)]
pub struct Unread {
    /// Why; it names the record.
    pub error: Error,
    /// The fields, as far as they can be told apart.
    pub fields: Vec<(String, Value)>,
    /// The text of a record whose fields cannot be.
    pub text: Option<String>,
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self {
            error,
            fields: Vec::new(),
            text: None,
        }
    }
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        unread.error
    }
}

/// The text of an object with these members, in their order.
pub(super) fn ordered(fields: &[(String, Value)]) -> Result<String> {
    struct Ordered<'f>(&'f [(String, Value)]);

    impl Serialize for Ordered<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
        }
    }

    serde_json::to_string(&Ordered(fields))
        .map_err(|error| Error::internal("a record is not JSON").with_source(error))
}

/// The stream of records of a source.
pub type Records = Box<dyn Iterator<Item = Result<Record, Unread>> + Send>;
