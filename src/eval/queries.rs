//! Queries with judgements, and run files compared with judgements and with each other.

use super::metrics::{Measures, rank_biased_overlap};
use super::trec::{Qrels, Run};
use crate::error::{Error, ErrorKind, Result};

/// Id and text of the queries that have judgements, of lines with an id, a tab and a text.
///
/// ```
/// use latentdb::eval::{queries, trec};
///
/// let qrels = trec::parse_qrels("q1 0 doc-3 2").unwrap();
/// let found = queries::parse("q1\tlate parcels\nq2\tunjudged\n", &qrels).unwrap();
/// assert_eq!(found, [("q1".to_owned(), "late parcels".to_owned())]);
/// ```
///
/// # Errors
/// `InvalidArgument` naming the line, and where no query has judgements.
pub fn parse(text: &str, qrels: &Qrels) -> Result<Vec<(String, String)>> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidArgument, message);
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let Some((id, text)) = line.split_once('\t') else {
            let message = format!("line {number} of the queries is not an id, a tab and a text");
            return Err(invalid(message));
        };
        if qrels.contains_key(id) {
            found.push((id.to_owned(), text.trim().to_owned()));
        }
    }
    if found.is_empty() {
        return Err(invalid("none of the queries has judgements".to_owned()));
    }
    Ok(found)
}

/// Takes the document of the query's own id out of its ranking, as BEIR's evaluation does
/// (`ignore_identical_ids`): where queries are documents of the corpus, it is always found. Returns
/// whether it was there.
///
/// ```
/// use latentdb::eval::queries::leave_out_identical;
///
/// let mut ranking = vec![("q1".to_owned(), 1.0), ("d1".to_owned(), 0.5)];
/// assert!(leave_out_identical(&mut ranking, "q1"));
/// assert_eq!(ranking, [("d1".to_owned(), 0.5)]);
/// ```
pub fn leave_out_identical(ranking: &mut Vec<(String, f32)>, query: &str) -> bool {
    let before = ranking.len();
    ranking.retain(|(id, _)| id != query);
    ranking.len() < before
}

/// Means of the measures of a run over all judged queries. A query that the run lacks counts 0, so
/// that leaving out hard ones does not pay.
pub fn mean(run: &Run, qrels: &Qrels) -> Measures {
    let measured = qrels
        .iter()
        .map(|(query, judgements)| Measures::of(&ids(run, query), judgements));
    Measures::mean(&measured.collect::<Vec<_>>())
}

/// Mean rank-biased overlap of two runs over all judged queries.
pub fn overlap(run: &Run, other: &Run, qrels: &Qrels, p: f64) -> f64 {
    let overlaps = qrels
        .keys()
        .map(|query| rank_biased_overlap(&ids(run, query), &ids(other, query), p));
    overlaps.sum::<f64>() / qrels.len().max(1) as f64
}

fn ids(run: &Run, query: &str) -> Vec<String> {
    let ranking = run.get(query).map(Vec::as_slice).unwrap_or_default();
    ranking.iter().map(|(id, _)| id.clone()).collect()
}
