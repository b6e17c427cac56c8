//! LatentDB: a search database over the latents of sparse autoencoders.
//!
//! Data flows one way: `cli -> server -> service -> {encoder, sae, label} and index`. `records` reads
//! the files that a client ingests, `inputs` the pinned models and texts of the demo and the
//! defaults; `eval` measures rankings; `plot` and `report` make what `cli` writes;
//! `reading` is the record of what an SAE reads, which several of them share.

pub mod cli;
pub mod client;
pub mod coder;
pub mod encoder;
pub mod error;
pub mod eval;
pub mod inputs;
pub mod label;
pub mod plot;
pub mod reading;
pub mod records;
pub mod report;
pub mod sae;
pub mod whole_file;

pub mod server;
pub mod service;
