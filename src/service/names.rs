//! What the names in filters stand for: saved sets, families, other SAEs of the collection.

use std::collections::BTreeMap;

use latentdb_index::filter::{AttributeTest, Name, Nesting, Referent, Resolver, Shape};
use latentdb_index::{Filter, ResolvedFilter, SetContent};

use super::core::View;
use super::families::family_filter;
use crate::error::{Error, Result, Within as _};

impl Resolver for View {
    fn shape(&self) -> Shape {
        Shape {
            dimension: self.spec.record.dimension,
            n_latents: self.n_latents(),
            analyzer: self.snapshot.analyzer(),
        }
    }

    fn consider(&self, name: &str, test: &AttributeTest) -> Result<()> {
        if let Some(doubt) = self.snapshot.doubt(name, test)? {
            self.doubt(doubt);
        }
        Ok(())
    }

    fn look_up(&self, name: &Name, nesting: &Nesting) -> Result<ResolvedFilter> {
        match name {
            Name::Family(root) => family_filter(self, *root),
            Name::Through { sae, filter } => {
                let place = self.spec.record.place_of(sae)?;
                in_space(self, place, filter, nesting)
            }
            Name::SavedSet(name) => saved_set(self, name, nesting),
        }
    }
}

fn saved_set(view: &View, name: &str, nesting: &Nesting) -> Result<ResolvedFilter> {
    let set = view.handle.saved_set(name)?;
    let filter = match set.content {
        SetContent::Filter(filter) => filter,
        SetContent::Frozen(ids) => return Ok(Filter::Named(Referent::Ids(ids.into()))),
    };
    check_named(view, name, &set.saes)?;
    let Some(sae) = set.sae.filter(|sae| *sae != view.label_key().1) else {
        return filter.resolve_within(view, nesting);
    };
    match view.spec.saes.iter().position(|entry| entry.hash() == sae) {
        Some(place) => in_space(view, place, &filter, nesting),
        None => Err(Error::precondition(format!(
            "saved set {name:?} tests latents of the SAE {sae}, which is not attached to collection \
             {:?} any more: save the set again",
            view.spec.record.name
        ))),
    }
}

/// Refuses a saved set once a name in it is another SAE's.
fn check_named(view: &View, set: &str, saes: &BTreeMap<String, String>) -> Result<()> {
    for (name, sae) in saes {
        if hash_of(view, name)? != *sae {
            let name = if name.is_empty() {
                "the default SAE".to_owned()
            } else {
                format!("the SAE {name:?}")
            };
            return Err(Error::precondition(format!(
                "saved set {set:?} tests latents of {name} of collection {:?} as it was when the \
                 set was saved ({sae}); that is another SAE now: save the set again",
                view.spec.record.name
            )));
        }
    }
    Ok(())
}

fn hash_of(view: &View, sae: &str) -> Result<String> {
    let place = view.spec.record.place_of(sae)?;
    Ok(view.in_space(place)?.label_key().1)
}

fn in_space(
    view: &View,
    space: usize,
    filter: &Filter,
    nesting: &Nesting,
) -> Result<ResolvedFilter> {
    let filter = filter.resolve_within(&view.in_space(space)?, nesting)?;
    Ok(Filter::Named(Referent::InSpace {
        space,
        filter: Box::new(filter),
    }))
}

/// The hashes of the SAEs that a filter names, by their names.
pub(super) fn named_saes(view: &View, filter: &Filter) -> Result<BTreeMap<String, String>> {
    let names = filter.saes().into_iter();
    names
        .map(|name| Ok((name.to_owned(), hash_of(view, name)?)))
        .collect()
}

/// A filter resolved against a collection.
pub(super) fn resolve_filter(view: &View, filter: &Filter) -> Result<ResolvedFilter> {
    resolve_set(view, filter, "filter")
}

/// As [`resolve_filter`] for a filter in another field of the request.
pub(super) fn resolve_set(view: &View, filter: &Filter, field: &str) -> Result<ResolvedFilter> {
    filter.resolve(view).within(field)
}
