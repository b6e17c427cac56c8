//! Threads that leave the processor to what people wait for, defined by the engine.

pub use latentdb_index::{give_way, gives_way};
