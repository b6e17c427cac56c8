//! The scores that a leaf gives to given documents, wherever they were found.

use tantivy::DocSet;
use tantivy::query::EnableScoring;

use super::{Kind, ResolvedQuery, boost, effective_weights, latents, latents_bm25, word_forms};
use crate::error::{Error, Result};
use crate::filter::{Allowed, AllowedInSegment, TextMode, text_query};
use crate::snapshot::{SegmentView, Snapshot};
use crate::vector::unit;

/// The score of each of `docs`, ascending numbers of the snapshot, in a leaf of a resolved query;
/// `None` where the leaf does not score the document or does not allow it.
pub(super) fn scores(
    snapshot: &Snapshot,
    query: &ResolvedQuery,
    allowed: &Allowed,
    docs: &[u32],
) -> Result<Vec<Option<f32>>> {
    match &query.kind {
        Kind::Nearest(nearest) => {
            let unit = unit(&nearest.vector);
            Ok(each(snapshot, allowed, docs, |segment, doc| {
                boost::cosine(segment, doc, &unit)
            }))
        }
        Kind::Boost(nearest, boosts) => {
            let unit = unit(&nearest.vector);
            let weights = boosts.effective(snapshot);
            Ok(each(snapshot, allowed, docs, |segment, doc| {
                boost::score(segment, doc, &unit, &weights)
            }))
        }
        Kind::Latents(wanted) => {
            let weights = effective_weights(wanted, snapshot);
            Ok(each(snapshot, allowed, docs, |segment, doc| {
                latents::score_row(segment.latents.row(doc), &weights)
            }))
        }
        Kind::LatentsBm25(bm25) => {
            let scorer = latents_bm25::Scorer::new(bm25, snapshot);
            Ok(each(snapshot, allowed, docs, |segment, doc| {
                scorer.score(segment.latents.row(doc))
            }))
        }
        Kind::Text { text, mode } => text_scores(snapshot, allowed, text, *mode, docs),
        Kind::Matching(_) => Ok(each(snapshot, allowed, docs, |_, _| Some(0.0))),
        Kind::Fusion { .. } | Kind::Except { .. } => Err(Error::internal(
            "a ranking of rankings gives no scores to single documents",
        )),
    }
}

fn each(
    snapshot: &Snapshot,
    allowed: &Allowed,
    docs: &[u32],
    score: impl Fn(&SegmentView, u32) -> Option<f32>,
) -> Vec<Option<f32>> {
    let mut scores = Vec::with_capacity(docs.len());
    for (segment, allowed, docs) in by_segment(snapshot, allowed, docs) {
        scores.extend(docs.iter().map(|doc| {
            let doc = doc - segment.base;
            allowed.contains(doc).then(|| score(segment, doc)).flatten()
        }));
    }
    scores
}

/// The documents of each segment, with the segment and what is allowed of it.
fn by_segment<'a>(
    snapshot: &'a Snapshot,
    allowed: &'a Allowed,
    docs: &'a [u32],
) -> impl Iterator<Item = (&'a SegmentView, &'a AllowedInSegment, &'a [u32])> {
    let segments = snapshot.segments().iter().zip(allowed.segments());
    segments.map(move |(segment, allowed)| {
        let end = u64::from(segment.base) + u64::from(segment.reader.max_doc());
        let from = docs.partition_point(|&doc| doc < segment.base);
        let to = docs.partition_point(|&doc| u64::from(doc) < end);
        (segment, allowed, &docs[from..to])
    })
}

fn text_scores(
    snapshot: &Snapshot,
    allowed: &Allowed,
    text: &str,
    mode: TextMode,
    docs: &[u32],
) -> Result<Vec<Option<f32>>> {
    if mode.is_expanded() {
        let found = word_forms::scores(snapshot, text, mode)?;
        let mut scores = Vec::with_capacity(docs.len());
        for ((segment, allowed, docs), found) in by_segment(snapshot, allowed, docs).zip(found) {
            scores.extend(docs.iter().map(|doc| {
                let doc = doc - segment.base;
                let place = found.binary_search_by_key(&doc, |&(doc, _)| doc).ok()?;
                allowed.contains(doc).then_some(found[place].1)
            }));
        }
        return Ok(scores);
    }
    let query = text_query(snapshot, text, mode)?;
    let weight = query.weight(EnableScoring::enabled_from_searcher(snapshot.searcher()))?;
    let mut scores = Vec::with_capacity(docs.len());
    for (segment, allowed, docs) in by_segment(snapshot, allowed, docs) {
        let mut scorer = weight.scorer(&segment.reader, 1.0)?;
        for doc in docs {
            let doc = doc - segment.base;
            if scorer.doc() < doc {
                scorer.seek(doc);
            }
            let found = scorer.doc() == doc && allowed.contains(doc);
            scores.push(found.then(|| scorer.score()));
        }
    }
    Ok(scores)
}
