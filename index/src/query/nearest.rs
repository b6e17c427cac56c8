//! Nearest neighbours by cosine: the graph, or an exact scan where that is faster or asked for.

use rayon::prelude::*;

use super::Nearest;
use crate::filter::AllowedInSegment;
use crate::priority::spread;
use crate::rank::TopK;
use crate::snapshot::SegmentView;
use crate::vector::dot;

/// Below this many allowed documents of a segment a scan beats the graph.
pub(crate) const SCAN_BELOW: u64 = 20_000;
/// Rows below which a scan is not worth a second thread.
const ROWS_PER_TASK: usize = 4096;

/// Rows between the one compared and the one asked for from memory.
const AHEAD: usize = 16;

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
            let (hits, compared) = graph.search(&segment.dense, unit, k, nearest.ef, contains);
            for hit in hits {
                top.push(segment.base + hit.doc, hit.score);
            }
            (Access::Graph, compared as u64)
        }
        _ => (Access::Scan, scan(segment, allowed, unit, k, top)),
    }
}

/// Compares every allowed row, exactly: the codes bound each row's cosine, and rows that may be
/// among the best `k` are scored by their vectors.
fn scan(
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    unit: &[f32],
    k: usize,
    top: &mut TopK,
) -> u64 {
    let dense = &segment.dense;
    let query = dense.codes().query(unit);
    let mut rows: Vec<u32> = Vec::new();
    if allowed.is_everything() {
        rows.extend(0..dense.n_rows() as u32);
    } else {
        rows.reserve(allowed.count() as usize);
        allowed.for_each(|doc| rows.extend(dense.row_of(doc).map(|row| row as u32)));
    }
    let mut cosines = vec![0.0_f32; rows.len()];
    // The k-th best of what the rows reach at least.
    let floor = |rows: &[u32], cosines: &mut [f32]| {
        let mut least = TopK::new(k);
        for (at, (&row, cosine)) in rows.iter().zip(cosines).enumerate() {
            if let Some(&ahead) = rows.get(at + AHEAD) {
                query.prefetch(ahead as usize);
            }
            *cosine = query.cosine(row as usize);
            if *cosine > least.threshold() {
                least.push(row, *cosine - query.error(row as usize));
            }
        }
        least.into_sorted()
    };
    let least = if rows.len() < 2 * ROWS_PER_TASK {
        floor(&rows, &mut cosines)
    } else {
        spread(|| {
            rows.par_chunks(ROWS_PER_TASK)
                .zip(cosines.par_chunks_mut(ROWS_PER_TASK))
                .flat_map_iter(|(rows, cosines)| floor(rows, cosines))
                .collect()
        })
    };
    let mut best = TopK::new(k);
    for found in least {
        best.push(found.doc, found.score);
    }
    let norms = dense.reciprocal_norms();
    for (&row, cosine) in rows.iter().zip(cosines) {
        let row = row as usize;
        if cosine + query.error(row) >= best.threshold() {
            let score = dot(unit, dense.vector(row)) * norms[row];
            top.push(segment.base + dense.doc_of(row), score);
        }
    }
    rows.len() as u64
}
