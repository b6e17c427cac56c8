//! AnalysisService.Cluster.

use latentdb_index::analysis::cluster::{
    ClusterOptions, Distinctive, MAX_CLUSTERS, MAX_EXACT, Member,
};
use latentdb_proto::v1;
use latentdb_proto::v1::cluster_response::Part;

use super::address::address;
use super::status::{entry, required};
use super::streams::cut;
use super::types::{count_or, filter, non_zero, projection, wire_document};
use crate::error::Result;
use crate::service::{
    Axis, AxisRequest, AxisSource, ClusterRequest, ClusterResult, DescribedCluster, Projection,
};

pub(super) fn answer(mut result: ClusterResult) -> Vec<v1::ClusterResponse> {
    let members = std::mem::take(&mut result.members);
    let mut messages = vec![response(Part::Summary(summary(&result, members.len())))];
    let lists = cut(members.into_iter().map(wire_member)).into_iter();
    messages.extend(lists.map(|members| response(Part::Members(v1::ClusterMembers { members }))));
    messages
}

pub(super) fn request(wire: v1::ClusterRequest) -> Result<ClusterRequest> {
    let defaults = ClusterOptions::default();
    Ok(ClusterRequest {
        address: address(wire.collection)?,
        filter: filter(wire.filter)?,
        axis: axis(required(wire.axis, "axis")?)?,
        options: ClusterOptions {
            clusters: match non_zero(wire.clusters) {
                Some(_) => Some(count_or(wire.clusters, 0, MAX_CLUSTERS, "clusters")?),
                None => None,
            },
            seed: wire.seed,
            landmarks: count_or(wire.landmarks, defaults.landmarks, MAX_EXACT, "landmarks")?,
            distinctive: count_or(wire.distinctive, defaults.distinctive, 1000, "distinctive")?,
            representatives: count_or(wire.documents, defaults.representatives, 100, "documents")?,
            ..defaults
        },
        projection: projection(wire.projection, Projection::readable()),
    })
}

/// The latents that documents are looked at by.
pub(super) fn axis(wire: v1::Axis) -> Result<AxisRequest> {
    Ok(AxisRequest {
        texts: wire.texts,
        latents: wire.latents,
        families: wire.families,
        min_recurrence: wire.min_recurrence,
        per_text: count_or(wire.latents_per_text, 100, 10_000, "axis.latents_per_text")?,
        source: match entry(wire.source, "axis.source")? {
            v1::AxisSource::Best => None,
            v1::AxisSource::Labels => Some(AxisSource::Labels),
            v1::AxisSource::Centroids => Some(AxisSource::Centroids),
        },
    })
}

fn response(part: Part) -> v1::ClusterResponse {
    v1::ClusterResponse { part: Some(part) }
}

fn summary(result: &ClusterResult, documents: usize) -> v1::ClusterSummary {
    let clusters = result.clusters.iter();
    v1::ClusterSummary {
        clusters: clusters
            .map(|cluster| wire_cluster(result, cluster))
            .collect(),
        documents: documents as u64,
        uncovered: result.found.uncovered.len() as u64,
        unreached: result.found.unreached.len() as u64,
        landmarks: result.found.landmarks.unwrap_or_default() as u64,
        eigenvalues: result.found.eigenvalues.clone(),
        axis: wire_axis(result),
        source: wire_source(&result.axis).into(),
        sequence: result.sequence,
        warnings: result.warnings.clone(),
    }
}

fn wire_source(axis: &Axis) -> v1::AxisSource {
    match axis.source {
        None => v1::AxisSource::Best,
        Some(AxisSource::Labels) => v1::AxisSource::Labels,
        Some(AxisSource::Centroids) => v1::AxisSource::Centroids,
    }
}

fn wire_axis(result: &ClusterResult) -> Vec<v1::AxisLatent> {
    let latents = result.axis.latents.iter();
    latents
        .map(|entry| v1::AxisLatent {
            latent: entry.latent,
            label: result.label(entry.latent).unwrap_or_default().to_owned(),
            // At most 100 texts.
            text: entry.named.map(|(text, _)| text as u32),
            similarity: entry.named.map_or(0.0, |(_, similarity)| similarity),
            family: entry.family,
        })
        .collect()
}

fn wire_cluster(result: &ClusterResult, described: &DescribedCluster) -> v1::Cluster {
    let latents = |entries: &[Distinctive]| {
        let wire = |entry: &Distinctive| v1::DistinctiveLatent {
            latent: entry.latent,
            label: result.label(entry.latent).unwrap_or_default().to_owned(),
            count: entry.count,
            inside: entry.inside,
            outside: entry.outside,
        };
        entries.iter().map(wire).collect()
    };
    let cluster = &described.cluster;
    v1::Cluster {
        label: described.label.clone(),
        size: cluster.size as u64,
        affinity: cluster.affinity,
        over: latents(&cluster.over),
        under: latents(&cluster.under),
        documents: described
            .documents
            .iter()
            .cloned()
            .map(wire_document)
            .collect(),
    }
}

fn wire_member((id, member): (String, Option<Member>)) -> v1::ClusterMember {
    let Some(member) = member else {
        return v1::ClusterMember {
            id,
            ..v1::ClusterMember::default()
        };
    };
    let [x, y] = member.position;
    v1::ClusterMember {
        id,
        // At most MAX_CLUSTERS.
        cluster: Some(member.cluster as u32),
        affinity: member.affinity as f32,
        x: x as f32,
        y: y as f32,
    }
}
