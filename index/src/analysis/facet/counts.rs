//! Counts over the documents of a filter: per attribute value, and per latent.

use std::collections::HashMap;

use tantivy::columnar::Column;

use crate::analysis::value_key::Key;
use crate::document::Value;
use crate::error::Result;
use crate::filter::{Allowed, AttributeColumn, ResolvedFilter, attribute_columns};
use crate::snapshot::Snapshot;

/// How many documents of a set have a value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueCount {
    /// The value. Numbers are one kind: 2 and 2.0 are one value, listed as floats where the
    /// attribute has fractions.
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

/// Counts the values of `attribute` over the documents a filter describes, and lists the
/// `limit` most frequent. Exact.
pub fn attribute_facet(
    snapshot: &Snapshot,
    filter: &ResolvedFilter,
    attribute: &str,
    limit: usize,
) -> Result<AttributeFacet> {
    facet_over(snapshot, &snapshot.allowed(filter)?, attribute, limit)
}

/// The same over a set.
pub(super) fn facet_over(
    snapshot: &Snapshot,
    allowed: &Allowed,
    attribute: &str,
    limit: usize,
) -> Result<AttributeFacet> {
    let mut counts: HashMap<Key, u64> = HashMap::new();
    let mut documents = 0;
    let mut floats = false;
    let mut docs: Vec<u32> = Vec::new();
    for (segment, allowed) in snapshot.segments().iter().zip(allowed.segments()) {
        docs.clear();
        allowed.for_each(|doc| docs.push(doc));
        let columns = attribute_columns(&segment.reader, attribute)?;
        documents += match &columns[..] {
            [column] if column.is_full() => docs.len() as u64,
            columns => docs
                .iter()
                .filter(|&&doc| columns.iter().any(|column| column.has_value(doc)))
                .count() as u64,
        };
        for column in &columns {
            floats |= column.has_floats();
            count_column(column, &docs, &mut counts)?;
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
                value: key.into_value(floats),
                count,
            })
            .collect(),
        distinct,
        documents,
    })
}

/// Every latent active in any document that a filter describes, ascending.
pub fn latent_counts(snapshot: &Snapshot, filter: &ResolvedFilter) -> Result<Vec<LatentCount>> {
    Ok(latents_over(snapshot, &snapshot.allowed(filter)?).0)
}

/// The same over a set, and how many of its documents have no active latent.
pub(super) fn latents_over(snapshot: &Snapshot, allowed: &Allowed) -> (Vec<LatentCount>, u64) {
    let width = snapshot
        .segments()
        .iter()
        .filter_map(|segment| segment.latents.last_latent())
        .max()
        .map_or(0, |last| last as usize + 1);
    let mut counts: Vec<(u64, f64)> = vec![(0, 0.0); width];
    let mut buffer = Vec::new();
    let mut without = 0;
    for (segment, allowed) in snapshot.segments().iter().zip(allowed.segments()) {
        if allowed.is_everything() {
            let rows = segment.latents.rows();
            let empty = allowed
                .iter()
                .filter(|&doc| rows.row(doc).latents.is_empty());
            without += empty.count() as u64;
            for (latent, list) in segment.latents.lists() {
                let (count, sum) = &mut counts[latent as usize];
                *count += list.len() as u64;
                list.for_each(|_, activations| {
                    *sum += activations
                        .iter()
                        .map(|&value| f64::from(value))
                        .sum::<f64>();
                });
            }
        } else {
            allowed.for_each(|doc| {
                let row = segment.latents.row(doc);
                without += u64::from(row.latents.is_empty());
                for (&latent, &activation) in row.latents.iter().zip(row.decode(&mut buffer)) {
                    let (count, sum) = &mut counts[latent as usize];
                    *count += 1;
                    *sum += f64::from(activation);
                }
            });
        }
    }
    let counts = (0..)
        .zip(counts)
        .filter(|(_, (count, _))| *count > 0)
        .map(|(latent, (count, sum))| LatentCount {
            latent,
            count,
            mean_activation: (sum / count as f64) as f32,
        })
        .collect();
    (counts, without)
}

fn count_column(
    column: &AttributeColumn,
    docs: &[u32],
    counts: &mut HashMap<Key, u64>,
) -> Result<()> {
    match column {
        AttributeColumn::String(column) => {
            let mut ordinals = vec![0_u64; column.num_terms()];
            count_values(column.ords(), docs, |ordinal| {
                ordinals[ordinal as usize] += 1;
            });
            let mut text = String::new();
            for (ordinal, count) in (0..).zip(ordinals).filter(|(_, count)| *count > 0) {
                text.clear();
                column.ord_to_str(ordinal, &mut text)?;
                *counts.entry(Key::String(text.clone())).or_default() += count;
            }
        }
        AttributeColumn::Integer(column) => count_values(column, docs, |number| {
            *counts.entry(Key::integer(number)).or_default() += 1;
        }),
        AttributeColumn::Float(column) => count_values(column, docs, |number| {
            *counts.entry(Key::float(number)).or_default() += 1;
        }),
        AttributeColumn::Boolean(column) => count_values(column, docs, |truth| {
            *counts.entry(Key::Boolean(truth)).or_default() += 1;
        }),
        AttributeColumn::Timestamp(column) => count_values(column, docs, |date| {
            let micros = date.into_timestamp_micros();
            *counts.entry(Key::Timestamp(micros)).or_default() += 1;
        }),
    }
    Ok(())
}

/// Documents whose values are read at once.
const VALUE_BATCH: usize = 1024;

/// Visits each document's distinct values once.
fn count_values<T>(column: &Column<T>, docs: &[u32], mut visit: impl FnMut(T))
where
    T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
{
    if !column.get_cardinality().is_multivalue() {
        let mut values = [None; VALUE_BATCH];
        for docs in docs.chunks(VALUE_BATCH) {
            let values = &mut values[..docs.len()];
            // Documents without a value leave theirs as it was.
            values.fill(None);
            column.first_vals(docs, values);
            values.iter().flatten().for_each(|&value| visit(value));
        }
        return;
    }
    let mut seen: Vec<T> = Vec::new();
    for &doc in docs {
        seen.clear();
        for value in column.values_for_doc(doc) {
            if !seen.contains(&value) {
                visit(value);
                seen.push(value);
            }
        }
    }
}
