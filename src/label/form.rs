//! What sets documents apart that is in none of their content words: the word they begin with and
//! how short they are. Answers of chat models differ in it before they differ in topics.

use std::collections::HashMap;

use rayon::prelude::*;

use super::phrases::{first_word, word_count};
use super::vocabulary::Vocabulary;

/// Fewer documents than this tell nothing of their form.
const FEWEST: usize = 10;
/// Least weighted share of a latent's documents that a form holds for.
const LEAST_SHARE: f64 = 0.4;
/// How many times that must be the share of all documents.
const LEAST_LIFT: f64 = 5.0;
/// Share of the documents with an opening that must hold a phrase for it to be said with it.
const FEW: f64 = 0.25;
/// Share of all documents that are called very short.
const SHORTEST: f64 = 0.1;
/// Short documents are a matter of form where the median is so many times as long.
const LEAST_SPREAD: usize = 4;
/// Weighted share of a latent's documents that must be very short.
const LEAST_SHORT: f64 = 0.6;

/// A form of a latent's documents.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    /// As a label says it.
    pub text: String,
    /// Weighted share of the latent's documents that must hold a phrase for it to be said with
    /// the form. What few of them say is chance where they begin alike; a very short text is made
    /// of few words.
    pub least_phrase: f64,
}

/// The forms of a collection's texts.
pub(super) struct Forms {
    vocabulary: Vocabulary,
    /// Share of texts that begin with a word that carries no meaning by itself.
    openings: HashMap<String, f64>,
    /// Maximum words of a very short text; `None` where lengths are alike.
    short: Option<usize>,
}

impl Forms {
    /// Counts the openings and lengths of all texts.
    pub fn over(vocabulary: Vocabulary, texts: &[&str]) -> Self {
        let found: Vec<(Option<String>, usize)> = texts
            .par_iter()
            .map(|text| {
                let opening = opening(&vocabulary, text).map(|word| word.0);
                (opening, word_count(text))
            })
            .collect();
        let mut openings: HashMap<String, f64> = HashMap::new();
        let mut lengths = Vec::with_capacity(found.len());
        for (word, length) in found {
            lengths.push(length);
            if let Some(word) = word {
                *openings.entry(word).or_default() += 1.0 / texts.len() as f64;
            }
        }
        lengths.sort_unstable();
        let at = |share: f64| {
            lengths
                .get((lengths.len() as f64 * share) as usize)
                .copied()
        };
        let short = match (at(SHORTEST), at(0.5)) {
            (Some(short), Some(median)) if median >= LEAST_SPREAD * short.max(1) => Some(short),
            _ => None,
        };
        Self {
            vocabulary,
            openings,
            short,
        }
    }

    /// The forms that set documents apart, which come with their weights.
    pub fn of(&self, documents: &[(&str, f32)]) -> Vec<Form> {
        if documents.len() < FEWEST {
            return Vec::new();
        }
        let mass: f64 = documents.iter().map(|entry| f64::from(entry.1)).sum();
        let mut forms = Vec::new();
        let mut openings: HashMap<String, (f64, &str)> = HashMap::new();
        for &(text, weight) in documents {
            if let Some((word, written)) = opening(&self.vocabulary, text) {
                openings.entry(word).or_insert((0.0, written)).0 += f64::from(weight) / mass;
            }
        }
        let most = openings
            .into_iter()
            .max_by(|a, b| a.1.0.total_cmp(&b.1.0).then_with(|| b.0.cmp(&a.0)));
        if let Some((word, (share, written))) = most {
            let among_all = self.openings.get(&word).copied().unwrap_or(0.0);
            if share >= LEAST_SHARE && share >= LEAST_LIFT * among_all {
                let text = format!("begins with {written}");
                let least_phrase = FEW * share;
                forms.push(Form { text, least_phrase });
            }
        }
        if let Some(short) = self.short {
            let is_short = |entry: &&(&str, f32)| word_count(entry.0) <= short;
            let weights = documents.iter().filter(is_short);
            let share: f64 = weights.map(|entry| f64::from(entry.1) / mass).sum();
            if share >= LEAST_SHORT {
                forms.push(Form {
                    text: "very short".to_owned(),
                    least_phrase: 0.0,
                });
            }
        }
        forms
    }
}

/// The first word, in small letters and as written, where it carries no meaning by itself:
/// keyphrases find the others.
fn opening<'a>(vocabulary: &Vocabulary, text: &'a str) -> Option<(String, &'a str)> {
    let word = first_word(vocabulary, text)?;
    (!word.is_content()).then(|| (word.surface.to_lowercase(), word.surface))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 100 texts, 10 begin with "Certainly" and 20 have three words.
    fn texts() -> Vec<String> {
        let long = "a text with many more words than the short ones have in all of their lines";
        (0..100)
            .map(|at| match at {
                0..10 => format!("Certainly! Here is {long}"),
                10..30 => "Yes, of course".to_owned(),
                _ => format!("Model trains answer {at} {long}"),
            })
            .collect()
    }

    fn of(places: impl Iterator<Item = usize>) -> Vec<String> {
        let texts = texts();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let documents: Vec<(&str, f32)> = places.map(|at| (texts[at], 1.0)).collect();
        let forms = Forms::over(Vocabulary::default(), &texts).of(&documents);
        forms.into_iter().map(|form| form.text).collect()
    }

    #[test]
    fn openings_and_brevity_are_forms() {
        assert_eq!(of((0..10).chain(50..55)), ["begins with Certainly"]);
        assert_eq!(of((10..24).chain(60..62)), ["very short"]);
        // A third of them is too few, "Model" carries meaning, and three are chance.
        assert!(of((0..5).chain(40..50)).is_empty());
        assert!(of(0..3).is_empty());
    }

    #[test]
    fn where_lengths_are_alike_no_text_is_short() {
        let texts = ["one two three", "one two", "one two three four"];
        let documents: Vec<(&str, f32)> = texts.iter().map(|text| (*text, 1.0)).collect();
        let forms = Forms::over(Vocabulary::default(), &texts).of(&documents);
        assert!(forms.is_empty());
    }
}
