//! Where a model lies and what its folder says: the sentence-transformers layout.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use candle_transformers::models::bert::Config;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::reading::Pooling;

/// Files without which there is no encoder.
const REQUIRED: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];
/// Files that refine it.
const OPTIONAL: [&str; 3] = [
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

/// What a model folder says, files not yet read excepted.
pub(super) struct ModelFolder {
    /// The folder itself.
    pub(super) path: PathBuf,
    /// Shapes.
    pub(super) config: Config,
    /// Row of the position table for the first token.
    pub(super) first_position: usize,
    /// The pooling of token states.
    pub(super) pooling: Pooling,
    /// Whether vectors are scaled to unit length.
    pub(super) normalised: bool,
    /// Longest sequence, special tokens included.
    pub(super) max_tokens: usize,
}

impl ModelFolder {
    /// Reads the small files of `path`.
    pub(super) fn read(path: PathBuf) -> Result<Self> {
        for file in REQUIRED {
            if !path.join(file).is_file() {
                return Err(Error::not_found(format!(
                    "{} has no {file}; a sentence encoder needs {}",
                    path.display(),
                    REQUIRED.join(", ")
                )));
            }
        }
        let (config, first_position) = read_config(&path.join(REQUIRED[0]))?;
        let (pooling_folder, normalised) = read_modules(&path.join(OPTIONAL[0]))?;
        let pooling = read_pooling(&path.join(pooling_folder).join("config.json"))?;
        let positions = config.max_position_embeddings - first_position;
        let max_tokens = read_optional::<Value>(&path.join(OPTIONAL[1]))?
            .and_then(|value| value["max_seq_length"].as_u64())
            .and_then(|length| usize::try_from(length).ok())
            .map_or(positions, |length| length.min(positions));
        Ok(Self {
            path,
            config,
            first_position,
            pooling,
            normalised,
            max_tokens,
        })
    }

    /// The weights file.
    pub(super) fn weights(&self) -> PathBuf {
        self.path.join(REQUIRED[2])
    }

    /// The tokenizer file.
    pub(super) fn tokenizer(&self) -> PathBuf {
        self.path.join(REQUIRED[1])
    }
}

/// The folder of `model`: itself where it is one, else that of the hub id, from the hub's cache or
/// through the network.
pub(super) fn locate(model: &str, hub: &Hub) -> Result<PathBuf> {
    let path = Path::new(model);
    if path.is_dir() {
        return Ok(path.to_path_buf());
    }
    if model.split('/').count() > 2 || !model.split('/').all(is_hub_name) {
        return Err(Error::not_found(format!(
            "{model} is neither a folder nor a model id such as \
             sentence-transformers/all-MiniLM-L6-v2"
        )));
    }
    match hub.cached(model) {
        Some(folder) => Ok(folder),
        None => hub.download(
            &format!("the model {model}"),
            Repo::model(model.to_owned()),
            fetch,
        ),
    }
}

/// Whether a part of a hub id can be one.
pub(super) fn is_hub_name(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed)
}

/// The hub as the environment describes it.
pub(super) struct Hub {
    pub(super) cache: PathBuf,
    pub(super) endpoint: Option<String>,
    pub(super) offline: bool,
}

impl Hub {
    /// The hub as the environment of this process describes it; `offline`, it is not asked.
    pub(super) fn of_user(offline: bool) -> Self {
        let hub = Self::from_env(|name| std::env::var_os(name));
        Self {
            offline: hub.offline || offline,
            ..hub
        }
    }

    /// `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`; `HF_ENDPOINT`;
    /// `HF_HUB_OFFLINE`.
    pub(super) fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let cache = variable("HF_HUB_CACHE")
            .map(PathBuf::from)
            .or_else(|| variable("HF_HOME").map(|home| PathBuf::from(home).join("hub")))
            .unwrap_or_else(|| Cache::default().path().clone());
        Self {
            cache,
            endpoint: variable("HF_ENDPOINT").and_then(|value| value.into_string().ok()),
            offline: variable("HF_HUB_OFFLINE")
                .is_some_and(|value| !["", "0", "false"].iter().any(|off| value == *off)),
        }
    }

    /// The snapshot of `id` in the cache, where it is complete.
    pub(super) fn cached(&self, id: &str) -> Option<PathBuf> {
        let repo = Cache::new(self.cache.clone()).repo(Repo::model(id.to_owned()));
        let files = REQUIRED
            .iter()
            .map(|file| repo.get(file))
            .collect::<Option<Vec<_>>>()?;
        files[0].parent().map(Path::to_path_buf)
    }

    /// What `get` takes from a repository through the network; an error says that `what` is missing.
    pub(super) fn download<T>(
        &self,
        what: &str,
        repo: Repo,
        get: impl FnOnce(&ApiRepo) -> Result<T, ApiError>,
    ) -> Result<T> {
        let missing = |reason: &str| {
            let cache = self.cache.display();
            let message = format!("{what} is not in {cache} and {reason}; give a local copy");
            Error::new(ErrorKind::Unavailable, message)
        };
        if self.offline {
            return Err(missing(
                "downloads are not allowed (HF_HUB_OFFLINE, or a server without --allow-downloads)",
            ));
        }
        let mut builder = ApiBuilder::from_cache(Cache::new(self.cache.clone()));
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        let api = builder.with_progress(false).build();
        api.and_then(|api| get(&api.repo(repo)))
            .map_err(|error| missing("cannot be downloaded").with_source(error))
    }
}

/// Downloads the files of a model and returns their folder. What the model does not have is not
/// asked for, so that a failed transfer of an optional file is a failure, not another model.
fn fetch(repo: &ApiRepo) -> Result<PathBuf, ApiError> {
    let listing = repo.info()?.siblings;
    for file in OPTIONAL {
        if listing.iter().any(|sibling| sibling.rfilename == file) {
            repo.get(file)?;
        }
    }
    for file in &REQUIRED[1..] {
        repo.get(file)?;
    }
    let mut folder = repo.get(REQUIRED[0])?;
    folder.pop();
    Ok(folder)
}

fn read_config(path: &Path) -> Result<(Config, usize)> {
    let mut value: Value = read_json(path)?;
    let model_type = value["model_type"].as_str().unwrap_or("bert").to_owned();
    if value["hidden_act"]
        .as_str()
        .is_some_and(|act| ["gelu_new", "gelu_pytorch_tanh", "gelu_fast"].contains(&act))
    {
        value["hidden_act"] = "geluapproximate".into();
    }
    // Fields of training that candle's structure requires and older files leave out.
    for (field, default) in [
        ("hidden_dropout_prob", Value::from(0.0)),
        ("initializer_range", Value::from(0.02)),
        ("layer_norm_eps", Value::from(1e-12)),
        ("pad_token_id", Value::from(0)),
        ("type_vocab_size", Value::from(2)),
    ] {
        if value[field].is_null() {
            value[field] = default;
        }
    }
    let config: Config = serde_json::from_value(value).map_err(|error| malformed(path, error))?;
    let first_position = match model_type.as_str() {
        "bert" => 0,
        // Positions are counted from the padding id on, which itself is position `pad_token_id`.
        "roberta" | "xlm-roberta" | "camembert" => config.pad_token_id + 1,
        other => {
            return Err(Error::precondition(format!(
                "{} describes a model of type {other}; this encoder runs bert, roberta, \
                 xlm-roberta and camembert",
                path.display()
            )));
        }
    };
    let sizes = [
        config.vocab_size,
        config.hidden_size,
        config.num_attention_heads,
        config.intermediate_size,
    ];
    if sizes.contains(&0)
        || !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        || config.max_position_embeddings <= first_position
    {
        return Err(Error::corrupted(format!(
            "{}: sizes must be positive and hidden_size a multiple of num_attention_heads",
            path.display()
        )));
    }
    Ok((config, first_position))
}

/// The pooling module's folder and whether a Normalize module follows.
///
/// A folder without `modules.json` is a plain transformer: it gets mean pooling and unit length,
/// since vectors are compared by cosine.
fn read_modules(path: &Path) -> Result<(PathBuf, bool)> {
    let mut pooling = PathBuf::from("1_Pooling");
    let Some(modules) = read_optional::<Vec<Value>>(path)? else {
        return Ok((pooling, true));
    };
    let mut normalised = false;
    for module in &modules {
        let kind = module["type"].as_str().unwrap_or_default();
        match kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" => {}
            "Pooling" => {
                if let Some(folder) = module["path"].as_str() {
                    pooling = folder.into();
                }
            }
            "Normalize" => normalised = true,
            _ => {
                return Err(Error::precondition(format!(
                    "{} has a module {kind:?}; this encoder runs Transformer, Pooling and \
                     Normalize",
                    path.display()
                )));
            }
        }
    }
    Ok((pooling, normalised))
}

fn read_pooling(path: &Path) -> Result<Pooling> {
    let Some(value) = read_optional::<Value>(path)? else {
        return Ok(Pooling::Mean);
    };
    let modes: Vec<&str> = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, on)| **on == Value::Bool(true))
        .filter_map(|(name, _)| name.strip_prefix("pooling_mode_"))
        .collect();
    match modes[..] {
        ["mean_tokens"] => Ok(Pooling::Mean),
        ["cls_token"] => Ok(Pooling::Cls),
        _ => Err(Error::precondition(format!(
            "{} asks for the pooling {:?}; this encoder does mean_tokens or cls_token",
            path.display(),
            modes.join(" + ")
        ))),
    }
}

fn read_optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if path.is_file() {
        read_json(path).map(Some)
    } else {
        Ok(None)
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&std::fs::read(path)?).map_err(|error| malformed(path, error))
}

fn malformed(path: &Path, error: serde_json::Error) -> Error {
    Error::corrupted(format!("{} is not what it should be", path.display())).with_source(error)
}

/// The hub id as it is, or the last part of a folder's path.
pub(super) fn display_name(model: &str) -> String {
    let path = Path::new(model);
    match path.file_name() {
        Some(name) if path.is_dir() => name.to_string_lossy().into_owned(),
        _ => model.to_owned(),
    }
}
