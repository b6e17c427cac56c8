//! Evaluates a resolved filter to the bitmap of a segment's living documents.

use std::ops::Bound;

use indexmap::IndexMap;
use roaring::RoaringBitmap;
use tantivy::query::{
    BooleanQuery, BoostQuery, EmptyQuery, EnableScoring, PhraseQuery, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, TERMINATED, Term};

use super::columns::from_sorted;
use super::terms::{documents_with_id, word_forms};
use super::{Filter, Referent, ResolvedFilter, TextMode, attribute_columns};
use crate::error::{Error, Result};
use crate::progress::Progress;
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
    Progress::check_current()?;
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
        Filter::Id(test) => documents_with_id(test, snapshot.fields().id, segment),
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
    let field = snapshot.fields().id;
    let terms = ids.iter().map(|id| Term::from_field_text(field, id));
    documents_with_any(field, terms, segment)
}

/// Documents with any of a field's terms.
fn documents_with_any(
    field: Field,
    terms: impl Iterator<Item = Term>,
    segment: &SegmentView,
) -> Result<RoaringBitmap> {
    let index = segment.reader.inverted_index(field)?;
    let mut docs = RoaringBitmap::new();
    for term in terms {
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
    if mode.is_expanded() {
        let mut docs: Option<RoaringBitmap> = None;
        for word in word_forms(snapshot, text, mode) {
            let found = word.documents(snapshot, segment)?;
            docs = Some(docs.map_or_else(|| found.clone(), |docs| docs & &found));
        }
        return Ok(docs.unwrap_or_default());
    }
    if mode == TextMode::Any {
        let words = text_words(snapshot, text)?
            .into_iter()
            .map(|word| word.term);
        return documents_with_any(snapshot.fields().text, words, segment);
    }
    let query = text_query(snapshot, text, mode)?;
    let scoring = EnableScoring::disabled_from_searcher(snapshot.searcher());
    let weight = query.weight(scoring)?;
    let mut docs = RoaringBitmap::new();
    weight.for_each_no_score(&segment.reader, &mut |batch| {
        docs.extend(batch.iter().copied());
    })?;
    Ok(docs)
}

/// A word of a query's text.
pub(crate) struct QueryWord {
    /// The term by which it is indexed.
    pub term: Term,
    /// How often the text has it.
    pub count: usize,
}

/// The different words of a query's text, in order.
pub(crate) fn text_words(snapshot: &Snapshot, text: &str) -> Result<Vec<QueryWord>> {
    let mut counts = IndexMap::new();
    for (_, term) in analyse(snapshot, text)? {
        *counts.entry(term).or_insert(0) += 1;
    }
    let words = counts.into_iter();
    Ok(words
        .map(|(term, count)| QueryWord { term, count })
        .collect())
}

/// tantivy's query for words: any of them, all of them, or the phrase. A word that the text has
/// several times counts as often in the score.
pub(crate) fn text_query(
    snapshot: &Snapshot,
    text: &str,
    mode: TextMode,
) -> Result<Box<dyn Query>> {
    let word = |term: Term| Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs));
    if mode == TextMode::Phrase {
        let mut terms = analyse(snapshot, text)?;
        return Ok(match terms.len() {
            0 => Box::new(EmptyQuery),
            1 => word(terms.swap_remove(0).1),
            _ => Box::new(PhraseQuery::new_with_offset(terms)),
        });
    }
    let clauses = text_words(snapshot, text)?.into_iter();
    let clauses = clauses.map(|QueryWord { term, count }| -> Box<dyn Query> {
        match count {
            1 => word(term),
            count => Box::new(BoostQuery::new(word(term), count as f32)),
        }
    });
    let mut clauses: Vec<_> = clauses.collect();
    Ok(match (clauses.len(), mode) {
        (0, _) => Box::new(EmptyQuery),
        (1, _) => clauses.swap_remove(0),
        (_, TextMode::All) => Box::new(BooleanQuery::intersection(clauses)),
        _ => Box::new(BooleanQuery::union(clauses)),
    })
}

/// The terms of a query's text with their positions, which stop words leave empty.
fn analyse(snapshot: &Snapshot, text: &str) -> Result<Vec<(usize, Term)>> {
    let fields = snapshot.fields();
    let tokenizers = snapshot.searcher().index().tokenizers();
    let mut analyzer = tokenizers
        .get(&fields.analyzer.query_name())
        .ok_or_else(|| Error::internal("the analyzer of queries is not registered"))?;
    let mut terms = Vec::new();
    analyzer.token_stream(text).process(&mut |token| {
        terms.push((
            token.position,
            Term::from_field_text(fields.text, &token.text),
        ));
    });
    Ok(terms)
}
