//! Runs of words that can stand as phrases, and what makes two words one.

use frostem::{Algorithm, Stemmer};

use super::stop_words::{is_link, is_stop_word, is_weak_word};

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
}

/// What a word can do in a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Carries meaning: begins and ends phrases.
    Content,
    /// Means little by itself: begins phrases, but neither ends them nor stands alone.
    Weak,
    /// Stands inside phrases only: "of" of "cost of living".
    Link,
    /// Stands in no phrase.
    Break,
}

impl Word<'_> {
    /// True for a word that carries meaning by itself.
    pub fn is_content(&self) -> bool {
        self.class == Class::Content
    }
}

/// Identifies a phrase, whatever its case.
pub(super) fn phrase_key(words: &[Word<'_>]) -> u64 {
    words.iter().fold(0x51_7c_c1_b7, |key: u64, word| {
        (key.rotate_left(17) ^ word.key).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// Calls `visit` with every run of up to [`LONGEST`] words inside a clause that begins and ends
/// with words that can.
pub(super) fn for_each_phrase<'a>(text: &'a str, mut visit: impl FnMut(&[Word<'a>])) {
    let mut lower = String::new();
    let mut words: Vec<Word<'a>> = Vec::new();
    for clause in text.split(is_break) {
        words.clear();
        words.extend(
            clause
                .split(|c: char| !is_word_character(c))
                .filter_map(|raw| word(raw, &mut lower)),
        );
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

/// The first word of a text.
pub(super) fn first_word(text: &str) -> Option<Word<'_>> {
    let mut lower = String::new();
    let mut raw = text.split(|c: char| !is_word_character(c));
    raw.find_map(|raw| word(raw, &mut lower))
}

/// Number of words of a text.
pub(super) fn word_count(text: &str) -> usize {
    let raw = text.split(|c: char| !is_word_character(c));
    raw.filter(|raw| !raw.is_empty()).count()
}

/// Marks of punctuation, and of formulas and markup, whose parts make no phrases.
fn is_break(c: char) -> bool {
    let is_of_words = matches!(c, '#' | '\'' | '+' | '-' | '@' | '`');
    (c.is_ascii_punctuation() && !is_of_words)
        || matches!(c, '\n' | '\u{201c}' | '\u{201d}' | '\u{2013}' | '\u{2014}')
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}' | '-' | '#' | '@' | '+')
}

fn word<'a>(raw: &'a str, lower: &mut String) -> Option<Word<'a>> {
    let trimmed = raw.trim_matches(['\'', '\u{2019}', '-', '+']);
    let surface = ["'s", "\u{2019}s"]
        .iter()
        .find_map(|possessive| trimmed.strip_suffix(possessive))
        .unwrap_or(trimmed);
    if surface.is_empty() {
        return None;
    }
    lower.clear();
    for c in surface.chars() {
        lower.extend(match c {
            '\u{2019}' => '\''.to_lowercase(),
            c => c.to_lowercase(),
        });
    }
    Some(Word {
        surface,
        key: fnv1a(lower.as_bytes()),
        class: class(lower),
    })
}

fn class(lower: &str) -> Class {
    let carries = lower.chars().count() > 1
        && !is_stop_word(lower)
        && !lower.contains('@')
        && !lower.starts_with("http")
        && lower.chars().any(char::is_alphabetic);
    match carries {
        _ if is_link(lower) => Class::Link,
        false => Class::Break,
        true if is_weak_word(lower) => Class::Weak,
        true => Class::Content,
    }
}

/// The 64-bit FNV-1a hash.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What the forms of a word have in common: its stem, by Snowball's English stemmer. For comparing
/// words, never for showing them.
///
/// ```
/// use latentdb::label::fold;
///
/// assert_eq!(fold("Batteries"), fold("battery"));
/// assert_eq!(fold("charging"), fold("charged"));
/// assert_ne!(fold("news"), fold("new"));
/// ```
pub fn fold(word: &str) -> String {
    let stemmer = Stemmer::new(Algorithm::English);
    stemmer.stem(&word.to_lowercase()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_phrase(text, |words| {
            let surfaces: Vec<&str> = words.iter().map(|word| word.surface).collect();
            found.push(surfaces.join(" "));
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
            for_each_phrase(text, |words| last = phrase_key(words));
            last
        };
        assert_eq!(key("Graph Networks"), key("graph networks"));
        assert_ne!(key("graph networks"), key("networks graph"));
    }

    #[test]
    fn forms_of_a_word_fold_together() {
        for forms in [
            &["model", "models", "modeling"][..],
            &["query", "queries"],
            &["price", "prices"],
            &["class", "classes"],
            &["charge", "charges", "charged", "charging"],
            &["virus", "viruses"],
        ] {
            for form in forms {
                assert_eq!(fold(form), fold(forms[0]), "{form}");
            }
        }
        assert_eq!(fold("gas"), "gas");
    }
}
