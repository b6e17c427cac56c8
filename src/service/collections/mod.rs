//! Creating, describing and dropping collections; saved sets.

mod plan;
mod saes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use latentdb_index::analysis::attribute_kinds;
use latentdb_index::filter::Name;
use latentdb_index::{Filter, SavedSet, SetContent, Snapshot};

use super::blocking;
use super::core::{Address, Core, View};
use super::documents::Documents;
use super::gate::{FitInfo, Gate};
use super::labels::Labels;
use super::names::{named_saes, resolve_filter};
use super::search::Search;
use super::spec::{EncoderRecord, ReaderRecord, SaeRecord};
use crate::error::{Error, ErrorKind, Result};
use crate::reading::Precision;

pub use plan::ReaderRequest;
pub use saes::{AttachRequest, AttachedSae};

/// Creates, changes, describes and drops collections.
pub struct Collections {
    core: Arc<Core>,
    documents: Arc<Documents>,
    labels: Arc<Labels>,
    search: Arc<Search>,
}

/// What a collection is made with.
#[derive(Clone, Debug, Default)]
pub struct CreateCollection {
    /// Its name.
    pub name: String,
    /// The model that makes vectors from text.
    pub encoder: Option<String>,
    /// Values of its vectors, where neither encoder nor SAE says.
    pub dimension: Option<usize>,
    /// A folder with an SAE.
    pub sae: Option<String>,
    /// Number of latents, where the client brings them.
    pub n_latents: Option<usize>,
    /// What is asked of the SAE's fit.
    pub gate: Gate,
    /// The model whose token states the SAE reads; absent at level pooled.
    pub reader: Option<ReaderRequest>,
    /// What the products of the encoder and the reader are computed on; absent, `f32`, and for a
    /// reader what the SAE's training took.
    pub precision: Option<Precision>,
}

/// A collection's record and statistics.
#[derive(Clone)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// When it was created, microseconds since the epoch.
    pub created: i64,
    /// Values of its vectors.
    pub dimension: Option<usize>,
    /// Latents a document can have.
    pub n_latents: Option<usize>,
    /// Its encoder.
    pub encoder: Option<EncoderRecord>,
    /// Its SAE.
    pub sae: Option<SaeRecord>,
    /// How its SAE fits its first vectors, where it was asked for.
    pub fit: Option<FitInfo>,
    /// Its reader, at level token.
    pub reader: Option<ReaderRecord>,
    /// Its SAEs; the first is the default.
    pub saes: Vec<AttachedSae>,
    /// Its attributes with the kinds of their values, where it was asked for.
    pub attributes: BTreeMap<String, BTreeSet<&'static str>>,
    /// Its documents.
    pub snapshot: Arc<Snapshot>,
    /// Bytes on disk.
    pub disk_bytes: u64,
}

/// A saved set and what it describes now.
#[derive(Debug)]
pub struct SetInfo {
    /// The set as it is kept.
    pub set: SavedSet,
    /// Documents it describes now, or why that cannot be said.
    pub documents: Result<u64>,
}

impl Collections {
    pub(super) fn new(
        core: Arc<Core>,
        documents: Arc<Documents>,
        labels: Arc<Labels>,
        search: Arc<Search>,
    ) -> Self {
        Self {
            core,
            documents,
            labels,
            search,
        }
    }

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
            let new = plan::plan_collection(&service.core, request)?;
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

    /// All collections, by name.
    pub async fn list_collections(self: &Arc<Self>) -> Result<Vec<CollectionInfo>> {
        let service = self.clone();
        blocking(move || {
            let handles = service.core.database.collections();
            let names = handles.iter().map(|handle| handle.record().name.clone());
            names
                .map(|name| service.describe(&Address::from(name.as_str()), false))
                // Dropped since they were listed.
                .filter(|info| !matches!(info, Err(error) if error.kind() == ErrorKind::NotFound))
                .collect()
        })
        .await
    }

    /// `measure` opens the SAE to say how it fits, and looks which attributes there are.
    fn describe(&self, address: &Address, measure: bool) -> Result<CollectionInfo> {
        let view = self.core.view(address)?;
        let (fit, attributes) = if measure {
            (self.fit_info(&view)?, attribute_kinds(&view.snapshot)?)
        } else {
            (None, BTreeMap::new())
        };
        Ok(CollectionInfo {
            fit,
            attributes,
            saes: self.attached_saes(&view, address, measure)?,
            encoder: view.encoder().cloned(),
            sae: view.sae().cloned(),
            reader: view.reader().cloned(),
            name: address.to_string(),
            created: view.spec.record.created,
            dimension: view.spec.record.dimension,
            n_latents: view.n_latents(),
            disk_bytes: view.handle.disk_bytes()?,
            snapshot: view.snapshot,
        })
    }

    /// How a view's SAE fits what it has met.
    fn fit_info(&self, view: &View) -> Result<Option<FitInfo>> {
        let Some(recorded) = view.sae() else {
            return Ok(None);
        };
        let sae = self.core.models.sae(&recorded.sha256)?;
        self.documents.gates().info(view, &sae)
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
                sets.push(SetInfo { set, documents });
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

/// Takes `found` where nothing was asked, and refuses it where something else was.
pub(super) fn agree(
    asked: &mut Option<usize>,
    found: usize,
    field: &str,
    whose: &str,
) -> Result<()> {
    match *asked {
        Some(asked) if asked != found => Err(Error::invalid(
            field,
            format!("is {asked}, but {whose} have {found}"),
        )),
        _ => {
            *asked = Some(found);
            Ok(())
        }
    }
}
