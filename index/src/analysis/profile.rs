//! What one latent goes with: how its activations are spread, the latents active in the same
//! documents, and the attribute values that its documents have more often than others.

use std::collections::HashMap;

use super::{attribute_facet, latent_counts};
use crate::document::Value;
use crate::error::Result;
use crate::filter::Filter;
use crate::snapshot::Snapshot;

/// Documents that a pair, or a value, has at least.
const SUPPORT: u64 = 5;
/// Standard errors by which a value's share stands above that of all documents.
const SIGNIFICANT: f64 = 3.0;

/// Counts over bins of equal width.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Where the first bin begins.
    pub lower: f32,
    /// Width of a bin; the last one includes its upper end.
    pub width: f32,
    /// One count per bin.
    pub counts: Vec<u64>,
}

/// A latent active in the same documents as another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoOccurrence {
    /// The latent.
    pub latent: u32,
    /// Normalised pointwise mutual information, -1 to 1.
    pub npmi: f64,
    /// Documents in which both are active.
    pub documents: u64,
}

/// An attribute value that a latent's documents have more often than all.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeLift {
    /// The attribute.
    pub name: String,
    /// The value: a string or a boolean.
    pub value: Value,
    /// Documents with the value in which the latent is active.
    pub documents: u64,
    /// Documents with the value.
    pub total: u64,
    /// Share of the latent's documents with the value, over the share of all documents.
    pub lift: f64,
}

/// The histogram of `values` in `bins` bins from the smallest to the largest; `None` without values.
///
/// ```
/// use latentdb_index::analysis::profile::histogram;
///
/// let found = histogram(&[1.0, 1.5, 2.0, 5.0], 4).unwrap();
/// assert_eq!((found.lower, found.width), (1.0, 1.0));
/// assert_eq!(found.counts, [2, 1, 0, 1]);
/// ```
pub fn histogram(values: &[f32], bins: usize) -> Option<Histogram> {
    let lower = values.iter().copied().min_by(f32::total_cmp)?;
    let upper = values.iter().copied().max_by(f32::total_cmp)?;
    let width = (upper - lower) / bins as f32;
    let mut counts = vec![0; bins];
    for value in values {
        // All values in the first bin where they are equal.
        let at = if width > 0.0 {
            ((value - lower) / width) as usize
        } else {
            0
        };
        counts[at.min(bins - 1)] += 1;
    }
    Some(Histogram {
        lower,
        width,
        counts,
    })
}

/// The `most` latents that are active in the documents of `latent` more often than chance, by
/// normalised pointwise mutual information; of pairs with at least 5 documents. Exact.
pub fn co_occurring(snapshot: &Snapshot, latent: u32, most: usize) -> Result<Vec<CoOccurrence>> {
    let all: HashMap<u32, u64> = latent_counts(snapshot, &Filter::All)?
        .iter()
        .map(|count| (count.latent, count.count))
        .collect();
    let own = all.get(&latent).copied().unwrap_or(0) as f64;
    let documents = snapshot.n_docs() as f64;
    let mut found: Vec<CoOccurrence> = latent_counts(snapshot, &Filter::latent(latent))?
        .into_iter()
        .filter(|count| count.latent != latent && count.count >= SUPPORT)
        .map(|count| {
            let both = count.count as f64 / documents;
            let other = all.get(&count.latent).copied().unwrap_or(0) as f64;
            let chance = own / documents * (other / documents);
            let npmi = if both < 1.0 {
                (both / chance).ln() / -both.ln()
            } else {
                // In every document both are: nothing is said by either.
                0.0
            };
            CoOccurrence {
                latent: count.latent,
                npmi,
                documents: count.count,
            }
        })
        .filter(|pair| pair.npmi > 0.0)
        .collect();
    found.sort_by(|a, b| b.npmi.total_cmp(&a.npmi).then(a.latent.cmp(&b.latent)));
    found.truncate(most);
    Ok(found)
}

/// The `most` string and boolean values that the documents of `latent` have most significantly more
/// often than all documents: at least 5 documents, and a share at least 3 standard errors above.
pub fn attribute_lifts(
    snapshot: &Snapshot,
    latent: u32,
    most: usize,
) -> Result<Vec<AttributeLift>> {
    let filter = Filter::latent(latent);
    let inside = snapshot.count(&filter)? as f64;
    let documents = snapshot.n_docs() as f64;
    let mut found: Vec<(f64, AttributeLift)> = Vec::new();
    for name in snapshot.attribute_kinds()?.into_keys() {
        let own = attribute_facet(snapshot, &filter, &name, usize::MAX)?;
        let own: Vec<_> = own
            .values
            .into_iter()
            .filter(|entry| entry.count >= SUPPORT)
            .filter(|entry| matches!(entry.value, Value::String(_) | Value::Boolean(_)))
            .collect();
        if own.is_empty() {
            continue;
        }
        let all = attribute_facet(snapshot, &Filter::All, &name, usize::MAX)?;
        for entry in own {
            let total = all.values.iter().find(|other| other.value == entry.value);
            let total = total.map_or(entry.count, |total| total.count);
            let expected = total as f64 / documents;
            let share = entry.count as f64 / inside;
            let error = (expected * (1.0 - expected) / inside).sqrt();
            let z = (share - expected) / error.max(1e-12);
            if expected < 1.0 && z >= SIGNIFICANT {
                found.push((
                    z,
                    AttributeLift {
                        name: name.clone(),
                        value: entry.value,
                        documents: entry.count,
                        total,
                        lift: share / expected,
                    },
                ));
            }
        }
    }
    // Stable: names ascend, and values within them.
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.truncate(most);
    Ok(found.into_iter().map(|(_, lift)| lift).collect())
}
