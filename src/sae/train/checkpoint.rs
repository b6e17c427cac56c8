//! Checkpoints: a stopped training on disk, enough to resume to the same weights.
//!
//! One safetensors file. The tensors of [`Parameters`] stand under `weights.`, `mean.`, `square.`,
//! `average.` and `best.`; the counters, the configuration and a fingerprint of the data are in the
//! metadata under `latentdb.training`.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::sae::record::{CurvePoint, TrainConfig};
use crate::sae::weights::Tensor;
use crate::whole_file;

use super::parameters::Parameters;

const METADATA: &str = "latentdb.training";

/// The counters of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Counters {
    pub version: u32,
    pub config: TrainConfig,
    /// SHA-256 of the rows.
    pub data: String,
    pub step: usize,
    pub seconds: f64,
    pub best_fvu: Option<f64>,
    pub epochs_without_gain: usize,
    /// Moving average of the smallest kept activation.
    #[serde(default)]
    pub threshold: Option<f32>,
    /// The state of the training after every epoch.
    #[serde(default)]
    pub curve: Vec<CurvePoint>,
    /// Step at which the top-k last kept a latent.
    pub last_kept: Vec<usize>,
}

/// A training between two steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub counters: Counters,
    pub weights: Parameters,
    pub mean: Parameters,
    pub square: Parameters,
    pub average: Option<Parameters>,
    pub best: Option<Parameters>,
}

/// A fingerprint of the rows of a training.
pub(super) fn fingerprint(vectors: &[f32], d: usize) -> String {
    let mut digest = Sha256::new();
    digest.update((d as u64).to_le_bytes());
    let mut bytes = Vec::with_capacity(4 * d);
    for row in vectors.chunks(d) {
        bytes.clear();
        bytes.extend(row.iter().flat_map(|v| v.to_le_bytes()));
        digest.update(&bytes);
    }
    hex(digest.finalize())
}

/// Writes a checkpoint in place of an older one, whole or not at all.
pub(super) fn save(state: &State, path: &Path) -> Result<()> {
    let groups = [
        ("weights", Some(&state.weights)),
        ("mean", Some(&state.mean)),
        ("square", Some(&state.square)),
        ("average", state.average.as_ref()),
        ("best", state.best.as_ref()),
    ];
    let tensors = groups.into_iter().flat_map(|(group, parameters)| {
        parameters.into_iter().flat_map(move |parameters| {
            parameters
                .named()
                .map(|(name, values)| (format!("{group}.{name}"), Tensor::vector(values)))
        })
    });
    let counters = serde_json::to_string(&state.counters)
        .map_err(|e| Error::internal("the checkpoint's counters are not JSON").with_source(e))?;
    let metadata = HashMap::from([(METADATA.to_owned(), counters)]);
    let bytes = safetensors::serialize(tensors, Some(metadata))
        .map_err(|e| Error::internal("the checkpoint could not be serialised").with_source(e))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    whole_file::write(path, &bytes)
}

/// Reads a checkpoint; `None` when there is none.
///
/// # Errors
/// `Corrupted` when the file is not a checkpoint.
pub(super) fn load(path: &Path, d: usize) -> Result<Option<State>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(
                Error::internal(format!("could not read {}", path.display())).with_source(e),
            );
        }
    };
    let bad = |what: &str| {
        Error::new(
            ErrorKind::Corrupted,
            format!(
                "{} is not a training checkpoint: {what}; remove it to start over",
                path.display()
            ),
        )
    };
    let (_, header) =
        SafeTensors::read_metadata(&bytes).map_err(|e| bad("header").with_source(e))?;
    let counters = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(METADATA))
        .ok_or_else(|| bad("no counters"))?;
    let counters: Counters =
        serde_json::from_str(counters).map_err(|e| bad("counters").with_source(e))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| bad("tensors").with_source(e))?;
    let n = counters.config.n_latents;
    let group = |group: &str| -> Result<Option<Parameters>> {
        let mut parameters = Parameters::zeros(n, d);
        for (name, values) in parameters.named_mut() {
            let Ok(view) = tensors.tensor(&format!("{group}.{name}")) else {
                return Ok(None);
            };
            let stored = view.data().as_chunks::<4>().0;
            if view.dtype() != Dtype::F32 || stored.len() != values.len() {
                return Err(bad(&format!("{group}.{name} has another shape")));
            }
            for (value, bytes) in values.iter_mut().zip(stored) {
                *value = f32::from_le_bytes(*bytes);
            }
        }
        Ok(Some(parameters))
    };
    Ok(Some(State {
        weights: group("weights")?.ok_or_else(|| bad("no weights"))?,
        mean: group("mean")?.ok_or_else(|| bad("no mean"))?,
        square: group("square")?.ok_or_else(|| bad("no square"))?,
        average: group("average")?,
        best: group("best")?,
        counters,
    }))
}
