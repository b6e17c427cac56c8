//! One generation of a collection's data: a tantivy index with LatentDB's two components, its
//! writer, its snapshots and its graphs.
//!
//! A generation is bound to its SAEs. Attaching or detaching one builds a new generation while it
//! serves ([`crate::database`]).

mod background;
mod check;
mod freeze;
mod graph_state;
mod graphs;
mod operation;
mod plan;
mod positions;
mod shared;
mod verify;
mod writer;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tantivy::schema::Schema;
use tantivy::{Index, ReloadPolicy};

use crate::dense::{DensePlugin, Lineages};
use crate::error::{Error, Result};
use crate::latents::LatentsPlugin;
use crate::schema::Fields;
use crate::snapshot::{ComponentCache, Snapshot};
use crate::storage::{Damage, IndexDirectory, Storage, unseal};
use crate::text::Analyzer;
use background::Background;
use positions::CommitPayload;
use shared::Shared;
use writer::WriterHandle;

pub use graph_state::GraphProgress;
pub use operation::{
    MatchingUpdate, Operation, Passages, Requirement, StreamPosition, Update, Written,
};
pub(crate) use verify::verify;

/// An open generation.
pub struct Collection {
    // Dropped in this order: the background thread, then the writer, then what they share.
    background: Option<Background>,
    writer: WriterHandle,
    shared: Arc<Shared>,
}

impl Collection {
    /// Opens the generation in `directory`, creating one with the default [`Analyzer`] when there
    /// is none.
    pub fn open(directory: &Path) -> Result<Self> {
        Self::open_on(directory, &Storage::default(), Analyzer::default())
    }

    /// [`Self::open`] on a disk; a new one gets `analyzer`, an existing one has its own.
    pub(crate) fn open_on(directory: &Path, storage: &Storage, analyzer: Analyzer) -> Result<Self> {
        let index_directory = directory.join("index");
        let graph_directory = directory.join("graphs");
        let read_only = storage.is_read_only();
        if !read_only {
            fs::create_dir_all(&index_directory)?;
            fs::create_dir_all(&graph_directory)?;
        }
        let damage = Damage::default();
        let lineages = Arc::default();
        let (index, fields) = open_index(&index_directory, analyzer, storage, &damage, &lineages)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        let payload = CommitPayload::parse(index.load_metas()?.payload.as_deref())?;

        let mut cache = ComponentCache::default();
        let open = |cache: &mut ComponentCache, graphs: &HashMap<_, _>| {
            Snapshot::new(
                reader.searcher(),
                fields.clone(),
                payload.sequence,
                cache,
                graphs,
            )
        };
        let bare = open(&mut cache, &HashMap::new())?;
        let live = bare
            .segments()
            .iter()
            .map(|segment| (segment.reader.segment_id(), segment.dense.n_rows()))
            .collect();
        let graphs = graphs::load_graphs(&graph_directory, &live, read_only)?;
        let snapshot = open(&mut cache, &graphs)?;
        let shared = Arc::new(Shared {
            directory: index_directory,
            graph_directory,
            fields: fields.clone(),
            index: index.clone(),
            reader: reader.clone(),
            current: RwLock::new(Arc::new(snapshot)),
            graphs: RwLock::new(graphs),
            retired: Mutex::default(),
            lineages,
            graph_state: Mutex::default(),
            cache: Mutex::new(cache),
            changes: Mutex::new(None),
            storage: storage.clone(),
            damage,
            // What is there was written by an earlier process.
            unchecked: Mutex::new(live.into_keys().collect()),
        });
        let writer = WriterHandle::start(shared.clone())?;
        // It writes graphs and merges.
        let background = match read_only {
            true => None,
            false => Some(Background::start(&shared, writer.merge_these())?),
        };
        Ok(Self {
            background,
            writer,
            shared,
        })
    }

    /// The current snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot()
    }

    /// Applies operations in order, all or none; returns when they are durable and visible.
    /// Documents must be valid, as those are that [`CollectionHandle`](crate::CollectionHandle)
    /// writes. `position` makes a retry harmless.
    ///
    /// Blocks for the length of a commit: call it off the async runtime.
    pub fn write(
        &self,
        operations: Vec<Operation>,
        position: Option<StreamPosition>,
    ) -> Result<Written> {
        self.write_queued(operations, position, || {})
    }

    /// As [`Self::write`]; `queued` is called as soon as the write has its place: writes queued
    /// after that are applied after it.
    pub fn write_queued(
        &self,
        operations: Vec<Operation>,
        position: Option<StreamPosition>,
        queued: impl FnOnce(),
    ) -> Result<Written> {
        self.shared.storage.refuse_changes()?;
        self.shared.damage.refuse()?;
        self.writer.write(operations, position, queued)
    }

    /// The commit a stream had reached, when this batch of it is durable.
    pub fn written(&self, position: &StreamPosition) -> Result<Option<u64>> {
        Ok(self.shared.stored_payload()?.written(position))
    }

    /// Texts written so far of which vectors know the beginning alone, those included that were replaced or deleted.
    pub fn cut_texts(&self) -> Result<u64> {
        Ok(self.shared.stored_payload()?.cut_texts)
    }

    /// Resumes from the commit number and stream positions of an older generation, to which nothing
    /// is written meanwhile.
    pub(crate) fn adopt_positions(&self, older: &Collection) -> Result<()> {
        self.writer.adopt(older.shared.stored_payload()?)
    }

    /// Shows what is durable, where showing a commit failed.
    pub(crate) fn refresh(&self) -> Result<()> {
        self.shared.refresh_if_merged()
    }

    /// Whether there is a generation in a directory.
    pub(crate) fn exists(directory: &Path) -> bool {
        directory.join("index").join("meta.json").is_file()
    }

    /// Merges all segments into one and drops deleted documents. Blocks until done.
    pub fn merge(&self) -> Result<()> {
        self.shared.storage.refuse_changes()?;
        self.shared.damage.refuse()?;
        self.writer.merge(&self.shared)
    }

    /// What is damaged, if anything is known to be: the collection takes no changes then.
    pub fn damage(&self) -> Option<String> {
        self.shared.damage.reason().map(str::to_owned)
    }

    /// How far the graphs of its vectors are.
    pub fn graph_progress(&self) -> GraphProgress {
        self.shared.graph_progress()
    }

    /// Compares the files of all segments with their checksums.
    ///
    /// # Errors
    /// `Corrupted` naming the first file that is damaged; the collection takes no changes then.
    pub fn check(&self) -> Result<()> {
        let mut segments = self.shared.live().into_iter();
        segments.try_for_each(|id| self.shared.check(id, &|| Ok(())))
    }

    /// Segments whose checksums are still to be compared since the start or the last round.
    pub fn unchecked_segments(&self) -> usize {
        self.shared.unchecked.lock().len()
    }

    /// Begins to collect the ids of changed documents.
    pub(crate) fn track_changes(&self) {
        *self.shared.changes.lock() = Some(HashSet::new());
    }

    /// The ids changed since the last call, or since tracking began.
    pub(crate) fn take_changes(&self) -> HashSet<String> {
        self.shared
            .changes
            .lock()
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Ends the collection of changed ids.
    pub(crate) fn stop_tracking(&self) {
        *self.shared.changes.lock() = None;
    }

    /// Bytes of the generation's files.
    pub fn disk_bytes(&self) -> Result<u64> {
        let mut total = 0;
        for directory in [&self.shared.directory, &self.shared.graph_directory] {
            for entry in fs::read_dir(directory)? {
                // A file may be removed by a merge between listing and reading.
                total += entry?.metadata().map_or(0, |data| data.len());
            }
        }
        Ok(total)
    }
}

/// Opens the index in a directory, creating it when there is none.
fn open_index(
    directory: &Path,
    analyzer: Analyzer,
    storage: &Storage,
    damage: &Damage,
    lineages: &Arc<Lineages>,
) -> Result<(Index, Fields)> {
    let fields = fields_of(directory, analyzer)?;
    let index = Index::builder()
        .schema(fields.schema.clone())
        .register_plugin(Arc::new(LatentsPlugin))
        .register_plugin(Arc::new(DensePlugin(lineages.clone())))
        .open_or_create(IndexDirectory::open(directory, storage, damage)?)?;
    fields.analyzer.register(index.tokenizers());
    Ok((index, fields))
}

/// The fields of the index in a directory; those of a new one where there is none.
fn fields_of(directory: &Path, analyzer: Analyzer) -> Result<Fields> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        schema: Schema,
    }
    let path = directory.join("meta.json");
    let manifest = match fs::read(&path) {
        Ok(bytes) => unseal(bytes, &path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Fields::new(analyzer)),
        Err(error) => return Err(error.into()),
    };
    let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| {
        Error::corrupted("the manifest of an index is not readable").with_source(error)
    })?;
    Fields::of(manifest.schema)
}

impl Drop for Collection {
    fn drop(&mut self) {
        self.background = None;
    }
}
