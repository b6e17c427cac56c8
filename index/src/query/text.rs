//! BM25 top-k under a set of allowed documents. Statistics are those of the snapshot; they count
//! deleted documents until their segments are merged.

use tantivy::query::{EnableScoring, Query as _, TermQuery};
use tantivy::schema::IndexRecordOption;

use super::word_forms;
use crate::error::Result;
use crate::filter::{Allowed, QueryWord, TextMode, text_query, text_words};
use crate::rank::TopK;
use crate::snapshot::Snapshot;

/// Queries of more different words read each posting list once and add up scores: skipping by upper
/// bounds costs more with every word.
const SUM_ABOVE: usize = 16;

/// Offers the best matches to `top`, as numbers of the snapshot. Returns the documents scored.
pub(super) fn search(
    snapshot: &Snapshot,
    allowed: &Allowed,
    text: &str,
    mode: TextMode,
    top: &mut TopK,
) -> Result<u64> {
    if mode.is_expanded() {
        let mut scored = 0;
        let found = word_forms::scores(snapshot, text, mode)?;
        let segments = snapshot.segments().iter().zip(allowed.segments());
        for ((segment, allowed), found) in segments.zip(found) {
            scored += found.len() as u64;
            let found = found.into_iter().filter(|&(doc, _)| allowed.contains(doc));
            found.for_each(|(doc, score)| top.push(segment.base + doc, score));
        }
        return Ok(scored);
    }
    let words = text_words(snapshot, text)?;
    if mode == TextMode::Any && words.len() > SUM_ABOVE {
        return sum(snapshot, allowed, &words, top);
    }
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

/// The documents with any of the words, each with the sum of its words' scores.
fn sum(snapshot: &Snapshot, allowed: &Allowed, words: &[QueryWord], top: &mut TopK) -> Result<u64> {
    let scoring = EnableScoring::enabled_from_searcher(snapshot.searcher());
    let weights = words.iter().map(|word| {
        let query = TermQuery::new(word.term.clone(), IndexRecordOption::WithFreqs);
        Ok((query.weight(scoring)?, word.count as f32))
    });
    let weights = weights.collect::<Result<Vec<_>>>()?;
    let mut scored = 0;
    for (segment, allowed) in snapshot.segments().iter().zip(allowed.segments()) {
        if allowed.count() == 0 {
            continue;
        }
        let mut scores = vec![0.0_f32; segment.reader.max_doc() as usize];
        for (weight, count) in &weights {
            weight.for_each(&segment.reader, &mut |doc, score| {
                scores[doc as usize] += score * count;
            })?;
        }
        for (doc, &score) in (0..).zip(&scores) {
            if score > 0.0 {
                scored += 1;
                if allowed.contains(doc) {
                    top.push(segment.base + doc, score);
                }
            }
        }
    }
    Ok(scored)
}
