//! Readers of token states in memory, and whether an SAE reads what a collection gives it.

use std::sync::Arc;

use super::opened::Opened;
use super::places::ModelPlaces;
use super::spec::ReaderRecord;
use crate::coder::TokenCoder;
use crate::encoder::reader::{Reader, ReaderOptions};
use crate::error::{Error, Result, Within as _};
use crate::reading::{Reading, TokenReading};
use crate::sae::Sae;

/// Readers in memory, each opened once.
pub(super) struct Readers {
    places: Arc<ModelPlaces>,
    opened: Opened<String, Arc<Reader>>,
}

impl Readers {
    pub fn new(places: Arc<ModelPlaces>) -> Self {
        Self {
            places,
            opened: Opened::default(),
        }
    }

    /// The reader of a name ([`ModelPlaces::model`]). Blocks while it is opened.
    pub fn open(&self, model: &str, options: ReaderOptions) -> Result<Arc<Reader>> {
        let options = ReaderOptions {
            name: Some(model.to_owned()),
            offline: !self.places.downloads,
            ..options
        };
        let key = |options: &ReaderOptions| format!("{options:?}");
        self.opened.get_or_open(&key(&options), || {
            let place = self.places.model(model)?;
            let reader = Arc::new(Reader::open(&place, &options)?);
            // What was left open is settled now, and asked for in full by the collection's record.
            let settled = key(&ReaderOptions {
                offline: options.offline,
                ..options_of(reader.reading())
            });
            if settled != key(&options) {
                self.opened.insert(settled, reader.clone());
            }
            Ok(reader)
        })
    }

    /// The reader a collection records, checked to be the one it was made with.
    pub fn of(&self, record: &ReaderRecord) -> Result<Arc<Reader>> {
        let reading = &record.reading;
        let reader = self.open(&reading.model, options_of(reading))?;
        reader.reading().check_fits(reading).map_err(|error| {
            Error::precondition(format!(
                "the reader {:?} is not the one this collection was made with; bring the old model \
                 back or rebuild the collection",
                reading.model
            ))
            .with_source(error)
        })?;
        Ok(reader)
    }

    /// What turns texts into the latents of an SAE, with the reader a collection records for it.
    pub fn coder(&self, sae: Arc<Sae>, record: &ReaderRecord) -> Result<TokenCoder> {
        let reader = self.of(record)?;
        let pooling = record.reading.pooling;
        Ok(TokenCoder::new(reader, sae, pooling, record.positions))
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

pub(super) fn template_name(reading: &TokenReading) -> String {
    match &reading.chat_template {
        Some(template) => template.name.clone(),
        None => "none".to_owned(),
    }
}

/// Checks that an SAE reads what it is given: `own`, by the collection of a name.
///
/// # Errors
/// `FailedPrecondition` naming both where the levels differ, or at level token the layer or model.
pub(super) fn check_reads(own: &Reading, sae: &Sae, collection: &str) -> Result<()> {
    check_readings(own, sae.record().made_for()?.as_ref(), collection)
}

/// As [`check_reads`] where vectors may be said to be `states` of a model.
pub(super) fn check_vectors(
    own: &Reading,
    states: Option<&str>,
    sae: &Sae,
    collection: &str,
) -> Result<()> {
    match states {
        Some(states) => sae.record().check_states(states).within("states"),
        None => check_reads(own, sae, collection),
    }
}

pub(super) fn check_readings(
    own: &Reading,
    made_for: Option<&Reading>,
    collection: &str,
) -> Result<()> {
    match (own, made_for) {
        (_, None) | (Reading::Pooled(_), Some(Reading::Pooled(_))) => Ok(()),
        (Reading::Token(own), Some(Reading::Token(made_for))) => own.check_fits(made_for),
        (own, Some(made_for)) => Err(Error::precondition(format!(
            "the SAE reads {}, and collection {collection:?} gives it {}; a collection for it is \
             created with {}",
            made_for.describe(),
            own.describe(),
            match made_for {
                Reading::Token(_) =>
                    "a reader; of vectors that are those states, say so (states, as \"gpt2 \
                     blocks.3.hook_resid_post\")",
                Reading::Pooled(_) => "an encoder or vectors",
            }
        ))),
    }
}
