//! Readers on the command line: the flags that name one, and the words that latents fired on.

use std::path::Path;

use latentdb_proto::v1;

use super::flags::absolute;
use crate::encoder::reader::ReaderOptions;
use crate::reading::TokenPolicy;
use crate::sae::Normalisation;

/// A model that is read token by token.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ReaderArgs {
    /// Read the states of tokens of this model: smollm2, a GGUF file, a folder or a hub id
    #[arg(long = "reader", value_name = "MODEL")]
    pub reader: Option<String>,
    /// The layer, counted from 0; states are the residual stream behind it
    #[arg(long, value_name = "L", requires = "reader")]
    pub layer: Option<u32>,
    /// What a text is wrapped in: none, model (the model's own), chatml or llama-3
    #[arg(long, value_name = "NAME", requires = "reader")]
    pub chat_template: Option<String>,
    /// Tokens of a window; longer texts are read in several
    #[arg(long, value_name = "TOKENS", requires = "reader")]
    pub window: Option<u32>,
    /// Tokens of the text by which the next window starts later
    #[arg(long, value_name = "TOKENS", requires = "reader")]
    pub stride: Option<u32>,
    /// Read control tokens too
    #[arg(long, requires = "reader")]
    pub special_tokens: bool,
    /// Read the words of the chat template too
    #[arg(long, requires = "reader")]
    pub template_tokens: bool,
    /// Put no beginning-of-sequence token before a text
    #[arg(long, requires = "reader")]
    pub no_bos: bool,
}

impl ReaderArgs {
    /// How to open the reader in this process, at `layer`.
    pub(super) fn options(&self, layer: u32, threads: usize) -> ReaderOptions {
        let size = |value: Option<u32>| value.map(|value| value as usize);
        let defaults = ReaderOptions::at_layer(layer as usize);
        ReaderOptions {
            threads,
            chat_template: self
                .chat_template
                .clone()
                .unwrap_or(defaults.chat_template.clone()),
            prepend_bos: !self.no_bos,
            window: size(self.window),
            stride: size(self.stride),
            tokens: TokenPolicy {
                special: self.special_tokens,
                template: self.template_tokens,
            },
            ..defaults
        }
    }

    /// The same for a collection in the server; what is not given is as in the SAE's training.
    pub(super) fn wire(
        &self,
        pooling: Option<String>,
        positions: bool,
    ) -> anyhow::Result<Option<v1::Reader>> {
        let Some(model) = &self.reader else {
            return Ok(None);
        };
        // The server may run in another folder.
        let path = Path::new(model);
        Ok(Some(v1::Reader {
            model: if path.exists() {
                absolute(path)?
            } else {
                model.clone()
            },
            layer: self.layer,
            chat_template: self.chat_template.clone().unwrap_or_default(),
            window: self.window.unwrap_or_default(),
            stride: self.stride.unwrap_or_default(),
            special_tokens: self.special_tokens.then_some(true),
            template_tokens: self.template_tokens.then_some(true),
            prepend_bos: self.no_bos.then_some(false),
            pooling: pooling.unwrap_or_default(),
            positions,
        }))
    }
}

/// `none`, `layer_norm` or `constant_norm_rescale`.
pub(super) fn normalisation(text: &str) -> std::result::Result<Normalisation, String> {
    let all = [
        Normalisation::None,
        Normalisation::LayerNorm,
        Normalisation::ConstantNormRescale,
    ];
    let known = all.into_iter().find(|one| one.name() == text);
    known.ok_or_else(|| format!("accepted are {}", all.map(Normalisation::name).join(", ")))
}
