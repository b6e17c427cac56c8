//! Flags that name a chat endpoint.

use std::time::Duration;

use crate::label::{ChatConfig, ChatLimits};

/// The chat endpoint that labellers and judges may ask. Its key comes from the environment alone.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ChatArgs {
    /// Base address of an OpenAI-compatible endpoint, as http://127.0.0.1:11434/v1; its key is
    /// taken from LATENTDB_CHAT_KEY
    #[arg(
        long,
        value_name = "URL",
        env = "LATENTDB_CHAT_URL",
        requires = "chat_model"
    )]
    chat_url: Option<String>,
    /// Its model
    #[arg(long, value_name = "MODEL", env = "LATENTDB_CHAT_MODEL")]
    chat_model: Option<String>,
    /// Requests to it under way at once, where a call does not say
    #[arg(long, value_name = "N", default_value_t = 4)]
    chat_concurrency: usize,
    /// Maximum requests per minute that one call sends to it
    #[arg(long, value_name = "N")]
    chat_requests_per_minute: Option<u32>,
    /// Maximum tokens that one call may use there
    #[arg(long, value_name = "N")]
    chat_tokens: Option<u64>,
    /// Seconds that one request to it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    chat_timeout: u64,
}

impl ChatArgs {
    /// Whether its address and its model are given.
    pub(super) fn names(&self) -> (bool, bool) {
        (self.chat_url.is_some(), self.chat_model.is_some())
    }

    /// The endpoint, where one is named.
    pub(super) fn config(self) -> Option<ChatConfig> {
        let mut config = ChatConfig::new(self.chat_url?, self.chat_model?);
        config.key = std::env::var("LATENTDB_CHAT_KEY").ok();
        config.timeout = Duration::from_secs(self.chat_timeout);
        config.limits = ChatLimits {
            concurrency: self.chat_concurrency,
            requests_per_minute: self.chat_requests_per_minute,
            tokens: self.chat_tokens,
        };
        Some(config)
    }
}
