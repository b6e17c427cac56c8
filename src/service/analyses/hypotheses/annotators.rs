//! Who labels and who judges, opened for one call: a chat endpoint that does both has one budget.

use std::collections::HashMap;
use std::sync::Arc;

use super::drawn::Sizes;
use super::request::HypothesiseRequest;
use crate::error::{Error, Result, Within as _};
use crate::label::{
    Annotator, ChatModel, Embed as _, Judge, Keyphrases, Labeller, SimilarityJudge,
};
use crate::service::analyses::Analyses;
use crate::service::core::View;
use crate::service::labels::{ChatUse, JudgeChoice, LabellerChoice, PhraseEncoder};
use crate::service::models::EncoderSettings;

/// Documents on each side that a label is scored on, and at most made from.
const SIMILARITY_SIZES: Sizes = Sizes {
    scored: 25,
    made_from: 50,
};
const MODEL_SIZES: Sizes = Sizes {
    scored: 5,
    made_from: 30,
};
/// Documents judged of each set, unless told.
const SIMILARITY_JUDGED: usize = 1_000;
const MODEL_JUDGED: usize = 50;
/// Tokens of a judge's question beside the text, about, and characters of a token.
const QUESTION_TOKENS: u64 = 60;
const CHARACTERS_PER_TOKEN: u64 = 4;
/// Characters of a text that a chat judge reads at most.
const READ_CHARACTERS: u64 = 2_000;

pub(super) struct Annotators {
    naming: Naming,
    judging: Judging,
    /// The collection's encoder, which says which labels are alike.
    encoder: Option<PhraseEncoder>,
    /// The models that are asked, each with what it had used before: one in this process stays open.
    models: Vec<(Arc<dyn Annotator>, u64)>,
}

enum Naming {
    Keyphrases,
    Model(Arc<dyn Labeller>),
}

enum Judging {
    /// By the vectors of the documents.
    Similarity,
    /// By another encoder, which reads them.
    Under(String, PhraseEncoder),
    Model(Arc<dyn Judge>),
}

/// A judge of some labels.
pub(super) enum OpenJudge<'a> {
    Similarity(SimilarityJudge<'a>),
    Model(&'a dyn Judge),
}

impl OpenJudge<'_> {
    pub fn get(&self) -> &dyn Judge {
        match self {
            Self::Similarity(judge) => judge,
            Self::Model(judge) => *judge,
        }
    }
}

impl Annotators {
    /// Opens who was asked for. Blocks.
    pub fn open(service: &Analyses, view: &View, request: &HypothesiseRequest) -> Result<Self> {
        let models = &service.labels.language_models;
        let mut used: Vec<Arc<dyn Annotator>> = Vec::new();
        let mut chats: Vec<(ChatUse, Arc<ChatModel>)> = Vec::new();
        let mut chat = |usage: &ChatUse| -> Result<Arc<ChatModel>> {
            if let Some((_, open)) = chats.iter().find(|(own, _)| own == usage) {
                return Ok(open.clone());
            }
            let open = Arc::new(models.chat(usage)?);
            chats.push((usage.clone(), open.clone()));
            Ok(open)
        };
        let naming = match &request.labeller {
            LabellerChoice::Keyphrases => Naming::Keyphrases,
            LabellerChoice::Chat(usage) => Naming::Model(chat(usage)?),
            LabellerChoice::Local(name) => {
                let model = models.local(name.as_deref())?;
                used.push(model.clone());
                Naming::Model(model)
            }
        };
        let judging = match &request.judge {
            JudgeChoice::Similarity => Judging::Similarity,
            JudgeChoice::SimilarityUnder(model) => {
                let encoder = service
                    .core
                    .models
                    .encoder(model, &EncoderSettings::default());
                let encoder = encoder.within("judge_encoder")?;
                Judging::Under(model.clone(), PhraseEncoder(encoder.encoder().clone()))
            }
            JudgeChoice::Chat(usage) => Judging::Model(chat(usage)?),
            JudgeChoice::Local(name) => {
                let model = models.local(name.as_deref())?;
                // One that names too is counted once.
                if !used.iter().any(|own| std::ptr::addr_eq(&**own, &*model)) {
                    used.push(model.clone());
                }
                Judging::Model(model)
            }
        };
        used.extend(
            chats
                .into_iter()
                .map(|(_, open)| open as Arc<dyn Annotator>),
        );
        let encoder = service.core.encoder_of(view)?;
        let encoder = encoder.map(|encoder| PhraseEncoder(encoder.encoder().clone()));
        if encoder.is_none() && matches!(judging, Judging::Similarity) {
            return Err(Error::precondition(format!(
                "collection {:?} has no encoder, so a label cannot be compared with its documents: judge by a \
                 model (--judge chat or local), or by another encoder (--judge-encoder)",
                view.name()
            )));
        }
        Ok(Self {
            naming,
            judging,
            encoder,
            models: used
                .into_iter()
                .map(|model| (model.clone(), model.tokens()))
                .collect(),
        })
    }

    /// The model that names; `None` where keyphrases do.
    pub fn labeller(&self) -> Option<&dyn Labeller> {
        match &self.naming {
            Naming::Keyphrases => None,
            Naming::Model(model) => Some(&**model),
        }
    }

    /// Who names.
    pub fn labeller_name(&self) -> String {
        match self.labeller() {
            None => Keyphrases::SOURCE.to_owned(),
            Some(model) => model.name(),
        }
    }

    /// A judge of these labels.
    pub fn judge(&self, labels: &[String]) -> Result<OpenJudge<'_>> {
        let vectors = |encoder: &PhraseEncoder| -> Result<HashMap<String, Vec<f32>>> {
            Ok(labels
                .iter()
                .cloned()
                .zip(encoder.phrases(labels)?)
                .collect())
        };
        Ok(match (&self.judging, &self.encoder) {
            (Judging::Model(model), _) => OpenJudge::Model(&**model),
            (Judging::Under(name, encoder), _) => {
                let judge = SimilarityJudge::reading(vectors(encoder)?, name, encoder);
                OpenJudge::Similarity(judge)
            }
            (Judging::Similarity, Some(encoder)) => {
                OpenJudge::Similarity(SimilarityJudge::new(vectors(encoder)?))
            }
            (Judging::Similarity, None) => return Err(Error::internal("no encoder judges")),
        })
    }

    /// Unit vectors of labels under the collection's encoder, if it has one.
    pub fn vectors(&self, labels: &[String]) -> Result<Option<Vec<Vec<f32>>>> {
        let encoder = self.encoder.as_ref();
        encoder.map(|encoder| encoder.phrases(labels)).transpose()
    }

    /// The encoder of the collection, which keyphrases are chosen by.
    pub fn encoder(&self) -> Option<&PhraseEncoder> {
        self.encoder.as_ref()
    }

    pub fn needs_vectors(&self) -> bool {
        matches!(self.judging, Judging::Similarity)
    }

    pub fn sizes(&self) -> Sizes {
        match self.judging {
            Judging::Similarity | Judging::Under(..) => SIMILARITY_SIZES,
            Judging::Model(_) => MODEL_SIZES,
        }
    }

    /// Documents judged of each set, unless told.
    pub fn judged(&self) -> usize {
        match self.judging {
            Judging::Similarity | Judging::Under(..) => SIMILARITY_JUDGED,
            Judging::Model(_) => MODEL_JUDGED,
        }
    }

    /// Tokens that the endpoint counted, or a model in this process read and wrote; of that also for others at the
    /// same time.
    pub fn tokens(&self) -> u64 {
        let since = |(model, before): &(Arc<dyn Annotator>, u64)| model.tokens() - before;
        self.models.iter().map(since).sum()
    }

    /// Tokens that it takes to judge a text, about; 0 where no endpoint judges.
    pub fn expected_tokens(&self, text: &str) -> u64 {
        match &self.judging {
            Judging::Model(judge) if judge.name().starts_with("chat:") => {
                let characters = (text.chars().count() as u64).min(READ_CHARACTERS);
                QUESTION_TOKENS + characters / CHARACTERS_PER_TOKEN
            }
            _ => 0,
        }
    }

    /// What to know of the judge.
    pub fn warnings(&self, view: &View) -> Option<String> {
        (self.needs_vectors() && view.reader().is_none()).then(|| {
            "same encoder: the judge compares labels with the vectors that the SAE reads, so it says where \
             documents lie, not what a reader finds in them; --judge chat or local reads them, --judge-encoder \
             takes another encoder"
                .to_owned()
        })
    }
}
