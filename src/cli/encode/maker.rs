//! Texts to vectors and latents, whichever way a shard is asked to make them.

use std::ops::ControlFlow;

use anyhow::bail;

use super::{Args, open_encoder, open_reader};
use crate::cli::interrupt::Interrupt;
use crate::encoder::SentenceEncoder;
use crate::encoder::reader::{ReadToken, Reader};
use crate::error::Result;
use crate::reading::{self, CodePooling, PooledReading, Reading, TokenReading};
use crate::records::shards::Batch;
use crate::sae::{CodePool, Codes, Sae};

/// Latents of a text, ascending.
type Latents = Vec<(u32, f32)>;

/// What makes vectors and latents.
pub(super) enum Maker {
    /// Vectors of whole texts, and their latents.
    Pooled {
        encoder: Box<SentenceEncoder>,
        sae: Option<Box<Sae>>,
        threads: usize,
    },
    /// Latents of tokens, pooled.
    Tokens {
        reader: Box<Reader>,
        sae: Box<Sae>,
        reading: Box<TokenReading>,
    },
}

impl Maker {
    /// Opens the models that the flags name, and checks that they fit each other.
    pub fn open(args: &Args, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let sae = args
            .sae
            .as_deref()
            .map(Sae::load)
            .transpose()?
            .map(Box::new);
        let made_for = match &sae {
            Some(sae) => sae.record().made_for()?,
            None => None,
        };
        let (maker, width) = if args.reader.reader.is_some() {
            let Some(sae) = sae else {
                bail!("--reader makes latents of tokens: name their SAE with --sae");
            };
            let reader = Box::new(open_reader(args, interrupt)?);
            let trained = made_for.as_ref().and_then(Reading::token);
            let trained = trained.map(|trained| trained.pooling);
            let reading = TokenReading {
                pooling: args.pooling.or(trained).unwrap_or_default(),
                normalisation: sae.normalisation().name().to_owned(),
                ..reader.reading().clone()
            };
            let width = reader.width();
            let maker = Self::Tokens {
                reader,
                sae,
                reading: Box::new(reading),
            };
            (maker, width)
        } else {
            let encoder = Box::new(open_encoder(args, interrupt)?);
            let width = encoder.dimension();
            let maker = Self::Pooled {
                encoder,
                sae,
                threads: args.threads,
            };
            (maker, width)
        };
        reading::check(Some(&maker.reading()), made_for.as_ref())?;
        if let Some(sae) = maker.sae()
            && sae.d_in() != width
        {
            bail!(
                "the SAE reads {} values; {} gives {width}",
                sae.d_in(),
                maker.reading().describe()
            );
        }
        Ok(maker)
    }

    /// The SAE that makes latents.
    pub fn sae(&self) -> Option<&Sae> {
        match self {
            Self::Pooled { sae, .. } => sae.as_deref(),
            Self::Tokens { sae, .. } => Some(sae),
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

    /// Makes what there is to make of texts. `progress` gets the texts done; `Break` gives up.
    pub fn make(
        &self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Batch> {
        match self {
            Self::Pooled {
                encoder,
                sae,
                threads,
            } => {
                let vectors = encoder.encode(texts, progress)?;
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
            Self::Tokens {
                reader,
                sae,
                reading,
            } => Ok(Batch {
                vectors: None,
                latents: Some(pooled(reader, sae, reading.pooling, texts, progress)?),
            }),
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

/// Codes of tokens, pooled text by text.
fn pooled(
    reader: &Reader,
    sae: &Sae,
    pooling: CodePooling,
    texts: &[&str],
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Latents>> {
    let mut made = vec![Latents::new(); texts.len()];
    let mut pool = CodePool::new(sae.n_latents(), pooling);
    let (mut text, mut token) = (0, 0);
    let mut close = |pool: &mut CodePool, text: usize| {
        if let Some(made) = made.get_mut(text) {
            let code = pool.finish();
            *made = code
                .iter()
                .map(|one| (one.latent, one.activation))
                .collect();
        }
    };
    reader.read(
        texts,
        &|batch| {
            let mut codes = Codes::new();
            sae.encode(batch.states, &mut codes)?;
            Ok((codes, batch.tokens.to_vec()))
        },
        &mut |(codes, tokens): (Codes, Vec<ReadToken>)| {
            // The tokens of a text follow one another.
            for (one, (latents, activations)) in tokens.iter().zip(codes.iter()) {
                if one.text != text {
                    close(&mut pool, text);
                    (text, token) = (one.text, 0);
                }
                pool.add(token, latents, activations);
                token += 1;
            }
            Ok(progress(text))
        },
    )?;
    close(&mut pool, text);
    Ok(made)
}
