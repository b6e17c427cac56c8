//! The values of an attribute over a set of documents, as numbers of a sorted list.

use std::collections::HashMap;

use crate::document::Value;
use crate::error::{Error, Result};
use crate::filter::{Allowed, AttributeColumn, attribute_columns};
use crate::snapshot::{SegmentView, Snapshot};
use crate::value_key::Key;

/// The distinct values of an attribute in a set, ascending, and who has them.
pub(crate) struct ValueTable {
    /// Distinct values, ascending within each kind; all numbers are one kind.
    pub values: Vec<Value>,
    /// For each segment, (value, document there) once each, ascending.
    pub holders: Vec<Vec<(u32, u32)>>,
}

impl ValueTable {
    /// Reads the values of `attribute` over `set`.
    pub fn read(snapshot: &Snapshot, set: &Allowed, attribute: &str) -> Result<Self> {
        let mut known: HashMap<Key, u32> = HashMap::new();
        let mut holders = Vec::with_capacity(snapshot.segments().len());
        let mut floats = false;
        for (segment, docs) in snapshot.segments().iter().zip(set.segments()) {
            let mut found = Vec::new();
            for column in attribute_columns(&segment.reader, attribute)? {
                floats |= column.has_floats();
                read_column(&column, &mut docs.iter(), &mut known, &mut found)?;
            }
            holders.push(found);
        }
        let mut keys: Vec<(Key, u32)> = known.into_iter().collect();
        keys.sort_unstable();
        let mut sorted = vec![0_u32; keys.len()];
        for (place, (_, first_seen)) in (0..).zip(&keys) {
            sorted[*first_seen as usize] = place;
        }
        for found in &mut holders {
            for entry in found.iter_mut() {
                entry.0 = sorted[entry.0 as usize];
            }
            found.sort_unstable();
            found.dedup();
        }
        Ok(Self {
            values: keys
                .into_iter()
                .map(|(key, _)| key.into_value(floats))
                .collect(),
            holders,
        })
    }

    /// The lengths of texts over `set`, as values: words of the text index, which stores them exactly
    /// up to 40 and within an eighth above. Documents without a text have none.
    pub fn lengths(snapshot: &Snapshot, set: &Allowed) -> Result<Self> {
        let mut holders: Vec<Vec<(u32, u32)>> = Vec::with_capacity(snapshot.segments().len());
        for (segment, docs) in snapshot.segments().iter().zip(set.segments()) {
            let lengths = segment
                .reader
                .get_fieldnorms_reader(snapshot.fields().text)?;
            let lengths = docs.iter().map(|doc| (lengths.fieldnorm(doc), doc));
            holders.push(lengths.filter(|(words, _)| *words > 0).collect());
        }
        let mut distinct: Vec<u32> = holders.iter().flatten().map(|entry| entry.0).collect();
        distinct.sort_unstable();
        distinct.dedup();
        for found in &mut holders {
            for (words, _) in found.iter_mut() {
                let place = distinct.partition_point(|other| other < words);
                *words = u32::try_from(place).unwrap_or(u32::MAX);
            }
            found.sort_unstable();
        }
        Ok(Self {
            values: distinct
                .into_iter()
                .map(|words| Value::Integer(words.into()))
                .collect(),
            holders,
        })
    }

    /// Documents that have each value.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.values.len()];
        for (value, _) in self.holders.iter().flatten() {
            counts[*value as usize] += 1;
        }
        counts
    }

    /// The documents of a segment that have `value`, as entries of its list.
    pub fn holders_of(&self, segment: usize, value: u32) -> &[(u32, u32)] {
        let all = &self.holders[segment];
        let start = all.partition_point(|entry| entry.0 < value);
        let end = all.partition_point(|entry| entry.0 <= value);
        &all[start..end]
    }
}

fn read_column(
    column: &AttributeColumn,
    docs: &mut dyn Iterator<Item = u32>,
    known: &mut HashMap<Key, u32>,
    found: &mut Vec<(u32, u32)>,
) -> Result<()> {
    let mut intern = |key: Key| -> Result<u32> {
        let next = u32::try_from(known.len())
            .map_err(|_| Error::internal("more values than can be numbered"))?;
        Ok(*known.entry(key).or_insert(next))
    };
    match column {
        AttributeColumn::String(column) => {
            let mut texts: HashMap<u64, u32> = HashMap::new();
            for doc in docs {
                for ordinal in column.ords().values_for_doc(doc) {
                    let value = match texts.get(&ordinal) {
                        Some(&value) => value,
                        None => {
                            let mut text = String::new();
                            column.ord_to_str(ordinal, &mut text)?;
                            let value = intern(Key::String(text))?;
                            texts.insert(ordinal, value);
                            value
                        }
                    };
                    found.push((value, doc));
                }
            }
        }
        AttributeColumn::Integer(column) => {
            for doc in docs {
                for number in column.values_for_doc(doc) {
                    found.push((intern(Key::integer(number))?, doc));
                }
            }
        }
        AttributeColumn::Float(column) => {
            for doc in docs {
                for number in column.values_for_doc(doc) {
                    found.push((intern(Key::float(number))?, doc));
                }
            }
        }
        AttributeColumn::Boolean(column) => {
            for doc in docs {
                for truth in column.values_for_doc(doc) {
                    found.push((intern(Key::Boolean(truth))?, doc));
                }
            }
        }
        AttributeColumn::Timestamp(column) => {
            for doc in docs {
                for date in column.values_for_doc(doc) {
                    found.push((intern(Key::Timestamp(date.into_timestamp_micros()))?, doc));
                }
            }
        }
    }
    Ok(())
}

/// Adds the latents of a document that are above `floor` to `latents`.
pub(crate) fn extend_with_row(
    segment: &SegmentView,
    doc: u32,
    floor: super::units::Floor,
    latents: &mut Vec<u32>,
) {
    let row = segment.latents.row(doc);
    let active = row.latents.iter().zip(row.activations);
    latents.extend(
        active
            .filter(|(_, activation)| floor.passes(**activation))
            .map(|(&latent, _)| latent),
    );
}
