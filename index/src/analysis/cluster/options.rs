//! How documents are clustered, and the bounds of that.

use crate::error::{Error, Result};

/// Maximum clusters.
pub const MAX_CLUSTERS: usize = 100;
/// Maximum documents of which all pairs are compared: their matrix takes 512 MB.
pub const MAX_EXACT: usize = 8_000;

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

impl ClusterOptions {
    /// `InvalidArgument` naming what is out of bounds; `axis` must be distinct and ascending.
    pub(super) fn check(&self, axis: &[u32]) -> Result<()> {
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
        match self {
            Self {
                clusters: Some(clusters),
                ..
            } if !(1..=MAX_CLUSTERS).contains(clusters) => {
                wrong("clusters", *clusters, 1, MAX_CLUSTERS)
            }
            Self { exact_up_to, .. } if *exact_up_to > MAX_EXACT => {
                wrong("exact_up_to", *exact_up_to, 0, MAX_EXACT)
            }
            Self { landmarks, .. } if !(2..=MAX_EXACT).contains(landmarks) => {
                wrong("landmarks", *landmarks, 2, MAX_EXACT)
            }
            _ => Ok(()),
        }
    }
}
