//! AnalysisService.NearDuplicates and AnalysisService.PoorlyExplained.

use latentdb_index::analysis::DuplicateOptions;
use latentdb_proto::v1;
use latentdb_proto::v1::near_duplicates_response::Part as DuplicatesPart;
use latentdb_proto::v1::poorly_explained_response::Part as UnexplainedPart;
use prost::Message as _;

use super::address::address;
use super::types::{count_or, filter, non_zero, projection, wire_document};
use crate::error::Result;
use crate::service::{
    DuplicateMember, DuplicatesGroup, DuplicatesRequest, DuplicatesResult, Projection, Unexplained,
    UnexplainedRequest,
};

/// Most bytes of documents in one message of groups, and so of one group, unless its first document
/// has more. Clients that set no limit of their own take messages of 4 MiB.
const BATCH_BYTES: usize = 2 << 20;
/// Most documents of a group.
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
    });
    let mut messages = vec![duplicates_response(summary)];
    let mut send = |groups: Vec<v1::DuplicateGroup>| {
        let groups = v1::DuplicateGroups { groups };
        messages.push(duplicates_response(DuplicatesPart::Groups(groups)));
    };
    let mut groups = Vec::new();
    let mut bytes = 0;
    for group in result.groups {
        let (group, size) = wire_group(group);
        if bytes + size > BATCH_BYTES && !groups.is_empty() {
            send(std::mem::take(&mut groups));
            bytes = 0;
        }
        groups.push(group);
        bytes += size;
    }
    if !groups.is_empty() {
        send(groups);
    }
    messages
}

/// A group with as many of its documents as a message holds, one at least, and their bytes.
fn wire_group(group: DuplicatesGroup) -> (v1::DuplicateGroup, usize) {
    let mut documents: Vec<v1::Duplicate> = Vec::new();
    let mut bytes = 0;
    for found in group.documents {
        let found = member(found);
        let size = found.encoded_len();
        if bytes + size > BATCH_BYTES && !documents.is_empty() {
            break;
        }
        bytes += size;
        documents.push(found);
    }
    let group = v1::DuplicateGroup {
        documents,
        size: group.size,
    };
    (group, bytes)
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
