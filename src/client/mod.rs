//! The Rust client.

pub mod ingest;
