//! Labelling a collection's latents from its own documents, and everything done with labels.
//!
//! `corpus` splits the documents into those labellers are shown and those labels are scored on;
//! `scores` runs judges; `find` searches labels by words and by meaning.

mod corpus;
mod find;
mod scores;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latentdb_index::analysis::latent_counts;
use latentdb_index::{CollectionRecord, Filter, Label, View, now};

use super::latents::{check_latent, label_key};
use super::search::no_sae;
use super::{Service, blocking};
use crate::encoder::SentenceEncoder;
use crate::error::{Error, Result, Within as _};
use crate::inputs::{self, Model};
use crate::label::{
    Cancel, ChatConfig, ChatLabeller, ChatModel, Embed, Event, Evidence, KeyphraseOptions,
    Keyphrases, Labeller, LocalLabeller, LocalModel, Naming, run_each,
};
use corpus::Corpus;

pub use find::{FoundLabel, LabelSearch};
pub(super) use find::{LabelVectors, Labels};
pub(crate) use scores::DEFAULT_DOCUMENTS;
pub use scores::{JudgeChoice, ScoreProgress, ScoreRequest, ScoreSummary, ScoredLabel};

/// Documents that a labeller may choose among on each side.
const EVIDENCE: usize = 60;
/// Latents whose documents are gathered between two looks at whether to go on.
const EVIDENCE_TOGETHER: usize = 1024;
/// Labels that are kept together, and how long one may wait for others.
const KEPT_TOGETHER: usize = 256;
const KEPT_AFTER: Duration = Duration::from_secs(2);
/// The local model where none is named.
const DEFAULT_LOCAL_MODEL: &str = "smollm2";

/// Who makes labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LabellerChoice {
    /// Contrastive keyphrases; no model is asked.
    #[default]
    Keyphrases,
    /// The chat endpoint that the service was opened with.
    Chat(ChatUse),
    /// A GGUF file on this machine, or `smollm2`, which is the one where none is named.
    Local(Option<String>),
}

/// How the chat endpoint is used by one call, where it differs from how the service was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatUse {
    /// The model.
    pub model: Option<String>,
    /// Requests under way at once.
    pub concurrency: Option<usize>,
    /// Requests started a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens that the call may use.
    pub tokens: Option<u64>,
}

/// What to label.
#[derive(Clone, Debug, Default)]
pub struct LabelRequest {
    /// The collection.
    pub collection: String,
    /// Who makes the labels.
    pub labeller: LabellerChoice,
    /// Replace labels that are neither keyphrases nor the labeller's own, too.
    pub replace: bool,
    /// Label what the labeller has labelled before, too.
    pub again: bool,
    /// Only these latents; all where empty.
    pub latents: Vec<u32>,
    /// At most this many, those with most documents first.
    pub limit: Option<usize>,
    /// Decides which documents are shown.
    pub seed: u64,
}

/// How far a labelling is.
#[derive(Clone, Debug, Default)]
pub struct LabelProgress {
    /// Latents done.
    pub done: usize,
    /// Latents to be done.
    pub total: usize,
    /// Labels written.
    pub written: usize,
    /// Latents passed over.
    pub passed_over: usize,
    /// Labels written since the last report.
    pub labels: Vec<(u32, Label)>,
    /// Latents that got no label since the last report, and why.
    pub unlabelled: Vec<(u32, &'static str)>,
    /// Tokens that the chat endpoint counted.
    pub tokens: u64,
}

/// Language models of labellers and judges, opened once.
#[derive(Default)]
pub(super) struct LanguageModels {
    /// The chat endpoint, where one is configured.
    pub chat: Option<ChatConfig>,
    local: parking_lot::Mutex<HashMap<String, Arc<LocalModel>>>,
}

impl LanguageModels {
    pub fn new(chat: Option<ChatConfig>) -> Self {
        Self {
            chat,
            local: parking_lot::Mutex::default(),
        }
    }

    /// A client of the chat endpoint for one call.
    pub fn chat(&self, usage: &ChatUse) -> Result<ChatModel> {
        let Some(mut config) = self.chat.clone() else {
            return Err(Error::precondition(
                "the server has no chat endpoint: start it with `latentdb serve --chat-url URL \
                 --chat-model MODEL` (the key comes from LATENTDB_CHAT_KEY)",
            ));
        };
        if let Some(model) = &usage.model {
            config.model.clone_from(model);
        }
        // A caller may stay below what the operator allows, not above it.
        let limits = &mut config.limits;
        limits.concurrency = usage
            .concurrency
            .map_or(limits.concurrency, |asked| asked.min(limits.concurrency));
        limits.requests_per_minute = lower(limits.requests_per_minute, usage.requests_per_minute);
        limits.tokens = lower(limits.tokens, usage.tokens);
        ChatModel::new(config)
    }

    /// A local model by name or file, opened at its first use. Blocks.
    pub fn local(&self, name: Option<&str>) -> Result<Arc<LocalModel>> {
        let name = name.unwrap_or(DEFAULT_LOCAL_MODEL);
        let mut open = self.local.lock();
        if let Some(model) = open.get(name) {
            return Ok(model.clone());
        }
        let place = match inputs::resolve_model(name, &mut |_, _| true)? {
            Model::Pinned(file) => file.to_string_lossy().into_owned(),
            Model::Named(name) => name,
        };
        let model = LocalModel::open(Path::new(&place)).within("model")?;
        let model = Arc::new(model);
        open.insert(name.to_owned(), model.clone());
        Ok(model)
    }
}

fn lower<T: Ord>(bound: Option<T>, asked: Option<T>) -> Option<T> {
    match (bound, asked) {
        (Some(bound), Some(asked)) => Some(bound.min(asked)),
        (bound, asked) => bound.or(asked),
    }
}

/// An encoder as labellers use it.
struct PhraseEncoder(Arc<SentenceEncoder>);

impl Embed for PhraseEncoder {
    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut proceed = |_| ControlFlow::Continue(());
        let mut rows = self.0.encode(&texts, &mut proceed)?;
        for row in rows.chunks_exact_mut(self.0.dimension()) {
            let squared: f32 = row.iter().map(|value| value * value).sum();
            let scale = squared.sqrt().max(f32::MIN_POSITIVE).recip();
            row.iter_mut().for_each(|value| *value *= scale);
        }
        let rows = rows.chunks_exact(self.0.dimension());
        Ok(rows.map(<[f32]>::to_vec).collect())
    }
}

impl Service {
    /// Labels latents from the documents that are not held out. Labels are kept as they come;
    /// latents that the labeller has labelled before, and those whose label is another's, are
    /// passed over, so the same call goes on where an earlier one ended. `progress` is told at
    /// least every half second or so; `Break` ends the work.
    ///
    /// # Errors
    /// `FailedPrecondition` without SAE, texts, or chat endpoint; `Unavailable` and
    /// `ResourceExhausted` from the endpoint, `Cancelled`; all after what was done is kept.
    pub async fn label_latents(
        self: &Arc<Self>,
        request: LabelRequest,
        progress: impl FnMut(LabelProgress) -> ControlFlow<()> + Send + 'static,
    ) -> Result<()> {
        let view = self.view(&request.collection)?;
        let service = self.clone();
        blocking(move || service.label_latents_of(&view, &request, progress)).await
    }

    fn label_latents_of(
        &self,
        view: &View,
        request: &LabelRequest,
        mut progress: impl FnMut(LabelProgress) -> ControlFlow<()>,
    ) -> Result<()> {
        view.record.n_latents.ok_or_else(|| no_sae(view))?;
        match &request.labeller {
            LabellerChoice::Keyphrases => {
                let wanted = self.latents_to_label(view, request, Keyphrases::SOURCE)?;
                let encoder = self.models.encoder_of(&view.record)?;
                let embed = encoder.map(|encoder| PhraseEncoder(encoder.encoder().clone()));
                let corpus = wanted.corpus(view, &mut progress)?;
                let evidence = wanted.evidence(&corpus, request.seed, &mut progress)?;
                let labeller = Keyphrases::over(
                    &evidence,
                    &corpus.shown_texts(),
                    KeyphraseOptions::default(),
                    embed.as_ref().map(|embed| embed as &dyn Embed),
                );
                self.run(view, &wanted, &evidence, &labeller, &|| 0, progress)
            }
            LabellerChoice::Chat(usage) => {
                let model = self.language_models.chat(usage)?;
                let labeller = ChatLabeller(&model);
                let wanted = self.latents_to_label(view, request, &labeller.source())?;
                let corpus = wanted.corpus(view, &mut progress)?;
                let evidence = wanted.evidence(&corpus, request.seed, &mut progress)?;
                let tokens = || model.tokens();
                self.run(view, &wanted, &evidence, &labeller, &tokens, progress)
            }
            LabellerChoice::Local(name) => {
                let model = self.language_models.local(name.as_deref())?;
                let labeller = LocalLabeller(&model);
                let wanted = self.latents_to_label(view, request, &labeller.source())?;
                let corpus = wanted.corpus(view, &mut progress)?;
                let evidence = wanted.evidence(&corpus, request.seed, &mut progress)?;
                self.run(view, &wanted, &evidence, &labeller, &|| 0, progress)
            }
        }
    }

    /// Runs a labeller and keeps what it says.
    fn run(
        &self,
        view: &View,
        wanted: &Wanted,
        evidence: &[Evidence<'_>],
        labeller: &dyn Labeller,
        tokens: &dyn Fn() -> u64,
        mut progress: impl FnMut(LabelProgress) -> ControlFlow<()>,
    ) -> Result<()> {
        let source = labeller.source();
        let mut kept = LabelProgress {
            total: evidence.len(),
            passed_over: wanted.passed_over,
            ..LabelProgress::default()
        };
        let mut pending: Vec<(u32, Label)> = Vec::new();
        let mut failure = None;
        let mut last_kept = Instant::now();
        let cancel = Cancel::default();
        let outcome = run_each(
            evidence,
            labeller.concurrency(),
            &cancel,
            |evidence| labeller.label(evidence, &cancel),
            &mut |event: Event<Naming>| {
                if let Event::Done(at, naming) = event {
                    kept.done += 1;
                    let latent = wanted.latents[at];
                    match naming {
                        Naming::Name(text) => {
                            pending.push((latent, Label::new(text, &source, None, now())));
                        }
                        Naming::None(why) => kept.unlabelled.push((latent, why)),
                    }
                }
                if pending.len() >= KEPT_TOGETHER || last_kept.elapsed() >= KEPT_AFTER {
                    last_kept = Instant::now();
                    match self.keep(&view.record, std::mem::take(&mut pending)) {
                        Ok(labels) => {
                            kept.written += labels.len();
                            kept.labels.extend(labels);
                        }
                        Err(error) => {
                            failure = Some(error);
                            return ControlFlow::Break(());
                        }
                    }
                }
                kept.tokens = tokens();
                let report = kept.clone();
                kept.labels.clear();
                kept.unlabelled.clear();
                progress(report)
            },
        );
        if let Some(error) = failure {
            return Err(error);
        }
        let labels = self.keep(&view.record, pending)?;
        kept.written += labels.len();
        kept.labels = labels;
        kept.tokens = tokens();
        // Whether anyone still listens changes nothing about what is kept.
        let _ = progress(kept);
        outcome
    }

    /// Makes labels the current ones, and gives them back as they are kept.
    fn keep(
        &self,
        record: &CollectionRecord,
        labels: Vec<(u32, Label)>,
    ) -> Result<Vec<(u32, Label)>> {
        if labels.is_empty() {
            return Ok(labels);
        }
        let key = label_key(record)?;
        let handle = self.database.collection(&record.name)?;
        let entries = labels.iter().map(|(latent, label)| (*latent, label));
        handle.catalog().put_labels(&key.0, &key.1, entries)?;
        self.labels.forget(&key);
        let current = self.labels_of(record)?;
        let kept = labels.iter().filter_map(|(latent, _)| {
            let label = current.get(latent)?;
            Some((*latent, label.clone()))
        });
        Ok(kept.collect())
    }

    /// The latents that a labeller is to label.
    fn latents_to_label(
        &self,
        view: &View,
        request: &LabelRequest,
        source: &str,
    ) -> Result<Wanted> {
        let asked = asked_latents(view, &request.latents)?;
        let key = label_key(&view.record)?;
        let handle = self.database.collection(&view.record.name)?;
        let own = handle.catalog().labelled_by(&key.0, &key.1, source)?;
        let current = self.labels_of(&view.record)?;
        let mut latents = asked.clone();
        latents.retain(|latent| {
            let is_foreign = current
                .get(latent)
                .is_some_and(|label| label.source != source && label.source != Keyphrases::SOURCE);
            (request.again || !own.contains(latent)) && (request.replace || !is_foreign)
        });
        let passed_over = asked.len() - latents.len();
        if let Some(limit) = request.limit {
            latents.truncate(limit);
        }
        Ok(Wanted {
            latents,
            passed_over,
        })
    }
}

/// Latents to label.
struct Wanted {
    latents: Vec<u32>,
    passed_over: usize,
}

impl Wanted {
    /// Tells that nothing is done yet; `Cancelled` where nobody waits for it any more.
    fn tell(&self, progress: &mut impl FnMut(LabelProgress) -> ControlFlow<()>) -> Result<()> {
        let nothing = LabelProgress {
            total: self.latents.len(),
            passed_over: self.passed_over,
            ..LabelProgress::default()
        };
        match progress(nothing) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::cancelled()),
        }
    }

    fn corpus(
        &self,
        view: &View,
        progress: &mut impl FnMut(LabelProgress) -> ControlFlow<()>,
    ) -> Result<Corpus> {
        self.tell(progress)?;
        let corpus = Corpus::read(view.snapshot.clone())?;
        self.tell(progress)?;
        Ok(corpus)
    }

    fn evidence<'a>(
        &self,
        corpus: &'a Corpus,
        seed: u64,
        progress: &mut impl FnMut(LabelProgress) -> ControlFlow<()>,
    ) -> Result<Vec<Evidence<'a>>> {
        use rayon::prelude::*;
        let mut evidence = Vec::with_capacity(self.latents.len());
        for latents in self.latents.chunks(EVIDENCE_TOGETHER) {
            evidence.par_extend(
                latents
                    .par_iter()
                    .map(|&latent| corpus.evidence(latent, EVIDENCE, seed)),
            );
            self.tell(progress)?;
        }
        Ok(evidence)
    }
}

/// The latents that a request names, or all that are active anywhere; those with most documents
/// first.
fn asked_latents(view: &View, named: &[u32]) -> Result<Vec<u32>> {
    let n_latents = view.record.n_latents.ok_or_else(|| no_sae(view))?;
    for (at, &latent) in named.iter().enumerate() {
        check_latent(latent, n_latents).within(&format!("latents[{at}]"))?;
    }
    let named: HashSet<u32> = named.iter().copied().collect();
    let mut counts = latent_counts(&view.snapshot, &Filter::All)?;
    counts.retain(|count| named.is_empty() || named.contains(&count.latent));
    counts.sort_by(|a, b| b.count.cmp(&a.count).then(a.latent.cmp(&b.latent)));
    Ok(counts.iter().map(|count| count.latent).collect())
}

#[cfg(test)]
mod tests;
