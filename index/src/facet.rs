//! Counts over the documents of a filter: per attribute value, and per latent.

use std::collections::HashMap;

use crate::collection::Snapshot;
use crate::document::Value;
use crate::error::Result;
use crate::filter::{AttributeColumn, Filter, attribute_columns};

/// How many documents of a set have a value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueCount {
    /// The value.
    pub value: Value,
    /// Documents that have it; a list counts once for each of its distinct values.
    pub count: u64,
}

/// How many documents of a set have a latent active, and how strongly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatentCount {
    /// The latent.
    pub latent: u32,
    /// Documents of the set in which it is active.
    pub count: u64,
    /// Mean of its activations over those documents.
    pub mean_activation: f32,
}

/// A facet over an attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeFacet {
    /// The most frequent values, ties in order of value.
    pub values: Vec<ValueCount>,
    /// Distinct values in the set, listed or not.
    pub distinct: u64,
    /// Documents of the set that have the attribute.
    pub documents: u64,
}

/// Counts the values of `attribute` over the documents a resolved filter describes, and lists the
/// `limit` most frequent. Exact.
pub fn attribute_facet(
    snapshot: &Snapshot,
    filter: &Filter,
    attribute: &str,
    limit: usize,
) -> Result<AttributeFacet> {
    let allowed = snapshot.allowed(filter)?;
    let mut counts: HashMap<Key, u64> = HashMap::new();
    let mut documents = 0;
    for (segment, allowed) in snapshot.segments().iter().zip(allowed.segments()) {
        let columns = attribute_columns(&segment.reader, attribute)?;
        documents += allowed
            .iter()
            .filter(|&doc| columns.iter().any(|column| column.has_value(doc)))
            .count() as u64;
        for column in &columns {
            count_column(column, &mut allowed.iter(), &mut counts)?;
        }
    }
    let distinct = counts.len() as u64;
    let mut counted: Vec<(Key, u64)> = counts.into_iter().collect();
    counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counted.truncate(limit);
    Ok(AttributeFacet {
        values: counted
            .into_iter()
            .map(|(key, count)| ValueCount {
                value: key.into_value(),
                count,
            })
            .collect(),
        distinct,
        documents,
    })
}

/// Counts active latents over the documents a resolved filter describes, and lists the `limit`
/// most frequent, ties in order of latent. Exact.
pub fn latent_facet(
    snapshot: &Snapshot,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<LatentCount>> {
    let mut counted = latent_counts(snapshot, filter)?;
    counted.sort_by(|a, b| b.count.cmp(&a.count).then(a.latent.cmp(&b.latent)));
    counted.truncate(limit);
    Ok(counted)
}

/// Every latent active in any document that a resolved filter describes, ascending.
pub fn latent_counts(snapshot: &Snapshot, filter: &Filter) -> Result<Vec<LatentCount>> {
    let allowed = snapshot.allowed(filter)?;
    let mut counts: Vec<(u64, f64)> = Vec::new();
    let mut add = |latent: u32, count: u64, sum: f64| {
        let at = latent as usize;
        if counts.len() <= at {
            counts.resize(at + 1, (0, 0.0));
        }
        counts[at].0 += count;
        counts[at].1 += sum;
    };
    for (segment, allowed) in snapshot.segments().iter().zip(allowed.segments()) {
        if allowed.is_everything() {
            for (latent, list) in segment.latents.lists() {
                let mut sum = 0.0;
                list.for_each(|_, activations| {
                    sum += activations
                        .iter()
                        .map(|&value| f64::from(value))
                        .sum::<f64>();
                });
                add(latent, list.len() as u64, sum);
            }
        } else {
            for doc in allowed.iter() {
                for entry in segment.latents.row(doc).iter() {
                    add(entry.latent, 1, f64::from(entry.activation));
                }
            }
        }
    }
    Ok((0..)
        .zip(counts)
        .filter(|(_, (count, _))| *count > 0)
        .map(|(latent, (count, sum))| LatentCount {
            latent,
            count,
            mean_activation: (sum / count as f64) as f32,
        })
        .collect())
}

/// A value that can be hashed and ordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    String(String),
    Integer(i64),
    /// The bits of a float, in an order that follows its values.
    Float(u64),
    Boolean(bool),
    Timestamp(i64),
}

impl Key {
    pub fn float(value: f64) -> Self {
        let bits = value.to_bits();
        Self::Float(if bits >> 63 == 1 {
            !bits
        } else {
            bits | 1 << 63
        })
    }

    /// The key of a scalar; none of a list.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::String(text.clone())),
            Value::Integer(number) => Some(Self::Integer(*number)),
            Value::Float(number) => Some(Self::float(*number)),
            Value::Boolean(truth) => Some(Self::Boolean(*truth)),
            Value::Timestamp(micros) => Some(Self::Timestamp(*micros)),
            Value::List(_) => None,
        }
    }

    pub fn into_value(self) -> Value {
        match self {
            Self::String(text) => Value::String(text),
            Self::Integer(number) => Value::Integer(number),
            Self::Float(key) => {
                let bits = if key >> 63 == 1 {
                    key & !(1 << 63)
                } else {
                    !key
                };
                Value::Float(f64::from_bits(bits))
            }
            Self::Boolean(truth) => Value::Boolean(truth),
            Self::Timestamp(micros) => Value::Timestamp(micros),
        }
    }
}

fn count_column(
    column: &AttributeColumn,
    docs: &mut dyn Iterator<Item = u32>,
    counts: &mut HashMap<Key, u64>,
) -> Result<()> {
    match column {
        AttributeColumn::String(column) => {
            let mut ordinals: HashMap<u64, u64> = HashMap::new();
            count_values(
                docs,
                |doc| column.ords().values_for_doc(doc),
                |ordinal| ordinal,
                &mut ordinals,
            );
            let mut text = String::new();
            for (ordinal, count) in ordinals {
                text.clear();
                column.ord_to_str(ordinal, &mut text)?;
                *counts.entry(Key::String(text.clone())).or_default() += count;
            }
        }
        AttributeColumn::Integer(column) => {
            count_values(docs, |doc| column.values_for_doc(doc), Key::Integer, counts);
        }
        AttributeColumn::Float(column) => {
            count_values(docs, |doc| column.values_for_doc(doc), Key::float, counts);
        }
        AttributeColumn::Boolean(column) => {
            count_values(docs, |doc| column.values_for_doc(doc), Key::Boolean, counts);
        }
        AttributeColumn::Timestamp(column) => count_values(
            docs,
            |doc| column.values_for_doc(doc),
            |date| Key::Timestamp(date.into_timestamp_micros()),
            counts,
        ),
    }
    Ok(())
}

/// Counts each document's distinct values once.
fn count_values<T, K: std::hash::Hash + Eq + Clone, I: Iterator<Item = T>>(
    docs: &mut dyn Iterator<Item = u32>,
    values: impl Fn(u32) -> I,
    key: impl Fn(T) -> K,
    counts: &mut HashMap<K, u64>,
) {
    let mut seen: Vec<K> = Vec::new();
    for doc in docs {
        seen.clear();
        for value in values(doc) {
            let key = key(value);
            if !seen.contains(&key) {
                *counts.entry(key.clone()).or_default() += 1;
                seen.push(key);
            }
        }
    }
}
