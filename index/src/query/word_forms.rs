//! BM25 where each word of the query stands for several words of the index: as the beginning of
//! them, or with a few wrong characters ([`TextMode::Prefix`], [`TextMode::Fuzzy`]).
//!
//! The forms of a word count as one word: N documents hold any of them, and a document holds it as
//! often as it holds them together, so that a rare misspelling is not taken for a telling word. Of a
//! fuzzy word the forms with d edits are a word of their own, whose score is divided by 1 + d; a
//! document has the best of those scores. Its score is the sum over the words of the query, each as
//! often as the query has it, and a hit holds all of them.

use std::collections::BTreeMap;

use tantivy::postings::Postings as _;
use tantivy::query::{Bm25StatisticsProvider as _, Bm25Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet as _, TERMINATED};

use crate::error::Result;
use crate::filter::{TextMode, WordForms, word_forms};
use crate::snapshot::{SegmentView, Snapshot};

/// Documents with their scores, ascending.
type Scores = Vec<(u32, f32)>;
/// How often a document has the forms of a word, by edits.
type Frequencies = BTreeMap<u32, [u32; 3]>;

/// The documents with all the words, deleted ones included, for each segment.
pub(super) fn scores(snapshot: &Snapshot, text: &str, mode: TextMode) -> Result<Vec<Scores>> {
    let segments = snapshot.segments();
    let mut totals: Option<Vec<BTreeMap<u32, f32>>> = None;
    for word in word_forms(snapshot, text, mode) {
        let found = segments
            .iter()
            .map(|segment| read(&word, snapshot, segment));
        let found = found.collect::<Result<Vec<Frequencies>>>()?;
        let with_word = found.iter().map(|found| found.len() as u64).sum();
        let bm25 = weight(snapshot, with_word)?;
        let mut next = Vec::with_capacity(segments.len());
        for (at, (segment, found)) in segments.iter().zip(found).enumerate() {
            let lengths = segment
                .reader
                .get_fieldnorms_reader(snapshot.fields().text)?;
            let before = totals.as_ref().map(|totals| &totals[at]);
            let scored = found.into_iter().filter_map(|(doc, frequencies)| {
                let before = before.map_or(Some(0.0), |totals| totals.get(&doc).copied())?;
                let length = lengths.fieldnorm_id(doc);
                let best = (0..)
                    .zip(frequencies)
                    .map(|(edits, frequency)| bm25.score(length, frequency) / (1 + edits) as f32);
                let best = best.fold(0.0, f32::max);
                Some((doc, before + best * word.count as f32))
            });
            next.push(scored.collect());
        }
        totals = Some(next);
    }
    let totals = totals.unwrap_or_else(|| vec![BTreeMap::new(); segments.len()]);
    Ok(totals
        .into_iter()
        .map(|scores| scores.into_iter().collect())
        .collect())
}

fn read(word: &WordForms, snapshot: &Snapshot, segment: &SegmentView) -> Result<Frequencies> {
    let mut found = Frequencies::new();
    word.for_each(snapshot, segment, |index, term, edits| {
        let mut postings = index.read_postings_from_terminfo(term, IndexRecordOption::WithFreqs)?;
        while postings.doc() != TERMINATED {
            found.entry(postings.doc()).or_default()[edits] += postings.term_freq();
            postings.advance();
        }
        Ok(())
    })?;
    Ok(found)
}

/// BM25 of a word that `with_word` documents have.
fn weight(snapshot: &Snapshot, with_word: u64) -> Result<Bm25Weight> {
    let searcher = snapshot.searcher();
    let documents = searcher.total_num_docs()?;
    let words = searcher.total_num_tokens(snapshot.fields().text)?;
    let mean_length = words as f32 / documents.max(1) as f32;
    Ok(Bm25Weight::for_one_term_without_explain(
        with_word,
        documents,
        mean_length,
    ))
}
