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
//! | Which sets do documents stand for, how alike are two? | `incidence.rs` |
//! | What are the leading eigenvectors? | `spectral.rs` |
//! | Which points lie together? | `k_means.rs` |
//! | What sets a cluster apart, where is it drawn? | `describe.rs` |

mod describe;
mod incidence;
mod k_means;
mod spectral;

use rand::rngs::StdRng;
use rand::{SeedableRng, seq::index};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::filter::ResolvedFilter;
use crate::progress::Progress;
use crate::snapshot::Snapshot;
use incidence::{Incidence, Landmarks};
use k_means::KMeans;
use spectral::{Embedding, Spectrum};

/// Maximum clusters that are made.
pub const MAX_CLUSTERS: usize = 100;
/// Maximum documents of which all pairs are compared: their matrix takes 512 MB.
pub const MAX_EXACT: usize = 8_000;
/// Maximum clusters that the eigengap chooses.
const MAX_CHOSEN: usize = 10;
/// Eigenvalues below this say nothing of clusters: ties between documents as weak as those that are
/// spread over all pairs.
const FAINT: f64 = spectral::SPREAD;
/// Documents that are placed between two looks at whether to stop.
const CHUNK: usize = 512;

/// How documents are clustered.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// How many clusters, 1 to [`MAX_CLUSTERS`]; by the eigengap where absent.
    pub clusters: Option<usize>,
    /// Decides everything random: landmarks, the solver's start, the starts of k-means.
    pub seed: u64,
    /// Up to this many documents all pairs are compared; at most [`MAX_EXACT`].
    pub exact_up_to: usize,
    /// Documents that stand for the others beyond that; 2 to [`MAX_EXACT`].
    pub landmarks: usize,
    /// Over-active and under-active latents listed per cluster, each.
    pub distinctive: usize,
    /// Documents listed per cluster.
    pub representatives: usize,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            clusters: None,
            seed: 0,
            exact_up_to: 5_000,
            landmarks: 2_000,
            distinctive: 10,
            representatives: 5,
        }
    }
}

/// Documents in groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clustering {
    /// The groups, largest first. Fewer than asked where there are fewer distinct sets of latents.
    pub clusters: Vec<Cluster>,
    /// The documents in them, ascending.
    pub members: Vec<Member>,
    /// Documents in which no latent of the axis is active, ascending.
    pub uncovered: Vec<u32>,
    /// Documents that share no latent of the axis with any landmark, ascending; none where all
    /// pairs are compared.
    pub unreached: Vec<u32>,
    /// Leading eigenvalues of the normalised affinity, descending.
    pub eigenvalues: Vec<f64>,
    /// How many landmarks stood for all; `None` where all pairs were compared.
    pub landmarks: Option<usize>,
}

/// A document of a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// Its number in the snapshot.
    pub doc: u32,
    /// Its cluster, a place in [`Clustering::clusters`].
    pub cluster: usize,
    /// Its mean affinity to the other members, or to the landmarks among them; 0 without any.
    pub affinity: f64,
    /// Where it is drawn: principal components of the spectral embedding.
    pub position: [f64; 2],
}

/// A group of documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Documents in it.
    pub size: usize,
    /// Mean of its members' affinities.
    pub affinity: f64,
    /// Latents of the axis that are active in more of its documents than in the others, the
    /// largest difference first.
    pub over: Vec<Distinctive>,
    /// Those active in fewer, the largest difference first.
    pub under: Vec<Distinctive>,
    /// Documents with the highest affinity.
    pub documents: Vec<u32>,
}

/// How much more or less often a latent is active in a cluster than in the other clusters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distinctive {
    /// The latent.
    pub latent: u32,
    /// Documents of the cluster in which it is active.
    pub count: u64,
    /// The same as a share of the cluster.
    pub inside: f64,
    /// Its share in the documents of the other clusters; 0 where there are none.
    pub outside: f64,
}

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
    check(axis, options)?;
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
    describe::describe(
        &mut clustering,
        &placed,
        &covered,
        &incidence,
        axis,
        options,
    );
    Ok(clustering)
}

/// A document in its cluster, as numbered by k-means.
struct Placed {
    cluster: usize,
    affinity: f64,
    position: [f64; 2],
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

fn check(axis: &[u32], options: &ClusterOptions) -> Result<()> {
    let wrong = |field: &str, found: usize, low: usize, high: usize| {
        let message = format!("is {found}; {low} to {high} is accepted");
        Err(Error::invalid(field, message))
    };
    if axis.is_empty() {
        return Err(Error::invalid(
            "axis",
            "has no latents; one or more are accepted",
        ));
    }
    if axis.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Error::invalid("axis", "has latents that do not ascend"));
    }
    match options {
        ClusterOptions {
            clusters: Some(clusters),
            ..
        } if !(1..=MAX_CLUSTERS).contains(clusters) => {
            wrong("clusters", *clusters, 1, MAX_CLUSTERS)
        }
        ClusterOptions { exact_up_to, .. } if *exact_up_to > MAX_EXACT => {
            wrong("exact_up_to", *exact_up_to, 0, MAX_EXACT)
        }
        ClusterOptions { landmarks, .. } if !(2..=MAX_EXACT).contains(landmarks) => {
            wrong("landmarks", *landmarks, 2, MAX_EXACT)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
