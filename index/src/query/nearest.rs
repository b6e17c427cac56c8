//! Nearest neighbours by cosine: the graph, or an exact scan where that is faster or asked for.

use rayon::prelude::*;

use super::Nearest;
use crate::dense::{DenseReader, Graph, PassingRows};
use crate::filter::AllowedInSegment;
use crate::priority::spread;
use crate::rank::TopK;
use crate::snapshot::SegmentView;
use crate::vector::dot;

/// Below this many allowed documents of a segment a scan beats the graph.
pub(crate) const SCAN_BELOW: u64 = 20_000;
/// A scan of less than one of so many of a segment's documents beats the graph.
const SCAN_SHARE: u64 = 10;
/// Rows below which a scan is not worth a second thread.
const ROWS_PER_TASK: usize = 4096;

/// Rows between the one compared and the one asked for from memory.
const AHEAD: usize = 16;

/// How a segment was searched.
#[derive(Clone, Copy, Default)]
pub(super) struct Searched {
    /// Along the graph.
    pub graph: bool,
    /// By comparing all allowed rows, or those that the graph does not know.
    pub scan: bool,
    /// Vectors compared.
    pub compared: u64,
}

/// Offers a segment's best `k` documents to `top`, as numbers of the snapshot. `unit` is the query
/// vector at unit norm.
pub(super) fn search_segment(
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    nearest: &Nearest,
    unit: &[f32],
    k: usize,
    top: &mut TopK,
) -> Searched {
    let n_docs = u64::from(segment.reader.max_doc());
    let few = allowed.count() < SCAN_BELOW || allowed.count() * SCAN_SHARE < n_docs;
    let graph = segment.graph.as_deref().filter(|_| !nearest.exact && !few);
    let walked = graph.and_then(|graph| walk(segment, graph, allowed, nearest, unit, k, top));
    match walked {
        Some(searched) => searched,
        None => Searched {
            graph: false,
            scan: true,
            compared: scan(segment, rows(&segment.dense, allowed), unit, k, top),
        },
    }
}

/// Walks the graph and scans what it does not know; `None` where a scan of everything does no more work.
fn walk(
    segment: &SegmentView,
    graph: &Graph,
    allowed: &AllowedInSegment,
    nearest: &Nearest,
    unit: &[f32],
    k: usize,
    top: &mut TopK,
) -> Option<Searched> {
    let dense = &segment.dense;
    let contains = |row: u32| allowed.contains(dense.doc_of(row as usize));
    let examples = |count: u64| {
        let docs = allowed.examples(count).into_iter();
        docs.filter_map(|doc| dense.row_of(doc).map(|row| row as u32))
            .collect()
    };
    let passing = PassingRows {
        contains: &contains,
        examples: &examples,
        count: allowed.count(),
    };
    let passing = (!allowed.is_complete()).then_some(&passing);
    let (hits, compared) = graph.search(dense, unit, k, nearest.ef, passing)?;
    for hit in hits {
        top.push(segment.base + hit.doc, hit.score);
    }
    let missing: Vec<u32> = graph
        .missing()
        .iter()
        .filter(|row| contains(*row))
        .collect();
    Some(Searched {
        graph: true,
        scan: !missing.is_empty(),
        compared: compared as u64 + scan(segment, missing, unit, k, top),
    })
}

/// The rows of the allowed documents.
fn rows(dense: &DenseReader, allowed: &AllowedInSegment) -> Vec<u32> {
    if allowed.is_everything() {
        return (0..dense.n_rows() as u32).collect();
    }
    let mut rows: Vec<u32> = Vec::with_capacity(allowed.count() as usize);
    allowed.for_each(|doc| rows.extend(dense.row_of(doc).map(|row| row as u32)));
    rows
}

/// Compares rows, exactly: the codes bound each row's cosine, and rows that may be among the best `k`
/// are scored by their vectors. Returns how many they are.
fn scan(segment: &SegmentView, rows: Vec<u32>, unit: &[f32], k: usize, top: &mut TopK) -> u64 {
    let dense = &segment.dense;
    let query = dense.codes().query(unit);
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
