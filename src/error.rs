//! The project's one error type, defined by the engine.

pub use latentdb_index::error::{Error, ErrorKind, Result, Within, sentence};
