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
    table_with(rows, None)
}

/// The same with a last column, of this name and with a cell for each row.
pub(super) fn table_with(rows: &[(String, Measures)], last: Option<(&str, &[String])>) -> String {
    let cells = |at: usize| last.map(|(_, cells)| cells[at].clone());
    let rows: Vec<Vec<String>> = rows
        .iter()
        .enumerate()
        .map(|(at, (name, measures))| {
            let values = measures.named().map(|(_, value)| format!("{value:.3}"));
            let row = std::iter::once(name.clone()).chain(values);
            row.chain(cells(at)).collect()
        })
        .collect();
    let head = Measures::default().named().map(|(name, _)| name);
    let head = std::iter::once("method").chain(head);
    let head: Vec<&str> = head.chain(last.map(|(name, _)| name)).collect();
    text::table(&head, &rows)
}
