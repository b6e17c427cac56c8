//! Evaluates a resolved filter to the bitmap of a segment's living documents.

use std::ops::Bound;

use roaring::RoaringBitmap;
use tantivy::query::{BooleanQuery, EmptyQuery, EnableScoring, PhraseQuery, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, Searcher, TERMINATED, Term};

use super::columns::from_sorted;
use super::{Filter, Referent, ResolvedFilter, TextMode, attribute_columns};
use crate::error::Result;
use crate::snapshot::{SegmentView, Snapshot};

/// The living documents of `segment` that `filter` describes.
pub(crate) fn evaluate(
    filter: &ResolvedFilter,
    snapshot: &Snapshot,
    segment: &SegmentView,
) -> Result<RoaringBitmap> {
    let mut docs = matching(filter, snapshot, segment)?;
    if let Some(alive) = &segment.alive {
        docs &= alive;
    }
    Ok(docs)
}

/// As [`evaluate`], deleted documents left in or not: the caller takes them out once.
fn matching(
    filter: &ResolvedFilter,
    snapshot: &Snapshot,
    segment: &SegmentView,
) -> Result<RoaringBitmap> {
    let n_docs = segment.reader.max_doc();
    match filter {
        Filter::All => Ok(all(n_docs)),
        Filter::Latent {
            latent,
            lower,
            upper,
        } => match segment.latents.list(*latent) {
            None => Ok(RoaringBitmap::new()),
            Some(list) if *lower == Bound::Unbounded && *upper == Bound::Unbounded => list.set(),
            Some(list) => {
                let mut inside = Vec::new();
                let bounds = (*lower, *upper);
                list.for_each(|docs, activations| {
                    let pairs = docs.iter().zip(activations);
                    inside.extend(
                        pairs
                            .filter(|(_, activation)| {
                                std::ops::RangeBounds::contains(&bounds, *activation)
                            })
                            .map(|(&doc, _)| doc),
                    );
                });
                Ok(from_sorted(&inside))
            }
        },
        // Debug output tells apart all values and kinds.
        Filter::Attribute { name, test } => segment.tests.get(format!("{name:?} {test:?}"), || {
            let mut docs = RoaringBitmap::new();
            for column in attribute_columns(&segment.reader, name)? {
                docs |= column.matching(test, n_docs)?;
            }
            Ok(docs)
        }),
        Filter::Ids(ids) => documents_with_ids(ids, snapshot, segment),
        Filter::Text { text, mode } => matching_text(text, *mode, snapshot, segment),
        Filter::And(parts) => {
            let mut parts = parts.iter();
            let Some(first) = parts.next() else {
                return Ok(all(n_docs));
            };
            let mut docs = matching(first, snapshot, segment)?;
            for part in parts {
                if docs.is_empty() {
                    break;
                }
                // `a and not b` needs no complement of b.
                match part {
                    Filter::Not(part) => docs -= matching(part, snapshot, segment)?,
                    part => docs &= matching(part, snapshot, segment)?,
                }
            }
            Ok(docs)
        }
        Filter::Or(parts) => {
            let mut docs = RoaringBitmap::new();
            for part in parts {
                docs |= matching(part, snapshot, segment)?;
            }
            Ok(docs)
        }
        Filter::Not(part) => Ok(all(n_docs) - matching(part, snapshot, segment)?),
        Filter::Named(Referent::Ids(ids)) => documents_with_ids(ids, snapshot, segment),
        Filter::Named(Referent::InSpace { space, filter }) => {
            matching(filter, snapshot, &segment.in_space(*space)?)
        }
    }
}

fn all(n_docs: u32) -> RoaringBitmap {
    let mut docs = RoaringBitmap::new();
    docs.insert_range(0..n_docs);
    docs
}

fn documents_with_ids(
    ids: &[String],
    snapshot: &Snapshot,
    segment: &SegmentView,
) -> Result<RoaringBitmap> {
    let index = segment.reader.inverted_index(snapshot.fields().id)?;
    let mut docs = RoaringBitmap::new();
    for id in ids {
        let term = Term::from_field_text(snapshot.fields().id, id);
        if let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? {
            let mut doc = postings.doc();
            while doc != TERMINATED {
                docs.insert(doc);
                doc = postings.advance();
            }
        }
    }
    Ok(docs)
}

fn matching_text(
    text: &str,
    mode: TextMode,
    snapshot: &Snapshot,
    segment: &SegmentView,
) -> Result<RoaringBitmap> {
    let query = text_query(snapshot, text, mode)?;
    let scoring = EnableScoring::disabled_from_searcher(snapshot.searcher());
    let weight = query.weight(scoring)?;
    let mut docs = RoaringBitmap::new();
    weight.for_each_no_score(&segment.reader, &mut |batch| {
        docs.extend(batch.iter().copied());
    })?;
    Ok(docs)
}

/// The engine's query for words: any of them, all of them, or the phrase. Words the analyser
/// drops match nothing.
pub(crate) fn text_query(
    snapshot: &Snapshot,
    text: &str,
    mode: TextMode,
) -> Result<Box<dyn Query>> {
    let terms = analyse(snapshot.searcher(), snapshot.fields().text, text)?;
    Ok(match (terms.len(), mode) {
        (0, _) => Box::new(EmptyQuery),
        (1, _) => Box::new(TermQuery::new(
            terms[0].1.clone(),
            IndexRecordOption::WithFreqs,
        )),
        (_, TextMode::Phrase) => Box::new(PhraseQuery::new_with_offset(terms)),
        (_, TextMode::Any | TextMode::All) => {
            let clauses = terms
                .into_iter()
                .map(|(_, term)| -> Box<dyn Query> {
                    Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
                })
                .collect();
            if mode == TextMode::All {
                Box::new(BooleanQuery::intersection(clauses))
            } else {
                Box::new(BooleanQuery::union(clauses))
            }
        }
    })
}

/// The terms of a text with their places, which words the analyser drops leave empty.
fn analyse(
    searcher: &Searcher,
    field: tantivy::schema::Field,
    text: &str,
) -> Result<Vec<(usize, Term)>> {
    let mut analyser = searcher.index().tokenizer_for_field(field)?;
    let mut terms = Vec::new();
    analyser.token_stream(text).process(&mut |token| {
        terms.push((token.position, Term::from_field_text(field, &token.text)));
    });
    Ok(terms)
}
