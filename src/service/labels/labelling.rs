//! Labelling a collection's latents from its own documents.

use std::collections::HashSet;
use std::sync::Arc;

use latentdb_index::analysis::latent_counts;
use latentdb_index::{Filter, Label, now};

use super::corpus::Corpus;
use super::language_models::ChatUse;
use super::list::check_latent;
use super::part::{Caller, EVIDENCE_TOGETHER, Labels};
use crate::encoder::SentenceEncoder;
use crate::error::{Result, Within as _};
use crate::label::{Embed, Evidence, KeyphraseOptions, Keyphrases, Labeller, Naming, Vocabulary};
use crate::progress::Progress;
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::vectors::unit;

/// Documents that a labeller may choose among on each side.
const EVIDENCE: usize = 60;

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

/// What to label.
#[derive(Clone, Debug, Default)]
pub struct LabelRequest {
    /// The collection.
    pub address: Address,
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

/// An encoder as labellers use it.
struct PhraseEncoder(Arc<SentenceEncoder>);

impl Embed for PhraseEncoder {
    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rows = self.0.encode(&texts, &Progress::default())?;
        Ok(rows.chunks_exact(self.0.dimension()).map(unit).collect())
    }
}

impl Labels {
    /// Labels latents from the documents that are not held out. Labels are kept as they come;
    /// latents that the labeller has labelled before, and those whose label is another's, are
    /// passed over, so the same call resumes where an earlier one ended. `watch` is told at
    /// least every half second or so; `progress` stops the work.
    ///
    /// # Errors
    /// `FailedPrecondition` without SAE, texts, or chat endpoint; `Unavailable` and
    /// `ResourceExhausted` from the endpoint, `Cancelled`; all after what was done is kept.
    pub async fn label_latents(
        self: &Arc<Self>,
        request: LabelRequest,
        progress: Arc<Progress>,
        mut watch: impl FnMut(LabelProgress) + Send + 'static,
    ) -> Result<()> {
        let view = self.core.view(&request.address)?;
        let service = self.clone();
        blocking(move || {
            let mut caller = Caller {
                progress: &progress,
                watch: &mut watch,
            };
            service.label_latents_of(&view, &request, &mut caller)
        })
        .await
    }

    fn label_latents_of(
        &self,
        view: &View,
        request: &LabelRequest,
        caller: &mut Caller<'_, LabelProgress>,
    ) -> Result<()> {
        view.required_n_latents()?;
        match &request.labeller {
            LabellerChoice::Keyphrases => {
                let wanted = self.latents_to_label(view, request, Keyphrases::SOURCE)?;
                let encoder = self.core.encoder_of(view)?;
                let embed = encoder.map(|encoder| PhraseEncoder(encoder.encoder().clone()));
                let corpus = wanted.corpus(view, caller)?;
                let evidence = wanted.evidence(&corpus, request.seed, caller)?;
                let labeller = Keyphrases::over(
                    Vocabulary::of(view.snapshot.analyzer()),
                    &evidence,
                    &corpus.shown_texts(),
                    KeyphraseOptions::default(),
                    embed.as_ref().map(|embed| embed as &dyn Embed),
                );
                self.run(view, &wanted, &evidence, &labeller, caller)
            }
            LabellerChoice::Chat(usage) => {
                let model = self.language_models.chat(usage)?;
                self.label_by_model(view, request, &model, caller)
            }
            LabellerChoice::Local(name) => {
                let model = self.language_models.local(name.as_deref())?;
                self.label_by_model(view, request, &*model, caller)
            }
        }
    }

    fn label_by_model(
        &self,
        view: &View,
        request: &LabelRequest,
        labeller: &dyn Labeller,
        caller: &mut Caller<'_, LabelProgress>,
    ) -> Result<()> {
        let wanted = self.latents_to_label(view, request, &labeller.name())?;
        let corpus = wanted.corpus(view, caller)?;
        let evidence = wanted.evidence(&corpus, request.seed, caller)?;
        self.run(view, &wanted, &evidence, labeller, caller)
    }

    /// Runs a labeller and keeps what it says.
    fn run(
        &self,
        view: &View,
        wanted: &Wanted,
        evidence: &[Evidence<'_>],
        labeller: &dyn Labeller,
        caller: &mut Caller<'_, LabelProgress>,
    ) -> Result<()> {
        let (source, progress) = (labeller.name(), caller.progress);
        let mut written = 0;
        let work = |evidence: &Evidence<'_>| labeller.label(evidence, progress);
        caller.keep_each(evidence, labeller.concurrency(), work, |done, named| {
            let (mut labels, mut unlabelled) = (Vec::new(), Vec::new());
            for (at, naming) in named {
                let latent = wanted.latents[at];
                match naming {
                    Naming::Name(text) => {
                        labels.push((latent, Label::new(text, &source, None, now())));
                    }
                    Naming::None(why) => unlabelled.push((latent, why)),
                }
            }
            let labels = self.keep(view, labels)?;
            written += labels.len();
            Ok(LabelProgress {
                done,
                total: evidence.len(),
                written,
                passed_over: wanted.passed_over,
                labels,
                unlabelled,
                tokens: labeller.tokens(),
            })
        })
    }

    /// Makes labels the current ones, and gives them back as they are kept.
    fn keep(&self, view: &View, labels: Vec<(u32, Label)>) -> Result<Vec<(u32, Label)>> {
        if labels.is_empty() {
            return Ok(labels);
        }
        let entries = labels.iter().map(|(latent, label)| (*latent, label));
        self.put(view, entries)?;
        let current = self.of(view)?;
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
        let key = view.label_key();
        let handle = &view.handle;
        let own = handle.catalog().labelled_by(&key.0, &key.1, source)?;
        let current = self.of(view)?;
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
    fn tell(&self, caller: &mut Caller<'_, LabelProgress>) -> Result<()> {
        caller.tell(LabelProgress {
            total: self.latents.len(),
            passed_over: self.passed_over,
            ..LabelProgress::default()
        })
    }

    fn corpus(&self, view: &View, caller: &mut Caller<'_, LabelProgress>) -> Result<Corpus> {
        self.tell(caller)?;
        let corpus = Corpus::read(view.snapshot.clone())?;
        self.tell(caller)?;
        Ok(corpus)
    }

    fn evidence<'a>(
        &self,
        corpus: &'a Corpus,
        seed: u64,
        caller: &mut Caller<'_, LabelProgress>,
    ) -> Result<Vec<Evidence<'a>>> {
        use rayon::prelude::*;
        let mut evidence = Vec::with_capacity(self.latents.len());
        for latents in self.latents.chunks(EVIDENCE_TOGETHER) {
            evidence.par_extend(
                latents
                    .par_iter()
                    .map(|&latent| corpus.evidence(latent, EVIDENCE, seed)),
            );
            self.tell(caller)?;
        }
        Ok(evidence)
    }
}

/// The latents that a request names, or all that are active anywhere; those with most documents
/// first.
pub(super) fn asked_latents(view: &View, named: &[u32]) -> Result<Vec<u32>> {
    let n_latents = view.required_n_latents()?;
    for (at, &latent) in named.iter().enumerate() {
        check_latent(latent, n_latents).within(&format!("latents[{at}]"))?;
    }
    let named: HashSet<u32> = named.iter().copied().collect();
    let mut counts = latent_counts(&view.snapshot, &Filter::All)?;
    counts.retain(|count| named.is_empty() || named.contains(&count.latent));
    counts.sort_by(|a, b| b.count.cmp(&a.count).then(a.latent.cmp(&b.latent)));
    Ok(counts.iter().map(|count| count.latent).collect())
}
