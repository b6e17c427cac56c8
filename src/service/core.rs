//! The bottom of the service: the data directory, the models in memory, and what a request reads of
//! a collection.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use latentdb_index::{CollectionHandle, CollectionRecord, Database, Snapshot};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::models::Models;
use super::places::ModelPlaces;
use super::readers::Readers;
use super::room::Room;
use super::spec::{EncoderRecord, ReaderRecord, SaeRecord, SaeSpec, Spec};
use crate::encoder::BatchingEncoder;
use crate::error::{Error, Result};
use crate::measures::Measures;
use crate::sae::Sae;
use crate::verify::SAE_DIRECTORY;

/// Which collection a request is about, and in the space of which of its SAEs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The collection.
    pub collection: String,
    /// The SAE by its name; `None` for the default.
    pub sae: Option<String>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.collection)?;
        match &self.sae {
            Some(sae) => write!(f, ":{sae}"),
            None => Ok(()),
        }
    }
}

impl From<&str> for Address {
    /// The address of a collection in the space of its default SAE.
    fn from(collection: &str) -> Self {
        Self {
            collection: collection.to_owned(),
            sae: None,
        }
    }
}

/// The data directory and the models in memory.
pub struct Core {
    pub(super) database: Database,
    pub(super) models: Models,
    pub(super) readers: Readers,
    pub(super) places: Arc<ModelPlaces>,
    pub(super) measures: Measures,
    /// By collection id, the latest generation's.
    specs: Mutex<HashMap<String, Arc<Spec>>>,
    room: Room,
    started: Instant,
}

/// What the names of folders begin with in which files are gathered.
const STAGE_PREFIX: &str = "stage-";

/// Removes folders of work that a crash broke off.
fn clear_stages(data: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(data) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(STAGE_PREFIX) && name.ends_with(".tmp") {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// How a collection is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionState {
    /// Its name.
    pub name: String,
    /// Its documents.
    pub documents: u64,
    /// Its segments.
    pub segments: u64,
    /// Its vectors.
    pub vectors: u64,
    /// Those that a graph serves.
    pub vectors_in_graph: u64,
    /// Bytes of its files.
    pub disk_bytes: u64,
    /// Whether files are known to be damaged.
    pub is_damaged: bool,
    /// Segments whose checksums are still to be compared.
    pub unchecked: u64,
}

/// What a request reads: one snapshot of a collection in the space of one of its SAEs, and the
/// records that go with it.
#[derive(Clone)]
pub(super) struct View {
    pub handle: CollectionHandle,
    pub spec: Arc<Spec>,
    pub snapshot: Arc<Snapshot>,
    /// The SAE's place in the collection's list.
    pub place: usize,
    /// What the filters of the request make doubtful.
    doubts: Arc<Mutex<BTreeSet<String>>>,
}

impl Core {
    /// Opens a data directory, creating it where it does not exist. Writes are refused while its disk
    /// has less than `min_free_disk` bytes free; `read_only`, all are, and nothing in it is changed. Blocks.
    ///
    /// # Errors
    /// `FailedPrecondition` when another process has it open, `Corrupted` when its files do not
    /// pass their checks.
    pub fn open(
        data: &Path,
        min_free_disk: u64,
        read_only: bool,
        places: ModelPlaces,
    ) -> Result<Self> {
        let (places, measures) = (Arc::new(places), Measures::default());
        let saes = data.join(SAE_DIRECTORY);
        if !read_only {
            clear_stages(data)?;
        }
        Ok(Self {
            database: match read_only {
                true => Database::open_read_only(data)?,
                false => Database::open(data)?,
            },
            models: match read_only {
                true => Models::existing(saes, places.clone(), measures.clone()),
                false => Models::new(saes, places.clone(), measures.clone())?,
            },
            readers: Readers::new(places.clone()),
            places,
            measures,
            specs: Mutex::default(),
            room: Room::new(data, min_free_disk),
            started: Instant::now(),
        })
    }

    /// Refuses what needs room where the disk has too little, or takes nothing.
    ///
    /// # Errors
    /// `ResourceExhausted`; `FailedPrecondition` where the data directory is served read-only.
    pub(super) fn check_room(&self) -> Result<()> {
        self.database.refuse_changes()?;
        self.room.check()
    }

    /// Seconds since it was opened.
    pub fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// The names of the collections.
    pub fn collection_names(&self) -> Vec<String> {
        let handles = self.database.collections().into_iter();
        handles.map(|handle| handle.record().name.clone()).collect()
    }

    /// A folder on the disk of the data directory, gone with what is returned or at the next start.
    pub(super) fn stage(&self) -> Result<TempDir> {
        self.database.refuse_changes()?;
        let mut named = tempfile::Builder::new();
        let named = named.prefix(STAGE_PREFIX).suffix(".tmp");
        Ok(named.tempdir_in(self.database.directory())?)
    }

    /// What is counted and timed.
    pub(crate) fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Bytes that the weights of SAEs hold in memory.
    pub fn sae_bytes(&self) -> u64 {
        self.models.open_sae_bytes()
    }

    /// Bytes free on the disk of the data directory, where the system tells.
    pub fn free_disk(&self) -> Option<u64> {
        self.room.free()
    }

    /// How the collections are; those that cannot be opened have no documents. Blocks.
    pub fn states(&self) -> Vec<CollectionState> {
        let handles = self.database.collections().into_iter();
        let states = handles.map(|handle| {
            let snapshot = handle.view().ok().map(|view| view.snapshot);
            let coverage = snapshot.as_ref().map(|snapshot| snapshot.graph_coverage());
            let (vectors_in_graph, vectors) = coverage.unwrap_or_default();
            CollectionState {
                name: handle.record().name.clone(),
                documents: snapshot.as_ref().map_or(0, |snapshot| snapshot.n_docs()),
                segments: snapshot.as_ref().map_or(0, |own| own.n_segments() as u64),
                vectors,
                vectors_in_graph,
                disk_bytes: handle.disk_bytes().unwrap_or(0),
                is_damaged: handle.damage().is_some(),
                unchecked: handle.unchecked_segments() as u64,
            }
        });
        states.collect()
    }

    /// Collections that take no changes: their files are known to be damaged, or it is unknown what the
    /// catalog says of them.
    pub fn unchangeable(&self) -> Vec<String> {
        let handles = self.database.collections().into_iter();
        let unchangeable =
            handles.filter(|handle| handle.damage().is_some() || handle.is_unsettled());
        let names = unchangeable.map(|handle| handle.record().name.clone());
        names.collect()
    }

    /// The records of a collection, typed.
    pub(super) fn spec(&self, record: &Arc<CollectionRecord>) -> Result<Arc<Spec>> {
        let mut specs = self.specs.lock();
        if let Some(spec) = specs.get(&record.id)
            && spec.record.generation == record.generation
        {
            return Ok(spec.clone());
        }
        let spec = Arc::new(Spec::parse(record.clone())?);
        specs.insert(record.id.clone(), spec.clone());
        Ok(spec)
    }

    /// Forgets the records of a dropped collection.
    pub(super) fn forget(&self, id: &str) {
        self.specs.lock().remove(id);
    }

    /// What a request on an address reads.
    ///
    /// # Errors
    /// `NotFound` for the collection or the SAE.
    pub(super) fn view(&self, address: &Address) -> Result<View> {
        let handle = self.database.collection(&address.collection)?;
        let view = handle.view()?;
        let place = view
            .record
            .place_of(address.sae.as_deref().unwrap_or_default())?;
        Ok(View {
            spec: self.spec(&view.record)?,
            snapshot: view.snapshot.in_space(place)?,
            handle,
            place,
            doubts: Arc::default(),
        })
    }

    /// The encoder of a view, checked to be the one its vectors were made with.
    pub(super) fn encoder_of(&self, view: &View) -> Result<Option<BatchingEncoder>> {
        let encoder = view.encoder();
        encoder
            .map(|encoder| self.models.recorded_encoder(encoder))
            .transpose()
    }

    /// The SAE of a view, where it reads the collection's vectors; one that reads token states
    /// never meets them.
    pub(super) fn sae_of(&self, view: &View) -> Result<Option<Arc<Sae>>> {
        match view.sae() {
            Some(sae) if view.reader().is_none() => self.models.sae(&sae.sha256).map(Some),
            _ => Ok(None),
        }
    }

    /// The SAE of a view that reads vectors.
    ///
    /// # Errors
    /// `FailedPrecondition` saying how to get one.
    pub(super) fn required_sae(&self, view: &View) -> Result<Arc<Sae>> {
        self.sae_of(view)?.ok_or_else(|| no_sae(view))
    }
}

impl View {
    /// The address as messages show it: `NAME` or `NAME:SAE`.
    pub fn name(&self) -> String {
        match self.list_entry() {
            Some(sae) if self.place > 0 => format!("{}:{}", self.spec.record.name, sae.name),
            _ => self.spec.record.name.clone(),
        }
    }

    /// The same for another request, which has doubts of its own.
    pub fn for_another(&self) -> Self {
        Self {
            doubts: Arc::default(),
            ..self.clone()
        }
    }

    /// Keeps a doubt about the request, for its answer.
    pub fn doubt(&self, doubt: String) {
        self.doubts.lock().insert(doubt);
    }

    /// What the filters resolved so far make doubtful, each once.
    pub fn warnings(&self) -> Vec<String> {
        self.doubts.lock().iter().cloned().collect()
    }

    /// The collection's entry for the SAE.
    pub fn list_entry(&self) -> Option<&SaeSpec> {
        self.spec.saes.get(self.place)
    }

    /// What is recorded of the SAE.
    pub fn sae(&self) -> Option<&SaeRecord> {
        self.list_entry()?.sae.as_ref()
    }

    /// The reader of the SAE, at level token.
    pub fn reader(&self) -> Option<&ReaderRecord> {
        self.list_entry()?.reader.as_ref()
    }

    /// The collection's encoder.
    pub fn encoder(&self) -> Option<&EncoderRecord> {
        self.spec.encoder.as_ref()
    }

    /// Latents of the SAE; `None` without one.
    pub fn n_latents(&self) -> Option<usize> {
        self.list_entry().map(|sae| sae.n_latents)
    }

    /// The same; `FailedPrecondition` without an SAE.
    pub fn required_n_latents(&self) -> Result<usize> {
        self.n_latents().ok_or_else(|| no_sae(self))
    }

    /// The collection and the SAE by whose hash labels and families are kept.
    pub fn label_key(&self) -> LabelKey {
        let sae = self.list_entry().map_or_else(
            || SaeSpec::of_clients(0).hash().to_owned(),
            |sae| sae.hash().to_owned(),
        );
        (self.spec.record.id.clone(), sae)
    }

    /// The same documents in the space of the SAE at a place.
    pub fn in_space(&self, place: usize) -> Result<Self> {
        Ok(Self {
            snapshot: self.snapshot.in_space(place)?,
            place,
            ..self.clone()
        })
    }

    /// The collection in the space of each of its SAEs.
    pub fn spaces(&self) -> Result<Vec<Self>> {
        let places = 0..self.spec.saes.len();
        places.map(|place| self.in_space(place)).collect()
    }
}

/// A collection's id, and the hash of one of its SAEs.
pub(super) type LabelKey = (String, String);

/// Says how to get the SAE that a view lacks.
pub(super) fn no_sae(view: &View) -> Error {
    let name = view.name();
    if view.reader().is_some() {
        return Error::precondition(format!(
            "the SAE of collection {name:?} reads token states: it neither encodes, decodes nor \
             steers vectors"
        ));
    }
    Error::precondition(format!(
        "collection {name:?} has no SAE: train one (`latentdb sae train --collection {name} --out \
         DIR`) and attach it (`latentdb collection attach {name} --sae DIR`)"
    ))
}
