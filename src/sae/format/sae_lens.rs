//! SAELens' layout: `cfg.json` and `sae_weights.safetensors` with canonical tensor names.
//!
//! LatentDB writes the layout's fields so that SAELens can load the result, and adds its own under
//! `metadata.latentdb`: the hash of the weights, the record of the training, and what the layout
//! cannot say (a batch-top-k SAE is stored as JumpReLU, as SAELens does).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::sae::model::{Architecture, Normalisation, Sae, SaeParts};
use crate::sae::record::TrainingRecord;

use super::write;

/// The configuration.
pub const CONFIG_FILE: &str = "cfg.json";
/// The tensors.
pub const WEIGHTS_FILE: &str = "sae_weights.safetensors";

/// What LatentDB adds to the configuration.
#[derive(Serialize, Deserialize)]
struct Own {
    weights_sha256: String,
    architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<usize>,
    #[serde(default)]
    record: TrainingRecord,
}

/// Whether `dir` looks like this layout.
pub(super) fn is_here(dir: &Path) -> bool {
    dir.join(CONFIG_FILE).is_file() && dir.join(WEIGHTS_FILE).is_file()
}

/// Loads an SAE in SAELens' layout.
///
/// # Errors
/// `InvalidArgument` naming the field or tensor that is missing or not understood, `Corrupted`
/// when the weights are not those the configuration was written for.
pub fn load(dir: &Path) -> Result<Sae> {
    let config = read(&dir.join(CONFIG_FILE))?;
    let config: Map<String, Value> = serde_json::from_slice(&config).map_err(|e| {
        Error::corrupted(format!("{CONFIG_FILE} is not a JSON object")).with_source(e)
    })?;
    let weights = read(&dir.join(WEIGHTS_FILE))?;
    let own = own_metadata(&config)?;
    if let Some(own) = &own {
        let found = hex(&Sha256::digest(&weights));
        if found != own.weights_sha256 {
            return Err(Error::corrupted(format!(
                "{WEIGHTS_FILE} has SHA-256 {found}; {CONFIG_FILE} was written for {}",
                own.weights_sha256
            )));
        }
    }
    let tensors = SafeTensors::deserialize(&weights).map_err(|e| {
        Error::corrupted(format!("{WEIGHTS_FILE} is not a safetensors file")).with_source(e)
    })?;
    let fields = Fields(&config);
    let mut architecture = fields.architecture(&tensors)?;
    if let (Some(own), Architecture::JumpRelu { threshold }) = (&own, &architecture)
        && own.architecture == "batchtopk"
        && let (Some(k), Some(first)) = (own.k, threshold.first().copied())
        && threshold.iter().all(|t| *t == first)
    {
        architecture = Architecture::BatchTopK {
            k,
            threshold: first,
        };
    }
    let parts = fields.parts(&tensors, architecture, own.map(|own| own.record))?;
    Sae::new(parts)
}

/// Saves an SAE in SAELens' layout: weights first, then the configuration that names their hash.
///
/// # Errors
/// `Internal` when writing fails.
pub(in crate::sae) fn save(sae: &Sae, dir: &Path) -> Result<()> {
    let config = serde_json::to_vec_pretty(&config_of(sae)?)
        .map_err(|e| Error::internal("the SAE's configuration is not JSON").with_source(e))?;
    let weights = weights(sae)?;
    write::replace(dir, &[(WEIGHTS_FILE, &weights), (CONFIG_FILE, &config)])
}

fn config_of(sae: &Sae) -> Result<Value> {
    let (architecture, k) = match sae.architecture() {
        Architecture::BatchTopK { .. } => ("jumprelu", None),
        other => (other.name(), sae.k()),
    };
    let own = Own {
        weights_sha256: sae.hash().to_owned(),
        architecture: sae.architecture().name().to_owned(),
        k: sae.k(),
        record: sae.record().clone(),
    };
    let own = serde_json::to_value(own)
        .map_err(|e| Error::internal("the training record is not JSON").with_source(e))?;
    let mut config = json!({
        "architecture": architecture,
        "d_in": sae.d_in(),
        "d_sae": sae.n_latents(),
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": sae.apply_b_dec_to_input(),
        "normalize_activations": match sae.normalisation() {
            Normalisation::None => "none",
            Normalisation::ConstantNormRescale => "constant_norm_rescale",
            Normalisation::LayerNorm => "layer_norm",
        },
        "reshape_activations": "none",
        "metadata": { "latentdb": own },
    });
    if let Some(k) = k {
        config["k"] = json!(k);
    }
    if let Architecture::TopK {
        rescale_by_decoder_norm,
        ..
    } = sae.architecture()
    {
        config["rescale_acts_by_decoder_norm"] = json!(rescale_by_decoder_norm);
    }
    Ok(config)
}

fn own_metadata(config: &Map<String, Value>) -> Result<Option<Own>> {
    config
        .get("metadata")
        .and_then(|metadata| metadata.get("latentdb"))
        .map(|own| {
            Own::deserialize(own).map_err(|e| {
                Error::corrupted(format!("{CONFIG_FILE}: metadata.latentdb is not readable"))
                    .with_source(e)
            })
        })
        .transpose()
}

/// The configuration, read the way SAELens' versions have written it.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn parts(
        &self,
        tensors: &SafeTensors,
        architecture: Architecture,
        record: Option<TrainingRecord>,
    ) -> Result<SaeParts> {
        self.refuse_unknown()?;
        let d_in = self.size("d_in")?;
        let n_latents = self.size("d_sae")?;
        let w_enc = tensor(tensors, "W_enc", &[d_in, n_latents])?;
        let b_enc = if matches!(architecture, Architecture::Gated { .. }) {
            vec![0.0; n_latents]
        } else {
            tensor(tensors, "b_enc", &[n_latents])?
        };
        Ok(SaeParts {
            architecture,
            normalisation: self.normalisation()?,
            d_in,
            w_enc_t: transposed(&w_enc, d_in, n_latents),
            b_enc,
            w_dec: tensor(tensors, "W_dec", &[n_latents, d_in])?,
            b_dec: tensor(tensors, "b_dec", &[d_in])?,
            apply_b_dec_to_input: self.flag("apply_b_dec_to_input", true)?,
            record: record.unwrap_or_else(|| self.imported_record()),
        })
    }

    fn architecture(&self, tensors: &SafeTensors) -> Result<Architecture> {
        let n_latents = self.size("d_sae")?;
        let named = self.text("architecture")?.unwrap_or("standard");
        let activation = self.text("activation_fn_str")?;
        let vector = |name: &str| tensor(tensors, name, &[n_latents]);
        match (named, activation) {
            ("topk", _) | ("standard", Some("topk")) => Ok(Architecture::TopK {
                k: self.k()?,
                rescale_by_decoder_norm: self.flag("rescale_acts_by_decoder_norm", false)?,
            }),
            ("standard", None | Some("relu")) => Ok(Architecture::Standard),
            ("standard", Some(other)) => Err(refused(
                "activation_fn_str",
                &format!("is \"{other}\""),
                "relu, topk",
            )),
            ("jumprelu", _) => Ok(Architecture::JumpRelu {
                threshold: vector("threshold")?,
            }),
            ("gated", _) => Ok(Architecture::Gated {
                b_gate: vector("b_gate")?,
                b_mag: vector("b_mag")?,
                r_mag: vector("r_mag")?,
            }),
            ("groupmax", _) => Ok(Architecture::GroupMax { k: self.k()? }),
            (other, _) => Err(refused(
                "architecture",
                &format!("is \"{other}\""),
                "standard, topk, jumprelu, gated, groupmax (batch-top-k and matryoshka SAEs are \
                 saved as jumprelu)",
            )),
        }
    }

    fn k(&self) -> Result<usize> {
        if self.0.contains_key("k") {
            return self.size("k");
        }
        self.0
            .get("activation_fn_kwargs")
            .and_then(|kwargs| kwargs.get("k"))
            .and_then(Value::as_u64)
            .and_then(|k| usize::try_from(k).ok())
            .ok_or_else(|| {
                Error::invalid(
                    "k",
                    format!("is missing from {CONFIG_FILE}; a top-k SAE needs it"),
                )
            })
    }

    fn normalisation(&self) -> Result<Normalisation> {
        match self.text("normalize_activations")? {
            None | Some("none") => Ok(Normalisation::None),
            Some("constant_norm_rescale") => Ok(Normalisation::ConstantNormRescale),
            Some("layer_norm") => Ok(Normalisation::LayerNorm),
            Some(other) => Err(refused(
                "normalize_activations",
                &format!("is \"{other}\""),
                "none, constant_norm_rescale, layer_norm; fold expected_average_only_in into the \
                 weights first",
            )),
        }
    }

    /// Settings that change the result and are not implemented.
    fn refuse_unknown(&self) -> Result<()> {
        if let Some(other) = self.text("reshape_activations")?
            && other != "none"
        {
            return Err(refused(
                "reshape_activations",
                &format!("is \"{other}\""),
                "none",
            ));
        }
        if self.flag("finetuning_scaling_factor", false)? {
            return Err(refused("finetuning_scaling_factor", "is true", "false"));
        }
        Ok(())
    }

    fn imported_record(&self) -> TrainingRecord {
        let mut about = BTreeMap::new();
        let mut sources = vec![self.0];
        sources.extend(self.0.get("metadata").and_then(Value::as_object));
        for source in sources {
            for name in [
                "model_name",
                "hook_name",
                "hook_point",
                "hook_layer",
                "hook_point_layer",
                "dataset_path",
                "context_size",
                "prepend_bos",
                "neuronpedia_id",
                "sae_lens_version",
            ] {
                match source.get(name) {
                    None | Some(Value::Null) => {}
                    Some(Value::String(text)) => {
                        about.insert(name.to_owned(), text.clone());
                    }
                    Some(other) => {
                        about.insert(name.to_owned(), other.to_string());
                    }
                }
            }
        }
        TrainingRecord {
            origin: "SAELens".to_owned(),
            about,
            ..TrainingRecord::default()
        }
    }

    fn size(&self, name: &str) -> Result<usize> {
        self.0
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|v| usize::try_from(v).ok())
            .filter(|v| *v > 0)
            .ok_or_else(|| {
                Error::invalid(
                    name,
                    format!("of {CONFIG_FILE} must be a whole number of at least 1"),
                )
            })
    }

    fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(refused(name, &format!("is {other}"), "a string")),
        }
    }

    fn flag(&self, name: &str, missing: bool) -> Result<bool> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(missing),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(refused(name, &format!("is {other}"), "true or false")),
        }
    }
}

fn refused(field: &str, found: &str, accepted: &str) -> Error {
    Error::invalid(
        field,
        format!("of {CONFIG_FILE} {found}; accepted: {accepted}"),
    )
}

/// A tensor as f32, its shape checked.
fn tensor(tensors: &SafeTensors, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let view = tensors.tensor(name).map_err(|_| {
        let mut present = tensors.names();
        present.sort_unstable();
        Error::invalid(
            name,
            format!("is missing from {WEIGHTS_FILE}, which holds {present:?}"),
        )
    })?;
    if view.shape() != shape {
        return Err(Error::invalid(
            name,
            format!("has shape {:?}; {CONFIG_FILE} says {shape:?}", view.shape()),
        ));
    }
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect()),
        Dtype::F16 => Ok(bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|b| f16::from_le_bytes(*b).to_f32())
            .collect()),
        Dtype::BF16 => Ok(bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|b| bf16::from_le_bytes(*b).to_f32())
            .collect()),
        other => Err(Error::invalid(
            name,
            format!("has type {other:?}; accepted: F32, F16, BF16"),
        )),
    }
}

/// `[rows, columns]` to `[columns, rows]`, in tiles that fit the cache.
fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const TILE: usize = 64;
    let mut out = vec![0.0; matrix.len()];
    for row_tile in (0..rows).step_by(TILE) {
        for column_tile in (0..columns).step_by(TILE) {
            for column in column_tile..(column_tile + TILE).min(columns) {
                for row in row_tile..(row_tile + TILE).min(rows) {
                    out[column * rows + row] = matrix[row * columns + column];
                }
            }
        }
    }
    out
}

/// A named f32 tensor to be written.
struct Tensor<'a> {
    shape: Vec<usize>,
    values: Cow<'a, [f32]>,
}

impl View for &Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}

/// The bytes of the weights file: what is hashed is what is written.
pub(in crate::sae) fn weights(sae: &Sae) -> Result<Vec<u8>> {
    let (d, n) = (sae.d_in(), sae.n_latents());
    let parts = sae.parts();
    let mut tensors: Vec<(&str, Tensor)> = vec![
        (
            "W_enc",
            Tensor {
                shape: vec![d, n],
                values: Cow::Owned(transposed(&parts.w_enc_t, n, d)),
            },
        ),
        (
            "W_dec",
            Tensor {
                shape: vec![n, d],
                values: Cow::Borrowed(&parts.w_dec),
            },
        ),
        ("b_dec", vector(&parts.b_dec)),
    ];
    let uniform;
    match &parts.architecture {
        Architecture::Gated {
            b_gate,
            b_mag,
            r_mag,
        } => tensors.extend([
            ("b_gate", vector(b_gate)),
            ("b_mag", vector(b_mag)),
            ("r_mag", vector(r_mag)),
        ]),
        Architecture::JumpRelu { threshold } => {
            tensors.extend([
                ("b_enc", vector(&parts.b_enc)),
                ("threshold", vector(threshold)),
            ]);
        }
        Architecture::BatchTopK { threshold, .. } => {
            uniform = vec![*threshold; n];
            tensors.extend([
                ("b_enc", vector(&parts.b_enc)),
                ("threshold", vector(&uniform)),
            ]);
        }
        Architecture::Standard | Architecture::TopK { .. } | Architecture::GroupMax { .. } => {
            tensors.push(("b_enc", vector(&parts.b_enc)));
        }
    }
    safetensors::serialize(tensors.iter().map(|(name, t)| (*name, t)), None)
        .map_err(|e| Error::internal("the weights could not be serialised").with_source(e))
}

fn vector(values: &[f32]) -> Tensor<'_> {
    Tensor {
        shape: vec![values.len()],
        values: Cow::Borrowed(values),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|e| Error::internal(format!("could not read {}", path.display())).with_source(e))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
