//! What a collection does between requests: sees finished merges, compares files with their
//! checksums, asks for a merge where many small segments add up, and builds, loads and removes
//! graphs.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tantivy::index::SegmentId;

use super::shared::Shared;
use crate::dense::{DenseReader, Graph, GraphSettings, build_graph};
use crate::error::{Error, ErrorKind, Result};
use crate::priority::give_way;
use crate::progress::Progress;
use crate::query::SCAN_BELOW;
use crate::snapshot::SegmentView;

/// How often the thread looks around.
const TICK: Duration = Duration::from_millis(100);
/// Without a write for this long, small segments are merged and graphs are begun.
const QUIET: Duration = Duration::from_millis(700);
/// How often all files are compared with their checksums.
const SCRUB: Duration = Duration::from_secs(24 * 60 * 60);
/// Self-queries that check a graph, and the share of them that must find themselves.
const GATE_QUERIES: usize = 200;
const GATE_RECALL: f64 = 0.97;

/// The thread; dropping it stops it and waits.
pub(super) struct Background {
    progress: Arc<Progress>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Background {
    pub fn start(
        shared: &Arc<Shared>,
        merge: impl Fn(Vec<SegmentId>) + Send + 'static,
    ) -> Result<Self> {
        let progress = Arc::new(Progress::default());
        let worker = Worker {
            shared: Arc::downgrade(shared),
            merge: Box::new(merge),
            progress: progress.clone(),
            scrubbed: Instant::now(),
            refused: HashSet::new(),
            merging: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("latentdb-background".into())
            .spawn(move || worker.run())?;
        Ok(Self {
            progress,
            thread: Some(thread),
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.progress.stop();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

struct Worker {
    shared: Weak<Shared>,
    merge: Box<dyn Fn(Vec<SegmentId>) + Send>,
    progress: Arc<Progress>,
    /// When all files were last due to be compared with their checksums.
    scrubbed: Instant,
    /// Segments whose graph failed the gate; they stay with exact scans.
    refused: HashSet<SegmentId>,
    /// Segments of the last merge asked for; the same merge is not asked for twice.
    merging: Vec<SegmentId>,
}

impl Worker {
    fn run(mut self) {
        give_way();
        let mut seen = 0;
        let mut changed = Instant::now();
        while !self.progress.is_stopped() {
            std::thread::park_timeout(TICK);
            let Some(shared) = self.shared.upgrade() else {
                return;
            };
            let sequence = shared.snapshot().sequence();
            if sequence != seen {
                seen = sequence;
                changed = Instant::now();
            }
            let quiet = changed.elapsed() >= QUIET;
            match catch_unwind(AssertUnwindSafe(|| self.tick(&shared, quiet))) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "background work on a collection failed; it is tried again");
                }
                Err(_) => {
                    tracing::error!("background work on a collection panicked; it is tried again");
                }
            }
        }
    }

    fn tick(&mut self, shared: &Arc<Shared>, quiet: bool) -> Result<()> {
        shared.refresh_if_merged()?;
        self.scrub(shared)?;
        if !quiet || shared.damage.reason().is_some() {
            return Ok(());
        }
        let snapshot = shared.snapshot();
        let bare = |segment: &&SegmentView| {
            segment.graph.is_none() && (segment.dense.n_rows() as u64) < SCAN_BELOW
        };
        let small: Vec<_> = snapshot.segments().iter().filter(bare).collect();
        let rows: u64 = small.iter().map(|part| part.dense.n_rows() as u64).sum();
        if small.len() > 1 && rows >= SCAN_BELOW {
            let ids: Vec<_> = small.iter().map(|part| part.reader.segment_id()).collect();
            if ids != self.merging {
                (self.merge)(ids.clone());
                self.merging = ids;
            }
            return Ok(());
        }
        let wanting = snapshot.segments().iter().find(|segment| {
            segment.graph.is_none()
                && segment.dense.n_rows() as u64 >= SCAN_BELOW
                && !self.refused.contains(&segment.reader.segment_id())
        });
        if let Some(segment) = wanting {
            self.build(shared, segment.reader.segment_id(), &segment.dense)?;
        }
        Ok(())
    }

    /// Compares the files of one segment that is due with their checksums, in half of the time that
    /// passes.
    fn scrub(&mut self, shared: &Shared) -> Result<()> {
        if self.scrubbed.elapsed() >= SCRUB {
            self.scrubbed = Instant::now();
            *shared.unchecked.lock() = shared.live();
        }
        let due = shared.unchecked.lock().iter().next().copied();
        let Some(id) = due else {
            return Ok(());
        };
        let before = Cell::new(Instant::now());
        let proceed = || {
            std::thread::sleep(before.get().elapsed());
            before.set(Instant::now());
            self.progress.check()
        };
        match shared.check(id, &proceed) {
            Err(error) if error.kind() == ErrorKind::Corrupted => {
                // Known and shown now; there is no use in reading it again before the next scrub.
                shared.unchecked.lock().remove(&id);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => Ok(()),
            checked => checked,
        }
    }

    fn build(&mut self, shared: &Arc<Shared>, id: SegmentId, dense: &DenseReader) -> Result<()> {
        let started = Instant::now();
        let proceed = || {
            if !shared.is_live(id) {
                return Err(Error::cancelled());
            }
            self.progress.check()
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|at| format!("latentdb-graph-{at}"))
            .build()
            .map_err(|error| Error::internal("a thread pool").with_source(error))?;
        let bytes = match build_graph(dense, GraphSettings::default(), &pool, &proceed) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::Cancelled => return Ok(()),
            Err(error) => return Err(error),
        };
        let path = shared.graph_path(id);
        let draft = path.with_extension("draft");
        fs::write(&draft, &bytes)?;
        let graph = Graph::open(&draft, dense.n_rows())?;
        let recall = self_recall(&graph, dense);
        if recall < GATE_RECALL {
            fs::remove_file(&draft)?;
            self.refused.insert(id);
            tracing::warn!(recall, segment = %id.uuid_string(), "a graph failed its check; exact scans go on");
            return Ok(());
        }
        fs::rename(&draft, &path)?;
        shared.publish_graph(id, graph)?;
        tracing::info!(
            rows = dense.n_rows(),
            recall,
            seconds = started.elapsed().as_secs_f64(),
            "built a graph"
        );
        Ok(())
    }
}

/// The share of sampled rows that a search for their own vector finds.
fn self_recall(graph: &Graph, dense: &DenseReader) -> f64 {
    let n_rows = dense.n_rows();
    let step = (n_rows / GATE_QUERIES).max(1);
    let mut asked = 0;
    let mut found = 0;
    for row in (0..n_rows).step_by(step) {
        let norm = dense.reciprocal_norms()[row];
        let unit: Vec<f32> = dense.vector(row).iter().map(|value| value * norm).collect();
        let (hits, _) = graph.search(dense, &unit, 1, 64, |_| true);
        asked += 1;
        // An equal vector elsewhere counts: what matters is that the place is reached.
        found += usize::from(hits.first().is_some_and(|hit| hit.score > 1.0 - 1e-4));
    }
    f64::from(found as u32) / f64::from(asked.max(1))
}

/// Opens the graphs that lie ready for `live` segments (with their row counts) and removes the
/// files of segments that are gone, and damaged ones, unless `read_only`.
pub(super) fn load_graphs(
    directory: &PathBuf,
    live: &HashMap<SegmentId, usize>,
    read_only: bool,
) -> Result<HashMap<SegmentId, Arc<Graph>>> {
    let mut graphs = HashMap::new();
    if read_only && !directory.is_dir() {
        return Ok(graphs);
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let segment = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| SegmentId::from_uuid_string(stem).ok())
            .filter(|_| {
                path.extension()
                    .is_some_and(|extension| extension == "graph")
            });
        let opened = segment.and_then(|id| {
            let rows = *live.get(&id)?;
            match Graph::open(&path, rows) {
                Ok(graph) => Some((id, graph)),
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a graph is rebuilt");
                    None
                }
            }
        });
        match opened {
            Some((id, graph)) => {
                graphs.insert(id, Arc::new(graph));
            }
            None if read_only => {}
            None => fs::remove_file(&path)?,
        }
    }
    Ok(graphs)
}
