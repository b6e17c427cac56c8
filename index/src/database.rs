//! A data directory: its catalog and its collections, each with the generation that serves.
//!
//! ```text
//! DIR/catalog.redb
//! DIR/collections/<collection id>/<generation>/{index,graphs}/
//! ```

mod attach;
mod embed;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::catalog::{AttachedSae, Catalog, CollectionRecord, RecordKind, SavedSet, SetContent};
use crate::collection::{Collection, Operation, StreamPosition, Written};
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::progress::Progress;
use crate::snapshot::Snapshot;
use crate::text::Analyzer;

/// Longest name of a collection or a saved set, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// An open data directory.
pub struct Database {
    directory: PathBuf,
    catalog: Arc<Catalog>,
    collections: RwLock<BTreeMap<String, Arc<Held>>>,
}

/// A collection by name, whatever generation of it serves.
#[derive(Clone)]
pub struct CollectionHandle {
    held: Arc<Held>,
}

/// What the handles of a collection share.
struct Held {
    directory: PathBuf,
    catalog: Arc<Catalog>,
    /// Never held for long: whoever reads waits for it, on the async runtime too.
    state: RwLock<State>,
    /// Held for reading while a write is on its way, for writing where writes must wait: before a
    /// switch of generations, and for a drop.
    writing: RwLock<()>,
    /// Held while SAEs are being changed.
    attaching: Mutex<()>,
    /// The change of SAEs that is under way, which a drop ends.
    change: Mutex<Option<Arc<Progress>>>,
}

#[derive(Clone)]
struct State {
    record: Arc<CollectionRecord>,
    /// `None` once the collection is dropped.
    generation: Option<Arc<Collection>>,
    /// Whether a change of the record in the catalog failed, so that nobody knows which of the two
    /// the disk has.
    is_unsettled: bool,
}

/// What a request reads: a snapshot and the record that goes with it.
#[derive(Clone)]
pub struct View {
    /// The collection's record at the time.
    pub record: Arc<CollectionRecord>,
    /// Its documents at the time, in the space of the default SAE.
    pub snapshot: Arc<Snapshot>,
}

/// What a new collection is made with.
#[derive(Clone, Debug, Default)]
pub struct NewCollection {
    /// Its name: letters, digits, `_`, `-`, `.`, at most 128 bytes, not starting with a dot.
    pub name: String,
    /// Values of its vectors; `None` when it holds none.
    pub dimension: Option<usize>,
    /// Recorded as given.
    pub encoder: Option<serde_json::Value>,
    /// Its SAEs; the first is the default.
    pub saes: Vec<AttachedSae>,
    /// How its text becomes words, for good.
    pub analyzer: Analyzer,
}

/// Microseconds since the epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_micros()).ok())
        .unwrap_or_default()
}

/// Checks a name of a collection, a saved set or an SAE: 1 to 128 bytes of letters, digits, `_`, `-`
/// and `.`, not starting with a dot.
pub fn validate_name(name: &str) -> Result<()> {
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
    /// generations that the catalog does not name (left by a crash, or newer than a catalog that was
    /// put back) are moved to `orphaned/`.
    ///
    /// # Errors
    /// `Corrupted` where the catalog and the directories are not of one another: nothing is removed
    /// then.
    pub fn open(directory: &Path) -> Result<Self> {
        let root = directory.join("collections");
        fs::create_dir_all(&root)?;
        if !Catalog::exists(directory) && fs::read_dir(&root)?.next().is_some() {
            return Err(Error::corrupted(format!(
                "{} holds collections, but no catalog: put the catalog back, or move the \
                 collections away",
                directory.display()
            )));
        }
        let catalog = Arc::new(Catalog::open(directory)?);
        let records = catalog.collections()?;
        for record in &records {
            let generation = root.join(&record.id).join(record.generation.to_string());
            if !Collection::exists(&generation) {
                return Err(Error::corrupted(format!(
                    "the catalog names generation {} of collection {:?}, which is not in {}: the \
                     catalog or the directory is of another time",
                    record.generation,
                    record.name,
                    generation.display()
                )));
            }
        }
        let mut collections = BTreeMap::new();
        let mut known = Vec::new();
        for record in records {
            let path = root.join(&record.id);
            set_aside_all_but(directory, &path, &[record.generation.to_string()])?;
            let generation = Collection::open(&path.join(record.generation.to_string()))?;
            known.push(record.id.clone());
            collections.insert(
                record.name.clone(),
                Arc::new(Held::new(path, &catalog, record, generation)),
            );
        }
        set_aside_all_but(directory, &root, &known)?;
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
    pub fn create(&self, new: NewCollection) -> Result<CollectionHandle> {
        validate_name(&new.name)?;
        new.analyzer.validate().within("analyzer")?;
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
            created: now(),
            encoder: new.encoder,
            saes: new.saes,
            analyzer: new.analyzer,
        };
        let path = self.directory.join("collections").join(&record.id);
        let generation = Collection::create(&path.join("1"), record.analyzer)?;
        make_durable(&path.join("1"))?;
        self.catalog.put_collection(&record)?;
        let name = record.name.clone();
        let held = Arc::new(Held::new(path, &self.catalog, record, generation));
        collections.insert(name, held.clone());
        Ok(CollectionHandle { held })
    }

    /// The collection of a name, or `NotFound`.
    pub fn collection(&self, name: &str) -> Result<CollectionHandle> {
        let held = self.collections.read().get(name).cloned();
        let held = held.ok_or_else(|| missing(name))?;
        Ok(CollectionHandle { held })
    }

    /// All collections, by name.
    pub fn collections(&self) -> Vec<CollectionHandle> {
        let collections = self.collections.read();
        let handles = collections.values();
        handles
            .map(|held| CollectionHandle { held: held.clone() })
            .collect()
    }

    /// Drops a collection and its files. Snapshots that are still held go on reading; a change of
    /// its SAEs that is under way ends with `NotFound`. Blocks until both have let go.
    pub fn drop_collection(&self, name: &str) -> Result<()> {
        let held = self.collections.read().get(name).cloned();
        let held = held.ok_or_else(|| missing(name))?;
        let generation = {
            // Waits for writes on their way; those behind it see the empty state.
            let _no_writes = held.writing.write();
            let mut state = held.state.write();
            state.changeable()?;
            let removed = self.catalog.remove_collection(&state.record);
            state.settle(removed)?;
            state.generation.take()
        };
        self.collections.write().remove(name);
        drop(generation);
        if let Some(change) = &*held.change.lock() {
            change.stop();
        }
        let _no_attach = held.attaching.lock();
        if let Err(error) = fs::remove_dir_all(&held.directory) {
            tracing::warn!(%error, "files of a dropped collection are set aside at the next start");
        }
        Ok(())
    }
}

fn missing(name: &str) -> Error {
    Error::not_found(format!("collection {name:?} does not exist"))
}

/// Moves what the catalog does not name to `orphaned/` in the data directory: what a crash left, or
/// what a catalog of another time does not know.
fn set_aside_all_but(data: &Path, directory: &Path, keep: &[String]) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if keep.iter().any(|kept| *kept == name) {
            continue;
        }
        let orphaned = data.join("orphaned");
        fs::create_dir_all(&orphaned)?;
        let parent = directory.file_name().unwrap_or_default().to_string_lossy();
        let target = orphaned.join(format!("{parent}-{name}-{}", now()));
        tracing::warn!(from = %path.display(), to = %target.display(), "set aside: the catalog does not name it");
        fs::rename(&path, &target)?;
        File::open(&orphaned)?.sync_all()?;
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Makes the directories of a new generation outlast a power cut, before the catalog names it.
fn make_durable(generation: &Path) -> Result<()> {
    // The generation's own, the collection's and the one of all collections.
    for directory in generation.ancestors().take(3) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

impl Held {
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
                record: Arc::new(record),
                generation: Some(Arc::new(generation)),
                is_unsettled: false,
            }),
            writing: RwLock::new(()),
            attaching: Mutex::new(()),
            change: Mutex::default(),
        }
    }
}

impl CollectionHandle {
    /// The collection's record.
    pub fn record(&self) -> Arc<CollectionRecord> {
        self.held.state.read().record.clone()
    }

    /// The current snapshot and its record, of one generation. `NotFound` once the collection is
    /// dropped.
    pub fn view(&self) -> Result<View> {
        let state = self.held.state.read();
        Ok(View {
            record: state.record.clone(),
            snapshot: state.generation()?.snapshot(),
        })
    }

    /// Validates operations and applies them as [`Collection::write_queued`] does. `generation` is that
    /// of the record the operations were prepared for; after a switch the answer is `Unavailable`,
    /// and they are to be prepared again.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field, as `operations[3].vector`.
    pub fn write(
        &self,
        generation: u64,
        operations: Vec<Operation>,
        position: Option<StreamPosition>,
        queued: impl FnOnce(),
    ) -> Result<Written> {
        let _writing = self.held.writing.read();
        let (serving, record) = {
            let state = self.held.state.read();
            if state.record.generation != generation {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the collection's SAEs were changed meanwhile; send the write again",
                ));
            }
            (state.changeable()?.clone(), state.record.clone())
        };
        let n_latents = record.n_latents();
        for (at, operation) in operations.iter().enumerate() {
            let valid = operation.validate(record.dimension, &n_latents);
            valid.within(&format!("operations[{at}]"))?;
        }
        serving.write_queued(operations, position, queued)
    }

    /// The commit a stream had reached, when this batch of it was written already.
    pub fn written(&self, position: &StreamPosition) -> Result<Option<u64>> {
        let generation = self.held.state.read().generation()?.clone();
        generation.written(position)
    }

    /// Merges all segments into one. Blocks until done.
    pub fn merge(&self) -> Result<()> {
        let generation = self.held.state.read().generation()?.clone();
        generation.merge()
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> Result<u64> {
        let generation = self.held.state.read().generation()?.clone();
        generation.disk_bytes()
    }

    /// The collection's saved sets, by name.
    pub fn saved_sets(&self) -> Result<BTreeMap<String, SavedSet>> {
        self.held.catalog.saved_sets(&self.record().id)
    }

    /// The saved set of a name, or `NotFound`.
    pub fn saved_set(&self, name: &str) -> Result<SavedSet> {
        let missing = || Error::not_found(format!("saved set {name:?} does not exist"));
        self.saved_sets()?.remove(name).ok_or_else(missing)
    }

    /// Saves a set under a name, replacing one of that name. `sae` is the hash of the SAE whose
    /// latents it tests, where it does, and `saes` those of the SAEs that it names.
    pub fn save_set(
        &self,
        name: &str,
        content: SetContent,
        sae: Option<String>,
        saes: BTreeMap<String, String>,
    ) -> Result<SavedSet> {
        validate_name(name)?;
        let set = SavedSet {
            name: name.to_owned(),
            created: now(),
            content,
            sae,
            saes,
        };
        self.held.catalog.put_saved_set(&self.record().id, &set)?;
        Ok(set)
    }

    /// Removes a saved set, or `NotFound`.
    pub fn remove_set(&self, name: &str) -> Result<()> {
        if self
            .held
            .catalog
            .remove_saved_set(&self.record().id, name)?
        {
            return Ok(());
        }
        Err(Error::not_found(format!(
            "saved set {name:?} does not exist"
        )))
    }

    /// The collection's records of a kind, by name.
    pub fn records<T: for<'a> Deserialize<'a>>(&self, kind: RecordKind) -> Result<Vec<T>> {
        self.held.catalog.records(&self.record().id, kind)
    }

    /// The record of a name, where there is one.
    pub fn record_of<T: for<'a> Deserialize<'a>>(
        &self,
        kind: RecordKind,
        name: &str,
    ) -> Result<Option<T>> {
        self.held.catalog.record_of(&self.record().id, kind, name)
    }

    /// Keeps a record under a name, replacing one of that name.
    pub fn put_record<T: Serialize>(&self, kind: RecordKind, name: &str, record: &T) -> Result<()> {
        validate_name(name)?;
        self.held
            .catalog
            .put_record(&self.record().id, kind, name, record)
    }

    /// Removes a record; false when there was none.
    pub fn remove_record(&self, kind: RecordKind, name: &str) -> Result<bool> {
        self.held
            .catalog
            .remove_record(&self.record().id, kind, name)
    }

    /// The catalog, for labels.
    pub fn catalog(&self) -> &Catalog {
        &self.held.catalog
    }
}

impl State {
    /// The generation, where the collection may be changed.
    fn changeable(&self) -> Result<&Arc<Collection>> {
        if self.is_unsettled {
            return Err(Error::precondition(format!(
                "collection {:?} takes no changes: a change of it in the catalog failed, and the \
                 disk may have it or not. Nothing was deleted; restart the server, which reads the \
                 catalog again",
                self.record.name
            )));
        }
        self.generation()
    }

    /// Notes how a change of the record in the catalog ended.
    fn settle(&mut self, changed: Result<()>) -> Result<()> {
        if let Err(error) = &changed {
            tracing::error!(collection = self.record.name, %error, "the catalog failed");
            self.is_unsettled = true;
        }
        changed
    }

    fn generation(&self) -> Result<&Arc<Collection>> {
        self.generation
            .as_ref()
            .ok_or_else(|| missing(&self.record.name))
    }
}
