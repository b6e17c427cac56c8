//! Which phrases tell documents that activate a latent from others, on documents that they were not
//! taken from.
//!
//! Documents count by the square of their activation: a phrase that the strongest hold tells what a latent
//! is about, while among the weakest much is chance. A document counts as told where it holds one of the
//! phrases, or where its vector is nearer to their meaning (the mean of their vectors) than a threshold, which
//! is chosen on the documents that the phrases were taken from.

use std::collections::HashSet;

use super::phrases::{for_each_phrase, phrase_key};
use super::{Embed, Evidence, Passage, Vocabulary};
use crate::error::Result;
use crate::vectors::{cosine, dot, unit};

/// Inactive documents that count for each active one, however many are at hand.
const INACTIVE_PER_ACTIVE: f64 = 4.0;
/// Fewer activating documents than this tell nothing of phrases.
pub const LEAST_CHECKED: usize = 4;

/// A phrase that is checked.
pub(super) struct Phrase<'t> {
    /// Identifies it ([`phrase_key`]).
    pub key: u64,
    /// As documents write it.
    pub text: &'t str,
}

/// The phrases of a latent and the documents they are checked on.
pub(super) struct Check {
    /// Those that the phrases were taken from, and as many inactive ones.
    made_from: Seen,
    others: Seen,
    /// `v_i · v_j` of the phrases' vectors.
    gram: Vec<Vec<f64>>,
    /// Of the phrases; none where nothing has vectors.
    vectors: Vec<Vec<f32>>,
    direction: Vec<f32>,
}

/// What is seen of phrases in documents.
pub(super) struct Seen {
    /// What each document counts, of those that activate the latent; 0 of the others.
    weights: Vec<f64>,
    /// By phrase, then by document: whether it stands there.
    holds: Vec<Vec<bool>>,
    /// By phrase, then by document: `v · d`, of unit length; empty without vectors.
    near: Vec<Vec<f64>>,
}

impl Seen {
    /// Whether documents are enough to check phrases on.
    pub fn enough(checks: &[(Passage<'_>, f32)]) -> bool {
        let active = checks
            .iter()
            .filter(|(_, strength)| *strength > 0.0)
            .count();
        active >= LEAST_CHECKED && active < checks.len()
    }

    fn of<'p>(
        vocabulary: &Vocabulary,
        phrases: &[Phrase<'_>],
        vectors: &[Vec<f32>],
        documents: impl Iterator<Item = (&'p Passage<'p>, f32)>,
    ) -> Self {
        let mut seen = Self {
            weights: Vec::new(),
            holds: vec![Vec::new(); phrases.len()],
            near: vec![Vec::new(); vectors.len()],
        };
        for (passage, activation) in documents {
            seen.weights.push(f64::from(activation).powi(2));
            let mut keys = HashSet::new();
            for_each_phrase(vocabulary, &passage.text, |words| {
                keys.insert(phrase_key(words));
            });
            for (holds, phrase) in seen.holds.iter_mut().zip(phrases) {
                holds.push(keys.contains(&phrase.key));
            }
            let vector = passage.vector.map(unit);
            for (near, phrase) in seen.near.iter_mut().zip(vectors) {
                near.push(vector.as_ref().map_or(-1.0, |vector| dot(vector, phrase)));
            }
        }
        seen
    }

    /// For each document, whether it holds one of the phrases, and how near it is to all of them.
    fn of_set(&self, set: &[usize], norm: f64) -> Vec<(bool, f64)> {
        (0..self.weights.len())
            .map(|document| {
                let holds = set.iter().any(|&phrase| self.holds[phrase][document]);
                let near: f64 = match self.near.is_empty() {
                    true => f64::NEG_INFINITY,
                    false => set.iter().map(|&p| self.near[p][document]).sum::<f64>() / norm,
                };
                (holds, near)
            })
            .collect()
    }

    /// F1 of the documents that are told, with four inactive documents for each active one; its recall is by
    /// weight.
    fn f1_of(&self, told: impl Fn(usize) -> bool) -> f64 {
        let (mut all, mut hits, mut inactive, mut wrong) = (0.0, 0.0, 0.0, 0.0);
        for (at, &weight) in self.weights.iter().enumerate() {
            let is_told = f64::from(u8::from(told(at)));
            match weight > 0.0 {
                true => {
                    all += weight;
                    hits += weight * is_told;
                }
                false => {
                    inactive += 1.0;
                    wrong += is_told;
                }
            }
        }
        if all == 0.0 || inactive == 0.0 {
            return 0.0;
        }
        let (hits, wrong) = (hits / all, INACTIVE_PER_ACTIVE * wrong / inactive);
        2.0 * hits / (1.0 + hits + wrong)
    }

    /// F1 of "holds a phrase, or is nearer than a threshold".
    fn f1(&self, documents: &[(bool, f64)], threshold: f64) -> f64 {
        self.f1_of(|at| documents[at].0 || documents[at].1 > threshold)
    }

    /// The threshold with the best F1, of equal ones that which tells most without the words; one that no
    /// document passes where none is as good.
    fn threshold(&self, documents: &[(bool, f64)]) -> f64 {
        let mut near: Vec<f64> = documents.iter().map(|document| document.1).collect();
        near.sort_by(f64::total_cmp);
        let middles = near.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
        let score = |threshold: f64| {
            let alone = self.f1_of(|at| documents[at].1 > threshold);
            (self.f1(documents, threshold), alone)
        };
        let mut best = (score(f64::INFINITY), f64::INFINITY);
        for threshold in middles.filter(|middle| middle.is_finite()) {
            let found = score(threshold);
            if found > best.0 {
                best = (found, threshold);
            }
        }
        best.1
    }
}

impl Check {
    /// Looks for the phrases in all documents of the evidence.
    pub fn of(
        vocabulary: &Vocabulary,
        phrases: &[Phrase<'_>],
        evidence: &Evidence<'_>,
        embed: Option<&dyn Embed>,
    ) -> Result<Self> {
        let has_vectors = evidence
            .checks
            .iter()
            .any(|(text, _)| text.vector.is_some());
        let vectors = match embed {
            Some(embed) if has_vectors => {
                let texts: Vec<String> = phrases.iter().map(|p| p.text.to_owned()).collect();
                embed.phrases(&texts)?
            }
            _ => Vec::new(),
        };
        let made_from = evidence
            .active
            .iter()
            .map(|(text, strength)| (text, *strength));
        let made_from = made_from.chain(evidence.inactive.iter().map(|text| (text, 0.0)));
        let others = evidence
            .checks
            .iter()
            .map(|(text, strength)| (text, *strength));
        let products = |v: &Vec<f32>| vectors.iter().map(|other| dot(v, other)).collect();
        Ok(Self {
            made_from: Seen::of(vocabulary, phrases, &vectors, made_from),
            others: Seen::of(vocabulary, phrases, &vectors, others),
            gram: vectors.iter().map(products).collect(),
            direction: direction_of(evidence),
            vectors,
        })
    }

    /// How well phrases tell, together.
    pub fn f1(&self, set: &[usize]) -> f64 {
        let norm = self.norm(set);
        let threshold = self.threshold(set, norm);
        self.others.f1(&self.others.of_set(set, norm), threshold)
    }

    /// Cosine of the sum of phrases' vectors and where the latent's documents lie; 0 without vectors.
    pub fn nearness(&self, set: &[usize]) -> f64 {
        if self.vectors.is_empty() || self.direction.is_empty() {
            return 0.0;
        }
        let mut together = vec![0.0; self.direction.len()];
        for &at in set {
            for (sum, value) in together.iter_mut().zip(&self.vectors[at]) {
                *sum += value;
            }
        }
        cosine(&together, &self.direction)
    }

    /// In how many of five parts of the checked documents, by activation, some are told.
    pub fn parts_told(&self, set: &[usize]) -> usize {
        let (told, strengths) = self.told(set);
        let mut active: Vec<usize> = (0..strengths.len())
            .filter(|&at| strengths[at] > 0.0)
            .collect();
        active.sort_by(|&a, &b| strengths[b].total_cmp(&strengths[a]));
        let parts = 5.min(active.len().max(1));
        (0..parts)
            .filter(|part| {
                let own = part * active.len() / parts..(part + 1) * active.len() / parts;
                active[own].iter().any(|&at| told[at])
            })
            .count()
    }

    fn told(&self, set: &[usize]) -> (Vec<bool>, &[f64]) {
        let norm = self.norm(set);
        let threshold = self.threshold(set, norm);
        let documents = self.others.of_set(set, norm);
        let told = documents.iter().map(|own| own.0 || own.1 > threshold);
        (told.collect(), &self.others.weights)
    }

    fn norm(&self, set: &[usize]) -> f64 {
        match self.gram.is_empty() {
            true => 1.0,
            false => {
                let products = set.iter().flat_map(|&i| set.iter().map(move |&j| (i, j)));
                products.map(|(i, j)| self.gram[i][j]).sum::<f64>().sqrt()
            }
        }
    }

    fn threshold(&self, set: &[usize], norm: f64) -> f64 {
        match self.gram.is_empty() {
            true => f64::INFINITY,
            false => self.made_from.threshold(&self.made_from.of_set(set, norm)),
        }
    }
}

/// Where a latent's documents lie, as seen from others: their mean by activation less that of inactive ones;
/// empty without vectors.
fn direction_of(evidence: &Evidence<'_>) -> Vec<f32> {
    let mut direction: Vec<f32> = Vec::new();
    let strongest = evidence.active.first().map_or(1.0, |own| own.1);
    let active = evidence
        .active
        .iter()
        .map(|(text, own)| (text, own / strongest));
    let sum: f32 = active.clone().map(|(_, own)| own).sum();
    let active = active.map(|(text, own)| (text, own / sum.max(1e-9)));
    let rest = evidence.inactive.len().max(1) as f32;
    let inactive = evidence.inactive.iter().map(|text| (text, -1.0 / rest));
    for (text, weight) in active.chain(inactive) {
        let Some(vector) = text.vector else { continue };
        direction.resize(vector.len(), 0.0);
        for (sum, value) in direction.iter_mut().zip(unit(vector)) {
            *sum += weight * value;
        }
    }
    direction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(active: &[bool], holds: &[bool], near: &[f64]) -> Seen {
        Seen {
            weights: active
                .iter()
                .map(|active| f64::from(u8::from(*active)))
                .collect(),
            holds: vec![holds.to_vec()],
            near: vec![near.to_vec()],
        }
    }

    #[test]
    fn f1_counts_four_inactive_documents_for_each_active_one() {
        // Two of two active documents and one of two inactive ones: precision 1 / (1 + 4 / 2).
        let all = seen(
            &[true, true, false, false],
            &[true, true, true, false],
            &[0.0; 4],
        );
        let documents = all.of_set(&[0], 1.0);
        let (precision, recall) = (1.0 / 3.0, 1.0);
        let expected = 2.0 * precision * recall / (precision + recall);
        assert!((all.f1(&documents, f64::INFINITY) - expected).abs() < 1e-12);
        // What stands everywhere has a third.
        let all = seen(&[true, false], &[true, true], &[0.0; 2]);
        let documents = all.of_set(&[0], 1.0);
        assert!((all.f1(&documents, 1.0) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn strong_documents_count_more() {
        let mut all = seen(&[true, true, false], &[true, false, false], &[0.0; 3]);
        all.weights = vec![1.0, 0.25, 0.0];
        let documents = all.of_set(&[0], 1.0);
        // Recall .8, precision 1.
        assert!((all.f1(&documents, f64::INFINITY) - 1.6 / 1.8).abs() < 1e-12);
    }

    #[test]
    fn meaning_tells_what_words_do_not() {
        let active = [true, true, true, false, false, false];
        let words = [true, false, false, false, false, false];
        let near = [0.9, 0.8, 0.7, 0.3, 0.2, 0.1];
        let all = seen(&active, &words, &near);
        let documents = all.of_set(&[0], 1.0);
        assert!(all.f1(&documents, f64::INFINITY) < 0.6);
        let threshold = all.threshold(&documents);
        assert_eq!((threshold, all.f1(&documents, threshold)), (0.5, 1.0));
    }
}
