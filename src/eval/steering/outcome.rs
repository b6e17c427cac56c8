//! What hits are worth: relevance kept, shares of the steered latents, overlap, a judge's guesses.

use std::collections::BTreeSet;

use latentdb_index::analysis::statistics::{normal_quantile, wilson};

use super::cases::Case;
use super::collection::{Answer, Hit, Query};

/// Confidence of intervals.
const CONFIDENCE: f64 = 0.95;

/// Measures of the hits of one search, or their means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Mean cosine with the query; in a [`Step`], relative to that of the unsteered hits.
    pub relevance: f64,
    /// Share that shows the concept steered up, by its mark.
    pub target_share: f64,
    /// Share of the unsteered hits that stay.
    pub overlap: f64,
}

/// Means over the queries at one strength.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The method's strength.
    pub strength: f32,
    /// Cosine of the query before and after.
    pub cosine: f64,
    /// Measures of the hits.
    pub outcome: Outcome,
    /// 95 % interval of the target share over queries.
    pub target_interval: (f64, f64),
    /// Share of the hits that shows the concept steered down, by its mark.
    pub down_share: f64,
    /// A judge's guesses of the latent steered up.
    pub up_picked: Picked,
    /// A judge's guesses of the latent steered down.
    pub down_picked: Picked,
}

/// How often a judge picked the right option.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Picked {
    asked: usize,
    right: usize,
    /// Unusable answers, which count as wrong.
    pub unanswered: usize,
}

impl Picked {
    /// Counts answers.
    pub(super) fn of(answers: &[Option<bool>]) -> Self {
        Self {
            asked: answers.len(),
            right: answers.iter().flatten().filter(|right| **right).count(),
            unanswered: answers.len() - answers.iter().flatten().count(),
        }
    }

    /// Share of the answers that are right.
    pub fn accuracy(&self) -> Option<f64> {
        (self.asked > 0).then(|| self.right as f64 / self.asked as f64)
    }

    /// Its 95 % interval (Wilson's); `None` where nothing was asked.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let (right, asked) = (self.right as u64, self.asked as u64);
        (asked > 0).then(|| wilson(right, asked, normal_quantile(CONFIDENCE)))
    }
}

impl Step {
    /// The hits of steered queries; relevance is not yet relative.
    pub(super) fn of(
        strength: f32,
        pairs: &[(Case, Answer)],
        queries: &[Query],
        answers: &[Answer],
    ) -> Self {
        let outcomes: Vec<Outcome> = pairs
            .iter()
            .zip(answers)
            .map(|((case, plain), answer)| {
                outcome(&case.vector, case.up.mark, &plain.hits, &answer.hits)
            })
            .collect();
        let rows: Vec<(&Case, &Query, &Answer)> = pairs
            .iter()
            .zip(queries)
            .zip(answers)
            .map(|(((case, _), query), answer)| (case, query, answer))
            .collect();
        Self {
            strength,
            cosine: mean_of(&rows, |(case, query, answer)| {
                let own = || cosine(&case.vector, &query.vector);
                answer.cosine.unwrap_or_else(own)
            }),
            outcome: Outcome {
                relevance: mean_of(&outcomes, |outcome| outcome.relevance),
                target_share: mean_of(&outcomes, |outcome| outcome.target_share),
                overlap: mean_of(&outcomes, |outcome| outcome.overlap),
            },
            target_interval: interval(&outcomes, |outcome| outcome.target_share),
            down_share: mean_of(&rows, |(case, _, answer)| {
                let down = case.down.as_ref();
                down.map_or(0.0, |down| marked_share(&answer.hits, down.concept.mark))
            }),
            ..Self::default()
        }
    }

    /// The hits of the queries as they are; relevance is not relative.
    pub(super) fn unsteered(pairs: &[(Case, Answer)]) -> Self {
        let queries: Vec<Query> = pairs.iter().map(|(case, _)| case.unsteered()).collect();
        let answers: Vec<Answer> = pairs.iter().map(|(_, plain)| plain.clone()).collect();
        Self::of(0.0, pairs, &queries, &answers)
    }

    /// The same with relevance as a share of that of the unsteered hits.
    pub(super) fn relative_to(mut self, unsteered: &Self) -> Self {
        self.outcome.relevance /= unsteered.outcome.relevance;
        self
    }
}

/// The mean of a value; 0 over none.
fn mean_of<T>(all: &[T], value: impl Fn(&T) -> f64) -> f64 {
    all.iter().map(value).sum::<f64>() / all.len().max(1) as f64
}

/// The 95 % interval of the mean of a share over queries, by its spread among them.
fn interval<T>(all: &[T], value: impl Fn(&T) -> f64) -> (f64, f64) {
    let mean = mean_of(all, &value);
    let squares: f64 = all.iter().map(|own| (value(own) - mean).powi(2)).sum();
    let n = all.len() as f64;
    let error = (squares / (n - 1.0).max(1.0) / n.max(1.0)).sqrt();
    let width = normal_quantile(CONFIDENCE) * error;
    ((mean - width).max(0.0), (mean + width).min(1.0))
}

fn outcome(vector: &[f32], mark: u32, plain: &[Hit], hits: &[Hit]) -> Outcome {
    let before: BTreeSet<&str> = plain.iter().map(|hit| hit.id.as_str()).collect();
    let kept = hits.iter().filter(|hit| before.contains(hit.id.as_str()));
    Outcome {
        relevance: mean_of(hits, |hit| cosine(vector, &hit.vector)),
        target_share: marked_share(hits, mark),
        overlap: kept.count() as f64 / plain.len().max(1) as f64,
    }
}

fn marked_share(hits: &[Hit], mark: u32) -> f64 {
    mean_of(hits, |hit| f64::from(u8::from(hit.marks.contains(&mark))))
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(id: &str, vector: [f32; 2], latent: u32) -> Hit {
        Hit {
            id: id.to_owned(),
            vector: vector.to_vec(),
            marks: [latent].into(),
            text: String::new(),
        }
    }

    #[test]
    fn an_outcome_is_what_its_hits_say() {
        let plain = [hit("a", [2.0, 0.0], 1), hit("b", [1.0, 0.0], 1)];
        let steered = [hit("b", [1.0, 0.0], 7), hit("c", [0.0, 3.0], 1)];
        let before = outcome(&[1.0, 0.0], 7, &plain, &plain);
        assert_eq!((before.relevance, before.overlap), (1.0, 1.0));
        let after = outcome(&[1.0, 0.0], 7, &plain, &steered);
        let parts = (after.relevance, after.target_share, after.overlap);
        assert_eq!(parts, (0.5, 0.5, 0.5));
    }

    #[test]
    fn unusable_answers_count_as_wrong() {
        let picked = Picked::of(&[Some(true), None, Some(false), Some(true)]);
        assert_eq!(picked.accuracy(), Some(0.5));
        // Wilson's of 2 of 4, as statsmodels has it.
        let (low, high) = picked.interval().unwrap();
        assert!((low - 0.150_036).abs() < 1e-5 && (high - 0.849_964).abs() < 1e-5);
        assert_eq!(picked.unanswered, 1);
        assert_eq!(Picked::of(&[None]).accuracy(), Some(0.0));
        assert_eq!(Picked::of(&[]).accuracy(), None);
    }
}
