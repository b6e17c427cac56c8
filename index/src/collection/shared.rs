//! What the writer, the background thread and the readers of a generation share: its index, the
//! current snapshot, its graphs.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tantivy::index::SegmentId;
use tantivy::{Index, IndexReader};

use super::positions::CommitPayload;
use crate::dense::Graph;
use crate::error::Result;
use crate::schema::Fields;
use crate::snapshot::{ComponentCache, Snapshot};

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
    pub cache: Mutex<ComponentCache>,
    /// Ids changed since tracking began; `None` while nobody tracks them.
    pub changes: Mutex<Option<HashSet<String>>>,
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
        let snapshot = self.snapshot();
        let open: HashSet<SegmentId> = snapshot
            .segments()
            .iter()
            .map(|segment| segment.reader.segment_id())
            .collect();
        if stored == open && snapshot.sequence() == self.stored_sequence()? {
            return Ok(());
        }
        self.refresh()
    }

    pub fn is_live(&self, id: SegmentId) -> bool {
        let snapshot = self.snapshot();
        let mut segments = snapshot.segments().iter();
        segments.any(|segment| segment.reader.segment_id() == id)
    }

    pub fn graph_path(&self, id: SegmentId) -> PathBuf {
        self.graph_directory
            .join(format!("{}.graph", id.uuid_string()))
    }

    pub fn publish_graph(&self, id: SegmentId, graph: Graph) -> Result<()> {
        self.graphs.write().insert(id, Arc::new(graph));
        self.refresh()
    }

    pub fn drop_dead_graphs(&self) {
        self.graphs.write().retain(|&id, _| {
            let live = self.is_live(id);
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
