//! Ranking: bounded top-k and the fusion of several rankings, as pure functions.

mod fusion;
mod top_k;

pub use fusion::{FusedHit, FusedPart, Fusion, Scale, fuse};
pub use top_k::{ScoredDoc, TopK};
