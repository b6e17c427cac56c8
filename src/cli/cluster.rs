//! `latentdb cluster`.

use crate::cli::flags;
use std::fmt::Write as _;
use std::path::PathBuf;

use latentdb_proto::v1::{Axis, AxisSource, ClusterRequest, ClusterResponse, DistinctiveLatent};

use super::client::{Client, ClientArgs};
use super::output::FileArgs;
use super::{output, progress, search, text};
use crate::client::Clusters;
use crate::client::view::cluster as view;
use crate::plot;
use crate::report::{Report, format};

/// The latents that documents are looked at by.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AxisArgs {
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
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = flags::count::<u32>)]
    per_text: u32,
    /// What texts are compared with: labels, centroids, or best, the better of what there is
    #[arg(long, value_name = "SOURCE", value_parser = source, default_value = "best")]
    source: AxisSource,
}

impl AxisArgs {
    /// The axis as it is sent.
    pub fn wire(&self, recurrence: flags::RecurrenceArgs) -> Axis {
        Axis {
            texts: self.axis.clone(),
            latents: self.latent.clone(),
            families: self.family.clone(),
            latents_per_text: self.per_text,
            source: self.source.into(),
            min_recurrence: recurrence.min_recurrence,
        }
    }
}

/// What is clustered by what.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("by").required(true).multiple(true))]
pub(super) struct Request {
    /// The collection
    name: String,
    #[command(flatten)]
    axis: AxisArgs,
    #[command(flatten)]
    recurrence: flags::RecurrenceArgs,
    /// Only documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Number of clusters; without one, the eigenvalues decide
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>)]
    k: Option<u32>,
    /// Decides everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Documents that stand for all where there are more than 5,000
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = flags::count::<u32>)]
    landmarks: u32,
    /// Typical documents listed per cluster
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = flags::count::<u32>)]
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

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = args.request.wire();
    let client = args.client.connect().await?;
    let found = client.cluster(request.clone(), progress()).await?;
    if let Some(path) = &args.plot {
        plot::write(path, &view::clusters(&request, &found).figure()?)?;
    }
    output::warn(&found.summary.warnings);
    args.files.write(&view::table(&found))?;
    output::respond(args.client.json, &found, || page(&found, output::columns()))
}

/// A bar that follows a clustering.
fn progress() -> impl FnMut(&ClusterResponse) {
    progress::follow("clustering", "units")
}

impl Request {
    /// The request as it is sent.
    fn wire(&self) -> ClusterRequest {
        ClusterRequest {
            collection: self.name.clone(),
            filter: self.filter.clone().map(search::expression),
            axis: Some(self.axis.wire(self.recurrence)),
            clusters: self.k.unwrap_or_default(),
            seed: self.seed,
            landmarks: self.landmarks,
            documents: self.documents,
            ..ClusterRequest::default()
        }
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

/// `latentdb report cluster`.
pub(super) async fn report(request: &Request, client: &Client) -> anyhow::Result<Report> {
    let request = request.wire();
    let found = client.cluster(request.clone(), progress()).await?;
    output::warn(&found.summary.warnings);
    Ok(view::report(&request, &found)?)
}

fn page(found: &Clusters, columns: usize) -> String {
    let summary = &found.summary;
    let mut page = String::new();
    for (number, cluster) in (1..).zip(&summary.clusters) {
        let _ = writeln!(
            page,
            "{number:>3}. {}, affinity {:.3}  {}",
            text::counted(cluster.size, "document"),
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
        "{} of {} by {}",
        text::counted(summary.clusters.len() as u64, "cluster"),
        text::counted(view::clustered(summary), "document"),
        text::counted(summary.axis.len() as u64, "latent")
    );
    if summary.uncovered > 0 {
        let count = text::counted(summary.uncovered, "document");
        let _ = writeln!(page, "in no cluster: {count} without any of them");
    }
    if summary.landmarks > 0 {
        let count = text::counted(summary.landmarks, "landmark");
        let _ = writeln!(page, "{count}, drawn at random, for all");
    }
    if summary.unreached > 0 {
        let count = text::counted(summary.unreached, "document");
        let _ = writeln!(
            page,
            "in no cluster: {count} that share none with a landmark"
        );
    }
    page
}

fn distinctive(entry: &DistinctiveLatent) -> String {
    format!(
        "{} {:.0}% (others {:.0}%)",
        format::latent(entry.latent, &entry.label),
        entry.inside * 100.0,
        entry.outside * 100.0
    )
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{Cluster, ClusterMember, ClusterSummary};

    use super::*;

    fn found() -> Clusters {
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
        Clusters {
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
             1 cluster of 4 documents by 0 latents\n\
             in no cluster: 1 document without any of them\n"
        );
    }
}
