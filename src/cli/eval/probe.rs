//! `latentdb eval probe`: how well a few latents tell each value of an attribute, beside a probe on vectors.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use latentdb_proto::v1::attribute_filter::Test;
use latentdb_proto::v1::facet::By;
use latentdb_proto::v1::filter::Kind;
use latentdb_proto::v1::{
    AttributeFilter, ExplainChoice, ExplainRequest, Facet, FacetRequest, Filter, Value,
};
use serde_json::json;

use crate::cli::client::{Client, ClientArgs};
use crate::cli::{flags, output, progress, search};
use crate::client::view;
use crate::report::format;

/// What is probed for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Attributes whose values are told, one against all others
    #[arg(
        long,
        value_name = "ATTRIBUTE,..",
        value_delimiter = ',',
        required = true
    )]
    target: Vec<String>,
    /// Numbers of latents
    #[arg(
        long,
        value_name = "K,..",
        value_delimiter = ',',
        default_value = "1,2,5,16"
    )]
    k: Vec<u32>,
    /// Values of an attribute in so many documents or more
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = flags::count::<u64>)]
    min_documents: u64,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the table as Markdown
    #[arg(long, value_name = "FILE.md")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Values of an attribute that are looked at, the most frequent ones.
const MAX_VALUES: u32 = 1000;

/// A value and how well it is told.
struct Row {
    name: String,
    documents: u64,
    /// By the numbers of latents.
    latents: Vec<f64>,
    dense: Option<f64>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    if args.k.contains(&0) {
        bail!("--k has a 0; 1 to 1024 is accepted");
    }
    let client = args.client.connect().await?;
    let mut rows = Vec::new();
    for target in &args.target {
        let values = values(&client, &args, target).await?;
        if values.is_empty() {
            bail!(
                "no value of {target:?} is in {} documents or more and not in all of them; --min-documents \
                 asks for less",
                args.min_documents
            );
        }
        for (value, documents) in values {
            let name = format!("{target} = {}", view::value(&value));
            rows.push(row(&client, &args, (target, value), (name, documents)).await?);
        }
    }
    let header = header(&args.k);
    let cells: Vec<Vec<String>> = rows.iter().map(cells).chain([means(&rows)]).collect();
    if let Some(path) = &args.markdown {
        let written = std::fs::write(path, markdown(&header, &cells));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let value = json!({
        "k": args.k,
        "rows": rows
            .iter()
            .map(|row| json!({
                "target": row.name,
                "documents": row.documents,
                "auc": row.latents,
                "dense_auc": row.dense,
            }))
            .collect::<Vec<_>>(),
    });
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let text = format!(
        "{}area under the ROC curve on documents held out, by the number of latents\n",
        crate::report::aligned(&names, &cells)
    );
    output::emit(args.client.json, &value, &text)
}

/// The values of an attribute that are in enough documents, and not in all, with how many.
async fn values(client: &Client, args: &Args, target: &str) -> anyhow::Result<Vec<(Value, u64)>> {
    let request = FacetRequest {
        collection: args.collection.clone(),
        filter: args.filter.clone().map(search::expression),
        facets: vec![Facet {
            by: Some(By::Attribute(target.to_owned())),
            limit: MAX_VALUES,
            ..Facet::default()
        }],
    };
    let found = client.searches().facet(request).await?.into_inner();
    output::warn(&found.warnings);
    let all = found.documents;
    let facets = found.facets.into_iter().flat_map(|facet| facet.values);
    let is_enough = |count: u64| count >= args.min_documents && count < all;
    let values: Vec<(Value, u64)> = facets
        .filter(|own| is_enough(own.count))
        .filter_map(|own| Some((own.value?, own.count)))
        .collect();
    if values.len() >= MAX_VALUES as usize {
        bail!(
            "{target:?} has {MAX_VALUES} values or more in {} documents; ask for more with --min-documents",
            args.min_documents
        );
    }
    Ok(values)
}

async fn row(
    client: &Client,
    args: &Args,
    (target, value): (&str, Value),
    (name, documents): (String, u64),
) -> anyhow::Result<Row> {
    let test = AttributeFilter {
        name: target.to_owned(),
        test: Some(Test::Equals(value)),
    };
    let positive = Filter {
        kind: Some(Kind::Attribute(test)),
    };
    let (mut latents, mut dense) = (Vec::new(), None);
    for &k in &args.k {
        let request = ExplainRequest {
            collection: args.collection.clone(),
            filter: args.filter.clone().map(search::expression),
            target_filter: Some(positive.clone()),
            latents: k,
            choice: ExplainChoice::Means.into(),
            seed: args.seed,
            documents: Some(0),
            ..ExplainRequest::default()
        };
        let progress = progress::follow("probing", "units");
        let found = client.explain(request, progress).await?;
        let auc = found.summary.held_out.and_then(|score| score.auc);
        latents.push(auc.context("the server gave no score")?);
        dense = found.summary.dense.and_then(|score| score.auc);
    }
    Ok(Row {
        name,
        documents,
        latents,
        dense,
    })
}

fn header(k: &[u32]) -> Vec<String> {
    let numbers = k.iter().map(u32::to_string);
    let before = ["target".to_owned(), "documents".to_owned()];
    before
        .into_iter()
        .chain(numbers)
        .chain(["vectors".to_owned()])
        .collect()
}

fn cells(row: &Row) -> Vec<String> {
    let score = |score: Option<f64>| score.map_or_else(String::new, |score| format!("{score:.3}"));
    let mut cells = vec![row.name.clone(), format::thousands(row.documents)];
    cells.extend(row.latents.iter().map(|own| score(Some(*own))));
    cells.push(score(row.dense));
    cells
}

/// The means over the rows.
fn means(rows: &[Row]) -> Vec<String> {
    let mean = |of: &dyn Fn(&Row) -> Option<f64>| -> Option<f64> {
        let known: Vec<f64> = rows.iter().filter_map(of).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let columns = rows.first().map_or(0, |row| row.latents.len());
    let documents: u64 = rows.iter().map(|row| row.documents).sum();
    let each = (0..columns).map(|at| mean(&|row| row.latents.get(at).copied()).unwrap_or(0.0));
    cells(&Row {
        name: "mean".to_owned(),
        documents: documents / rows.len().max(1) as u64,
        latents: each.collect(),
        dense: mean(&|row| row.dense),
    })
}

fn markdown(header: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule: Vec<String> = header.iter().map(|_| "---".to_owned()).collect();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{}{rows}", line(header), line(&rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ends_with_means() {
        let row = |documents, latents: [f64; 2], dense| Row {
            name: "kind = \"x\"".to_owned(),
            documents,
            latents: latents.to_vec(),
            dense,
        };
        let rows = [row(100, [0.5, 0.7], Some(0.9)), row(300, [0.7, 0.9], None)];
        assert_eq!(means(&rows), ["mean", "200", "0.600", "0.800", "0.900"]);
        let page = markdown(&header(&[1, 5]), &[cells(&rows[1])]);
        assert!(page.starts_with("| target | documents | 1 | 5 | vectors |\n| --- |"));
        assert!(page.ends_with("| 0.700 | 0.900 |  |\n"));
    }
}
