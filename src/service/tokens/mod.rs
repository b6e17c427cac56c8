//! Collections of level token (METHODS section 2): texts become token states, states become codes,
//! codes are pooled. What such a collection records, and what keeps the two levels apart.

mod encode;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use latentdb_index::{CollectionRecord, NewCollection};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Service;
use super::collections::agree;
use super::gate::Gate;
use super::models::{EncoderRecord, Level, SaeRecord, encoder_record, to_json};
use crate::encoder::reader::{Reader, ReaderOptions};
use crate::error::{Error, Result, Within as _};
use crate::inputs::{self, Model};
use crate::reading::{CodePooling, PooledReading, Precision, Reading, TokenPolicy, TokenReading};
use crate::sae::Sae;

pub(super) use encode::TokenCoder;

/// The reader that a collection is made with. What is absent is as in the SAE's training, where
/// that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReaderRequest {
    /// A pinned model, a folder, a GGUF file or a hub id.
    pub model: String,
    /// The layer, counted from 0.
    pub layer: Option<usize>,
    /// What texts are wrapped in.
    pub chat_template: Option<String>,
    /// Tokens of a window.
    pub window: Option<usize>,
    /// Tokens of the text between the starts of two windows.
    pub stride: Option<usize>,
    /// Which tokens beside those of the text are read.
    pub tokens: Option<TokenPolicy>,
    /// Whether a beginning-of-sequence token stands before a text that is not wrapped.
    pub prepend_bos: Option<bool>,
    /// How codes are pooled.
    pub pooling: Option<CodePooling>,
    /// Whether the place where a latent is strongest is stored with each document.
    pub positions: bool,
    /// What the reader's products are computed on.
    pub precision: Option<Precision>,
}

/// What a collection records of its reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReaderRecord {
    /// What is read and how codes are pooled; checked whenever the model is opened.
    pub reading: TokenReading,
    /// Values of a state.
    pub width: usize,
    /// Whether the place where a latent is strongest is stored with each document.
    #[serde(default)]
    pub positions: bool,
}

/// What a collection records of its reader; `None` at level pooled.
pub(in crate::service) fn reader_record(record: &CollectionRecord) -> Result<Option<ReaderRecord>> {
    record
        .reader
        .as_ref()
        .map(|value| serde_json::from_value(value.clone()))
        .transpose()
        .map_err(|error| Error::corrupted("a reader's record is not readable").with_source(error))
}

/// What the vectors or tokens of a collection are, to compare with what an SAE reads.
fn reading_of(record: &CollectionRecord) -> Result<Reading> {
    Ok(match reader_record(record)? {
        Some(reader) => Reading::Token(reader.reading),
        None => vectors_of(record)?,
    })
}

/// Checks that an SAE reads what a collection gives it.
///
/// # Errors
/// `FailedPrecondition` naming both where the levels differ, or at level token the layer or model.
pub(in crate::service) fn check_level(record: &CollectionRecord, sae: &Sae) -> Result<()> {
    let own = reading_of(record)?;
    check_readings(&own, sae.record().made_for()?.as_ref(), &record.name)
}

/// Checks that an SAE reads the vectors of a collection, whatever else the collection has.
///
/// # Errors
/// `FailedPrecondition` naming both where it reads token states.
pub(in crate::service) fn check_reads_vectors(record: &CollectionRecord, sae: &Sae) -> Result<()> {
    let own = vectors_of(record)?;
    check_readings(&own, sae.record().made_for()?.as_ref(), &record.name)
}

/// What the vectors of a collection are.
pub(in crate::service) fn vectors_of(record: &CollectionRecord) -> Result<Reading> {
    Ok(Reading::Pooled(PooledReading {
        encoder: encoder_record(record)?.map(|encoder| encoder.identity),
    }))
}

/// [`check_level`] for a collection that is to be made without a reader.
pub(in crate::service) fn check_new(new: &NewCollection, sae: &Sae) -> Result<()> {
    let encoder = match &new.encoder {
        Some(value) => serde_json::from_value::<EncoderRecord>(value.clone()).ok(),
        None => None,
    };
    let own = Reading::Pooled(PooledReading {
        encoder: encoder.map(|encoder| encoder.identity),
    });
    check_readings(&own, sae.record().made_for()?.as_ref(), &new.name)
}

fn check_readings(own: &Reading, made_for: Option<&Reading>, collection: &str) -> Result<()> {
    match (own, made_for) {
        (_, None) | (Reading::Pooled(_), Some(Reading::Pooled(_))) => Ok(()),
        (Reading::Token(own), Some(Reading::Token(made_for))) => own.check_fits(made_for),
        (own, Some(made_for)) => Err(Error::precondition(format!(
            "the SAE reads {}, and collection {collection:?} gives it {}; a collection for it is \
             created with {}",
            made_for.describe(),
            own.describe(),
            match made_for {
                Reading::Token(_) => "a reader",
                Reading::Pooled(_) => "an encoder or vectors",
            }
        ))),
    }
}

/// Readers in memory, each opened once.
#[derive(Default)]
pub(super) struct Readers(Mutex<HashMap<String, Arc<Reader>>>);

impl Readers {
    /// The reader of a model, which may be a pinned one. Blocks while it is opened.
    fn open(&self, model: &str, options: ReaderOptions) -> Result<Arc<Reader>> {
        let options = ReaderOptions {
            name: Some(model.to_owned()),
            ..options
        };
        let key = |options: &ReaderOptions| format!("{options:?}");
        let mut readers = self.0.lock();
        if let Some(reader) = readers.get(&key(&options)) {
            return Ok(reader.clone());
        }
        let place = match inputs::resolve_model(model, &mut |_, _| true)? {
            Model::Pinned(path) => path.to_string_lossy().into_owned(),
            Model::Named(name) => name,
        };
        let reader = Arc::new(Reader::open(&place, &options)?);
        // What was left open is settled now, and asked for in full by the collection's record.
        readers.insert(key(&options_of(reader.reading())), reader.clone());
        readers.insert(key(&options), reader.clone());
        Ok(reader)
    }

    /// The reader a collection records, checked to be the one it was made with.
    fn of(&self, record: &ReaderRecord) -> Result<Arc<Reader>> {
        let reading = &record.reading;
        let reader = self.open(&reading.model, options_of(reading))?;
        reader.reading().check_fits(reading).map_err(|error| {
            Error::precondition(format!(
                "the reader {:?} is not the one this collection was made with; bring the old model \
                 back or build the collection anew",
                reading.model
            ))
            .with_source(error)
        })?;
        Ok(reader)
    }
}

/// How to open the reader of a record.
fn options_of(reading: &TokenReading) -> ReaderOptions {
    ReaderOptions {
        chat_template: template_name(reading),
        prepend_bos: reading.prepend_bos,
        window: Some(reading.window.length),
        stride: Some(reading.window.stride),
        tokens: reading.tokens,
        name: Some(reading.model.clone()),
        precision: reading.precision,
        ..ReaderOptions::at_layer(reading.layer)
    }
}

fn template_name(reading: &TokenReading) -> String {
    match &reading.chat_template {
        Some(template) => template.name.clone(),
        None => "none".to_owned(),
    }
}

impl Service {
    /// Plans the SAE and the reader of a collection of level token.
    ///
    /// # Errors
    /// `InvalidArgument` naming what is missing or does not fit, `FailedPrecondition` where the SAE
    /// reads something else, and what opening a model gives.
    pub(in crate::service) fn plan_tokens(
        &self,
        asked: &ReaderRequest,
        sae: Option<&str>,
        gate: Gate,
        new: &mut NewCollection,
    ) -> Result<()> {
        let folder = sae.ok_or_else(|| {
            Error::invalid(
                "sae",
                "is missing; a collection with a reader takes the SAE that reads its token states",
            )
        })?;
        let sae = self.models.import_sae(Path::new(folder)).within("sae")?;
        let made_for = sae.record().made_for()?;
        let options =
            options(asked, made_for.as_ref().and_then(Reading::token)).within("reader")?;
        let reader = self.readers.open(&asked.model, options).within("reader")?;
        let trained = made_for.as_ref().and_then(Reading::token);
        let reading = TokenReading {
            pooling: asked
                .pooling
                .or(trained.map(|trained| trained.pooling))
                .unwrap_or_default(),
            normalisation: sae.normalisation().name().to_owned(),
            ..reader.reading().clone()
        };
        let own = Reading::Token(reading.clone());
        check_readings(&own, made_for.as_ref(), &new.name)?;
        if sae.d_in() != reader.width() {
            return Err(Error::invalid(
                "sae",
                format!(
                    "reads {} values; {} gives {}",
                    sae.d_in(),
                    reading.describe(),
                    reader.width()
                ),
            ));
        }
        agree(&mut new.n_latents, sae.n_latents(), "n_latents", "the SAE")?;
        new.sae = Some(to_json(&SaeRecord {
            gate,
            level: Level::Token,
            ..SaeRecord::of(&sae)
        })?);
        new.reader = Some(to_json(&ReaderRecord {
            reading,
            width: reader.width(),
            positions: asked.positions,
        })?);
        Ok(())
    }

    /// What turns the texts of a collection of level token into latents; `None` at level pooled.
    pub(in crate::service) fn token_coder(
        &self,
        record: &CollectionRecord,
    ) -> Result<Option<TokenCoder>> {
        let (Some(reader), Some(sae)) =
            (reader_record(record)?, super::models::sae_record(record)?)
        else {
            return Ok(None);
        };
        let sae = self.models.sae(&sae.sha256)?;
        self.token_coder_with(&reader, sae).map(Some)
    }

    /// The same with another SAE.
    pub(in crate::service) fn token_coder_with(
        &self,
        record: &ReaderRecord,
        sae: Arc<Sae>,
    ) -> Result<TokenCoder> {
        Ok(TokenCoder {
            reader: self.readers.of(record)?,
            sae,
            pooling: record.reading.pooling,
            positions: record.positions,
        })
    }
}

impl ReaderRecord {
    /// The record with an SAE in the place of the one it was made with.
    ///
    /// # Errors
    /// `InvalidArgument` naming `sae` where it reads states of another width.
    pub(in crate::service) fn with_sae(&self, sae: &Sae) -> Result<Self> {
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

/// How to open the reader that is asked for; what is left open is as in the SAE's training.
fn options(asked: &ReaderRequest, trained: Option<&TokenReading>) -> Result<ReaderOptions> {
    let layer = asked.layer.or(trained.map(|trained| trained.layer));
    let layer = layer.ok_or_else(|| {
        Error::invalid(
            "layer",
            "is missing, and the SAE does not say which layer it reads",
        )
    })?;
    // An SAE from elsewhere says nothing reliable of windows and templates.
    let own = trained.filter(|trained| !trained.weights_sha256.is_empty());
    let defaults = ReaderOptions::at_layer(layer);
    let is_same_window = asked.window.is_none();
    Ok(ReaderOptions {
        chat_template: asked
            .chat_template
            .clone()
            .or(own.map(template_name))
            .unwrap_or(defaults.chat_template.clone()),
        prepend_bos: asked
            .prepend_bos
            .or(trained.map(|trained| trained.prepend_bos || trained.chat_template.is_some()))
            .unwrap_or(defaults.prepend_bos),
        window: asked.window.or(own.map(|own| own.window.length)),
        stride: asked
            .stride
            .or(own.filter(|_| is_same_window).map(|own| own.window.stride)),
        tokens: asked
            .tokens
            .or(own.map(|own| own.tokens))
            .unwrap_or_default(),
        precision: asked
            .precision
            .or(own.map(|own| own.precision))
            .unwrap_or_default(),
        ..defaults
    })
}
