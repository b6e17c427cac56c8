//! Documents of one or two sets apart by the value of an attribute: strata and clusters.

use std::collections::BTreeMap;

use super::members::Members;
use super::values::ValueTable;
use crate::document::Value;
use crate::error::{Error, Result};
use crate::value_key::Key;

/// The word that stands for the length of a document's text, where no attribute has that name.
pub const LENGTH: &str = "length";
/// Maximum strata of an analysis.
const MAX_STRATA: usize = 1000;
/// Numbers of more distinct values than this become so many strata of about equal size.
const DECILES: usize = 10;

/// A document of a set: its part, and its number in its segment.
pub(super) type Placed = (u32, u32);

/// The documents of sets, apart by a value that each has once.
pub(super) struct Partition {
    /// The parts are numbered from 0, in the order of their values.
    pub parts: usize,
    /// For each set, for each segment, its documents by part, ascending.
    pub sets: Vec<Vec<Vec<Placed>>>,
    /// For each set, the documents without a value, by segment.
    pub without: Vec<Vec<Vec<u32>>>,
}

impl Partition {
    /// Parts `sets` by the values of `attribute`; errors name `field`.
    ///
    /// # Errors
    /// `InvalidArgument` where fewer than half of a set's documents have the attribute, or one has
    /// several values of it.
    pub fn new(sets: &[&Members], attribute: &str, field: &str) -> Result<Self> {
        Ok(Self::with_values(sets, attribute, field)?.0)
    }

    /// As [`Self::new`] with numbers and timestamps of more than ten values by deciles of all
    /// documents.
    ///
    /// # Errors
    /// As [`Self::new`], and where there are too many values.
    pub fn strata(sets: &[&Members], attribute: &str, field: &str) -> Result<Self> {
        let (mut partition, values) = Self::with_values(sets, attribute, field)?;
        let is_number = |key: &Key| matches!(key, Key::Number { .. } | Key::Timestamp(_));
        if values.len() > DECILES && values.iter().all(is_number) {
            let deciles = partition.deciles();
            for (part, _) in partition.sets.iter_mut().flatten().flatten() {
                *part = deciles[*part as usize];
            }
            partition.parts = deciles.last().map_or(0, |last| *last as usize + 1);
        }
        if partition.parts > MAX_STRATA {
            return Err(Error::invalid(
                field,
                format!(
                    "names {attribute:?}, which has {} distinct values; at most {MAX_STRATA} strata \
                     are accepted: name a coarser attribute, or a number, which is cut at deciles",
                    partition.parts
                ),
            ));
        }
        Ok(partition)
    }

    fn with_values(sets: &[&Members], attribute: &str, field: &str) -> Result<(Self, Vec<Key>)> {
        let tables = sets.iter().map(|members| read(members, attribute));
        let tables: Vec<ValueTable> = tables.collect::<Result<_>>()?;
        let mut parts: BTreeMap<Key, u32> = BTreeMap::new();
        let keys = tables.iter().flat_map(|table| &table.values);
        parts.extend(keys.filter_map(Key::of).map(|key| (key, 0)));
        for (number, part) in (0..).zip(parts.values_mut()) {
            *part = number;
        }
        let mut partition = Self {
            parts: parts.len(),
            sets: Vec::with_capacity(sets.len()),
            without: Vec::with_capacity(sets.len()),
        };
        for (members, table) in sets.iter().zip(tables) {
            let part_of = |value: &Value| Key::of(value).and_then(|key| parts.get(&key).copied());
            let part_of: Vec<u32> = table.values.iter().filter_map(part_of).collect();
            let mut placed = table.holders;
            for (part, _) in placed.iter_mut().flatten() {
                *part = part_of[*part as usize];
            }
            let without = without(members, &placed);
            check(members, &placed, &without, attribute, field)?;
            partition.sets.push(placed);
            partition.without.push(without);
        }
        Ok((partition, parts.into_keys().collect()))
    }

    /// The decile of each part: the tenth of the documents, in the order of their values, in which
    /// its first one lies. Numbered without gaps, where one value fills several tenths.
    fn deciles(&self) -> Vec<u32> {
        let mut sizes = vec![0_usize; self.parts];
        for (part, _) in self.sets.iter().flatten().flatten() {
            sizes[*part as usize] += 1;
        }
        let all = sizes.iter().sum::<usize>().max(1);
        let (mut before, mut last, mut number) = (0, 0, 0);
        let numbered = sizes.iter().map(|size| {
            let decile = before * DECILES / all;
            before += size;
            number += u32::from(decile != last);
            last = decile;
            number
        });
        numbered.collect()
    }

    /// Documents of each part of a set.
    pub fn sizes(&self, set: usize) -> Vec<u64> {
        let mut sizes = vec![0; self.parts];
        for (part, _) in self.sets[set].iter().flatten() {
            sizes[*part as usize] += 1;
        }
        sizes
    }

    /// Documents of a set without a value.
    pub fn count_without(&self, set: usize) -> u64 {
        self.without[set].iter().map(|docs| docs.len() as u64).sum()
    }
}

/// The values of an attribute, or lengths.
pub(super) fn read(members: &Members, attribute: &str) -> Result<ValueTable> {
    let table = ValueTable::read(members.snapshot, &members.set, attribute)?;
    if attribute == LENGTH && table.values.is_empty() {
        return ValueTable::lengths(members.snapshot, &members.set);
    }
    Ok(table)
}

fn without(members: &Members, placed: &[Vec<Placed>]) -> Vec<Vec<u32>> {
    let sets = members.set.segments().iter();
    sets.zip(placed)
        .map(|(set, placed)| {
            let mut having: Vec<u32> = placed.iter().map(|(_, doc)| *doc).collect();
            having.sort_unstable();
            let docs = set.iter();
            docs.filter(|doc| having.binary_search(doc).is_err())
                .collect()
        })
        .collect()
}

fn check(
    members: &Members,
    placed: &[Vec<Placed>],
    without: &[Vec<u32>],
    attribute: &str,
    field: &str,
) -> Result<()> {
    let missing: usize = without.iter().map(Vec::len).sum();
    let having = members.documents() - missing as u64;
    let entries: usize = placed.iter().map(Vec::len).sum();
    if entries as u64 > having {
        return Err(Error::invalid(
            field,
            format!(
                "names {attribute:?}, of which some documents have several values; name an attribute \
                 that each document has once"
            ),
        ));
    }
    if having * 2 < members.documents() {
        let what = match attribute {
            LENGTH => "only documents with a text have a length; name an attribute that holds it",
            _ => "name an attribute that most documents have, or narrow the sets to those with it",
        };
        return Err(Error::invalid(
            field,
            format!(
                "names {attribute:?}, which {having} of the {} documents of a set have; {what}",
                members.documents()
            ),
        ));
    }
    Ok(())
}
