//! One latent up and another down (METHODS §4, the evaluation of arXiv 2408.00657).
//!
//! Per query a labelled latent that is inactive in it is turned up, and one that is active half as
//! strongly down. Measured are the cosine of the query before and after, what its hits keep and get,
//! and how often a judge who sees both lists of hits picks the two latents from five options each:
//! those beside the first are inactive too, those beside the second active too, so that the query
//! gives neither away.

mod output;

use latentdb_proto::v1::{Hit, LatentSummary, Query, SearchResponse, SteerEdit, steer_edit::Edit};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::judging::{JudgeModel, Question};
use super::steering_bench::{Bench, Outcome, active_share, cosine, outcome, relative};
use super::steering_method::{Case, near, nearest};

/// Options that a judge picks from.
const OPTIONS: usize = 5;
/// How strongly a latent is turned down, for each unit that the other is turned up.
const DOWN: f32 = 0.5;

/// A way of turning one latent up and another down.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    Boost,
    Add,
    /// The labels' vectors mixed into the query's, one in and the other out.
    Mix,
    /// The label of the latent that is turned up appended to the query's text.
    Append,
}

const SETTINGS: [(Method, &[f32]); 4] = [
    (Method::Boost, &[0.1, 0.15, 0.2, 0.3]),
    (Method::Add, &[0.3, 0.5, 0.7, 1.0, 1.5]),
    (Method::Mix, &[0.2, 0.3, 0.4, 0.5]),
    (Method::Append, &[1.0]),
];

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Boost => "boost",
            Self::Add => "add",
            Self::Mix => "mix",
            Self::Append => "append",
        }
    }
}

/// A query with the latents that are turned.
struct Turned<'a> {
    case: &'a Case,
    /// Vectors of the label turned up, and of the query with it appended.
    up: &'a (Vec<f32>, Vec<f32>),
    down: u32,
    /// Vector of the label turned down.
    down_label: Vec<f32>,
    up_options: Options,
    down_options: Options,
}

/// Labels, and which of them it is.
struct Options {
    labels: Vec<String>,
    answer: usize,
}

impl Options {
    /// `answer` among labels of others, all different.
    fn draw(answer: &str, others: &[String], random: &mut StdRng) -> Self {
        let mut others: Vec<String> = others.to_vec();
        others.sort_unstable();
        others.dedup();
        others.retain(|other| other != answer);
        let mut labels: Vec<String> = others
            .choose_multiple(random, OPTIONS - 1)
            .cloned()
            .chain([answer.to_owned()])
            .collect();
        labels.shuffle(random);
        let answer = labels.iter().position(|label| label == answer);
        Self {
            answer: answer.unwrap_or(0),
            labels,
        }
    }
}

/// What was measured.
pub(super) struct UpDown {
    judge: Option<String>,
    judged: usize,
    queries: usize,
    unsteered: Step,
    methods: Vec<(Method, Vec<Step>)>,
}

/// What one strength does.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    strength: f32,
    cosine: f64,
    outcome: Outcome,
    down_share: f64,
    up_picked: Picked,
    down_picked: Picked,
}

/// How often a judge picked the right option.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Picked {
    answered: usize,
    right: usize,
    unanswered: usize,
}

impl Picked {
    fn of(answers: &[Option<bool>]) -> Self {
        let answered = answers.iter().flatten().count();
        Self {
            answered,
            right: answers.iter().flatten().filter(|right| **right).count(),
            unanswered: answers.len() - answered,
        }
    }

    fn accuracy(self) -> Option<f64> {
        (self.answered > 0).then(|| self.right as f64 / self.answered as f64)
    }
}

/// Measures the protocol; `None` where latents have no labels.
pub(super) async fn run(
    bench: &Bench<'_>,
    cases: &[Case],
    plain: &[Vec<Hit>],
    judge: Option<JudgeModel>,
) -> anyhow::Result<Option<UpDown>> {
    let Some((turned, plain)) = turned(bench, cases, plain).await? else {
        return Ok(None);
    };
    let judged = match bench.args.judge.judged {
        0 => turned.len(),
        most => most.min(turned.len()),
    };
    let before = match &judge {
        None => Vec::new(),
        Some(_) => {
            let first = turned[..judged].iter().map(|one| near(&one.case.vector));
            bench.answers(first.collect(), true).await?
        }
    };
    let unsteered: Vec<Outcome> = turned
        .iter()
        .zip(&plain)
        .map(|(one, hits)| outcome(&one.case.vector, one.case.latent, hits, hits))
        .collect();
    let mut methods = Vec::with_capacity(SETTINGS.len());
    for (method, strengths) in SETTINGS {
        let mut steps = Vec::with_capacity(strengths.len());
        for &strength in strengths {
            let queries: Vec<(Query, Option<f64>)> = turned
                .iter()
                .map(|one| query(method, strength, one))
                .collect();
            let cosines: Vec<Option<f64>> = queries.iter().map(|(_, cosine)| *cosine).collect();
            let queries = queries.into_iter().map(|(query, _)| query).collect();
            let answers = bench.answers(queries, judge.is_some()).await?;
            let mut step = step(&turned, &plain, &unsteered, &cosines, &answers);
            step.strength = strength;
            if let Some(judge) = &judge {
                let rows = || turned.iter().zip(before.iter().zip(&answers)).take(judged);
                let questions = |up| {
                    let rows = rows();
                    rows.map(|(one, (b, a))| question(one, b, a, up)).collect()
                };
                step.up_picked = Picked::of(&judge.ask(questions(true)).await?);
                step.down_picked = Picked::of(&judge.ask(questions(false)).await?);
            }
            steps.push(step);
        }
        methods.push((method, steps));
    }
    let whole = relative(&unsteered, &unsteered);
    Ok(Some(UpDown {
        judged: if judge.is_some() { judged } else { 0 },
        judge: judge.map(|judge| judge.name()),
        queries: turned.len(),
        unsteered: Step {
            cosine: 1.0,
            outcome: whole,
            down_share: mean(turned.iter().zip(&plain), |(one, hits)| {
                active_share(hits, one.down)
            }),
            ..Step::default()
        },
        methods,
    }))
}

/// Gives each case a latent that is turned down; those in which no other labelled latent is active
/// are left out. `None` where latents have no labels.
async fn turned<'a>(
    bench: &Bench<'_>,
    cases: &'a [Case],
    plain: &[Vec<Hit>],
) -> anyhow::Result<Option<(Vec<Turned<'a>>, Vec<Vec<Hit>>)>> {
    // Of its own, so that what is measured elsewhere does not depend on it.
    let mut random = StdRng::seed_from_u64(bench.args.seed ^ 0x75_70);
    let latents = bench.latents().await?;
    let label = |latent: &LatentSummary| Some(latent.label.as_ref()?.text.clone());
    let targets: Vec<(u32, String)> = bench
        .targets(&latents)?
        .iter()
        .filter_map(|target| Some((target.latent, label(target)?)))
        .collect();
    let mut parts = Vec::with_capacity(cases.len());
    for (case, hits) in cases.iter().zip(plain) {
        let (Some(name), Some(up)) = (&case.name, &case.label) else {
            return Ok(None);
        };
        let active: Vec<(u32, String)> = latents
            .iter()
            .filter(|latent| case.active.contains(&latent.latent))
            .filter(|latent| bench.is_well_labelled(latent))
            .filter_map(|latent| Some((latent.latent, label(latent)?)))
            .collect();
        let Some((down, down_name)) = active.choose(&mut random) else {
            continue;
        };
        let inactive: Vec<String> = targets
            .iter()
            .filter(|(latent, _)| !case.active.contains(latent))
            .map(|(_, label)| label.clone())
            .collect();
        let others: Vec<String> = active.iter().map(|(_, label)| label.clone()).collect();
        let up_options = Options::draw(name, &inactive, &mut random);
        let down_options = Options::draw(down_name, &others, &mut random);
        parts.push((
            case,
            up,
            *down,
            down_name.clone(),
            up_options,
            down_options,
            hits.clone(),
        ));
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let names = parts.iter().map(|part| part.3.clone()).collect();
    let vectors = bench.encode(names).await?;
    Ok(Some(
        parts
            .into_iter()
            .zip(vectors)
            .map(
                |((case, up, down, _, up_options, down_options, hits), down_label)| {
                    let one = Turned {
                        case,
                        up,
                        down,
                        down_label,
                        up_options,
                        down_options,
                    };
                    (one, hits)
                },
            )
            .unzip(),
    ))
}

/// The turned query, and its cosine with the original where the server does not say it.
fn query(method: Method, strength: f32, one: &Turned<'_>) -> (Query, Option<f64>) {
    let own = &one.case.vector;
    let edits = |edit: fn(f32) -> Edit| {
        let turn = |latent: u32, amount: f32| SteerEdit {
            latent,
            edit: Some(edit(amount)),
            ..SteerEdit::default()
        };
        vec![
            turn(one.case.latent, strength),
            turn(one.down, -DOWN * strength),
        ]
    };
    let moved = |vector: &[f32]| (near(vector), Some(cosine(own, vector)));
    match method {
        Method::Boost => (nearest(own, edits(Edit::Boost), 0), None),
        Method::Add => (nearest(own, edits(Edit::Add), 0), None),
        Method::Mix => {
            let parts = own.iter().zip(&one.up.0).zip(&one.down_label);
            let mixed: Vec<f32> = parts
                .map(|((own, up), down)| own * (1.0 - strength) + strength * (up - DOWN * down))
                .collect();
            moved(&mixed)
        }
        Method::Append => moved(&one.up.1),
    }
}

fn step(
    turned: &[Turned<'_>],
    plain: &[Vec<Hit>],
    unsteered: &[Outcome],
    cosines: &[Option<f64>],
    answers: &[SearchResponse],
) -> Step {
    let rows = || turned.iter().zip(plain).zip(answers);
    let outcomes: Vec<Outcome> = rows()
        .map(|((one, plain), answer)| {
            outcome(&one.case.vector, one.case.latent, plain, &answer.hits)
        })
        .collect();
    let told = |answer: &SearchResponse| {
        let steering = answer.steering.first();
        steering.map_or(1.0, |steering| f64::from(steering.cosine))
    };
    Step {
        cosine: mean(cosines.iter().zip(answers), |(known, answer)| {
            known.unwrap_or_else(|| told(answer))
        }),
        outcome: relative(&outcomes, unsteered),
        down_share: mean(turned.iter().zip(answers), |(one, answer)| {
            active_share(&answer.hits, one.down)
        }),
        ..Step::default()
    }
}

fn mean<T>(values: impl ExactSizeIterator<Item = T>, value: impl Fn(T) -> f64) -> f64 {
    let count = values.len().max(1) as f64;
    values.map(value).sum::<f64>() / count
}

fn question(
    one: &Turned<'_>,
    before: &SearchResponse,
    after: &SearchResponse,
    up: bool,
) -> Question {
    let texts = |answer: &SearchResponse| -> Vec<String> {
        let documents = answer.hits.iter().filter_map(|hit| hit.document.as_ref());
        documents
            .map(|document| document.text.clone().unwrap_or_default())
            .collect()
    };
    let options = if up {
        &one.up_options
    } else {
        &one.down_options
    };
    Question {
        before: texts(before),
        after: texts(after),
        options: options.labels.clone(),
        answer: options.answer,
        up,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_hold_the_answer_once_among_different_ones() {
        let others = ["a", "b", "a", "c", "d", "answer", "e"].map(str::to_owned);
        for seed in 0..20 {
            let mut random = StdRng::seed_from_u64(seed);
            let options = Options::draw("answer", &others, &mut random);
            assert_eq!(options.labels[options.answer], "answer");
            let mut labels = options.labels.clone();
            labels.sort_unstable();
            labels.dedup();
            assert_eq!(labels.len(), OPTIONS);
        }
    }

    #[test]
    fn unusable_answers_count_neither_way() {
        let picked = Picked::of(&[Some(true), None, Some(false), Some(true)]);
        assert_eq!(picked.accuracy(), Some(2.0 / 3.0));
        assert_eq!(picked.unanswered, 1);
        assert_eq!(Picked::of(&[None]).accuracy(), None);
    }
}
