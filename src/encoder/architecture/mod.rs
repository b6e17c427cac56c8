//! What a `config.json` describes: the network, its shapes, and the loading of its weights.

mod affine;
mod bert;
mod llama;
mod modern;
mod sizes;
mod words;

use serde_json::Value;

use super::kernels::Arithmetic;
use super::network::Network;
use super::weights::SafetensorsFolder;
use crate::error::{Error, Result};
use bert::{BERTS, BertConfig};
use llama::LLAMAS;
pub(super) use llama::LlamaConfig;
use modern::ModernConfig;

pub(super) use llama::load as load_llama;

/// A network, not yet loaded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Architecture {
    Bert(BertConfig),
    Modern(ModernConfig),
    Llama(LlamaConfig),
    /// A vector of each token, whatever stands around it.
    Words,
}

impl Architecture {
    /// Reads the content of a `config.json`; `origin` is what messages call it.
    ///
    /// # Errors
    /// `FailedPrecondition` naming a type or a setting that is not run, `Corrupted` where a value is missing.
    pub(super) fn read(config: &Value, origin: &str) -> Result<Self> {
        match config["model_type"].as_str().unwrap_or("bert") {
            "modernbert" => Ok(Self::Modern(ModernConfig::read(config, origin)?)),
            kind if BERTS.contains(&kind) => {
                Ok(Self::Bert(BertConfig::read(kind, config, origin)?))
            }
            kind if LLAMAS.contains(&kind) => Ok(Self::Llama(llama::decoder(config, origin)?)),
            other => Err(Error::precondition(format!(
                "{origin} describes a model of type {other:?}; {}, modernbert and {} are run",
                BERTS.join(", "),
                LLAMAS.join(", ")
            ))),
        }
    }

    /// Layers of the whole network.
    pub(super) fn layers(&self) -> usize {
        match self {
            Self::Bert(config) => config.layers,
            Self::Modern(config) => config.layers(),
            Self::Llama(config) => config.layers,
            Self::Words => 1,
        }
    }

    /// Longest sequence; `None` for any.
    pub(super) fn context(&self) -> Option<usize> {
        match self {
            Self::Bert(config) => Some(config.context()),
            Self::Modern(config) => Some(config.context),
            Self::Llama(config) => Some(config.context),
            Self::Words => None,
        }
    }

    /// Whether a token sees those before it only.
    pub(super) fn is_causal(&self) -> bool {
        matches!(self, Self::Llama(_))
    }

    /// Loads the first layers for sequences of up to `longest` tokens; all and the norm behind them where
    /// `layers` is `None`.
    ///
    /// # Errors
    /// `Corrupted` for tensors that are missing or do not have the shape that the configuration says.
    pub(super) fn load(
        &self,
        weights: &mut SafetensorsFolder,
        layers: Option<usize>,
        longest: usize,
        arithmetic: Arithmetic,
    ) -> Result<Network> {
        let run = layers.unwrap_or(self.layers());
        let is_whole = layers.is_none();
        Ok(match self {
            Self::Bert(config) => Network::Bert(bert::load(weights, config, run, arithmetic)?),
            Self::Modern(config) => Network::PreNorm(modern::load(
                weights, config, run, is_whole, longest, arithmetic,
            )?),
            Self::Llama(config) => Network::PreNorm(llama::load(
                weights, config, run, is_whole, longest, arithmetic,
            )?),
            Self::Words => Network::Words(words::load(weights)?),
        })
    }
}
