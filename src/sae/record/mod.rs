//! Where an SAE came from, what it reads, and how good it was when it was trained.

mod config;
mod quality;
mod recurrence;
mod report;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::reading::{CodePooling, Precision, Reading, TokenPolicy, TokenReading, Window};

pub use config::{Objective, Sparsity, TrainConfig, TrainOptions};
pub use quality::{DensityBin, Quality, Recall, Spread};
pub use recurrence::{RECURRING, Recurrence};
pub use report::{CurvePoint, TrainReport};

/// The provenance of an SAE, stored with its weights.
///
/// An imported SAE has no `config` and no `report`: what its own configuration said is in `about`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingRecord {
    /// The source of the weights: a program and its version, or a file format.
    pub origin: String,
    /// The training configuration, if LatentDB trained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<TrainConfig>,
    /// The training report, if LatentDB trained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<TrainReport>,
    /// Its input, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// How often its latents come back in SAEs of other seeds, if some were trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    /// What it was trained on and anything else worth keeping: embedder, corpus, layer.
    pub about: BTreeMap<String, String>,
}

/// Facts of imported configurations that name the hook whose states an SAE reads.
const HOOK: [&str; 3] = ["hook_name", "hook_point", "hookpoint"];
/// Those that name the model.
const MODEL: [&str; 2] = ["model_name", "lm_name"];
/// Other facts that say what an SAE reads.
const READS: [&str; 3] = ["prepend_bos", "context_size", "normalize_activations"];

impl TrainingRecord {
    /// All that the record says of what the SAE reads, as one text; `None` where that is nothing.
    pub(super) fn reads(&self) -> Option<String> {
        let names = HOOK.iter().chain(&MODEL).chain(&READS);
        let facts: BTreeMap<&str, &String> = names
            .filter_map(|name| Some((*name, self.about.get(*name)?)))
            .collect();
        if self.reading.is_none() && facts.is_empty() {
            return None;
        }
        // Plain data: it always serialises.
        serde_json::to_string(&(&self.reading, facts)).ok()
    }

    /// Compares what the SAE reads with the states that somebody's vectors are said to be, `MODEL
    /// HOOK`: `gpt2 blocks.3.hook_resid_post`. Of an SAE that says nothing there is nothing to compare.
    ///
    /// # Errors
    /// `InvalidArgument` for another form, `FailedPrecondition` where the SAE reads something else.
    pub fn check_states(&self, states: &str) -> Result<()> {
        let words: Vec<&str> = states.split_whitespace().collect();
        let [model, hook] = words[..] else {
            let message = format!(
                "{states:?} is not a model and a hook, as \"gpt2 blocks.3.hook_resid_post\""
            );
            return Err(Error::invalid("", message));
        };
        let differs = |what: &str, own: &str| {
            Err(Error::precondition(format!(
                "the SAE reads the {what} {own}, and the vectors are said to be {states}"
            )))
        };
        if let Some(Reading::Pooled(_)) = self.reading {
            return differs("vectors of an", "encoder");
        }
        let token = self.reading.as_ref().and_then(Reading::token);
        let own_model = match token {
            Some(token) => Some(token.model.as_str()),
            None => self.fact(&MODEL),
        };
        // A model is known by its name, whoever publishes it.
        let name = |model: &str| model.rsplit('/').next().map(str::to_lowercase);
        if let Some(own) = own_model.filter(|own| !own.is_empty() && name(own) != name(model)) {
            return differs("model", own);
        }
        let layer = hooked_layer(hook);
        match (token, self.fact(&HOOK)) {
            (Some(token), _) if layer != Some(token.layer) => {
                differs("layer", &token.layer.to_string())
            }
            (None, Some(own)) if own != hook && (layer.is_none() || layer != hooked_layer(own)) => {
                differs("hook", own)
            }
            _ => Ok(()),
        }
    }

    /// The first of some facts that is there.
    fn fact(&self, names: &[&str]) -> Option<&str> {
        let found = names.iter().find_map(|name| self.about.get(*name));
        found.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The input of the SAE: as recorded, or as the hook of an imported configuration says.
    /// `None` where nothing is known, or where it says so in words of its own.
    ///
    /// # Errors
    /// `FailedPrecondition` for a hook of a block that is no residual stream, which no reader here
    /// gives.
    pub fn made_for(&self) -> Result<Option<Reading>> {
        if let Some(reading) = &self.reading {
            return Ok(Some(reading.clone()));
        }
        let about = |names: &[&str]| self.fact(names).map(str::to_owned);
        let Some(hook) = about(&HOOK) else {
            return Ok(None);
        };
        let layer = match hooked_layer(&hook) {
            Some(layer) => layer,
            None if hook.starts_with("blocks.") => {
                return Err(Error::precondition(format!(
                    "the SAE reads {hook}; readers give the residual stream behind a layer \
                     (blocks.L.hook_resid_post)"
                )));
            }
            None => return Ok(None),
        };
        let context = about(&["context_size"]).and_then(|size| size.parse().ok());
        let length: usize = context.unwrap_or(2048);
        Ok(Some(Reading::Token(TokenReading {
            model: about(&MODEL).unwrap_or_default(),
            weights_sha256: String::new(),
            layer,
            prepend_bos: about(&["prepend_bos"]).is_none_or(|value| value != "false"),
            chat_template: None,
            window: Window {
                length,
                stride: length,
            },
            tokens: TokenPolicy::default(),
            pooling: CodePooling::default(),
            normalisation: about(&["normalize_activations"]).unwrap_or_else(|| "none".to_owned()),
            precision: Precision::default(),
        })))
    }
}

/// The layer after which a hook reads the residual stream, by the names of SAELens and of
/// sparsify.
fn hooked_layer(hook: &str) -> Option<usize> {
    let parts: Vec<&str> = hook.split('.').collect();
    match parts[..] {
        ["blocks", layer, "hook_resid_post"] | ["layers", layer] | ["model", "layers", layer] => {
            layer.parse().ok()
        }
        // What stands before a layer is what stands behind the one below.
        ["blocks", layer, "hook_resid_pre"] => layer.parse::<usize>().ok()?.checked_sub(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(about: &[(&str, &str)]) -> TrainingRecord {
        let about = about
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        TrainingRecord {
            about: about.collect(),
            ..TrainingRecord::default()
        }
    }

    #[test]
    fn states_that_are_said_are_compared_with_the_hook() {
        let hooked = imported(&[
            ("hook_name", "blocks.3.hook_resid_post"),
            ("model_name", "gpt2"),
        ]);
        hooked
            .check_states("gpt2 blocks.3.hook_resid_post")
            .unwrap();
        hooked
            .check_states("openai-community/GPT2 blocks.4.hook_resid_pre")
            .unwrap();
        for (states, part) in [
            (
                "gpt2 blocks.4.hook_resid_post",
                "the hook blocks.3.hook_resid_post",
            ),
            (
                "gpt2 blocks.3.hook_mlp_out",
                "the hook blocks.3.hook_resid_post",
            ),
            ("pythia-70m blocks.3.hook_resid_post", "the model gpt2"),
            ("gpt2", "is not a model and a hook"),
        ] {
            let error = hooked.check_states(states).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let mlp = imported(&[("hook_name", "blocks.3.hook_mlp_out")]);
        mlp.check_states("gpt2 blocks.3.hook_mlp_out").unwrap();
        assert!(mlp.check_states("gpt2 blocks.2.hook_mlp_out").is_err());
        imported(&[])
            .check_states("gpt2 blocks.3.hook_mlp_out")
            .unwrap();
        let vectors = TrainingRecord {
            reading: Some(Reading::Pooled(crate::reading::PooledReading::default())),
            ..TrainingRecord::default()
        };
        assert!(vectors.check_states("gpt2 blocks.3.hook_mlp_out").is_err());
    }

    #[test]
    fn the_hook_of_an_imported_sae_says_what_it_reads() {
        for (hook, expected) in [
            ("blocks.7.hook_resid_post", 7),
            ("blocks.8.hook_resid_pre", 7),
            ("layers.7", 7),
        ] {
            let record = imported(&[("hook_name", hook), ("model_name", "gpt2")]);
            let Some(Reading::Token(reading)) = record.made_for().unwrap() else {
                panic!("{hook} is read by tokens");
            };
            assert_eq!((reading.layer, &*reading.model), (expected, "gpt2"));
        }
        for hook in ["blocks.7.hook_mlp_out", "blocks.0.hook_resid_pre"] {
            let error = imported(&[("hook_point", hook)]).made_for().unwrap_err();
            assert!(error.to_string().contains(hook));
        }
        for about in [&[][..], &[("hook_name", "layer 7")][..]] {
            assert!(imported(about).made_for().unwrap().is_none());
        }
    }
}
