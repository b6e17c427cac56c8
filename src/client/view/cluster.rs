//! Clusters as a table, a figure and a report.

use latentdb_proto::v1::{
    Axis, AxisLatent, AxisSource, ClusterMember, ClusterRequest, ClusterSummary, DistinctiveLatent,
};

use super::names;
use crate::client::streams::Clusters;
use crate::error::Result;
use crate::report::clusters::{self, Distinctive, Group};
use crate::report::{Report, Table, format};

/// The axis as a person would say it.
fn axis_name(axis: &Axis) -> String {
    let named = |kind: &'static str, ids: &[u32]| {
        let names = ids.iter().map(move |id| format!("{kind} {id}"));
        names.collect::<Vec<_>>()
    };
    let texts = axis.texts.iter().cloned();
    let parts: Vec<String> = texts
        .chain(named("latent", &axis.latents))
        .chain(named("family", &axis.families))
        .collect();
    parts.join(", ")
}

/// The parameters and their values, for a report.
fn parameters(request: &ClusterRequest, found: &ClusterSummary) -> Vec<(&'static str, String)> {
    let axis = request.axis.clone().unwrap_or_default();
    let source = match found.source() {
        AxisSource::Labels => "labels",
        AxisSource::Centroids => "centroids",
        _ => "none, the latents were listed",
    };
    vec![
        ("collection", request.collection.clone()),
        ("axis", axis_name(&axis)),
        ("texts compared with", source.to_owned()),
        ("filter", names::filter(request.filter.as_ref())),
        (
            "clusters",
            match request.clusters {
                0 => format!("{}, by the eigengap", found.clusters.len()),
                k => format!("{k}, as asked"),
            },
        ),
        (
            "documents compared",
            match found.landmarks {
                0 => "all pairs".to_owned(),
                some => format!("with {} landmarks", format::thousands(some)),
            },
        ),
        ("seed", request.seed.to_string()),
    ]
}

/// Documents in clusters.
pub fn clustered(summary: &ClusterSummary) -> u64 {
    summary.documents - summary.uncovered - summary.unreached
}

/// The clusters without the wire.
pub fn clusters(request: &ClusterRequest, found: &Clusters) -> clusters::Clusters {
    let summary = &found.summary;
    let of_axis = request.axis.clone().unwrap_or_default();
    let distinctive = |entry: &DistinctiveLatent| Distinctive {
        name: format::latent(entry.latent, &entry.label),
        count: entry.count,
        inside: entry.inside,
        outside: entry.outside,
    };
    let mut groups: Vec<Group> = summary
        .clusters
        .iter()
        .map(|cluster| Group {
            label: cluster.label.clone(),
            size: cluster.size,
            affinity: cluster.affinity,
            over: cluster.over.iter().map(distinctive).collect(),
            under: cluster.under.iter().map(distinctive).collect(),
            documents: {
                let documents = cluster.documents.iter();
                documents.map(|found| names::example(found, None)).collect()
            },
            points: Vec::new(),
        })
        .collect();
    for member in &found.members {
        let cluster = member.cluster.map(|cluster| cluster as usize);
        if let Some(group) = cluster.and_then(|cluster| groups.get_mut(cluster)) {
            let point = (f64::from(member.x), f64::from(member.y));
            group.points.push(point);
        }
    }
    let axis = |entry: &AxisLatent| {
        let text = entry.text.and_then(|at| of_axis.texts.get(at as usize));
        let listed = || match entry.family {
            Some(root) => format!("family {root}"),
            None => "listed".to_owned(),
        };
        clusters::AxisLatent {
            name: format::latent(entry.latent, &entry.label),
            named_by: text.cloned().unwrap_or_else(listed),
            similarity: text.map(|_| entry.similarity),
        }
    };
    clusters::Clusters {
        title: format!("{} by {}", request.collection, axis_name(&of_axis)),
        documents: clustered(summary),
        apart: summary.uncovered + summary.unreached,
        groups,
        eigenvalues: summary.eigenvalues.clone(),
        axis: summary.axis.iter().map(axis).collect(),
    }
}

/// A report of the groups and their axis.
///
/// # Errors
/// Numbers that cannot be drawn.
pub fn report(request: &ClusterRequest, found: &Clusters) -> Result<Report> {
    let shown = clusters(request, found);
    Ok(Report {
        summary: shown.sentence(),
        parameters: parameters(request, &found.summary),
        sections: shown.sections()?,
        title: shown.title,
    })
}

/// The documents and where they belong, as a table.
pub fn table(found: &Clusters) -> Table {
    let placed = |value: fn(&ClusterMember) -> f32| {
        move |member: &ClusterMember| member.cluster.map(|_| value(member))
    };
    let label = |member: &ClusterMember| {
        let cluster = found.summary.clusters.get(member.cluster? as usize)?;
        Some(cluster.label.clone())
    };
    Table::of(&found.members)
        .value("id", |member| &*member.id)
        .value("cluster", |member| member.cluster)
        .value("label", label)
        .value("affinity", placed(|member| member.affinity))
        .value("x", placed(|member| member.x))
        .value("y", placed(|member| member.y))
        .build()
}
