//! The project's one type for progress and cancellation, defined by the engine.

pub use latentdb_index::{Progress, StopOnDrop};
