//! BM25 top-k under a set of allowed documents. Statistics are those of the snapshot; they count
//! deleted documents until their segments are merged.

use tantivy::query::EnableScoring;

use crate::error::Result;
use crate::filter::{Allowed, TextMode, text_query};
use crate::rank::TopK;
use crate::snapshot::Snapshot;

/// Offers the best matches to `top`, as numbers of the snapshot. Returns the documents scored.
pub(super) fn search(
    snapshot: &Snapshot,
    allowed: &Allowed,
    text: &str,
    mode: TextMode,
    top: &mut TopK,
) -> Result<u64> {
    let query = text_query(snapshot, text, mode)?;
    let weight = query.weight(EnableScoring::enabled_from_searcher(snapshot.searcher()))?;
    let mut scored = 0;
    for (segment, allowed) in snapshot.segments().iter().zip(allowed.segments()) {
        if allowed.count() == 0 {
            continue;
        }
        weight.for_each_pruning(top.threshold(), &segment.reader, &mut |doc, score| {
            scored += 1;
            if allowed.contains(doc) {
                top.push(segment.base + doc, score);
            }
            top.threshold()
        })?;
    }
    Ok(scored)
}
