//! A JSON configuration, read field by field: what nobody asked for is refused by name.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

use super::source::read;

/// The fields of a configuration that no reader has taken yet.
#[derive(Debug)]
pub(super) struct Config {
    /// The file's name, for messages.
    file: String,
    left: Map<String, Value>,
}

impl Config {
    /// Reads a file that holds one JSON object. The NaN and infinities that Python writes are texts:
    /// facts among others, and refused by name where a number is needed.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Corrupted` when it is no JSON object.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.file_name().unwrap_or_default();
        let file = file.to_string_lossy().into_owned();
        let bytes = read(path)?;
        let left = serde_json::from_slice(&bytes)
            .or_else(|_| serde_json::from_slice(&quoted(&bytes)))
            .map_err(|e| Error::corrupted(format!("{file} is not a JSON object")).with_source(e))?;
        Ok(Self { file, left })
    }

    /// An object within another.
    pub fn of(file: &str, left: Map<String, Value>) -> Self {
        Self {
            file: file.to_owned(),
            left,
        }
    }

    /// Takes a value; JSON's null counts as missing.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// Takes an object.
    pub fn take_object(&mut self, name: &str) -> Result<Option<Map<String, Value>>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(other) => Err(self.refused(name, &other, "an object")),
        }
    }

    /// Takes a whole number of at least 1.
    pub fn take_size(&mut self, name: &str) -> Result<usize> {
        self.take_optional_size(name)?.ok_or_else(|| {
            Error::invalid(
                name,
                format!(
                    "is missing from {}; it must be a whole number of at least 1",
                    self.file
                ),
            )
        })
    }

    /// Takes a whole number of at least 1, where it is there.
    pub fn take_optional_size(&mut self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        match size {
            Some(size) if size > 0 => Ok(Some(size)),
            _ => Err(self.refused(name, &value, "a whole number of at least 1")),
        }
    }

    /// Takes a text, where it is there.
    pub fn take_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.refused(name, &other, "a text")),
        }
    }

    /// Takes true or false, `missing` where it is not there.
    pub fn take_flag(&mut self, name: &str, missing: bool) -> Result<bool> {
        match self.take(name) {
            None => Ok(missing),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.refused(name, &other, "true or false")),
        }
    }

    /// The refusal of a value, saying what is accepted.
    pub fn refused(&self, name: &str, found: &Value, accepted: &str) -> Error {
        Error::invalid(
            name,
            format!("of {} is {found}; accepted: {accepted}", self.file),
        )
    }

    /// Takes all the named fields into `about`, for people to read; they change nothing.
    pub fn take_facts(&mut self, names: &[&str], about: &mut BTreeMap<String, String>) {
        for name in names {
            match self.take(name) {
                None => {}
                Some(Value::String(text)) => {
                    about.insert((*name).to_owned(), text);
                }
                Some(other) => {
                    about.insert((*name).to_owned(), other.to_string());
                }
            }
        }
    }

    /// Drops fields that change nothing: settings of the training and of the machine.
    pub fn drop_inert(&mut self, names: &[&str]) {
        for name in names {
            self.left.remove(*name);
        }
    }

    /// Ends the reading: every field must have been taken.
    ///
    /// # Errors
    /// `InvalidArgument` naming the first that was not.
    pub fn finish(self) -> Result<()> {
        let left = self.left.into_iter().find(|(_, value)| !value.is_null());
        match left {
            None => Ok(()),
            Some((name, value)) => Err(Error::invalid(
                name,
                format!(
                    "of {} is {value}, and what it means is not known here; if it changes neither \
                     encoding nor decoding, remove it",
                    self.file
                ),
            )),
        }
    }
}

/// JSON of Python with the numbers that JSON has not in quotes.
fn quoted(json: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut quoted = Vec::with_capacity(json.len());
    let (mut at, mut in_text) = (0, false);
    while at < json.len() {
        let word = WORDS.iter().find(|word| json[at..].starts_with(word));
        match word.filter(|_| !in_text) {
            Some(word) => {
                quoted.push(b'"');
                quoted.extend_from_slice(word);
                quoted.push(b'"');
                at += word.len();
            }
            None => {
                let escaped = in_text && json[at] == b'\\' && at + 1 < json.len();
                in_text ^= json[at] == b'"';
                let length = if escaped { 2 } else { 1 };
                quoted.extend_from_slice(&json[at..at + length]);
                at += length;
            }
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_writes_for_no_number_is_a_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cfg.json");
        let json = r#"{"lr": NaN, "k": -Infinity, "d": [Infinity, 1], "t": "a \" NaN \\", "n": 3}"#;
        std::fs::write(&path, json).unwrap();
        let mut config = Config::read(&path).unwrap();
        let mut about = BTreeMap::new();
        config.take_facts(&["lr", "t", "d"], &mut about);
        assert_eq!(about["lr"], "NaN");
        assert_eq!(about["t"], "a \" NaN \\");
        assert_eq!(about["d"], r#"["Infinity",1]"#);
        assert_eq!(config.take_size("n").unwrap(), 3);
        let error = config.take_size("k").unwrap_err().to_string();
        assert!(error.contains("k of cfg.json is \"-Infinity\""), "{error}");
        std::fs::write(&path, "{\"a\": Nan}").unwrap();
        assert!(Config::read(&path).is_err());
    }
}
