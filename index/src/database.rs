//! A data directory: its catalog and its collections, each with the generation that serves.
//!
//! ```text
//! DIR/catalog.redb
//! DIR/collections/<collection id>/<generation>/{index,graphs}/
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, CollectionRecord, RecordKind, SavedSet, SetContent};
use crate::collection::{Collection, Operation, Snapshot, StreamPosition, Written};
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;

/// Documents that an attach re-encodes at a time.
const ATTACH_BATCH: usize = 2048;
/// Longest name of a collection or a saved set, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// An open data directory.
pub struct Database {
    directory: PathBuf,
    catalog: Arc<Catalog>,
    collections: RwLock<BTreeMap<String, Arc<CollectionHandle>>>,
}

/// A collection by name, whatever generation of it serves.
pub struct CollectionHandle {
    directory: PathBuf,
    catalog: Arc<Catalog>,
    /// Held for reading while a write is on its way, for writing while generations are switched.
    state: RwLock<State>,
    /// Held while an SAE is being attached.
    attaching: Mutex<()>,
}

#[derive(Clone)]
struct State {
    record: CollectionRecord,
    /// `None` once the collection is dropped.
    generation: Option<Arc<Collection>>,
}

/// What a request reads: a snapshot and the record that goes with it.
#[derive(Clone)]
pub struct View {
    /// The collection's record at the time.
    pub record: CollectionRecord,
    /// Its documents at the time.
    pub snapshot: Arc<Snapshot>,
}

/// What a new collection is made with.
#[derive(Clone, Debug, Default)]
pub struct NewCollection {
    /// Its name: letters, digits, `_`, `-`, `.`, at most 128 bytes, not starting with a dot.
    pub name: String,
    /// Values of its vectors; `None` when it holds none.
    pub dimension: Option<usize>,
    /// Number of latents, when the client brings latents of an SAE it keeps to itself.
    pub n_latents: Option<usize>,
    /// Recorded as given.
    pub encoder: Option<serde_json::Value>,
    /// Recorded as given.
    pub sae: Option<serde_json::Value>,
    /// Recorded as given.
    pub reader: Option<serde_json::Value>,
}

/// Makes the latents of documents anew, from their vectors or their texts.
pub type Recode<'a> = dyn Fn(&mut [Document]) -> Result<()> + 'a;

/// Microseconds since the epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_micros()).ok())
        .unwrap_or_default()
}

fn validate_name(name: &str) -> Result<()> {
    let accepted =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    if !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.starts_with('.')
        && name.chars().all(accepted)
    {
        return Ok(());
    }
    Err(Error::invalid(
        "name",
        format!(
            "{name:?} is not accepted: 1 to {MAX_NAME_BYTES} bytes of letters, digits, _ - and ., \
             not starting with a dot"
        ),
    ))
}

impl Database {
    /// Opens a data directory, creating it when it does not exist. Directories of collections and
    /// generations that the catalog does not name (left by a crash) are removed.
    pub fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory.join("collections"))?;
        let catalog = Arc::new(Catalog::open(directory)?);
        let mut collections = BTreeMap::new();
        let mut known = Vec::new();
        for record in catalog.collections()? {
            let path = directory.join("collections").join(&record.id);
            remove_all_but(&path, &[record.generation.to_string()])?;
            let generation = Collection::open(&path.join(record.generation.to_string()))?;
            known.push(record.id.clone());
            collections.insert(
                record.name.clone(),
                Arc::new(CollectionHandle::new(path, &catalog, record, generation)),
            );
        }
        remove_all_but(&directory.join("collections"), &known)?;
        Ok(Self {
            directory: directory.to_owned(),
            catalog,
            collections: RwLock::new(collections),
        })
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates a collection. `AlreadyExists` when the name is taken.
    pub fn create(&self, new: NewCollection) -> Result<Arc<CollectionHandle>> {
        validate_name(&new.name)?;
        let mut collections = self.collections.write();
        if collections.contains_key(&new.name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("collection {:?} already exists", new.name),
            ));
        }
        let record = CollectionRecord {
            name: new.name,
            id: uuid::Uuid::new_v4().simple().to_string(),
            generation: 1,
            dimension: new.dimension,
            n_latents: new.n_latents,
            created: now(),
            encoder: new.encoder,
            sae: new.sae,
            reader: new.reader,
        };
        let path = self.directory.join("collections").join(&record.id);
        let generation = Collection::open(&path.join("1"))?;
        self.catalog.put_collection(&record)?;
        let name = record.name.clone();
        let handle = CollectionHandle::new(path, &self.catalog, record, generation);
        let handle = Arc::new(handle);
        collections.insert(name, handle.clone());
        Ok(handle)
    }

    /// The collection of a name, or `NotFound`.
    pub fn collection(&self, name: &str) -> Result<Arc<CollectionHandle>> {
        self.collections
            .read()
            .get(name)
            .cloned()
            .ok_or_else(|| missing(name))
    }

    /// All collections, by name.
    pub fn collections(&self) -> Vec<Arc<CollectionHandle>> {
        self.collections.read().values().cloned().collect()
    }

    /// Drops a collection and its files. Snapshots that are still held go on reading.
    pub fn drop_collection(&self, name: &str) -> Result<()> {
        let handle = {
            let mut collections = self.collections.write();
            let handle = collections
                .get(name)
                .cloned()
                .ok_or_else(|| missing(name))?;
            self.catalog.remove_collection(&handle.record())?;
            collections.remove(name);
            handle
        };
        // Waits for writes on their way; those behind it see the empty state.
        let generation = handle.state.write().generation.take();
        drop(generation);
        fs::remove_dir_all(&handle.directory)?;
        Ok(())
    }
}

fn missing(name: &str) -> Error {
    Error::not_found(format!("collection {name:?} does not exist"))
}

fn remove_all_but(directory: &Path, keep: &[String]) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !keep.iter().any(|kept| name.to_str() == Some(kept)) {
            tracing::info!(path = %entry.path().display(), "removing what an interrupted change left");
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

impl CollectionHandle {
    fn new(
        directory: PathBuf,
        catalog: &Arc<Catalog>,
        record: CollectionRecord,
        generation: Collection,
    ) -> Self {
        Self {
            directory,
            catalog: catalog.clone(),
            state: RwLock::new(State {
                record,
                generation: Some(Arc::new(generation)),
            }),
            attaching: Mutex::new(()),
        }
    }

    /// The collection's record.
    pub fn record(&self) -> CollectionRecord {
        self.state.read().record.clone()
    }

    /// The current snapshot and its record, of one generation.
    pub fn view(&self) -> Result<View> {
        let state = self.state.read();
        Ok(View {
            record: state.record.clone(),
            snapshot: state.generation()?.snapshot(),
        })
    }

    /// Applies operations as [`Collection::write_queued`] does. `generation` is that of the record the
    /// operations were prepared for; after a switch the answer is `Unavailable`, and they are
    /// prepared anew.
    pub fn write(
        &self,
        generation: u64,
        operations: Vec<Operation>,
        position: Option<StreamPosition>,
        queued: impl FnOnce(),
    ) -> Result<Written> {
        let state = self.state.read();
        if state.record.generation != generation {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "another SAE was attached meanwhile; send the write again",
            ));
        }
        state
            .generation()?
            .write_queued(operations, position, queued)
    }

    /// Merges all segments into one. Blocks until done.
    pub fn merge(&self) -> Result<()> {
        let generation = self.state.read().generation()?.clone();
        generation.merge()
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> Result<u64> {
        let generation = self.state.read().generation()?.clone();
        generation.disk_bytes()
    }

    /// The collection's saved sets, by name.
    pub fn saved_sets(&self) -> Result<BTreeMap<String, SavedSet>> {
        self.catalog.saved_sets(&self.record().id)
    }

    /// What a saved set's name stands for in a filter, or `NotFound`.
    pub fn saved_filter(&self, name: &str) -> Result<Filter> {
        let missing = || Error::not_found(format!("saved set {name:?} does not exist"));
        let set = self.saved_sets()?.remove(name).ok_or_else(missing)?;
        Ok(match set.content {
            SetContent::Filter(filter) => filter,
            SetContent::Frozen(ids) => Filter::Frozen(ids.into()),
        })
    }

    /// Saves a set under a name, replacing one of that name.
    pub fn save_set(&self, name: &str, content: SetContent) -> Result<SavedSet> {
        validate_name(name)?;
        let set = SavedSet {
            name: name.to_owned(),
            created: now(),
            content,
        };
        self.catalog.put_saved_set(&self.record().id, &set)?;
        Ok(set)
    }

    /// Removes a saved set, or `NotFound`.
    pub fn remove_set(&self, name: &str) -> Result<()> {
        if self.catalog.remove_saved_set(&self.record().id, name)? {
            return Ok(());
        }
        Err(Error::not_found(format!(
            "saved set {name:?} does not exist"
        )))
    }

    /// The collection's records of a kind, by name.
    pub fn records<T: for<'a> Deserialize<'a>>(&self, kind: RecordKind) -> Result<Vec<T>> {
        self.catalog.records(&self.record().id, kind)
    }

    /// The record of a name, where there is one.
    pub fn record_of<T: for<'a> Deserialize<'a>>(
        &self,
        kind: RecordKind,
        name: &str,
    ) -> Result<Option<T>> {
        self.catalog.record_of(&self.record().id, kind, name)
    }

    /// Keeps a record under a name, replacing one of that name.
    pub fn put_record<T: Serialize>(&self, kind: RecordKind, name: &str, record: &T) -> Result<()> {
        validate_name(name)?;
        self.catalog
            .put_record(&self.record().id, kind, name, record)
    }

    /// Removes a record; false when there was none.
    pub fn remove_record(&self, kind: RecordKind, name: &str) -> Result<bool> {
        self.catalog.remove_record(&self.record().id, kind, name)
    }

    /// The catalog, for labels.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Attaches an SAE: builds a new generation whose latents are what `recode` gives the stored
    /// documents, while the old one serves reads and writes, then switches to it at once. `change` makes the
    /// new record from the old one. `progress` is told documents done and in all; `Break` gives up
    /// and leaves everything as it was.
    pub fn attach(
        &self,
        change: impl FnOnce(&mut CollectionRecord),
        recode: &Recode<'_>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<CollectionRecord> {
        let _one = self.attaching.try_lock().ok_or_else(|| {
            Error::precondition("another SAE is being attached to this collection; wait for it")
        })?;
        let before = self.state.read().clone();
        let old = before.generation()?.clone();
        let mut record = before.record.clone();
        // `old` must become the last owner of its generation.
        drop(before);
        change(&mut record);
        record.generation += 1;
        let path = self.directory.join(record.generation.to_string());
        old.track_changes();
        let result = self.build_and_switch(&old, &record, &path, recode, progress);
        old.stop_tracking();
        let unused = match &result {
            Ok(()) => {
                // Ends its threads. Snapshots keep the files they have open.
                drop(old);
                self.directory.join((record.generation - 1).to_string())
            }
            Err(_) => path,
        };
        if let Err(error) = fs::remove_dir_all(&unused) {
            tracing::warn!(%error, "files of an unused generation go at the next start");
        }
        result.map(|()| record)
    }

    fn build_and_switch(
        &self,
        old: &Arc<Collection>,
        record: &CollectionRecord,
        path: &Path,
        recode: &Recode<'_>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<()> {
        let new = Collection::open(path)?;
        let snapshot = old.snapshot();
        let living: Vec<u32> = snapshot.living().collect();
        let total = living.len() as u64;
        let mut done = 0;
        for batch in living.chunks(ATTACH_BATCH) {
            if progress(done, total).is_break() {
                return Err(Error::cancelled());
            }
            let documents = batch
                .iter()
                .map(|&doc| snapshot.document(doc))
                .collect::<Result<Vec<_>>>()?;
            new.write(recoded(documents, recode)?, None)?;
            done += batch.len() as u64;
        }
        // What was written meanwhile, while writes go on.
        for _ in 0..3 {
            catch_up(old, &new, recode)?;
        }
        if progress(done, total).is_break() {
            return Err(Error::cancelled());
        }
        // And the rest, while they wait.
        let mut state = self.state.write();
        state.generation()?;
        catch_up(old, &new, recode)?;
        new.adopt_positions(old)?;
        self.catalog.put_collection(record)?;
        state.record = record.clone();
        state.generation = Some(Arc::new(new));
        Ok(())
    }
}

impl State {
    fn generation(&self) -> Result<&Arc<Collection>> {
        self.generation
            .as_ref()
            .ok_or_else(|| missing(&self.record.name))
    }
}

/// Brings the documents changed in `old` since the last call into `new`.
fn catch_up(old: &Collection, new: &Collection, recode: &Recode<'_>) -> Result<()> {
    let changed: Vec<String> = old.take_changes().into_iter().collect();
    let snapshot = old.snapshot();
    for batch in changed.chunks(ATTACH_BATCH) {
        let mut documents = Vec::new();
        let mut deleted = Vec::new();
        for id in batch {
            match snapshot.find(id)? {
                Some(doc) => documents.push(snapshot.document(doc)?),
                None => deleted.push(id.clone()),
            }
        }
        let mut operations = recoded(documents, recode)?;
        operations.push(Operation::Delete(deleted));
        new.write(operations, None)?;
    }
    Ok(())
}

/// Upserts of documents with their latents made anew.
fn recoded(mut documents: Vec<Document>, recode: &Recode<'_>) -> Result<Vec<Operation>> {
    recode(&mut documents)?;
    Ok(documents
        .into_iter()
        .map(|document| Operation::Upsert(Box::new(document)))
        .collect())
}
