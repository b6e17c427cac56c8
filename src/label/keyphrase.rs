//! Contrastive keyphrases: what the documents that activate a latent say and others do not.
//!
//! Phrases of one to three words are compared by their weighted document frequency among the
//! strongest documents of a latent and over the collection, by the log-odds ratio with an
//! informative Dirichlet prior (Monroe, Colaresi and Quinn, 2008): phrases are ranked by its
//! z-score, which needs no threshold on rare words. No model is asked.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use rayon::prelude::*;

use super::stop_words::is_stop_word;

/// Longest phrase, in words.
const LONGEST: usize = 3;
/// Longest phrase, in bytes; three of them fit into a label.
const LONGEST_BYTES: usize = 60;

/// What shapes the labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyphraseOptions {
    /// Strongest documents of a latent that are read.
    pub documents: usize,
    /// Documents of those in which a phrase must stand.
    pub support: usize,
    /// Phrases of a label.
    pub phrases: usize,
    /// Weight of the prior, in documents.
    pub prior: f64,
}

impl Default for KeyphraseOptions {
    fn default() -> Self {
        Self {
            documents: 60,
            support: 3,
            phrases: 3,
            prior: 20.0,
        }
    }
}

/// A document that activates a latent: its place in the texts, and how strongly.
pub type Activating = (usize, f32);

/// A label per latent (`None` where nothing stands out), from `latents`' documents, strongest
/// first, and all `texts` of the collection.
///
/// ```
/// use latentdb::label::{KeyphraseOptions, keyphrase_labels};
///
/// let mut texts = vec!["the battery life is short", "short battery life", "poor battery life"];
/// texts.extend(["the film was long"; 40]);
/// let latents = vec![vec![(0, 0.9), (1, 0.8), (2, 0.7)]];
/// let labels = keyphrase_labels(&latents, &texts, &KeyphraseOptions::default());
/// assert_eq!(labels[0].as_deref(), Some("battery life"));
/// ```
pub fn keyphrase_labels(
    latents: &[Vec<Activating>],
    texts: &[&str],
    options: &KeyphraseOptions,
) -> Vec<Option<String>> {
    let candidates: Vec<Vec<Candidate>> = latents
        .par_iter()
        .map(|documents| candidates(documents, texts, options))
        .collect();
    let wanted: HashSet<u64> = candidates
        .iter()
        .flatten()
        .map(|candidate| candidate.key)
        .collect();
    let background = document_frequencies(&wanted, texts);
    candidates
        .into_par_iter()
        .map(|candidates| label(candidates, &background, texts.len(), options))
        .collect()
}

/// A phrase of a latent's documents.
struct Candidate {
    key: u64,
    phrase: String,
    /// Weighted share of the latent's documents that hold it.
    share: f64,
    /// The sum of all weights, in documents as strong as the strongest.
    mass: f64,
}

fn candidates(
    documents: &[Activating],
    texts: &[&str],
    options: &KeyphraseOptions,
) -> Vec<Candidate> {
    let strongest = documents
        .first()
        .map_or(1.0, |first| first.1)
        .max(f32::MIN_POSITIVE);
    let mut found: HashMap<u64, (String, f64, usize)> = HashMap::new();
    let mut mass = 0.0;
    for &(document, activation) in documents.iter().take(options.documents) {
        let weight = f64::from(activation / strongest);
        mass += weight;
        let mut seen = HashSet::new();
        for_each_phrase(texts[document], |words| {
            let key = key(words);
            if seen.insert(key) {
                let entry = found
                    .entry(key)
                    .or_insert_with(|| (words.join(" "), 0.0, 0));
                entry.1 += weight;
                entry.2 += 1;
            }
        });
    }
    found
        .into_iter()
        .filter(|(_, (_, _, support))| *support >= options.support)
        .map(|(key, (phrase, weight, _))| Candidate {
            key,
            phrase,
            share: weight / mass,
            mass,
        })
        .collect()
}

fn document_frequencies(wanted: &HashSet<u64>, texts: &[&str]) -> HashMap<u64, usize> {
    texts
        .par_chunks(512)
        .map(|texts| {
            let mut counts: HashMap<u64, usize> = HashMap::new();
            for text in texts {
                let mut seen = HashSet::new();
                for_each_phrase(text, |words| {
                    let key = key(words);
                    if wanted.contains(&key) && seen.insert(key) {
                        *counts.entry(key).or_default() += 1;
                    }
                });
            }
            counts
        })
        .reduce(HashMap::new, |mut left, right| {
            for (key, count) in right {
                *left.entry(key).or_default() += count;
            }
            left
        })
}

fn label(
    candidates: Vec<Candidate>,
    background: &HashMap<u64, usize>,
    n_texts: usize,
    options: &KeyphraseOptions,
) -> Option<String> {
    let mut scored: Vec<(f64, Candidate)> = candidates
        .into_iter()
        .map(|candidate| {
            let count = background.get(&candidate.key).copied().unwrap_or(0);
            (
                z_score(&candidate, count as f64, n_texts as f64, options.prior),
                candidate,
            )
        })
        .filter(|(score, _)| *score > 1.0)
        .collect();
    scored.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then_with(|| a.1.phrase.cmp(&b.1.phrase))
    });
    let mut chosen: Vec<String> = Vec::new();
    for (_, candidate) in &scored {
        if chosen.len() == options.phrases {
            break;
        }
        let phrase = lengthen(candidate, &scored);
        let overlaps = |other: &String| {
            let words: HashSet<&str> = other.split(' ').collect();
            phrase
                .split(' ')
                .any(|word| words.contains(stem(word)) || words.contains(word))
                || other
                    .split(' ')
                    .any(|word| phrase.split(' ').any(|own| stem(own) == stem(word)))
        };
        if !chosen.iter().any(overlaps) {
            chosen.push(phrase.to_owned());
        }
    }
    (!chosen.is_empty()).then(|| chosen.join(", "))
}

/// z of the log-odds ratio of a phrase between the latent's documents and all documents, with the
/// collection's own frequencies as the prior.
fn z_score(candidate: &Candidate, count: f64, n_texts: f64, prior: f64) -> f64 {
    let alpha = (prior * count / n_texts).max(1e-3);
    let inside = candidate.share * candidate.mass;
    let odds =
        |count: f64, total: f64| ((count + alpha) / (total + prior - count - alpha).max(1e-3)).ln();
    let difference = odds(inside, candidate.mass) - odds(count, n_texts);
    difference / (1.0 / (inside + alpha) + 1.0 / (count + alpha)).sqrt()
}

/// The longest phrase around `candidate` that stands in most of the documents it stands in:
/// "machine learning" rather than "machine".
fn lengthen<'a>(candidate: &'a Candidate, scored: &'a [(f64, Candidate)]) -> &'a str {
    let padded = |phrase: &str| format!(" {phrase} ");
    let inner = padded(&candidate.phrase);
    scored
        .iter()
        .map(|(_, other)| other)
        .filter(|other| {
            other.phrase.len() > candidate.phrase.len()
                && other.share >= 0.6 * candidate.share
                && padded(&other.phrase).contains(&inner)
        })
        .max_by(|a, b| a.share.total_cmp(&b.share))
        .map_or(&candidate.phrase, |other| &other.phrase)
}

/// Singular and plural are one word for the sake of variety.
fn stem(word: &str) -> &str {
    word.strip_suffix('s')
        .filter(|stem| stem.len() > 2)
        .unwrap_or(word)
}

fn key(words: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

/// Calls `visit` with every run of up to [`LONGEST`] words inside a sentence that neither begins
/// nor ends with a stop word or a bare number.
fn for_each_phrase(text: &str, mut visit: impl FnMut(&[&str])) {
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    for clause in lower.split(['.', ',', ';', ':', '!', '?', '(', ')', '"', '\n']) {
        let words: Vec<&str> = clause
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '-' | '#' | '@')))
            .map(|word| word.trim_matches(['\'', '-']))
            .filter(|word| !word.is_empty())
            .collect();
        for start in 0..words.len() {
            if !carries(words[start]) {
                continue;
            }
            for end in start + 1..=words.len().min(start + LONGEST) {
                let bytes: usize = words[start..end].iter().map(|word| word.len() + 1).sum();
                if carries(words[end - 1]) && bytes <= LONGEST_BYTES {
                    visit(&words[start..end]);
                }
            }
        }
    }
}

/// True for a word that can stand alone.
fn carries(word: &str) -> bool {
    word.chars().count() > 1
        && !is_stop_word(word)
        && !word.starts_with('@')
        && !word.starts_with("http")
        && word.chars().any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_neither_begin_nor_end_with_stop_words() {
        let mut phrases = Vec::new();
        for_each_phrase("The state of the art, 2024!", |words| {
            phrases.push(words.join(" "))
        });
        assert_eq!(phrases, ["state", "art"]);
        phrases.clear();
        for_each_phrase("cost of living", |words| phrases.push(words.join(" ")));
        assert_eq!(phrases, ["cost", "cost of living", "living"]);
    }

    #[test]
    fn what_is_common_everywhere_is_no_label() {
        let texts: Vec<String> = (0..400)
            .map(|at| match at % 10 {
                0 => format!("good phone with a cracked screen {at}"),
                _ => format!("good thing number {at}"),
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let documents = (0..400).step_by(10).map(|at| (at, 1.0)).collect();
        let labels = keyphrase_labels(
            &[documents, Vec::new()],
            &texts,
            &KeyphraseOptions::default(),
        );
        let label = labels[0].clone().unwrap();
        assert!(label.contains("cracked screen"), "{label}");
        assert!(!label.split(", ").any(|phrase| phrase == "good"), "{label}");
        assert_eq!(labels[1], None);
    }
}
