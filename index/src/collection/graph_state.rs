//! What the thread that builds graphs tells others.

use std::collections::HashSet;

use tantivy::index::SegmentId;

/// How far the graphs of a collection are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphProgress {
    /// Vectors that graphs serve or that are inserted into them, of those in segments that get one; 1 where no segment
    /// is large enough.
    pub share: f64,
    /// Why a graph is not built, where one is not: what failed is tried again; a graph that did not pass its check is
    /// not.
    pub failure: Option<String>,
}

/// What the thread that builds tells others.
#[derive(Default)]
pub(super) struct GraphState {
    /// Rows inserted since the graph under construction was published last.
    pub inserted: u64,
    /// Segments whose graph is as good as it gets, and those whose graph failed the gate: they stay with exact scans.
    pub settled: HashSet<SegmentId>,
    pub failure: Option<String>,
}
