//! `latentdb cluster`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use latentdb_proto::v1::cluster_response::Part;
use latentdb_proto::v1::{
    Axis, AxisSource, ClusterMember, ClusterRequest, ClusterSummary, DistinctiveLatent,
};
use serde_json::{Value, json};

use super::client::{Client, ClientArgs};
use super::table::{FileArgs, Table};
use super::{json, output, progress, search, text};
use crate::plot::{self, Series};

/// What is clustered by what.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("by").required(true).multiple(true))]
pub(super) struct Request {
    /// The collection
    pub(super) name: String,
    /// A text that names an axis; may be given several times
    #[arg(long, value_name = "TEXT", num_args = 1.., group = "by")]
    axis: Vec<String>,
    /// A latent of the axis; may be given several times
    #[arg(long, value_name = "ID", num_args = 1.., group = "by")]
    latent: Vec<u32>,
    /// A family of latents by its root, all of it for the axis; may be given several times
    #[arg(long, value_name = "ROOT", num_args = 1.., group = "by")]
    family: Vec<u32>,
    /// Latents that each text names
    #[arg(long, value_name = "N", default_value_t = 100)]
    per_text: u32,
    /// What texts are compared with: labels, centroids, or best, the better of what there is
    #[arg(long, value_name = "SOURCE", value_parser = source, default_value = "best")]
    source: AxisSource,
    /// Only documents of this filter
    #[arg(long, value_name = "EXPR")]
    pub(super) filter: Option<String>,
    /// Number of clusters; without one, the eigenvalues decide
    #[arg(long, value_name = "N")]
    k: Option<u32>,
    /// Decides everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Documents that stand for all where there are more than 5,000
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    landmarks: u32,
    /// Typical documents listed per cluster
    #[arg(long, value_name = "N", default_value_t = 3)]
    documents: u32,
}

/// The arguments of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    request: Request,
    /// Draw the documents, coloured by cluster, to this SVG file
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// An answer, put together.
pub(super) struct Clustered {
    pub(super) summary: ClusterSummary,
    pub(super) members: Vec<ClusterMember>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.client.connect().await?;
    let found = fetch(&client, &args.request).await?;
    if let Some(path) = &args.plot {
        plot::write(path, &picture(&args.request, &found)?)?;
    }
    args.files.write(|| table(&found))?;
    let page = page(&found, output::columns());
    output::emit(args.client.json, &value(&found), &page)?;
    Ok(())
}

/// Asks the server, with a bar.
pub(super) async fn fetch(client: &Client, args: &Request) -> anyhow::Result<Clustered> {
    let request = ClusterRequest {
        collection: args.name.clone(),
        filter: args.filter.clone().map(search::expression),
        axis: Some(Axis {
            texts: args.axis.clone(),
            latents: args.latent.clone(),
            families: args.family.clone(),
            latents_per_text: args.per_text,
            source: args.source.into(),
        }),
        clusters: args.k.unwrap_or_default(),
        seed: args.seed,
        landmarks: args.landmarks,
        documents: args.documents,
        ..ClusterRequest::default()
    };
    let stream = client.analyses().cluster(request).await?.into_inner();
    let mut summary = None;
    let mut members = Vec::new();
    progress::follow(stream, "clustering", "units", |message| {
        match message.part {
            Some(Part::Progress(now)) => return Ok(Some(now)),
            Some(Part::Summary(found)) => summary = Some(found),
            Some(Part::Members(batch)) => members.extend(batch.members),
            None => {}
        }
        Ok(None)
    })
    .await?;
    let summary = summary.context("the server ended the call before the clusters were found")?;
    Ok(Clustered { summary, members })
}

impl Request {
    /// A text of the axis.
    pub(super) fn text(&self, at: usize) -> Option<&str> {
        self.axis.get(at).map(String::as_str)
    }

    /// The axis as a person would say it.
    pub(super) fn axis_name(&self) -> String {
        let named = |kind: &'static str, ids: &[u32]| {
            let names = ids.iter().map(move |id| format!("{kind} {id}"));
            names.collect::<Vec<_>>()
        };
        let texts = self.axis.iter().cloned();
        let parts: Vec<String> = texts
            .chain(named("latent", &self.latent))
            .chain(named("family", &self.family))
            .collect();
        parts.join(", ")
    }

    /// The parameters and their values, for a report.
    pub(super) fn parameters(&self, found: &ClusterSummary) -> Vec<(&'static str, String)> {
        let source = match AxisSource::try_from(found.source) {
            Ok(AxisSource::Labels) => "labels",
            Ok(AxisSource::Centroids) => "centroids",
            _ => "none, the latents were listed",
        };
        let number = |number: u64| text::thousands(number);
        vec![
            ("axis", self.axis_name()),
            ("texts compared with", source.to_owned()),
            (
                "filter",
                self.filter
                    .clone()
                    .unwrap_or_else(|| "all documents".to_owned()),
            ),
            (
                "clusters",
                match self.k {
                    Some(k) => format!("{k}, as asked"),
                    None => format!("{}, by the eigengap", found.clusters.len()),
                },
            ),
            (
                "documents compared",
                match found.landmarks {
                    0 => "all pairs".to_owned(),
                    some => format!("with {} landmarks", number(some)),
                },
            ),
            ("seed", self.seed.to_string()),
        ]
    }
}

fn source(text: &str) -> Result<AxisSource, String> {
    match text {
        "best" => Ok(AxisSource::Best),
        "labels" => Ok(AxisSource::Labels),
        "centroids" => Ok(AxisSource::Centroids),
        other => Err(format!(
            "{other:?} is no source; accepted are labels, centroids and best"
        )),
    }
}

/// The documents on the plane, a colour for each cluster.
pub(super) fn picture(args: &Request, found: &Clustered) -> crate::error::Result<String> {
    let mut points = vec![Vec::new(); found.summary.clusters.len()];
    for member in &found.members {
        if let Some(points) = member
            .cluster
            .and_then(|cluster| points.get_mut(cluster as usize))
        {
            points.push((f64::from(member.x), f64::from(member.y)));
        }
    }
    let names: Vec<String> = (1..)
        .zip(&found.summary.clusters)
        .map(|(number, cluster)| format!("{number}: {}", text::cut(&cluster.label, 48)))
        .collect();
    let classes: Vec<Series<'_>> = names
        .iter()
        .zip(&points)
        .map(|(name, points)| Series { name, points })
        .collect();
    plot::scatter(
        &format!("{} by {}", args.name, args.axis_name()),
        &plot::Axis::new("first principal component of the spectral embedding"),
        &plot::Axis::new("second principal component"),
        &classes,
    )
}

/// The documents and where they belong, as a table.
fn table(found: &Clustered) -> Table {
    let of = || found.members.iter();
    let placed = |value: fn(&ClusterMember) -> f32| {
        move |member: &ClusterMember| member.cluster.map(|_| f64::from(value(member)))
    };
    let label = |member: &ClusterMember| {
        let cluster = found.summary.clusters.get(member.cluster? as usize)?;
        Some(cluster.label.clone())
    };
    let mut table = Table::default();
    table.text("id", of().map(|member| Some(&*member.id)));
    table.integer("cluster", of().map(|member| member.cluster.map(u64::from)));
    table.text("label", of().map(label));
    table.optional_number("affinity", of().map(placed(|member| member.affinity)));
    table.optional_number("x", of().map(placed(|member| member.x)));
    table.optional_number("y", of().map(placed(|member| member.y)));
    table
}

fn page(found: &Clustered, columns: usize) -> String {
    let summary = &found.summary;
    let mut page = String::new();
    for (number, cluster) in (1..).zip(&summary.clusters) {
        let _ = writeln!(
            page,
            "{number:>3}. {} documents, affinity {:.3}  {}",
            text::thousands(cluster.size),
            cluster.affinity,
            text::cut(&cluster.label, columns.saturating_sub(40))
        );
        for (name, latents) in [("more", &cluster.over), ("less", &cluster.under)] {
            let parts: Vec<String> = latents.iter().take(4).map(distinctive).collect();
            if !parts.is_empty() {
                for line in text::wrap(&format!("     {name}  "), &parts, columns) {
                    let _ = writeln!(page, "{line}");
                }
            }
        }
        for document in &cluster.documents {
            let line = format!(
                "{}  {}",
                document.id,
                document.text.as_deref().unwrap_or_default()
            );
            let _ = writeln!(page, "     {}", text::cut(&line, columns.saturating_sub(5)));
        }
    }
    let _ = writeln!(
        page,
        "{} clusters of {} documents by {} latents",
        summary.clusters.len(),
        text::thousands(summary.documents - summary.uncovered - summary.unreached),
        text::thousands(summary.axis.len() as u64)
    );
    if summary.uncovered > 0 {
        let count = text::thousands(summary.uncovered);
        let _ = writeln!(
            page,
            "{count} documents have none of them and are in no cluster"
        );
    }
    if summary.landmarks > 0 {
        let count = text::thousands(summary.landmarks);
        let _ = writeln!(page, "{count} landmarks, drawn at random, stand for all");
    }
    if summary.unreached > 0 {
        let count = text::thousands(summary.unreached);
        let _ = writeln!(
            page,
            "{count} documents share none with a landmark and are in no cluster"
        );
    }
    page
}

fn distinctive(entry: &DistinctiveLatent) -> String {
    format!(
        "{} {:.0}% (others {:.0}%)",
        text::latent(entry.latent, &entry.label, &text::label),
        entry.inside * 100.0,
        entry.outside * 100.0
    )
}

fn value(found: &Clustered) -> Value {
    let summary = &found.summary;
    let latents = |entries: &[DistinctiveLatent]| -> Vec<Value> {
        let value = |entry: &DistinctiveLatent| {
            json!({
                "latent": entry.latent, "label": json::some_text(&entry.label),
                "count": entry.count, "inside": entry.inside, "outside": entry.outside,
            })
        };
        entries.iter().map(value).collect()
    };
    let clusters: Vec<Value> = summary
        .clusters
        .iter()
        .map(|cluster| {
            let documents: Vec<Value> = cluster
                .documents
                .iter()
                .map(|document| json::document(document).into())
                .collect();
            json!({
                "label": cluster.label, "size": cluster.size, "affinity": cluster.affinity,
                "over": latents(&cluster.over), "under": latents(&cluster.under),
                "documents": documents,
            })
        })
        .collect();
    let members: Vec<Value> = found
        .members
        .iter()
        .map(|member| {
            json!({
                "id": member.id, "cluster": member.cluster,
                "affinity": json::number(member.affinity),
                "x": json::number(member.x), "y": json::number(member.y),
            })
        })
        .collect();
    let axis: Vec<Value> = summary
        .axis
        .iter()
        .map(|entry| {
            json!({
                "latent": entry.latent, "label": json::some_text(&entry.label),
                "text": entry.text, "family": entry.family,
                "similarity": entry.text.map(|_| json::number(entry.similarity)),
            })
        })
        .collect();
    json!({
        "clusters": clusters,
        "documents": summary.documents,
        "uncovered": summary.uncovered,
        "unreached": summary.unreached,
        "landmarks": summary.landmarks,
        "eigenvalues": summary.eigenvalues,
        "axis": axis,
        "members": members,
        "sequence": summary.sequence,
    })
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::Cluster;

    use super::*;

    fn found() -> Clustered {
        let latent = |latent, label: &str, inside, outside| DistinctiveLatent {
            latent,
            label: label.to_owned(),
            count: 3,
            inside,
            outside,
        };
        let cluster = Cluster {
            label: "late delivery".to_owned(),
            size: 4,
            affinity: 0.5,
            over: vec![latent(12, "late delivery", 0.75, 0.1)],
            under: vec![latent(9, "", 0.0, 0.5)],
            documents: Vec::new(),
        };
        let member = |id: &str, cluster| ClusterMember {
            id: id.to_owned(),
            cluster,
            affinity: 0.5,
            x: 0.25,
            y: -1.0,
        };
        Clustered {
            summary: ClusterSummary {
                clusters: vec![cluster],
                documents: 5,
                uncovered: 1,
                ..ClusterSummary::default()
            },
            members: vec![member("a", Some(0)), member("b", None)],
        }
    }

    #[test]
    fn the_table_names_what_sets_clusters_apart() {
        let page = page(&found(), 100);
        assert_eq!(
            page,
            "  1. 4 documents, affinity 0.500  late delivery\n     \
             more  12 \"late delivery\" 75% (others 10%)\n     \
             less  9 0% (others 50%)\n\
             1 clusters of 4 documents by 0 latents\n\
             1 documents have none of them and are in no cluster\n"
        );
    }

    #[test]
    fn json_tells_documents_in_no_cluster() {
        let value = value(&found());
        assert_eq!(value["members"][0]["cluster"], 0);
        assert_eq!(value["members"][1]["cluster"], Value::Null);
        assert_eq!(value["clusters"][0]["under"][0]["label"], Value::Null);
    }
}
