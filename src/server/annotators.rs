//! Requests -> who labels and who judges.

use latentdb_proto::v1;

use super::access::check_names_files;
use super::collection::check_models;
use super::status::entry;
use super::types::{non_empty, non_zero};
use crate::error::{Error, Result};
use crate::service::{ChatUse, JudgeChoice, LabellerChoice};

/// Who makes labels, by the fields of a request.
pub(super) fn labeller(
    kind: i32,
    model: String,
    chat: Option<v1::ChatLimits>,
) -> Result<LabellerChoice> {
    let model = non_empty(model);
    Ok(match entry(kind, "labeller")? {
        v1::LabellerKind::Keyphrase => LabellerChoice::Keyphrases,
        v1::LabellerKind::Chat => LabellerChoice::Chat(chat_use(chat_model(model)?, chat)),
        v1::LabellerKind::Local => LabellerChoice::Local(local_model(model)?),
    })
}

/// Who judges, by the fields of a request.
pub(super) fn judge(
    kind: i32,
    model: String,
    judge_encoder: String,
    chat: Option<v1::ChatLimits>,
) -> Result<JudgeChoice> {
    let (model, judge_encoder) = (non_empty(model), non_empty(judge_encoder));
    let kind = entry(kind, "judge")?;
    if judge_encoder.is_some() && kind != v1::JudgeKind::Similarity {
        return Err(Error::invalid(
            "judge_encoder",
            "is what a judge by similarity compares with; this judge reads",
        ));
    }
    if let Some(model) = &judge_encoder {
        check_models(&[model], None)?;
    }
    Ok(match kind {
        v1::JudgeKind::Similarity => match judge_encoder {
            None => JudgeChoice::Similarity,
            Some(model) => JudgeChoice::SimilarityUnder(model),
        },
        v1::JudgeKind::Chat => JudgeChoice::Chat(chat_use(chat_model(model)?, chat)),
        v1::JudgeKind::Local => JudgeChoice::Local(local_model(model)?),
    })
}

fn chat_use(model: Option<String>, limits: Option<v1::ChatLimits>) -> ChatUse {
    let limits = limits.unwrap_or_default();
    ChatUse {
        model,
        concurrency: non_zero(limits.concurrency),
        requests_per_minute: (limits.requests_per_minute != 0)
            .then_some(limits.requests_per_minute),
        tokens: (limits.tokens != 0).then_some(limits.tokens),
    }
}

/// A model of the chat endpoint, which may cost more than the server's own.
pub(super) fn chat_model(name: Option<String>) -> Result<Option<String>> {
    if name.is_some() {
        check_names_files("naming a chat model")?;
    }
    Ok(name)
}

/// The name of a local language model: the pinned one, or a file that the caller may name.
pub(super) fn local_model(name: Option<String>) -> Result<Option<String>> {
    if name.as_deref().is_some_and(|name| name != "smollm2") {
        check_names_files("naming a language model")?;
    }
    Ok(name)
}
