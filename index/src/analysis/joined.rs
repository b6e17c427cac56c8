//! Two sets joined by an attribute: one row per value that both have, with the latents of either
//! side. A side has a latent when any of its documents with the value has it.

use std::collections::HashMap;

use super::members::Members;
use super::units::Floor;
use super::values::{ValueTable, extend_with_row};
use crate::error::{Error, Result};
use crate::value_key::Key;

/// Rows of latents, as ends into one list.
#[derive(Default)]
pub(crate) struct LatentRows {
    ends: Vec<usize>,
    latents: Vec<u32>,
}

impl LatentRows {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A row's latents, ascending.
    pub fn row(&self, at: usize) -> &[u32] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.latents[start..self.ends[at]]
    }

    fn push(&mut self, row: &mut Vec<u32>) {
        row.sort_unstable();
        row.dedup();
        self.latents.append(row);
        self.ends.push(self.latents.len());
    }
}

/// The rows of two sets that have a value in common.
pub(crate) struct Joined {
    pub a: LatentRows,
    pub b: LatentRows,
    /// Values that only one side has.
    pub unpaired: (u64, u64),
}

/// Joins two sets on `attribute`. `FailedPrecondition` when no value is on both sides.
pub(crate) fn join(a: &Members, b: &Members, attribute: &str, floor: Floor) -> Result<Joined> {
    let table_a = ValueTable::read(a.snapshot, &a.set, attribute)?;
    let table_b = ValueTable::read(b.snapshot, &b.set, attribute)?;
    let places: HashMap<Key, u32> = (0..)
        .zip(&table_b.values)
        .filter_map(|(place, value)| Some((Key::of(value)?, place)))
        .collect();
    let mut joined = Joined {
        a: LatentRows::default(),
        b: LatentRows::default(),
        unpaired: (0, 0),
    };
    let mut row = Vec::new();
    let mut gather = |side: &Members, table: &ValueTable, value: u32, rows: &mut LatentRows| {
        for (at, segment) in side.snapshot.segments().iter().enumerate() {
            for &(_, doc) in table.holders_of(at, value) {
                extend_with_row(segment, doc, floor, &mut row);
            }
        }
        rows.push(&mut row);
    };
    for (value_a, value) in (0..).zip(&table_a.values) {
        let Some(value_b) = Key::of(value).and_then(|key| places.get(&key)) else {
            joined.unpaired.0 += 1;
            continue;
        };
        gather(a, &table_a, value_a, &mut joined.a);
        gather(b, &table_b, *value_b, &mut joined.b);
    }
    let rows = joined.a.len() as u64;
    joined.unpaired.1 = table_b.values.len() as u64 - rows;
    if rows == 0 {
        return Err(Error::precondition(format!(
            "no value of {attribute:?} is in both sets ({} in the one, {} in the other), so there \
             is nothing to pair",
            joined.unpaired.0, joined.unpaired.1
        )));
    }
    Ok(joined)
}
