//! Documents of one set taken apart by an attribute, counted: what pairs are tested within.

use std::collections::HashMap;

use super::members::Members;
use super::partition::Partition;
use super::stratified::count_part;
use super::units::{Floor, UnitIndex};
use super::values::ValueTable;
use crate::error::Result;
use crate::progress::Progress;

/// How documents were taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strata {
    /// Strata.
    pub strata: u64,
    /// Documents without the attribute, which are left out.
    pub outside: u64,
}

/// Documents of a stratum: all, and those with each first and second of a pair.
pub(super) struct StratumCounts {
    pub documents: u64,
    pub i_counts: Vec<u32>,
    /// As `i_counts` where absent.
    pub j_counts: Option<Vec<u32>>,
}

/// Documents taken apart by the value of an attribute, counted.
pub(super) struct Stratified<'a> {
    /// The documents that have it.
    pub inside: Members<'a>,
    pub partition: Partition,
    pub counts: Vec<StratumCounts>,
}

impl<'a> Stratified<'a> {
    /// The strata of `attribute`, where one is asked for. `InvalidArgument` as [`Partition::strata`].
    pub fn of(
        members: &Members<'a>,
        attribute: Option<&str>,
        index: &UnitIndex,
        floor: Floor,
        progress: &Progress,
    ) -> Result<Option<Self>> {
        let Some(attribute) = attribute else {
            return Ok(None);
        };
        let partition = Partition::strata(&[members], attribute, "stratify_by")?;
        let mut counts = Vec::with_capacity(partition.parts);
        for (part, documents) in partition.sizes(0).into_iter().enumerate() {
            let placed = &partition.sets[0];
            counts.push(StratumCounts {
                documents,
                i_counts: count_part(members.snapshot, placed, part, index, floor, progress)?,
                j_counts: None,
            });
        }
        let without = &partition.without[0];
        let has_it = |at: usize, doc: u32| without[at].binary_search(&doc).is_err();
        Ok(Some(Self {
            inside: Members {
                snapshot: members.snapshot,
                set: members.set.retained(has_it),
            },
            partition,
            counts,
        }))
    }

    /// The counts with values of an attribute as the second of a pair.
    pub fn with_values(&self, table: &ValueTable) -> Vec<StratumCounts> {
        let mut crossed = vec![vec![0; table.values.len()]; self.partition.parts];
        for (placed, holders) in self.partition.sets[0].iter().zip(&table.holders) {
            let part_of: HashMap<u32, u32> =
                placed.iter().map(|&(part, doc)| (doc, part)).collect();
            for (value, doc) in holders {
                if let Some(&part) = part_of.get(doc) {
                    crossed[part as usize][*value as usize] += 1;
                }
            }
        }
        let strata = self.counts.iter().zip(crossed);
        let counts = strata.map(|(stratum, of_values)| StratumCounts {
            documents: stratum.documents,
            i_counts: stratum.i_counts.clone(),
            j_counts: Some(of_values),
        });
        counts.collect()
    }

    pub fn summary(&self) -> Strata {
        Strata {
            strata: self.counts.len() as u64,
            outside: self.partition.count_without(0),
        }
    }
}
