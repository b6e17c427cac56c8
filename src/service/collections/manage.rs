//! Creating, listing and dropping collections; saved sets.

use std::collections::BTreeMap;
use std::sync::Arc;

use latentdb_index::filter::Name;
use latentdb_index::{Filter, SetContent};

use super::info::{CollectionInfo, Collections, CreateCollection, SetInfo};
use super::plan::plan_collection;
use crate::error::{ErrorKind, Result};
use crate::service::blocking;
use crate::service::core::Address;
use crate::service::names::{named_saes, resolve_filter};

impl Collections {
    /// Creates a collection, opening the models it names.
    ///
    /// # Errors
    /// `InvalidArgument` for names and shapes that do not fit together, `AlreadyExists` for a name
    /// that is taken, and what opening a model gives.
    pub async fn create_collection(
        self: &Arc<Self>,
        request: CreateCollection,
    ) -> Result<CollectionInfo> {
        let service = self.clone();
        blocking(move || {
            service.core.check_room()?;
            let new = plan_collection(&service.core, request)?;
            let address = Address::from(new.name.as_str());
            service.core.database.create(new)?;
            service.describe(&address, true)
        })
        .await
    }

    /// A collection's record and statistics.
    pub async fn collection_info(self: &Arc<Self>, address: Address) -> Result<CollectionInfo> {
        let service = self.clone();
        blocking(move || service.describe(&address, true)).await
    }

    /// The names of all collections.
    pub fn collection_names(&self) -> Vec<String> {
        self.core.collection_names()
    }

    /// The collections of some names; those that were dropped since are left out.
    pub async fn list_collections(
        self: &Arc<Self>,
        names: Vec<String>,
    ) -> Result<Vec<CollectionInfo>> {
        let service = self.clone();
        blocking(move || {
            names
                .into_iter()
                .map(|name| service.describe(&Address::from(name.as_str()), false))
                // Dropped since they were listed.
                .filter(|info| !matches!(info, Err(error) if error.kind() == ErrorKind::NotFound))
                .collect()
        })
        .await
    }

    /// Drops a collection with all that belongs to it.
    pub async fn drop_collection(self: &Arc<Self>, name: String) -> Result<()> {
        let service = self.clone();
        blocking(move || {
            let record = service.core.database.collection(&name)?.record();
            service.core.database.drop_collection(&name)?;
            service.core.forget(&record.id);
            service.search.forget(&record.id);
            service.labels.forget(&record.id);
            service.documents.gates().forget(&record.id);
            service.close_unused_saes()
        })
        .await
    }

    /// Makes an alias stand for a collection; what it stood for.
    ///
    /// # Errors
    /// `NotFound` for the collection, `AlreadyExists` where a collection has the name.
    pub async fn set_alias(
        self: &Arc<Self>,
        alias: String,
        collection: String,
    ) -> Result<Option<String>> {
        let service = self.clone();
        blocking(move || service.core.database.set_alias(&alias, &collection)).await
    }

    /// Removes an alias; the collection that it stood for.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn drop_alias(self: &Arc<Self>, alias: String) -> Result<String> {
        let service = self.clone();
        blocking(move || service.core.database.remove_alias(&alias)).await
    }

    /// Merges a collection's segments into one; returns how many there are then.
    pub async fn optimize(self: &Arc<Self>, name: String) -> Result<usize> {
        let service = self.clone();
        blocking(move || {
            let handle = service.core.database.collection(&name)?;
            handle.merge()?;
            Ok(handle.view()?.snapshot.n_segments())
        })
        .await
    }

    /// Saves a filter, or the documents it describes now, under a name.
    pub async fn save_set(
        self: &Arc<Self>,
        address: Address,
        name: String,
        filter: Filter,
        frozen: bool,
    ) -> Result<SetInfo> {
        let service = self.clone();
        blocking(move || {
            let view = service.core.view(&address)?;
            let resolved = resolve_filter(&view, &filter)?;
            let docs = view.snapshot.documents_matching(&resolved)?;
            let documents = docs.len() as u64;
            // Its latents are those of the SAE in whose space it is saved.
            let sae = (!frozen && filter.reads_latents()).then(|| view.label_key().1);
            let saes = if frozen {
                BTreeMap::new()
            } else {
                named_saes(&view, &filter)?
            };
            let content = if frozen {
                let ids = docs.into_iter().map(|doc| view.snapshot.id(doc));
                SetContent::Frozen(ids.collect::<Result<_>>()?)
            } else {
                SetContent::Filter(filter)
            };
            let set = view.handle.save_set(&name, content, sae, saes)?;
            Ok(SetInfo {
                set,
                documents: Ok(documents),
                warnings: view.warnings(),
            })
        })
        .await
    }

    /// A collection's saved sets.
    pub async fn list_sets(self: &Arc<Self>, address: Address) -> Result<Vec<SetInfo>> {
        let service = self.clone();
        blocking(move || {
            let view = service.core.view(&address)?;
            let mut sets = Vec::new();
            for (name, set) in view.handle.saved_sets()? {
                // A filter may name a set that was dropped since, or an SAE that was detached.
                let documents = resolve_filter(&view, &Filter::Named(Name::SavedSet(name)))
                    .and_then(|filter| view.snapshot.count(&filter));
                sets.push(SetInfo {
                    set,
                    documents,
                    warnings: Vec::new(),
                });
            }
            Ok(sets)
        })
        .await
    }

    /// Removes a saved set.
    pub async fn drop_set(self: &Arc<Self>, address: Address, name: String) -> Result<()> {
        let service = self.clone();
        blocking(move || service.core.view(&address)?.handle.remove_set(&name)).await
    }
}
