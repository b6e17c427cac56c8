//! Runs of words that can stand as phrases.

use std::ops::Range;

use latentdb_index::Analyzer;
use unicode_segmentation::UnicodeSegmentation as _;

use super::vocabulary::{Class, Vocabulary};

/// Longest phrase, in words.
pub(super) const LONGEST: usize = 4;
/// Longest phrase, in bytes; three of them fit into a label.
const LONGEST_BYTES: usize = 60;

/// A word of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    /// As it is written.
    pub surface: &'a str,
    /// Identifies it whatever its case.
    pub key: u64,
    class: Class,
    /// Whether it follows the word before it without a space.
    joined: bool,
}

impl Word<'_> {
    /// True for a word that carries meaning by itself, and for a character of one.
    pub fn is_content(&self) -> bool {
        matches!(self.class, Class::Content | Class::Character)
    }

    /// True for one character of a script that is written without spaces.
    pub fn is_character(&self) -> bool {
        self.class == Class::Character
    }
}

/// A phrase as its text writes it, with single spaces.
pub(super) fn written(words: &[Word<'_>]) -> String {
    let mut text = String::new();
    for (at, word) in words.iter().enumerate() {
        if at > 0 && !word.joined {
            text.push(' ');
        }
        text.push_str(word.surface);
    }
    text
}

/// Whether [`written`] gives `text`.
pub(super) fn is_written(words: &[Word<'_>], text: &str) -> bool {
    let mut rest = Some(text);
    for (at, word) in words.iter().enumerate() {
        let space = if at > 0 && !word.joined { " " } else { "" };
        rest = rest
            .and_then(|rest| rest.strip_prefix(space))
            .and_then(|rest| rest.strip_prefix(word.surface));
    }
    rest == Some("")
}

/// Identifies a phrase, whatever its case.
pub(super) fn phrase_key(words: &[Word<'_>]) -> u64 {
    words.iter().fold(0x51_7c_c1_b7, |key: u64, word| {
        (key.rotate_left(17) ^ word.key).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// Calls `visit` with every run of up to [`LONGEST`] words inside a clause that begins and ends
/// with words that can. Characters of scripts without spaces count as words.
pub(super) fn for_each_phrase<'a>(
    vocabulary: &Vocabulary,
    text: &'a str,
    mut visit: impl FnMut(&[Word<'a>]),
) {
    let mut lower = String::new();
    let mut words: Vec<Word<'a>> = Vec::new();
    for clause in text.split(is_break) {
        words.clear();
        for raw in clause.split(|c: char| !is_word_character(c)) {
            push_words(vocabulary, raw, &mut lower, &mut words);
        }
        for (start, first) in words.iter().enumerate() {
            if matches!(first.class, Class::Link | Class::Break) {
                continue;
            }
            for end in start + 1..=words.len().min(start + LONGEST) {
                let run = &words[start..end];
                let last = words[end - 1];
                let bytes: usize = run.iter().map(|word| word.surface.len() + 1).sum();
                if last.class == Class::Break || bytes > LONGEST_BYTES {
                    break;
                }
                if last.is_content() {
                    visit(run);
                }
            }
        }
    }
}

/// The first word of a text, or the first character of one written without spaces.
pub(super) fn first_word<'a>(vocabulary: &Vocabulary, text: &'a str) -> Option<Word<'a>> {
    let (mut lower, mut words) = (String::new(), Vec::new());
    for raw in text.split(|c: char| !is_word_character(c)) {
        push_words(vocabulary, raw, &mut lower, &mut words);
        if let Some(&first) = words.first() {
            return Some(first);
        }
    }
    None
}

/// Number of words of a text; of scripts without spaces, of characters.
pub(super) fn word_count(text: &str) -> usize {
    let raw = text.split(|c: char| !is_word_character(c));
    raw.map(|raw| pieces(raw).count()).sum()
}

/// Marks of punctuation, and of formulas and markup, whose parts make no phrases.
fn is_break(c: char) -> bool {
    let is_of_words = matches!(c, '#' | '\'' | '+' | '-' | '@' | '`');
    (c.is_ascii_punctuation() && !is_of_words)
        || matches!(c, '\n' | '\u{201c}' | '\u{201d}' | '\u{2013}' | '\u{2014}')
        || (matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff01}'..='\u{ff20}') && !is_word_character(c))
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '\'' | '\u{2019}' | '-' | '#' | '@' | '+')
        || Analyzer::is_unspaced(c)
}

/// The parts of a run of word characters: each character of a script without spaces, and what
/// stands between them.
fn pieces(raw: &str) -> impl Iterator<Item = (Range<usize>, bool)> {
    let mut clusters = raw.grapheme_indices(true).peekable();
    let of_script = |cluster: &str| cluster.chars().next().is_some_and(Analyzer::is_unspaced);
    std::iter::from_fn(move || {
        let (start, first) = clusters.next()?;
        let mut end = start + first.len();
        let alone = of_script(first);
        while !alone && let Some((at, next)) = clusters.next_if(|(_, next)| !of_script(next)) {
            end = at + next.len();
        }
        Some((start..end, alone))
    })
}

fn push_words<'a>(
    vocabulary: &Vocabulary,
    raw: &'a str,
    lower: &mut String,
    words: &mut Vec<Word<'a>>,
) {
    let mut joined = false;
    for (range, is_character) in pieces(raw) {
        let piece = &raw[range];
        let word = match is_character {
            true => Some(Word {
                surface: piece,
                key: fnv1a(piece.as_bytes()),
                class: Class::Character,
                joined,
            }),
            false => word(vocabulary, piece, joined, lower),
        };
        joined = word.is_some();
        words.extend(word);
    }
}

fn word<'a>(
    vocabulary: &Vocabulary,
    raw: &'a str,
    joined: bool,
    lower: &mut String,
) -> Option<Word<'a>> {
    let trimmed = raw.trim_matches(['\'', '\u{2019}', '-', '+']);
    let surface = ["'s", "\u{2019}s"]
        .iter()
        .find_map(|possessive| trimmed.strip_suffix(possessive))
        .unwrap_or(trimmed);
    if surface.is_empty() {
        return None;
    }
    vocabulary.unify(surface, lower);
    Some(Word {
        surface,
        key: fnv1a(lower.as_bytes()),
        class: vocabulary.class(lower),
        joined,
    })
}

/// The 64-bit FNV-1a hash.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_phrase(&Vocabulary::default(), text, |words| {
            let text = written(words);
            assert!(is_written(words, &text) && !is_written(words, &format!("{text} ")));
            found.push(text);
        });
        found
    }

    #[test]
    fn phrases_neither_begin_nor_end_with_stop_words() {
        assert_eq!(
            phrases("The state of the art, 2024!"),
            ["state", "state of the art", "art"]
        );
        assert_eq!(
            phrases("Cost of living"),
            ["Cost", "Cost of living", "living"]
        );
        assert_eq!(phrases("the film's plot"), ["film", "film plot", "plot"]);
        assert_eq!(phrases("really good"), ["really good", "good"]);
        assert_eq!(phrases("wind and rain"), ["wind", "rain"]);
        assert_eq!(phrases("it does not work"), ["not work", "work"]);
        assert_eq!(phrases("they'd won"), ["won"]);
    }

    #[test]
    fn formulas_addresses_and_names_of_accounts_are_no_phrases() {
        assert_eq!(phrases("$\\alpha_{ij}$ 12 @someone https"), ["alpha", "ij"]);
        assert_eq!(phrases("www is a@b"), ["www"]);
    }

    #[test]
    fn case_does_not_tell_words_apart() {
        let key = |text: &str| {
            let mut last = 0;
            for_each_phrase(&Vocabulary::default(), text, |words| {
                last = phrase_key(words)
            });
            last
        };
        assert_eq!(key("Graph Networks"), key("graph networks"));
        assert_ne!(key("graph networks"), key("networks graph"));
    }

    #[test]
    fn characters_of_scripts_without_spaces_are_runs() {
        assert_eq!(
            phrases("吃烤鸭。3D打印"),
            [
                "吃",
                "吃烤",
                "吃烤鸭",
                "烤",
                "烤鸭",
                "鸭",
                "3D",
                "3D打",
                "3D打印",
                "打",
                "打印",
                "印"
            ]
        );
        assert_eq!(phrases("ก็ดี"), ["ก็", "ก็ดี", "ดี"]);
        assert_eq!(phrases("北 京"), ["北", "北 京", "京"]);
        assert_eq!(word_count("3D打印 and ink"), 5);
    }
}
