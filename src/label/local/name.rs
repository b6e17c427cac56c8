//! Names for latents by a small model.
//!
//! A small model copies worked examples and long instructions into its answers, so it gets neither:
//! it completes a sentence about a few short documents. What it says is often about one of them
//! only, so it is asked about several draws, and its own likelihoods choose: the name that documents
//! with the latent make likelier than other documents do, by most.

use std::collections::HashSet;

use super::LocalModel;
use crate::error::Result;
use crate::label::prompt::{Shown, clean_label, drawn, topic_question};
use crate::label::vocabulary::Vocabulary;
use crate::label::{Evidence, Labeller, Naming};
use crate::progress::Progress;

/// What a name is asked for from. Few and short: each token costs.
const SUGGESTED_FROM: Shown = Shown {
    documents: 5,
    characters: 140,
};
/// How often a name is asked for, each time from other documents.
const DRAWS: u64 = 4;
/// What names are compared on.
const COMPARED_ON: Shown = Shown {
    documents: 6,
    characters: 120,
};
/// Maximum tokens of a name.
const TOKENS: usize = 16;
/// Words of a name that are a document's own where they stand in it alone: in this order, in any.
const COPIED_IN_ORDER: usize = 3;
const COPIED: usize = 4;
/// Letters of a word that carries meaning.
const WEIGHTY: usize = 4;
/// The strongest documents in which a name's words are looked for, and how many there must be for two
/// to share one of its words.
const STRONGEST: usize = 30;
const MANY: usize = 10;
/// What the model is told it is.
const SYSTEM: &str = "You are a helpful assistant.";
/// How its answer begins; it ends with the closing quote.
const BEGUN: &str = "The topic of these texts is \"";

impl Labeller for LocalModel {
    fn label(&self, evidence: &Evidence<'_>, progress: &Progress) -> Result<Naming> {
        if evidence.active.is_empty() {
            return Ok(Naming::None("no document that may be shown activates it"));
        }
        let names = suggestions(self, evidence, progress)?;
        if names.is_empty() {
            return Ok(Naming::None(
                "the model repeats the question or a single document, or says nothing short",
            ));
        }
        let (active, inactive) = drawn(evidence, COMPARED_ON, evidence.seed.wrapping_add(DRAWS));
        let mut gains = likelihoods(self, &active, &names, progress)?;
        if !inactive.is_empty() {
            let others = likelihoods(self, &inactive, &names, progress)?;
            gains
                .iter_mut()
                .zip(others)
                .for_each(|(gain, other)| *gain -= other);
            if gains.iter().all(|gain| *gain <= 0.0) {
                return Ok(Naming::None(
                    "what the model suggests fits other documents as well",
                ));
            }
        }
        let named = names.into_iter().zip(gains);
        let best = named.max_by(|a, b| a.1.total_cmp(&b.1));
        Ok(match best {
            Some((name, _)) => Naming::Name(name),
            None => Naming::None("the model suggests nothing"),
        })
    }
}

/// Different names, each from a draw of its own.
fn suggestions(
    model: &LocalModel,
    evidence: &Evidence<'_>,
    progress: &Progress,
) -> Result<Vec<String>> {
    let strongest = evidence.active.iter().take(STRONGEST);
    let strongest: Vec<Vec<String>> = strongest.map(|(text, _)| words(&text.text)).collect();
    let mut names = Vec::new();
    for draw in 0..DRAWS {
        let (active, _) = drawn(evidence, SUGGESTED_FROM, evidence.seed.wrapping_add(draw));
        let question = topic_question(&active);
        let tokens = model.tokens(SYSTEM, &question, BEGUN)?;
        let quoted = model.continue_quote(&tokens, TOKENS, progress)?;
        if let Some(name) = quoted.as_deref().and_then(clean_label) {
            // The quote makes titles of names.
            let name = name.strip_prefix("The ").unwrap_or(&name);
            if !is_an_echo(name, &strongest) && !names.iter().any(|other| other == name) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

/// How likely texts make each of the names.
fn likelihoods(
    model: &LocalModel,
    texts: &[String],
    names: &[String],
    progress: &Progress,
) -> Result<Vec<f64>> {
    let question = topic_question(texts);
    let tokens = model.tokens(SYSTEM, &question, BEGUN)?;
    model.likelihoods(&tokens, names, progress)
}

/// True where a name says what the question says, or is one text's own: of many texts none shares a word
/// of weight with it but one, or it stands in one alone, word for word or, if long, by its words.
fn is_an_echo(name: &str, texts: &[Vec<String>]) -> bool {
    let name = words(name);
    let holding = |word: &String| texts.iter().filter(|text| text.contains(word)).count();
    let asked: HashSet<String> = words(&topic_question(&[]))
        .into_iter()
        .chain(words(BEGUN))
        .collect();
    let Some(first) = name.first() else {
        return true;
    };
    if name.iter().all(|word| asked.contains(word)) && (name.len() > 1 || holding(first) == 0) {
        return true;
    }
    let weighty = name.iter().filter(|word| word.len() >= WEIGHTY);
    if texts.len() >= MANY && weighty.map(holding).max() == Some(1) {
        return true;
    }
    let in_order = |text: &&Vec<String>| text.windows(name.len()).any(|part| part == name);
    let in_any = |text: &&Vec<String>| name.iter().all(|word| text.contains(word));
    (name.len() >= COPIED_IN_ORDER && texts.iter().filter(in_order).count() == 1)
        || (name.len() >= COPIED && texts.iter().filter(in_any).count() == 1)
}

/// The words of a text, without their endings.
fn words(text: &str) -> Vec<String> {
    let english = Vocabulary::default();
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| english.fold(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{is_an_echo, words};

    #[test]
    fn the_question_and_single_documents_are_no_names() {
        let texts = [
            "The battery life of this phone is poor, and its battery died.",
            "A long review of phones with a poor battery life.",
            "The topic was chosen by the teacher for its three main words.",
            "A topic model of reviews.",
        ]
        .map(words);
        for echo in [
            "three words",
            "Texts",
            "The topic of these texts is",
            "phone with a poor battery",
            "review of long battery life",
        ] {
            assert!(is_an_echo(echo, &texts), "{echo}");
        }
        for name in [
            "battery life",
            "Poor Batteries",
            "topic",
            "phones",
            "poor battery quality",
            "Electronics",
            "teacher",
        ] {
            assert!(!is_an_echo(name, &texts), "{name}");
        }
        // Of many texts two share a word of a name, or none does.
        let mut many = vec![words("A battery of tests."); 9];
        many.push(words("A lamp for the desk."));
        for (name, expected) in [("Lamp", true), ("battery", false), ("Electronics", false)] {
            assert_eq!(is_an_echo(name, &many), expected, "{name}");
        }
    }
}
