//! The Rust client: a connection, the services' calls with their own types, and the streams read to
//! their end.
//!
//! Unary calls are those of the generated services ([`Client::searches`] and its neighbours). A
//! streaming call has a method here that reads the stream to its end, shows each message to a
//! callback and returns one result. Errors are [`tonic::Status`], with the details that the server
//! sent.
//!
//! ```no_run
//! use latentdb::client::Client;
//! use latentdb::client::v1::{CorrelateRequest, CountRequest};
//!
//! # async fn example() -> Result<(), tonic::Status> {
//! let client = Client::connect("127.0.0.1:7700").await?;
//! let request = CountRequest {
//!     collection: "news".to_owned(),
//!     filter: None,
//! };
//! let count = client.searches().count(request).await?.into_inner().count;
//! let request = CorrelateRequest {
//!     collection: "news".to_owned(),
//!     min_support: 20,
//!     ..CorrelateRequest::default()
//! };
//! let found = client.correlate(request, |_| ()).await?;
//! println!("{} of {count} documents, {} pairs", found.summary.documents, found.pairs.len());
//! # Ok(())
//! # }
//! ```

mod connection;
pub mod ingest;
mod json;
mod pairs;
mod streams;
mod transfers;
pub mod view;

pub(crate) use connection::innermost;
pub use connection::{Access, Bearer, Client, Link};
pub use json::ToJson;
pub(crate) use json::{single, timestamp};
/// The messages and services of the API.
pub use latentdb_proto::v1;
pub use streams::{
    Clusters, Comparison, Comparisons, Correlations, Duplicates, ExplainedTarget, Hypotheses,
    Matches, Part, Scoring, Trends,
};
