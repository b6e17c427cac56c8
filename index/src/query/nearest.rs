//! Nearest neighbours by cosine: the graph, or an exact scan where that is faster or asked for.

use rayon::prelude::*;

use super::Nearest;
use super::allowed::AllowedInSegment;
use crate::collection::SegmentView;
use crate::dense::dot;
use crate::rank::TopK;

/// Below this many allowed documents of a segment a scan beats the graph.
pub(crate) const SCAN_BELOW: u64 = 20_000;
/// Rows below which a scan is not worth a second thread.
const ROWS_PER_TASK: usize = 4096;

/// How a segment was searched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Graph,
    Scan,
}

/// Offers a segment's best `k` documents to `top`, as numbers of the snapshot. `unit` is the query
/// vector at unit norm. Returns the access path and the vectors compared.
pub(super) fn search_segment(
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    nearest: &Nearest,
    unit: &[f32],
    k: usize,
    top: &mut TopK,
) -> (Access, u64) {
    let n_docs = u64::from(segment.reader.max_doc());
    let few = allowed.count() < SCAN_BELOW || allowed.count() * 10 < n_docs;
    match &segment.graph {
        Some(graph) if !nearest.exact && !few => {
            let contains = |doc| allowed.contains(doc);
            let (hits, compared) = graph.search(&segment.dense, unit, k, nearest.ef, &contains);
            for hit in hits {
                top.push(segment.base + hit.doc, hit.score);
            }
            (Access::Graph, compared as u64)
        }
        _ => (Access::Scan, scan(segment, allowed, unit, k, top)),
    }
}

fn scan(
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    unit: &[f32],
    k: usize,
    top: &mut TopK,
) -> u64 {
    let dense = &segment.dense;
    let norms = dense.reciprocal_norms();
    let score = |row: usize| dot(unit, dense.vector(row)) * norms[row];
    let rows: Vec<usize>;
    let n_rows = if allowed.is_everything() {
        rows = Vec::new();
        dense.n_rows()
    } else {
        rows = allowed.iter().filter_map(|doc| dense.row_of(doc)).collect();
        rows.len()
    };
    let row_at = |at: usize| {
        if allowed.is_everything() {
            at
        } else {
            rows[at]
        }
    };
    let part = |range: std::ops::Range<usize>| {
        let mut part = TopK::new(k);
        for at in range {
            let row = row_at(at);
            part.push(dense.doc_of(row), score(row));
        }
        part.into_sorted()
    };
    let hits = if n_rows < 2 * ROWS_PER_TASK {
        part(0..n_rows)
    } else {
        (0..n_rows.div_ceil(ROWS_PER_TASK))
            .into_par_iter()
            .map(|task| part(task * ROWS_PER_TASK..n_rows.min((task + 1) * ROWS_PER_TASK)))
            .flatten()
            .collect()
    };
    for hit in hits {
        top.push(segment.base + hit.doc, hit.score);
    }
    n_rows as u64
}
