//! Text -> dense vector, for sentence encoders of the BERT family, ModernBERT, decoders of the Llama family and static
//! vectors; text -> token states, for all but the last (`reader`).
//!
//! `folder` finds a model and reads what its folder says, `architecture` what its `config.json` does, `weights` its
//! tensors; `tokens` makes token ids, `bert` and `prenorm` run the network (`network`) on `kernels`, `schedule` spreads
//! many texts over the cores, and `batching` gathers concurrent requests of an async server into shared batches. `hub`
//! fetches single files.
//!
//! **Architecture Invariant:** nothing here knows collections, latents or wire types; a vector
//! depends on the text, the model and [`EncoderIdentity`] only, never on what else was in its
//! batch.

mod architecture;
mod batching;
mod bert;
#[cfg(test)]
mod fixtures;
mod folder;
mod hub;
mod kernels;
mod network;
#[cfg(test)]
mod parity;
mod passages;
mod prenorm;
pub mod reader;
mod rope;
mod schedule;
mod scratch;
mod tokens;
mod weights;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use batching::BatchingEncoder;
pub use hub::HubPlace;
pub use passages::{Chunking, MIN_PASSAGE_TOKENS};

use crate::error::{Error, Result};
use crate::progress::Progress;
pub use crate::reading::{EncoderIdentity, Pooling, Precision, Prompts, Role};
use folder::{Hub, ModelFolder};
use kernels::{Arithmetic, Engine};
use network::Network;
use schedule::{ScratchPool, Workers};
use scratch::Scratch;
use tokens::Tokens;
use weights::SafetensorsFolder;

/// Fewest tokens that leave room for text between the special ones.
const LEAST_MAX_TOKENS: usize = 4;

/// Options for opening a [`SentenceEncoder`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncoderOptions {
    /// Cores that one call may use; 0 for all.
    pub threads: usize,
    /// Longest sequence in tokens, special tokens included; longer texts lose their end. `None`
    /// takes the model's own length.
    pub max_tokens: Option<usize>,
    /// Name of the model in its [`EncoderIdentity`]; `None` takes the hub id or the folder's name.
    pub name: Option<String>,
    /// Number format of products with weights.
    pub precision: Precision,
    /// What stands before queries; `None` takes what the model's folder says.
    pub query_prompt: Option<String>,
    /// What stands before documents; `None` takes what the model's folder says.
    pub document_prompt: Option<String>,
    /// The first values to keep of a vector (arXiv 2205.13147), scaled to unit length again where the model's are;
    /// `None` for all.
    pub dimensions: Option<usize>,
    /// Reads what is on this machine only, and asks no hub.
    pub offline: bool,
}

/// A sentence encoder: texts in, `f32` vectors out.
///
/// It is immutable after opening; share it through an `Arc`. Calls from several threads run side
/// by side, each on up to [`EncoderOptions::threads`] cores.
///
/// # Example
/// ```no_run
/// use latentdb::encoder::{EncoderOptions, Role, SentenceEncoder};
/// use latentdb::progress::Progress;
///
/// let encoder = SentenceEncoder::open("models/all-MiniLM-L6-v2", &EncoderOptions::default())?;
/// let vectors = encoder.encode(&["a text", "another"], Role::Document, &Progress::default())?;
/// assert_eq!(vectors.len(), 2 * encoder.dimension());
/// # Ok::<(), latentdb::error::Error>(())
/// ```
pub struct SentenceEncoder {
    network: Arc<Network>,
    tokens: Arc<Tokens>,
    /// Longest sequence that the network takes.
    context: usize,
    identity: EncoderIdentity,
    threads: usize,
    scratches: ScratchPool,
}

impl SentenceEncoder {
    /// Opens the model in a folder (layout of sentence-transformers or model2vec: `config.json`,
    /// `model.safetensors`, `tokenizer.json`, and what refines them), or of a hub id, which is
    /// looked up in the hub's cache first and downloaded otherwise.
    ///
    /// # Errors
    /// `NotFound` for a folder or file that is not there, `Unavailable` for a model that cannot be
    /// downloaded, `FailedPrecondition` for an architecture, module or pooling that this encoder
    /// does not run, `Corrupted` for files that do not fit together, `InvalidArgument` for
    /// `max_tokens` outside the model's positions and `dimensions` outside its vectors.
    pub fn open(model: &str, options: &EncoderOptions) -> Result<Self> {
        let hub = Hub::of_user(options.offline);
        Self::open_with(model, options, &hub, Engine::detect())
    }

    fn open_with(model: &str, options: &EncoderOptions, hub: &Hub, engine: Engine) -> Result<Self> {
        let folder = ModelFolder::read(folder::locate(model, hub)?)?;
        let context = folder.architecture.context().unwrap_or(folder.max_tokens);
        let tokens = Tokens::read(&folder.tokenizer(), folder.max_tokens, folder.reads)?;
        let mut weights = SafetensorsFolder::open(&folder.path)?;
        let arithmetic = Arithmetic {
            engine,
            precision: options.precision,
        };
        let network = folder
            .architecture
            .load(&mut weights, None, context, arithmetic)?;
        let own = Self {
            network: Arc::new(network),
            tokens: Arc::new(tokens),
            context,
            identity: EncoderIdentity {
                model: options
                    .name
                    .clone()
                    .unwrap_or_else(|| folder::display_name(model)),
                weights_sha256: weights.sha256(),
                layer: None,
                pooling: folder.pooling,
                prompts: folder.prompts,
                dimensions: None,
                normalised: folder.normalised,
                max_tokens: folder.max_tokens,
                precision: options.precision,
            },
            threads: cores(options.threads),
            scratches: ScratchPool::default(),
        };
        own.used_as(options)
    }

    /// The same network, used as `options` say: their prompts, dimensions and length where they have some, this encoder's
    /// where not. Weights are shared; name, precision and threads stay.
    ///
    /// # Errors
    /// `InvalidArgument` for `max_tokens` outside the model's positions and `dimensions` outside its vectors.
    pub fn used_as(&self, options: &EncoderOptions) -> Result<Self> {
        let own = &self.identity;
        let max_tokens = options.max_tokens.unwrap_or(own.max_tokens);
        if !(LEAST_MAX_TOKENS..=self.context).contains(&max_tokens) {
            let context = self.context;
            return Err(Error::invalid(
                "max_tokens",
                format!("is {max_tokens}; this model takes {LEAST_MAX_TOKENS} to {context}"),
            ));
        }
        let width = self.network.width();
        let dimensions = options.dimensions.or(own.dimensions).unwrap_or(width);
        if !(1..=width).contains(&dimensions) {
            return Err(Error::invalid(
                "dimensions",
                format!("is {dimensions}; a vector of this model has {width} values"),
            ));
        }
        let prompt = |given: &Option<String>, own: &String| given.as_ref().unwrap_or(own).clone();
        let tokens = match max_tokens == self.tokens.max_tokens() {
            true => self.tokens.clone(),
            false => Arc::new(self.tokens.cut_after(max_tokens)?),
        };
        Ok(Self {
            network: self.network.clone(),
            tokens,
            context: self.context,
            identity: EncoderIdentity {
                prompts: Prompts {
                    query: prompt(&options.query_prompt, &own.prompts.query),
                    document: prompt(&options.document_prompt, &own.prompts.document),
                },
                dimensions: (dimensions < width).then_some(dimensions),
                max_tokens,
                ..own.clone()
            },
            threads: self.threads,
            scratches: ScratchPool::default(),
        })
    }

    /// Values per vector.
    pub fn dimension(&self) -> usize {
        self.identity.dimensions.unwrap_or(self.network.width())
    }

    /// Longest sequence in tokens, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.tokens.max_tokens()
    }

    /// What makes vectors of this encoder comparable to others.
    pub fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    /// A text behind the prompt of its role, as it is tokenized.
    fn prompted<'t>(&self, text: &'t str, role: Role) -> Cow<'t, str> {
        match self.identity.prompts.of(role) {
            "" => Cow::Borrowed(text),
            prompt => Cow::Owned(format!("{prompt}{text}")),
        }
    }

    /// Tokens that encoding `texts` as documents processes, special ones and those of the prompt included, after
    /// truncation.
    ///
    /// # Errors
    /// `Internal` when the tokenizer fails on a text.
    pub fn count_tokens(&self, texts: &[&str]) -> Result<usize> {
        let tokens = |text| self.tokens.encode(&self.prompted(text, Role::Document));
        texts
            .iter()
            .map(|text| tokens(text).map(|ids| ids.len()))
            .sum()
    }

    /// How many of `texts`, documents, have more tokens than are read, so that their vectors are of their beginning.
    ///
    /// # Errors
    /// `Internal` when the tokenizer fails on a text.
    pub fn count_cut(&self, texts: &[&str]) -> Result<usize> {
        let is_cut = |text| self.tokens.is_cut(&self.prompted(text, Role::Document));
        texts.iter().map(|text| is_cut(text).map(usize::from)).sum()
    }

    /// Where the passages of a document's text lie in it, in bytes, without the white space around them: one for a
    /// text of as many tokens or less, none for one without words. They end at paragraphs, sentences or words where
    /// they can, and no character is left out.
    ///
    /// # Errors
    /// `InvalidArgument` naming `chunk.tokens` or `chunk.overlap`, `Internal` when the tokenizer fails on the text.
    pub fn passages(&self, text: &str, chunking: Chunking) -> Result<Vec<Range<usize>>> {
        let around = self.count_tokens(&[""])?;
        chunking.check(self.max_tokens().saturating_sub(around))?;
        self.tokens.passages(text, chunking)
    }

    /// The vectors of `texts`, row-major `[texts.len(), dimension]`, in the order of the texts.
    ///
    /// An empty text has a vector: that of the special tokens alone; of static vectors, zeros. `progress` counts
    /// texts, batch by batch. The calling thread is busy (or waits) until the last row.
    ///
    /// # Errors
    /// `Cancelled` when `progress` was stopped, `Internal` when the tokenizer fails on a text.
    pub fn encode(&self, texts: &[&str], role: Role, progress: &Progress) -> Result<Vec<f32>> {
        let texts: Vec<Cow<'_, str>> = texts.iter().map(|text| self.prompted(text, role)).collect();
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        self.encode_prompted(&texts, progress)
    }

    /// As [`Self::encode`], of texts that stand behind their prompts already.
    fn encode_prompted(&self, texts: &[&str], progress: &Progress) -> Result<Vec<f32>> {
        let batches = schedule::plan(texts, self.max_tokens(), self.threads);
        let encode = |texts: &[&str], scratch: &mut Scratch| self.encode_batch(texts, scratch);
        let workers = Workers {
            threads: self.threads,
            scratches: &self.scratches,
            encode: &encode,
        };
        workers.run(texts, &batches, self.dimension(), progress)
    }

    /// One batch on the calling thread: `[texts.len(), dimension]`.
    fn encode_batch(&self, texts: &[&str], scratch: &mut Scratch) -> Result<Vec<f32>> {
        let sequences = texts
            .iter()
            .map(|text| self.tokens.encode(text))
            .collect::<Result<Vec<_>>>()?;
        let width = self.network.width();
        let mut states = self.network.forward(&sequences, scratch)?;
        let mut vectors = vec![0.0; texts.len() * self.dimension()];
        for (sequence, vector) in sequences
            .iter()
            .zip(vectors.chunks_exact_mut(self.dimension()))
        {
            let (own, rest) = states.split_at(sequence.len() * width);
            states = rest;
            self.pool(own, vector);
        }
        Ok(vectors)
    }

    /// `vector` from the states of one sequence, `[length, width]`; zeros from none.
    fn pool(&self, states: &[f32], vector: &mut [f32]) {
        let width = self.network.width();
        let rows = states.chunks_exact(width);
        let count = rows.len();
        let pooling = self.identity.pooling;
        let weight = |place: usize| match pooling {
            Pooling::Mean | Pooling::MeanSqrtLen => 1.0,
            Pooling::WeightedMean => (place + 1) as f32,
            Pooling::Cls => f32::from(u8::from(place == 0)),
            Pooling::Last => f32::from(u8::from(place + 1 == count)),
            Pooling::Max => 0.0,
        };
        for (place, row) in rows.enumerate() {
            if pooling == Pooling::Max {
                for (most, &value) in vector.iter_mut().zip(row) {
                    *most = if place == 0 { value } else { most.max(value) };
                }
                continue;
            }
            let weight = weight(place);
            if weight != 0.0 {
                for (sum, &value) in vector.iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
        }
        let scale = if self.identity.normalised {
            // The direction of a sum is that of its mean. A zero vector stays one.
            let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
            length.max(1e-12).recip()
        } else {
            let count = count.max(1) as f32;
            match pooling {
                Pooling::Mean => count.recip(),
                Pooling::MeanSqrtLen => count.sqrt().recip(),
                Pooling::WeightedMean => 2.0 / (count * (count + 1.0)),
                Pooling::Cls | Pooling::Last | Pooling::Max => 1.0,
            }
        };
        for value in vector {
            *value *= scale;
        }
    }
}

/// The folder of a model of the hub: from its cache, or downloaded unless `offline`.
///
/// # Errors
/// `NotFound` for what is no id, `Unavailable` for a model that is not there.
pub(crate) fn of_hub(model: &str, offline: bool) -> Result<PathBuf> {
    folder::locate(model, &Hub::of_user(offline))
}

/// SHA-256 of a folder's weights, in hexadecimal, as [`EncoderIdentity`] has it.
///
/// # Errors
/// `NotFound` and `Corrupted` where there are none.
pub(crate) fn weights_sha256(folder: &Path) -> Result<String> {
    Ok(SafetensorsFolder::open(folder)?.sha256())
}

/// `threads`, or one per core for 0.
fn cores(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

impl fmt::Debug for SentenceEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentenceEncoder")
            .field("identity", &self.identity)
            .field("dimension", &self.dimension())
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
