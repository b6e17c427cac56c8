//! What the names in filters stand for: saved sets, families, other SAEs of the collection.

use std::collections::BTreeMap;

use latentdb_index::filter::{Name, Nesting, Referent, Resolver, Shape};
use latentdb_index::{CollectionRecord, Filter, ResolvedFilter, SetContent, View};

use super::Service;
use super::latents::label_key;
use crate::error::{Error, ErrorKind, Result, Within as _};

/// What requests of a collection are resolved against.
pub(super) struct Names<'a> {
    service: &'a Service,
    /// The collection through the SAE that latents without further word are of.
    record: &'a CollectionRecord,
}

impl Resolver for Names<'_> {
    fn shape(&self) -> Shape {
        Shape {
            dimension: self.record.dimension,
            n_latents: self.record.n_latents,
        }
    }

    fn look_up(&self, name: &Name, nesting: &Nesting) -> Result<ResolvedFilter> {
        match name {
            Name::Family(root) => self.service.family_filter(self.record, *root),
            Name::Through { sae, filter } => {
                let base = self.base()?;
                let space = place(&base, sae)?;
                self.through(&base.through(space), space, filter, nesting)
            }
            Name::SavedSet(name) => self.saved_set(name, nesting),
        }
    }
}

impl Names<'_> {
    fn saved_set(&self, name: &str, nesting: &Nesting) -> Result<ResolvedFilter> {
        let handle = self.service.database.collection(&self.record.name)?;
        let set = handle.saved_set(name)?;
        let filter = match set.content {
            SetContent::Filter(filter) => filter,
            SetContent::Frozen(ids) => return Ok(Filter::Named(Referent::Ids(ids.into()))),
        };
        if !set.saes.is_empty() {
            self.check_named(name, &set.saes)?;
        }
        let Some(sae) = set.sae else {
            return filter.resolve_within(self, nesting);
        };
        if label_key(self.record)?.1 == sae {
            return filter.resolve_within(self, nesting);
        }
        let base = self.base()?;
        for space in 0..=base.beside.len() {
            let through = base.through(space);
            if label_key(&through)?.1 == sae {
                return self.through(&through, space, &filter, nesting);
            }
        }
        Err(Error::precondition(format!(
            "saved set {name:?} tests latents of the SAE {sae}, which is not attached to collection \
             {:?} any more: save the set anew",
            base.name
        )))
    }

    /// Refuses a saved set once a name in it is another SAE's.
    fn check_named(&self, set: &str, saes: &BTreeMap<String, String>) -> Result<()> {
        let base = self.base()?;
        for (name, sae) in saes {
            let now = label_key(&base.through(place(&base, name)?))?.1;
            if now != *sae {
                let name = if name.is_empty() {
                    "the first SAE".to_owned()
                } else {
                    format!("the SAE {name:?}")
                };
                return Err(Error::precondition(format!(
                    "saved set {set:?} tests latents of {name} of collection {:?} as it was when \
                     the set was saved ({sae}); that is another SAE now: save the set anew",
                    base.name
                )));
            }
        }
        Ok(())
    }

    /// The record through the collection's first SAE.
    fn base(&self) -> Result<CollectionRecord> {
        let name = &self.record.name;
        let base = name.split_once(':').map_or(name.as_str(), |(base, _)| base);
        let base = self.service.database.collection(base)?.record();
        if base.generation != self.record.generation {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the collection's SAEs were changed meanwhile; ask again",
            ));
        }
        Ok(base)
    }

    fn through(
        &self,
        record: &CollectionRecord,
        space: usize,
        filter: &Filter,
        nesting: &Nesting,
    ) -> Result<ResolvedFilter> {
        let filter = filter.resolve_within(&Names { record, ..*self }, nesting)?;
        Ok(Filter::Named(Referent::InSpace {
            space,
            filter: Box::new(filter),
        }))
    }
}

/// The place of an SAE by its name in filters.
fn place(base: &CollectionRecord, sae: &str) -> Result<usize> {
    match sae {
        "" => Ok(0),
        name => base.space(name),
    }
}

impl Service {
    /// The hashes of the SAEs that a filter names, by their names.
    pub(super) fn named_saes(
        &self,
        collection: &str,
        filter: &Filter,
    ) -> Result<BTreeMap<String, String>> {
        let base = collection
            .split_once(':')
            .map_or(collection, |(base, _)| base);
        let record = self.database.collection(base)?.record();
        filter
            .saes()
            .into_iter()
            .map(|name| {
                let through = record.through(place(&record, name)?);
                Ok((name.to_owned(), label_key(&through)?.1))
            })
            .collect()
    }

    /// A filter resolved against the collection.
    pub(super) fn resolve_filter(&self, view: &View, filter: &Filter) -> Result<ResolvedFilter> {
        self.resolve_set(view, filter, "filter")
    }

    /// As [`Self::resolve_filter`] for a filter in another field of the request.
    pub(super) fn resolve_set(
        &self,
        view: &View,
        filter: &Filter,
        field: &str,
    ) -> Result<ResolvedFilter> {
        filter.resolve(&self.names(&view.record)).within(field)
    }

    /// What requests are resolved against that read a collection with this record.
    pub(super) fn names<'a>(&'a self, record: &'a CollectionRecord) -> Names<'a> {
        Names {
            service: self,
            record,
        }
    }
}
