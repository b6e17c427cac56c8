//! The analyses against naive recounts over random collections of several segments, with replaced
//! and deleted documents.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod corpus;
mod designs;
mod diffs;
mod explained;
mod pairs;
mod similar;
mod time;
