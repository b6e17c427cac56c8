//! A model on documents that it was not fitted on: its score, and what each latent alone goes with there.

use std::collections::HashMap;

use rayon::prelude::*;

use super::baseline::{Linear, Rows};
use super::columns::Columns;
use super::design::Design;
use super::model::Family;
use super::result::ExplainedLatent;
use super::scale::Scale;
use super::score::{score, scored};
use super::select::Chosen;
use super::target::Target;
use crate::analysis::members::Members;
use crate::analysis::statistics::{Sample, adjust, independence, newcombe, normal_quantile, welch};
use crate::analysis::values::ValueTable;
use crate::document::Value;
use crate::error::Result;
use crate::progress::Progress;
use crate::snapshot::Snapshot;

/// Documents that the ridge on vectors is fitted on at most.
const MAX_DENSE: usize = 20_000;
/// Documents that are predicted between two looks at whether to stop.
const CHUNK: usize = 1024;
/// Of the intervals.
const CONFIDENCE: f64 = 0.95;

/// A fitted model, for any document.
pub(super) struct Model<'a> {
    pub family: Family,
    pub chosen: &'a [Chosen],
    pub design: &'a Design,
    pub columns: &'a Columns,
    /// Per column of the design, one for each output.
    pub weights: Vec<Vec<f64>>,
    pub intercept: Vec<f64>,
}

/// Sums of a latent over documents in which it is active, or over all.
#[derive(Clone, Debug, Default)]
struct Sums {
    count: u64,
    sum: f64,
    squares: f64,
    /// Documents of each class.
    classes: Vec<u64>,
}

impl Sums {
    fn add(&mut self, family: Family, value: f64) {
        self.count += 1;
        match family {
            Family::Number => {
                self.sum += value;
                self.squares += value * value;
            }
            Family::Binary | Family::Classes(_) => {
                let classes = family.outputs().max(2);
                self.classes.resize(classes, 0);
                self.classes[value as usize] += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
        let classes = self.classes.len().max(other.classes.len());
        self.classes.resize(classes, 0);
        for (own, theirs) in self.classes.iter_mut().zip(&other.classes) {
            *own += theirs;
        }
    }

    fn of_class(&self, class: usize) -> u64 {
        self.classes.get(class).copied().unwrap_or(0)
    }

    fn sample(&self) -> Sample {
        let n = self.count.max(1) as f64;
        let mean = self.sum / n;
        let variance = (self.squares - n * mean * mean) / (n - 1.0).max(1.0);
        Sample {
            n: self.count,
            mean,
            variance: variance.max(0.0),
        }
    }

    fn without(&self, part: &Self) -> Self {
        Self {
            count: self.count - part.count,
            sum: self.sum - part.sum,
            squares: self.squares - part.squares,
            classes: Vec::new(),
        }
    }
}

/// What was found on the documents held out.
pub(super) struct Tested {
    pub score: f64,
    all: Sums,
    /// Per chosen latent.
    active: Vec<Sums>,
}

/// Predicts the documents at places of the target, and counts what goes with each latent.
pub(super) fn test(
    snapshot: &Snapshot,
    model: &Model,
    target: &Target,
    places: &[usize],
    scale: Scale,
    progress: &Progress,
) -> Result<Tested> {
    progress.announce(places.len() as u64)?;
    let mut place_of: HashMap<u32, usize> = HashMap::new();
    for (at, own) in model.chosen.iter().enumerate() {
        place_of.insert(own.latent, at);
        place_of.extend(own.alike.iter().map(|&other| (other, at)));
    }
    let parts: Vec<(Vec<f64>, Sums, Vec<Sums>)> = places
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut predicted = Vec::with_capacity(chunk.len());
            let mut all = Sums::default();
            let mut active = vec![Sums::default(); model.chosen.len()];
            let mut amounts = vec![0.0_f32; model.chosen.len()];
            let mut row = Vec::new();
            for &place in chunk {
                let value = target.values[place];
                amounts.fill(0.0);
                snapshot.for_each_latent(target.docs[place], |own| {
                    if let Some(&at) = place_of.get(&own.latent) {
                        let amount = model.columns.scaled(own.latent, own.activation);
                        amounts[at] = amounts[at].max(amount);
                    }
                });
                all.add(model.family, value);
                for (sums, _) in active
                    .iter_mut()
                    .zip(&amounts)
                    .filter(|(_, own)| **own > 0.0)
                {
                    sums.add(model.family, value);
                }
                predicted.push(model.predict(&amounts, &mut row));
            }
            progress.advance(chunk.len() as u64)?;
            Ok((predicted, all, active))
        })
        .collect::<Result<_>>()?;
    let mut tested = Tested {
        score: 0.0,
        all: Sums::default(),
        active: vec![Sums::default(); model.chosen.len()],
    };
    let mut predicted = Vec::with_capacity(places.len());
    for (own, all, active) in parts {
        predicted.extend(own);
        tested.all.merge(&all);
        for (sums, own) in tested.active.iter_mut().zip(&active) {
            sums.merge(own);
        }
    }
    tested.score = score(model.family, &wanted(target, places, scale), &predicted);
    Ok(tested)
}

impl Model<'_> {
    fn predict(&self, amounts: &[f32], row: &mut Vec<f64>) -> f64 {
        self.design.read(amounts, row);
        let mut predictors = self.intercept.clone();
        for (value, weights) in row
            .iter()
            .zip(&self.weights)
            .filter(|(value, _)| **value != 0.0)
        {
            for (predictor, weight) in predictors.iter_mut().zip(weights) {
                *predictor += value * weight;
            }
        }
        let mut means = vec![0.0; predictors.len()];
        self.family.means(&predictors, &mut means);
        scored(self.family, &means)
    }
}

impl Tested {
    /// The latents of the model with what they go with.
    pub fn latents(&self, model: &Model, scale: Scale) -> Vec<ExplainedLatent> {
        let mut found: Vec<ExplainedLatent> = model
            .chosen
            .iter()
            .enumerate()
            .map(|(at, own)| {
                let weights = &model.weights[at];
                let presence = model.design.presence(at).map(|place| &model.weights[place]);
                let class = match model.family {
                    Family::Number => None,
                    Family::Binary => Some(1),
                    Family::Classes(_) => strongest(weights, presence),
                };
                let (effect, interval, p_value) = self.effect(at, class);
                ExplainedLatent {
                    latent: own.latent,
                    alike: own.alike.clone(),
                    weights: scale.weights(weights),
                    presence: match presence {
                        Some(presence) => scale.weights(presence),
                        None => Vec::new(),
                    },
                    class,
                    active: self.active[at].count,
                    effect,
                    interval,
                    p_value,
                    p_adjusted: 0.0,
                }
            })
            .collect();
        let mut p_values: Vec<f64> = found.iter().map(|own| own.p_value).collect();
        adjust(&mut p_values);
        for (own, adjusted) in found.iter_mut().zip(p_values) {
            own.p_adjusted = adjusted;
        }
        found
    }

    fn effect(&self, latent: usize, class: Option<usize>) -> (f64, (f64, f64), f64) {
        let active = &self.active[latent];
        let Some(class) = class else {
            let (there, away) = (active.sample(), self.all.without(active).sample());
            let (p_value, interval, _) = welch(there, away, CONFIDENCE);
            return (there.mean - away.mean, interval, p_value);
        };
        let (n, with) = (self.all.count, active.count);
        let (of_class, both) = (self.all.of_class(class), active.of_class(class));
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let effect = share(both, with) - share(of_class - both, n - with);
        let there = (both, with);
        let away = (of_class - both, n - with);
        let interval = newcombe(there, away, normal_quantile(CONFIDENCE));
        (effect, interval, independence(both, with, of_class, n).0)
    }
}

/// The class of the largest weight of both.
fn strongest(weights: &[f64], presence: Option<&Vec<f64>>) -> Option<usize> {
    let size = |class: usize| {
        let presence = presence.map_or(0.0, |own| own[class]);
        (weights[class] + presence).abs()
    };
    (0..weights.len()).max_by(|&a, &b| size(a).total_cmp(&size(b)))
}

fn wanted(target: &Target, places: &[usize], scale: Scale) -> Vec<f64> {
    places
        .iter()
        .map(|&at| scale.scaled(target.values[at]))
        .collect()
}

/// The score of a ridge on the documents' vectors, and how many it was fitted on; documents without one
/// do not take part.
pub(super) fn dense(
    snapshot: &Snapshot,
    family: Family,
    target: &Target,
    (fitted, held_out): (&[usize], &[usize]),
    scale: Scale,
) -> Result<(Option<f64>, u64)> {
    let has = |place: &&usize| snapshot.vector(target.docs[**place]).is_some();
    let stride = fitted.len().div_ceil(MAX_DENSE).max(1);
    let inner: Vec<usize> = fitted.iter().step_by(stride).filter(has).copied().collect();
    let outer: Vec<usize> = held_out.iter().filter(has).copied().collect();
    if inner.len() < MAX_DENSE.min(fitted.len() / stride) / 2 || outer.is_empty() {
        return Ok((None, 0));
    }
    let read = |places: &[usize]| -> Vec<f32> {
        let vectors = places
            .iter()
            .filter_map(|&place| snapshot.vector(target.docs[place]));
        vectors.flat_map(unit).collect()
    };
    let values = read(&inner);
    let width = values.len() / inner.len();
    let model = Linear::fit(
        family,
        &Rows { values, width },
        &wanted(target, &inner, scale),
    );
    let predicted: Vec<f64> = outer
        .par_iter()
        .filter_map(|&place| snapshot.vector(target.docs[place]))
        .map(|vector| model.predict(&unit(vector)))
        .collect();
    let found = score(family, &wanted(target, &outer, scale), &predicted);
    Ok((Some(found), inner.len() as u64))
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    let norm = norm.max(f32::MIN_POSITIVE);
    vector.iter().map(|value| value / norm).collect()
}

/// The score of the number of words alone, and its logarithm.
pub(super) fn length(
    members: &Members,
    family: Family,
    target: &Target,
    (fitted, held_out): (&[usize], &[usize]),
    scale: Scale,
) -> Result<Option<f64>> {
    let table = ValueTable::lengths(members.snapshot, &members.set)?;
    let mut words: HashMap<u32, f32> = HashMap::new();
    for (segment, holders) in members.snapshot.segments().iter().zip(&table.holders) {
        for &(value, doc) in holders {
            if let Value::Integer(count) = table.values[value as usize] {
                words.insert(segment.base + doc, count as f32);
            }
        }
    }
    if words.is_empty() {
        return Ok(None);
    }
    let row = |place: usize| {
        let count = words.get(&target.docs[place]).copied().unwrap_or(0.0);
        [count / 100.0, (1.0 + count).ln()]
    };
    let rows = Rows {
        values: fitted.iter().flat_map(|&place| row(place)).collect(),
        width: 2,
    };
    let model = Linear::fit(family, &rows, &wanted(target, fitted, scale));
    let predicted: Vec<f64> = held_out
        .iter()
        .map(|&place| model.predict(&row(place)))
        .collect();
    Ok(Some(score(
        family,
        &wanted(target, held_out, scale),
        &predicted,
    )))
}
