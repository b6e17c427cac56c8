//! A collection by name: the generation that serves, or why none does, and what its handles share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use super::record_file::discard;
use crate::catalog::{Catalog, CollectionRecord};
use crate::collection::{Collection, GraphProgress, Operation, StreamPosition, Written};
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::progress::Progress;
use crate::snapshot::Snapshot;
use crate::storage::Storage;

/// A collection by name, whatever generation of it serves.
#[derive(Clone)]
pub struct CollectionHandle {
    pub(super) entry: Arc<CollectionEntry>,
}

/// What the handles of a collection share.
pub(super) struct CollectionEntry {
    pub directory: PathBuf,
    pub catalog: Arc<Catalog>,
    pub storage: Storage,
    /// Never held for long: whoever reads waits for it, on the async runtime too.
    pub state: RwLock<State>,
    /// CollectionEntry for reading while a write is on its way, for writing where writes must wait: before a
    /// switch of generations, and for a drop.
    pub writing: RwLock<()>,
    /// CollectionEntry while SAEs are being changed.
    pub attaching: Mutex<()>,
    /// The change of SAEs that is under way, which a drop ends.
    pub change: Mutex<Option<Arc<Progress>>>,
    /// Whether a change of the record in the catalog failed, and the catalog could not be read
    /// since: nobody knows which of the two the disk has.
    unsettled: AtomicBool,
}

#[derive(Clone)]
pub(super) struct State {
    pub record: Arc<CollectionRecord>,
    pub serving: Serving,
}

/// What answers for a collection.
#[derive(Clone)]
pub(super) enum Serving {
    /// Its generation.
    Open(Arc<Collection>),
    /// Nothing, since its files cannot be opened.
    Damaged(Arc<str>),
    /// Nothing, since it was dropped.
    Dropped,
}

/// What a request reads: a snapshot and the record that goes with it.
#[derive(Clone)]
pub struct View {
    /// The collection's record at the time.
    pub record: Arc<CollectionRecord>,
    /// Its documents at the time, in the space of the default SAE.
    pub snapshot: Arc<Snapshot>,
}

pub(super) fn missing(name: &str) -> Error {
    Error::not_found(format!("collection {name:?} does not exist"))
}

impl CollectionEntry {
    pub fn new(
        directory: PathBuf,
        catalog: &Arc<Catalog>,
        storage: &Storage,
        record: CollectionRecord,
        serving: Serving,
    ) -> Self {
        Self {
            directory,
            catalog: catalog.clone(),
            storage: storage.clone(),
            state: RwLock::new(State {
                record: Arc::new(record),
                serving,
            }),
            writing: RwLock::new(()),
            attaching: Mutex::new(()),
            change: Mutex::default(),
            unsettled: AtomicBool::new(false),
        }
    }

    /// The directory of a generation.
    pub fn generation(&self, number: u64) -> PathBuf {
        self.directory.join(number.to_string())
    }

    /// Notes how a change of the record in the catalog ended.
    pub fn note_change(&self, changed: Result<()>) -> Result<()> {
        if changed.is_err() && !self.catalog.is_settled() {
            tracing::error!("a change of a collection's record in the catalog may be made or not");
            self.unsettled.store(true, Ordering::Relaxed);
        }
        changed
    }

    /// Whether it is unknown which record the catalog has.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled.load(Ordering::Relaxed)
    }

    /// The generation, where the catalog is known to have this record and changes can be made.
    pub fn changeable<'s>(&self, state: &'s State) -> Result<&'s Arc<Collection>> {
        self.settle(state)?;
        state.generation()
    }

    /// Reads the catalog again after a change of unknown outcome.
    ///
    /// # Errors
    /// `FailedPrecondition` while it cannot be read, or where it has another record than serves.
    pub fn settle(&self, state: &State) -> Result<()> {
        let record = &state.record;
        if !self.is_unsettled() {
            return Ok(());
        }
        let recovered = self.catalog.recover();
        let found = recovered.and_then(|()| self.catalog.collection(&record.name));
        if !found.is_ok_and(|found| found.as_ref() == Some(record)) {
            return Err(Error::precondition(format!(
                "collection {:?} takes no changes: a change of it in the catalog failed, and the \
                 disk may have it or not. Nothing was deleted; restart the server, which reads the \
                 catalog again",
                record.name
            )));
        }
        // What the change would have switched to was not named.
        let unused = self.generation(record.generation + 1);
        if unused.exists() {
            discard(&unused)?;
        }
        self.unsettled.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl State {
    pub fn generation(&self) -> Result<&Arc<Collection>> {
        match &self.serving {
            Serving::Open(collection) => Ok(collection),
            Serving::Damaged(reason) => Err(Error::corrupted(format!(
                "collection {:?} cannot be opened: {reason}",
                self.record.name
            ))),
            Serving::Dropped => Err(missing(&self.record.name)),
        }
    }
}

impl CollectionHandle {
    /// The collection's record.
    pub fn record(&self) -> Arc<CollectionRecord> {
        self.entry.state.read().record.clone()
    }

    /// The current snapshot and its record, of one generation.
    ///
    /// # Errors
    /// `NotFound` once the collection is dropped, `Corrupted` where it cannot be opened.
    pub fn view(&self) -> Result<View> {
        let state = self.entry.state.read();
        Ok(View {
            record: state.record.clone(),
            snapshot: state.generation()?.snapshot(),
        })
    }

    /// What is damaged, if anything is known to be: the collection takes no changes then, and where
    /// it cannot be opened it answers nothing.
    pub fn damage(&self) -> Option<String> {
        match &self.entry.state.read().serving {
            Serving::Open(collection) => collection.damage(),
            Serving::Damaged(reason) => Some(reason.as_ref().to_owned()),
            Serving::Dropped => None,
        }
    }

    /// Whether a change of the collection in the catalog failed and it is unknown which record it has: the
    /// collection takes no changes until that is known.
    pub fn is_unsettled(&self) -> bool {
        self.entry.is_unsettled()
    }

    /// Segments whose checksums are still to be compared; none where the collection cannot be opened.
    pub fn unchecked_segments(&self) -> usize {
        match &self.entry.state.read().serving {
            Serving::Open(collection) => collection.unchecked_segments(),
            Serving::Damaged(_) | Serving::Dropped => 0,
        }
    }

    /// Compares all files with their checksums, as the background thread does after a start and once
    /// a day.
    ///
    /// # Errors
    /// `Corrupted` naming a file; the collection takes no changes then.
    pub fn check(&self) -> Result<()> {
        let generation = self.entry.state.read().generation()?.clone();
        generation.check()
    }

    /// Validates operations and applies them as [`Collection::write_queued`] does. `generation` is that
    /// of the record the operations were prepared for; after a switch the answer is `Unavailable`,
    /// and they are to be prepared again.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field, as `operations[3].vector`; `Corrupted` where files of the
    /// collection are damaged.
    pub fn write(
        &self,
        generation: u64,
        operations: Vec<Operation>,
        position: Option<StreamPosition>,
        queued: impl FnOnce(),
    ) -> Result<Written> {
        let _writing = self.entry.writing.read();
        let (serving, record) = {
            let state = self.entry.state.read();
            if state.record.generation != generation {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the collection's SAEs were changed meanwhile; send the write again",
                ));
            }
            (self.entry.changeable(&state)?.clone(), state.record.clone())
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
        let generation = self.entry.state.read().generation()?.clone();
        generation.written(position)
    }

    /// Texts written so far of which vectors know the beginning alone.
    pub fn cut_texts(&self) -> Result<u64> {
        let generation = self.entry.state.read().generation()?.clone();
        generation.cut_texts()
    }

    /// How far the graphs of its vectors are.
    pub fn graph_progress(&self) -> Result<GraphProgress> {
        let generation = self.entry.state.read().generation()?.clone();
        Ok(generation.graph_progress())
    }

    /// Merges all segments into one. Blocks until done.
    pub fn merge(&self) -> Result<()> {
        let generation = self.entry.state.read().generation()?.clone();
        generation.merge()
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> Result<u64> {
        let generation = self.entry.state.read().generation()?.clone();
        generation.disk_bytes()
    }
}
