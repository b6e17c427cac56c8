//! The wire form of matched latents.

use latentdb_index::analysis::Counterpart;
use latentdb_proto::v1;
use latentdb_proto::v1::match_latents_response::Part;

use super::address::{address, address_in};
use super::diff::support;
use super::status::required;
use super::streams::cut;
use crate::error::Result;
use crate::service::{
    LabelledMatch, MatchRequest, MatchResult, Moved, MovedKind, Moves, ShownLabel, Stayed,
};

/// Shared documents that a latent has to be in, unless said otherwise.
const MIN_SUPPORT: u64 = 5;
/// φ from which on a match counts, unless said otherwise (METHODS section 10).
const MIN_PHI: f64 = 0.5;

pub(super) fn request(wire: v1::MatchLatentsRequest) -> Result<MatchRequest> {
    Ok(MatchRequest {
        a: address(wire.collection)?,
        b: address_in(wire.other, "other")?,
        min_support: support(wire.min_support, MIN_SUPPORT),
        min_phi: wire.min_phi.unwrap_or(MIN_PHI),
    })
}

pub(super) fn move_request(wire: v1::MoveLatentsRequest) -> Result<(MatchRequest, Moves)> {
    let moves = Moves {
        labels: wire.labels || wire.replace,
        replace: wire.replace,
        presets: wire.presets,
        sets: wire.sets,
    };
    Ok((request(required(wire.matching, "matching")?)?, moves))
}

pub(super) fn answer(mut result: MatchResult) -> Vec<v1::MatchLatentsResponse> {
    let rows = std::mem::take(&mut result.rows);
    let lists = cut(rows.into_iter().map(latent)).into_iter();
    let mut messages = vec![response(Part::Summary(summary(result)))];
    messages.extend(lists.map(|latents| response(Part::Latents(v1::MatchedLatents { latents }))));
    messages
}

fn response(part: Part) -> v1::MatchLatentsResponse {
    v1::MatchLatentsResponse { part: Some(part) }
}

fn summary(result: MatchResult) -> v1::MatchSummary {
    v1::MatchSummary {
        documents: result.documents,
        active: result.active.0,
        other_active: result.active.1,
        matched: result.matched,
        mean_phi: result.mean_phi,
        moved: result.moved.into_iter().map(moved).collect(),
        stayed: result.stayed.into_iter().map(stayed).collect(),
        warnings: result.warnings,
    }
}

fn kind(kind: MovedKind) -> i32 {
    match kind {
        MovedKind::Label => v1::RecordOfLatents::Label,
        MovedKind::Preset => v1::RecordOfLatents::Preset,
        MovedKind::Set => v1::RecordOfLatents::Set,
    }
    .into()
}

fn moved(own: Moved) -> v1::MovedRecord {
    v1::MovedRecord {
        kind: kind(own.kind),
        name: own.name,
        to: own.to,
        phi: own.phi,
    }
}

fn stayed(own: Stayed) -> v1::StayedRecord {
    v1::StayedRecord {
        kind: kind(own.kind),
        name: own.name,
        why: own.why,
    }
}

fn latent(row: LabelledMatch) -> v1::MatchedLatent {
    let text = |label: Option<ShownLabel>| label.map(|label| label.text).unwrap_or_default();
    v1::MatchedLatent {
        latent: row.own.latent,
        label: text(row.label),
        documents: row.own.documents,
        other: row
            .own
            .other
            .map(|own| counterpart(own, text(row.other_label))),
        nearest: row
            .own
            .nearest
            .map(|own| counterpart(own, text(row.nearest_label))),
    }
}

fn counterpart(own: Counterpart, label: String) -> v1::LatentCounterpart {
    v1::LatentCounterpart {
        latent: own.latent,
        label,
        documents: own.documents,
        both: own.both,
        phi: own.phi,
    }
}
