//! Measures of rankings, as JSON and as a table.

use serde_json::{Map, Value, json};

use crate::cli::text;
use crate::eval::metrics::Measures;

/// Measures by their names.
pub(super) fn measures(measures: &Measures) -> Map<String, Value> {
    let named = measures.named();
    named
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect()
}

/// A table of measures, one row per method.
pub(super) fn table(rows: &[(String, Measures)]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, measures)| {
            let values = measures.named().map(|(_, value)| format!("{value:.3}"));
            std::iter::once(name.clone()).chain(values).collect()
        })
        .collect();
    let head = Measures::default().named().map(|(name, _)| name);
    let head: Vec<&str> = std::iter::once("method").chain(head).collect();
    text::table(&head, &rows)
}
