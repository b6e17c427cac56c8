//! Where a text has the words of a query.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::words::Cut;
use super::{Analyzer, TextMode, form};

/// A run of words of a text that a query is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The number of its first word in the text, from 0.
    pub word: u32,
    /// Its first character, counted in Unicode code points.
    pub start: u32,
    /// Behind its last character.
    pub end: u32,
}

impl Analyzer {
    /// The words of `text` by which a query of `words` finds it, in the order of the text; words that
    /// overlap, as those of scripts without spaces do, are one span.
    ///
    /// ```
    /// use latentdb_index::{Analyzer, filter::TextMode};
    ///
    /// let text = "Late deliveries: the DELIVERY was late";
    /// let found = Analyzer::default().highlights("delivery", TextMode::Any, text);
    /// assert_eq!((found.len(), found[0].word, found[0].start, found[0].end), (1, 3, 21, 29));
    /// ```
    pub fn highlights(&self, words: &str, mode: TextMode, text: &str) -> Vec<Span> {
        let mut tokens = Vec::new();
        self.build(Cut::Documents)
            .token_stream(text)
            .process(&mut |token| {
                tokens.push(Token {
                    position: token.position,
                    bytes: token.offset_from..token.offset_to,
                    word: token.text.clone(),
                });
            });
        let found: Vec<&Token> = match mode {
            TextMode::Phrase => self.of_phrase(words, &tokens),
            TextMode::Any | TextMode::All => {
                let wanted: HashSet<String> = self.query_words(words).into_iter().collect();
                let found = tokens.iter().filter(|token| wanted.contains(&token.word));
                found.collect()
            }
            TextMode::Prefix | TextMode::Fuzzy => {
                let wanted = self.unstemmed_words(words);
                let is_form = |token: &&Token| {
                    let mut wanted = wanted.iter();
                    wanted.any(|word| form::edits(word, &token.word, mode).is_some())
                };
                tokens.iter().filter(is_form).collect()
            }
        };
        spans(found, text)
    }

    /// The words of each place where all the words stand one after the other.
    fn of_phrase<'a>(&self, words: &str, tokens: &'a [Token]) -> Vec<&'a Token> {
        let mut wanted = Vec::new();
        self.build(Cut::Query)
            .token_stream(words)
            .process(&mut |token| wanted.push((token.position, token.text.clone())));
        let mut at: BTreeMap<usize, Vec<&Token>> = BTreeMap::new();
        for token in tokens {
            at.entry(token.position).or_default().push(token);
        }
        let Some(&(first, _)) = wanted.first() else {
            return Vec::new();
        };
        let mut found: Vec<&Token> = Vec::new();
        for &start in at.keys() {
            let phrase: Option<Vec<&Token>> = wanted
                .iter()
                .map(|(position, word)| {
                    let here = at.get(&(start + position - first))?;
                    here.iter().copied().find(|token| token.word == *word)
                })
                .collect();
            found.extend(phrase.into_iter().flatten());
        }
        found
    }
}

/// A word of the text.
struct Token {
    position: usize,
    bytes: Range<usize>,
    word: String,
}

/// The characters of tokens, those that overlap together.
fn spans(mut found: Vec<&Token>, text: &str) -> Vec<Span> {
    found.sort_by_key(|token| (token.bytes.start, token.bytes.end));
    let mut merged: Vec<(usize, Range<usize>)> = Vec::new();
    for token in found {
        match merged.last_mut() {
            Some((_, last)) if token.bytes.start < last.end => {
                last.end = last.end.max(token.bytes.end);
            }
            _ => merged.push((token.position, token.bytes.clone())),
        }
    }
    let (mut bytes, mut characters) = (0, 0);
    let mut characters_to = |byte: usize| {
        characters += text[bytes..byte].chars().count();
        bytes = byte;
        u32::try_from(characters).unwrap_or(u32::MAX)
    };
    merged
        .into_iter()
        .map(|(position, bytes)| Span {
            word: u32::try_from(position).unwrap_or(u32::MAX),
            start: characters_to(bytes.start),
            end: characters_to(bytes.end),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(analyzer: Analyzer, words: &str, mode: TextMode, text: &str) -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        let found = analyzer.highlights(words, mode, text).into_iter();
        found
            .map(|span| {
                let range = span.start as usize..span.end as usize;
                characters[range].iter().collect()
            })
            .collect()
    }

    #[test]
    fn words_are_marked_as_they_are_found() {
        let plain = Analyzer::default();
        assert_eq!(
            marked(plain, "ÄPFEL late", TextMode::Any, "äpfel, Late 👍 äpfel"),
            ["äpfel", "Late", "äpfel"]
        );
        assert_eq!(
            marked(
                plain,
                "the bus",
                TextMode::Phrase,
                "the car, the bus and the bus"
            ),
            ["the", "bus", "the", "bus"]
        );
        assert_eq!(
            marked(plain, "deliv", TextMode::Prefix, "delivery delivered dell"),
            ["delivery", "delivered"]
        );
        assert_eq!(
            marked(plain, "recieved", TextMode::Fuzzy, "received, recipe"),
            ["received"]
        );
        assert_eq!(
            marked(plain, "北京烤鸭", TextMode::All, "我喜欢北京烤鸭和长城"),
            ["北京烤鸭"]
        );
        let stems = Analyzer {
            stemming: "english".parse().ok(),
            ..plain
        };
        assert_eq!(
            marked(stems, "battery", TextMode::Any, "batteries die"),
            ["batteries"]
        );
        assert!(marked(plain, "x", TextMode::Any, "").is_empty());
    }
}
