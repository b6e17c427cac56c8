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
//! | What is asked of a collection and of a judge? | `collection.rs`, `judge.rs` |
//! | Which query is steered by which latents? | `cases.rs` |
//! | Which methods are compared, what do they search for? | `method.rs` |
//! | What are hits worth? | `outcome.rs` |

mod cases;
mod collection;
mod judge;
mod method;
mod outcome;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::error::Result;
pub use cases::Settings;
use cases::{Case, Cases};
pub use collection::{Answer, Change, Collection, Edit, Hit, Latent, Query};
pub use judge::{Judge, Question};
pub use method::Method;
pub use outcome::{Outcome, Picked, Step};

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
