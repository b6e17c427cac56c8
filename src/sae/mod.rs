//! Sparse autoencoders over dense embeddings: what turns a vector into latents and back.
//!
//! One question per file: *what is an SAE and what does each architecture compute* (`model`), *how
//! are rows encoded* (`encode`, `topk`, `kernel`), *how is one stored* (`format`), *where does one
//! come from* (`train`), *how good is it* (`evaluate`; `fit` on vectors as they come; `sweep` over
//! sizes), *how does one come back in another* (`splitting`), *how is a vector moved along its
//! latents* (`steer`). The formulas are those of
//! *Disentangling Dense Embeddings with Sparse Autoencoders* (arXiv 2408.00657, "Paper B").
//!
//! Encoding is exact and reproducible: a row has one code, whatever the batch, the number of
//! threads or the vector width of the machine. See [`Sae::encode`].

mod codes;
mod encode;
pub mod evaluate;
mod fit;
pub mod format;
mod kernel;
mod model;
mod pool;
mod record;
pub mod splitting;
pub mod steer;
pub mod sweep;
mod topk;
pub mod train;

pub use codes::Codes;
pub use evaluate::{EvaluateOptions, Quality, evaluate, evaluate_source};
pub use fit::Fit;
pub use model::{Architecture, Normalisation, Sae, SaeParts};
pub use pool::{CodePool, Pooled};
pub use record::TrainingRecord;
pub use train::{
    RowSource, Sparsity, TrainConfig, TrainOptions, TrainProgress, TrainReport, Trained, train,
    train_source,
};
