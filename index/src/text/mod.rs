//! How text becomes the words that are indexed and searched.
//!
//! A collection has one [`Analyzer`], chosen when it is created and the same for its documents and
//! for queries. [`words`] cuts text into words; here they are stemmed and stop words dropped.

pub(crate) mod form;
mod highlight;
mod words;

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tantivy::tokenizer::{Language, Stemmer, StopWordFilter, TextAnalyzer, TokenizerManager};

use crate::error::{Error, Result};
pub use highlight::Span;
use words::{Cut, LONGEST, Words};

/// Maximum different words of a text query or condition.
pub const MAX_QUERY_WORDS: usize = 1024;

/// How a collection's text becomes words. Words are cut at the boundaries of Unicode's word
/// segmentation (UAX #29), compatibility forms are unified (NFKC) and case is folded. Runs of
/// scripts that are written without spaces (Han, kana, Hangul, Thai, Lao, Khmer, Burmese) become
/// overlapping pairs of characters, so that any part of a run is found. Symbols and emoji are words,
/// punctuation is not.
///
/// ```
/// use latentdb_index::Analyzer;
///
/// let plain = Analyzer::default();
/// assert_eq!(plain.query_words("The ﬁrst CAFÉ 👍, 北京烤鸭"), [
///     "the", "first", "café", "👍", "北京", "京烤", "烤鸭",
/// ]);
/// let english = Analyzer { stemming: "english".parse().ok(), fold_diacritics: true, ..plain };
/// assert_eq!(english.query_words("cafés' batteries"), ["cafe", "batteri"]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analyzer {
    /// Words are reduced to the stem that the language's Snowball algorithm gives.
    pub stemming: Option<TextLanguage>,
    /// The language's most frequent words are not indexed, and left out of queries.
    pub stop_words: Option<TextLanguage>,
    /// `café` and `cafe` are one word: combining marks (U+0300 to U+036F) are dropped.
    pub fold_diacritics: bool,
}

/// A language with stemming and, for most, a list of stop words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TextLanguage(Language);

/// Every language, by its name on the wire.
const LANGUAGES: [(&str, Language); 18] = [
    ("arabic", Language::Arabic),
    ("danish", Language::Danish),
    ("dutch", Language::Dutch),
    ("english", Language::English),
    ("finnish", Language::Finnish),
    ("french", Language::French),
    ("german", Language::German),
    ("greek", Language::Greek),
    ("hungarian", Language::Hungarian),
    ("italian", Language::Italian),
    ("norwegian", Language::Norwegian),
    ("portuguese", Language::Portuguese),
    ("romanian", Language::Romanian),
    ("russian", Language::Russian),
    ("spanish", Language::Spanish),
    ("swedish", Language::Swedish),
    ("tamil", Language::Tamil),
    ("turkish", Language::Turkish),
];

/// How many of a text's words a document must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextMode {
    /// At least one.
    #[default]
    Any,
    /// All of them.
    All,
    /// All of them, one after the other.
    Phrase,
    /// All of them, each as the beginning of a word.
    Prefix,
    /// All of them, each with a few wrong characters: none in words of 1 or 2 characters, one in
    /// those of 3 to 5, two in longer ones. A character too many, too few or another one is wrong,
    /// and so are two neighbours in the other order.
    Fuzzy,
}

impl TextMode {
    /// Whether each word of the text stands for several words of the index.
    pub(crate) fn is_expanded(self) -> bool {
        matches!(self, Self::Prefix | Self::Fuzzy)
    }
}

impl TextLanguage {
    /// The names of all languages, as they are written and shown.
    pub fn names() -> impl Iterator<Item = &'static str> {
        LANGUAGES.iter().map(|(name, _)| *name)
    }
}

impl FromStr for TextLanguage {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = LANGUAGES.iter().find(|(known, _)| *known == name);
        found.map(|&(_, language)| Self(language)).ok_or_else(|| {
            let names: Vec<&str> = Self::names().collect();
            let names = names.join(", ");
            Error::invalid("", format!("is {name:?}; one of {names} is accepted"))
        })
    }
}

impl fmt::Display for TextLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = LANGUAGES.iter().find(|(_, language)| *language == self.0);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl TryFrom<String> for TextLanguage {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<TextLanguage> for String {
    fn from(language: TextLanguage) -> Self {
        language.to_string()
    }
}

impl Analyzer {
    /// Checks that there is a list of stop words for the language.
    pub fn validate(&self) -> Result<()> {
        match self.stop_words {
            Some(language) if StopWordFilter::new(language.0).is_none() => Err(Error::invalid(
                "stop_words",
                format!("is {language}, which has no list of stop words"),
            )),
            _ => Ok(()),
        }
    }

    /// Whether a character is of a script that is written without spaces (Han, kana, Thai, Lao, Khmer,
    /// Burmese), or is Hangul, whose particles are not set apart: of such runs, pairs are indexed.
    pub fn is_unspaced(character: char) -> bool {
        words::is_unspaced(character)
    }

    /// The words by which a query finds documents, in order.
    pub fn query_words(&self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        self.build(Cut::Query)
            .token_stream(text)
            .process(&mut |token| words.push(token.text.clone()));
        words
    }

    /// Checks that a text condition means what it says: where it asks for every word, each part
    /// between spaces must be one; else any of them.
    pub(crate) fn check(&self, text: &str, mode: TextMode) -> Result<()> {
        let every = mode != TextMode::Any;
        if mode.is_expanded() {
            self.check_forms(text)?;
        }
        let mut cutter = TextAnalyzer::from(self.words(Cut::Query));
        let mut distinct = HashSet::new();
        let mut without = None;
        for part in text.split_whitespace() {
            let mut n_words = 0;
            cutter.token_stream(part).process(&mut |token| {
                n_words += 1;
                if !distinct.contains(&token.text) {
                    distinct.insert(token.text.clone());
                }
            });
            if n_words == 0 {
                without = without.or(Some(part));
            }
        }
        if distinct.len() > MAX_QUERY_WORDS {
            return Err(Error::invalid(
                "text",
                format!(
                    "has {} different words; at most {MAX_QUERY_WORDS} are accepted",
                    distinct.len()
                ),
            ));
        }
        match without {
            Some(part) if every || distinct.is_empty() => {
                let at = part.as_ptr() as usize - text.as_ptr() as usize;
                let at = text[..at].chars().count() + 1;
                Err(Error::invalid(
                    "text",
                    format!(
                        "has {part:?} at character {at}, which is no word: punctuation is not \
                         indexed"
                    ),
                ))
            }
            _ if distinct.is_empty() => Err(Error::invalid("text", "is empty; words are accepted")),
            _ if self.stop_words.is_some() && self.query_words(text).is_empty() => {
                Err(Error::invalid(
                    "text",
                    format!("{text:?} has stop words only, which this collection does not index"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Beginnings and near forms are looked for among the words as they were written.
    fn check_forms(&self, text: &str) -> Result<()> {
        if let Some(language) = self.stemming {
            return Err(Error::invalid(
                "text",
                format!(
                    "{text:?} is to be found by the beginning or with errors, which needs words as \
                     they were written; this collection keeps their stems (stemming {language})"
                ),
            ));
        }
        match text.split_whitespace().find(|part| part.len() > LONGEST) {
            Some(part) => Err(Error::invalid(
                "text",
                format!(
                    "has a word of {} bytes; words to be found by the beginning or with errors have \
                     at most {LONGEST}",
                    part.len()
                ),
            )),
            None => Ok(()),
        }
    }

    /// The words of a query as they were written, stop words left out.
    pub(crate) fn unstemmed_words(&self, text: &str) -> Vec<String> {
        Self {
            stemming: None,
            ..*self
        }
        .query_words(text)
    }

    /// Makes the analyzer known to an index by the names that the schema and queries use.
    pub(crate) fn register(&self, tokenizers: &TokenizerManager) {
        tokenizers.register(&self.name(), self.build(Cut::Documents));
        tokenizers.register(&self.query_name(), self.build(Cut::Query));
    }

    /// The name in an index's schema, from which [`Self::of_name`] makes it again.
    pub(crate) fn name(&self) -> String {
        let name = |language: Option<TextLanguage>| {
            language.map_or_else(|| "-".to_owned(), |language| language.to_string())
        };
        format!(
            "words {} {} {}",
            name(self.stemming),
            name(self.stop_words),
            if self.fold_diacritics { "fold" } else { "keep" }
        )
    }

    /// The name under which text of queries is analysed.
    pub(crate) fn query_name(&self) -> String {
        format!("{} in queries", self.name())
    }

    /// The analyzer of a name in a schema.
    pub(crate) fn of_name(name: &str) -> Result<Self> {
        let language = |name: &str| match name {
            "-" => Ok(None),
            name => name.parse().map(Some),
        };
        let parts: Vec<&str> = name.split(' ').collect();
        let ["words", stemming, stop_words, fold @ ("fold" | "keep")] = parts[..] else {
            return Err(Error::corrupted(format!(
                "an index names the unknown analyzer {name:?}"
            )));
        };
        Ok(Self {
            stemming: language(stemming)?,
            stop_words: language(stop_words)?,
            fold_diacritics: fold == "fold",
        })
    }

    fn words(self, cut: Cut) -> Words {
        Words::new(cut, self.fold_diacritics)
    }

    fn build(self, cut: Cut) -> TextAnalyzer {
        let mut builder = TextAnalyzer::builder(self.words(cut)).dynamic();
        if let Some(stop_words) = self
            .stop_words
            .and_then(|language| StopWordFilter::new(language.0))
        {
            builder = builder.filter_dynamic(stop_words);
        }
        if let Some(language) = self.stemming {
            builder = builder.filter_dynamic(Stemmer::new(language.0));
        }
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(analyzer: Analyzer, text: &str) -> Vec<(usize, String)> {
        let mut words = Vec::new();
        let mut built = analyzer.build(Cut::Documents);
        built.token_stream(text).process(&mut |token| {
            assert!(text.get(token.offset_from..token.offset_to).is_some());
            words.push((token.position, token.text.clone()));
        });
        words
    }

    fn query(text: &str) -> Vec<String> {
        Analyzer::default().query_words(text)
    }

    #[test]
    fn words_of_any_script_are_unified() {
        assert_eq!(
            query("ＡＢＣ ﬁn Straße ΣΊΣΥΦΟΣ"),
            ["abc", "fin", "strasse", "σίσυφοσ"]
        );
        assert_eq!(
            query("don’t e\u{301}te\u{301} co\u{ad}op ❤\u{fe0f}"),
            ["don't", "été", "coop", "❤"]
        );
        assert_eq!(
            query("snake_case 3.14 e-mail, a+b ... _ - !"),
            ["snake_case", "3.14", "e", "mail", "a", "+", "b"]
        );
        let folded = Analyzer {
            fold_diacritics: true,
            ..Analyzer::default()
        };
        assert_eq!(
            folded.query_words("Crème Brûlée й ガ"),
            ["creme", "brulee", "и", "ガ"]
        );
    }

    #[test]
    fn runs_without_spaces_are_pairs_and_single_characters() {
        assert_eq!(query("我喜欢"), ["我喜", "喜欢"]);
        assert_eq!(query("京 K팝 ภาษา"), ["京", "k", "팝", "ภา", "าษ", "ษา"]);
        let found = documents(Analyzer::default(), "a 北京 b");
        let expected = [(0, "a"), (1, "北"), (1, "北京"), (2, "京"), (3, "b")];
        assert_eq!(found, expected.map(|(at, word)| (at, word.to_owned())));
    }

    #[test]
    fn long_words_are_words() {
        let long = "f".repeat(100_000);
        let other = format!("{}e", &long[1..]);
        let (word, other) = (query(&long), query(&other));
        assert_eq!((word.len(), other.len()), (1, 1));
        assert!(word != other && word[0].len() < 1024);
        assert_eq!(query(&"ab".repeat(100)), ["ab".repeat(100)]);
    }

    #[test]
    fn a_condition_that_drops_a_word_is_refused() {
        let check = |text: &str, every| {
            let mode = if every { TextMode::All } else { TextMode::Any };
            let error = Analyzer::default().check(text, mode).err();
            error.map(|error| error.message().to_owned())
        };
        for every in [false, true] {
            assert_eq!(check("late, 👍 'delivery'!", every), None);
            assert!(check(" ", every).unwrap().contains("empty"));
            assert!(check("... !", every).unwrap().contains("at character 1"));
        }
        assert_eq!(check("late ... delivery", false), None);
        let message = check("späte ... delivery", true).unwrap();
        assert!(message.contains("\"...\" at character 7"), "{message}");
        let many: String = (0..=MAX_QUERY_WORDS).map(|at| format!("w{at} ")).collect();
        assert!(check(&many, false).unwrap().contains("1024"));
        assert_eq!(check(&"w ".repeat(5000), true), None);
    }

    #[test]
    fn an_analyzer_is_made_again_from_its_name() {
        let english: TextLanguage = "english".parse().unwrap();
        for stemming in [None, Some(english)] {
            for stop_words in [None, Some(english)] {
                for fold_diacritics in [false, true] {
                    let analyzer = Analyzer {
                        stemming,
                        stop_words,
                        fold_diacritics,
                    };
                    assert_eq!(Analyzer::of_name(&analyzer.name()).unwrap(), analyzer);
                }
            }
        }
        let english = Analyzer {
            stemming: Some(english),
            stop_words: Some(english),
            ..Analyzer::default()
        };
        assert_eq!(
            english.query_words("the batteries are dying"),
            ["batteri", "die"]
        );
        assert!(english.check("the", TextMode::Any).is_err());
        let error = english.check("batter", TextMode::Prefix).unwrap_err();
        assert!(error.message().contains("stems"), "{error}");
        let long = "x".repeat(LONGEST + 1);
        assert!(Analyzer::default().check(&long, TextMode::Fuzzy).is_err());
        assert!(Analyzer::of_name("default").is_err());
        let error = "klingon".parse::<TextLanguage>().unwrap_err();
        assert!(error.message().contains("english"));
    }
}
