//! How well a label tells which documents activate its latent (methods guide, section 3).

use std::collections::HashMap;

use super::Annotator;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::vectors::cosine;

/// A document that a judge is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its dense vector, where it has one.
    pub vector: Option<&'a [f32]>,
}

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
        trials: &[Trial<'_>],
        progress: &Progress,
    ) -> Result<Option<Vec<f64>>>;
}

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

/// Judges by the cosine of label and document.
pub struct SimilarityJudge {
    labels: HashMap<String, Vec<f32>>,
}

impl SimilarityJudge {
    /// A judge of these labels, by their vectors of unit length.
    pub fn new(labels: HashMap<String, Vec<f32>>) -> Self {
        Self { labels }
    }
}

impl Annotator for SimilarityJudge {
    fn name(&self) -> String {
        "similarity".to_owned()
    }

    fn concurrency(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

impl Judge for SimilarityJudge {
    fn threshold(&self) -> Option<f64> {
        None
    }

    fn predict(
        &self,
        label: &str,
        trials: &[Trial<'_>],
        _progress: &Progress,
    ) -> Result<Option<Vec<f64>>> {
        let label = self
            .labels
            .get(label)
            .ok_or_else(|| Error::internal("a label has no vector"))?;
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
        let trial = |vector| Trial { text: "", vector };
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
