//! What a latent is about, where it has no label yet: the words that its strongest documents share
//! and the corpus does not.

use std::collections::{HashMap, HashSet};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use latentdb_proto::v1::{GetLatentRequest, Latent};

use super::COLLECTION;
use crate::cli::client::Client;
use crate::inputs::DemoDocument;

/// Strongest documents that are read.
const DOCUMENTS: u32 = 20;
/// Words that stand for a latent.
const WORDS: usize = 3;
/// Latents that are asked for at a time.
const CONCURRENT: usize = 8;

/// Words for latents, learned as they are needed.
pub(super) struct Glossary<'a> {
    client: &'a Client,
    frequencies: Frequencies,
    names: HashMap<u32, Option<String>>,
}

impl<'a> Glossary<'a> {
    pub(super) fn new(client: &'a Client, corpus: &[DemoDocument]) -> Self {
        Self {
            client,
            frequencies: Frequencies::of(corpus.iter().map(|document| document.text.as_str())),
            names: HashMap::new(),
        }
    }

    /// Looks up what it does not know yet.
    pub(super) async fn learn(&mut self, latents: HashSet<u32>) -> anyhow::Result<()> {
        let wanted: Vec<u32> = latents
            .into_iter()
            .filter(|latent| !self.names.contains_key(latent))
            .collect();
        let client = self.client;
        let found: Vec<(u32, Latent)> = stream::iter(wanted)
            .map(|latent| async move {
                let request = GetLatentRequest {
                    collection: COLLECTION.to_owned(),
                    latent,
                    documents: DOCUMENTS,
                    ..GetLatentRequest::default()
                };
                let response = client.latents().get_latent(request).await?;
                anyhow::Ok((latent, response.into_inner()))
            })
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await?;
        for (number, latent) in found {
            let name = self.name_of(&latent);
            self.names.insert(number, name);
        }
        Ok(())
    }

    /// The latent's label, or its words.
    pub(super) fn name(&self, latent: u32) -> Option<String> {
        self.names.get(&latent).cloned().flatten()
    }

    fn name_of(&self, latent: &Latent) -> Option<String> {
        let label = latent
            .summary
            .as_ref()
            .and_then(|summary| summary.label.as_ref());
        if let Some(label) = label {
            return Some(label.text.clone());
        }
        let texts = latent
            .documents
            .iter()
            .filter_map(|entry| entry.document.as_ref()?.text.as_deref());
        let words = self.frequencies.distinctive(texts);
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// In how many documents of a corpus each word stands.
struct Frequencies {
    documents: usize,
    words: HashMap<String, usize>,
}

impl Frequencies {
    fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut documents = 0;
        let mut words = HashMap::new();
        for text in texts {
            documents += 1;
            for word in words_of(text) {
                *words.entry(word).or_insert(0) += 1;
            }
        }
        Self { documents, words }
    }

    /// The words of `texts` with the largest `c ln(N / n)`: `c` of these texts hold it, `n` of the
    /// `N` of the corpus. A word of one text alone says nothing about what they share.
    fn distinctive<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Vec<String> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for text in texts {
            for word in words_of(text) {
                *counts.entry(word).or_insert(0) += 1;
            }
        }
        let mut scored: Vec<(f64, String)> = counts
            .into_iter()
            .filter(|(_, count)| *count > 1)
            .map(|(word, count)| {
                let all = self.words.get(&word).copied().unwrap_or(1);
                let rarity = (self.documents.max(1) as f64 / all as f64).ln();
                (count as f64 * rarity, word)
            })
            .filter(|(score, _)| *score > 0.0)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        scored
            .into_iter()
            .take(WORDS)
            .map(|(_, word)| word)
            .collect()
    }
}

/// The different words of a text, in lower case, of three letters or more.
fn words_of(text: &str) -> HashSet<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphabetic() && c != '\'')
        .map(|word| word.trim_matches('\''))
        .filter(|word| word.chars().count() >= 3)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_and_rare_words_come_first() {
        let corpus = [
            "the battery is weak",
            "the battery and the charger",
            "the film is long",
            "the film is fine",
            "the weather is fine",
            "a phone",
        ];
        let frequencies = Frequencies::of(corpus.into_iter());
        let words = frequencies.distinctive(corpus[..2].iter().copied());
        // 2 ln(6 / 2) for battery, 2 ln(6 / 5) for the; the others stand in one text only.
        assert_eq!(words, ["battery", "the"]);
        assert!(frequencies.distinctive(["alone"].into_iter()).is_empty());
    }

    #[test]
    fn words_are_lower_case_letters() {
        let words = words_of("Don't STOP -- 'quoted' 4ever, at a café");
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.sort_unstable();
        assert_eq!(words, ["café", "don't", "ever", "quoted", "stop"]);
    }
}
