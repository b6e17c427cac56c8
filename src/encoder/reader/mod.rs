//! Text -> the states of its tokens at one layer of a model.
//!
//! | what | where |
//! |---|---|
//! | Which model, which weights? | `config` (safetensors folders), `gguf`, `gguf_tensors` |
//! | How does a model compute? | `encoder::network` |
//! | What becomes of a text? | `chat`, `text` |
//! | Who computes which batch? | `run` |
//!
//! The state of a token "at layer L" is the residual stream after layer L, counted from 0:
//! SAELens' `blocks.L.hook_resid_post`, `hidden_states[L + 1]` in transformers. For encoders of the
//! BERT family, whose layers end in a norm, it is the output of layer L. Nothing above the layer is
//! loaded or run.
//!
//! **Architecture Invariant:** a state depends on its text, the model and the [`TokenReading`] only,
//! never on what else was in its batch.

mod chat;
mod config;
mod gguf;
mod gguf_tensors;
mod run;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};

use tokenizers::Tokenizer;

use super::architecture::{Architecture, load_llama};
use super::folder::{self, Hub, ModelFolder};
use super::kernels::{Arithmetic, Engine};
use super::network::Network;
use super::weights::{SafetensorsFolder, sha256_of_file};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::reading::{ChatTemplate, CodePooling, Precision, TokenPolicy, TokenReading};
use chat::ModelTemplate;
use gguf::GgufFile;
use run::Workers;
use text::{Texts, Wrapping};

pub use run::{ReadToken, TokenBatch};
pub use text::TokenSpan;

/// Longest window unless asked otherwise: that of Jiang et al. 2025.
const WINDOW: usize = 2048;

/// Options for opening a [`Reader`].
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderOptions {
    /// The layer, counted from 0; states are the residual stream after it.
    pub layer: usize,
    /// Cores that one call may use; 0 for all.
    pub threads: usize,
    /// What a text is wrapped in: `none`, `model` (the model's own chat template), `chatml` or
    /// `llama-3`.
    pub chat_template: String,
    /// Whether a decoder's beginning-of-sequence token, where it has one, stands before a text that
    /// is not wrapped. Without it the first token of a text collects attention, and its state says
    /// little about the text.
    pub prepend_bos: bool,
    /// Tokens of a window; `None` for the model's context, 2,048 at most.
    pub window: Option<usize>,
    /// Tokens of the text by which the next window starts later; `None` for seven eighths of those
    /// in a window.
    pub stride: Option<usize>,
    /// Which tokens other than those of the text are read.
    pub tokens: TokenPolicy,
    /// Name of the model in the [`TokenReading`]; `None` takes the hub id or the file's name.
    pub name: Option<String>,
    /// Number format of products with weights.
    pub precision: Precision,
    /// Reads what is on this machine only, and asks no hub.
    pub offline: bool,
}

impl ReaderOptions {
    /// The options for a layer: no chat template, the whole text, its own tokens only.
    pub fn at_layer(layer: usize) -> Self {
        Self {
            layer,
            threads: 0,
            chat_template: "none".to_owned(),
            prepend_bos: true,
            window: None,
            stride: None,
            tokens: TokenPolicy::default(),
            name: None,
            precision: Precision::default(),
            offline: false,
        }
    }
}

/// A model of the BERT or the Llama family or ModernBERT, read at one layer.
///
/// It is immutable after opening; share it through an `Arc`.
///
/// # Example
/// ```no_run
/// use latentdb::encoder::reader::{Reader, ReaderOptions};
/// use latentdb::progress::Progress;
///
/// let reader = Reader::open("SmolLM2-135M-Instruct.Q4_1.gguf", &ReaderOptions::at_layer(15))?;
/// let mut states: Vec<f32> = Vec::new();
/// reader.read(
///     &["a text", "another"],
///     &Progress::default(),
///     &|batch| Ok(batch.states.to_vec()),
///     &mut |batch| {
///         states.extend(batch);
///         Ok(())
///     },
/// )?;
/// assert_eq!(states.len() % reader.width(), 0);
/// # Ok::<(), latentdb::error::Error>(())
/// ```
pub struct Reader {
    model: Network,
    texts: Texts,
    reading: TokenReading,
    layers: usize,
    threads: usize,
}

/// A model and what goes with it, before texts are made ready for it.
struct Opened {
    model: Network,
    tokenizer: Tokenizer,
    weights_sha256: String,
    chat_template: Option<ChatTemplate>,
    bos: Option<u32>,
    /// Layers of the whole model.
    layers: usize,
    window: usize,
    is_causal: bool,
}

impl Reader {
    /// Opens a GGUF file, a safetensors folder (`config.json`, `tokenizer.json`, weights in one file
    /// or in shards), or the folder of a hub id.
    ///
    /// # Errors
    /// `InvalidArgument` naming `layer`, `window`, `stride` or `chat_template` where it does not fit
    /// the model, `NotFound` for files that are not there, `FailedPrecondition` naming what is not
    /// run, `Corrupted` for files that do not fit together.
    pub fn open(model: &str, options: &ReaderOptions) -> Result<Self> {
        let hub = Hub::of_user(options.offline);
        Self::open_with(model, options, &hub, Engine::detect())
    }

    fn open_with(model: &str, options: &ReaderOptions, hub: &Hub, engine: Engine) -> Result<Self> {
        let arithmetic = Arithmetic {
            engine,
            precision: options.precision,
        };
        let path = Path::new(model);
        let is_gguf = path
            .extension()
            .is_some_and(|extension| extension == "gguf");
        let opened = if is_gguf {
            open_gguf(path, options, arithmetic)?
        } else {
            open_folder(folder::locate(model, hub)?, options, arithmetic)?
        };
        let is_causal = opened.is_causal;
        let wrapping = match (&opened.chat_template, is_causal) {
            (Some(template), _) => Wrapping::Chat(template),
            (None, true) => Wrapping::Bos(opened.bos.filter(|_| options.prepend_bos)),
            (None, false) => Wrapping::Own,
        };
        let prepend_bos = matches!(wrapping, Wrapping::Bos(Some(_)));
        let texts = Texts::new(
            opened.tokenizer,
            &wrapping,
            options.tokens,
            is_causal,
            opened.window,
            options.stride,
        )?;
        let reading = TokenReading {
            model: options
                .name
                .clone()
                .unwrap_or_else(|| match path.file_name() {
                    Some(file) if is_gguf => file.to_string_lossy().into_owned(),
                    _ => folder::display_name(model),
                }),
            weights_sha256: opened.weights_sha256,
            layer: options.layer,
            prepend_bos,
            window: texts.window(),
            chat_template: opened.chat_template,
            tokens: options.tokens,
            pooling: CodePooling::default(),
            normalisation: "none".to_owned(),
            precision: options.precision,
        };
        Ok(Self {
            model: opened.model,
            texts,
            reading,
            layers: opened.layers,
            threads: super::cores(options.threads),
        })
    }

    /// Values of a state.
    pub fn width(&self) -> usize {
        self.model.width()
    }

    /// Layers of the whole model.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// What is read: the record that SAEs and collections keep. Its `pooling` and `normalisation`
    /// are those of an SAE that does nothing more.
    pub fn reading(&self) -> &TokenReading {
        &self.reading
    }

    /// Reads `texts`, whole: a batch of token states goes through `work` on a worker thread, and
    /// its result to `sink` on the calling one, in the order of the texts. `progress` counts texts. A
    /// text without tokens has no states.
    ///
    /// # Errors
    /// `Cancelled` when `progress` was stopped, those of `work` and `sink`, and `Internal` when the
    /// tokenizer fails on a text.
    pub fn read<T: Send>(
        &self,
        texts: &[&str],
        progress: &Progress,
        work: &(dyn Fn(TokenBatch<'_>) -> Result<T> + Sync),
        sink: &mut dyn FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let workers = Workers {
            model: &self.model,
            texts: &self.texts,
            threads: self.threads,
        };
        workers.run(texts, progress, work, sink)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("reading", &self.reading)
            .field("width", &self.width())
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// The number of layers to run, or an error that names the layers there are.
fn layers_to_run(layer: usize, layers: usize) -> Result<usize> {
    if layer < layers {
        return Ok(layer + 1);
    }
    Err(Error::invalid(
        "layer",
        format!("is {layer}; this model has layers 0 to {}", layers - 1),
    ))
}

/// The window that was asked for, or the usual one, within the model's context.
fn window_length(options: &ReaderOptions, context: usize) -> Result<usize> {
    let length = options.window.unwrap_or(context.min(WINDOW));
    if (2..=context).contains(&length) {
        return Ok(length);
    }
    Err(Error::invalid(
        "window",
        format!("is {length} tokens; this model takes 2 to {context}"),
    ))
}

fn open_gguf(path: &Path, options: &ReaderOptions, arithmetic: Arithmetic) -> Result<Opened> {
    let file = GgufFile::open(path)?;
    let config = file.config(path)?;
    let window = window_length(options, config.context)?;
    let run = layers_to_run(options.layer, config.layers)?;
    let chat_template = chat::resolve(&options.chat_template, &file.chat_template())?;
    let tokenizer = file.tokenizer(path)?;
    let layers = config.layers;
    let mut tensors = file.tensors(path, &config)?;
    let network = load_llama(&mut tensors, &config, run, false, window, arithmetic)?;
    Ok(Opened {
        model: Network::PreNorm(network),
        tokenizer,
        weights_sha256: sha256_of_file(path)?,
        chat_template,
        bos: file.bos(),
        layers,
        window,
        is_causal: true,
    })
}

fn open_folder(path: PathBuf, options: &ReaderOptions, arithmetic: Arithmetic) -> Result<Opened> {
    let config_path = path.join("config.json");
    let config = config::read(&config_path)?;
    let architecture = Architecture::read(&config, &config_path.display().to_string())?;
    if !architecture.is_causal() {
        return open_encoder(path, options, arithmetic);
    }
    let window = window_length(options, architecture.context().unwrap_or(WINDOW))?;
    let run = layers_to_run(options.layer, architecture.layers())?;
    let template = config::chat_template(&path)?;
    let chat_template = chat::resolve(&options.chat_template, &template)?;
    let tokenizer = read_tokenizer(&path.join("tokenizer.json"))?;
    let bos = bos_of(&template, &tokenizer, &config["bos_token_id"]);
    let mut weights = SafetensorsFolder::open(&path)?;
    Ok(Opened {
        model: architecture.load(&mut weights, Some(run), window, arithmetic)?,
        tokenizer,
        weights_sha256: weights.sha256(),
        chat_template,
        bos,
        layers: architecture.layers(),
        window,
        is_causal: true,
    })
}

/// The beginning-of-sequence token: what the tokenizer's own configuration names; where it has
/// none, what the model's does.
fn bos_of(
    template: &ModelTemplate,
    tokenizer: &Tokenizer,
    model: &serde_json::Value,
) -> Option<u32> {
    match &template.bos {
        Some(token) => tokenizer.token_to_id(token),
        // A tokenizer that names other tokens has no such token (Qwen2).
        None if template.eos.is_some() => None,
        None => model.as_u64().and_then(|id| u32::try_from(id).ok()),
    }
}

/// A model whose tokens see those behind them.
fn open_encoder(path: PathBuf, options: &ReaderOptions, arithmetic: Arithmetic) -> Result<Opened> {
    let folder = ModelFolder::read(path)?;
    if options.chat_template != "none" {
        return Err(Error::invalid(
            "chat_template",
            format!("is {:?}; an encoder takes none", options.chat_template),
        ));
    }
    let architecture = &folder.architecture;
    let run = layers_to_run(options.layer, architecture.layers())?;
    let window = match options.window {
        None => folder.max_tokens.min(WINDOW),
        Some(_) => window_length(options, architecture.context().unwrap_or(WINDOW))?,
    };
    let tokenizer = read_tokenizer(&folder.tokenizer())?;
    let mut weights = SafetensorsFolder::open(&folder.path)?;
    Ok(Opened {
        model: architecture.load(&mut weights, Some(run), window, arithmetic)?,
        tokenizer,
        weights_sha256: weights.sha256(),
        chat_template: None,
        bos: None,
        layers: architecture.layers(),
        window,
        is_causal: false,
    })
}

fn read_tokenizer(path: &Path) -> Result<Tokenizer> {
    if !path.is_file() {
        return Err(Error::not_found(format!("{} is not there", path.display())));
    }
    Tokenizer::from_file(path).map_err(|error| {
        Error::corrupted(format!("{} is not a usable tokenizer", path.display())).with_source(error)
    })
}
