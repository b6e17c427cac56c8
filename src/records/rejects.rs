//! Records that were set aside: JSON Lines of their fields, to be mended and ingested.
//!
//! A line has the fields of the record as its source has them, as far as they can be read, and
//! `_rejected` with the `reason`, the record's `number` in its source (its id where it has none, and
//! its row in a file of vectors), the `text` of a record whose fields cannot be told apart, and the
//! paths of fields that are `timestamps` in the source. A reader of JSON Lines takes `_rejected` out
//! again and keeps the number and the timestamps.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Source;
use super::record::{Computed, Record, Unread, ordered};
use crate::error::{Error, ErrorKind, Result};
use crate::whole_file::with_suffix;

/// Reasons that are kept to be shown.
const SHOWN: usize = 10;
/// The field that a rejected record has in addition.
const MARK: &str = "_rejected";

/// Why a record was set aside, and which it was.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    reason: String,
    number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timestamps: Vec<String>,
}

/// A record that is set aside.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// Why; it names the record.
    pub reason: String,
    /// The record's number in its source, from 0.
    pub number: u64,
    /// Its fields, as far as they can be told apart.
    pub fields: Vec<(String, Value)>,
    /// Its text where they cannot.
    pub text: Option<String>,
    /// Paths of the fields that are timestamps.
    pub times: Arc<[String]>,
}

impl Rejected {
    /// A record that could be read and is refused.
    pub fn new(record: Record, number: u64, reason: String) -> Self {
        let times = record.times().clone();
        let (fields, _) = record.into_parts();
        Self {
            reason,
            number,
            fields,
            text: None,
            times,
        }
    }
}

/// The file of the records that were set aside; made with the first.
///
/// What is there is kept, since somebody may be mending it, and no line is written twice.
#[derive(Debug)]
pub struct Rejects {
    path: PathBuf,
    file: Option<File>,
    lines: HashSet<String>,
    count: u64,
    /// The reasons of the first.
    reasons: Vec<String>,
}

impl Rejects {
    /// Rejects of a source: `FILE.rejects.jsonl` next to it, and `rejects.jsonl` in the working
    /// folder for standard input.
    pub fn of(source: &Source) -> Self {
        Self::at(match source {
            Source::Path(path) => with_suffix(path, ".rejects.jsonl"),
            Source::Stdin => PathBuf::from("rejects.jsonl"),
        })
    }

    /// Rejects in a file of this name.
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            lines: HashSet::new(),
            count: 0,
            reasons: Vec::new(),
        }
    }

    /// Records that were set aside by this ingest.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Why the first were.
    pub fn first_reasons(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().map(String::as_str)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets a record aside.
    ///
    /// # Errors
    /// `FailedPrecondition` where the file cannot be written.
    pub fn add(&mut self, rejected: Rejected) -> Result<()> {
        let Rejected {
            reason,
            number,
            mut fields,
            text,
            times,
        } = rejected;
        if self.reasons.len() < SHOWN {
            self.reasons.push(reason.clone());
        }
        let before = take_mark(&mut fields);
        let mark = Mark {
            reason,
            number: before.as_ref().map_or(number, |mark| mark.number),
            text: text.or_else(|| before?.text),
            timestamps: times.to_vec(),
        };
        let unwritable = |what: &dyn std::error::Error| {
            let shown = self.path.display();
            Error::precondition(format!("cannot set a record aside in {shown}: {what}"))
        };
        let mark = serde_json::to_value(mark).map_err(|error| unwritable(&error))?;
        fields.push((MARK.to_owned(), mark));
        let mut line = ordered(&fields)?;
        if self.file.is_none() {
            let there = match fs::read_to_string(&self.path) {
                Err(error) if error.kind() == IoErrorKind::NotFound => String::new(),
                there => there.map_err(|error| unwritable(&error))?,
            };
            let opened = File::options().append(true).create(true).open(&self.path);
            let mut file = opened.map_err(|error| unwritable(&error))?;
            if !there.is_empty() && !there.ends_with('\n') {
                file.write_all(b"\n").map_err(|error| unwritable(&error))?;
            }
            self.lines = there.lines().map(str::to_owned).collect();
            self.file = Some(file);
        }
        self.count += 1;
        if self.lines.insert(line.clone())
            && let Some(file) = &mut self.file
        {
            line.push('\n');
            let written = file.write_all(line.as_bytes());
            written.map_err(|error| unwritable(&error))?;
        }
        Ok(())
    }
}

/// Takes the mark out of a record that was set aside, whose number stays its own.
pub(super) fn taken_back(record: Record) -> Result<Record, Unread> {
    let (mut fields, position) = record.into_parts();
    let Some(mark) = take_mark(&mut fields) else {
        return Ok(Record::new(fields, position));
    };
    if fields.is_empty() {
        let message = format!(
            "{position}: has no fields: write those of the text in {MARK:?} next to it ({})",
            mark.reason
        );
        let mark = serde_json::to_value(mark).unwrap_or_default();
        return Err(Unread {
            error: Error::new(ErrorKind::InvalidArgument, message),
            fields: vec![(MARK.to_owned(), mark)],
            text: None,
        });
    }
    let computed = Computed {
        number: mark.number,
        ..Computed::default()
    };
    Ok(Record::new(fields, position)
        .with_computed(computed)
        .with_times(mark.timestamps.into()))
}

fn take_mark(fields: &mut Vec<(String, Value)>) -> Option<Mark> {
    let at = fields.iter().position(|(name, _)| name == MARK)?;
    let mark = serde_json::from_value(fields[at].1.clone()).ok()?;
    fields.remove(at);
    Some(mark)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::{Position, open};

    fn rejected(number: u64, fields: Value, text: Option<&str>) -> Rejected {
        Rejected {
            reason: format!("f.csv line {number}: is wrong"),
            number,
            fields: fields.as_object().unwrap().clone().into_iter().collect(),
            text: text.map(str::to_owned),
            times: ["a".to_owned()].into(),
        }
    }

    #[test]
    fn what_is_set_aside_is_read_again_under_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Path(folder.path().join("f.csv"));
        let mut rejects = Rejects::of(&source);
        assert!(rejects.path().ends_with("f.csv.rejects.jsonl"));
        assert!(!rejects.path().exists());
        rejects
            .add(rejected(7, json!({"z": "1", "a": [2]}), None))
            .unwrap();
        rejects.add(rejected(9, json!({}), Some("{no"))).unwrap();
        let source = Source::Path(rejects.path().to_owned());
        let read: Vec<_> = open(&source, None).unwrap().collect();
        let first = read[0].as_ref().unwrap();
        assert_eq!(first.computed().unwrap().number, 7);
        assert_eq!(first.get("a.0"), Some(&json!(2)));
        assert_eq!(first.fields().len(), 2);
        assert!(first.is_time("a"));
        let unread = read[1].as_ref().unwrap_err();
        assert!(
            unread.error.message().contains("has no fields"),
            "{unread:?}"
        );

        // Set aside once more, a record keeps its number and its text.
        let mut again = Rejects::at(folder.path().join("again.jsonl"));
        again
            .add(Rejected {
                reason: "again".to_owned(),
                number: 1,
                fields: unread.fields.clone(),
                text: None,
                times: Arc::default(),
            })
            .unwrap();
        let line = fs::read_to_string(again.path()).unwrap();
        assert!(
            line.contains("\"number\":9") && line.contains("{no"),
            "{line}"
        );
    }

    #[test]
    fn what_is_there_is_kept_and_no_line_comes_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        fs::write(&path, "{\"mended\": 1}").unwrap();
        for _ in 0..2 {
            let mut rejects = Rejects::at(path.clone());
            rejects.add(rejected(1, json!({"a": 1}), None)).unwrap();
            assert_eq!(rejects.count(), 1);
        }
        let lines = fs::read_to_string(&path).unwrap();
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(lines.starts_with("{\"mended\": 1}\n"));
    }

    #[test]
    fn a_field_of_that_name_without_a_mark_stays() {
        let fields = vec![(MARK.to_owned(), json!(true))];
        let record = Record::new(fields, Position::line(&"f".into(), 1));
        assert_eq!(taken_back(record.clone()).unwrap(), record);
    }
}
