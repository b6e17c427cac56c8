//! Where an SAE came from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::train::{TrainConfig, TrainReport};

/// Where an SAE came from, kept beside its weights.
///
/// An imported SAE has no `config` and no `report`: what its own configuration said is in `about`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingRecord {
    /// What made the weights: a program and its version, or a file format.
    pub origin: String,
    /// How it was trained, where LatentDB trained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<TrainConfig>,
    /// What came of the training, where LatentDB trained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<TrainReport>,
    /// What it was trained on and anything else worth keeping: embedder, corpus, layer.
    pub about: BTreeMap<String, String>,
}
