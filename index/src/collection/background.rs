//! What a collection does between requests: sees finished merges, compares files with their
//! checksums, asks for a merge where many small segments add up, and has graphs built.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tantivy::index::SegmentId;

use super::graphs::GraphBuilder;
use super::shared::Shared;
use crate::error::{ErrorKind, Result};
use crate::priority::give_way;
use crate::progress::Progress;
use crate::query::SCAN_BELOW;
use crate::snapshot::SegmentView;

/// How often the thread looks around.
const TICK: Duration = Duration::from_millis(100);
/// Without a write for this long, small segments are merged and graphs are begun at once.
const QUIET: Duration = Duration::from_millis(700);
/// While writes go on, small segments are merged no more often than this, and when they hold this many times the rows
/// of one that gets a graph.
const MERGE_PAUSE: Duration = Duration::from_secs(5);
const MERGE_ROWS: u64 = 2;
/// How often all files are compared with their checksums.
const SCRUB: Duration = Duration::from_secs(24 * 60 * 60);

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
            graphs: GraphBuilder::default(),
            merging: Vec::new(),
            merged: Instant::now(),
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
    graphs: GraphBuilder,
    /// Segments of the last merge asked for; the same merge is not asked for twice.
    merging: Vec<SegmentId>,
    /// When that was.
    merged: Instant,
}

impl Worker {
    fn run(mut self) {
        give_way();
        let mut seen = 0;
        let mut changed = Instant::now();
        let mut busy = false;
        while !self.progress.is_stopped() {
            if !busy {
                std::thread::park_timeout(TICK);
            }
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
                Ok(Ok(more)) => busy = more,
                Ok(Err(error)) => {
                    busy = false;
                    tracing::warn!(%error, "background work on a collection failed; it is tried again");
                }
                Err(_) => {
                    busy = false;
                    tracing::error!("background work on a collection panicked; it is tried again");
                }
            }
        }
    }

    /// True when there is more to do at once.
    fn tick(&mut self, shared: &Shared, quiet: bool) -> Result<bool> {
        shared.refresh_if_merged()?;
        self.scrub(shared)?;
        if shared.damage.reason().is_some() {
            return Ok(false);
        }
        let may_merge = quiet || self.merged.elapsed() >= MERGE_PAUSE;
        if may_merge && self.merge_small(shared, if quiet { 1 } else { MERGE_ROWS }) {
            return Ok(false);
        }
        Ok(self.graphs.step(shared, quiet, &self.progress))
    }

    /// Asks for a merge of small segments that together hold `share` times the rows of one that gets a graph; true
    /// when one is under way.
    fn merge_small(&mut self, shared: &Shared, share: u64) -> bool {
        let snapshot = shared.snapshot();
        let bare = |segment: &&SegmentView| {
            segment.graph.is_none() && (segment.dense.n_rows() as u64) < SCAN_BELOW
        };
        let small: Vec<_> = snapshot.segments().iter().filter(bare).collect();
        let rows: u64 = small.iter().map(|part| part.dense.n_rows() as u64).sum();
        if small.len() < 2 || rows < share * SCAN_BELOW {
            return false;
        }
        let ids: Vec<_> = small.iter().map(|part| part.reader.segment_id()).collect();
        if ids != self.merging {
            (self.merge)(ids.clone());
            self.merging = ids;
            self.merged = Instant::now();
        }
        true
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
}
