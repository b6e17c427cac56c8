//! AnalysisService.NearDuplicates and AnalysisService.PoorlyExplained.

use latentdb_index::analysis::DuplicateOptions;
use latentdb_proto::v1;
use latentdb_proto::v1::near_duplicates_response::Part as DuplicatesPart;
use latentdb_proto::v1::poorly_explained_response::Part as UnexplainedPart;

use super::types::{count_or, filter, non_zero, projection, wire_document};
use crate::error::Result;
use crate::service::{
    DuplicateMember, DuplicatesRequest, DuplicatesResult, Projection, Unexplained,
    UnexplainedRequest,
};

/// Documents of one message of groups, a last group that goes beyond left whole.
const BATCH_DOCUMENTS: usize = 500;

pub(super) fn duplicates(wire: v1::NearDuplicatesRequest) -> Result<DuplicatesRequest> {
    let defaults = DuplicateOptions::default();
    let texts = Projection {
        text: true,
        ..Projection::default()
    };
    Ok(DuplicatesRequest {
        collection: wire.collection,
        filter: filter(wire.filter)?,
        options: DuplicateOptions {
            threshold: wire.threshold.unwrap_or(defaults.threshold),
            active_above: wire.active_above,
            min_latents: non_zero(wire.min_latents).unwrap_or(defaults.min_latents),
        },
        limit: count_or(wire.limit, 100, 100_000, "limit")?,
        projection: projection(wire.projection, texts),
    })
}

pub(super) fn duplicates_progress(now: v1::AnalysisProgress) -> v1::NearDuplicatesResponse {
    duplicates_response(DuplicatesPart::Progress(now))
}

pub(super) fn duplicates_answer(result: DuplicatesResult) -> Vec<v1::NearDuplicatesResponse> {
    let summary = DuplicatesPart::Summary(v1::NearDuplicatesSummary {
        documents: result.documents,
        left_out: result.left_out,
        pairs: result.pairs,
        groups: result.n_groups,
        grouped: result.grouped,
    });
    let mut messages = vec![duplicates_response(summary)];
    let mut groups = Vec::new();
    let mut documents = 0;
    for group in result.groups {
        documents += group.len();
        groups.push(v1::DuplicateGroup {
            documents: group.into_iter().map(member).collect(),
        });
        if documents >= BATCH_DOCUMENTS {
            let groups = std::mem::take(&mut groups);
            messages.push(duplicates_response(DuplicatesPart::Groups(
                v1::DuplicateGroups { groups },
            )));
            documents = 0;
        }
    }
    if !groups.is_empty() {
        messages.push(duplicates_response(DuplicatesPart::Groups(
            v1::DuplicateGroups { groups },
        )));
    }
    messages
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
        collection: wire.collection,
        filter: filter(wire.filter)?,
        limit: count_or(wire.limit, 20, 10_000, "limit")?,
        projection: projection(wire.projection, Projection::readable()),
    })
}

pub(super) fn unexplained_progress(now: v1::AnalysisProgress) -> v1::PoorlyExplainedResponse {
    unexplained_response(UnexplainedPart::Progress(now))
}

pub(super) fn unexplained_answer(result: Unexplained) -> Vec<v1::PoorlyExplainedResponse> {
    let worst = result.worst.into_iter();
    vec![unexplained_response(UnexplainedPart::Result(
        v1::PoorlyExplained {
            documents: result.documents,
            quantiles: result.quantiles,
            worst: worst
                .map(|(document, residual_share)| v1::UnexplainedDocument {
                    document: Some(wire_document(document)),
                    residual_share,
                })
                .collect(),
        },
    ))]
}

fn unexplained_response(part: UnexplainedPart) -> v1::PoorlyExplainedResponse {
    v1::PoorlyExplainedResponse { part: Some(part) }
}
