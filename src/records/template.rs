//! Text templates: `{title}. {abstract}`.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::Record;
use super::kind::scalar_text;
use crate::error::{Error, Result};

/// A text with places for the fields of a record.
///
/// `{name}` stands for a field, `{a.b}` for one inside a nested object, `{{` and `}}` for braces.
/// Parsed with `str::parse`; a malformed template is refused with the column (in characters,
/// from 1) of the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(String),
}

impl Template {
    /// A template of one field and nothing else.
    pub fn of_field(path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            source: format!("{{{path}}}"),
            parts: vec![Part::Field(path)],
        }
    }

    /// The paths of the fields that the template reads, in their order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(path) => Some(path.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text for a record. Null is empty, the items of an array are joined by `, `, an
    /// object is its JSON.
    ///
    /// # Errors
    /// `InvalidArgument` when the record lacks a field; the message has the record's position
    /// and the fields it has.
    pub fn render(&self, record: &Record) -> Result<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Field(path) => {
                    let value = record.get(path).ok_or_else(|| record.missing(path))?;
                    push_value(&mut text, value);
                }
            }
        }
        Ok(text)
    }
}

fn push_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(value) => text.push_str(value),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push_str(", ");
                }
                push_value(text, item);
            }
        }
        other => {
            let shown = scalar_text(other).unwrap_or_else(|| other.to_string());
            text.push_str(&shown);
        }
    }
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(source: &str) -> Result<Self> {
        let fault = |at: usize, what: &str| {
            let column = source[..at].chars().count() + 1;
            Error::invalid(
                "template",
                format!("{what} at column {column} of {source:?}"),
            )
        };
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(next) = source[at..].chars().next() {
            let rest = &source[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push(next);
                at += 2;
            } else if next == '{' {
                let Some(length) = rest[1..].find(['{', '}']) else {
                    return Err(fault(at, "this brace is never closed (a plain one is {{),"));
                };
                if rest[1 + length..].starts_with('{') {
                    return Err(fault(at + 1 + length, "a brace inside a field name"));
                }
                let path = rest[1..1 + length].trim();
                if path.is_empty() {
                    return Err(fault(at, "a field without a name"));
                }
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(Part::Field(path.to_owned()));
                at += length + 2;
            } else if next == '}' {
                return Err(fault(
                    at,
                    "this brace was never opened (a plain one is }}),",
                ));
            } else {
                literal.push(next);
                at += next.len_utf8();
            }
        }
        if parts.is_empty() {
            return Err(Error::invalid(
                "template",
                format!("{source:?} names no field; a field is written {{title}}"),
            ));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self {
            source: source.to_owned(),
            parts,
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Position;
    use serde_json::json;

    fn record(fields: &[(&str, Value)]) -> Record {
        Record::new(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            Position::line(&"papers.jsonl".into(), 7),
        )
    }

    fn render(template: &str, record: &Record) -> Result<String> {
        template.parse::<Template>().unwrap().render(record)
    }

    #[test]
    fn fields_paths_escapes_and_values() {
        let record = record(&[
            ("title", json!("Ünï")),
            ("meta", json!({"venue": {"name": "ICML"}, "year": 2024})),
            ("tags", json!(["a", "b", null])),
            ("a.b", json!("dotted")),
            ("gone", json!(null)),
        ]);
        assert_eq!(
            render("{title}: {meta.venue.name} {meta.year}", &record).unwrap(),
            "Ünï: ICML 2024"
        );
        assert_eq!(render("{{{title}}}", &record).unwrap(), "{Ünï}");
        assert_eq!(render("<{gone}>", &record).unwrap(), "<>");
        assert_eq!(
            render("{tags}|{tags.1}|{a.b}", &record).unwrap(),
            "a, b, |b|dotted"
        );
    }

    #[test]
    fn a_missing_field_names_the_record_and_what_it_has() {
        let record = record(&[("title", json!("t")), ("body", json!("b"))]);
        let error = render("{title} {abstract}", &record).unwrap_err();
        assert_eq!(
            error.to_string(),
            "papers.jsonl line 7: no field \"abstract\"; the record has title, body"
        );
    }

    #[test]
    fn faults_have_a_column() {
        for (template, column) in [
            ("{title", 1),
            ("é {title} {", 11),
            ("{title}}", 8),
            ("{title} {}", 9),
            ("{ti{tle}", 4),
        ] {
            let error = template.parse::<Template>().unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains(&format!("at column {column} of")),
                "{template}: {error}"
            );
        }
        assert!("no field {{x}}".parse::<Template>().is_err());
    }
}
