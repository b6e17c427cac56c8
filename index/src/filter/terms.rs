//! The terms of a segment that a test describes: ids, and the words that a word of a query stands
//! for.

use std::ops::Bound;

use roaring::RoaringBitmap;
use tantivy::postings::TermInfo;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet as _, InvertedIndexReader, TERMINATED, Term};

use super::{IdTest, TextMode};
use crate::error::Result;
use crate::snapshot::{SegmentView, Snapshot};
use crate::text::form::most_edits;

/// The documents of a segment whose id passes a test.
pub(super) fn documents_with_id(
    test: &IdTest,
    field: Field,
    segment: &SegmentView,
) -> Result<RoaringBitmap> {
    let index = segment.reader.inverted_index(field)?;
    let mut docs = RoaringBitmap::new();
    let mut ids = index.terms().range();
    match test {
        IdTest::Range { lower, upper } => {
            ids = match lower {
                Bound::Included(id) => ids.ge(id),
                Bound::Excluded(id) => ids.gt(id),
                Bound::Unbounded => ids,
            };
            ids = match upper {
                Bound::Included(id) => ids.le(id),
                Bound::Excluded(id) => ids.lt(id),
                Bound::Unbounded => ids,
            };
            let mut ids = ids.into_stream()?;
            while let Some((_, term)) = ids.next() {
                add_documents(&index, term, &mut docs)?;
            }
        }
        IdTest::Like(pattern) => {
            let matcher = pattern.matcher()?;
            let mut ids = ids.ge(&matcher.prefix).into_stream()?;
            while let Some((id, term)) = ids.next() {
                if !id.starts_with(matcher.prefix.as_bytes()) {
                    break;
                }
                if std::str::from_utf8(id).is_ok_and(|id| matcher.matches(id)) {
                    add_documents(&index, term, &mut docs)?;
                }
            }
        }
    }
    Ok(docs)
}

fn add_documents(
    index: &InvertedIndexReader,
    term: &TermInfo,
    docs: &mut RoaringBitmap,
) -> Result<()> {
    let mut postings = index.read_postings_from_terminfo(term, IndexRecordOption::Basic)?;
    while postings.doc() != TERMINATED {
        docs.insert(postings.doc());
        postings.advance();
    }
    Ok(())
}

/// A word of a query that stands for several words of the index ([`TextMode::Prefix`],
/// [`TextMode::Fuzzy`]).
pub(crate) struct WordForms {
    /// The word, normalised as words of the index are.
    pub word: String,
    /// How often the query has it.
    pub count: usize,
    mode: TextMode,
}

/// The different words of a query's text, in order.
pub(crate) fn word_forms(snapshot: &Snapshot, text: &str, mode: TextMode) -> Vec<WordForms> {
    let mut counts = indexmap::IndexMap::new();
    for word in snapshot.fields().analyzer.unstemmed_words(text) {
        *counts.entry(word).or_insert(0) += 1;
    }
    let words = counts.into_iter();
    words
        .map(|(word, count)| WordForms { word, count, mode })
        .collect()
}

impl WordForms {
    /// Visits the words of a segment's index that it stands for, each with its edits from this one
    /// (0 for a prefix).
    pub fn for_each(
        &self,
        snapshot: &Snapshot,
        segment: &SegmentView,
        mut visit: impl FnMut(&InvertedIndexReader, &TermInfo, usize) -> Result<()>,
    ) -> Result<()> {
        let field = snapshot.fields().text;
        let index = segment.reader.inverted_index(field)?;
        let edits = most_edits(&self.word, self.mode);
        if edits == 0 {
            let word = self.word.as_bytes();
            let mut words = index.terms().range().ge(word).into_stream()?;
            while let Some((found, term)) = words.next() {
                let is_form = match self.mode {
                    TextMode::Prefix => found.starts_with(word),
                    _ => found == word,
                };
                if !is_form {
                    break;
                }
                visit(&index, term, 0)?;
            }
            return Ok(());
        }
        let term = Term::from_field_text(field, &self.word);
        let near = FuzzyTermQuery::new(term, edits as u8, true).automaton()?;
        let mut words = index.terms().search(near).into_stream()?;
        while let Some((found, term)) = words.next() {
            let found = String::from_utf8_lossy(found);
            visit(&index, term, strsim::osa_distance(&found, &self.word))?;
        }
        Ok(())
    }

    /// The documents of a segment that have one of the words it stands for.
    pub fn documents(&self, snapshot: &Snapshot, segment: &SegmentView) -> Result<RoaringBitmap> {
        let mut docs = RoaringBitmap::new();
        self.for_each(snapshot, segment, |index, term, _| {
            add_documents(index, term, &mut docs)
        })?;
        Ok(docs)
    }
}
