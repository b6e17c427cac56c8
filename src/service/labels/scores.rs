//! Scoring labels on held-out documents (Labels in the methods guide).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use latentdb_index::{LOW_SCORE, Label, LabelScore, now};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::corpus::{Corpus, Sample};
use super::embedding::PhraseEncoder;
use super::labelling::asked_latents;
use super::language_models::ChatUse;
use super::part::{Caller, Labels};
use super::passages::Passages;
use super::vectors::Which;
use crate::error::{Error, Result, Within as _};
use crate::label::{Embed as _, Judge, SimilarityJudge, choose_threshold, interval, median, score};
use crate::progress::Progress;
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::models::EncoderSettings;

/// Fewest held-out documents of a latent that say anything about its label.
const LEAST_POSITIVES: usize = 3;
/// Held-out documents per side and latent, where the caller does not say: similarity costs nothing.
const SIMILARITY_DOCUMENTS: usize = 50;
const MODEL_DOCUMENTS: usize = 10;
/// Scores that labels are counted by.
const GATES: [f32; 3] = [LOW_SCORE, 0.5, 0.8];

/// Who judges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum JudgeChoice {
    /// The cosine of label and document, under the collection's encoder or another.
    #[default]
    Similarity,
    /// The same under another encoder, by its name or folder.
    SimilarityUnder(String),
    /// The chat endpoint that the service was opened with.
    Chat(ChatUse),
    /// A GGUF file on this machine, or the pinned model.
    Local(Option<String>),
}

/// What to score.
#[derive(Clone, Debug, Default)]
pub struct ScoreRequest {
    /// The collection.
    pub address: Address,
    /// Who judges.
    pub judge: JudgeChoice,
    /// Only these latents; all with a label where empty.
    pub latents: Vec<u32>,
    /// At most this many, drawn at random.
    pub sample: Option<usize>,
    /// Not the current labels, but the latest of every labeller, of the latents that all labellers
    /// have labelled.
    pub compare: bool,
    /// Decides what is drawn.
    pub seed: u64,
    /// Held-out documents per side and latent; `None` for 50 where similarity judges and 10 where a
    /// language model does.
    pub documents: Option<usize>,
}

impl ScoreRequest {
    fn documents(&self) -> usize {
        self.documents.unwrap_or(match self.judge {
            JudgeChoice::Similarity | JudgeChoice::SimilarityUnder(_) => SIMILARITY_DOCUMENTS,
            JudgeChoice::Chat(_) | JudgeChoice::Local(_) => MODEL_DOCUMENTS,
        })
    }
}

/// A label with what a judge found of it.
#[derive(Clone, Debug)]
pub struct ScoredLabel {
    /// The latent.
    pub latent: u32,
    /// The label as it was judged.
    pub text: String,
    /// Who made it.
    pub source: String,
    /// What was found.
    pub score: LabelScore,
}

/// How far a scoring is.
#[derive(Clone, Debug, Default)]
pub struct ScoreProgress {
    /// Labels done.
    pub done: usize,
    /// Labels to be done.
    pub total: usize,
    /// Scores since the last report.
    pub scores: Vec<ScoredLabel>,
    /// Tokens that the chat endpoint counted, or the model in this process read and wrote.
    pub tokens: u64,
}

/// What a scoring found in all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScoreSummary {
    /// Labels that got a score.
    pub scored: usize,
    /// Labels that got none.
    pub unscored: usize,
    /// Median of the Pearson correlations.
    pub median_pearson: f32,
    /// Median of the F1 scores.
    pub median_f1: f32,
    /// Labels of low confidence.
    pub low_confidence: usize,
    /// Labels whose confidence is .3, .5 and .8 at least.
    pub at_least: [usize; 3],
}

impl ScoreSummary {
    fn of(scores: &[LabelScore], judged: usize) -> Self {
        let collect = |value: fn(&LabelScore) -> f32| scores.iter().map(value).collect();
        Self {
            scored: scores.len(),
            unscored: judged - scores.len(),
            median_pearson: median(collect(|score| score.pearson)),
            median_f1: median(collect(|score| score.f1)),
            low_confidence: scores.iter().filter(|s| s.gate() < LOW_SCORE).count(),
            at_least: GATES.map(|gate| scores.iter().filter(|s| s.gate() >= gate).count()),
        }
    }
}

/// A label to judge.
struct Task {
    latent: u32,
    label: Label,
}

impl Labels {
    /// Scores current labels on held-out documents and keeps the scores with them as they come.
    /// `watch` is told at least every half second or so; `progress` stops the work.
    ///
    /// # Errors
    /// `FailedPrecondition` without labels, texts, encoder (similarity) or endpoint (chat); what
    /// the endpoint gives; `Cancelled`; all after what was found is kept.
    pub async fn score_labels(
        self: &Arc<Self>,
        request: ScoreRequest,
        progress: Arc<Progress>,
        mut watch: impl FnMut(ScoreProgress) + Send + 'static,
    ) -> Result<ScoreSummary> {
        let view = self.core.view(&request.address)?;
        self.core.check_room()?;
        let (service, of, asked) = (self.clone(), view.clone(), request.clone());
        let tasks = blocking(move || service.labels_to_score(&of, &asked)).await?;
        let mut texts: Vec<String> = tasks.iter().map(|task| task.label.text.clone()).collect();
        texts.sort_unstable();
        texts.dedup();
        let vectors: HashMap<String, Vec<f32>> = match request.judge {
            JudgeChoice::Similarity => {
                let vectors = self.vectors_of(&view, &texts, Which::Some).await?;
                let vectors = vectors.iter().map(|vector| vector.to_vec());
                texts.iter().cloned().zip(vectors).collect()
            }
            _ => HashMap::new(),
        };
        let service = self.clone();
        blocking(move || {
            let caller = Caller {
                progress: &progress,
                watch: &mut watch,
            };
            match &request.judge {
                JudgeChoice::Similarity => {
                    let judge = SimilarityJudge::new(vectors);
                    service.judge(&view, &request, &tasks, &judge, caller)
                }
                JudgeChoice::SimilarityUnder(model) => {
                    let encoder = service
                        .core
                        .models
                        .encoder(model, &EncoderSettings::default());
                    let encoder = encoder.within("judge_encoder")?;
                    let embed = PhraseEncoder(encoder.encoder().clone());
                    let vectors = texts.iter().cloned().zip(embed.phrases(&texts)?).collect();
                    let judge = SimilarityJudge::reading(vectors, model, &embed);
                    service.judge(&view, &request, &tasks, &judge, caller)
                }
                JudgeChoice::Chat(usage) => {
                    let model = service.language_models.chat(usage)?;
                    service.judge(&view, &request, &tasks, &model, caller)
                }
                JudgeChoice::Local(name) => {
                    let model = service.language_models.local(name.as_deref())?;
                    service.judge(&view, &request, &tasks, &*model, caller)
                }
            }
        })
        .await
    }

    fn labels_to_score(&self, view: &View, request: &ScoreRequest) -> Result<Vec<Task>> {
        let mut labels = if request.compare {
            self.labels_to_compare(view)?
        } else {
            let current = self.of(view)?;
            let current = current.iter();
            current
                .map(|(&latent, label)| (latent, vec![label.clone()]))
                .collect()
        };
        let mut latents = asked_latents(view, &request.latents)?;
        latents.retain(|latent| labels.contains_key(latent));
        if latents.is_empty() {
            return Err(Error::precondition(format!(
                "no latent asked for has a label and documents: `latentdb latents label {}` makes \
                 labels",
                view.name()
            )));
        }
        if let Some(sample) = request.sample {
            latents.sort_unstable();
            latents.shuffle(&mut StdRng::seed_from_u64(request.seed));
            latents.truncate(sample);
        }
        let tasks = latents.into_iter().flat_map(|latent| {
            let labels = labels.remove(&latent).unwrap_or_default();
            labels.into_iter().map(move |label| Task { latent, label })
        });
        Ok(tasks.collect())
    }

    /// The latest label of every labeller, by latent; only latents that all of them have labelled.
    fn labels_to_compare(&self, view: &View) -> Result<BTreeMap<u32, Vec<Label>>> {
        let key = view.label_key();
        let handle = &view.handle;
        let mut latest: BTreeMap<u32, BTreeMap<String, Label>> = BTreeMap::new();
        for (latent, label) in handle.catalog().label_versions(&key.0, &key.1)? {
            let own = latest.entry(latent).or_default();
            let earlier = own.get(&label.source).map_or(0, |label| label.version);
            if label.version > earlier {
                own.insert(label.source.clone(), label);
            }
        }
        let labellers = latest.values().flat_map(|own| own.keys());
        let labellers = labellers.collect::<BTreeSet<_>>().len();
        latest.retain(|_, own| own.len() == labellers);
        Ok(latest
            .into_iter()
            .map(|(latent, own)| (latent, own.into_values().collect()))
            .collect())
    }

    fn judge(
        &self,
        view: &View,
        request: &ScoreRequest,
        tasks: &[Task],
        judge: &dyn Judge,
        mut caller: Caller<'_, ScoreProgress>,
    ) -> Result<ScoreSummary> {
        let total = tasks.len();
        let nothing_yet = || ScoreProgress {
            total,
            ..ScoreProgress::default()
        };
        caller.tell(nothing_yet())?;
        let corpus = Corpus::read(view.snapshot.clone())?;
        caller.tell(nothing_yet())?;
        let passages = match judge.characters() {
            // It reads vectors.
            None => Passages::Whole,
            characters => Passages::of_view(&self.core, view, characters)?,
        };
        let mut all = Vec::new();
        // A model in this process stays open between calls.
        let before = judge.tokens();
        let judging = Judging {
            corpus: &corpus,
            passages: &passages,
            judge,
            documents: request.documents(),
            seed: request.seed,
            same_encoder: self.judges_by_its_own_vectors(view, request)?,
            progress: caller.progress,
        };
        let work = |task: &Task| judging.score(task);
        caller.keep_each(tasks, judge.concurrency(), work, |done, found| {
            let found = found.into_iter();
            let found = found.filter_map(|(at, score)| Some((at, score?)));
            let scores = self.keep_scores(view, tasks, found.collect())?;
            all.extend(scores.iter().map(|scored| scored.score.clone()));
            Ok(ScoreProgress {
                done,
                total,
                scores,
                tokens: judge.tokens() - before,
            })
        })?;
        Ok(ScoreSummary::of(&all, total))
    }

    /// Whether the judge compares with the vectors that the SAE reads: it then measures how well a label
    /// says where the latent's documents lie, not what a person understands.
    fn judges_by_its_own_vectors(&self, view: &View, request: &ScoreRequest) -> Result<bool> {
        if view.reader().is_some() {
            return Ok(false);
        }
        Ok(match &request.judge {
            JudgeChoice::Similarity => true,
            JudgeChoice::SimilarityUnder(model) => {
                let own = self.core.encoder_of(view)?;
                let other = self
                    .core
                    .models
                    .encoder(model, &EncoderSettings::default())?;
                own.is_some_and(|own| {
                    own.encoder().identity().weights_sha256
                        == other.encoder().identity().weights_sha256
                })
            }
            JudgeChoice::Chat(_) | JudgeChoice::Local(_) => false,
        })
    }

    fn keep_scores(
        &self,
        view: &View,
        tasks: &[Task],
        found: Vec<(usize, LabelScore)>,
    ) -> Result<Vec<ScoredLabel>> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let key = view.label_key();
        let handle = &view.handle;
        let entries = found
            .iter()
            .map(|(at, score)| (tasks[*at].latent, tasks[*at].label.version, score.clone()));
        handle.catalog().add_label_scores(&key.0, &key.1, entries)?;
        self.cache.forget(&key);
        Ok(found
            .into_iter()
            .map(|(at, score)| ScoredLabel {
                latent: tasks[at].latent,
                text: tasks[at].label.text.clone(),
                source: tasks[at].label.source.clone(),
                score,
            })
            .collect())
    }
}

/// How labels are judged.
struct Judging<'j> {
    corpus: &'j Corpus,
    passages: &'j Passages,
    judge: &'j dyn Judge,
    documents: usize,
    seed: u64,
    same_encoder: bool,
    progress: &'j Progress,
}

impl Judging<'_> {
    /// The score of a label; `None` where its latent has too few held-out documents, or the judge says
    /// nothing usable.
    fn score(&self, task: &Task) -> Result<Option<LabelScore>> {
        self.progress.check()?;
        let held_out = self.sample(task, true);
        let (positives, negatives) = (held_out.positives(), held_out.negatives());
        if positives < LEAST_POSITIVES || negatives == 0 {
            return Ok(None);
        }
        let Some(predictions) = self.predict(task, &held_out)? else {
            return Ok(None);
        };
        let threshold = match self.judge.threshold() {
            Some(threshold) => threshold,
            None => {
                let others = self.sample(task, false);
                let Some(predictions) = self.predict(task, &others)? else {
                    return Ok(None);
                };
                choose_threshold(&predictions, &active(&others))
            }
        };
        let fit = score(&predictions, &active(&held_out), threshold);
        let (low, high) = interval(&predictions, &held_out.strata());
        let count = |documents: usize| u32::try_from(documents).unwrap_or(u32::MAX);
        Ok(Some(LabelScore {
            judge: self.judge.name(),
            pearson: fit.pearson as f32,
            low: Some(low as f32),
            high: Some(high as f32),
            f1: fit.f1 as f32,
            positives: count(positives),
            negatives: count(negatives),
            same_encoder: self.same_encoder,
            created: now(),
        }))
    }

    fn sample(&self, task: &Task, held_out: bool) -> Sample {
        self.corpus
            .sample(task.latent, self.documents, held_out, self.seed)
    }

    fn predict(&self, task: &Task, sample: &Sample) -> Result<Option<Vec<f64>>> {
        let (latent, progress) = (task.latent, self.progress);
        let trials = self
            .corpus
            .trials(latent, sample, self.passages, progress)?;
        self.judge.predict(&task.label.text, &trials, progress)
    }
}

fn active(sample: &Sample) -> Vec<bool> {
    sample
        .strata()
        .iter()
        .map(|stratum| stratum.is_active())
        .collect()
}
