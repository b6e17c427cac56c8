//! Labelling a collection's latents from its own documents.

use std::collections::HashSet;
use std::sync::Arc;

use latentdb_index::analysis::latent_counts;
use latentdb_index::{Filter, Label, now};

use super::corpus::{Corpus, Draw};
use super::embedding::PhraseEncoder;
use super::language_models::ChatUse;
use super::list::check_latent;
use super::part::{Caller, EVIDENCE_TOGETHER, Labels};
use super::passages::Passages;
use crate::error::{Result, Within as _};
use crate::label::{Embed, Evidence, KeyphraseOptions, Keyphrases, Labeller, Naming, Vocabulary};
use crate::progress::Progress;
use crate::service::blocking;
use crate::service::core::{Address, View};

/// Documents that a language model's prompts are drawn from, on each side (arXiv 2512.10092).
const STRONGEST: Draw = Draw::Strongest(30);
/// Documents that phrases are taken from and checked on.
const ACROSS: Draw = Draw::Across {
    made_from: 60,
    checked: 40,
};
/// The same where each has to be read again.
const ACROSS_READ_AGAIN: Draw = Draw::Across {
    made_from: 12,
    checked: 8,
};

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
    /// Tokens that the chat endpoint counted, or the model in this process read and wrote.
    pub tokens: u64,
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
        self.core.check_room()?;
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
                let passages = Passages::of_view(&self.core, view, None)?;
                let evidence = wanted.evidence(&corpus, &passages, request.seed, caller)?;
                let labeller = Keyphrases::over(
                    Vocabulary::of(view.snapshot.analyzer()),
                    &evidence,
                    &corpus.shown_texts(),
                    KeyphraseOptions::default(),
                    embed.as_ref().map(|embed| embed as &dyn Embed),
                );
                let progress = caller.progress;
                let name = |evidence: &Evidence<'_>| labeller.label(evidence, progress);
                self.run(view, &wanted, (&labeller, &evidence), name, caller)
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
        let passages = Passages::of_view(&self.core, view, labeller.characters())?;
        let (seed, progress) = (request.seed, caller.progress);
        let name = |&latent: &u32| {
            let evidence = corpus.evidence(latent, STRONGEST, &passages, seed, progress)?;
            labeller.label(&evidence, progress)
        };
        self.run(view, &wanted, (labeller, &wanted.latents), name, caller)
    }

    /// Has a labeller `name` each wanted latent, by its item, and keeps what it says.
    fn run<T: Sync>(
        &self,
        view: &View,
        wanted: &Wanted,
        (labeller, items): (&dyn Labeller, &[T]),
        name: impl Fn(&T) -> Result<Naming> + Sync,
        caller: &mut Caller<'_, LabelProgress>,
    ) -> Result<()> {
        let source = labeller.name();
        // A model in this process stays open between calls.
        let before = labeller.tokens();
        let mut written = 0;
        caller.keep_each(items, labeller.concurrency(), name, |done, named| {
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
                total: items.len(),
                written,
                passed_over: wanted.passed_over,
                labels,
                unlabelled,
                tokens: labeller.tokens() - before,
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
        passages: &Passages,
        seed: u64,
        caller: &mut Caller<'_, LabelProgress>,
    ) -> Result<Vec<Evidence<'a>>> {
        use rayon::prelude::*;
        let draw = match passages.reads_again() {
            true => ACROSS_READ_AGAIN,
            false => ACROSS,
        };
        let mut evidence = Vec::with_capacity(self.latents.len());
        for latents in self.latents.chunks(EVIDENCE_TOGETHER) {
            let progress = caller.progress;
            let of = |&latent: &u32| corpus.evidence(latent, draw, passages, seed, progress);
            let found: Result<Vec<_>> = latents.par_iter().map(of).collect();
            evidence.extend(found?);
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
