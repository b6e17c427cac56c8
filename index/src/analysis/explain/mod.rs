//! Which few latents tell a target: an attribute predicted from them, measured on documents that the fit
//! has not seen, beside a ridge on dense vectors and the length of texts alone. Formulas: "Explaining a
//! target" in the methods guide.
//!
//! | question | where |
//! |---|---|
//! | What is a target? | `target.rs` |
//! | What do rows hold of the latents? | `columns.rs`, and of the chosen ones `design.rs` |
//! | Which latents are chosen? | `select.rs` |
//! | How are two lists of examples told apart? | `examples.rs` |
//! | How are numbers scaled? | `scale.rs` |
//! | How is a model fitted? | `model.rs`; those without latents: `baseline.rs` |
//! | What comes back? | `result.rs` |
//! | How good is it? | `score.rs`; on the other documents `held_out.rs` |

mod baseline;
mod columns;
mod design;
mod examples;
mod held_out;
mod model;
mod result;
mod scale;
mod score;
mod select;
mod target;

use std::collections::HashSet;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::{SliceRandom as _, index};
use rayon::prelude::*;

use super::Side;
use super::among::Among;
use super::members::Members;
use crate::error::{Error, Result};
use crate::filter::ResolvedFilter;
use crate::progress::Progress;
use columns::Columns;
use design::Design;
use held_out::{Model, Tested, test};
use model::{Family, Fit};
use scale::Scale;
use score::{score, scored};
use select::{Chosen, choose};
use target::Target;

pub use design::Form;
pub use examples::tell_apart;
pub use result::{Explained, ExplainedLatent, ExplainedPair, PathPoint};
pub use select::Choice;
pub use target::{MAX_CLASSES, TargetKind};

/// Maximum latents of an explanation.
pub const MAX_LATENTS: usize = 1024;
/// Maximum documents that a fit reads.
pub const MAX_SAMPLE: usize = 1_000_000;
/// Documents of a fit times classes: more classes are fitted on fewer documents.
const MAX_CELLS: usize = 10_000_000;
/// Parts of the discovery documents, each predicted from the others.
const FOLDS: usize = 5;
/// Penalties of the last fit that are tried, the strongest first.
const RIDGES: [f64; 5] = [100.0, 30.0, 10.0, 3.0, 1.0];
/// Documents of the held-out part at least.
const MIN_HELD_OUT: usize = 10;

/// What is explained.
#[derive(Clone, Debug)]
pub enum TargetOf {
    /// An attribute: a number, a time, or one of several values.
    Attribute(String),
    /// Whether documents are of a filter.
    Filter(ResolvedFilter),
}

/// How a target is explained.
#[derive(Clone, Debug)]
pub struct ExplainOptions {
    /// What is explained.
    pub target: TargetOf,
    /// How latents are chosen.
    pub choice: Choice,
    /// Latents it is chosen from.
    pub among: Among,
    /// Latents at most, 1 to [`MAX_LATENTS`].
    pub latents: usize,
    /// The share of the documents that nothing is fitted on, above 0 and at most .9.
    pub held_out: f64,
    /// Documents with one value of this attribute are held out together or not at all.
    pub split_by: Option<String>,
    /// Documents that the fit reads, drawn at random of those not held out; at most [`MAX_SAMPLE`], and
    /// 10,000,000 over the number of classes.
    pub sample: usize,
    /// Decides what is drawn.
    pub seed: u64,
}

impl Default for ExplainOptions {
    fn default() -> Self {
        Self {
            target: TargetOf::Attribute(String::new()),
            choice: Choice::Gain,
            among: Among::default(),
            latents: 16,
            held_out: 0.3,
            split_by: None,
            sample: 100_000,
            seed: 0,
        }
    }
}

/// Explains an attribute of the documents of a set by a few latents of `n_latents`.
///
/// # Errors
/// `InvalidArgument` naming the option, or a target of several values a document, several kinds or too many
/// classes; `FailedPrecondition` for a target of one value, or too few documents; `Cancelled`.
pub fn explain(
    side: Side,
    n_latents: usize,
    options: &ExplainOptions,
    progress: &Progress,
) -> Result<Explained> {
    check(options)?;
    let members = Members::of(side)?;
    let snapshot = side.snapshot;
    let target = match &options.target {
        TargetOf::Attribute(name) => Target::read(&members, name)?,
        TargetOf::Filter(filter) => Target::of_filter(&members, filter)?,
    };
    let family = match &target.kind {
        TargetKind::Number => Family::Number,
        TargetKind::Classes(classes) if classes.len() == 2 => Family::Binary,
        TargetKind::Classes(classes) => Family::Classes(classes.len()),
    };
    let mut random = StdRng::seed_from_u64(options.seed);
    let (discovery, held_out) = parts(&members, &target, options)?;
    let mut fitted = discovery.clone();
    let most = options.sample.min(MAX_CELLS / family.outputs());
    if fitted.len() > most {
        let mut drawn = index::sample(&mut random, fitted.len(), most).into_vec();
        drawn.sort_unstable();
        fitted = drawn.into_iter().map(|at| discovery[at]).collect();
    }
    progress.announce(((FOLDS + 1) * options.latents) as u64)?;
    let docs: Vec<u32> = fitted.iter().map(|&at| target.docs[at]).collect();
    let columns = Columns::read(snapshot, n_latents, &options.among, &docs, progress)?;
    let scale = Scale::of(family, fitted.iter().map(|&at| target.values[at]));
    let targets: Vec<f64> = fitted
        .iter()
        .map(|&at| scale.scaled(target.values[at]))
        .collect();
    let mut folds: Vec<usize> = (0..targets.len()).map(|at| at % FOLDS).collect();
    folds.shuffle(&mut random);
    let how = (options.choice, options.latents);
    let path = cross_validate(&columns, family, &targets, &folds, how, progress)?;
    let all = Fit::new(family, &targets, vec![1.0; targets.len()]);
    let (chosen, _) = choose(&columns, all, how, progress, |_, _| ())?;
    let forms: &[Form] = match (options.choice, family) {
        (Choice::Means, _) => &[Form::Amounts],
        (Choice::Gain, Family::Classes(_)) => &[Form::Amounts, Form::Presence],
        (Choice::Gain, _) => &[Form::Amounts, Form::Presence, Form::Pairs],
    };
    let (design, fit) = last_fit(&chosen, forms, (family, &targets), &folds, progress)?;
    let model = Model {
        family,
        chosen: &chosen,
        design: &design,
        columns: &columns,
        weights: fit
            .coordinates
            .iter()
            .map(|own| own.weights.clone())
            .collect(),
        intercept: fit.intercept.weights.clone(),
    };
    let tested = test(snapshot, &model, &target, &held_out, scale, progress)?;
    let (dense, dense_fitted) =
        held_out::dense(snapshot, family, &target, (&fitted, &held_out), scale)?;
    let length = held_out::length(&members, family, &target, (&fitted, &held_out), scale)?;
    let latents = tested.latents(&model, scale);
    let mut pairs: Vec<ExplainedPair> = design
        .pairs
        .iter()
        .enumerate()
        .map(|(at, &(i, j))| ExplainedPair {
            latents: (i as usize, j as usize),
            weights: scale.weights(&model.weights[design.pair(at)]),
        })
        .collect();
    let size = |pair: &ExplainedPair| pair.weights.iter().map(|own| own.abs()).fold(0.0, f64::max);
    pairs.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.latents.cmp(&b.latents)));
    let Tested { score, .. } = tested;
    Ok(Explained {
        kind: target.kind,
        without: target.without,
        discovery: discovery.len() as u64,
        fitted: fitted.len() as u64,
        held_out: held_out.len() as u64,
        score,
        form: design.form,
        path,
        dense,
        dense_fitted,
        length,
        latents,
        pairs,
    })
}

fn check(options: &ExplainOptions) -> Result<()> {
    let wrong = |field: &str, said: String| Err(Error::invalid(field, said));
    if options.latents == 0 || options.latents > MAX_LATENTS {
        let said = format!("is {}; 1 to {MAX_LATENTS} is accepted", options.latents);
        return wrong("latents", said);
    }
    if !(options.held_out > 0.0 && options.held_out <= 0.9) {
        let said = format!(
            "is {}; a share above 0 and at most .9 is accepted",
            options.held_out
        );
        return wrong("held_out", said);
    }
    if options.sample < 100 || options.sample > MAX_SAMPLE {
        let said = format!("is {}; 100 to {MAX_SAMPLE} is accepted", options.sample);
        return wrong("sample", said);
    }
    Ok(())
}

/// Places in the target of the documents that are fitted on and of those held out.
fn parts(
    members: &Members,
    target: &Target,
    options: &ExplainOptions,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let (_, outer) = members.split(options.held_out, options.split_by.as_deref())?;
    let outer: HashSet<u32> = outer.documents_of().into_iter().collect();
    let (held_out, discovery): (Vec<usize>, Vec<usize>) =
        (0..target.docs.len()).partition(|&at| outer.contains(&target.docs[at]));
    let few = |what: &str, count: usize| {
        Err(Error::precondition(format!(
            "{count} documents are {what}; {MIN_HELD_OUT} are needed: hold out another share, or split by \
             another attribute"
        )))
    };
    if held_out.len() < MIN_HELD_OUT {
        return few("held out", held_out.len());
    }
    if discovery.len() < 2 * FOLDS {
        return few("left to fit on", discovery.len());
    }
    if let TargetKind::Classes(classes) = &target.kind {
        for (part, name) in [(&discovery, "to fit on"), (&held_out, "held out")] {
            let there: HashSet<usize> = part.iter().map(|&at| target.values[at] as usize).collect();
            if let Some(class) = (0..classes.len()).find(|class| !there.contains(class)) {
                return Err(Error::precondition(format!(
                    "no document {name} has the target {:?}: hold out another share, or leave it out with \
                     the filter",
                    classes[class].0
                )));
            }
        }
    }
    Ok((discovery, held_out))
}

/// Scores of each part of the rows, predicted from the others with latents chosen there.
fn cross_validate(
    columns: &Columns,
    family: Family,
    targets: &[f64],
    folds: &[usize],
    (choice, most): (Choice, usize),
    progress: &Progress,
) -> Result<Vec<PathPoint>> {
    let mut sizes: Vec<usize> = std::iter::successors(Some(1), |size| Some(size * 2))
        .take_while(|size| *size < most)
        .collect();
    sizes.push(most);
    let of_fold = |fold: usize| -> Result<Vec<f64>> {
        let counts: Vec<f64> = folds
            .iter()
            .map(|own| f64::from(u8::from(*own != fold)))
            .collect();
        let outer: Vec<usize> = (0..folds.len()).filter(|&row| folds[row] == fold).collect();
        let of_outer: Vec<f64> = outer.iter().map(|&row| targets[row]).collect();
        let score_of = |fit: &Fit| {
            let rows = outer.iter();
            let predicted: Vec<f64> = rows.map(|&row| scored(family, fit.means(row))).collect();
            score(family, &of_outer, &predicted)
        };
        let mut found: Vec<f64> = Vec::new();
        let fit = Fit::new(family, targets, counts);
        let (_, last) = choose(columns, fit, (choice, most), progress, |size, fit| {
            if sizes.get(found.len()) == Some(&size) {
                found.push(score_of(fit));
            }
        })?;
        if found.len() < sizes.len() {
            // Nothing more was worth choosing: more latents are no other model.
            found.resize(sizes.len(), score_of(&last));
        }
        Ok(found)
    };
    let by_fold: Vec<Vec<f64>> = (0..FOLDS)
        .into_par_iter()
        .map(of_fold)
        .collect::<Result<_>>()?;
    let points = sizes.iter().enumerate().map(|(at, &latents)| {
        let scores: Vec<f64> = by_fold.iter().map(|own| own[at]).collect();
        let score = scores.iter().sum::<f64>() / FOLDS as f64;
        let squares: f64 = scores.iter().map(|own| (own - score).powi(2)).sum();
        let error = (squares / (FOLDS - 1) as f64 / FOLDS as f64).sqrt();
        PathPoint {
            latents,
            score,
            error,
        }
    });
    Ok(points.collect())
}

/// The fit of the form and the penalty that predict parts of the rows best from the others.
fn last_fit<'t>(
    chosen: &[Chosen],
    forms: &[Form],
    (family, targets): (Family, &'t [f64]),
    folds: &[usize],
    progress: &Progress,
) -> Result<(Design, Fit<'t>)> {
    let mut best: Option<(f64, f64, Design)> = None;
    for &form in forms {
        let design = Design::of(chosen, targets.len(), form);
        let views: Vec<&[(u32, f32)]> = design.columns.iter().map(Vec::as_slice).collect();
        let losses: Vec<Vec<f64>> = (0..FOLDS)
            .into_par_iter()
            .map(|fold| {
                let count = |own: &usize| f64::from(u8::from(*own != fold));
                let mut fit = Fit::new(family, targets, folds.iter().map(count).collect());
                views.iter().for_each(|_| fit.push());
                let losses = RIDGES.map(|ridge| {
                    fit.settle(&views, ridge);
                    fit.outer_loss()
                });
                progress.check()?;
                Ok(losses.to_vec())
            })
            .collect::<Result<_>>()?;
        for (at, ridge) in RIDGES.into_iter().enumerate() {
            let loss: f64 = losses.iter().map(|own| own[at]).sum();
            if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                best = Some((loss, ridge, Design::of(chosen, targets.len(), form)));
            }
        }
    }
    let Some((_, ridge, design)) = best else {
        return Err(Error::internal("no form of a model was fitted"));
    };
    let views: Vec<&[(u32, f32)]> = design.columns.iter().map(Vec::as_slice).collect();
    let mut fit = Fit::new(family, targets, vec![1.0; targets.len()]);
    views.iter().for_each(|_| fit.push());
    fit.settle(&views, ridge);
    Ok((design, fit))
}
