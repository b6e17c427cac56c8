//! `latentdb sae`: train, evaluate and inspect sparse autoencoders, on a file of vectors in this
//! process or on a collection in the server.

mod eval;
mod files;
mod import;
mod sweep;
mod train;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::ProgressBar;
use latentdb_proto::v1::{TrainSaeProgress, TrainSaeRequest};
use serde_json::{Value, json};

use super::client::{Client, ClientArgs};
use super::interrupt::Interrupt;
use super::{output, progress, text};
use crate::sae::{Normalisation, Quality, Sae};

/// What is done with SAEs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Train an SAE
    Train(Box<train::Args>),
    /// Train a grid of sizes and tabulate their quality
    Sweep(Box<sweep::Args>),
    /// Measure an SAE
    Eval(eval::Args),
    /// Convert an SAE of another program to the layout that is served
    Import(import::Args),
    /// Show what a folder holds
    Info {
        /// Folder of the SAE
        dir: PathBuf,
    },
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let client = args.client;
    match args.action {
        Action::Train(train) => train::run(*train, &client, interrupt).await,
        Action::Sweep(sweep) => {
            tokio::task::spawn_blocking(move || sweep::run(&sweep, client.json, &interrupt)).await?
        }
        Action::Eval(eval) => eval::run(eval, &client, interrupt).await,
        Action::Import(import) => {
            let work = tokio::task::spawn_blocking(move || import::run(&import, client.json));
            interrupt.stops(async { work.await? }).await
        }
        Action::Info { dir } => info(&dir, client.json),
    }
}

fn quality_line(name: &str, quality: &Quality) -> String {
    let recall = quality.recall.map_or(String::new(), |recall| {
        format!(", recall@{} {:.3}", recall.k, recall.recall)
    });
    format!(
        "  {name:<10} FVU {:.4}, L0 {:.1}, {:.1}% dead, cosine {:.4}{recall} over {} vectors\n",
        quality.fvu,
        quality.l0,
        quality.dead_share * 100.0,
        quality.cosine,
        text::thousands(quality.rows as u64)
    )
}

/// An SAE in this process, in the form that the server gives.
fn local(sae: &Sae) -> Value {
    json!({
        "sha256": sae.hash(),
        "architecture": sae.architecture().name(),
        "d_in": sae.d_in(),
        "n_latents": sae.n_latents(),
        "k": sae.k(),
        "training": sae.record(),
    })
}

fn info(dir: &Path, is_json: bool) -> anyhow::Result<()> {
    let sae = Sae::load(dir)?;
    output::emit(is_json, &local(&sae), &info_page(dir, &sae))?;
    Ok(())
}

/// What there is to know of an SAE in `dir`, on a page.
fn info_page(dir: &Path, sae: &Sae) -> String {
    let record = sae.record();
    let k = sae.k().map_or(String::new(), |k| format!(", k = {k}"));
    let mut page = format!(
        "{}: {}, {} latents{k}, for vectors of {} values\n  sha256 {}\n",
        dir.display(),
        sae.architecture().name(),
        text::thousands(sae.n_latents() as u64),
        sae.d_in(),
        sae.hash()
    );
    page.push_str(match sae.normalisation() {
        Normalisation::None => "",
        Normalisation::ConstantNormRescale => "  inputs are scaled to the norm sqrt(d)\n",
        Normalisation::LayerNorm => "  inputs are normalised as by a layer norm\n",
    });
    if !record.origin.is_empty() {
        page.push_str(&format!("  made by {}\n", record.origin));
    }
    if let Some(reading) = &record.reading {
        page.push_str(&format!("  reads {}\n", reading.describe()));
    }
    for (name, value) in &record.about {
        page.push_str(&format!("  {name}: {}\n", text::cut(value, 200)));
    }
    if let Some(report) = &record.report {
        page.push_str(&quality_line("trained on", &report.trained));
        if let Some(quality) = &report.held_out {
            page.push_str(&quality_line("held out", quality));
        }
    }
    page
}

/// Shows where a training in the server stands.
pub(super) fn show_training(bar: &ProgressBar, now: &TrainSaeProgress) {
    // The last message carries what came of it, not where it stands.
    if now.steps == 0 {
        return;
    }
    bar.set_length(now.steps);
    bar.set_position(now.step);
    bar.set_message(format!(
        "epoch {}: loss {:.4}, FVU {:.4}{}, L0 {:.1}, {:.1}% dead, {} examples/s",
        now.epoch,
        now.loss,
        now.fvu,
        now.held_out_fvu
            .map_or(String::new(), |fvu| format!(" (held out {fvu:.4})")),
        now.l0,
        now.dead * 100.0,
        text::thousands(now.examples_per_second.round() as u64)
    ));
}

/// Trains on a collection, with a bar; the last message of the stream.
pub(super) async fn train_in_server(
    client: &Client,
    request: TrainSaeRequest,
) -> anyhow::Result<TrainSaeProgress> {
    let bar = progress::bar(0, "steps");
    bar.set_message("training");
    let mut stream = client.models().train_sae(request).await?.into_inner();
    let mut last = None;
    while let Some(now) = stream.message().await? {
        show_training(&bar, &now);
        last = Some(now);
    }
    bar.finish_and_clear();
    last.filter(|last| last.sae.is_some())
        .context("the server ended the call before the SAE was trained")
}

/// The quality that the server measured, on a line.
pub(super) fn server_quality_line(quality: &latentdb_proto::v1::SaeQuality) -> String {
    format!(
        "FVU {:.4}, L0 {:.1}, {:.1}% dead, cosine {:.4} over {} vectors\n",
        quality.fvu,
        quality.l0,
        quality.dead * 100.0,
        quality.cosine,
        text::thousands(quality.rows)
    )
}
