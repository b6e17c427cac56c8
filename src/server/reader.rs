//! Readers and the places of latents, on the wire.

use latentdb_index::LatentPosition;
use latentdb_proto::v1;

use super::types::{non_empty, non_zero};
use crate::error::{Error, Result};
use crate::reading::{CodePooling, Precision, TokenPolicy};
use crate::service::{ReaderRecord, ReaderRequest};

/// The reader a collection is asked for.
pub(super) fn reader_request(
    wire: v1::Reader,
    precision: Option<Precision>,
) -> Result<ReaderRequest> {
    if wire.model.is_empty() {
        return Err(Error::invalid(
            "model",
            "is empty; a pinned model, a folder, a GGUF file or a hub id is accepted",
        ));
    }
    let tokens = match (wire.special_tokens, wire.template_tokens) {
        (None, None) => None,
        (special, template) => Some(TokenPolicy {
            special: special.unwrap_or(false),
            template: template.unwrap_or(false),
        }),
    };
    Ok(ReaderRequest {
        model: wire.model,
        layer: wire.layer.map(|layer| layer as usize),
        chat_template: non_empty(wire.chat_template),
        window: non_zero(wire.window),
        stride: non_zero(wire.stride),
        tokens,
        prepend_bos: wire.prepend_bos,
        pooling: non_empty(wire.pooling)
            .map(|pooling| CodePooling::parse(&pooling))
            .transpose()?,
        positions: wire.positions,
        precision,
    })
}

/// What a collection records of its reader.
pub(super) fn wire_reader(record: ReaderRecord) -> v1::ReaderInfo {
    let reading = record.reading;
    v1::ReaderInfo {
        pooling: reading.pooling.to_string(),
        model: reading.model,
        sha256: reading.weights_sha256,
        layer: reading.layer as u32,
        width: record.width as u32,
        chat_template: reading
            .chat_template
            .map_or_else(|| "none".to_owned(), |template| template.name),
        window: reading.window.length as u32,
        stride: reading.window.stride as u32,
        special_tokens: reading.tokens.special,
        template_tokens: reading.tokens.template,
        prepend_bos: reading.prepend_bos,
        normalisation: reading.normalisation,
        positions: record.positions,
        precision: reading.precision.name().to_owned(),
    }
}

/// Where a latent is strongest, by a document's positions, which ascend by latent.
pub(super) fn span_of(positions: &[LatentPosition], latent: u32) -> Option<v1::TextSpan> {
    let at = positions.binary_search_by_key(&latent, |position| position.latent);
    let position = positions.get(at.ok()?)?;
    Some(v1::TextSpan {
        token: position.token,
        start: position.start,
        end: position.end,
    })
}
