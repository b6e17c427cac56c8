//! What the writer, the background thread and the readers of a generation share: its index, the
//! current snapshot, its graphs.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tantivy::index::SegmentId;
use tantivy::{Index, IndexReader};

use super::check::check_segment;
use super::graph_state::GraphState;
use super::positions::CommitPayload;
use crate::dense::{Graph, Lineages};
use crate::error::{ErrorKind, Result};
use crate::schema::Fields;
use crate::snapshot::{ComponentCache, Snapshot};
use crate::storage::{Damage, Storage};

/// Times a snapshot is tried while merges and commits move the files.
const REFRESH_ATTEMPTS: usize = 16;

/// What the writer, the background thread and readers share.
pub(super) struct Shared {
    /// tantivy's directory.
    pub directory: PathBuf,
    /// Graph directory, one file per segment id.
    pub graph_directory: PathBuf,
    pub fields: Fields,
    pub index: Index,
    pub reader: IndexReader,
    pub current: RwLock<Arc<Snapshot>>,
    pub graphs: RwLock<HashMap<SegmentId, Arc<Graph>>>,
    /// Those of segments that were merged away, until the merged ones have taken them along.
    pub retired: Mutex<HashMap<SegmentId, Arc<Graph>>>,
    pub lineages: Arc<Lineages>,
    pub graph_state: Mutex<GraphState>,
    pub cache: Mutex<ComponentCache>,
    /// Ids changed since tracking began; `None` while nobody tracks them.
    pub changes: Mutex<Option<HashSet<String>>>,
    pub storage: Storage,
    /// What is known to be damaged; nothing is changed once something is.
    pub damage: Damage,
    /// Segments whose files are still to be compared with their checksums.
    pub unchecked: Mutex<HashSet<SegmentId>>,
}

impl Shared {
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().clone()
    }

    /// Makes what tantivy's manifest says the current snapshot.
    pub fn refresh(&self) -> Result<()> {
        let mut cache = self.cache.lock();
        for left in (0..REFRESH_ATTEMPTS).rev() {
            let sequence = self.stored_sequence()?;
            self.reader.reload()?;
            let opened = Snapshot::new(
                self.reader.searcher(),
                self.fields.clone(),
                sequence,
                &mut cache,
                &self.graphs.read(),
            );
            match opened {
                // A commit between the two readings would put its number on the data before it.
                Ok(_) if left > 0 && self.stored_sequence()? != sequence => {}
                Ok(snapshot) => {
                    *self.current.write() = Arc::new(snapshot);
                    break;
                }
                // A merge has ended, and its sources went before our components were open.
                Err(error) if left > 0 => tracing::debug!(%error, "a snapshot is taken again"),
                Err(error) => return Err(error),
            }
        }
        self.drop_dead_graphs();
        Ok(())
    }

    /// Number of the last commit on disk.
    pub fn stored_sequence(&self) -> Result<u64> {
        Ok(self.stored_payload()?.sequence)
    }

    pub fn stored_payload(&self) -> Result<CommitPayload> {
        CommitPayload::parse(self.index.load_metas()?.payload.as_deref())
    }

    /// Refreshes when what is on disk is not what is shown: after a merge, or where showing a
    /// commit failed.
    pub fn refresh_if_merged(&self) -> Result<()> {
        let stored: HashSet<SegmentId> = self.index.searchable_segment_ids()?.into_iter().collect();
        if stored == self.live() && self.snapshot().sequence() == self.stored_sequence()? {
            return Ok(());
        }
        self.refresh()
    }

    /// Compares the files of a segment with their checksums and notes damage. `proceed` is asked
    /// before each MiB.
    ///
    /// # Errors
    /// `Corrupted` naming the file.
    pub fn check(&self, id: SegmentId, proceed: &dyn Fn() -> Result<()>) -> Result<()> {
        let mut failed = None;
        let stored = || -> Result<_> {
            let segments = self.index.searchable_segment_metas()?;
            Ok(segments.into_iter().find(|segment| segment.id() == id))
        };
        while let Some(segment) = stored()? {
            match check_segment(&self.directory, &segment, proceed) {
                Ok(()) => break,
                // A merge or a delete may have taken a file away meanwhile.
                Err(error)
                    if error.kind() == ErrorKind::Corrupted
                        && failed != Some(segment.delete_opstamp()) =>
                {
                    failed = Some(segment.delete_opstamp());
                }
                Err(error) => {
                    if error.kind() == ErrorKind::Corrupted {
                        self.damage.note(&error);
                    }
                    return Err(error);
                }
            }
        }
        self.unchecked.lock().remove(&id);
        Ok(())
    }

    /// [`Self::check`] where it is still to be done.
    pub fn ensure_checked(&self, id: SegmentId) -> Result<()> {
        let is_due = self.unchecked.lock().contains(&id);
        if is_due {
            self.check(id, &|| Ok(()))?;
        }
        Ok(())
    }

    /// Ids of the segments of the current snapshot.
    pub fn live(&self) -> HashSet<SegmentId> {
        let snapshot = self.snapshot();
        let segments = snapshot.segments().iter();
        segments
            .map(|segment| segment.reader.segment_id())
            .collect()
    }

    pub fn is_live(&self, id: SegmentId) -> bool {
        self.live().contains(&id)
    }

    pub fn graph_path(&self, id: SegmentId) -> PathBuf {
        self.graph_directory
            .join(format!("{}.graph", id.uuid_string()))
    }

    pub fn publish_graph(&self, id: SegmentId, graph: Graph) -> Result<()> {
        self.graphs.write().insert(id, Arc::new(graph));
        self.refresh()
    }

    /// Takes a graph that was shown away.
    pub fn withdraw_graph(&self, id: SegmentId) -> Result<()> {
        if self.graphs.write().remove(&id).is_some() {
            fs::remove_file(self.graph_path(id))?;
        }
        self.refresh()
    }

    pub fn drop_dead_graphs(&self) {
        self.graphs.write().retain(|&id, graph| {
            let live = self.is_live(id);
            if !live && self.lineages.is_source(id) {
                self.retired.lock().insert(id, graph.clone());
            }
            if !live && let Err(error) = fs::remove_file(self.graph_path(id)) {
                tracing::warn!(%error, "a graph file of a merged segment stays behind");
            }
            live
        });
    }

    pub fn note_changes<'a>(&self, ids: impl Iterator<Item = &'a String>) {
        if let Some(changes) = self.changes.lock().as_mut() {
            changes.extend(ids.cloned());
        }
    }
}
