//! How labels, values, documents and filters read.

use std::collections::BTreeMap;

use latentdb_proto::v1::filter::Kind;
use latentdb_proto::v1::{Document, Filter, Label, StatisticalTest, Value};

use crate::client::json::ToJson as _;
use crate::report::{Example, format};

/// A label's text, with a question mark if it is of low confidence; empty if there is none.
pub fn label(label: Option<&Label>) -> String {
    label.map_or_else(String::new, |label| {
        format::label(&label.text, label.low_confidence)
    })
}

/// A latent by number and label.
pub fn latent(latent: u32, label: &str, low_confidence: bool, recurrence: Option<f32>) -> String {
    let own = format::latent(latent, &format::label(label, low_confidence));
    own + &format::recurrence(recurrence)
}

/// The same of a label in one message.
pub fn labelled(latent: u32, label: Option<&Label>) -> String {
    format::latent(latent, &self::label(label))
}

/// The name of a test, as `mcnemar-exact`.
pub(super) fn test_name(test: StatisticalTest) -> String {
    let name = test.as_str_name().trim_start_matches("STATISTICAL_TEST_");
    name.to_lowercase().replace('_', "-")
}

/// A document with what else is known of it, for a report.
pub(super) fn example(document: &Document, activation: Option<f32>) -> Example {
    let attributes = attributes(document);
    let about = match activation {
        Some(activation) => format!("activation {activation:.2}, {attributes}"),
        None => attributes,
    };
    Example {
        id: document.id.clone(),
        about: about.trim_end_matches(", ").to_owned(),
        text: document.text.clone().unwrap_or_default(),
        is_counterpart: false,
    }
}

/// A document's attributes on one line, by name.
pub fn attributes(document: &Document) -> String {
    let sorted: BTreeMap<_, _> = document.attributes.iter().collect();
    let parts: Vec<String> = sorted
        .into_iter()
        .map(|(name, value)| format!("{name} {}", format::cut(&self::value(value), 40)))
        .collect();
    parts.join(", ")
}

/// An attribute's value.
pub fn value(value: &Value) -> String {
    plain(&value.to_json())
}

/// A value without quotes and brackets.
pub fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => short_number(number),
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(" ")
        }
        other => other.to_string(),
    }
}

/// A float with at most three decimals; integers as they are.
fn short_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => number.to_string(),
    }
}

/// A filter in the text language, if it came so; all documents if there is none.
pub(super) fn filter(filter: Option<&Filter>) -> String {
    match filter.and_then(|filter| filter.kind.as_ref()) {
        None => "all documents".to_owned(),
        Some(Kind::Expression(text)) => text.clone(),
        Some(Kind::SavedSet(name)) => format!("set({name:?})"),
        Some(_) => "a filter".to_owned(),
    }
}
