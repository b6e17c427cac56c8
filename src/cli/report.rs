//! `latentdb report`: an analysis as one HTML file that can be sent to a colleague.

use std::path::PathBuf;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::client::ClientArgs;
use super::{cluster, correlate, diff, output};
use crate::whole_file;

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
    let mut report = match &args.analysis {
        Analysis::Diff(request) => diff::report(request, &client).await?,
        Analysis::Corr(request) => correlate::report(request, &client).await?,
        Analysis::Cluster(request) => cluster::report(request, &client).await?,
    };
    let now: DateTime<Utc> = SystemTime::now().into();
    let made = now.format("%Y-%m-%d %H:%M UTC").to_string();
    let with = format!("LatentDB {}", env!("CARGO_PKG_VERSION"));
    report.parameters.extend([("made", made), ("with", with)]);
    let html = report.html()?;
    whole_file::write(&args.out, html.as_bytes())?;
    let value = json!({"out": args.out, "bytes": html.len()});
    let page = format!("{}: {} bytes\n", args.out.display(), html.len());
    output::emit(args.client.json, &value, &page)
}
