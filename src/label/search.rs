//! Labels by the words they share with a text.

use std::collections::{HashMap, HashSet};

use super::phrases::for_each_phrase;
use super::vocabulary::Vocabulary;

/// Labels and how rare their words are.
#[derive(Clone, Debug, Default)]
pub struct LabelIndex {
    vocabulary: Vocabulary,
    labels: Vec<(u32, HashSet<String>)>,
    frequencies: HashMap<String, usize>,
}

/// A label that shares words with a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WordMatch {
    /// Its latent.
    pub latent: u32,
    /// Share of the text's words that it holds, weighted by how rare they are among labels.
    pub score: f64,
}

impl LabelIndex {
    /// An index of labels by latent, in a language.
    ///
    /// ```
    /// use latentdb::label::{LabelIndex, Vocabulary};
    ///
    /// let labels = [(3, "battery life"), (8, "night life"), (9, "war")];
    /// let index = LabelIndex::new(Vocabulary::default(), labels);
    /// let found = index.search("batteries and life");
    /// assert_eq!(found[0].latent, 3);
    /// assert_eq!(found[1].latent, 8);
    /// assert_eq!(found.len(), 2);
    /// ```
    pub fn new<'a>(
        vocabulary: Vocabulary,
        labels: impl IntoIterator<Item = (u32, &'a str)>,
    ) -> Self {
        let labels: Vec<(u32, HashSet<String>)> = labels
            .into_iter()
            .map(|(latent, text)| (latent, words(&vocabulary, text)))
            .collect();
        let mut frequencies: HashMap<String, usize> = HashMap::new();
        for (_, words) in &labels {
            for word in words {
                *frequencies.entry(word.clone()).or_default() += 1;
            }
        }
        Self {
            vocabulary,
            labels,
            frequencies,
        }
    }

    /// Labels that share a word with `text`: those with the largest share of its word weights
    /// first, the shortest of equals.
    pub fn search(&self, text: &str) -> Vec<WordMatch> {
        let wanted = words(&self.vocabulary, text);
        let weight = |word: &String| {
            let count = self.frequencies.get(word).copied().unwrap_or(0);
            (1.0 + self.labels.len() as f64 / (1.0 + count as f64)).ln()
        };
        // In one order, so that sums of equal weights are equal.
        let mut wanted: Vec<&String> = wanted.iter().collect();
        wanted.sort_unstable();
        let all: f64 = wanted.iter().map(|word| weight(word)).sum();
        let mut found: Vec<(usize, WordMatch)> = self
            .labels
            .iter()
            .filter_map(|(latent, words)| {
                let shared = wanted.iter().filter(|word| words.contains(**word));
                let score: f64 = shared.map(|word| weight(word)).sum::<f64>() / all;
                let found = WordMatch {
                    latent: *latent,
                    score,
                };
                (score > 0.0).then_some((words.len(), found))
            })
            .collect();
        found.sort_by(|a, b| {
            let by_score = b.1.score.total_cmp(&a.1.score);
            by_score
                .then(a.0.cmp(&b.0))
                .then(a.1.latent.cmp(&b.1.latent))
        });
        found.into_iter().map(|(_, found)| found).collect()
    }
}

/// The words that carry meaning, folded.
fn words(vocabulary: &Vocabulary, text: &str) -> HashSet<String> {
    let mut words = HashSet::new();
    for_each_phrase(vocabulary, text, |run| {
        if let [word] = run {
            words.insert(vocabulary.fold(word.surface));
        }
    });
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_count_more() {
        let mut labels: Vec<(u32, String)> = (10..50)
            .map(|at| (at, format!("film number{at}")))
            .collect();
        labels.push((1, "western film".to_owned()));
        labels.push((2, "western".to_owned()));
        let index = LabelIndex::new(
            Vocabulary::default(),
            labels.iter().map(|(at, text)| (*at, text.as_str())),
        );
        let found = index.search("Western films");
        assert_eq!(
            found[0],
            WordMatch {
                latent: 1,
                score: 1.0
            }
        );
        assert_eq!(found[1].latent, 2);
        assert!(found[1].score > 0.5);
        assert_eq!(found.len(), 42);
        assert!(index.search("of the").is_empty());
        assert!(index.search("").is_empty());
    }
}
