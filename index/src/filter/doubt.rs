//! Tests that cannot match, which are more often mistyped than meant.

use std::collections::{BTreeMap, BTreeSet};

use tantivy::schema::Type;

use super::AttributeTest;
use crate::document::Value;
use crate::error::Result;
use crate::schema::{ATTRIBUTES_FIELD, column_name};
use crate::snapshot::Snapshot;

/// Names at most this many edits away are offered.
const NEAR: usize = 3;

impl Snapshot {
    /// Why no document can pass a test of an attribute, whatever its values: no document has the
    /// attribute, or none has values of the kind that the test compares with. `None` where some
    /// may, and in an empty collection.
    pub fn doubt(&self, name: &str, test: &AttributeTest) -> Result<Option<String>> {
        if self.n_docs() == 0 {
            return Ok(None);
        }
        let mut held = BTreeSet::new();
        for segment in self.segments() {
            let columns = segment.reader.fast_fields();
            for handle in columns.dynamic_column_handles(&column_name(name))? {
                held.extend(kind_of_column(handle.column_type().into()).map(comparable));
            }
        }
        if held.is_empty() {
            return Ok(Some(self.unknown(name)?));
        }
        if let AttributeTest::Like(_) = test {
            return Ok(not_strings(name, &held));
        }
        let strange = compared(test)
            .into_iter()
            .find(|value| !held.contains(comparable(value.kind())));
        Ok(strange.map(|value| {
            let held: Vec<&str> = held.into_iter().collect();
            let hint = match value {
                Value::String(text) if held.contains(&"timestamp") => {
                    format!("; write timestamp({text:?})")
                }
                Value::String(text) if held.contains(&"number") && text.parse::<f64>().is_ok() => {
                    format!("; write {text}")
                }
                Value::Integer(_) | Value::Float(_) if held.contains(&"string") => {
                    "; strings stand in quotes".to_owned()
                }
                _ => String::new(),
            };
            format!(
                "the values of attribute {name:?} are {}s, and the filter compares with a {}{hint}",
                held.join("s and "),
                comparable(value.kind())
            )
        }))
    }

    fn unknown(&self, name: &str) -> Result<String> {
        let names = self.attribute_kinds()?;
        let name_folded = name.to_lowercase();
        let edits =
            |known: &String| strsim::damerau_levenshtein(&known.to_lowercase(), &name_folded);
        let least = names.keys().map(edits).min().unwrap_or(usize::MAX);
        let unknown = format!("no document has the attribute {name:?}");
        if least > NEAR || least >= name.chars().count() {
            return Ok(unknown);
        }
        let nearest = names.keys().filter(|known| edits(known) == least);
        let nearest: Vec<String> = nearest.map(|known| format!("{known:?}")).collect();
        Ok(format!("{unknown}; is it {}?", nearest.join(" or ")))
    }

    /// The attributes of the documents with the kinds of their values ([`Value::kind`]), by name.
    /// Those of deleted documents are among them until their segments are merged.
    pub fn attribute_kinds(&self) -> Result<BTreeMap<String, BTreeSet<&'static str>>> {
        let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        let prefix = format!("{ATTRIBUTES_FIELD}.");
        for segment in self.segments() {
            for column in segment.reader.fields_metadata()? {
                if let Some(name) = column.field_name.strip_prefix(&prefix)
                    && let Some(kind) = kind_of_column(column.typ)
                {
                    // Dots in names may come escaped.
                    let name = name.replace("\\.", ".");
                    found.entry(name).or_default().insert(kind);
                }
            }
        }
        Ok(found)
    }
}

/// Why no pattern describes a value of an attribute.
fn not_strings(name: &str, held: &BTreeSet<&str>) -> Option<String> {
    let kinds: Vec<&str> = held.iter().copied().collect();
    (!held.contains("string")).then(|| {
        format!(
            "the values of attribute {name:?} are {}s, and `like` compares strings",
            kinds.join("s and ")
        )
    })
}

/// The values that a test compares with.
fn compared(test: &AttributeTest) -> Vec<&Value> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    match test {
        AttributeTest::Exists | AttributeTest::Like(_) => Vec::new(),
        AttributeTest::In(values) => values.iter().collect(),
        AttributeTest::Range { lower, upper } => [lower, upper]
            .into_iter()
            .filter_map(|bound| match bound {
                Included(value) | Excluded(value) => Some(value),
                Unbounded => None,
            })
            .collect(),
    }
}

/// The name of the kinds whose values compare with those of a kind.
fn comparable(kind: &'static str) -> &'static str {
    match kind {
        "integer" | "float" => "number",
        other => other,
    }
}

fn kind_of_column(column: Type) -> Option<&'static str> {
    match column {
        Type::I64 | Type::U64 => Some("integer"),
        Type::F64 => Some("float"),
        Type::Str => Some("string"),
        Type::Bool => Some("boolean"),
        Type::Date => Some("timestamp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::document::{Document, Value};
    use crate::filter::{Filter, parse};
    use crate::{Database, NewCollection, Operation};

    #[test]
    fn a_test_that_cannot_match_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let collection = database
            .create(NewCollection {
                name: "c".into(),
                ..NewCollection::default()
            })
            .unwrap();
        let mut document = Document::new("a");
        document.attributes = [
            ("status", Value::String("keep".into())),
            ("stars", Value::String("4".into())),
            ("visits", Value::Integer(4)),
            ("day", Value::Timestamp(0)),
            ("open", Value::Boolean(true)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let doubt = |text: &str| {
            let Filter::Attribute { name, test } = parse(text).unwrap() else {
                panic!("{text}")
            };
            let snapshot = collection.view().unwrap().snapshot;
            snapshot.doubt(&name, &test).unwrap()
        };
        assert_eq!(doubt("staus = 'keep'"), None, "an empty collection");
        collection
            .apply(vec![Operation::Upsert(Box::new(document))])
            .unwrap();
        for fine in [
            "status = 'gone'",
            "stars > '3'",
            "visits > 3.5",
            "visits in (1, 2.5)",
            "day < timestamp('1960-01-01')",
            "open = false",
            "stars exists",
            "status like 'ke%'",
            "status like 'k*p%'",
            "status like 'keep'",
        ] {
            assert_eq!(doubt(fine), None, "{fine}");
        }
        for (strange, part) in [
            ("staus = 'keep'", "is it \"stars\" or \"status\"?"),
            ("colour exists", "no document has the attribute \"colour\""),
            (
                "stars > 3",
                "are strings, and the filter compares with a number; strings stand",
            ),
            ("visits = '4'", "write 4"),
            ("day >= '2026-03-01'", "write timestamp(\"2026-03-01\")"),
            (
                "open = 'true'",
                "are booleans, and the filter compares with a string",
            ),
            ("visits in (4, 'four')", "compares with a string"),
            ("visits(> 1, < 3)", ""),
            (
                "visits like '4%'",
                "are numbers, and `like` compares strings",
            ),
        ] {
            let said = doubt(strange);
            assert!(
                said.as_deref().unwrap_or_default().contains(part),
                "{strange}: {said:?}"
            );
        }
    }
}
