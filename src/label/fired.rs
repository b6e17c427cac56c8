//! Names of latents that fire on a word: at token level the word is what they are about, whatever the text
//! around it says.

use std::collections::{HashMap, HashSet};

use super::phrases::for_each_phrase;
use super::{Evidence, Vocabulary};

/// Share of a latent's squared activation that a word has to carry for it to be the name.
const LEAST: f64 = 0.4;
/// The same of a further word of the name.
const LEAST_FURTHER: f64 = 0.2;
/// Maximum words of a name.
const WORDS: usize = 3;

/// The word on which a latent fires most, with those on which it fires often
/// too; `None` where there is no such word, or it is not known where the latent fires. Words that carry no
/// meaning by themselves, and marks, are in quotes.
pub(super) fn fired_name(vocabulary: &Vocabulary, evidence: &Evidence<'_>) -> Option<String> {
    let mut weights: HashMap<String, f64> = HashMap::new();
    let mut mass = 0.0;
    for (passage, activation) in &evidence.active {
        let marks = passage.fired.iter();
        let words: HashSet<String> = marks
            .filter_map(|mark| passage.text.get(mark.clone()))
            .map(|word| word.trim().to_lowercase())
            .filter(|word| !word.is_empty())
            .collect();
        if words.is_empty() {
            continue;
        }
        // By the square, as phrases are checked: where it fires weakly, much is chance.
        let weight = f64::from(*activation).powi(2);
        mass += weight;
        for word in words {
            *weights.entry(word).or_default() += weight;
        }
    }
    let mut shares: Vec<(String, f64)> = weights
        .into_iter()
        .map(|(word, weight)| (word, weight / mass))
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if shares.first()?.1 < LEAST {
        return None;
    }
    let name = shares
        .into_iter()
        .take(WORDS)
        .take_while(|(_, share)| *share >= LEAST_FURTHER)
        .map(|(word, _)| shown(vocabulary, word));
    Some(name.collect::<Vec<_>>().join(", "))
}

fn shown(vocabulary: &Vocabulary, word: String) -> String {
    let mut has_content = false;
    for_each_phrase(vocabulary, &word, |words| {
        has_content |= words.iter().any(super::phrases::Word::is_content);
    });
    match has_content {
        true => word,
        false => format!("\"{word}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Passage;

    fn evidence<'a>(texts: &[(&'a str, &str, f32)]) -> Evidence<'a> {
        let active = texts.iter().map(|(text, word, activation)| {
            let at = text.find(word).unwrap();
            let passage = Passage::around(text, Some(at..at + word.len()));
            (passage, *activation)
        });
        Evidence {
            active: active.collect(),
            ..Evidence::default()
        }
    }

    fn name(texts: &[(&str, &str, f32)]) -> Option<String> {
        fired_name(&Vocabulary::default(), &evidence(texts))
    }

    #[test]
    fn a_latent_that_fires_on_a_word_is_named_by_it() {
        let walks = [
            ("we went through the wood", "through", 1.0),
            ("Through snow and rain", "Through", 0.9),
            ("it fell into the sea", "into", 0.3),
        ];
        assert_eq!(name(&walks).as_deref(), Some("\"through\""));
        let both = [
            ("cats, dogs", ",", 1.0),
            ("one, two", ",", 1.0),
            ("stop. go", ".", 0.8),
        ];
        assert_eq!(name(&both).as_deref(), Some("\",\", \".\""));
        let content = [("an old camera here", "camera", 1.0)];
        assert_eq!(name(&content).as_deref(), Some("camera"));
    }

    #[test]
    fn words_that_differ_name_nothing() {
        let many = [
            ("an old camera here", "camera", 1.0),
            ("a new lens there", "lens", 1.0),
            ("the best tripod", "tripod", 1.0),
        ];
        assert_eq!(name(&many), None);
        let unknown = Evidence {
            active: vec![(Passage::whole("no marks"), 1.0)],
            ..Evidence::default()
        };
        assert_eq!(fired_name(&Vocabulary::default(), &unknown), None);
    }
}
