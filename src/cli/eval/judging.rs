//! The judge of steered hits: which one, and its work off the async threads.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;

use crate::cli::chat::ChatArgs;
use crate::error::{Error, Result};
use crate::eval::steering::{Judge, Question, Rewriting};
use crate::inputs::Cache;
use crate::label::{
    self, Annotator as _, ChatModel, Event, LocalModel, SteeredHits, TopicJudge, run_each,
};
use crate::progress::Progress;

/// The local model where none is named.
const DEFAULT_LOCAL_MODEL: &str = "smollm2";

/// Who judges, and how much.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct JudgeArgs {
    /// Who picks the steered latents from five options: the endpoint of --chat-url, or a
    /// language model in this process; when left out, the endpoint where one is named
    #[arg(long, value_enum)]
    judge: Option<JudgeKind>,
    /// GGUF file of the local judge; SmolLM2 when left out
    #[arg(long, value_name = "FILE.gguf")]
    judge_model: Option<String>,
    /// Queries whose hits are judged; all when 0
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) judged: usize,
    #[command(flatten)]
    chat: ChatArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum JudgeKind {
    Chat,
    Local,
    None,
}

/// A language model that judges.
#[derive(Clone)]
pub(super) enum JudgeModel {
    Chat(Arc<ChatModel>),
    Local(Arc<LocalModel>),
}

impl JudgeArgs {
    /// The judge asked for, opened.
    pub(super) async fn open(&self) -> anyhow::Result<Option<JudgeModel>> {
        let config = self.chat.clone().config();
        let kind = self.judge.or(config.as_ref().map(|_| JudgeKind::Chat));
        match (kind, config) {
            (None | Some(JudgeKind::None), _) => Ok(None),
            (Some(JudgeKind::Chat), Some(config)) => {
                Ok(Some(JudgeModel::Chat(Arc::new(ChatModel::new(config)?))))
            }
            (Some(JudgeKind::Chat), None) => {
                bail!("--judge chat needs an endpoint: name it by --chat-url and --chat-model")
            }
            (Some(JudgeKind::Local), _) => {
                let name = self.judge_model.clone();
                let open = move || -> anyhow::Result<LocalModel> {
                    let name = name.as_deref().unwrap_or(DEFAULT_LOCAL_MODEL);
                    let place = Cache::of_user().place_of_model(name)?;
                    Ok(LocalModel::open(Path::new(&place))?)
                };
                let model = tokio::task::spawn_blocking(open).await??;
                Ok(Some(JudgeModel::Local(Arc::new(model))))
            }
        }
    }
}

impl JudgeModel {
    fn with<T>(&self, work: impl FnOnce(&dyn TopicJudge) -> T) -> T {
        match self {
            Self::Chat(model) => work(&**model),
            Self::Local(model) => work(&**model),
        }
    }
}

impl Judge for JudgeModel {
    fn name(&self) -> String {
        self.with(|judge| judge.name())
    }

    async fn ask(&self, questions: Vec<Question>) -> Result<Vec<Option<bool>>> {
        self.at_work(move |model, progress| {
            model.with(|judge| ask_all(judge, &questions, progress))
        })
        .await
    }

    async fn rewrite(&self, rewritings: Vec<Rewriting>) -> Result<Option<Vec<Option<String>>>> {
        let Self::Chat(model) = self.clone() else {
            return Ok(None);
        };
        self.at_work(move |_, progress| {
            let mut rewritten = vec![None; rewritings.len()];
            let write =
                |own: &Rewriting| model.rewrite(&own.query, &own.up, own.down.as_deref(), progress);
            let concurrency = model.concurrency();
            run_each(&rewritings, concurrency, progress, write, &mut |event| {
                if let Event::Done(at, text) = event {
                    rewritten[at] = text;
                }
            })?;
            Ok(Some(rewritten))
        })
        .await
    }
}

impl JudgeModel {
    /// As who judges labels.
    pub(super) fn judges(&self) -> &dyn label::Judge {
        match self {
            Self::Chat(model) => &**model,
            Self::Local(model) => &**model,
        }
    }

    /// As who makes labels.
    pub(super) fn labels(&self) -> &dyn label::Labeller {
        match self {
            Self::Chat(model) => &**model,
            Self::Local(model) => &**model,
        }
    }

    /// Has a model work off the async threads; it is called off when nobody waits for it.
    pub(super) async fn at_work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, &Progress) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let progress = Arc::new(Progress::default());
        let _waiting = progress.stop_on_drop();
        let model = self.clone();
        tokio::task::spawn_blocking(move || work(&model, &progress))
            .await
            .map_err(|error| Error::internal("the model failed").with_source(error))?
    }
}

fn ask_all(
    judge: &dyn TopicJudge,
    questions: &[Question],
    progress: &Progress,
) -> Result<Vec<Option<bool>>> {
    let mut answers = vec![None; questions.len()];
    let ask = |question: &Question| {
        let hits = SteeredHits {
            before: &question.before,
            after: &question.after,
            options: &question.options,
            up: question.up,
        };
        let picked = judge.pick(&hits, progress)?;
        Ok(picked.map(|place| place == question.answer))
    };
    run_each(
        questions,
        judge.concurrency(),
        progress,
        ask,
        &mut |event| {
            if let Event::Done(at, answer) = event {
                answers[at] = answer;
            }
        },
    )?;
    Ok(answers)
}
