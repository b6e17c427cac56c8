//! Text -> dense vector, for any sentence encoder of the BERT family; text -> token states, for
//! those and for decoders of the Llama family (`reader`).
//!
//! `folder` finds a model and reads what its folder says, `tokens` makes token ids, `bert` runs
//! the network on `kernels`, `schedule` spreads many texts over the cores, and `batching` gathers
//! concurrent requests of an async server into shared batches. `hub` fetches single files.
//!
//! **Architecture Invariant:** nothing here knows collections, latents or wire types; a vector
//! depends on the text, the model and [`EncoderIdentity`] only, never on what else was in its
//! batch.

mod batching;
mod bert;
#[cfg(test)]
mod fixtures;
mod folder;
mod hub;
mod kernels;
pub mod reader;
mod schedule;
mod tokens;

use std::fmt;

use sha2::{Digest, Sha256};

pub use batching::BatchingEncoder;
pub use hub::HubPlace;

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::progress::Progress;
pub use crate::reading::{EncoderIdentity, Pooling, Precision};
use bert::{Bert, Scratch};
use folder::{Hub, ModelFolder};
use kernels::{Arithmetic, Engine};
use schedule::{ScratchPool, Workers};
use tokens::Tokens;

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
/// use latentdb::encoder::{EncoderOptions, SentenceEncoder};
/// use latentdb::progress::Progress;
///
/// let encoder = SentenceEncoder::open("models/all-MiniLM-L6-v2", &EncoderOptions::default())?;
/// let vectors = encoder.encode(&["a text", "another"], &Progress::default())?;
/// assert_eq!(vectors.len(), 2 * encoder.dimension());
/// # Ok::<(), latentdb::error::Error>(())
/// ```
pub struct SentenceEncoder {
    bert: Bert,
    tokens: Tokens,
    identity: EncoderIdentity,
    threads: usize,
    scratches: ScratchPool,
}

impl SentenceEncoder {
    /// Opens the model in a folder (sentence-transformers layout: `config.json`,
    /// `model.safetensors`, `tokenizer.json`, and what refines them), or of a hub id, which is
    /// looked up in the hub's cache first and downloaded otherwise.
    ///
    /// # Errors
    /// `NotFound` for a folder or file that is not there, `Unavailable` for a model that cannot be
    /// downloaded, `FailedPrecondition` for an architecture, module or pooling that this encoder
    /// does not run, `Corrupted` for files that do not fit together, `InvalidArgument` for a
    /// `max_tokens` outside the model's positions.
    pub fn open(model: &str, options: &EncoderOptions) -> Result<Self> {
        let hub = Hub::of_user(options.offline);
        Self::open_with(model, options, &hub, Engine::detect())
    }

    fn open_with(model: &str, options: &EncoderOptions, hub: &Hub, engine: Engine) -> Result<Self> {
        let folder = ModelFolder::read(folder::locate(model, hub)?)?;
        let positions = folder.config.max_position_embeddings - folder.first_position;
        let max_tokens = options.max_tokens.unwrap_or(folder.max_tokens);
        if !(LEAST_MAX_TOKENS..=positions).contains(&max_tokens) {
            return Err(Error::invalid(
                "max_tokens",
                format!("is {max_tokens}; this model takes {LEAST_MAX_TOKENS} to {positions}"),
            ));
        }
        let tokens = Tokens::read(&folder.tokenizer(), max_tokens)?;
        let weights = std::fs::read(folder.weights())?;
        let identity = EncoderIdentity {
            model: options
                .name
                .clone()
                .unwrap_or_else(|| folder::display_name(model)),
            weights_sha256: hex(Sha256::digest(&weights)),
            layer: None,
            pooling: folder.pooling,
            normalised: folder.normalised,
            max_tokens,
            precision: options.precision,
        };
        let bert = Bert::load(
            weights,
            &folder.config,
            folder.first_position,
            folder.config.num_hidden_layers,
            Arithmetic {
                engine,
                precision: options.precision,
            },
        )?;
        Ok(Self {
            bert,
            tokens,
            identity,
            threads: cores(options.threads),
            scratches: ScratchPool::default(),
        })
    }

    /// Values per vector.
    pub fn dimension(&self) -> usize {
        self.bert.width()
    }

    /// Longest sequence in tokens, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.tokens.max_tokens()
    }

    /// What makes vectors of this encoder comparable to others.
    pub fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    /// Tokens that encoding `texts` processes, special ones included, after truncation.
    ///
    /// # Errors
    /// `Internal` when the tokenizer fails on a text.
    pub fn count_tokens(&self, texts: &[&str]) -> Result<usize> {
        texts
            .iter()
            .map(|text| self.tokens.encode(text).map(|ids| ids.len()))
            .sum()
    }

    /// How many of `texts` have more tokens than are read, so that their vectors are of their beginning.
    ///
    /// # Errors
    /// `Internal` when the tokenizer fails on a text.
    pub fn count_cut(&self, texts: &[&str]) -> Result<usize> {
        texts
            .iter()
            .map(|text| self.tokens.is_cut(text).map(usize::from))
            .sum()
    }

    /// The vectors of `texts`, row-major `[texts.len(), dimension]`, in the order of the texts.
    ///
    /// An empty text has a vector: that of the special tokens alone. `progress` counts texts, batch
    /// by batch. The calling thread is busy (or waits) until the last row.
    ///
    /// # Errors
    /// `Cancelled` when `progress` was stopped, `Internal` when the tokenizer fails on a text.
    pub fn encode(&self, texts: &[&str], progress: &Progress) -> Result<Vec<f32>> {
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
        let width = self.dimension();
        let mut states = self.bert.forward(&sequences, scratch)?;
        let mut vectors = vec![0.0; texts.len() * width];
        for (sequence, vector) in sequences.iter().zip(vectors.chunks_exact_mut(width)) {
            let (own, rest) = states.split_at(sequence.len() * width);
            states = rest;
            self.pool(own, vector);
        }
        Ok(vectors)
    }

    /// `vector` from the states of one sequence, `[length, dimension]`.
    fn pool(&self, states: &[f32], vector: &mut [f32]) {
        let rows = match self.identity.pooling {
            Pooling::Mean => states.len() / vector.len(),
            Pooling::Cls => 1,
        };
        for row in states.chunks_exact(vector.len()).take(rows) {
            for (sum, &value) in vector.iter_mut().zip(row) {
                *sum += value;
            }
        }
        let scale = if self.identity.normalised {
            // The direction of a sum is that of its mean. A zero vector stays one.
            let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
            length.max(1e-12).recip()
        } else {
            (rows.max(1) as f32).recip()
        };
        for value in vector {
            *value *= scale;
        }
    }
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
