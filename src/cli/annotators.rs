//! Flags that name who labels and who judges.

use latentdb_proto::v1::{ChatLimits, JudgeKind, LabellerKind};

use super::flags;

/// Who makes labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Labeller {
    Keyphrase,
    Chat,
    Local,
}

impl From<Labeller> for LabellerKind {
    fn from(labeller: Labeller) -> Self {
        match labeller {
            Labeller::Keyphrase => Self::Keyphrase,
            Labeller::Chat => Self::Chat,
            Labeller::Local => Self::Local,
        }
    }
}

/// Who judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Judge {
    Similarity,
    Chat,
    Local,
}

impl From<Judge> for JudgeKind {
    fn from(judge: Judge) -> Self {
        match judge {
            Judge::Similarity => Self::Similarity,
            Judge::Chat => Self::Chat,
            Judge::Local => Self::Local,
        }
    }
}

/// How much the chat endpoint may be used.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct LimitArgs {
    /// Requests to the chat endpoint under way at once
    #[arg(long, value_parser = flags::count::<u32>)]
    concurrency: Option<u32>,
    /// Requests to the chat endpoint started a minute
    #[arg(long, value_parser = flags::count::<u32>)]
    requests_per_minute: Option<u32>,
    /// Tokens that the chat endpoint may count before the work ends
    #[arg(long, value_parser = flags::count::<u64>)]
    tokens: Option<u64>,
}

impl LimitArgs {
    pub fn wire(&self) -> ChatLimits {
        ChatLimits {
            concurrency: self.concurrency.unwrap_or_default(),
            requests_per_minute: self.requests_per_minute.unwrap_or_default(),
            tokens: self.tokens.unwrap_or_default(),
        }
    }
}
