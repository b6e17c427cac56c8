//! How well a label tells which documents activate its latent (methods guide, section 3).

use std::collections::HashMap;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Annotator, Embed, Passage};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::vectors::cosine;

/// Predicts from a label alone which documents activate the latent.
pub trait Judge: Annotator {
    /// The prediction above which a document counts as active; `None` where that depends on the
    /// label and is chosen on documents that are not held out.
    fn threshold(&self) -> Option<f64>;

    /// One prediction per document, higher where the label fits better; `None` where the judge
    /// says nothing usable.
    ///
    /// # Errors
    /// `Cancelled`, and whatever makes continuing with other labels pointless.
    fn predict(
        &self,
        label: &str,
        trials: &[Passage<'_>],
        progress: &Progress,
    ) -> Result<Option<Vec<f64>>>;

    /// The prediction for one document on its own, on the same scale; `None` where the judge says nothing
    /// usable. One at a time is dearer, and no document colours what is said of another.
    ///
    /// # Errors
    /// As [`Self::predict`].
    fn holds(&self, label: &str, trial: &Passage<'_>, progress: &Progress) -> Result<Option<f64>> {
        let found = self.predict(label, std::slice::from_ref(trial), progress)?;
        Ok(found.and_then(|predictions| predictions.first().copied()))
    }
}

/// Characters of a document that a judge reads.
pub(super) const JUDGED_CHARACTERS: usize = 700;

/// The fit of predictions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelFit {
    /// Pearson correlation with 1 (active) and 0 (inactive); 0 where all predictions are equal.
    pub pearson: f64,
    /// Harmonic mean of precision and recall above the threshold.
    pub f1: f64,
}

/// The fit of predictions for documents that are active or not.
///
/// ```
/// use latentdb::label::score;
///
/// let fit = score(&[0.9, 0.2, 0.8, 0.1], &[true, false, true, false], 0.5);
/// assert_eq!(fit.f1, 1.0);
/// assert!(fit.pearson > 0.98);
/// ```
pub fn score(predictions: &[f64], active: &[bool], threshold: f64) -> LabelFit {
    let truth: Vec<f64> = active.iter().map(|&active| f64::from(active)).collect();
    LabelFit {
        pearson: pearson(predictions, &truth),
        f1: f1(predictions, active, threshold),
    }
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len().max(1) as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut own_a, mut own_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        both += (a - mean_a) * (b - mean_b);
        own_a += (a - mean_a).powi(2);
        own_b += (b - mean_b).powi(2);
    }
    // What is left of equal values by rounding is no variation.
    if own_a < 1e-18 || own_b < 1e-18 {
        return 0.0;
    }
    both / (own_a * own_b).sqrt()
}

fn f1(predictions: &[f64], active: &[bool], threshold: f64) -> f64 {
    let (mut hits, mut wrong) = (0.0, 0.0);
    for (prediction, &active) in predictions.iter().zip(active) {
        match (*prediction > threshold, active) {
            (true, true) => hits += 1.0,
            (true, false) | (false, true) => wrong += 1.0,
            (false, false) => {}
        }
    }
    if hits == 0.0 {
        return 0.0;
    }
    2.0 * hits / (2.0 * hits + wrong)
}

/// The middle value, the mean of the two of an even number, 0 of none.
///
/// ```
/// use latentdb::label::median;
///
/// assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
/// ```
pub fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    let half = values.len() / 2;
    match (values.len(), values.len() % 2) {
        (0, _) => 0.0,
        (_, 1) => values[half],
        _ => f32::midpoint(values[half - 1], values[half]),
    }
}

/// The threshold with the best F1, in the middle between two predictions; the lowest of equals.
///
/// ```
/// use latentdb::label::choose_threshold;
///
/// let threshold = choose_threshold(&[0.9, 0.3, 0.7, 0.1], &[true, false, true, false]);
/// assert_eq!(threshold, 0.5);
/// ```
pub fn choose_threshold(predictions: &[f64], active: &[bool]) -> f64 {
    let mut sorted = predictions.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = sorted.first().map_or(0.0, |first| first - 1.0);
    let middles = sorted
        .windows(2)
        .map(|pair| f64::midpoint(pair[0], pair[1]));
    let mut best = (f64::NEG_INFINITY, below);
    for threshold in std::iter::once(below).chain(middles) {
        let found = f1(predictions, active, threshold);
        if found > best.0 {
            best = (found, threshold);
        }
    }
    best.1
}

/// Documents that were drawn alike: a bootstrap draws from each stratum as many as it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stratum {
    /// Activating documents, of one fifth of their ranking by activation.
    Active(u8),
    /// Inactive documents, drawn at random.
    Random,
    /// The inactive documents nearest to the activating ones.
    Nearest,
}

impl Stratum {
    /// Whether the latent is active in its documents.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Active(_))
    }
}

/// Resamples of an interval.
const RESAMPLES: usize = 1000;

/// The 95 % interval of the Pearson correlation, by a bootstrap of 1,000 resamples that draws from each
/// stratum as many as it has; the same for the same predictions.
pub fn interval(predictions: &[f64], strata: &[Stratum]) -> (f64, f64) {
    let mut places: HashMap<Stratum, Vec<usize>> = HashMap::new();
    for (at, &stratum) in strata.iter().enumerate() {
        places.entry(stratum).or_default().push(at);
    }
    let mut random = StdRng::seed_from_u64(0);
    let (mut drawn, mut truth) = (Vec::new(), Vec::new());
    let mut found: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            drawn.clear();
            truth.clear();
            for &stratum in strata {
                let own = &places[&stratum];
                drawn.push(predictions[own[random.random_range(0..own.len())]]);
                truth.push(f64::from(stratum.is_active()));
            }
            pearson(&drawn, &truth)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    let at = |share: f64| found[((RESAMPLES - 1) as f64 * share).round() as usize];
    (at(0.025), at(0.975))
}

/// Judges by the cosine of label and document.
pub struct SimilarityJudge<'e> {
    labels: HashMap<String, Vec<f32>>,
    other: Option<Other<'e>>,
}

/// An encoder that is not the collection's.
struct Other<'e> {
    model: String,
    embed: &'e dyn Embed,
    /// Vectors by text: documents come for several latents.
    known: Mutex<HashMap<String, Vec<f32>>>,
}

impl<'e> SimilarityJudge<'e> {
    /// A judge of these labels, by their vectors of unit length; documents by theirs.
    pub fn new(labels: HashMap<String, Vec<f32>>) -> Self {
        Self {
            labels,
            other: None,
        }
    }

    /// A judge that reads the passages, with the encoder `model` that `labels` are of, too.
    pub fn reading(labels: HashMap<String, Vec<f32>>, model: &str, embed: &'e dyn Embed) -> Self {
        Self {
            labels,
            other: Some(Other {
                model: model.to_owned(),
                embed,
                known: Mutex::default(),
            }),
        }
    }
}

impl Other<'_> {
    fn vectors(&self, trials: &[Passage<'_>]) -> Result<Vec<Vec<f32>>> {
        let missing: Vec<String> = {
            let known = self.known.lock();
            let texts = trials.iter().map(|trial| trial.text.as_ref());
            let missing = texts.filter(|text| !known.contains_key(*text));
            missing.map(str::to_owned).collect()
        };
        let made = self.embed.passages(&missing)?;
        let mut known = self.known.lock();
        known.extend(missing.into_iter().zip(made));
        let vector = |trial: &Passage<'_>| known.get(trial.text.as_ref()).cloned();
        let vectors: Option<Vec<_>> = trials.iter().map(vector).collect();
        vectors.ok_or_else(|| Error::internal("a passage was not encoded"))
    }
}

impl Annotator for SimilarityJudge<'_> {
    fn name(&self) -> String {
        match &self.other {
            None => "similarity".to_owned(),
            Some(other) => format!("similarity:{}", other.model),
        }
    }

    fn concurrency(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn characters(&self) -> Option<usize> {
        self.other.as_ref().map(|_| JUDGED_CHARACTERS)
    }
}

impl Judge for SimilarityJudge<'_> {
    fn threshold(&self) -> Option<f64> {
        None
    }

    fn predict(
        &self,
        label: &str,
        trials: &[Passage<'_>],
        _progress: &Progress,
    ) -> Result<Option<Vec<f64>>> {
        let label = self
            .labels
            .get(label)
            .ok_or_else(|| Error::internal("a label has no vector"))?;
        if let Some(other) = &self.other {
            let vectors = other.vectors(trials)?;
            return Ok(Some(vectors.iter().map(|v| cosine(v, label)).collect()));
        }
        let similarity = |vector| cosine(vector, label);
        let predictions = trials.iter().map(|trial| trial.vector.map(similarity));
        Ok(predictions.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_numpys() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn correlations_are_numpys() {
        // numpy.corrcoef([.1, .4, .35, .8, .2], [0, 1, 0, 1, 0])[0, 1]
        let fit = score(
            &[0.1, 0.4, 0.35, 0.8, 0.2],
            &[false, true, false, true, false],
            0.37,
        );
        assert!((fit.pearson - 0.782_475_9).abs() < 1e-6, "{}", fit.pearson);
        assert_eq!(fit.f1, 1.0);
    }

    /// NumPy, with 100,000 resamples: .5556 to .8373.
    #[test]
    fn intervals_hold_what_resamples_say() {
        let strata = [
            [Stratum::Active(0); 5].as_slice(),
            &[Stratum::Active(4); 5],
            &[Stratum::Random; 5],
            &[Stratum::Nearest; 5],
        ]
        .concat();
        let predictions = [
            0.5, 0.6, 0.4, 0.7, 0.3, 0.9, 0.8, 0.85, 0.7, 0.95, 0.1, 0.2, 0.05, 0.3, 0.15, 0.5,
            0.4, 0.45, 0.2, 0.6,
        ];
        let (low, high) = interval(&predictions, &strata);
        let active: Vec<bool> = strata.iter().map(|stratum| stratum.is_active()).collect();
        let fit = score(&predictions, &active, 0.5);
        assert!((fit.pearson - 0.699_652).abs() < 1e-6);
        assert!(
            (low - 0.5556).abs() < 0.02 && (high - 0.8373).abs() < 0.02,
            "{low} {high}"
        );
        assert_eq!(interval(&predictions, &strata), (low, high));
        // All the same: no variation, no width.
        assert_eq!(interval(&[0.5; 20], &strata), (0.0, 0.0));
    }

    #[test]
    fn what_tells_nothing_scores_nothing() {
        let fit = score(&[0.5; 4], &[true, false, true, false], 0.5);
        assert_eq!((fit.pearson, fit.f1), (0.0, 0.0));
        assert_eq!(
            score(&[], &[], 0.0),
            LabelFit {
                pearson: 0.0,
                f1: 0.0
            }
        );
        // Everything above the threshold: precision .5, recall 1.
        let fit = score(&[0.5; 4], &[true, false, true, false], 0.4);
        assert!((fit.f1 - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_threshold_is_the_best_of_all() {
        let predictions = [0.1, 0.7, 0.2, 0.65, 0.9, 0.3];
        let active = [false, true, true, false, true, false];
        let chosen = choose_threshold(&predictions, &active);
        let best = (0..=100)
            .map(|step| f1(&predictions, &active, f64::from(step) / 100.0))
            .fold(0.0, f64::max);
        assert_eq!(f1(&predictions, &active, chosen), best);
        assert_eq!(choose_threshold(&[], &[]), 0.0);
    }

    #[test]
    fn similarity_is_the_cosine_whatever_the_length() {
        let judge = SimilarityJudge::new([("a".to_owned(), vec![0.6, 0.8])].into());
        let trial = |vector| Passage {
            vector,
            ..Passage::default()
        };
        let (near, far) = ([3.0, 4.0], [-0.8, 0.6]);
        let trials = [trial(Some(&near[..])), trial(Some(&far[..]))];
        let found = judge
            .predict("a", &trials, &Progress::default())
            .unwrap()
            .unwrap();
        assert!(
            (found[0] - 1.0).abs() < 1e-6 && found[1].abs() < 1e-6,
            "{found:?}"
        );
        let without = [trial(None)];
        assert_eq!(
            judge.predict("a", &without, &Progress::default()).unwrap(),
            None
        );
    }
}
