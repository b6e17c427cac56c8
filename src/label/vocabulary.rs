//! What words do in a phrase and what makes two words one, in the language of a collection.

use std::collections::HashSet;

use frostem::{Algorithm, Stemmer};
use latentdb_index::{Analyzer, TextLanguage};

use super::stop_words::{is_link, is_stop_word, is_weak_word};

/// What a word can do in a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Carries meaning: begins and ends phrases.
    Content,
    /// One character of a script without spaces: begins and ends phrases, but is none alone.
    Character,
    /// Means little by itself: begins phrases, but neither ends them nor stands alone.
    Weak,
    /// Stands inside phrases only: "of" of "cost of living".
    Link,
    /// Stands in no phrase.
    Break,
}

/// The words of a collection's language, as its [`Analyzer`] names it; English where it names none.
/// Words are unified as the analyzer unifies them.
///
/// ```
/// use latentdb::label::Vocabulary;
/// use latentdb_index::Analyzer;
///
/// let english = Vocabulary::default();
/// assert_eq!(english.fold("Batteries"), english.fold("battery"));
/// assert_eq!(english.fold("charging"), english.fold("charged"));
/// assert_ne!(english.fold("news"), english.fold("new"));
/// let german = Analyzer { stemming: "german".parse().ok(), ..Analyzer::default() };
/// let german = Vocabulary::of(german);
/// assert_eq!(german.fold("Lieferungen"), german.fold("Lieferung"));
/// ```
#[derive(Clone, Debug)]
pub struct Vocabulary {
    analyzer: Analyzer,
    stemmer: Algorithm,
    /// Stop words of another language; `None` for English, whose are sorted by what they can do.
    stop_words: Option<HashSet<&'static str>>,
}

impl Default for Vocabulary {
    fn default() -> Self {
        Self::of(Analyzer::default())
    }
}

impl Vocabulary {
    /// The language that an analyzer stems, else that of its stop words, else English.
    pub fn of(analyzer: Analyzer) -> Self {
        let language = analyzer.stemming.or(analyzer.stop_words);
        let name = language.map_or_else(|| "english".to_owned(), |l: TextLanguage| l.to_string());
        let stemmer = Algorithm::from_name(&name).unwrap_or(Algorithm::English);
        let listed = || {
            let code = CODES.iter().find(|(known, _)| *known == name);
            let words = code.and_then(|(_, code)| stop_words::lookup(code));
            words.unwrap_or_default().iter().copied().collect()
        };
        Self {
            stop_words: (stemmer != Algorithm::English).then(listed),
            stemmer,
            // Of the words themselves only what unifies them.
            analyzer: Analyzer {
                stemming: None,
                stop_words: None,
                ..analyzer
            },
        }
    }

    /// What the forms of a word have in common: its stem, by Snowball's stemmer of the language. For
    /// comparing words, never for showing them.
    pub fn fold(&self, word: &str) -> String {
        let mut unified = String::new();
        self.unify(word, &mut unified);
        Stemmer::new(self.stemmer).stem(&unified).into_owned()
    }

    /// Writes a word as all words that count as the same are written: in small letters, and as the
    /// collection's analyzer unifies characters.
    pub(super) fn unify(&self, word: &str, unified: &mut String) {
        unified.clear();
        if word.is_ascii() {
            unified.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        } else {
            unified.push_str(&self.analyzer.query_words(word).join(" "));
        }
    }

    /// What a unified word can do.
    pub(super) fn class(&self, word: &str) -> Class {
        let Some(stop_words) = &self.stop_words else {
            return class(word, is_link(word), is_stop_word(word), is_weak_word(word));
        };
        let is_stop_word = stop_words.contains(word);
        // The short ones are articles and prepositions: "de" of "taux de change".
        let is_link = is_stop_word && word.chars().count() <= LONGEST_LINK;
        class(word, is_link, is_stop_word, false)
    }
}

/// Codes of the languages with a list of stop words.
const CODES: [(&str, &str); 16] = [
    ("arabic", "ar"),
    ("danish", "da"),
    ("dutch", "nl"),
    ("finnish", "fi"),
    ("french", "fr"),
    ("german", "de"),
    ("greek", "el"),
    ("hungarian", "hu"),
    ("italian", "it"),
    ("norwegian", "no"),
    ("portuguese", "pt"),
    ("romanian", "ro"),
    ("russian", "ru"),
    ("spanish", "es"),
    ("swedish", "sv"),
    ("turkish", "tr"),
];

/// Characters of a stop word that joins others to one phrase, at most.
const LONGEST_LINK: usize = 3;

fn class(word: &str, is_link: bool, is_stop_word: bool, is_weak: bool) -> Class {
    let carries = word.chars().count() > 1
        && !is_stop_word
        && !word.contains('@')
        && !word.starts_with("http")
        && word.chars().any(char::is_alphabetic);
    match carries {
        _ if is_link => Class::Link,
        false => Class::Break,
        true if is_weak => Class::Weak,
        true => Class::Content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(language: &str) -> Vocabulary {
        Vocabulary::of(Analyzer {
            stemming: language.parse().ok(),
            ..Analyzer::default()
        })
    }

    #[test]
    fn forms_of_a_word_fold_together() {
        let english = Vocabulary::default();
        for forms in [
            &["model", "models", "modeling"][..],
            &["query", "queries"],
            &["price", "prices"],
            &["class", "classes"],
            &["charge", "charges", "charged", "charging"],
            &["virus", "viruses"],
        ] {
            for form in forms {
                assert_eq!(english.fold(form), english.fold(forms[0]), "{form}");
            }
        }
        assert_eq!(english.fold("gas"), "gas");
        let folding = Vocabulary::of(Analyzer {
            fold_diacritics: true,
            ..Analyzer::default()
        });
        assert_eq!(folding.fold("Ｃafé"), "cafe");
        assert_eq!(english.fold("Ｃafé"), "café");
    }

    #[test]
    fn every_language_of_analyzers_has_its_stemmer() {
        for language in TextLanguage::names() {
            let found = of(language);
            assert_eq!(found.stemmer.name(), language);
            if let Some(words) = found.stop_words {
                assert!(words.len() > 20 || language == "tamil", "{language}");
            }
        }
        assert_eq!(of("french").class("de"), Class::Link);
        assert_eq!(of("german").class("nicht"), Class::Break);
        assert_eq!(of("german").class("lieferung"), Class::Content);
        assert_eq!(of("russian").class("не"), Class::Link);
    }
}
