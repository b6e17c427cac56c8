//! The report of a clustering.

use latentdb_proto::v1::{Cluster, ClusterSummary, DistinctiveLatent};

use super::super::client::Client;
use super::super::cluster::{self, Clustered, Request};
use super::super::text;
use super::{example, percent};
use crate::plot::{self, Axis, Bar, Series};
use crate::report::{Block, Report, Section, Table};

/// Latents drawn per cluster, of either sign.
const DRAWN: usize = 8;

pub(super) async fn report(request: &Request, client: &Client) -> anyhow::Result<Report> {
    let found = cluster::fetch(client, request).await?;
    let summary = &found.summary;
    let mut sections = vec![overview(request, &found)?];
    for (number, cluster) in (1..).zip(&summary.clusters) {
        sections.push(section(number, cluster, clustered(summary))?);
    }
    sections.push(axis(request, summary));
    let parameters = request.parameters(summary).into_iter();
    Ok(Report {
        title: format!("{} by {}", request.name, request.axis_name()),
        summary: sentence(summary),
        parameters: [("collection".to_owned(), request.name.clone())]
            .into_iter()
            .chain(parameters.map(|(name, value)| (name.to_owned(), value)))
            .collect(),
        sections,
    })
}

fn clustered(summary: &ClusterSummary) -> u64 {
    summary.documents - summary.uncovered - summary.unreached
}

fn sentence(summary: &ClusterSummary) -> String {
    let apart = summary.uncovered + summary.unreached;
    let apart = match apart {
        0 => String::new(),
        _ => format!(
            " {} more are in no group: they have none of these concepts, or none that the others \
             have.",
            text::thousands(apart)
        ),
    };
    format!(
        "{} documents in {} groups by the {} concepts that the axis names, and by no others.{apart}",
        text::thousands(clustered(summary)),
        summary.clusters.len(),
        text::thousands(summary.axis.len() as u64)
    )
}

fn overview(request: &Request, found: &Clustered) -> anyhow::Result<Section> {
    let summary = &found.summary;
    let mut blocks = Vec::new();
    if summary.clusters.is_empty() {
        blocks.push(Block::Text(
            "No document has any of the concepts.".to_owned(),
        ));
        return Ok(Section {
            heading: "Groups".to_owned(),
            blocks,
        });
    }
    let mut table = Table::new(&["group", "label", "documents#", "share#", "affinity#"]);
    for (number, cluster) in (1..).zip(&summary.clusters) {
        table.rows.push(vec![
            i32::to_string(&number),
            cluster.label.clone(),
            text::thousands(cluster.size),
            percent(cluster.size as f64 / clustered(summary) as f64),
            format!("{:.3}", cluster.affinity),
        ]);
    }
    blocks.push(Block::Table(table));
    blocks.push(Block::Text(
        "Affinity is the mean likeness of a group's documents to each other: the share of \
         concepts that two documents have in common, of those that either has."
            .to_owned(),
    ));
    blocks.push(Block::Plot {
        svg: cluster::picture(request, found)?,
        caption: "Each document is a point; near points have like concepts.".to_owned(),
    });
    let values: Vec<(f64, f64)> = (1..)
        .zip(&summary.eigenvalues)
        .map(|(number, value)| (f64::from(number), *value))
        .collect();
    blocks.push(Block::Plot {
        svg: plot::lines(
            "Leading eigenvalues",
            &Axis::new("number"),
            &Axis::new("eigenvalue of the normalised affinity"),
            &[Series {
                name: "",
                points: &values,
            }],
        )?,
        caption: "A large fall after the k-th value speaks for k groups.".to_owned(),
    });
    Ok(Section {
        heading: "Groups".to_owned(),
        blocks,
    })
}

fn section(number: usize, cluster: &Cluster, all: u64) -> anyhow::Result<Section> {
    let mut blocks = vec![Block::Text(format!(
        "{} documents, {} of those in groups.",
        text::thousands(cluster.size),
        percent(cluster.size as f64 / all as f64)
    ))];
    let over = cluster.over.iter().take(DRAWN);
    let drawn: Vec<&DistinctiveLatent> = over.chain(cluster.under.iter().take(DRAWN)).collect();
    let names: Vec<String> = drawn.iter().map(|entry| name(entry)).collect();
    let bars: Vec<Bar<'_>> = drawn
        .iter()
        .zip(&names)
        .map(|(entry, name)| Bar {
            name,
            value: (entry.inside - entry.outside) * 100.0,
            interval: None,
        })
        .collect();
    if !bars.is_empty() {
        blocks.push(Block::Plot {
            svg: plot::horizontal_bars(
                &format!("What sets group {number} apart"),
                &Axis::new("share in the group minus share in the others").unit("points"),
                &bars,
            )?,
            caption: "Concepts more frequent in the group to the right, rarer ones to the left."
                .to_owned(),
        });
    }
    let mut table = Table::new(&["concept", "in the group#", "in the others#", "documents#"]);
    for entry in cluster.over.iter().chain(&cluster.under) {
        table.rows.push(vec![
            name(entry),
            percent(entry.inside),
            percent(entry.outside),
            text::thousands(entry.count),
        ]);
    }
    blocks.push(Block::Folded(
        "The concepts with their shares".to_owned(),
        table,
    ));
    let documents = cluster.documents.iter();
    let examples = documents.map(|document| example(document, None));
    blocks.push(Block::Text("Its most typical documents:".to_owned()));
    blocks.push(Block::Documents(examples.collect()));
    Ok(Section {
        heading: format!("{number}. {}", cluster.label),
        blocks,
    })
}

fn name(entry: &DistinctiveLatent) -> String {
    text::latent(entry.latent, &entry.label, &text::label)
}

fn axis(request: &Request, summary: &ClusterSummary) -> Section {
    let mut entries: Vec<_> = summary.axis.iter().collect();
    entries.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    let mut table = Table::new(&["concept", "named by", "similarity#"]);
    for entry in entries {
        let named = entry.text.and_then(|text| request.text(text as usize));
        let listed = match entry.family {
            Some(root) => format!("family {root}"),
            None => "listed".to_owned(),
        };
        table.rows.push(vec![
            text::latent(entry.latent, &entry.label, &text::label),
            named.map_or(listed, str::to_owned),
            named.map_or(String::new(), |_| format!("{:.3}", entry.similarity)),
        ]);
    }
    Section {
        heading: "The axis".to_owned(),
        blocks: vec![
            Block::Text(
                "Documents were compared by these concepts alone: whether each is active or not."
                    .to_owned(),
            ),
            Block::Folded(format!("{} concepts", table.rows.len()), table),
        ],
    }
}
