//! BEIR folders: `queries.jsonl` (`_id`, `text`) and `qrels/SPLIT.tsv` (`query-id`, `corpus-id`,
//! `score`, with a heading). `corpus.jsonl` (`_id`, `title`, `text`) is for `latentdb ingest`.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::trec::Qrels;
use crate::error::{Error, Result};

/// Queries with judgements.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BeirFolder {
    /// Id and text of the queries that have judgements, in the order of the file.
    pub queries: Vec<(String, String)>,
    /// Judgements by query.
    pub qrels: Qrels,
}

#[derive(Deserialize)]
struct QueryLine {
    _id: String,
    text: String,
}

impl BeirFolder {
    /// Reads the queries and judgements of a split (`test` in most folders).
    ///
    /// # Errors
    /// `NotFound` for a missing file, `InvalidArgument` naming the line of a malformed one.
    pub fn open(folder: &Path, split: &str) -> Result<Self> {
        let qrels = folder.join("qrels").join(format!("{split}.tsv"));
        Self::parse(&read(&folder.join("queries.jsonl"))?, &read(&qrels)?)
    }

    fn parse(queries: &str, qrels: &str) -> Result<Self> {
        let mut folder = Self::default();
        for (number, line) in (1..).zip(qrels.lines()) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [query, document, grade] = fields[..] else {
                if line.trim().is_empty() {
                    continue;
                }
                return Err(malformed("qrels", number, "query-id, corpus-id and score"));
            };
            match grade.trim().parse() {
                Ok(grade) => {
                    let judgements = folder.qrels.entry(query.to_owned()).or_default();
                    judgements.insert(document.to_owned(), grade);
                }
                Err(_) if number == 1 => {}
                Err(_) => return Err(malformed("qrels", number, "a whole number as score")),
            }
        }
        for (number, line) in (1..).zip(queries.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let query: QueryLine = serde_json::from_str(line).map_err(|error| {
                malformed("queries", number, "an object with _id and text").with_source(error)
            })?;
            if folder.qrels.contains_key(&query._id) {
                folder.queries.push((query._id, query.text));
            }
        }
        if folder.queries.is_empty() {
            return Err(Error::invalid("queries", "none of them has judgements"));
        }
        Ok(folder)
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| {
        let message = format!("{} cannot be read: {error}", path.display());
        Error::not_found(message)
    })
}

fn malformed(file: &str, line: usize, expected: &str) -> Error {
    Error::invalid(
        format!("{file} line {line}"),
        format!("has not the form {expected}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERIES: &str = "{\"_id\": \"q1\", \"text\": \"late parcels\", \"metadata\": {}}\n\
                           {\"_id\": \"q2\", \"text\": \"unjudged\"}\n";

    #[test]
    fn queries_with_judgements_are_read() {
        let qrels = "query-id\tcorpus-id\tscore\nq1\td 7\t2\nq1\td8\t0\n";
        let folder = BeirFolder::parse(QUERIES, qrels).unwrap();
        assert_eq!(folder.queries, [("q1".into(), "late parcels".into())]);
        assert_eq!(folder.qrels["q1"]["d 7"], 2);
    }

    #[test]
    fn malformed_files_are_named_by_line() {
        let error = BeirFolder::parse(QUERIES, "query-id\tcorpus-id\tscore\nq1\td\tx\n");
        assert!(error.unwrap_err().to_string().contains("qrels line 2"));
        let error = BeirFolder::parse("{\"text\": 1}\n", "q1\td\t1\n");
        assert!(error.unwrap_err().to_string().contains("queries line 1"));
        assert!(BeirFolder::parse(QUERIES, "q9\td\t1\n").is_err());
    }
}
