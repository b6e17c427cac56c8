//! Texts to vectors, token states and latents with the models and the SAE of this process.

mod tokens;

use std::sync::Arc;

use latentdb_index::Activation;

use crate::encoder::SentenceEncoder;
use crate::encoder::reader::Reader;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::reading::{self, CodePooling, PooledReading, Reading, Role, TokenReading};
use crate::records::partial::{Partial, row_bytes};
use crate::records::rows::{ENCODER, READING};
use crate::records::shards::Batch;
use crate::sae::{Fit, Sae};
pub use tokens::TokenCoder;

/// Latents of a text, ascending.
type Latents = Vec<(u32, f32)>;

/// What makes rows of texts: a vector each, or the states of their tokens.
pub enum RowCoder {
    /// Vectors of whole texts.
    Vectors(Box<SentenceEncoder>),
    /// Token states.
    Tokens(Box<Reader>),
}

impl RowCoder {
    /// What is read of a text.
    pub fn reading(&self) -> Reading {
        match self {
            Self::Vectors(encoder) => Reading::Pooled(PooledReading {
                encoder: Some(encoder.identity().clone()),
            }),
            Self::Tokens(reader) => Reading::Token(reader.reading().clone()),
        }
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        match self {
            Self::Vectors(encoder) => encoder.dimension(),
            Self::Tokens(reader) => reader.width(),
        }
    }

    /// Adds the rows of texts to `partial`. `progress` counts texts.
    ///
    /// # Errors
    /// `Cancelled` when `progress` was stopped, `Internal` from the model and from writing.
    pub fn append(&self, texts: &[&str], partial: &mut Partial, progress: &Progress) -> Result<()> {
        match self {
            Self::Vectors(encoder) => partial.append(&row_bytes(&encoder.encode(
                texts,
                Role::Document,
                progress,
            )?)),
            Self::Tokens(reader) => reader.read(
                texts,
                progress,
                &|batch| Ok(row_bytes(batch.states)),
                &mut |states: Vec<u8>| partial.append(&states),
            ),
        }
    }

    /// Name and value of the metadata by which a file says what made its rows.
    ///
    /// # Errors
    /// `Internal` if the record is not JSON.
    pub fn record(&self) -> Result<(String, String)> {
        let (name, record) = match self {
            Self::Vectors(encoder) => (ENCODER, serde_json::to_string(encoder.identity())),
            Self::Tokens(_) => (READING, serde_json::to_string(&self.reading())),
        };
        let record =
            record.map_err(|error| Error::internal("a reading is not JSON").with_source(error))?;
        Ok((name.to_owned(), record))
    }
}

/// What makes vectors and latents of texts.
pub enum Coder {
    /// Vectors of whole texts, and their latents.
    Pooled {
        /// The model of the vectors.
        encoder: Box<SentenceEncoder>,
        /// The SAE of the vectors, if latents are made.
        sae: Option<Box<Sae>>,
        /// Cores to use; 0 for all.
        threads: usize,
    },
    /// Latents of tokens, pooled.
    Tokens {
        /// The model whose states are read, and the SAE that reads them.
        coder: TokenCoder,
        /// What the SAE reads, and the pooling.
        reading: Box<TokenReading>,
    },
}

impl Coder {
    /// Vectors of whole texts, and with an SAE their latents.
    ///
    /// # Errors
    /// `FailedPrecondition` for an SAE that reads something else.
    pub fn pooled(encoder: SentenceEncoder, sae: Option<Sae>, threads: usize) -> Result<Self> {
        let width = encoder.dimension();
        let coder = Self::Pooled {
            encoder: Box::new(encoder),
            sae: sae.map(Box::new),
            threads,
        };
        coder.checked(width)
    }

    /// Latents of tokens, pooled as in the SAE's training unless told otherwise.
    ///
    /// # Errors
    /// `FailedPrecondition` for an SAE that reads something else.
    pub fn tokens(reader: Reader, sae: Sae, pooling: Option<CodePooling>) -> Result<Self> {
        let made_for = sae.record().made_for()?;
        let trained = made_for.as_ref().and_then(Reading::token);
        let trained = trained.map(|trained| trained.pooling);
        let reading = TokenReading {
            pooling: pooling.or(trained).unwrap_or_default(),
            normalisation: sae.normalisation().name().to_owned(),
            ..reader.reading().clone()
        };
        let width = reader.width();
        let coder = TokenCoder::new(Arc::new(reader), Arc::new(sae), reading.pooling, false);
        let coder = Self::Tokens {
            coder,
            reading: Box::new(reading),
        };
        coder.checked(width)
    }

    fn checked(self, width: usize) -> Result<Self> {
        if let Some(sae) = self.sae() {
            let made_for = sae.record().made_for()?;
            reading::check(Some(&self.reading()), made_for.as_ref())?;
            if sae.d_in() != width {
                return Err(Error::precondition(format!(
                    "the SAE reads {} values; {} gives {width}",
                    sae.d_in(),
                    self.reading().describe()
                )));
            }
        }
        Ok(self)
    }

    /// The SAE that makes latents.
    pub fn sae(&self) -> Option<&Sae> {
        match self {
            Self::Pooled { sae, .. } => sae.as_deref(),
            Self::Tokens { coder, .. } => Some(coder.sae()),
        }
    }

    /// What is read of a text.
    pub fn reading(&self) -> Reading {
        match self {
            Self::Pooled { encoder, .. } => Reading::Pooled(PooledReading {
                encoder: Some(encoder.identity().clone()),
            }),
            Self::Tokens { reading, .. } => Reading::Token(TokenReading::clone(reading)),
        }
    }

    /// Makes vectors and latents of texts. `progress` counts texts.
    ///
    /// # Errors
    /// `Cancelled` when `progress` was stopped, `Internal` from the models.
    pub fn encode(&self, texts: &[&str], progress: &Progress) -> Result<Batch> {
        match self {
            Self::Pooled {
                encoder,
                sae,
                threads,
            } => {
                let vectors = encoder.encode(texts, Role::Document, progress)?;
                let codes = match sae {
                    Some(sae) => Some(sae.encode_parallel(&vectors, *threads)?),
                    None => None,
                };
                let rows = vectors.chunks_exact(encoder.dimension());
                Ok(Batch {
                    vectors: Some(rows.map(<[f32]>::to_vec).collect()),
                    latents: codes.map(|codes| codes.iter().map(pairs).collect()),
                })
            }
            Self::Tokens { coder, .. } => {
                let codes = coder.encode(texts, 0, &mut Fit::default(), progress)?;
                let pair = |one: Activation| (one.latent, one.activation);
                let codes = codes.into_iter();
                let latents = codes.map(|code| code.latents.into_iter().map(pair).collect());
                Ok(Batch {
                    vectors: None,
                    latents: Some(latents.collect()),
                })
            }
        }
    }
}

fn pairs((latents, activations): (&[u32], &[f32])) -> Latents {
    latents
        .iter()
        .copied()
        .zip(activations.iter().copied())
        .collect()
}
