//! `latentdb report`: an analysis as one HTML file that can be sent to a colleague.

use std::path::PathBuf;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::client::ClientArgs;
use super::{cluster, output};
use crate::report::Report;
use crate::whole_file;

mod clusters;

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
    /// Documents grouped along an axis
    Cluster(cluster::Request),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.client.connect().await?;
    let report = match &args.analysis {
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
