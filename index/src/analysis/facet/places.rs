//! Which entries of a facet each document of a set falls into.

use std::collections::HashMap;

use super::histogram::Buckets;
use super::numbers::{Numbers, each_of};
use super::result::FacetKey;
use crate::analysis::values::ValueTable;
use crate::error::Result;
use crate::filter::Allowed;
use crate::snapshot::Snapshot;

/// The entries that documents of a set fall into, and the documents of each.
pub(super) struct Places {
    /// The entries, in their order.
    pub keys: Vec<FacetKey>,
    /// For each segment, (document there, number of an entry), ascending, each once.
    segments: Vec<Vec<(u32, u32)>>,
}

impl Places {
    /// One entry per distinct value of an attribute, ascending.
    pub fn of_values(snapshot: &Snapshot, set: &Allowed, attribute: &str) -> Result<Self> {
        let table = ValueTable::read(snapshot, set, attribute)?;
        let by_document = |holders: Vec<(u32, u32)>| {
            let mut pairs: Vec<(u32, u32)> = holders
                .into_iter()
                .map(|(value, doc)| (doc, value))
                .collect();
            pairs.sort_unstable();
            pairs
        };
        Ok(Self {
            keys: table.values.into_iter().map(FacetKey::Value).collect(),
            segments: table.holders.into_iter().map(by_document).collect(),
        })
    }

    /// One entry per bucket.
    pub fn of_buckets(numbers: &Numbers, buckets: &Buckets) -> Self {
        let keys = buckets.bounds().map(|(lower, upper)| FacetKey::Bucket {
            lower: lower.clone(),
            upper: upper.clone(),
        });
        let placed = numbers.segments.iter().map(|pairs| {
            let mut placed: Vec<(u32, u32)> = pairs
                .iter()
                .map(|&(doc, code)| (doc, buckets.place(code)))
                .collect();
            // Ascending, as a document's values are; two of them may be in one bucket.
            placed.dedup();
            placed
        });
        Self {
            keys: keys.collect(),
            segments: placed.collect(),
        }
    }

    /// How many documents of a subset of the set fall into each entry that has some, ascending by
    /// entry, and how many fall into any.
    pub fn counts(&self, set: &Allowed) -> (Vec<(u32, u64)>, u64) {
        let mut found = Vec::new();
        let having = each_of(&self.segments, set, |place| found.push(place));
        found.sort_unstable();
        let runs = found.chunk_by(|a, b| a == b);
        (runs.map(|run| (run[0], run.len() as u64)).collect(), having)
    }

    /// The documents of a subset of the set that fall into each of some entries.
    pub fn documents(&self, snapshot: &Snapshot, set: &Allowed, entries: &[u32]) -> Vec<Allowed> {
        let listed: HashMap<u32, usize> =
            (0..).zip(entries).map(|(at, &entry)| (entry, at)).collect();
        let mut docs = vec![vec![Vec::new(); self.segments.len()]; entries.len()];
        for (at, (pairs, allowed)) in self.segments.iter().zip(set.segments()).enumerate() {
            for (doc, place) in pairs {
                if let Some(&entry) = listed.get(place)
                    && allowed.contains(*doc)
                {
                    docs[entry][at].push(*doc);
                }
            }
        }
        let sets = docs.into_iter();
        sets.map(|docs| Allowed::of_documents(snapshot, docs))
            .collect()
    }
}
