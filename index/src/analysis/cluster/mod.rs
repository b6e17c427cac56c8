//! Targeted clustering: documents grouped by the latents of one axis alone,
//! whatever else they are about.
//!
//! Each document becomes the set of the axis' latents that are active in it. The affinity of two
//! documents is the Jaccard index of their sets. The groups come from normalised spectral
//! clustering (Ng, Jordan and Weiss 2001): the leading eigenvectors of `D^-1/2 A D^-1/2`, rows
//! scaled to unit length, k-means on them. A tenth of the mean degree is spread over all pairs
//! first (Qin and Rohe 2013), since rare sets that share nothing with others would otherwise become
//! clusters of their own. Without a given number, the largest relative gap between eigenvalues
//! that are not faint decides it (von Luxburg 2007).
//!
//! Up to [`ClusterOptions::exact_up_to`] documents all pairs are compared. Beyond, a seeded sample
//! of landmarks is clustered so, and every other document takes the place that its affinities to
//! the landmarks give it (the Nyström extension of the eigenvectors; Bengio et al. 2004).
//!
//! | question | where |
//! |---|---|
//! | What can be asked, within which bounds? What comes back? | `options.rs`, `result.rs` |
//! | Which sets do documents stand for, how alike are two? | `incidence.rs` |
//! | What are the leading eigenvectors? | `spectral.rs` |
//! | Which points lie together? | `k_means.rs` |
//! | What sets a cluster apart, where is it drawn? | `describe.rs` |

mod describe;
mod incidence;
mod k_means;
mod options;
mod result;
mod spectral;

use rand::rngs::StdRng;
use rand::{SeedableRng, seq::index};
use rayon::prelude::*;

use crate::error::Result;
use crate::filter::ResolvedFilter;
use crate::progress::Progress;
use crate::snapshot::Snapshot;
use describe::{Placed, describe};
use incidence::{Incidence, Landmarks};
use k_means::KMeans;
use spectral::{Embedding, Spectrum};

pub use options::{ClusterOptions, MAX_CLUSTERS, MAX_EXACT};
pub use result::{Cluster, Clustering, Distinctive, Member};

/// Maximum clusters that the eigengap chooses.
const MAX_CHOSEN: usize = 10;
/// Eigenvalues below this say nothing of clusters: ties between documents as weak as those that are
/// spread over all pairs.
const FAINT: f64 = spectral::SPREAD;
/// Documents that are placed between two looks at whether to stop.
const CHUNK: usize = 512;

/// Clusters the documents a filter describes by the latents of `axis` (distinct,
/// ascending). The same snapshot, axis and options give the same answer on the same machine.
///
/// # Errors
/// `InvalidArgument` naming the option that is out of bounds, `Cancelled` when `progress` was
/// stopped.
pub fn cluster(
    snapshot: &Snapshot,
    filter: &ResolvedFilter,
    axis: &[u32],
    options: &ClusterOptions,
    progress: &Progress,
) -> Result<Clustering> {
    options.check(axis)?;
    let docs = snapshot.documents_matching(filter)?;
    let (covered, uncovered, incidence) = Incidence::read(snapshot, &docs, axis);
    let mut clustering = Clustering {
        uncovered,
        ..Clustering::default()
    };
    if covered.is_empty() {
        return Ok(clustering);
    }
    let mut random = StdRng::seed_from_u64(options.seed);
    let all = incidence.len();
    let sample: Vec<usize> = if all <= options.exact_up_to {
        (0..all).collect()
    } else {
        let mut drawn = index::sample(&mut random, all, options.landmarks.min(all)).into_vec();
        drawn.sort_unstable();
        clustering.landmarks = Some(drawn.len());
        drawn
    };
    let landmarks = Landmarks::new(&incidence, &sample);
    let wanted = options.clusters.unwrap_or(MAX_CHOSEN) + 1;
    let spectrum = Spectrum::of(
        &landmarks,
        wanted.max(MAX_CHOSEN + 1),
        &mut random,
        progress,
    )?;
    let k = options
        .clusters
        .unwrap_or_else(|| eigengap(spectrum.values()))
        .min(spectrum.rank());
    let embedding = spectrum.embed(k);
    let found = KMeans::fit(
        embedding.sample(),
        embedding.width(),
        k,
        &mut random,
        progress,
    )?;
    let placed = place_all(&incidence, &landmarks, &embedding, &found, progress)?;
    clustering.eigenvalues = spectrum.values().to_vec();
    describe(
        &mut clustering,
        &placed,
        &covered,
        &incidence,
        axis,
        options,
    );
    Ok(clustering)
}

/// Every row's place; `None` for one that shares nothing with any landmark.
fn place_all(
    incidence: &Incidence,
    landmarks: &Landmarks,
    embedding: &Embedding,
    found: &KMeans,
    progress: &Progress,
) -> Result<Vec<Option<Placed>>> {
    progress.announce(incidence.len() as u64)?;
    let sizes = found.sizes();
    let rows: Vec<usize> = (0..incidence.len()).collect();
    let placed: Vec<Vec<Option<Placed>>> = rows
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut affinities = landmarks.buffer();
            let mut point = vec![0.0; embedding.width()];
            let places = chunk
                .iter()
                .map(|&row| {
                    landmarks.affinities(incidence.row(row), &mut affinities);
                    let itself = landmarks.place_of(row);
                    let position = match itself {
                        Some(at) => {
                            point.copy_from_slice(embedding.of(at));
                            embedding.position_of(at)
                        }
                        None if affinities.is_empty() => return None,
                        None => embedding.extend(&affinities, &mut point),
                    };
                    let cluster = match itself {
                        Some(at) => found.labels()[at],
                        None => found.nearest(&point),
                    };
                    let alike = affinities.iter();
                    let sum: f64 = alike
                        .filter(|(at, _)| found.labels()[*at] == cluster && itself != Some(*at))
                        .map(|(_, affinity)| affinity)
                        .sum();
                    let others = sizes[cluster] - usize::from(itself.is_some());
                    Some(Placed {
                        cluster,
                        affinity: sum / others.max(1) as f64,
                        position,
                    })
                })
                .collect();
            progress.advance(chunk.len() as u64)?;
            Ok(places)
        })
        .collect::<Result<_>>()?;
    Ok(placed.into_iter().flatten().collect())
}

/// The number of clusters after which the eigenvalues fall by the largest share (the eigengap of von
/// Luxburg 2007, section 8.3), 2 to [`MAX_CHOSEN`]; 1 where only one is above 0. Eigenvalues below
/// [`FAINT`] count as that: between two that are nearly 0 the share is large and means nothing.
fn eigengap(values: &[f64]) -> usize {
    let clear = |at: usize| values.get(at).copied().unwrap_or(0.0).max(FAINT);
    let fall = |k: usize| 1.0 - clear(k) / clear(k - 1);
    let rank = values
        .iter()
        .filter(|value| **value > spectral::NOTHING)
        .count();
    let mut best = 1;
    for k in 2..=rank.min(MAX_CHOSEN) {
        if best == 1 || fall(k) > fall(best) + 1e-9 {
            best = k;
        }
    }
    best
}

#[cfg(test)]
mod tests;
