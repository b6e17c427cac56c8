//! What a facet counts.

use super::counts::LatentCount;
use super::statistics::AttributeStatistics;
use crate::document::Value;

/// The counts of a facet over a set of documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FacetCounts {
    /// The listed entries. A document with several values is in the entry of each.
    pub entries: Vec<FacetEntry>,
    /// Of [`FacetBy::Statistics`](super::FacetBy::Statistics); none where no document has a value.
    pub statistics: Option<AttributeStatistics>,
    /// Entries in all, listed or not: distinct values, latents, buckets.
    pub distinct: u64,
    /// Documents of the set.
    pub documents: u64,
    /// Documents of the set without the attribute, or without any active latent.
    pub missing: u64,
}

/// An entry of a facet.
#[derive(Clone, Debug, PartialEq)]
pub struct FacetEntry {
    /// What its documents have.
    pub key: FacetKey,
    /// Its documents.
    pub documents: u64,
    /// The facet inside, over its documents.
    pub then: Option<FacetCounts>,
}

/// What the documents of an entry have.
#[derive(Clone, Debug, PartialEq)]
pub enum FacetKey {
    /// A value. Numbers are one kind: 2 and 2.0 are one value, a float where the attribute has
    /// fractions.
    Value(Value),
    /// A value from `lower` up to below `upper`.
    Bucket {
        /// The lower bound.
        lower: Value,
        /// The upper bound.
        upper: Value,
    },
    /// An active latent.
    Latent {
        /// The latent.
        latent: u32,
        /// The mean of its activations over the documents.
        mean_activation: f32,
    },
}

impl FacetEntry {
    pub(super) fn new(key: FacetKey, documents: u64) -> Self {
        Self {
            key,
            documents,
            then: None,
        }
    }
}

impl From<LatentCount> for FacetEntry {
    fn from(count: LatentCount) -> Self {
        let key = FacetKey::Latent {
            latent: count.latent,
            mean_activation: count.mean_activation,
        };
        Self::new(key, count.count)
    }
}
