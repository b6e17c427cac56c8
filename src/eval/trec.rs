//! TREC's text formats: judgements (`query iteration document grade`) and runs
//! (`query Q0 document rank score tag`), one line each, fields by white space.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::metrics::Judgements;
use crate::error::{Error, Result};

/// Judgements by query.
pub type Qrels = BTreeMap<String, Judgements>;

/// Rankings by query: documents with scores, best first.
pub type Run = BTreeMap<String, Vec<(String, f32)>>;

/// Reads judgements.
///
/// ```
/// let qrels = latentdb::eval::trec::parse_qrels("q1 0 doc-3 2\nq1 0 doc-4 0\n").unwrap();
/// assert_eq!(qrels["q1"]["doc-3"], 2);
/// ```
///
/// # Errors
/// `InvalidArgument` naming the line.
pub fn parse_qrels(text: &str) -> Result<Qrels> {
    let mut qrels = Qrels::new();
    for (number, line) in lines(text) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, grade] = fields[..] else {
            return Err(malformed(number, "query, iteration, document and grade"));
        };
        let grade = grade
            .parse()
            .map_err(|_| malformed(number, "a whole number as grade"))?;
        let judgements = qrels.entry(query.to_owned()).or_default();
        judgements.insert(document.to_owned(), grade);
    }
    Ok(qrels)
}

/// Reads a run. Documents are ordered by score, ties by document from high to low, as trec_eval
/// orders them; the ranks of the file do not count.
///
/// # Errors
/// `InvalidArgument` naming the line, also where a query ranks a document twice.
pub fn parse_run(text: &str) -> Result<Run> {
    let mut run = Run::new();
    for (number, line) in lines(text) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, _, score, _] = fields[..] else {
            return Err(malformed(
                number,
                "query, Q0, document, rank, score and tag",
            ));
        };
        let score: f32 = score
            .parse()
            .ok()
            .filter(|score: &f32| score.is_finite())
            .ok_or_else(|| malformed(number, "a finite number as score"))?;
        let ranking = run.entry(query.to_owned()).or_default();
        ranking.push((document.to_owned(), score));
    }
    for (query, ranking) in &mut run {
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
        let mut ids: Vec<&String> = ranking.iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("query {query:?} ranks document {:?} twice", pair[0]);
            return Err(Error::invalid("run", message));
        }
    }
    Ok(run)
}

/// Writes a run; scores fall with the rank, so that a reader keeps the order of equal scores.
pub fn write_run(run: &Run, tag: &str) -> String {
    let mut text = String::new();
    for (query, ranking) in run {
        let mut above = f32::INFINITY;
        for (rank, (document, score)) in (1..).zip(ranking) {
            let score = if *score < above {
                *score
            } else {
                above.next_down()
            };
            above = score;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{query} Q0 {document} {rank} {score} {tag}");
        }
    }
    text
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = (1..).zip(text.lines());
    numbered.filter(|(_, line)| !line.trim().is_empty())
}

fn malformed(line: usize, expected: &str) -> Error {
    Error::invalid(
        format!("line {line}"),
        format!("has not the form {expected}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_comes_back_in_its_order() {
        let ranking: Vec<(String, f32)> = [("b", 2.0), ("a", 2.0), ("c", 2.0), ("d", -1.5)]
            .map(|(id, score)| (id.to_owned(), score))
            .into();
        let run = Run::from([("7".to_owned(), ranking.clone())]);
        let text = write_run(&run, "latentdb");
        assert!(text.starts_with("7 Q0 b 1 2 latentdb\n7 Q0 a 2 1.9999999 latentdb\n"));
        let ids = |ranking: &[(String, f32)]| -> Vec<String> {
            ranking.iter().map(|(id, _)| id.clone()).collect()
        };
        assert_eq!(ids(&parse_run(&text).unwrap()["7"]), ids(&ranking));
    }

    #[test]
    fn scores_decide_and_not_the_ranks_of_a_file() {
        let run = parse_run("1 Q0 a 1 0.5 t\n1 Q0 b 2 0.7 t\n1 Q0 c 3 0.7 t\n").unwrap();
        let ids: Vec<&str> = run["1"].iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["c", "b", "a"]);
    }

    #[test]
    fn what_is_malformed_is_named_by_its_line() {
        for text in ["1 0 a 1\n1 0 b", "1 0 a 1\n1 0 b x", "1 0 a 1\n1 0 b 1 1"] {
            assert!(
                parse_qrels(text)
                    .unwrap_err()
                    .to_string()
                    .contains("line 2")
            );
        }
        assert!(parse_run("1 Q0 a 1 nan t").is_err());
        assert!(parse_run("1 Q0 a 1 1 t\n1 Q0 a 2 0 t").is_err());
    }
}
