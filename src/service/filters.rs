//! What the names in filters stand for: saved sets, families, other SAEs of the collection.

use std::cell::Cell;

use latentdb_index::catalog::{CollectionRecord, SetContent};
use latentdb_index::database::View;
use latentdb_index::filter::{Filter, Named};

use super::Service;
use super::latents::label_key;
use crate::error::{Error, ErrorKind, Result};

/// Most changes from one SAE to another in a filter, saved sets expanded: sets that name one
/// another through two SAEs would never end.
const MAX_CROSSINGS: usize = 64;

/// Finds what the names in one filter stand for.
pub(super) struct Names<'a> {
    service: &'a Service,
    /// The collection through the SAE that latents without further word are of.
    record: &'a CollectionRecord,
    /// Changes to another SAE that are left, for all of the filter.
    crossings: &'a Cell<usize>,
}

impl Names<'_> {
    /// What a name stands for.
    pub fn find(&self, named: Named<'_>) -> Result<Filter> {
        match named {
            Named::Family(root) => self.service.family_filter(self.record, root),
            Named::Through(sae, filter) => {
                let base = self.base()?;
                let space = match sae {
                    "" => 0,
                    name => base.space(name)?,
                };
                self.through(&base.through(space), space, filter)
            }
            Named::SavedSet(name) => self.saved_set(name),
        }
    }

    fn saved_set(&self, name: &str) -> Result<Filter> {
        let handle = self.service.database.collection(&self.record.name)?;
        let set = handle.saved_set(name)?;
        let filter = match set.content {
            SetContent::Filter(filter) => filter,
            SetContent::Frozen(ids) => return Ok(Filter::Frozen(ids.into())),
        };
        let Some(sae) = set.sae else {
            return Ok(filter);
        };
        if label_key(self.record)?.1 == sae {
            return Ok(filter);
        }
        let base = self.base()?;
        for space in 0..=base.beside.len() {
            let through = base.through(space);
            if label_key(&through)?.1 == sae {
                return self.through(&through, space, &filter);
            }
        }
        Err(Error::precondition(format!(
            "saved set {name:?} tests latents of the SAE {sae}, which is not attached to collection \
             {:?} any more: save the set anew",
            base.name
        )))
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

    fn through(&self, record: &CollectionRecord, space: usize, filter: &Filter) -> Result<Filter> {
        let left = self.crossings.get().checked_sub(1).ok_or_else(|| {
            Error::invalid(
                "",
                format!(
                    "changes from one SAE to another more than {MAX_CROSSINGS} times, saved sets \
                     included"
                ),
            )
        })?;
        self.crossings.set(left);
        let names = Names { record, ..*self };
        let filter = filter.resolve(record.n_latents, &|named| names.find(named))?;
        Ok(Filter::InSpace {
            space,
            filter: Box::new(filter),
        })
    }
}

impl Service {
    /// A filter with its names replaced, checked against the collection.
    pub(super) fn resolve_filter(&self, view: &View, filter: &Filter) -> Result<Filter> {
        self.resolve_set(view, filter, "filter")
    }

    /// As [`Self::resolve_filter`] for a filter in another field of the request.
    pub(super) fn resolve_set(&self, view: &View, filter: &Filter, field: &str) -> Result<Filter> {
        let record = &view.record;
        self.with_names(record, |names| {
            filter.resolve(record.n_latents, &|named| names.find(named))
        })
        .map_err(|error| error.within(field))
    }

    /// Resolves something that has filters in it.
    pub(super) fn with_names<T>(
        &self,
        record: &CollectionRecord,
        resolve: impl FnOnce(&Names<'_>) -> Result<T>,
    ) -> Result<T> {
        resolve(&Names {
            service: self,
            record,
            crossings: &Cell::new(MAX_CROSSINGS),
        })
    }
}
