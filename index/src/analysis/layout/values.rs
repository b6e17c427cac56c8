//! The values of an attribute or a latent, one for each of some documents: what points are coloured by.

use std::collections::HashMap;

use crate::analysis::values::ValueTable;
use crate::document::Value;
use crate::error::Result;
use crate::filter::Allowed;
use crate::snapshot::Snapshot;

/// Categories that are told apart; the rest are one.
const CATEGORIES: usize = 1000;

/// A number for each document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointValues {
    /// NaN for a document that has none.
    pub numbers: Vec<f64>,
    /// What the numbers stand for, where values are no numbers and no times: the most frequent first,
    /// the rest at the place behind the last.
    pub categories: Vec<String>,
    /// Whether they are times, in microseconds since the epoch.
    pub times: bool,
}

/// The values of an attribute; of several values of a document the least. An attribute whose values
/// are of several kinds is one of categories.
///
/// # Errors
/// Those of reading.
pub fn attribute_values(snapshot: &Snapshot, docs: &[u32], attribute: &str) -> Result<PointValues> {
    let table = ValueTable::read(snapshot, &Allowed::alive(snapshot), attribute)?;
    let counts = table.counts();
    let is_time = |value: &Value| matches!(value, Value::Timestamp(_));
    let is_number = |value: &Value| matches!(value, Value::Integer(_) | Value::Float(_));
    let times = !table.values.is_empty() && table.values.iter().all(is_time);
    let (mut numbers, mut categories) = (Vec::with_capacity(table.values.len()), Vec::new());
    if times || table.values.iter().all(is_number) {
        numbers.extend(table.values.iter().map(|value| match value {
            Value::Integer(number) | Value::Timestamp(number) => *number as f64,
            Value::Float(number) => *number,
            _ => f64::NAN,
        }));
    } else {
        let mut order: Vec<usize> = (0..table.values.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(counts[at]));
        numbers.resize(table.values.len(), 0.0);
        for (place, at) in order.into_iter().enumerate() {
            if place < CATEGORIES {
                categories.push(written(&table.values[at]));
            }
            numbers[at] = place.min(CATEGORIES) as f64;
        }
    }
    let mut by_doc: HashMap<u32, u32> = HashMap::new();
    for (segment, holders) in snapshot.segments().iter().zip(&table.holders) {
        for &(value, doc) in holders {
            let least = by_doc.entry(segment.base + doc).or_insert(value);
            *least = (*least).min(value);
        }
    }
    let number = |doc: &u32| {
        by_doc
            .get(doc)
            .map_or(f64::NAN, |&value| numbers[value as usize])
    };
    Ok(PointValues {
        numbers: docs.iter().map(number).collect(),
        categories,
        times,
    })
}

/// The activations of a latent, 0 where it is inactive.
pub fn latent_values(snapshot: &Snapshot, docs: &[u32], latent: u32) -> PointValues {
    let mut active: HashMap<u32, f32> = HashMap::new();
    snapshot.for_each_posting(latent, |doc, activation| {
        active.insert(doc, activation);
    });
    let number = |doc: &u32| f64::from(active.get(doc).copied().unwrap_or(0.0));
    PointValues {
        numbers: docs.iter().map(number).collect(),
        ..PointValues::default()
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Timestamp(micros) => micros.to_string(),
        Value::List(_) => String::new(),
    }
}
