//! Builds the graphs of a collection's segments beside everything else: a slice at a time, published in parts, taken
//! along by merges.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tantivy::index::SegmentId;

use super::graph_state::GraphProgress;
use super::shared::Shared;
use crate::dense::{DenseReader, Graph, GraphSettings, GrowingGraph, carry, moved_twice};
use crate::error::Result;
use crate::priority::in_graph_threads;
use crate::progress::Progress;
use crate::query::SCAN_BELOW;
use crate::snapshot::SegmentView;

/// How long the other duties of the background wait for a graph.
const SLICE: Duration = Duration::from_millis(200);
/// Rows inserted between two looks at the time.
const ROWS_OF_STEP: usize = 1024;
/// A segment must have lived so long, or the collection be quiet, before its graph is begun: a bulk load merges young
/// segments soon.
const AGE: Duration = Duration::from_secs(2);
/// A graph under construction is published after this long, or this many times what publishing took.
const PUBLISH_AFTER: Duration = Duration::from_secs(10);
const PUBLISH_SHARE: u32 = 10;
/// After a failure nothing is tried for this long.
const PAUSE: Duration = Duration::from_secs(10);
/// Self-queries that check a graph, and the share of them that must find themselves.
const GATE_QUERIES: usize = 200;
const GATE_RECALL: f64 = 0.97;

impl Shared {
    /// How far the graphs are.
    pub fn graph_progress(&self) -> GraphProgress {
        let snapshot = self.snapshot();
        let state = self.graph_state.lock();
        let wanting = snapshot.segments().iter().filter(|part| wants_graph(part));
        let (rows, known) = wanting.fold((0, 0), |(rows, known), part| {
            let n_rows = part.dense.n_rows() as u64;
            let is_settled = state.settled.contains(&part.reader.segment_id());
            (
                rows + n_rows,
                known + if is_settled { n_rows } else { known_rows(part) },
            )
        });
        // What is inserted and not published yet is not all there is to do.
        let share = match known == rows {
            true => 1.0,
            false => (known + state.inserted).min(rows - 1) as f64 / rows as f64,
        };
        GraphProgress {
            share,
            failure: state.failure.clone(),
        }
    }
}

/// A graph under construction.
struct Growing {
    id: SegmentId,
    dense: Arc<DenseReader>,
    graph: GrowingGraph,
    started: Instant,
    published: Instant,
    publishing: Duration,
    /// Rows that were missing when it was published last.
    missing: usize,
}

/// The graphs that the background builds.
#[derive(Default)]
pub(super) struct GraphBuilder {
    growing: Option<Growing>,
    /// When segments without a whole graph were seen first.
    seen: HashMap<SegmentId, Instant>,
    paused: Option<Instant>,
}

impl GraphBuilder {
    /// Does a slice of the work; true when there is more to do at once. What fails is noted, and tried again after a
    /// pause.
    pub fn step(&mut self, shared: &Shared, quiet: bool, progress: &Progress) -> bool {
        if self.paused.is_some_and(|since| since.elapsed() < PAUSE) {
            return false;
        }
        match self.try_step(shared, quiet, progress) {
            Ok(busy) => {
                if self.paused.take().is_some() {
                    shared.graph_state.lock().failure = None;
                }
                busy
            }
            Err(_) if progress.is_stopped() => false,
            Err(error) => {
                tracing::warn!(%error, "a graph is not built; it is tried again");
                self.growing = None;
                self.paused = Some(Instant::now());
                let mut state = shared.graph_state.lock();
                state.inserted = 0;
                state.failure = Some(error.to_string());
                false
            }
        }
    }

    fn try_step(&mut self, shared: &Shared, quiet: bool, progress: &Progress) -> Result<bool> {
        self.leave_dead(shared)?;
        self.carry(shared)?;
        if self.growing.is_none() {
            self.begin(shared, quiet)?;
        }
        let Some(growing) = &mut self.growing else {
            return Ok(false);
        };
        let started = Instant::now();
        while growing.graph.missing() > 0 && started.elapsed() < SLICE {
            let graph = &mut growing.graph;
            in_graph_threads(|| graph.grow(ROWS_OF_STEP, &|| progress.check()))?;
        }
        let inserted = growing.missing - growing.graph.missing();
        shared.graph_state.lock().inserted = inserted as u64;
        let is_whole = growing.graph.missing() == 0;
        let wait = PUBLISH_AFTER.max(growing.publishing * PUBLISH_SHARE);
        if is_whole || growing.published.elapsed() >= wait {
            let graph = growing.publish(shared, is_whole)?;
            shared.graph_state.lock().inserted = 0;
            if is_whole {
                shared.graph_state.lock().settled.insert(growing.id);
                let (seconds, rows) = (growing.started.elapsed(), growing.dense.n_rows());
                let seconds = seconds.as_secs_f64();
                tracing::info!(rows, known = graph, seconds, "built a graph");
                self.growing = None;
            }
        }
        Ok(true)
    }

    /// Leaves a graph under construction whose segment was merged away to the merged one.
    fn leave_dead(&mut self, shared: &Shared) -> Result<()> {
        let live = shared.live();
        shared
            .graph_state
            .lock()
            .settled
            .retain(|id| live.contains(id));
        self.seen.retain(|id, _| live.contains(id));
        if let Some(mut growing) = self.growing.take_if(|growing| !live.contains(&growing.id)) {
            shared.graph_state.lock().inserted = 0;
            if shared.lineages.is_source(growing.id) {
                let (graph, draft) = growing.freeze(shared)?;
                // What is mapped stays until nobody reads it.
                fs::remove_file(draft)?;
                shared.retired.lock().insert(growing.id, Arc::new(graph));
            }
        }
        Ok(())
    }

    /// Publishes what merged segments have of the graphs of their sources.
    fn carry(&mut self, shared: &Shared) -> Result<()> {
        for part in shared.snapshot().segments() {
            let id = part.reader.segment_id();
            if part.graph.is_none() && wants_graph(part) {
                let settings = GraphSettings::default();
                let carried = match ancestor(shared, id) {
                    Some((graph, moved)) => {
                        in_graph_threads(|| carry(&graph, &moved, &part.dense, settings))?
                    }
                    None => None,
                };
                if let Some(graph) = carried {
                    let mut growing = Growing::new(id, part.dense.clone(), graph);
                    growing.publish(shared, false)?;
                    // Where another one grows, this one is resumed after it.
                    self.growing.get_or_insert(growing);
                }
            }
            shared.lineages.forget(id);
        }
        let needed = |id: SegmentId| shared.lineages.is_source(id);
        shared.retired.lock().retain(|id, _| needed(*id));
        Ok(())
    }

    /// Begins, or resumes, the graph of the largest segment that has none or not a whole one.
    fn begin(&mut self, shared: &Shared, quiet: bool) -> Result<()> {
        let snapshot = shared.snapshot();
        let settled = shared.graph_state.lock().settled.clone();
        let wanting = snapshot.segments().iter().filter(|part| {
            let id = part.reader.segment_id();
            let is_whole = known_rows(part) == part.dense.n_rows() as u64;
            if !wants_graph(part) || is_whole || settled.contains(&id) {
                return false;
            }
            let seen = self.seen.entry(id).or_insert_with(Instant::now);
            quiet || seen.elapsed() >= AGE
        });
        let Some(part) = wanting.max_by_key(|part| part.dense.n_rows()) else {
            return Ok(());
        };
        let (dense, settings) = (part.dense.clone(), GraphSettings::default());
        let graph = match &part.graph {
            Some(graph) => GrowingGraph::resume(dense.clone(), settings, graph),
            None => GrowingGraph::new(dense.clone(), settings),
        };
        self.growing = Some(Growing::new(part.reader.segment_id(), dense, graph?));
        Ok(())
    }
}

impl Growing {
    fn new(id: SegmentId, dense: Arc<DenseReader>, graph: GrowingGraph) -> Self {
        let now = Instant::now();
        Self {
            id,
            dense,
            missing: graph.missing(),
            graph,
            started: now,
            published: now,
            publishing: Duration::ZERO,
        }
    }

    /// What is built so far, open, and the file it lies in.
    fn freeze(&mut self, shared: &Shared) -> Result<(Graph, PathBuf)> {
        let graph = &mut self.graph;
        let bytes = in_graph_threads(|| graph.freeze());
        let draft = shared.graph_path(self.id).with_extension("draft");
        fs::write(&draft, &bytes)?;
        Ok((Graph::open(&draft, self.dense.n_rows())?, draft))
    }

    /// Shows what is built so far; a whole graph is checked before. Returns the rows that it knows.
    fn publish(&mut self, shared: &Shared, is_whole: bool) -> Result<u64> {
        let started = Instant::now();
        let (graph, draft) = self.freeze(shared)?;
        let known = graph.known();
        if is_whole {
            let recall = self_recall(&graph, &self.dense);
            if recall < GATE_RECALL {
                tracing::warn!(recall, segment = %self.id.uuid_string(), "a graph failed its check; exact scans go on");
                fs::remove_file(&draft)?;
                shared.withdraw_graph(self.id)?;
                shared.graph_state.lock().failure = Some(format!(
                    "a graph of {} vectors found {:.1}% of them by themselves, of which {:.0}% are required: searches scan",
                    self.dense.n_rows(),
                    100.0 * recall,
                    100.0 * GATE_RECALL
                ));
                return Ok(0);
            }
        }
        fs::rename(&draft, shared.graph_path(self.id))?;
        shared.publish_graph(self.id, graph)?;
        self.missing = self.graph.missing();
        self.published = Instant::now();
        self.publishing = started.elapsed();
        Ok(known)
    }
}

/// Whether a segment is large enough for a graph to be of use.
fn wants_graph(part: &SegmentView) -> bool {
    part.dense.n_rows() as u64 >= SCAN_BELOW
}

/// Rows of a segment that its graph knows.
fn known_rows(part: &SegmentView) -> u64 {
    part.graph.as_ref().map_or(0, |graph| graph.known())
}

/// The graph that knows most of what a merged segment is made of, and the new rows of its own.
fn ancestor(shared: &Shared, id: SegmentId) -> Option<(Arc<Graph>, Vec<u32>)> {
    let sources = shared.lineages.sources(id).into_iter();
    let graphs = sources.filter_map(|(source, moved)| {
        let live = shared.graphs.read().get(&source).cloned();
        match live.or_else(|| shared.retired.lock().get(&source).cloned()) {
            Some(graph) => Some((graph, moved)),
            None => {
                let (graph, before) = ancestor(shared, source)?;
                Some((graph, moved_twice(&before, &moved)))
            }
        }
    });
    graphs.max_by_key(|(graph, _)| graph.known())
}

/// The share of sampled rows that a search for their own vector finds.
fn self_recall(graph: &Graph, dense: &DenseReader) -> f64 {
    let n_rows = dense.n_rows();
    let step = (n_rows / GATE_QUERIES).max(1);
    let mut asked = 0;
    let mut found = 0;
    for row in (0..n_rows).step_by(step) {
        if graph.missing().contains(row as u32) {
            continue;
        }
        let norm = dense.reciprocal_norms()[row];
        let unit: Vec<f32> = dense.vector(row).iter().map(|value| value * norm).collect();
        let hits = graph.search(dense, &unit, 1, 64, None);
        asked += 1;
        // An equal vector elsewhere counts: what matters is that the place is reached.
        found += usize::from(
            hits.is_some_and(|(hits, _)| hits.first().is_some_and(|hit| hit.score > 1.0 - 1e-4)),
        );
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
