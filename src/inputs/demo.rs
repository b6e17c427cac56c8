//! The demo corpus: the rated texts of C. J. Hutto and E. Gilbert, "VADER: A Parsimonious
//! Rule-based Model for Sentiment Analysis of Social Media Text", ICWSM 2014.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::error::{Error, Result};

/// The archive of the texts, in the source distribution that carries it.
pub(super) const INNER_ARCHIVE: &str = "additional_resources/hutto_ICWSM_2014.tar.gz";

/// File name prefix and the source that its texts are given.
const FILES: [(&str, &str); 4] = [
    ("tweets", "tweets"),
    ("movieReviewSnippets", "films"),
    ("amazonReviewSnippets", "products"),
    ("nytEditorialSnippets", "news"),
];

/// One text of the demo corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoDocument {
    /// Source and number there, unique: `tweets/123`, `products/1_2` (review and sentence).
    pub id: String,
    /// `tweets`, `films`, `products` or `news`.
    pub source: &'static str,
    /// The mean of the raters' sentiment, from -4 (extremely negative) to 4.
    pub sentiment: f32,
    /// The text: one tweet or one sentence.
    pub text: String,
}

/// Reads the corpus out of its archive.
pub(super) fn read(archive: &Path) -> Result<Vec<DemoDocument>> {
    let broken = |error: std::io::Error| {
        Error::corrupted(format!("cannot read {}", archive.display())).with_source(error)
    };
    let mut tar = tar::Archive::new(GzDecoder::new(File::open(archive)?));
    let mut texts: [Option<String>; FILES.len()] = Default::default();
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let name = path.file_name().and_then(|name| name.to_str());
        let prefix = name.and_then(|name| name.strip_suffix("_GroundTruth.txt"));
        if let Some(at) = FILES.iter().position(|(file, _)| Some(*file) == prefix) {
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(broken)?;
            texts[at] = Some(text);
        }
    }
    let mut documents = Vec::new();
    for ((file, source), text) in FILES.into_iter().zip(texts) {
        let text = text.ok_or_else(|| {
            Error::corrupted(format!(
                "{} holds no {file}_GroundTruth.txt",
                archive.display()
            ))
        })?;
        for (at, line) in text.lines().enumerate() {
            documents.push(parse(source, line).ok_or_else(|| {
                Error::corrupted(format!(
                    "{file}_GroundTruth.txt line {} is not id, sentiment and text",
                    at + 1
                ))
            })?);
        }
    }
    let mut ids = HashSet::with_capacity(documents.len());
    match documents.iter().find(|document| !ids.insert(&document.id)) {
        Some(twice) => Err(Error::corrupted(format!(
            "the demo corpus has the id {} twice",
            twice.id
        ))),
        None => Ok(documents),
    }
}

fn parse(source: &'static str, line: &str) -> Option<DemoDocument> {
    let mut columns = line.splitn(3, '\t');
    let number = columns.next()?.trim();
    let sentiment: f32 = columns.next()?.trim().parse().ok()?;
    let text = clean(columns.next()?);
    let valid = !number.is_empty() && sentiment.abs() <= 4.0 && !text.is_empty();
    valid.then(|| DemoDocument {
        id: format!("{source}/{number}"),
        source,
        sentiment,
        text,
    })
}

/// Undoes what collecting did to the texts: character references (some encoded twice), quotation
/// marks typed as two apostrophes, a quotation mark left at the start of a product sentence by
/// cutting before it, and the gaps where dashes were removed.
fn clean(text: &str) -> String {
    let mut text = text.trim().to_owned();
    while text.contains("&amp;") {
        text = text.replace("&amp;", "&");
    }
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("'''", "'\"")
        .replace("''", "\"");
    let text = text.strip_prefix("\" ").unwrap_or(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cleaned() {
        for (line, text) in [
            ("1\t2.5\tlove &amp;amp; peace \r", "love & peace"),
            ("1\t0\tI &lt;3 it  -  really", "I <3 it - really"),
            ("1\t0\t''Lolita''.", "\"Lolita\"."),
            ("1\t0\tfor 'Accord.'''", "for 'Accord.'\""),
            ("1\t0\t\"  this problem vanished.", "this problem vanished."),
            ("1\t0\t\"She said no.\"", "\"She said no.\""),
            ("1\t0\ta\tb", "a b"),
        ] {
            assert_eq!(parse("news", line).unwrap().text, text);
        }
        for line in [
            "",
            "1\t2",
            "1\tx\ttext",
            "\t1\ttext",
            "1\t1\t ",
            "1\t4.5\ttext",
        ] {
            assert_eq!(parse("news", line), None, "{line:?}");
        }
        let document = parse("products", "1_2\t-0.15\trepost").unwrap();
        assert_eq!(
            (document.id.as_str(), document.sentiment),
            ("products/1_2", -0.15)
        );
    }
}
