//! LatentDB: a search database over the latents of sparse autoencoders.
//!
//! Data flows one way: `cli -> client -> server -> service -> {encoder, sae, label} and index`. `records` reads
//! the files that a client ingests, `inputs` the pinned models and texts of the demo and the
//! defaults; `eval` measures rankings; `plot` and `report` draw and lay out what `cli` writes;
//! `reading` is the record of what an SAE reads, which several of them share; `error`, `hex`,
//! `instructions`, `keys`, `measures`, `progress`, `telemetry`, `tokens`, `vectors` and `whole_file` stand below all; `verify` checks a data
//! directory that no server has open.

pub mod cli;
pub mod client;
pub mod coder;
pub mod encoder;
pub mod error;
pub mod eval;
pub mod guide;
pub mod hex;
pub mod inputs;
mod instructions;
pub mod keys;
pub mod label;
mod measures;
mod npy;
pub mod plot;
pub mod priority;
pub mod progress;
pub mod reading;
pub mod records;
pub mod report;
pub mod sae;
mod stamp;
pub mod telemetry;
pub mod tokens;
pub mod vectors;
pub mod verify;
pub mod whole_file;

pub mod server;
pub mod service;
