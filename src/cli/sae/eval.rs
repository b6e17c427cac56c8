//! `latentdb sae eval`: how good an SAE is.

use std::path::PathBuf;

use anyhow::Context as _;
use latentdb_proto::v1::EvaluateSaeRequest;
use serde_json::json;

use super::rows::FileArgs;
use super::{local, quality_line, server_quality_line};
use crate::cli::client::ClientArgs;
use crate::cli::collection::absolute;
use crate::cli::interrupt::Interrupt;
use crate::cli::{json, output, progress};
use crate::sae::{EvaluateOptions, RowSource, Sae, evaluate};

/// What is measured on what.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("on").required(true).multiple(true))]
pub(super) struct Args {
    /// Folder of the SAE; with --collection, the collection's own when left out
    #[arg(required_unless_present = "collection")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    /// Measure on the vectors of this collection, in the server
    #[arg(long, value_name = "NAME", group = "on", conflicts_with_all = ["vectors", "tensor", "rows"])]
    collection: Option<String>,
}

pub(super) async fn run(
    args: Args,
    client: &ClientArgs,
    interrupt: Interrupt,
) -> anyhow::Result<()> {
    if args.collection.is_some() {
        return interrupt.stops(evaluate_collection(&args, client)).await;
    }
    let is_json = client.json;
    let work = tokio::task::spawn_blocking(move || evaluate_files(&args, is_json));
    interrupt.stops(async { work.await? }).await
}

fn evaluate_files(args: &Args, is_json: bool) -> anyhow::Result<()> {
    let dir = args
        .dir
        .as_deref()
        .context("the folder of the SAE is missing")?;
    let sae = Sae::load(dir)?;
    let shards = args.files.open()?;
    if shards.dimension() != sae.d_in() {
        anyhow::bail!(
            "{} has vectors of {} values; the SAE reads {}",
            args.files.names(),
            shards.dimension(),
            sae.d_in()
        );
    }
    let waiting = progress::spinner("evaluating");
    let quality = evaluate(&sae, &shards.read_all()?, &EvaluateOptions::default())?;
    waiting.finish_and_clear();
    let value = json!({"sae": local(&sae), "quality": quality});
    output::emit(
        is_json,
        &value,
        quality_line("quality", &quality).trim_start(),
    )?;
    Ok(())
}

async fn evaluate_collection(args: &Args, client: &ClientArgs) -> anyhow::Result<()> {
    let request = EvaluateSaeRequest {
        collection: args.collection.clone().unwrap_or_default(),
        sae: match &args.dir {
            Some(dir) => absolute(dir)?,
            None => String::new(),
        },
    };
    let connection = client.connect().await?;
    let waiting = progress::spinner("evaluating");
    let response = connection
        .models()
        .evaluate_sae(request)
        .await?
        .into_inner();
    waiting.finish_and_clear();
    let quality = response.quality.unwrap_or_default();
    let value = json!({
        "sae": response.sae.as_ref().map(json::sae),
        "quality": json::quality(&quality),
    });
    output::emit(client.json, &value, &server_quality_line(&quality))?;
    Ok(())
}
