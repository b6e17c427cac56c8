//! What a collection records of its models, typed: parsed once per generation, shared by every
//! request on it.

use std::sync::Arc;

use latentdb_index::CollectionRecord;
use serde::{Deserialize, Serialize};

use crate::encoder::EncoderIdentity;
use crate::error::{Error, Result};
use crate::reading::{PooledReading, Reading, TokenReading};
use crate::sae::{Normalisation, Recurrence, Sae, TrainingRecord};

/// Where labels of latents that clients bring without an SAE are kept.
const CLIENT_LATENTS: &str = "client";

/// A collection's record with the records of its models parsed.
#[derive(Clone, Debug)]
pub struct Spec {
    /// What the catalog keeps of the collection.
    pub record: Arc<CollectionRecord>,
    /// The encoder that makes its vectors, if any.
    pub encoder: Option<EncoderRecord>,
    /// Its SAEs; the first is the default.
    pub saes: Vec<SaeSpec>,
}

/// One SAE of a collection.
#[derive(Clone, Debug)]
pub struct SaeSpec {
    /// Its name in the collection; empty for the one that was attached without a name.
    pub name: String,
    /// Its latents.
    pub n_latents: usize,
    /// What is recorded of it; `None` where clients bring latents of an SAE they keep to themselves.
    pub sae: Option<SaeRecord>,
    /// The reader whose token states it reads; `None` where it reads the vectors.
    pub reader: Option<ReaderRecord>,
}

/// What a collection records of the encoder that makes its vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderRecord {
    /// As the user named it.
    pub model: String,
    /// Which weights it was and how they are used; checked whenever the model is opened.
    pub identity: EncoderIdentity,
    /// Values of a vector.
    pub dimension: usize,
}

/// What a collection records of an SAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaeRecord {
    /// Its hash ([`Sae::hash`]); it lies under this name in the data directory.
    pub sha256: String,
    /// Values of the vectors it reads.
    pub d_in: usize,
    /// Its latents.
    pub n_latents: usize,
    /// Latents active at once, where that is fixed.
    pub k: Option<usize>,
    /// Its architecture's name.
    pub architecture: String,
    /// Where it came from.
    pub training: TrainingRecord,
    /// What it does to a vector first.
    pub normalisation: Normalisation,
    /// What it reads.
    pub level: Level,
    /// What the collection asks of its fit.
    pub gate: Gate,
}

/// What a collection asks of its SAE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gate {
    /// The highest FVU that is accepted. `None`: that of the SAE's own training plus .1, or plus half
    /// of it where that is more; .6 for an SAE without a record of its training.
    pub limit: Option<f64>,
    /// Log a worse one instead of refusing it.
    pub warn: bool,
}

impl Gate {
    /// Checks the limit.
    ///
    /// # Errors
    /// `InvalidArgument` naming `fvu_limit` when it is not above 0.
    pub fn check(&self) -> Result<()> {
        match self.limit {
            Some(limit) if limit <= 0.0 || limit.is_nan() => Err(Error::invalid(
                "fvu_limit",
                format!("is {limit}; a number above 0 is accepted"),
            )),
            _ => Ok(()),
        }
    }
}

/// What an SAE reads; the two levels never mix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One vector per document.
    #[default]
    Pooled,
    /// The states of tokens; their codes are pooled.
    Token,
}

impl Level {
    /// The name that records show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::Token => "token",
        }
    }
}

/// What a collection records of the reader of an SAE of level token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReaderRecord {
    /// What is read and how codes are pooled; checked whenever the model is opened.
    pub reading: TokenReading,
    /// Values of a state.
    pub width: usize,
    /// Whether the place where a latent is strongest is stored with each document.
    pub positions: bool,
}

impl SaeRecord {
    /// What there is to record of an SAE.
    pub fn of(sae: &Sae) -> Self {
        Self {
            sha256: sae.hash().to_owned(),
            d_in: sae.d_in(),
            n_latents: sae.n_latents(),
            k: sae.k(),
            architecture: sae.architecture().name().to_owned(),
            training: sae.record().clone(),
            normalisation: sae.normalisation(),
            // A hook that no reader gives is one of tokens all the same.
            level: match sae.record().made_for() {
                Ok(None | Some(Reading::Pooled(_))) => Level::Pooled,
                Ok(Some(Reading::Token(_))) | Err(_) => Level::Token,
            },
            gate: Gate::default(),
        }
    }

    /// How often its latents come back in SAEs of other seeds, where that was measured.
    pub fn recurrence(&self) -> Option<&Recurrence> {
        self.training.recurrence.as_ref()
    }
}

impl ReaderRecord {
    /// The record with an SAE in the place of the one it was made with.
    ///
    /// # Errors
    /// `InvalidArgument` naming `sae` where it reads states of another width.
    pub(super) fn with_sae(&self, sae: &Sae) -> Result<Self> {
        if sae.d_in() != self.width {
            return Err(Error::invalid(
                "sae",
                format!(
                    "reads {} values; {} gives {}",
                    sae.d_in(),
                    self.reading.describe(),
                    self.width
                ),
            ));
        }
        let mut changed = self.clone();
        changed.reading.normalisation = sae.normalisation().name().to_owned();
        Ok(changed)
    }
}

impl SaeSpec {
    /// An SAE that the server encodes with.
    pub(super) fn of(name: &str, sae: &Sae, gate: Gate, reader: Option<ReaderRecord>) -> Self {
        let level = match reader {
            Some(_) => Level::Token,
            None => Level::Pooled,
        };
        Self {
            name: name.to_owned(),
            n_latents: sae.n_latents(),
            sae: Some(SaeRecord {
                gate,
                level,
                ..SaeRecord::of(sae)
            }),
            reader,
        }
    }

    /// Latents of an SAE that clients keep to themselves.
    pub(super) fn of_clients(n_latents: usize) -> Self {
        Self {
            name: String::new(),
            n_latents,
            sae: None,
            reader: None,
        }
    }

    /// The typed form of a record of the catalog.
    pub(super) fn parse(attached: &latentdb_index::AttachedSae) -> Result<Self> {
        Ok(Self {
            name: attached.name.clone(),
            n_latents: attached.n_latents,
            sae: parse(attached.sae.as_ref())?,
            reader: parse(attached.reader.as_ref())?,
        })
    }

    /// The record as the catalog keeps it.
    pub(super) fn to_record(&self) -> Result<latentdb_index::AttachedSae> {
        Ok(latentdb_index::AttachedSae {
            name: self.name.clone(),
            n_latents: self.n_latents,
            sae: self.sae.as_ref().map(to_json).transpose()?,
            reader: self.reader.as_ref().map(to_json).transpose()?,
        })
    }

    /// The SAE's hash; a fixed word for latents that clients bring.
    pub fn hash(&self) -> &str {
        self.sae.as_ref().map_or(CLIENT_LATENTS, |sae| &sae.sha256)
    }

    /// What the collection asks of its fit.
    pub(super) fn gate(&self) -> Gate {
        self.sae.as_ref().map(|sae| sae.gate).unwrap_or_default()
    }
}

impl Spec {
    /// Parses a collection's record.
    ///
    /// # Errors
    /// `Corrupted` where a model's record is not readable.
    pub(super) fn parse(record: Arc<CollectionRecord>) -> Result<Self> {
        Ok(Self {
            encoder: parse(record.encoder.as_ref())?,
            saes: record
                .saes
                .iter()
                .map(SaeSpec::parse)
                .collect::<Result<_>>()?,
            record,
        })
    }

    /// What the collection's vectors are, to compare with what an SAE reads.
    pub(super) fn vectors(&self) -> Reading {
        Reading::Pooled(PooledReading {
            encoder: self
                .encoder
                .as_ref()
                .map(|encoder| encoder.identity.clone()),
        })
    }
}

fn parse<T: for<'a> Deserialize<'a>>(value: Option<&serde_json::Value>) -> Result<Option<T>> {
    value
        .map(T::deserialize)
        .transpose()
        .map_err(|error| Error::corrupted("a model's record is not readable").with_source(error))
}

/// The JSON that a record is kept as.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| Error::internal("a record").with_source(error))
}
