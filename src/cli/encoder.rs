//! The flags of how a sentence encoder is used.

use latentdb_proto::v1::EncoderSettings;

use super::flags;

/// How a sentence encoder is used, where its own files are not to decide.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct EncoderArgs {
    /// What stands before each query, as "query: "; without it, what the model's
    /// config_sentence_transformers.json says
    #[arg(long, value_name = "TEXT", help_heading = "Encoder")]
    pub(super) query_prompt: Option<String>,
    /// What stands before each document, as "passage: "; without it, what the model's files say
    #[arg(long, value_name = "TEXT", help_heading = "Encoder")]
    pub(super) document_prompt: Option<String>,
    /// Keep the first N values of a vector, of models trained for it (Matryoshka)
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>, help_heading = "Encoder")]
    pub(super) dimensions: Option<u32>,
    /// Cut texts after N tokens, where the model reads more
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>, help_heading = "Encoder")]
    pub(super) max_tokens: Option<u32>,
}

impl EncoderArgs {
    /// As a request has it; `None` where nothing is asked for.
    pub(super) fn request(&self) -> Option<EncoderSettings> {
        let settings = EncoderSettings {
            query_prompt: self.query_prompt.clone(),
            document_prompt: self.document_prompt.clone(),
            dimensions: self.dimensions.unwrap_or_default(),
            max_tokens: self.max_tokens.unwrap_or_default(),
        };
        (settings != EncoderSettings::default()).then_some(settings)
    }
}
