//! Where a model lies and what its folder says: the sentence-transformers layout.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result};
use crate::reading::{Pooling, Prompts};

/// Files of a model, in its folder or in those of its modules. Weights may lie in several.
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];
const MODULES: &str = "modules.json";
const PROMPTS: &str = "config_sentence_transformers.json";
/// Tokens of the longest sequence, in older folders and in newer ones.
const LENGTH: &str = "sentence_bert_config.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Tokens that no text of a collection has more of (a text has at most 1 MiB): the longest sequence of a model that
/// reads any.
const ANY_LENGTH: usize = 1 << 20;
/// Longest sequence of static vectors of model2vec whose configuration does not say.
const MODEL2VEC_LENGTH: usize = 512;

/// What a model folder says, files not yet read excepted.
pub(super) struct ModelFolder {
    /// The folder of the network.
    pub(super) path: PathBuf,
    /// The network, not yet loaded.
    pub(super) architecture: Architecture,
    /// The pooling of token states.
    pub(super) pooling: Pooling,
    /// What stands before texts.
    pub(super) prompts: Prompts,
    /// Whether vectors are scaled to unit length.
    pub(super) normalised: bool,
    /// Longest sequence, special tokens included.
    pub(super) max_tokens: usize,
    /// What of a text's tokens is read.
    pub(super) reads: Reads,
}

/// What of a text's tokens a network reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reads {
    /// The special tokens that the tokenizer puts around a text.
    pub(super) special: bool,
    /// The token that stands for what is not in the vocabulary.
    pub(super) unknown: bool,
    /// Whether a text is cut first at as many characters as the longest sequence has tokens of the median length.
    pub(super) characters: bool,
}

impl ModelFolder {
    /// Reads the small files of `path`.
    pub(super) fn read(path: PathBuf) -> Result<Self> {
        let modules = Modules::read(&path)?;
        let prompts = read_prompts(&path.join(PROMPTS))?;
        let network = path.join(&modules.network);
        check_files(&network, &path)?;
        let config_path = network.join(CONFIG);
        if modules.is_static {
            // Only model2vec writes a configuration.
            let config = read_optional::<Value>(&config_path)?;
            let length = config
                .as_ref()
                .map_or(ANY_LENGTH, |config| match &config["max_length"] {
                    Value::Null if config.get("max_length").is_some() => ANY_LENGTH,
                    length => length
                        .as_u64()
                        .map_or(MODEL2VEC_LENGTH, |length| length as usize),
                });
            return Ok(Self {
                path: network,
                architecture: Architecture::Words,
                pooling: Pooling::Mean,
                prompts,
                normalised: modules.normalises,
                max_tokens: length.min(ANY_LENGTH),
                // As model2vec does.
                reads: Reads {
                    special: false,
                    unknown: config.is_none(),
                    characters: config.is_some() && length < ANY_LENGTH,
                },
            });
        }
        if !config_path.is_file() {
            return Err(missing(CONFIG, &network));
        }
        let architecture = Architecture::read(
            &read_json(&config_path)?,
            &config_path.display().to_string(),
        )?;
        let pooling = read_pooling(&path.join(modules.pooling).join(CONFIG), &prompts)?;
        let lengths = [
            read_optional::<Value>(&network.join(LENGTH))?
                .map(|value| value["max_seq_length"].clone()),
            read_optional::<Value>(&network.join(TOKENIZER_CONFIG))?
                .map(|value| value["model_max_length"].clone()),
        ];
        // Tokenizers without a length say 1e30.
        let length = lengths.iter().flatten().find_map(Value::as_f64);
        let context = architecture.context().unwrap_or(ANY_LENGTH);
        Ok(Self {
            path: network,
            architecture,
            pooling,
            prompts,
            normalised: modules.normalises,
            max_tokens: length.map_or(context, |length| (length as usize).min(context)),
            reads: Reads {
                special: true,
                unknown: true,
                characters: false,
            },
        })
    }

    /// The tokenizer file.
    pub(super) fn tokenizer(&self) -> PathBuf {
        self.path.join(TOKENIZER)
    }
}

fn check_files(network: &Path, folder: &Path) -> Result<()> {
    let has = |file: &str| network.join(file).is_file();
    if !has(TOKENIZER) {
        return Err(missing(TOKENIZER, network));
    }
    if !WEIGHTS.iter().any(|file| has(file)) {
        return Err(missing(
            WEIGHTS[0],
            if network.is_dir() { network } else { folder },
        ));
    }
    Ok(())
}

fn missing(file: &str, folder: &Path) -> Error {
    Error::not_found(format!(
        "{} has no {file}; a sentence encoder needs {CONFIG}, {TOKENIZER} and {}",
        folder.display(),
        WEIGHTS.join(" or ")
    ))
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

    /// The snapshot of `id` in the cache, where it has what a network needs.
    pub(super) fn cached(&self, id: &str) -> Option<PathBuf> {
        let repo = Cache::new(self.cache.clone()).repo(Repo::model(id.to_owned()));
        let modules = repo.get(MODULES);
        let any = [CONFIG, TOKENIZER].iter().find_map(|file| repo.get(file));
        let folder = modules.or(any)?.parent()?.to_path_buf();
        let network = Modules::read(&folder).map_or(PathBuf::new(), |modules| modules.network);
        let network = folder.join(network);
        check_files(&network, &folder).ok()?;
        let shards = network.join(WEIGHTS[1]);
        let complete = !shards.is_file()
            || read_json::<Value>(&shards).is_ok_and(|index| {
                let files = index["weight_map"].as_object();
                let mut files = files.into_iter().flat_map(|map| map.values());
                files.all(|file| {
                    file.as_str()
                        .is_some_and(|file| network.join(file).is_file())
                })
            });
        complete.then_some(folder)
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
/// asked for, so that a failed transfer of an optional file is a failure, not another model; weights,
/// without which nothing in the cache counts as a model, come last.
fn fetch(repo: &ApiRepo) -> Result<PathBuf, ApiError> {
    let listing = repo.info()?.siblings;
    let names = listing.iter().map(|sibling| sibling.rfilename.as_str());
    let mut files: Vec<&str> = names.filter(|file| is_read(file)).collect();
    files.sort_by_key(|file| file.contains(".safetensors"));
    let mut root = None;
    for file in files {
        let path = repo.get(file)?;
        if !file.contains('/') {
            root = path.parent().map(Path::to_path_buf);
        }
    }
    match root {
        Some(root) => Ok(root),
        // Says what is missing.
        None => repo.get(TOKENIZER),
    }
}

/// Whether a file of a repository is one that an encoder reads: of the repository itself or of a module's folder, which
/// begins with the module's number.
fn is_read(file: &str) -> bool {
    let (module, name) = file.rsplit_once('/').unwrap_or(("", file));
    let is_module =
        !module.contains('/') && !module.starts_with(|first: char| !first.is_ascii_digit());
    let is_shard = name.starts_with("model-") && name.ends_with(".safetensors");
    let is_small = [CONFIG, TOKENIZER, LENGTH, TOKENIZER_CONFIG].contains(&name);
    let is_root = module.is_empty() && [MODULES, PROMPTS].contains(&name);
    is_module && (is_small || is_shard || is_root || WEIGHTS.contains(&name))
}

/// What `modules.json` says.
struct Modules {
    /// The folder of the network, in that of the model.
    network: PathBuf,
    /// That of the pooling.
    pooling: PathBuf,
    /// Whether the network is a table of static vectors.
    is_static: bool,
    /// Whether vectors are scaled to unit length.
    normalises: bool,
}

impl Modules {
    /// A folder without `modules.json` is a plain transformer, unless it has the configuration of model2vec: it gets mean
    /// pooling and unit length, since vectors are compared by cosine.
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MODULES);
        let mut read = Self {
            network: PathBuf::new(),
            pooling: PathBuf::from("1_Pooling"),
            is_static: false,
            normalises: true,
        };
        let Some(modules) = read_optional::<Vec<Value>>(&path)? else {
            // model2vec writes no such file where sentence-transformers is not to read it.
            let config = read_optional::<Value>(&folder.join(CONFIG))?.unwrap_or_default();
            if let (Some(normalises), true) = (
                config["normalize"].as_bool(),
                config["hidden_size"].is_null(),
            ) {
                (read.is_static, read.normalises) = (true, normalises);
            }
            return Ok(read);
        };
        read.normalises = false;
        for module in &modules {
            let kind = module["type"].as_str().unwrap_or_default();
            let place = module["path"].as_str().map(PathBuf::from);
            let is_plain = |place: &PathBuf| {
                place.components().all(|part| {
                    matches!(
                        part,
                        std::path::Component::Normal(_) | std::path::Component::CurDir
                    )
                })
            };
            if !place.iter().all(is_plain) {
                return Err(Error::corrupted(format!(
                    "{} names {:?}; a module lies in the model's folder",
                    path.display(),
                    place.unwrap_or_default()
                )));
            }
            match kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" => read.network = place.unwrap_or_default(),
                "StaticEmbedding" => {
                    read.network = place.unwrap_or_default();
                    read.is_static = true;
                }
                "Pooling" => read.pooling = place.unwrap_or(read.pooling),
                "Normalize" => read.normalises = true,
                // An SAE behind the encoder, which a collection attaches as one.
                "SparseAutoEncoder" => break,
                _ => {
                    return Err(Error::precondition(format!(
                        "{} has a module {kind:?}; Transformer, StaticEmbedding, Pooling, Normalize and \
                         SparseAutoEncoder are run",
                        path.display()
                    )));
                }
            }
        }
        Ok(read)
    }
}

/// The prompts of queries and documents: those of that name, of documents also `passage` and `corpus`, else the one that
/// is named the default.
fn read_prompts(path: &Path) -> Result<Prompts> {
    let Some(config) = read_optional::<Value>(path)? else {
        return Ok(Prompts::default());
    };
    let prompt = |name: &str| {
        config["prompts"][name]
            .as_str()
            .filter(|prompt| !prompt.is_empty())
    };
    let usual = config["default_prompt_name"].as_str().and_then(prompt);
    let of = |names: &[&str]| {
        let named = names.iter().find_map(|name| prompt(name));
        named.or(usual).unwrap_or_default().to_owned()
    };
    Ok(Prompts {
        query: of(&["query"]),
        document: of(&["document", "passage", "corpus"]),
    })
}

fn read_pooling(path: &Path, prompts: &Prompts) -> Result<Pooling> {
    let Some(value) = read_optional::<Value>(path)? else {
        return Ok(Pooling::Mean);
    };
    if value["include_prompt"] == Value::Bool(false) && *prompts != Prompts::default() {
        return Err(Error::precondition(format!(
            "{} leaves prompts out of the pooling (include_prompt); they are pooled here with their texts",
            path.display()
        )));
    }
    let modes: Vec<String> = match &value["pooling_mode"] {
        Value::String(mode) => vec![mode.clone()],
        Value::Array(modes) => modes
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        // Older folders have a switch for each.
        _ => {
            let switches = value.as_object().into_iter().flatten();
            let on = switches.filter(|(_, on)| **on == Value::Bool(true));
            let names = on.filter_map(|(name, _)| name.strip_prefix("pooling_mode_"));
            names
                .map(|name| match name {
                    "mean_sqrt_len_tokens" => name,
                    _ => name
                        .strip_suffix("_tokens")
                        .or(name.strip_suffix("_token"))
                        .unwrap_or(name),
                })
                .map(str::to_owned)
                .collect()
        }
    };
    match &modes[..] {
        [mode] => Pooling::of_name(mode),
        _ => None,
    }
    .ok_or_else(|| {
        Error::precondition(format!(
            "{} asks for the pooling {:?}; one of mean, cls, lasttoken, max, mean_sqrt_len_tokens and weightedmean \
             is run",
            path.display(),
            modes.join(" + ")
        ))
    })
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
