//! Queries and the latents they are steered by, drawn at random from those that may be targets.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::collection::{Answer, Collection, Latent, Query};
use super::judge::{Question, Rewriting};
use crate::error::{Error, Result};

/// Options that a judge picks from.
const OPTIONS: usize = 5;
/// Sets the stream of latents steered down apart from that of the targets.
const DOWN_STREAM: u64 = 0x75_70;

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

/// A query and what it is steered by.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The query.
    pub text: String,
    /// Its vector.
    pub vector: Vec<f32>,
    /// The latents active in the query.
    pub active: BTreeSet<u32>,
    /// The inactive latent that is steered up.
    pub up: Concept,
    /// The vector of the query's text with the label of `up` appended; empty without labels.
    pub appended: Vec<f32>,
    /// The vector of the query as a language model rewrote it, its own where that wrote nothing usable; empty without
    /// one.
    pub rewritten: Vec<f32>,
    /// The active latent that is steered down.
    pub down: Option<Down>,
}

/// A latent with its label and the label's vector, empty without labels.
#[derive(Clone, Debug)]
pub(super) struct Concept {
    pub latent: u32,
    /// What its hits are known by.
    pub mark: u32,
    pub label: Option<String>,
    pub vector: Vec<f32>,
}

/// A latent that is steered down, and labels among which a judge picks.
#[derive(Clone, Debug)]
pub(super) struct Down {
    pub concept: Concept,
    up_options: Options,
    down_options: Options,
}

impl Case {
    /// The query as it is.
    pub fn unsteered(&self) -> Query {
        Query {
            vector: self.vector.clone(),
            ..Query::default()
        }
    }

    /// What a language model is asked to make of the query.
    pub fn rewriting(&self) -> Rewriting {
        Rewriting {
            query: self.text.clone(),
            up: self.up.label.clone().unwrap_or_default(),
            down: self
                .down
                .as_ref()
                .and_then(|down| down.concept.label.clone()),
        }
    }

    /// Asks which latent was steered up, or down.
    pub fn question(&self, before: &Answer, after: &Answer, up: bool) -> Option<Question> {
        let down = self.down.as_ref()?;
        let options = if up {
            &down.up_options
        } else {
            &down.down_options
        };
        let texts = |answer: &Answer| answer.hits.iter().map(|hit| hit.text.clone()).collect();
        Some(Question {
            before: texts(before),
            after: texts(after),
            options: options.labels.clone(),
            answer: options.answer,
            up,
        })
    }
}

/// Labels, and the index of the right one.
#[derive(Clone, Debug)]
struct Options {
    labels: Vec<String>,
    answer: usize,
}

impl Options {
    /// `answer` among labels of others, all different.
    fn draw(answer: &str, mut others: Vec<String>, random: &mut StdRng) -> Self {
        others.sort_unstable();
        others.dedup();
        others.retain(|other| other != answer);
        let mut labels: Vec<String> = others
            .sample(random, OPTIONS - 1)
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

/// The latents that cases are drawn from.
pub(super) struct Cases<'a> {
    settings: &'a Settings,
    /// All with a mark and a good enough label, or without labels.
    eligible: Vec<&'a Latent>,
    /// Those active in a medium number of documents; labelled, if any is.
    targets: Vec<&'a Latent>,
}

impl<'a> Cases<'a> {
    /// Selects the targets.
    pub fn new(settings: &'a Settings, latents: &'a [Latent]) -> Result<Self> {
        let least_score = settings.min_label_score;
        let eligible: Vec<&Latent> = latents
            .iter()
            .filter(|latent| latent.mark.is_some())
            .filter(|latent| {
                least_score.is_none_or(|least| latent.score.is_some_and(|score| score >= least))
            })
            .collect();
        let (least, most) = (settings.min_documents, settings.max_documents);
        let mut targets = eligible.clone();
        targets.retain(|target| (least..=most).contains(&target.documents));
        if targets.iter().any(|target| target.label.is_some()) {
            targets.retain(|target| target.label.is_some());
        }
        if targets.is_empty() {
            return Err(Error::precondition(format!(
                "no latent is active in {least} to {most} documents, well labelled enough and matched with what \
                 hits are scored by"
            )));
        }
        Ok(Self {
            settings,
            eligible,
            targets,
        })
    }

    /// Gives each query a target that is inactive in it.
    pub async fn up<C: Collection>(
        &self,
        collection: &C,
        queries: &[String],
        random: &mut StdRng,
    ) -> Result<Vec<Case>, C::Error> {
        let mut cases = Vec::with_capacity(queries.len());
        let vectors = collection.encode(queries.to_vec()).await?;
        for (text, vector) in queries.iter().zip(vectors) {
            let active = collection.active(&vector).await?;
            let inactive: Vec<&Latent> = self
                .targets
                .iter()
                .copied()
                .filter(|target| !active.contains(&target.number))
                .collect();
            let target = inactive
                .choose(random)
                .ok_or_else(|| Error::precondition("every target is active in a query"))?;
            cases.push(Case {
                text: text.clone(),
                vector,
                active,
                up: Concept {
                    latent: target.number,
                    mark: target.mark.unwrap_or_default(),
                    label: target.label.clone(),
                    vector: Vec::new(),
                },
                appended: Vec::new(),
                rewritten: Vec::new(),
                down: None,
            });
        }
        let labels: Option<Vec<String>> = cases.iter().map(|case| case.up.label.clone()).collect();
        if let Some(labels) = labels {
            let both = queries.iter().zip(&labels);
            let both = both
                .map(|(query, label)| format!("{query} {label}"))
                .collect();
            let vectors = collection.encode(labels).await?;
            let appended = collection.encode(both).await?;
            for ((case, vector), appended) in cases.iter_mut().zip(vectors).zip(appended) {
                (case.up.vector, case.appended) = (vector, appended);
            }
        }
        Ok(cases)
    }

    /// Gives each case an active latent that is steered down, and options for a judge: distractors of
    /// the latent steered up are inactive too, those of the other active too, so that the query
    /// gives neither away. Cases in which no other labelled latent is active are left out.
    pub async fn down<C: Collection>(
        &self,
        collection: &C,
        pairs: Vec<(Case, Answer)>,
    ) -> Result<Vec<(Case, Answer)>, C::Error> {
        let mut random = StdRng::seed_from_u64(self.settings.seed ^ DOWN_STREAM);
        type Labelled = (u32, u32, String);
        let labels = |latents: &[&Latent], wanted: &dyn Fn(u32) -> bool| -> Vec<Labelled> {
            let wanted = latents.iter().filter(|latent| wanted(latent.number));
            wanted
                .filter_map(|latent| Some((latent.number, latent.mark?, latent.label.clone()?)))
                .collect()
        };
        let only_labels = |latents: Vec<Labelled>| -> Vec<String> {
            latents.into_iter().map(|(_, _, label)| label).collect()
        };
        let mut kept = Vec::with_capacity(pairs.len());
        for (mut case, answer) in pairs {
            let active = labels(&self.eligible, &|latent| case.active.contains(&latent));
            let Some((latent, mark, label)) = active.choose(&mut random).cloned() else {
                continue;
            };
            let inactive = labels(&self.targets, &|latent| !case.active.contains(&latent));
            let up = case.up.label.as_deref().unwrap_or_default();
            let up_options = Options::draw(up, only_labels(inactive), &mut random);
            let down_options = Options::draw(&label, only_labels(active), &mut random);
            case.down = Some(Down {
                concept: Concept {
                    latent,
                    mark,
                    label: Some(label),
                    vector: Vec::new(),
                },
                up_options,
                down_options,
            });
            kept.push((case, answer));
        }
        let downs = kept.iter_mut().filter_map(|(case, _)| case.down.as_mut());
        let mut downs: Vec<&mut Down> = downs.collect();
        let labels = downs.iter().filter_map(|down| down.concept.label.clone());
        let vectors = collection.encode(labels.collect()).await?;
        for (down, vector) in downs.iter_mut().zip(vectors) {
            down.concept.vector = vector;
        }
        drop(downs);
        Ok(kept)
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
            let options = Options::draw("answer", others.to_vec(), &mut random);
            assert_eq!(options.labels[options.answer], "answer");
            let mut labels = options.labels.clone();
            labels.sort_unstable();
            labels.dedup();
            assert_eq!(labels.len(), OPTIONS);
        }
    }
}
