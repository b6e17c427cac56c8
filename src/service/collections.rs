//! Creating, describing and dropping collections; saved sets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use latentdb_index::analysis::attribute_kinds;
use latentdb_index::filter::Name;
use latentdb_index::{
    CollectionRecord, Filter, NewCollection, SavedSet, SetContent, Snapshot, View,
};

use super::gate::{FitInfo, Gate};
use super::latents::label_key;
use super::models::{EncoderRecord, SaeRecord, encoder_record, sae_record, to_json};
use super::saes::AttachedSae;
use super::tokens::{ReaderRecord, ReaderRequest, check_new, reader_record};
use super::{Service, blocking};
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::reading::Precision;

/// Largest dimension of a collection's vectors.
const MAX_DIMENSION: usize = 65_536;
/// Most latents of a collection.
const MAX_LATENTS: usize = 1 << 24;

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
    /// Its SAEs: the first, where there is one, then those beside it.
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

impl Service {
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
            let new = service.plan_collection(request)?;
            let handle = service.database.create(new)?;
            service.describe(&handle.record().name, true)
        })
        .await
    }

    fn plan_collection(&self, request: CreateCollection) -> Result<NewCollection> {
        if self.database.collection(&request.name).is_ok() {
            // Before models are fetched for nothing.
            return Err(Error::new(
                crate::error::ErrorKind::AlreadyExists,
                format!("collection {:?} already exists", request.name),
            ));
        }
        if let Some(dimension) = request.dimension
            && dimension > MAX_DIMENSION
        {
            return Err(Error::invalid(
                "dimension",
                format!("is {dimension}; at most {MAX_DIMENSION} is accepted"),
            ));
        }
        request.gate.check()?;
        let mut new = NewCollection {
            name: request.name,
            dimension: request.dimension,
            n_latents: request.n_latents,
            ..NewCollection::default()
        };
        if let Some(asked) = &request.reader {
            self.plan_tokens(asked, request.sae.as_deref(), request.gate, &mut new)?;
        }
        if let Some(model) = &request.encoder {
            let encoder = self
                .models
                .encoder(model, request.precision.unwrap_or_default())
                .within("encoder")?;
            let dimension = encoder.encoder().dimension();
            agree(
                &mut new.dimension,
                dimension,
                "dimension",
                "the encoder's vectors",
            )?;
            new.encoder = Some(to_json(&EncoderRecord {
                model: model.clone(),
                identity: encoder.encoder().identity().clone(),
                dimension,
            })?);
        }
        if let Some(folder) = &request.sae
            && request.reader.is_none()
        {
            let sae = self.models.import_sae(Path::new(folder)).within("sae")?;
            agree(
                &mut new.dimension,
                sae.d_in(),
                "dimension",
                "the SAE's inputs",
            )?;
            agree(&mut new.n_latents, sae.n_latents(), "n_latents", "the SAE")?;
            check_new(&new, &sae)?;
            new.sae = Some(to_json(&SaeRecord {
                gate: request.gate,
                ..SaeRecord::of(&sae)
            })?);
        }
        if let Some(n_latents) = new.n_latents
            && !(1..=MAX_LATENTS).contains(&n_latents)
        {
            return Err(Error::invalid(
                "n_latents",
                format!("is {n_latents}; 1 to {MAX_LATENTS} is accepted"),
            ));
        }
        Ok(new)
    }

    /// A collection's record and statistics.
    pub async fn collection_info(self: &Arc<Self>, name: String) -> Result<CollectionInfo> {
        let service = self.clone();
        blocking(move || service.describe(&name, true)).await
    }

    /// All collections, by name.
    pub async fn list_collections(self: &Arc<Self>) -> Result<Vec<CollectionInfo>> {
        let service = self.clone();
        blocking(move || {
            let handles = service.database.collections();
            let names = handles.iter().map(|handle| handle.record().name);
            names
                .map(|name| service.describe(&name, false))
                // Dropped since they were listed.
                .filter(|info| !matches!(info, Err(error) if error.kind() == ErrorKind::NotFound))
                .collect()
        })
        .await
    }

    /// `measure` opens the SAE to say how it fits, and looks which attributes there are.
    pub(super) fn describe(&self, name: &str, measure: bool) -> Result<CollectionInfo> {
        let handle = self.database.collection(name)?;
        let View { record, snapshot } = handle.view()?;
        let fit = if measure {
            self.fit_info(&record, &snapshot)?
        } else {
            None
        };
        let attributes = if measure {
            attribute_kinds(&snapshot)?
        } else {
            BTreeMap::new()
        };
        Ok(CollectionInfo {
            fit,
            attributes,
            saes: self.attached_saes(&record.name, measure)?,
            encoder: encoder_record(&record)?,
            sae: sae_record(&record)?,
            reader: reader_record(&record)?,
            name: record.name,
            created: record.created,
            dimension: record.dimension,
            n_latents: record.n_latents,
            snapshot,
            disk_bytes: handle.disk_bytes()?,
        })
    }

    /// How a collection's SAE fits what it has met.
    pub(super) fn fit_info(
        &self,
        record: &CollectionRecord,
        snapshot: &Snapshot,
    ) -> Result<Option<FitInfo>> {
        if let (Some(_), Some(recorded)) = (&record.reader, sae_record(record)?) {
            let sae = self.models.sae(&recorded.sha256)?;
            let handle = self.database.collection(&record.name)?;
            return self.gates.token_info(&handle, record, &sae);
        }
        let sae = self.models.sae_of(record)?;
        sae.map(|sae| self.gates.info(record, snapshot, &sae))
            .transpose()
    }

    /// Drops a collection with all that belongs to it.
    pub async fn drop_collection(self: &Arc<Self>, name: String) -> Result<()> {
        let service = self.clone();
        blocking(move || {
            let handle = service.database.collection(&name)?;
            handle.check_writable()?;
            let record = handle.record();
            service.database.drop_collection(&name)?;
            service.pages.forget(&record.id);
            service.label_vectors.forget(&record.id);
            service.gates.forget(&record);
            service.close_unused_saes()
        })
        .await
    }

    /// Merges a collection's segments into one; returns how many there are then.
    pub async fn optimize(self: &Arc<Self>, name: String) -> Result<usize> {
        let service = self.clone();
        blocking(move || {
            let handle = service.database.collection(&name)?;
            handle.merge()?;
            Ok(handle.view()?.snapshot.n_segments())
        })
        .await
    }

    /// Saves a filter, or the documents it describes now, under a name.
    pub async fn save_set(
        self: &Arc<Self>,
        collection: String,
        name: String,
        filter: Filter,
        frozen: bool,
    ) -> Result<SetInfo> {
        let service = self.clone();
        blocking(move || {
            let handle = service.database.collection(&collection)?;
            let view = handle.view()?;
            let resolved = service.resolve_filter(&view, &filter)?;
            let docs = view.snapshot.documents_matching(&resolved)?;
            let documents = docs.len() as u64;
            // Its latents are those of the SAE it is saved through.
            let sae = (!frozen && filter.reads_latents()).then(|| label_key(&view.record));
            let sae = sae.transpose()?.map(|(_, sae)| sae);
            let saes = if frozen {
                BTreeMap::new()
            } else {
                service.named_saes(&collection, &filter)?
            };
            let content = if frozen {
                let ids = docs.into_iter().map(|doc| view.snapshot.id(doc));
                SetContent::Frozen(ids.collect::<Result<_>>()?)
            } else {
                SetContent::Filter(filter)
            };
            let set = handle.save_set(&name, content, sae, saes)?;
            Ok(SetInfo {
                set,
                documents: Ok(documents),
            })
        })
        .await
    }

    /// A collection's saved sets.
    pub async fn list_sets(self: &Arc<Self>, collection: String) -> Result<Vec<SetInfo>> {
        let service = self.clone();
        blocking(move || {
            let handle = service.database.collection(&collection)?;
            let view = handle.view()?;
            let mut sets = Vec::new();
            for (name, set) in handle.saved_sets()? {
                // A filter may name a set that was dropped since, or an SAE that was detached.
                let documents = service
                    .resolve_filter(&view, &Filter::Named(Name::SavedSet(name)))
                    .and_then(|filter| view.snapshot.count(&filter));
                sets.push(SetInfo { set, documents });
            }
            Ok(sets)
        })
        .await
    }

    /// Removes a saved set.
    pub async fn drop_set(self: &Arc<Self>, collection: String, name: String) -> Result<()> {
        let service = self.clone();
        blocking(move || service.database.collection(&collection)?.remove_set(&name)).await
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
