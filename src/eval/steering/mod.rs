//! Steering evaluation: what a steered query keeps and what it gains (the methods guide, steering).
//!
//! Each query is steered up by one latent that is inactive in it. Per method and strength:
//! *relevance kept* is the mean cosine of the steered hits with the query over that of the
//! unsteered, *target share* the share of the steered hits in which the latent is active, *overlap*
//! the share of the unsteered hits that stay. Baselines rewrite the query with the latent's label.
//! Where latents are labelled, a second pass steers one latent up and another down, as O'Neill et
//! al. 2024 do, and a judge may guess both from the hits.
//!
//! | question | file |
//! |---|---|
//! | Which query is steered towards which latent? | `cases.rs` |
//! | Which methods are compared, what do they search for? | `method.rs` |
//! | What are hits worth? | `outcome.rs` |

mod cases;
mod method;
mod outcome;

use std::collections::BTreeSet;
use std::future::Future;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::error::{Error, Result};
use cases::{Case, Cases};
pub use method::{Change, Edit, Method, Query};
pub use outcome::{Outcome, Picked, Step};

/// The collection that is searched.
pub trait Collection {
    /// Why a call failed.
    type Error: From<Error>;

    /// All latents of the collection.
    fn latents(&self) -> impl Future<Output = Result<Vec<Latent>, Self::Error>>;

    /// The vectors of texts under the collection's encoder, in their order.
    fn encode(
        &self,
        texts: Vec<String>,
    ) -> impl Future<Output = Result<Vec<Vec<f32>>, Self::Error>>;

    /// The latents active in a vector.
    fn active(&self, vector: &[f32]) -> impl Future<Output = Result<BTreeSet<u32>, Self::Error>>;

    /// The hits of each query, in their order, with texts if `texts`.
    fn search(
        &self,
        queries: &[Query],
        texts: bool,
    ) -> impl Future<Output = Result<Vec<Answer>, Self::Error>>;
}

/// Guesses which latents were steered.
pub trait Judge {
    /// Who judges.
    fn name(&self) -> String;

    /// For each question whether it was answered correctly; `None` for an unusable answer.
    fn ask(&self, questions: Vec<Question>) -> impl Future<Output = Result<Vec<Option<bool>>>>;
}

/// A latent that may be steered.
#[derive(Clone, Debug, PartialEq)]
pub struct Latent {
    /// Its number.
    pub number: u32,
    /// Documents in which it is active.
    pub documents: u64,
    /// Its label.
    pub label: Option<String>,
    /// The label's score, if it was scored.
    pub score: Option<f32>,
}

/// The hits of one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Cosine of the query before and after the edits, if any.
    pub cosine: Option<f64>,
}

/// A document that was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hit {
    /// Its id.
    pub id: String,
    /// Its vector.
    pub vector: Vec<f32>,
    /// The latents active in it.
    pub latents: BTreeSet<u32>,
    /// Its text, if asked for.
    pub text: String,
}

/// Hits before and after steering, and labels of which one is the steered latent's.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Texts of the unsteered hits.
    pub before: Vec<String>,
    /// Texts of the steered hits.
    pub after: Vec<String>,
    /// Labels to choose from.
    pub options: Vec<String>,
    /// Whether the latent was steered up or down.
    pub up: bool,
    /// Index of the right option.
    pub answer: usize,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Queries drawn from those given; all when 0.
    pub count: usize,
    /// Minimum number of documents in which a target is active.
    pub min_documents: u64,
    /// Maximum number of documents in which a target is active.
    pub max_documents: u64,
    /// Minimum score of a target's label, where labels are scored.
    pub min_label_score: Option<f32>,
    /// Queries whose hits are judged; all when 0.
    pub judged: usize,
    /// Seed of the choice of queries and targets.
    pub seed: u64,
}

/// Outcome of every method at every strength.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Queries measured.
    pub queries: usize,
    /// The unsteered queries, as a reference.
    pub unsteered: Step,
    /// One curve over the strengths per method.
    pub curves: Vec<(Method, Vec<Step>)>,
    /// Who judged how many queries.
    pub judge: Option<(String, usize)>,
}

/// Steers queries up by one latent, then, where latents are labelled, up by one and down by another.
///
/// # Errors
/// `FailedPrecondition` where no latent may be a target; the collection's and the judge's.
pub async fn evaluate<C: Collection, J: Judge>(
    collection: &C,
    mut queries: Vec<String>,
    settings: &Settings,
    judge: Option<&J>,
) -> Result<(Evaluation, Option<Evaluation>), C::Error> {
    let mut random = StdRng::seed_from_u64(settings.seed);
    if settings.count > 0 && settings.count < queries.len() {
        let (drawn, _) = queries.partial_shuffle(&mut random, settings.count);
        queries = drawn.to_vec();
    }
    let latents = collection.latents().await?;
    let cases = Cases::new(settings, &latents)?;
    let ups = cases.up(collection, &queries, &mut random).await?;
    let near: Vec<Query> = ups.iter().map(Case::unsteered).collect();
    let plain = collection.search(&near, judge.is_some()).await?;
    let pairs: Vec<(Case, Answer)> = ups.into_iter().zip(plain).collect();
    let labelled = pairs.iter().all(|(case, _)| case.up.label.is_some());
    let methods: Vec<(Method, &[f32])> = Method::UP
        .into_iter()
        .filter(|(method, _)| labelled || !method.needs_labels())
        .collect();
    let up = measure(collection, &pairs, &methods, None::<(&J, usize)>).await?;
    if !labelled {
        return Ok((up, None));
    }
    let pairs = cases.down(collection, pairs).await?;
    if pairs.is_empty() {
        return Ok((up, None));
    }
    let judged = match settings.judged {
        0 => pairs.len(),
        most => most.min(pairs.len()),
    };
    let judge = judge.map(|judge| (judge, judged));
    let down = measure(collection, &pairs, &Method::UP_AND_DOWN, judge).await?;
    Ok((up, Some(down)))
}

async fn measure<C: Collection, J: Judge>(
    collection: &C,
    pairs: &[(Case, Answer)],
    methods: &[(Method, &[f32])],
    judge: Option<(&J, usize)>,
) -> Result<Evaluation, C::Error> {
    let unsteered = Step::unsteered(pairs);
    let mut curves = Vec::with_capacity(methods.len());
    for &(method, strengths) in methods {
        let mut steps = Vec::with_capacity(strengths.len());
        for &strength in strengths {
            let queries: Vec<Query> = pairs
                .iter()
                .map(|(case, _)| method.query(strength, case))
                .collect();
            let answers = collection.search(&queries, judge.is_some()).await?;
            let mut step = Step::of(strength, pairs, &queries, &answers);
            if let Some((judge, judged)) = judge {
                let questions = |up| {
                    let rows = pairs.iter().zip(&answers).take(judged);
                    rows.filter_map(|((case, before), after)| case.question(before, after, up))
                        .collect()
                };
                step.up_picked = Picked::of(&judge.ask(questions(true)).await?);
                step.down_picked = Picked::of(&judge.ask(questions(false)).await?);
            }
            steps.push(step.relative_to(&unsteered));
        }
        curves.push((method, steps));
    }
    Ok(Evaluation {
        queries: pairs.len(),
        unsteered: unsteered.relative_to(&unsteered),
        curves,
        judge: judge.map(|(judge, judged)| (judge.name(), judged)),
    })
}
