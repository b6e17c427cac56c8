//! Feature splitting on the wire.

use latentdb_index::Label;
use latentdb_proto::v1;

use super::address::address;
use super::types::count_or;
use crate::error::{Error, Result};
use crate::service::{SplitLatent, SplitRequest};

/// Maximum counterparts per latent.
const MAX_COUNTERPARTS: usize = 1000;
/// Maximum latents per request.
const MAX_LATENTS: usize = 100_000;
/// Least cosine where none is asked for.
const DEFAULT_COSINE: f32 = 0.3;

pub(super) fn split_request(wire: v1::SplitLatentsRequest) -> Result<SplitRequest> {
    let min_cosine = wire.min_cosine.unwrap_or(DEFAULT_COSINE);
    if !(-1.0..=1.0).contains(&min_cosine) {
        return Err(Error::invalid(
            "min_cosine",
            format!("is {min_cosine}; -1 to 1 is accepted"),
        ));
    }
    if wire.latents.len() > MAX_LATENTS {
        return Err(Error::invalid(
            "latents",
            format!(
                "has {} entries; at most {MAX_LATENTS} are accepted",
                wire.latents.len()
            ),
        ));
    }
    Ok(SplitRequest {
        address: address(wire.collection)?,
        to: wire.to,
        latents: wire.latents,
        limit: count_or(wire.limit, 20, MAX_LATENTS, "limit")?,
        most: count_or(wire.counterparts, 5, MAX_COUNTERPARTS, "counterparts")?,
        min_cosine,
    })
}

fn is_low(label: Option<&Label>) -> bool {
    label.is_some_and(Label::is_low_confidence)
}

pub(super) fn wire_split(latents: Vec<SplitLatent>) -> v1::SplitLatentsResponse {
    let latents = latents.into_iter().map(|split| v1::SplitLatent {
        latent: split.latent,
        low_confidence: is_low(split.label.as_ref()),
        label: split.label.map(|label| label.text).unwrap_or_default(),
        documents: split.documents,
        counterparts: split
            .counterparts
            .into_iter()
            .map(|(found, label, overlap)| v1::Counterpart {
                latent: found.latent,
                low_confidence: is_low(label.as_ref()),
                label: label.map(|label| label.text).unwrap_or_default(),
                cosine: found.cosine,
                mutual: found.is_mutual,
                documents: overlap.documents,
                shared: overlap.shared,
            })
            .collect(),
    });
    v1::SplitLatentsResponse {
        latents: latents.collect(),
    }
}
