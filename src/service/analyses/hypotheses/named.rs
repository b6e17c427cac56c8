//! Labels that hold on the compared sets: those there are where they tell the sets' documents apart, made
//! anew from these where they do not.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use latentdb_index::{Label, Progress};

use super::annotators::Annotators;
use super::compared::{Candidate, Found, with_label};
use super::drawn::{Drawn, Texts, UsableTexts, draw};
use super::request::HypothesiseRequest;
use super::result::{Hypothesis, LeftOut};
use crate::error::{ErrorKind, Result};
use crate::label::{
    Embed, Event, Evidence, Judge, KeyphraseOptions, Keyphrases, Labeller, Naming as Named,
    Passage, Vocabulary, choose_threshold, run_each,
};
use crate::service::analyses::Analyses;
use crate::service::core::View;
use crate::service::labels::Passages;
use crate::vectors::dot;

/// Share of right judgements from which on a label is one (METHODS section 10).
const LEAST_SCORE: f64 = 0.75;
/// Cosine of labels above which they say the same.
const SAME_LABEL: f64 = 0.85;
/// Share of the texts of keyphrases' evidence that is checked on.
const CHECKED_SHARE: usize = 3;
const NO_TOKENS: &str = "the budget of tokens ran out before its label was judged";

/// What hypotheses are named by.
pub(super) struct Naming<'n> {
    pub service: &'n Analyses,
    pub view: &'n View,
    pub request: &'n HypothesiseRequest,
    pub annotators: &'n Annotators,
    pub labels: &'n BTreeMap<u32, Label>,
    pub progress: &'n Progress,
}

/// Hypotheses before they are judged.
#[derive(Default)]
pub(super) struct NamedHypotheses {
    pub hypotheses: Vec<Hypothesis>,
    /// For each, the prediction above which a document shows its label.
    pub thresholds: Vec<f64>,
    pub left_out: Vec<LeftOut>,
    /// What comparisons are called where the label of what is given was made anew, by their places.
    pub names: HashMap<usize, String>,
    /// The budget of tokens ran out.
    pub is_out_of_tokens: bool,
}

/// A latent on the documents of a comparison.
struct Concept {
    comparison: usize,
    latent: u32,
    drawn: Option<Drawn>,
    /// What there is so far, best first tried.
    label: Option<String>,
    relabelled: bool,
    /// Share of right judgements, and the threshold.
    score: Option<(f64, f64)>,
    why: Option<String>,
}

impl Concept {
    fn holds(&self) -> bool {
        self.score.is_some_and(|(score, _)| score >= LEAST_SCORE)
    }
}

/// Whether a budget of tokens has run out: what comes after it is not asked.
#[derive(Default)]
pub(super) struct Budget(AtomicBool);

impl Budget {
    pub fn is_out(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// `None` where the budget does not cover it.
    pub fn within<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        if self.is_out() {
            return Ok(None);
        }
        match work() {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.kind() == ErrorKind::ResourceExhausted => {
                self.0.store(true, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Runs `work` on items, and gives what comes of each in their order.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    concurrency: usize,
    progress: &Progress,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let mut found: Vec<Option<R>> = items.iter().map(|_| None).collect();
    run_each(items, concurrency, progress, work, &mut |event| {
        if let Event::Done(at, result) = event {
            found[at] = Some(result);
        }
    })?;
    Ok(found.into_iter().flatten().collect())
}

impl Naming<'_> {
    /// Names what was found, and says of the rest why it is left out.
    pub fn run(&self, found: &Found<'_>) -> Result<NamedHypotheses> {
        let budget = Budget::default();
        let mut concepts = self.concepts(found)?;
        let present = |concept: &Concept| concept.label.is_some();
        self.score(&mut concepts, present, |drawn| &drawn.scored, &budget)?;
        let makes: Vec<bool> = concepts
            .iter()
            .map(|concept| concept.drawn.is_some() && !concept.holds())
            .collect();
        self.relabel(&mut concepts, &makes, &budget)?;
        let made = |concept: &Concept| concept.relabelled;
        self.score(&mut concepts, made, |drawn| &drawn.scored_again, &budget)?;
        let mut named = self.hypotheses(found, &concepts)?;
        self.write(&mut named, found, &budget)?;
        named.is_out_of_tokens = budget.is_out();
        Ok(named)
    }

    /// The latents that need a label: those that differ, and those that are given.
    fn concepts(&self, found: &Found<'_>) -> Result<Vec<Concept>> {
        let reading = UsableTexts {
            snapshot: &self.view.snapshot,
            needs_vector: self.annotators.needs_vectors(),
        };
        let mut wanted: Vec<(usize, u32)> = Vec::new();
        for candidate in &found.candidates {
            let given = found.comparisons[candidate.comparison].given;
            wanted.extend(given.map(|latent| (candidate.comparison, latent)));
            wanted.push((candidate.comparison, candidate.latent));
        }
        let sizes = self.annotators.sizes();
        let concept = |&(comparison, latent): &(usize, u32)| {
            let halves = &found.comparisons[comparison];
            let drawn = draw(&reading, halves, latent, sizes, self.request.seed)?;
            let label = self.labels.get(&latent).map(|label| label.text.clone());
            let few = "too few texts with it, or without it, to score a label on";
            let why = drawn.is_none().then(|| few.to_owned());
            Ok(Concept {
                comparison,
                latent,
                drawn,
                label,
                relabelled: false,
                score: None,
                why,
            })
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        each(&wanted, threads, self.progress, concept)
    }

    /// Scores the labels of the concepts that are `wanted` on texts of theirs.
    fn score(
        &self,
        concepts: &mut [Concept],
        wanted: impl Fn(&Concept) -> bool,
        texts: impl Fn(&Drawn) -> &Texts + Sync,
        budget: &Budget,
    ) -> Result<()> {
        let wanted = |concept: &Concept| concept.drawn.is_some() && wanted(concept);
        let places: Vec<usize> = (0..concepts.len())
            .filter(|&at| wanted(&concepts[at]))
            .collect();
        let labels = places.iter().filter_map(|&at| concepts[at].label.clone());
        let judge = self.annotators.judge(&labels.collect::<Vec<_>>())?;
        let judge = judge.get();
        let own = &*concepts;
        let work = |&at: &usize| {
            let (Some(label), Some(drawn)) = (&own[at].label, &own[at].drawn) else {
                return Ok(None);
            };
            budget.within(|| self.accuracy(judge, label, drawn, texts(drawn)))
        };
        let scores = each(&places, judge.concurrency(), self.progress, work)?;
        for (at, score) in places.into_iter().zip(scores) {
            let concept = &mut concepts[at];
            concept.score = score.flatten();
            concept.why = match (&concept.score, score) {
                (_, None) => Some(NO_TOKENS.to_owned()),
                (None, _) => Some("the judge says nothing usable of its label".to_owned()),
                (Some((share, _)), _) => Some(format!(
                    "its label tells only {:.0}% of the texts right",
                    100.0 * share
                )),
            };
        }
        Ok(())
    }

    /// The share of texts of which the judge says the right thing by a label, and the threshold that it is
    /// read at; `None` where it says nothing usable. Texts are judged one at a time, as those held back are;
    /// what is unusable is wrong.
    fn accuracy(
        &self,
        judge: &dyn Judge,
        label: &str,
        drawn: &Drawn,
        scored: &Texts,
    ) -> Result<Option<(f64, f64)>> {
        let threshold = match judge.threshold() {
            Some(threshold) => threshold,
            None => {
                let made_from = self.judgements(judge, label, &drawn.made_from)?;
                let usable = made_from
                    .iter()
                    .filter_map(|(own, is)| Some(((*own)?, *is)));
                let (predictions, active): (Vec<f64>, Vec<bool>) = usable.unzip();
                choose_threshold(&predictions, &active)
            }
        };
        let judged = self.judgements(judge, label, scored)?;
        if judged.iter().all(|(own, _)| own.is_none()) {
            return Ok(None);
        }
        let is_right =
            |(own, is): &&(Option<f64>, bool)| own.is_some_and(|own| (own > threshold) == *is);
        let right = judged.iter().filter(is_right).count();
        Ok(Some((right as f64 / judged.len().max(1) as f64, threshold)))
    }

    /// What the judge says of each text, and whether the latent is active in it.
    fn judgements(
        &self,
        judge: &dyn Judge,
        label: &str,
        texts: &Texts,
    ) -> Result<Vec<(Option<f64>, bool)>> {
        let active = texts.active.iter().map(|entry| (entry, true));
        let all = active.chain(texts.inactive.iter().map(|entry| (entry, false)));
        all.map(|((doc, text), is_active)| {
            let passage = self.passage(*doc, text);
            Ok((judge.holds(label, &passage, self.progress)?, is_active))
        })
        .collect()
    }

    /// A document as a judge sees it: whole, whatever fires where.
    fn passage<'t>(&'t self, doc: u32, text: &'t str) -> Passage<'t> {
        Passage {
            vector: self.view.snapshot.vector(doc),
            ..Passage::whole(text)
        }
    }

    /// Makes labels of the concepts that are marked, from texts of the compared sets.
    fn relabel(&self, concepts: &mut [Concept], makes: &[bool], budget: &Budget) -> Result<()> {
        let places: Vec<usize> = (0..concepts.len()).filter(|&at| makes[at]).collect();
        if places.is_empty() {
            return Ok(());
        }
        let labeller = self.annotators.labeller();
        let characters = labeller.and_then(|labeller| labeller.characters());
        let passages = Passages::of_view(&self.service.core, self.view, characters)?;
        let own = &*concepts;
        let evidence = |&at: &usize| self.evidence(&own[at], labeller.is_none(), &passages);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let evidence = each(&places, threads, self.progress, evidence)?;
        let embed = self.annotators.encoder().map(|own| own as &dyn Embed);
        let keyphrases;
        let labeller: &dyn Labeller = match labeller {
            Some(model) => model,
            None => {
                let drawn = own.iter().filter_map(|concept| concept.drawn.as_ref());
                let texts = drawn.flat_map(|drawn| {
                    let parts = [&drawn.made_from.active, &drawn.made_from.inactive];
                    parts.into_iter().flatten().map(|(_, text)| text.as_str())
                });
                keyphrases = Keyphrases::over(
                    Vocabulary::of(self.view.snapshot.analyzer()),
                    &evidence,
                    &texts.collect::<Vec<_>>(),
                    KeyphraseOptions::default(),
                    embed,
                );
                &keyphrases
            }
        };
        let name =
            |evidence: &Evidence<'_>| budget.within(|| labeller.label(evidence, self.progress));
        let names = each(&evidence, labeller.concurrency(), self.progress, name)?;
        drop(evidence);
        for (at, name) in places.into_iter().zip(names) {
            let concept = &mut concepts[at];
            match name {
                None => concept.why = Some(NO_TOKENS.to_owned()),
                Some(Named::None(why)) => {
                    let before = concept.why.take();
                    let before =
                        before.map_or_else(String::new, |before| format!("{before}, and "));
                    concept.why = Some(format!("{before}none was made: {why}"));
                }
                Some(Named::Name(label)) => {
                    concept.label = Some(label);
                    concept.relabelled = true;
                }
            }
        }
        Ok(())
    }

    /// What a labeller is shown of a concept.
    fn evidence<'c>(
        &self,
        concept: &'c Concept,
        checks_names: bool,
        passages: &Passages,
    ) -> Result<Evidence<'c>> {
        let Some(drawn) = &concept.drawn else {
            return Ok(Evidence::default());
        };
        let snapshot = &self.view.snapshot;
        let read = |texts: &'c [(u32, String)], is_active: bool| -> Result<Vec<Passage<'c>>> {
            let texts: Vec<(u32, &str)> = texts
                .iter()
                .map(|(doc, text)| (*doc, text.as_str()))
                .collect();
            passages.of(snapshot, concept.latent, &texts, is_active, self.progress)
        };
        let (active, inactive) = (&drawn.made_from.active[..], &drawn.made_from.inactive[..]);
        // What keyphrases are checked on is kept from what they are made from.
        let held = |all: &[(u32, String)]| match checks_names {
            true => all.len() / CHECKED_SHARE,
            false => 0,
        };
        let (checked, active) = active.split_at(held(active));
        let (unchecked, inactive) = inactive.split_at(held(inactive));
        let strength = |doc: u32| {
            let mut own = 0.0;
            snapshot.for_each_latent(doc, |entry| {
                if entry.latent == concept.latent {
                    own = entry.activation;
                }
            });
            own
        };
        let with_strength = |texts: &'c [(u32, String)]| -> Result<Vec<(Passage<'c>, f32)>> {
            let strengths = texts.iter().map(|(doc, _)| strength(*doc));
            Ok(read(texts, true)?.into_iter().zip(strengths).collect())
        };
        let mut checks = with_strength(checked)?;
        checks.extend(read(unchecked, false)?.into_iter().map(|text| (text, 0.0)));
        Ok(Evidence {
            active: with_strength(active)?,
            inactive: read(inactive, false)?,
            checks,
            share: drawn.share,
            seed: self.request.seed ^ u64::from(concept.latent),
        })
    }

    /// The hypotheses whose labels hold, those that say the same as one.
    fn hypotheses(&self, found: &Found<'_>, concepts: &[Concept]) -> Result<NamedHypotheses> {
        let of: HashMap<(usize, u32), &Concept> = concepts
            .iter()
            .map(|concept| ((concept.comparison, concept.latent), concept))
            .collect();
        let mut labels: Vec<String> = concepts
            .iter()
            .filter(|concept| concept.holds())
            .filter_map(|concept| concept.label.clone())
            .collect();
        labels.sort_unstable();
        labels.dedup();
        let vectors = self.annotators.vectors(&labels)?;
        let vectors: HashMap<&str, Vec<f32>> = match vectors {
            Some(vectors) => labels.iter().map(String::as_str).zip(vectors).collect(),
            None => HashMap::new(),
        };
        let say_the_same = |a: &str, b: &str| {
            a.eq_ignore_ascii_case(b)
                || vectors
                    .get(a)
                    .zip(vectors.get(b))
                    .is_some_and(|(a, b)| dot(a, b) > SAME_LABEL)
        };
        let mut named = NamedHypotheses::default();
        for candidate in &found.candidates {
            let halves = &found.comparisons[candidate.comparison];
            let own = of[&(candidate.comparison, candidate.latent)];
            let given = halves
                .given
                .map(|latent| of[&(candidate.comparison, latent)]);
            let (label, (label_score, threshold)) = match (&own.label, own.score, given) {
                (_, _, Some(given)) if !given.holds() => {
                    named.left_out.push(left_out(given, candidate));
                    continue;
                }
                (Some(label), Some(score), _) if own.holds() => (label, score),
                _ => {
                    named.left_out.push(left_out(own, candidate));
                    continue;
                }
            };
            if let Some(given) = given.and_then(|given| given.label.as_deref()) {
                let name = with_label(&format!("{given:?}"));
                named.names.insert(candidate.comparison, name);
            }
            let same = named.hypotheses.iter_mut().find(|other| {
                other.comparison == candidate.comparison
                    && other.more_in_a == candidate.more_in_a
                    && say_the_same(&other.label, label)
            });
            if let Some(same) = same {
                same.alike.push(candidate.latent);
                continue;
            }
            named.thresholds.push(threshold);
            named.hypotheses.push(Hypothesis {
                sentence: String::new(),
                label: label.clone(),
                relabelled: own.relabelled,
                label_score,
                comparison: candidate.comparison,
                more_in_a: candidate.more_in_a,
                latent: candidate.latent,
                alike: Vec::new(),
                given: halves.given,
                found: candidate.found,
                judged: None,
            });
        }
        Ok(named)
    }

    /// Writes the sentences.
    fn write(&self, named: &mut NamedHypotheses, found: &Found<'_>, budget: &Budget) -> Result<()> {
        let labeller = self.annotators.labeller();
        let names = &named.names;
        let write = |own: &Hypothesis| -> Result<String> {
            let sets = &found.comparisons[own.comparison].sets.names;
            let a = names.get(&own.comparison).unwrap_or(&sets.0);
            let (more, fewer) = if own.more_in_a {
                (a, &sets.1)
            } else {
                (&sets.1, a)
            };
            let written = match labeller {
                Some(model) => budget
                    .within(|| model.sentence(&own.label, more, fewer, self.progress))?
                    .flatten(),
                None => None,
            };
            // A sentence that names other sets, or these the other way round, claims something else.
            let names_them = |sentence: &String| {
                let places = (sentence.find(more.as_str()), sentence.find(fewer.as_str()));
                matches!(places, (Some(first), Some(second)) if first < second)
            };
            let template = || format!("{more}: more often {:?} than {fewer}", own.label);
            Ok(written.filter(names_them).unwrap_or_else(template))
        };
        let concurrency = labeller.map_or(1, |labeller| labeller.concurrency());
        let sentences = each(&named.hypotheses, concurrency, self.progress, write)?;
        for (own, sentence) in named.hypotheses.iter_mut().zip(sentences) {
            own.sentence = sentence;
        }
        Ok(())
    }
}

fn left_out(concept: &Concept, candidate: &Candidate) -> LeftOut {
    LeftOut {
        latent: concept.latent,
        comparison: candidate.comparison,
        label: concept.label.clone().unwrap_or_default(),
        why: concept.why.clone().unwrap_or_default(),
    }
}
