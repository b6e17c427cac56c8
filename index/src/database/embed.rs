//! Writes and requests in one call each, for programs that embed the engine.

use super::{CollectionHandle, View};
use crate::collection::{Operation, Written};
use crate::error::Result;
use crate::filter::{Filter, ResolvedFilter, Resolver, Shape};
use crate::query::{Query, Ranking, execute};

impl CollectionHandle {
    /// Validates operations and applies them in order, all or none; returns when they are durable
    /// and visible. Blocks for the length of a commit.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field, as `operations[3].vector[7]`; `NotFound` where an update's
    /// document does not exist; `Unavailable` while the collection's SAEs change.
    pub fn apply(&self, operations: Vec<Operation>) -> Result<Written> {
        self.write(self.record().generation, operations, None, || {})
    }
}

impl View {
    /// The `limit` best hits of a query without names.
    pub fn search(&self, query: &Query, limit: usize) -> Result<Ranking> {
        execute(&query.resolve(self)?, &self.snapshot, limit)
    }

    /// A filter without names, resolved against the collection.
    pub fn resolve(&self, filter: &Filter) -> Result<ResolvedFilter> {
        filter.resolve(self)
    }
}

/// A view knows the shape of its collection and no names.
impl Resolver for View {
    fn shape(&self) -> Shape {
        Shape {
            dimension: self.record.dimension,
            n_latents: self.record.n_latents,
        }
    }
}
