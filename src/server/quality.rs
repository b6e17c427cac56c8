//! AnalysisService.NearDuplicates and AnalysisService.PoorlyExplained.

use latentdb_index::analysis::DuplicateOptions;
use latentdb_proto::v1;
use latentdb_proto::v1::near_duplicates_response::Part as DuplicatesPart;
use latentdb_proto::v1::poorly_explained_response::Part as UnexplainedPart;

use super::address::address;
use super::streams::cut;
use super::types::{count_or, filter, non_zero, projection, wire_document};
use crate::error::Result;
use crate::service::{
    DuplicateMember, DuplicatesGroup, DuplicatesRequest, DuplicatesResult, Projection, Unexplained,
    UnexplainedRequest,
};

/// Maximum documents per group.
const MAX_GROUP: usize = 10_000;

pub(super) fn duplicates(wire: v1::NearDuplicatesRequest) -> Result<DuplicatesRequest> {
    let defaults = DuplicateOptions::default();
    let texts = Projection {
        text: true,
        ..Projection::default()
    };
    Ok(DuplicatesRequest {
        address: address(wire.collection)?,
        filter: filter(wire.filter)?,
        options: DuplicateOptions {
            threshold: wire.threshold.unwrap_or(defaults.threshold),
            active_above: wire.active_above,
            min_latents: non_zero(wire.min_latents).unwrap_or(defaults.min_latents),
        },
        limit: count_or(wire.limit, 100, 100_000, "limit")?,
        documents: count_or(wire.documents, 100, MAX_GROUP, "documents")?,
        projection: projection(wire.projection, texts),
    })
}

pub(super) fn duplicates_answer(result: DuplicatesResult) -> Vec<v1::NearDuplicatesResponse> {
    let summary = DuplicatesPart::Summary(v1::NearDuplicatesSummary {
        documents: result.documents,
        left_out: result.left_out,
        pairs: result.pairs,
        n_groups: result.n_groups,
        grouped: result.grouped,
        warnings: result.warnings,
    });
    let mut messages = vec![duplicates_response(summary)];
    let lists = cut(result.groups.into_iter().map(wire_group)).into_iter();
    messages.extend(
        lists.map(|groups| {
            duplicates_response(DuplicatesPart::Groups(v1::DuplicateGroups { groups }))
        }),
    );
    messages
}

/// A group with as many of its documents as a message holds, one at least.
fn wire_group(group: DuplicatesGroup) -> v1::DuplicateGroup {
    let lists = cut(group.documents.into_iter().map(member));
    v1::DuplicateGroup {
        documents: lists.into_iter().next().unwrap_or_default(),
        size: group.size,
    }
}

fn duplicates_response(part: DuplicatesPart) -> v1::NearDuplicatesResponse {
    v1::NearDuplicatesResponse { part: Some(part) }
}

fn member(member: DuplicateMember) -> v1::Duplicate {
    v1::Duplicate {
        document: Some(wire_document(member.document)),
        similarity: member.similarity,
    }
}

pub(super) fn unexplained(wire: v1::PoorlyExplainedRequest) -> Result<UnexplainedRequest> {
    Ok(UnexplainedRequest {
        address: address(wire.collection)?,
        filter: filter(wire.filter)?,
        limit: count_or(wire.limit, 20, 10_000, "limit")?,
        projection: projection(wire.projection, Projection::readable()),
    })
}

pub(super) fn unexplained_answer(result: Unexplained) -> Vec<v1::PoorlyExplainedResponse> {
    let worst = result.worst.into_iter();
    let worst = worst.map(|(document, residual_share)| v1::UnexplainedDocument {
        document: Some(wire_document(document)),
        residual_share,
    });
    let mut lists = cut(worst).into_iter();
    let first = v1::PoorlyExplained {
        documents: result.documents,
        quantiles: result.quantiles,
        warnings: result.warnings,
        worst: lists.next().unwrap_or_default(),
    };
    let rest = lists.map(|worst| v1::PoorlyExplained {
        worst,
        ..v1::PoorlyExplained::default()
    });
    let results = std::iter::once(first).chain(rest);
    let response = |result| unexplained_response(UnexplainedPart::Result(result));
    results.map(response).collect()
}

fn unexplained_response(part: UnexplainedPart) -> v1::PoorlyExplainedResponse {
    v1::PoorlyExplainedResponse { part: Some(part) }
}
