//! End-to-end tests through a Rust gRPC client, against a server in this process on a free port.
//!
//! The thorough ones are in `tests/python`; these hold that the Rust client works too, that a
//! server is a function of a listener, a data directory and a shutdown signal, and that an error
//! keeps its details on the way.

#![allow(clippy::unwrap_used, reason = "tests may")]

#[path = "grpc/client.rs"]
mod client;
#[path = "grpc/concepts.rs"]
mod concepts;
#[path = "grpc/conditional.rs"]
mod conditional;
#[path = "grpc/corpus.rs"]
mod corpus;
#[path = "grpc/damage.rs"]
mod damage;
#[path = "grpc/documents.rs"]
mod documents;
#[path = "grpc/errors.rs"]
mod errors;
#[path = "grpc/fit.rs"]
mod fit;
#[path = "grpc/ingest.rs"]
mod ingest;
#[path = "grpc/limits.rs"]
mod limits;
#[path = "grpc/running.rs"]
mod running;
#[path = "grpc/saes.rs"]
mod saes;
#[path = "grpc/search.rs"]
mod search;
#[path = "grpc/standard.rs"]
mod standard;
#[path = "grpc/train.rs"]
mod train;
#[path = "grpc/transfer.rs"]
mod transfer;
#[path = "grpc/upload.rs"]
mod upload;
