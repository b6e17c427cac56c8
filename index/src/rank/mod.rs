//! Ranking: bounded top-k and the fusion of several rankings, as pure functions.

mod fusion;
mod top_k;

pub(crate) use fusion::fuse;
pub use fusion::{Fusion, Scale};
pub use top_k::{ScoredDoc, TopK};
