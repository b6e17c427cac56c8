//! Hypotheses tested: documents held back are judged one at a time, on both sides alike.

use std::collections::HashSet;

use latentdb_index::Progress;
use latentdb_index::analysis::Members;
use latentdb_index::analysis::statistics::{
    adjust, independence, kappa, newcombe, normal_quantile,
};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::annotators::Annotators;
use super::compared::Found;
use super::drawn::UsableTexts;
use super::named::{Budget, NamedHypotheses, each};
use super::request::HypothesiseRequest;
use super::result::{Hypothesis, HypothesiseResult, Judged, LeftOut};
use crate::error::Result;
use crate::label::Passage;
use crate::service::core::View;

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// The documents of a comparison that are judged.
struct Sample {
    a: Vec<(u32, String)>,
    b: Vec<(u32, String)>,
}

/// A document to be judged for a hypothesis.
#[derive(Clone, Copy)]
struct Trial {
    hypothesis: usize,
    is_a: bool,
    place: usize,
}

/// Judges hypotheses. Blocks.
pub(super) fn judge(
    view: &View,
    request: &HypothesiseRequest,
    annotators: &Annotators,
    found: Found<'_>,
    named: NamedHypotheses,
    progress: &Progress,
) -> Result<HypothesiseResult> {
    let judging = Judging {
        view,
        request,
        annotators,
        progress,
    };
    let samples = judging.samples(&found, &named.hypotheses)?;
    let mut left_out = named.left_out;
    let (mut hypotheses, mut thresholds) = (Vec::new(), Vec::new());
    for (own, threshold) in named.hypotheses.into_iter().zip(named.thresholds) {
        if samples[own.comparison].is_some() {
            hypotheses.push(own);
            thresholds.push(threshold);
        } else {
            left_out.push(LeftOut {
                latent: own.latent,
                comparison: own.comparison,
                label: own.label,
                why: "no text that could be judged is held back on one of the sides".to_owned(),
            });
        }
    }
    let trials = trials(&hypotheses, &samples);
    let text = |trial: &Trial| {
        let sample = samples[hypotheses[trial.hypothesis].comparison].as_ref();
        let side = sample.map(|sample| if trial.is_a { &sample.a } else { &sample.b });
        side.and_then(|side| side.get(trial.place))
    };
    let expected_tokens = trials
        .iter()
        .filter_map(&text)
        .map(|(_, text)| annotators.expected_tokens(text))
        .sum();
    let labels: Vec<String> = hypotheses.iter().map(|own| own.label.clone()).collect();
    let judge = annotators.judge(&labels)?;
    let judge = judge.get();
    let budget = Budget::default();
    let work = |trial: &Trial| {
        let Some((doc, text)) = text(trial) else {
            return Ok(None);
        };
        let passage = Passage {
            vector: view.snapshot.vector(*doc),
            ..Passage::whole(text)
        };
        budget.within(|| judge.holds(&labels[trial.hypothesis], &passage, progress))
    };
    let predictions = each(&trials, judge.concurrency(), progress, work)?;
    for (at, own) in hypotheses.iter_mut().enumerate() {
        let Some(sample) = &samples[own.comparison] else {
            continue;
        };
        let mut verdicts = Vec::new();
        for (trial, prediction) in trials.iter().zip(&predictions) {
            if trial.hypothesis == at {
                verdicts.push((*trial, *prediction));
            }
        }
        own.judged = judging.verdict(own, sample, &verdicts, thresholds[at])?;
    }
    settle(&mut hypotheses, request.max_p_adjusted);
    let mut comparisons: Vec<_> = found.comparisons.into_iter().map(|own| own.sets).collect();
    for (at, name) in named.names {
        comparisons[at].names.0 = name;
    }
    let mut warnings = found.warnings;
    let unjudged = hypotheses.iter().filter(|own| own.judged.is_none()).count();
    if budget.is_out() || named.is_out_of_tokens {
        warnings.push(format!(
            "the budget of {} tokens ran out: {unjudged} of {} hypotheses are not judged{}; judging all takes \
             about {expected_tokens} tokens (--tokens, or fewer --judged or --latents)",
            annotators.tokens(),
            hypotheses.len(),
            if named.is_out_of_tokens {
                ", and not every label was scored"
            } else {
                ""
            },
        ));
    }
    if found.candidates.is_empty() {
        warnings.push(format!(
            "no latent differs at an adjusted p of {} on the documents that are not held back",
            request.max_p_adjusted
        ));
    }
    Ok(HypothesiseResult {
        comparisons,
        hypotheses,
        left_out,
        labeller: annotators.labeller_name(),
        judge: judge.name(),
        tokens: (0, 0),
        expected_tokens,
        seconds: (0.0, 0.0),
        warnings,
    })
}

/// Hypothesis by hypothesis, so that what a budget covers is whole ones; the two sides in turn.
fn trials(hypotheses: &[Hypothesis], samples: &[Option<Sample>]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (hypothesis, own) in hypotheses.iter().enumerate() {
        let Some(sample) = &samples[own.comparison] else {
            continue;
        };
        for place in 0..sample.a.len().max(sample.b.len()) {
            for (is_a, side) in [(true, &sample.a), (false, &sample.b)] {
                if place < side.len() {
                    trials.push(Trial {
                        hypothesis,
                        is_a,
                        place,
                    });
                }
            }
        }
    }
    trials
}

/// Adjusts p-values, and says which hypotheses hold.
fn settle(hypotheses: &mut [Hypothesis], max_p_adjusted: f64) {
    let mut judged: Vec<(bool, &mut Judged)> = hypotheses
        .iter_mut()
        .filter_map(|own| Some((own.more_in_a, own.judged.as_mut()?)))
        .collect();
    let mut p_values: Vec<f64> = judged.iter().map(|(_, own)| own.p_value).collect();
    adjust(&mut p_values);
    for ((more_in_a, own), p) in judged.iter_mut().zip(p_values) {
        own.p_adjusted = p;
        own.holds = p <= max_p_adjusted && own.delta != 0.0 && (own.delta > 0.0) == *more_in_a;
    }
}

struct Judging<'j> {
    view: &'j View,
    request: &'j HypothesiseRequest,
    annotators: &'j Annotators,
    progress: &'j Progress,
}

impl Judging<'_> {
    /// The documents judged of each comparison that has a hypothesis; `None` where a side has none.
    fn samples(&self, found: &Found<'_>, hypotheses: &[Hypothesis]) -> Result<Vec<Option<Sample>>> {
        let used: HashSet<usize> = hypotheses.iter().map(|own| own.comparison).collect();
        let comparisons = found.comparisons.iter().enumerate();
        comparisons
            .map(|(at, halves)| {
                if !used.contains(&at) {
                    return Ok(None);
                }
                let a = self.sample(&halves.confirmation.0)?;
                let b = self.sample(&halves.confirmation.1)?;
                Ok((!a.is_empty() && !b.is_empty()).then_some(Sample { a, b }))
            })
            .collect()
    }

    fn sample(&self, members: &Members<'_>) -> Result<Vec<(u32, String)>> {
        self.progress.check()?;
        let mut docs = members.documents_of();
        docs.shuffle(&mut StdRng::seed_from_u64(self.request.seed));
        let reading = UsableTexts {
            snapshot: &self.view.snapshot,
            needs_vector: self.annotators.needs_vectors(),
        };
        let most = self.request.judged.unwrap_or(self.annotators.judged());
        reading.take(docs.into_iter(), most)
    }

    /// What was judged of a hypothesis; `None` where that is not all of it.
    fn verdict(
        &self,
        own: &Hypothesis,
        sample: &Sample,
        verdicts: &[(Trial, Option<Option<f64>>)],
        threshold: f64,
    ) -> Result<Option<Judged>> {
        let mut active = HashSet::new();
        let latents = std::iter::once(own.latent).chain(own.alike.iter().copied());
        for latent in latents {
            self.view.snapshot.for_each_posting(latent, |doc, _| {
                active.insert(doc);
            });
        }
        let mut judged = Judged::default();
        let mut table = [[0_u64; 2]; 2];
        let mut shown: Vec<(f64, u32)> = Vec::new();
        for (trial, prediction) in verdicts {
            let Some(prediction) = prediction else {
                return Ok(None);
            };
            let side = if trial.is_a { &sample.a } else { &sample.b };
            let doc = side[trial.place].0;
            let holds = prediction.is_some_and(|own| own > threshold);
            let is_active = active.contains(&doc);
            judged.unusable += u64::from(prediction.is_none());
            table[usize::from(holds)][usize::from(is_active)] += 1;
            let (counts, with) = match trial.is_a {
                true => (&mut judged.a, &mut judged.active.0),
                false => (&mut judged.b, &mut judged.active.1),
            };
            counts.0 += 1;
            counts.1 += u64::from(holds);
            *with += u64::from(is_active);
            if holds && trial.is_a == own.more_in_a {
                shown.push((prediction.unwrap_or_default(), doc));
            }
        }
        let ((n_a, yes_a), (n_b, yes_b)) = (judged.a, judged.b);
        judged.delta = yes_a as f64 / n_a as f64 - yes_b as f64 / n_b as f64;
        judged.interval = newcombe((yes_a, n_a), (yes_b, n_b), normal_quantile(CONFIDENCE));
        judged.p_value = independence(yes_a, n_a, yes_a + yes_b, n_a + n_b).0;
        judged.kappa = kappa(table[1][1], table[1][0], table[0][1], table[0][0]);
        shown.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        let shown = shown.iter().take(self.request.documents);
        judged.documents = shown
            .map(|&(_, doc)| self.request.projection.read(&self.view.snapshot, doc))
            .collect::<Result<_>>()?;
        Ok(Some(judged))
    }
}
