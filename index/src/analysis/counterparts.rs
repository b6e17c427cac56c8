//! Documents of two sets that belong together: those with the same value of an attribute.

use std::collections::HashMap;

use super::Side;
use super::values::ValueTable;
use crate::error::Result;
use crate::filter::ResolvedFilter;
use crate::snapshot::Snapshot;
use crate::value_key::Key;

/// For each document of one side, those of the other with the same value of an attribute.
pub struct Counterparts<'a> {
    snapshot: &'a Snapshot,
    of: HashMap<u32, Vec<u32>>,
}

impl<'a> Counterparts<'a> {
    /// Joins the documents of `from` with those of `filter` in `snapshot` on `attribute`.
    ///
    /// # Errors
    /// Those of the filters, and damage in the files.
    pub fn new(
        from: Side,
        snapshot: &'a Snapshot,
        filter: &ResolvedFilter,
        attribute: &str,
    ) -> Result<Self> {
        let set = from.snapshot.allowed(from.filter)?;
        let table = ValueTable::read(from.snapshot, &set, attribute)?;
        let other = ValueTable::read(snapshot, &snapshot.allowed(filter)?, attribute)?;
        let places: HashMap<Key, usize> = other
            .values
            .iter()
            .enumerate()
            .filter_map(|(place, value)| Some((Key::of(value)?, place)))
            .collect();
        let mut holders = vec![Vec::new(); other.values.len()];
        for (segment, found) in snapshot.segments().iter().zip(&other.holders) {
            for &(value, doc) in found {
                holders[value as usize].push(segment.base + doc);
            }
        }
        let matching: Vec<Option<usize>> = table
            .values
            .iter()
            .map(|value| places.get(&Key::of(value)?).copied())
            .collect();
        let mut of: HashMap<u32, Vec<u32>> = HashMap::new();
        for (segment, found) in from.snapshot.segments().iter().zip(&table.holders) {
            for &(value, doc) in found {
                if let Some(place) = matching[value as usize] {
                    let known = of.entry(segment.base + doc).or_default();
                    known.extend(&holders[place]);
                }
            }
        }
        Ok(Self { snapshot, of })
    }

    /// The first document of the other side that belongs to `doc`, where there is one and none of
    /// them has any of `latents` above `active_above`: the two differ in it.
    pub fn without(&self, doc: u32, latents: &[u32], active_above: f32) -> Option<u32> {
        let counterparts = self.of.get(&doc)?;
        let has = |doc: &u32| {
            let mut found = false;
            self.snapshot.for_each_latent(*doc, |entry| {
                found |= entry.activation > active_above && latents.contains(&entry.latent);
            });
            found
        };
        if counterparts.iter().any(has) {
            return None;
        }
        counterparts.first().copied()
    }
}
