//! Sparse autoencoders over dense embeddings: what turns a vector into latents and back.
//!
//! One question per file: *what is an SAE and what does each architecture compute* (`parts`,
//! `normalisation`, `model`, `weights`), *how are rows encoded* (`encode`, `topk`, `kernel`), *how is
//! one stored* (`format`), *where does one come from* (`record`, `train`), *how good is it*
//! (`evaluate`; `fit` on vectors as they come; `sweep` over sizes), *how does one come back in
//! another* (`splitting`), *which come back from another seed* (`recurrence`), *how is a vector moved along its latents* (`steer`). The formulas are those
//! of *Disentangling Dense Embeddings with Sparse Autoencoders* (O'Neill et al. 2024, arXiv
//! 2408.00657).
//!
//! **Architecture Invariant:** the model knows tensors only; `format`, `train` and `evaluate` know
//! the model, never the other way round.
//!
//! Encoding is exact and reproducible: a row has one code, whatever the batch, the number of
//! threads or the vector width of the machine. See [`Sae::encode`].

mod codes;
mod encode;
mod evaluate;
mod fit;
pub mod format;
mod kernel;
mod model;
mod normalisation;
mod parts;
mod pool;
mod record;
mod recurrence;
mod rows;
pub mod splitting;
pub mod steer;
pub mod sweep;
mod topk;
pub mod train;
mod weights;

pub use codes::Codes;
pub use evaluate::{EvaluateOptions, evaluate, evaluate_source};
pub use fit::Fit;
pub use model::Sae;
pub use normalisation::Normalisation;
pub use parts::{Architecture, SaeParts};
pub use pool::{CodePool, Pooled};
pub use record::{
    CurvePoint, DensityBin, Objective, Quality, RECURRING, Recall, Recurrence, Sparsity, Spread,
    TrainConfig, TrainOptions, TrainReport, TrainingRecord,
};
pub use recurrence::recurrence;
pub use rows::{InMemory, RowSource, slices};
pub use train::{MAX_SEEDS, TrainProgress, Trained, train, train_seeds, train_source};
