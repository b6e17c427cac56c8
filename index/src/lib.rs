//! `latentdb-index`: the embeddable engine of LatentDB.

pub mod analysis;
pub mod catalog;
pub mod collection;
pub mod database;
pub mod document;
pub mod error;
pub mod filter;
pub mod progress;
pub mod query;
pub mod rank;
pub mod snapshot;

mod dense;
mod engine_error;
mod latent_positions;
mod latents;
mod schema;
mod segment_file;
