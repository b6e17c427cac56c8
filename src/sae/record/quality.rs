//! The quality of an SAE on some rows.

use serde::{Deserialize, Serialize};

/// Quality of an SAE on a set of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Number of rows measured; the window of `dead_share` and of the densities.
    pub rows: usize,
    /// Fraction of variance unexplained, `Σ‖x - x_hat‖² / Σ‖x - mean(x)‖²`, accumulated in f64.
    pub fvu: f64,
    /// Mean number of active latents per row.
    pub l0: f64,
    /// Share of latents that are active in none of the `rows` rows.
    pub dead_share: f64,
    /// Mean cosine of `x` and `x_hat`.
    pub cosine: f64,
    /// Histogram of latents by density, the share of rows in which a latent is active.
    pub density: Vec<DensityBin>,
    /// Cosine of each latent's encoder and decoder directions.
    pub encoder_decoder_cosine: Spread,
    /// Searches with `x_hat` against searches with `x`, where measured.
    pub recall: Option<Recall>,
}

/// Latents whose density is at least `from` and below the next bin's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DensityBin {
    /// The smallest share of rows of this bin.
    pub from: f64,
    /// Number of latents in it.
    pub latents: usize,
}

/// Mean and deciles of a figure over latents.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// A tenth of the latents are below this.
    pub p10: f64,
    /// Median.
    pub p50: f64,
    /// A tenth of the latents are above this.
    pub p90: f64,
}

/// How many of the `k` rows nearest to `x` are among the `k` nearest to `x_hat`, by cosine over
/// the original vectors, the row itself left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Number of queries.
    pub queries: usize,
    /// Number of rows searched.
    pub rows: usize,
    /// Nearest neighbours compared per query.
    pub k: usize,
    /// Mean recall over queries.
    pub recall: f64,
}
