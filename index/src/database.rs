//! A data directory: its catalog and its collections, each with the generation that serves.
//!
//! ```text
//! DIR/catalog.redb
//! DIR/collections/<collection id>/<generation>/{record.json,index,graphs}
//! ```

mod aliases;
mod attach;
mod embed;
mod entry;
mod frozen;
mod names;
mod pending;
mod record_file;
mod records;
mod repair;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::catalog::{AttachedSae, Catalog, CollectionRecord, in_use};
use crate::collection::Collection;
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::storage::{CatalogFile, Faults, Storage};
use crate::text::Analyzer;
use entry::{CollectionEntry, Serving, missing};
use pending::Pending;

pub use entry::{CollectionHandle, View};
pub use frozen::Frozen;
pub use names::{now, validate_name};
pub use repair::{Repaired, repair};
pub use verify::{Damaged, Verified, verify};

/// An open data directory.
pub struct Database {
    directory: PathBuf,
    catalog: Arc<Catalog>,
    storage: Storage,
    collections: RwLock<BTreeMap<String, Arc<CollectionEntry>>>,
    /// The collections that aliases stand for. Taken after `collections`.
    aliases: RwLock<BTreeMap<String, String>>,
    /// Creations of unknown outcome.
    pending: Pending,
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

impl Database {
    /// Opens a data directory, creating it when it does not exist. Directories of collections and
    /// generations that the catalog does not name (left by a crash, or newer than a catalog that was
    /// put back) are moved to `orphaned/`. A collection that cannot be opened keeps its files and
    /// answers with the reason ([`CollectionHandle::damage`]); the others serve.
    ///
    /// # Errors
    /// `Corrupted` where the catalog is missing or cannot be read; [`repair()`] rebuilds it.
    pub fn open(directory: &Path) -> Result<Self> {
        Self::open_on(directory, Storage::default())
    }

    /// [`Self::open`] on a disk whose steps end as `faults` says, for tests.
    pub fn open_with_faults(directory: &Path, faults: Arc<dyn Faults>) -> Result<Self> {
        Self::open_on(directory, Storage::failing(faults))
    }

    /// Opens a data directory to read from it alone: nothing in it is changed, so that its disk may be one
    /// that nothing can be written to. No process may write to it meanwhile. Changes are refused.
    ///
    /// # Errors
    /// `NotFound` where there is no data directory; `FailedPrecondition` while another process has it open to
    /// write; `Corrupted` where the catalog cannot be read.
    pub fn open_read_only(directory: &Path) -> Result<Self> {
        crate::priority::start_pool();
        let root = directory.join("collections");
        if !Catalog::exists(directory) || !root.is_dir() {
            return Err(Error::not_found(format!(
                "{} is not a data directory with a catalog",
                directory.display()
            )));
        }
        let path = Catalog::path(directory);
        // A disk that takes no writes gives no file to lock, and has no writer.
        if let Ok(file) = CatalogFile::open(&path, &Storage::default())
            && !file.lock()
        {
            return Err(in_use(&path));
        }
        let catalog = Arc::new(Catalog::open_read_only(directory)?);
        let storage = Storage::read_only();
        let mut collections = BTreeMap::new();
        for record in catalog.collections()? {
            let path = root.join(&record.id);
            let serving = serve_generation(&path, &record, &storage);
            let name = record.name.clone();
            let entry = CollectionEntry::new(path, &catalog, &storage, record, serving);
            collections.insert(name, Arc::new(entry));
        }
        Ok(Self {
            directory: directory.to_owned(),
            aliases: RwLock::new(catalog.aliases()?),
            catalog,
            storage,
            collections: RwLock::new(collections),
            pending: Pending::default(),
        })
    }

    fn open_on(directory: &Path, storage: Storage) -> Result<Self> {
        crate::priority::start_pool();
        let root = directory.join("collections");
        create_durably(&root, &storage)?;
        let repairable = |problem: String| {
            let directory = directory.display();
            Error::corrupted(format!(
                "the catalog of {directory} {problem}: put a copy of it back, or rebuild it from \
                 the collections with `latentdb repair {directory}`"
            ))
        };
        if !Catalog::exists(directory) && fs::read_dir(&root)?.next().is_some() {
            return Err(repairable("is missing".to_owned()));
        }
        let read = Catalog::open(directory, &storage)
            .and_then(|catalog| Ok((catalog.collections()?, catalog)));
        let (records, catalog) = read.map_err(|error| match error.kind() {
            ErrorKind::Corrupted => repairable(format!("cannot be read ({error})")),
            _ => error,
        })?;
        if let Err(error) = catalog.back_up() {
            tracing::warn!(%error, "the backup of the catalog is not renewed");
        }
        storage.sync_directory(directory)?;
        let catalog = Arc::new(catalog);
        let mut collections = BTreeMap::new();
        let mut known = Vec::new();
        for record in records {
            let path = root.join(&record.id);
            let serving = serve_generation(&path, &record, &storage);
            if matches!(serving, Serving::Open(_)) {
                set_aside_all_but(directory, &path, &[record.generation.to_string()])?;
            }
            known.push(record.id.clone());
            let name = record.name.clone();
            let entry = CollectionEntry::new(path, &catalog, &storage, record, serving);
            collections.insert(name, Arc::new(entry));
        }
        set_aside_all_but(directory, &root, &known)?;
        Ok(Self {
            directory: directory.to_owned(),
            aliases: RwLock::new(catalog.aliases()?),
            catalog,
            storage,
            collections: RwLock::new(collections),
            pending: Pending::default(),
        })
    }

    /// Refuses a change of files beside the collections where nothing is to be written.
    ///
    /// # Errors
    /// `FailedPrecondition`.
    pub fn refuse_changes(&self) -> Result<()> {
        self.storage.refuse_changes()
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates a collection. `AlreadyExists` when the name is taken.
    pub fn create(&self, new: NewCollection) -> Result<CollectionHandle> {
        self.storage.refuse_changes()?;
        validate_name(&new.name)?;
        new.analyzer.validate().within("analyzer")?;
        self.settle_creations();
        let mut collections = self.collections.write();
        if collections.contains_key(&new.name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("collection {:?} already exists", new.name),
            ));
        }
        self.check_is_no_alias(&new.name)?;
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
        let made = Collection::open_on(&path.join("1"), &self.storage, record.analyzer);
        let made = made.and_then(|generation| {
            record_file::complete(&path.join("1"), &record, &self.storage)?;
            self.catalog.put_collection(&record)?;
            Ok(generation)
        });
        let generation = made.map_err(|error| {
            let error = self.storage.explain(error);
            if !self.catalog.is_settled() {
                self.pending.add(record.clone());
                return self.unknown_or(error, &record.name, "created");
            }
            self.remove_files(&record);
            error
        })?;
        let name = record.name.clone();
        let serving = Serving::Open(Arc::new(generation));
        let entry = CollectionEntry::new(path, &self.catalog, &self.storage, record, serving);
        let entry = Arc::new(entry);
        collections.insert(name, entry.clone());
        Ok(CollectionHandle { entry })
    }

    /// The collection of a name, its own or an alias, or `NotFound`.
    pub fn collection(&self, name: &str) -> Result<CollectionHandle> {
        self.settle_creations();
        let collections = self.collections.read();
        let entry = collections.get(name).cloned().or_else(|| {
            let collection = self.behind(name)?;
            collections.get(&collection).cloned()
        });
        let entry = entry.ok_or_else(|| missing(name))?;
        Ok(CollectionHandle { entry })
    }

    /// All collections, by name.
    pub fn collections(&self) -> Vec<CollectionHandle> {
        self.settle_creations();
        let collections = self.collections.read();
        let handles = collections.values();
        handles
            .map(|entry| CollectionHandle {
                entry: entry.clone(),
            })
            .collect()
    }

    /// Drops a collection and its files. Snapshots that are still held go on reading; a change of
    /// its SAEs that is under way ends with `NotFound`. Blocks until both have let go.
    pub fn drop_collection(&self, name: &str) -> Result<()> {
        self.storage.refuse_changes()?;
        self.settle_creations();
        self.check_may_drop(name)?;
        let entry = self.collections.read().get(name).cloned();
        let entry = entry.ok_or_else(|| missing(name))?;
        let (served, generation) = {
            // Waits for writes on their way; those behind it see the empty state.
            let _no_writes = entry.writing.write();
            let mut state = entry.state.write();
            entry.settle(&state)?;
            if matches!(state.serving, Serving::Dropped) {
                return Err(missing(name));
            }
            let removed = entry.note_change(self.catalog.remove_collection(&state.record));
            removed.map_err(|error| self.unknown_or(error, name, "dropped"))?;
            let served = std::mem::replace(&mut state.serving, Serving::Dropped);
            (served, entry.generation(state.record.generation))
        };
        self.collections.write().remove(name);
        drop(served);
        if let Some(change) = &*entry.change.lock() {
            change.stop();
        }
        let _no_attach = entry.attaching.lock();
        let removed = record_file::discard(&generation)
            .and_then(|()| Ok(fs::remove_dir_all(&entry.directory)?));
        if let Err(error) = removed {
            tracing::warn!(%error, "files of a dropped collection are set aside at the next start");
        }
        Ok(())
    }
}

impl Database {
    /// Serves or removes collections whose creation had an unknown outcome, once the catalog says
    /// which it was.
    fn settle_creations(&self) {
        self.pending.settle(&self.catalog, |record, was_created| {
            if was_created {
                self.serve(record);
            } else {
                self.remove_files(&record);
            }
        });
    }

    /// The error of a change of the catalog, which says so where nobody knows whether it was made.
    fn unknown_or(&self, error: Error, name: &str, done: &str) -> Error {
        if self.catalog.is_settled() {
            return error;
        }
        let message = format!(
            "{}; whether collection {name:?} was {done} is not known until the catalog can be read \
             again",
            error.message()
        );
        Error::new(error.kind(), message).with_source(error)
    }

    fn serve(&self, record: CollectionRecord) {
        let path = self.directory.join("collections").join(&record.id);
        let serving = serve_generation(&path, &record, &self.storage);
        let name = record.name.clone();
        tracing::warn!(collection = name, "was created: the catalog names it");
        let entry = CollectionEntry::new(path, &self.catalog, &self.storage, record, serving);
        self.collections.write().insert(name, Arc::new(entry));
    }

    fn remove_files(&self, record: &CollectionRecord) {
        let path = self.directory.join("collections").join(&record.id);
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(%error, "files of a collection that was not made stay behind");
        }
    }
}

/// The generation that a record names, open, or why it cannot be.
fn serve_generation(path: &Path, record: &CollectionRecord, storage: &Storage) -> Serving {
    match open_generation(path, record, storage) {
        Ok(generation) => Serving::Open(Arc::new(generation)),
        Err(error) => {
            tracing::error!(collection = record.name, %error, "a collection cannot be opened");
            Serving::Damaged(error.to_string().into())
        }
    }
}

/// Opens the generation that a record names, and renews the record in it where it differs.
fn open_generation(
    path: &Path,
    record: &CollectionRecord,
    storage: &Storage,
) -> Result<Collection> {
    let generation = path.join(record.generation.to_string());
    if !Collection::exists(&generation) {
        return Err(Error::corrupted(format!(
            "the catalog names generation {} of collection {:?}, which is not in {}: the catalog or \
             the directory is of another time",
            record.generation,
            record.name,
            generation.display()
        )));
    }
    // What reads a damaged file may panic.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        Collection::open_on(&generation, storage, record.analyzer)
    }));
    let collection = opened.unwrap_or_else(|_| {
        let shown = generation.display();
        Err(Error::corrupted(format!("files in {shown} are damaged")))
    })?;
    let is_recorded = record_file::read(&generation).is_ok_and(|found| found == *record);
    if is_recorded || storage.is_read_only() {
        return Ok(collection);
    }
    if let Err(error) = record_file::complete(&generation, record, storage) {
        tracing::warn!(%error, "the record in a collection's directory is not that of the catalog");
    }
    Ok(collection)
}

/// Creates a directory and those above it that are missing, so that they outlast a power cut.
fn create_durably(directory: &Path, storage: &Storage) -> Result<()> {
    let ancestors = directory.ancestors().skip(1);
    let missing = std::iter::once(directory).chain(ancestors);
    let missing = missing.take_while(|path| *path != Path::new("") && !path.exists());
    let parents: Vec<&Path> = missing.filter_map(Path::parent).collect();
    fs::create_dir_all(directory)?;
    for parent in parents {
        let parent = if parent == Path::new("") {
            Path::new(".")
        } else {
            parent
        };
        storage.sync_directory(parent)?;
    }
    Ok(())
}

/// Moves what the catalog does not name to `orphaned/` in the data directory: what a crash left, or
/// what a catalog of another time does not know. What cannot be moved stays where it is.
fn set_aside_all_but(data: &Path, directory: &Path, keep: &[String]) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if keep.iter().any(|kept| *kept == name) {
            continue;
        }
        if let Err(error) = set_aside(data, &path) {
            tracing::warn!(%error, path = %path.display(), "what the catalog does not name stays");
        }
    }
    Ok(())
}

/// Moves an entry to `orphaned/` in the data directory; returns where it is then.
fn set_aside(data: &Path, path: &Path) -> Result<PathBuf> {
    let storage = Storage::default();
    let orphaned = data.join("orphaned");
    create_durably(&orphaned, &storage)?;
    let directory = path.parent().unwrap_or(data);
    let parent = directory.file_name().unwrap_or_default().to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let target = orphaned.join(format!("{parent}-{name}-{}", now()));
    tracing::warn!(from = %path.display(), to = %target.display(), "set aside: the catalog does not name it");
    fs::rename(path, &target)?;
    storage.sync_directory(&orphaned)?;
    storage.sync_directory(directory)?;
    Ok(target)
}
