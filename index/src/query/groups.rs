//! At most a few hits of each value of an attribute.

use std::collections::HashMap;

use super::order::keys;
use crate::error::Result;
use crate::filter::{AttributeColumn, attribute_columns};
use crate::snapshot::Snapshot;
use crate::value_key::Key;

/// Counts hits by their value of an attribute and turns away those of a value that has enough.
///
/// Values are equal as numbers are: 2 and 2.0 are one. Several values of a document are one value
/// together. A document without the attribute is a group of its own.
pub struct Groups {
    /// The attribute's columns, by segment.
    columns: Vec<Vec<AttributeColumn>>,
    /// The first document of each segment.
    bases: Vec<u32>,
    counts: HashMap<Vec<Key>, usize>,
    most: usize,
}

impl Groups {
    /// Groups by an attribute, of `most` hits each.
    pub fn new(snapshot: &Snapshot, attribute: &str, most: usize) -> Result<Self> {
        let segments = snapshot.segments();
        let columns = segments
            .iter()
            .map(|segment| attribute_columns(&segment.reader, attribute));
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            bases: segments.iter().map(|segment| segment.base).collect(),
            counts: HashMap::new(),
            most,
        })
    }

    /// Counts a hit, by its number in the snapshot; false when its group has enough.
    pub fn admit(&mut self, doc: u32) -> Result<bool> {
        let at = self.bases.partition_point(|&base| base <= doc) - 1;
        let mut value = Vec::new();
        for column in &self.columns[at] {
            value.extend(keys(column, doc - self.bases[at])?);
        }
        if value.is_empty() {
            return Ok(true);
        }
        value.sort_unstable();
        let count = self.counts.entry(value).or_default();
        *count += 1;
        Ok(*count <= self.most)
    }
}
