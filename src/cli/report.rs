//! `latentdb report`: an analysis as one HTML file that can be sent to a colleague.

use std::path::PathBuf;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use latentdb_proto::v1::{ActivatingDocument, Document};
use serde_json::json;

use super::client::ClientArgs;
use super::{cluster, correlate, diff, output, text};
use crate::report::{Example, Report};
use crate::whole_file;

mod clusters;
mod correlations;
mod differences;

/// What is reported.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    analysis: Analysis,
    /// The HTML file to write
    #[arg(
        long,
        value_name = "FILE.html",
        global = true,
        default_value = "report.html"
    )]
    out: PathBuf,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Analysis {
    /// What sets two or more sets of documents apart
    Diff(diff::Request),
    /// What occurs together
    Corr(correlate::Request),
    /// Documents grouped along an axis
    Cluster(cluster::Request),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.client.connect().await?;
    let report = match &args.analysis {
        Analysis::Diff(request) => differences::report(request, &client).await?,
        Analysis::Corr(request) => correlations::report(request, &client).await?,
        Analysis::Cluster(request) => clusters::report(request, &client).await?,
    };
    let html = dated(report).html();
    whole_file::write(&args.out, html.as_bytes())?;
    let value = json!({"out": args.out, "bytes": html.len()});
    let page = format!("{}: {} bytes\n", args.out.display(), html.len());
    output::emit(args.client.json, &value, &page)?;
    Ok(())
}

fn dated(mut report: Report) -> Report {
    let now: DateTime<Utc> = SystemTime::now().into();
    let made = now.format("%Y-%m-%d %H:%M UTC").to_string();
    let with = format!("LatentDB {}", env!("CARGO_PKG_VERSION"));
    report
        .parameters
        .extend([("made".to_owned(), made), ("with".to_owned(), with)]);
    report
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A document with what else is known of it.
fn example(document: &Document, activation: Option<f32>) -> Example {
    let attributes = text::attributes(document);
    let about = match activation {
        Some(activation) => format!("activation {activation:.2}, {attributes}"),
        None => attributes,
    };
    Example {
        id: document.id.clone(),
        about: about.trim_end_matches(", ").to_owned(),
        text: document.text.clone().unwrap_or_default(),
        is_beside: false,
    }
}

fn examples(entries: &[ActivatingDocument]) -> Vec<Example> {
    let document = |entry: &ActivatingDocument| {
        let document = entry.document.as_ref()?;
        Some(example(document, Some(entry.activation)))
    };
    entries.iter().filter_map(document).collect()
}
