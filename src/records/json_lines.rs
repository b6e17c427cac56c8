//! JSON Lines: one object per line.

use std::fmt;
use std::io::{BufRead, Read};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::record::{Position, Record, Unread};
use super::rejects;
use super::source::{MAX_RECORD_BYTES, TextReader, read_error};
use crate::error::{Error, ErrorKind, Result};

/// The records of a JSON Lines text.
pub(super) struct JsonLines {
    reader: TextReader,
    name: Arc<str>,
    line: Vec<u8>,
    number: u64,
    ended: bool,
}

impl JsonLines {
    pub(super) fn new(reader: TextReader, name: Arc<str>) -> Self {
        Self {
            reader,
            name,
            line: Vec::new(),
            number: 0,
            ended: false,
        }
    }

    /// Reads the next line that is not blank into `self.line`; false at the end.
    fn advance(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            let read = (&mut self.reader)
                .take(MAX_RECORD_BYTES as u64)
                .read_until(b'\n', &mut self.line)
                .map_err(|error| {
                    let line = self.number + 1;
                    read_error(&format!("{} after line {}", self.name, line - 1), error)
                })?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if read == MAX_RECORD_BYTES && self.line.last() != Some(&b'\n') {
                return Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    format!(
                        "{}: the line is longer than {} MiB; wanted is one object per line",
                        self.here(),
                        MAX_RECORD_BYTES >> 20
                    ),
                ));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn here(&self) -> Position {
        Position::line(&self.name, self.number)
    }

    fn parse(&self) -> Result<Record, Unread> {
        let fields: Fields =
            serde_json::from_slice(self.line.trim_ascii_end()).map_err(|error| {
                let message = error.to_string();
                let reason = message
                    .rfind(" at line ")
                    .map_or(message.as_str(), |at| &message[..at]);
                let start = error.column().saturating_sub(1).min(self.line.len());
                let reason = no_number(&self.line[start..]).unwrap_or_else(|| reason.to_owned());
                let message = format!(
                    "{}: not a JSON object, at column {}: {reason}",
                    self.here(),
                    error.column()
                );
                Unread {
                    error: Error::new(ErrorKind::InvalidArgument, message),
                    fields: Vec::new(),
                    text: Some(String::from_utf8_lossy(self.line.trim_ascii()).into_owned()),
                }
            })?;
        rejects::taken_back(Record::new(fields.0, self.here())).map(Record::take_times)
    }
}

impl Iterator for JsonLines {
    type Item = Result<Record, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.advance() {
            Ok(true) => Some(self.parse()),
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error.into()))
            }
        }
    }
}

/// What to say of a number that JSON has not, at the start of `text` or just before it.
fn no_number(text: &[u8]) -> Option<String> {
    let words = ["NaN", "Infinity", "aN", "nfinity"];
    let at = words
        .iter()
        .position(|word| text.starts_with(word.as_bytes()))?;
    Some(format!(
        "{} is no value of JSON; null is, which leaves the field out",
        words[at % 2]
    ))
}

/// An object's members in their order, which `serde_json::Map` does not keep. A name that comes
/// twice has its last value, as in every common parser.
pub(super) struct Fields(pub(super) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    match fields.iter_mut().find(|(known, _)| *known == name) {
                        Some(known) => known.1 = value,
                        None => fields.push((name, value)),
                    }
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}
