//! Writes and requests in one call each, for programs that embed the engine.

use super::entry::{CollectionHandle, View};
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
            n_latents: self.record.saes.first().map(|sae| sae.n_latents),
            analyzer: self.snapshot.analyzer(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::document::{Activation, Document};
    use crate::error::ErrorKind;
    use crate::filter::parse;
    use crate::{AttachedSae, Database, NewCollection, Operation, Update};

    #[test]
    fn an_invalid_write_is_refused_with_its_field() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let collection = database
            .create(NewCollection {
                name: "c".into(),
                dimension: Some(2),
                saes: vec![AttachedSae::of_clients(4)],
                ..NewCollection::default()
            })
            .unwrap();
        let mut document = Document::new("a");
        let upsert = |document: &Document| Operation::Upsert(Box::new(document.clone()));
        document.codes_mut(0).latents = vec![Activation {
            latent: 4,
            activation: 1.0,
        }];
        let error = collection.apply(vec![upsert(&document)]).unwrap_err();
        assert_eq!(error.field(), Some("operations[0].latents[0].latent"));
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        document.codes_mut(0).latents[0].latent = 3;
        let update = Update {
            id: "a".into(),
            vector: Some(vec![1.0]),
            ..Update::default()
        };
        let both = vec![upsert(&document), Operation::Update(Box::new(update))];
        let error = collection.apply(both).unwrap_err();
        assert_eq!(error.field(), Some("operations[1].vector"));
        assert_eq!(collection.view().unwrap().snapshot.n_docs(), 0);
        collection.apply(vec![upsert(&document)]).unwrap();

        let view = collection.view().unwrap();
        let active = view.resolve(&parse("latent(3)").unwrap()).unwrap();
        assert_eq!(view.snapshot.count(&active).unwrap(), 1);
        let error = view.resolve(&parse("set('x')").unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = view.resolve(&parse("latent(4)").unwrap()).unwrap_err();
        assert_eq!(error.field(), Some("latent"));
    }
}
