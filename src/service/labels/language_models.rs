//! The language models of labellers, judges and selectors, opened once.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result, Within as _};
use crate::label::{ChatConfig, ChatModel, LocalModel};
use crate::service::opened::Opened;
use crate::service::places::ModelPlaces;

/// The local model where none is named.
const DEFAULT_LOCAL_MODEL: &str = "smollm2";

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

/// Language models of labellers and judges, opened once.
pub(in crate::service) struct LanguageModels {
    places: Arc<ModelPlaces>,
    /// The chat endpoint, where one is configured.
    pub chat: Option<ChatConfig>,
    local: Opened<String, Arc<LocalModel>>,
}

impl LanguageModels {
    pub fn new(places: Arc<ModelPlaces>, chat: Option<ChatConfig>) -> Self {
        Self {
            places,
            chat,
            local: Opened::default(),
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
        self.local.get_or_open(&name.to_owned(), || {
            let place = self.places.model(name)?;
            let model = LocalModel::open(Path::new(&place)).within("model")?;
            Ok(Arc::new(model))
        })
    }
}

pub(super) fn lower<T: Ord>(bound: Option<T>, asked: Option<T>) -> Option<T> {
    match (bound, asked) {
        (Some(bound), Some(asked)) => Some(bound.min(asked)),
        (bound, asked) => bound.or(asked),
    }
}
