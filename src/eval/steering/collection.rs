//! What the evaluation asks of a collection.

use std::collections::BTreeSet;
use std::future::Future;

use crate::error::{Error, Result};

/// The collection that is searched.
pub trait Collection {
    /// Why a call failed.
    type Error: From<Error>;

    /// All latents of the collection.
    fn latents(&self) -> impl Future<Output = Result<Vec<Latent>, Self::Error>>;

    /// The vectors of texts under the collection's encoder, in their order.
    fn encode(
        &self,
        texts: Vec<String>,
    ) -> impl Future<Output = Result<Vec<Vec<f32>>, Self::Error>>;

    /// The latents active in a vector.
    fn active(&self, vector: &[f32]) -> impl Future<Output = Result<BTreeSet<u32>, Self::Error>>;

    /// The hits of each query, in their order, with texts if `texts`.
    fn search(
        &self,
        queries: &[Query],
        texts: bool,
    ) -> impl Future<Output = Result<Vec<Answer>, Self::Error>>;
}

/// A latent that may be steered.
#[derive(Clone, Debug, PartialEq)]
pub struct Latent {
    /// Its number.
    pub number: u32,
    /// Documents in which it is active.
    pub documents: u64,
    /// Its label.
    pub label: Option<String>,
    /// The label's score, if it was scored.
    pub score: Option<f32>,
    /// What tells in a document whether it shows the concept, other than the latent itself: the matched latent of
    /// another SAE, or the place of the attribute's value that goes with it. `None` where there is none.
    pub mark: Option<u32>,
}

/// The hits of one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Cosine of the query before and after the edits, if any.
    pub cosine: Option<f64>,
}

/// A document that was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hit {
    /// Its id.
    pub id: String,
    /// Its vector.
    pub vector: Vec<f32>,
    /// The marks of latents that it has.
    pub marks: BTreeSet<u32>,
    /// Its text, if asked for.
    pub text: String,
}

/// The nearest documents to a vector, exact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The vector before the edits.
    pub vector: Vec<f32>,
    /// What is done to its latents.
    pub edits: Vec<Edit>,
    /// Steps that make the edited vector's code agree with the edits.
    pub consistent_steps: u32,
    /// Latent that must be active in the hits.
    pub filter: Option<u32>,
}

/// A change of one latent of a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edit {
    /// The latent.
    pub latent: u32,
    /// Its change.
    pub change: Change,
}

/// How a latent is changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Step towards the latent's direction, relative to the query's length.
    Boost(f32),
    /// Added to the activation.
    Add(f32),
    /// The activation, in units of the latent's 90th percentile.
    SetP90(f32),
}
