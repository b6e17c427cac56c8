//! Steering evaluation: what a steered query keeps and what it gains (the methods guide, steering).
//!
//! Each query is steered up by one latent that is inactive in it. Per method and strength:
//! *relevance kept* is the mean cosine of the steered hits with the query over that of the
//! unsteered, *target share* the share of the steered hits that show its concept, by the matched latent of another
//! SAE or by an attribute's value, never by the latent itself, *overlap* the share of the unsteered hits that stay. Baselines rewrite the query with the latent's label.
//! Where latents are labelled, a second pass steers one latent up and another down, as O'Neill et
//! al. 2024 do, and a judge may guess both from the hits. A model that writes rewrites queries for another baseline.
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
pub use judge::{Judge, Question, Rewriting};
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
    let mut pairs: Vec<(Case, Answer)> = ups.into_iter().zip(plain).collect();
    let labelled = pairs.iter().all(|(case, _)| case.up.label.is_some());
    let rewrites = labelled && rewrite(collection, &mut pairs, judge).await?;
    let usable = |(method, _): &(Method, &[f32])| {
        (labelled || !method.needs_labels()) && (rewrites || *method != Method::Rewrite)
    };
    let methods: Vec<(Method, &[f32])> = Method::UP.into_iter().filter(usable).collect();
    let up = measure(collection, &pairs, &methods, None::<(&J, usize)>).await?;
    if !labelled {
        return Ok((up, None));
    }
    let mut pairs = cases.down(collection, pairs).await?;
    if pairs.is_empty() {
        return Ok((up, None));
    }
    rewrite(collection, &mut pairs, judge).await?;
    let judged = match settings.judged {
        0 => pairs.len(),
        most => most.min(pairs.len()),
    };
    let judge = judge.map(|judge| (judge, judged));
    let methods: Vec<(Method, &[f32])> = Method::UP_AND_DOWN.into_iter().filter(usable).collect();
    let down = measure(collection, &pairs, &methods, judge).await?;
    Ok((up, Some(down)))
}

/// Has the queries rewritten, if the model writes: whether it does.
async fn rewrite<C: Collection, J: Judge>(
    collection: &C,
    pairs: &mut [(Case, Answer)],
    judge: Option<&J>,
) -> Result<bool, C::Error> {
    let Some(judge) = judge else {
        return Ok(false);
    };
    let rewritings = pairs.iter().map(|(case, _)| case.rewriting());
    let Some(rewritten) = judge.rewrite(rewritings.collect()).await? else {
        return Ok(false);
    };
    let texts = pairs.iter().zip(rewritten);
    let texts = texts.map(|((case, _), text)| text.unwrap_or_else(|| case.text.clone()));
    let vectors = collection.encode(texts.collect()).await?;
    for ((case, _), vector) in pairs.iter_mut().zip(vectors) {
        case.rewritten = vector;
    }
    Ok(true)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::Error;

    /// Latents are the letters a to d; a text activates those that it holds.
    struct Letters(Vec<&'static str>);

    fn vector(text: &str) -> Vec<f32> {
        let counts = "abcd".chars().map(|letter| text.matches(letter).count());
        counts.map(|count| count as f32).collect()
    }

    fn letters(vector: &[f32]) -> BTreeSet<u32> {
        let all = (0..).zip(vector);
        all.filter(|(_, value)| **value > 0.0)
            .map(|(at, _)| at)
            .collect()
    }

    impl Collection for Letters {
        type Error = Error;

        async fn latents(&self) -> Result<Vec<Latent>> {
            let letters = (0..).zip(["a", "b", "c", "d"]);
            Ok(letters
                .map(|(number, letter)| Latent {
                    number,
                    documents: 5,
                    label: Some(letter.to_owned()),
                    score: None,
                    mark: Some(number),
                })
                .collect())
        }

        async fn encode(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
            Ok(texts.iter().map(|text| vector(text)).collect())
        }

        async fn active(&self, vector: &[f32]) -> Result<BTreeSet<u32>> {
            Ok(letters(vector))
        }

        async fn search(&self, queries: &[Query], _: bool) -> Result<Vec<Answer>> {
            let answer = |query: &Query| {
                let mut moved = query.vector.clone();
                for edit in &query.edits {
                    let (Change::Boost(by) | Change::Add(by) | Change::SetP90(by)) = edit.change;
                    moved[edit.latent as usize] += by * 10.0;
                }
                let score =
                    |hit: &Hit| -> f32 { moved.iter().zip(&hit.vector).map(|(a, b)| a * b).sum() };
                let mut hits: Vec<Hit> = self
                    .0
                    .iter()
                    .map(|text| Hit {
                        id: (*text).to_owned(),
                        vector: vector(text),
                        marks: letters(&vector(text)),
                        text: (*text).to_owned(),
                    })
                    .filter(|hit| query.filter.is_none_or(|only| hit.marks.contains(&only)))
                    .collect();
                hits.sort_by(|a, b| score(b).total_cmp(&score(a)));
                hits.truncate(1);
                Answer { hits, cosine: None }
            };
            Ok(queries.iter().map(answer).collect())
        }
    }

    /// Picks the first option that the steered hits hold and the unsteered do not, or the reverse.
    struct Comparing;

    impl Judge for Comparing {
        fn name(&self) -> String {
            "comparing".to_owned()
        }

        async fn ask(&self, questions: Vec<Question>) -> Result<Vec<Option<bool>>> {
            let right = |question: Question| {
                let (mut gained, mut lost) = (&question.after[0], &question.before[0]);
                if !question.up {
                    (gained, lost) = (lost, gained);
                }
                let options = question.options.iter();
                let changed =
                    |option: &&String| gained.contains(*option) && !lost.contains(*option);
                let picked: Vec<&String> = options.filter(changed).collect();
                Some(picked == [&question.options[question.answer]])
            };
            Ok(questions.into_iter().map(right).collect())
        }

        async fn rewrite(&self, rewritings: Vec<Rewriting>) -> Result<Option<Vec<Option<String>>>> {
            // Every other one is unusable.
            let mut at = 0;
            let rewritten = rewritings.into_iter().map(|own| {
                at += 1;
                (at % 2 == 0).then(|| format!("{}{}", own.query, own.up.repeat(20)))
            });
            Ok(Some(rewritten.collect()))
        }
    }

    #[tokio::test]
    async fn steering_brings_one_letter_in_and_another_out() {
        let collection = Letters(vec!["aaab", "bbba", "cccd", "dddc", "acac", "bdbd"]);
        let settings = Settings {
            count: 0,
            min_documents: 1,
            max_documents: 9,
            min_label_score: None,
            judged: 0,
            seed: 7,
        };
        let queries = vec!["aaab".to_owned(), "bbba".to_owned(), "dddc".to_owned()];
        let (up, up_down) = evaluate(&collection, queries, &settings, Some(&Comparing))
            .await
            .unwrap();
        assert_eq!((up.queries, up.curves.len(), up.judge), (3, 8, None));
        assert_eq!(up.unsteered.outcome.relevance, 1.0);
        assert_eq!(up.unsteered.outcome.target_share, 0.0);
        for (method, steps) in &up.curves {
            let shares: Vec<f64> = steps.iter().map(|step| step.outcome.target_share).collect();
            assert!(shares.is_sorted(), "{method:?}: {shares:?}");
        }
        let (_, rewritten) = &up.curves[6];
        assert_eq!(rewritten[0].outcome.target_share, 1.0 / 3.0);
        let (_, filtered) = &up.curves[7];
        assert_eq!(filtered[0].outcome.target_share, 1.0);
        let up_down = up_down.unwrap();
        assert_eq!(up_down.judge, Some(("comparing".to_owned(), 3)));
        let (_, boosted) = &up_down.curves[0];
        let last = boosted.last().unwrap();
        assert!(last.down_share < up_down.unsteered.down_share);
        assert!(last.outcome.target_share > 0.0);
        assert!(last.up_picked.accuracy().is_some());
    }
}
