//! What a new collection or a new SAE is made with: models are opened, and compared with each other.

use std::sync::Arc;

use latentdb_index::NewCollection;

use super::info::{CreateCollection, ReaderRequest, agree};
use crate::encoder::reader::ReaderOptions;
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::reading::{PooledReading, Reading, TokenReading};
use crate::sae::Sae;
use crate::service::core::Core;
use crate::service::models::EncoderSettings;
use crate::service::readers::{check_readings, check_vectors, template_name};
use crate::service::spec::{EncoderRecord, ReaderRecord, SaeSpec, to_json};

/// Largest dimension of a collection's vectors.
const MAX_DIMENSION: usize = 65_536;
/// Maximum latents per collection.
const MAX_LATENTS: usize = 1 << 24;

/// An SAE of token states with its reader.
pub(super) struct PlannedTokens {
    pub sae: Arc<Sae>,
    pub reader: ReaderRecord,
}

/// Opens the SAE and the reader of level token that are asked for.
///
/// # Errors
/// `InvalidArgument` naming what is missing or does not fit, `FailedPrecondition` where the SAE
/// reads something else, and what opening a model gives.
pub(super) fn plan_tokens(
    core: &Core,
    asked: &ReaderRequest,
    sae: Option<&str>,
    collection: &str,
) -> Result<PlannedTokens> {
    let folder = sae.ok_or_else(|| {
        Error::invalid(
            "sae",
            "is missing; a collection with a reader takes the SAE that reads its token states",
        )
    })?;
    let sae = core.models.named_sae(folder).within("sae")?;
    let made_for = sae.record().made_for()?;
    let trained = made_for.as_ref().and_then(Reading::token);
    let options = options(asked, trained).within("reader")?;
    let reader = core.readers.open(&asked.model, options).within("reader")?;
    let reading = TokenReading {
        pooling: asked
            .pooling
            .or(trained.map(|trained| trained.pooling))
            .unwrap_or_default(),
        normalisation: sae.normalisation().name().to_owned(),
        ..reader.reading().clone()
    };
    let own = Reading::Token(reading.clone());
    check_readings(&own, made_for.as_ref(), collection)?;
    let reader = ReaderRecord {
        reading,
        width: reader.width(),
        positions: asked.positions,
    };
    Ok(PlannedTokens {
        reader: reader.with_sae(&sae)?,
        sae,
    })
}

/// The record of a new collection; opens the models that it names.
///
/// # Errors
/// Those of [`super::Collections::create_collection`].
pub(super) fn plan_collection(core: &Core, request: CreateCollection) -> Result<NewCollection> {
    refuse_taken(core, &request.name)?;
    if let Some(dimension) = request.dimension {
        check_dimension(dimension)?;
    }
    request.gate.check()?;
    if request.states.is_some() && (request.encoder.is_some() || request.reader.is_some()) {
        return Err(Error::invalid(
            "states",
            "says what the client's vectors are; an encoder or a reader makes its own",
        ));
    }
    let (mut dimension, mut n_latents) = (request.dimension, request.n_latents);
    let mut entry = None;
    if let Some(asked) = &request.reader {
        let planned = plan_tokens(core, asked, request.sae.as_deref(), &request.name)?;
        agree(
            &mut n_latents,
            planned.sae.n_latents(),
            "n_latents",
            "the SAE",
        )?;
        entry = Some(SaeSpec::of(
            "",
            &planned.sae,
            request.gate,
            Some(planned.reader),
        ));
    }
    let mut encoder = None;
    if request.encoder.is_none() && request.encoder_settings != EncoderSettings::default() {
        return Err(Error::invalid(
            "encoder_settings",
            "say how an encoder is used; encoder is missing",
        ));
    }
    request
        .encoder_settings
        .check()
        .within("encoder_settings")?;
    if let Some(model) = &request.encoder {
        let settings = EncoderSettings {
            precision: request.precision.unwrap_or_default(),
            ..request.encoder_settings.clone()
        };
        let opened = core.models.encoder(model, &settings);
        let opened = opened.map_err(|error| match error.field() {
            Some("dimensions" | "max_tokens") => error.within("encoder_settings"),
            _ => error.within("encoder"),
        })?;
        let opened = opened.encoder();
        agree(
            &mut dimension,
            opened.dimension(),
            "dimension",
            "the encoder's vectors",
        )?;
        encoder = Some(EncoderRecord {
            model: model.clone(),
            identity: opened.identity().clone(),
            dimension: opened.dimension(),
        });
    }
    if let Some(folder) = &request.sae
        && request.reader.is_none()
    {
        let sae = core.models.named_sae(folder).within("sae")?;
        agree(&mut dimension, sae.d_in(), "dimension", "the SAE's inputs")?;
        agree(&mut n_latents, sae.n_latents(), "n_latents", "the SAE")?;
        let vectors = Reading::Pooled(PooledReading {
            encoder: encoder.as_ref().map(|encoder| encoder.identity.clone()),
        });
        check_vectors(&vectors, request.states.as_deref(), &sae, &request.name)?;
        entry = Some(SaeSpec::of("", &sae, request.gate, None));
    }
    if let Some(n_latents) = n_latents {
        check_n_latents(n_latents)?;
    }
    let entry = entry.or(n_latents.map(SaeSpec::of_clients));
    Ok(NewCollection {
        name: request.name,
        dimension,
        encoder: encoder.as_ref().map(to_json).transpose()?,
        saes: entry
            .iter()
            .map(SaeSpec::to_record)
            .collect::<Result<_>>()?,
        analyzer: request.analyzer,
    })
}

/// Refuses the name of a collection that exists, before models are fetched for nothing.
pub(super) fn refuse_taken(core: &Core, name: &str) -> Result<()> {
    match core.database.collection(name) {
        Err(_) => Ok(()),
        Ok(_) => Err(Error::new(
            ErrorKind::AlreadyExists,
            format!("collection {name:?} already exists"),
        )),
    }
}

pub(super) fn check_dimension(dimension: usize) -> Result<()> {
    if dimension <= MAX_DIMENSION {
        return Ok(());
    }
    Err(Error::invalid(
        "dimension",
        format!("is {dimension}; at most {MAX_DIMENSION} is accepted"),
    ))
}

pub(super) fn check_n_latents(n_latents: usize) -> Result<()> {
    if (1..=MAX_LATENTS).contains(&n_latents) {
        return Ok(());
    }
    Err(Error::invalid(
        "n_latents",
        format!("is {n_latents}; 1 to {MAX_LATENTS} is accepted"),
    ))
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
