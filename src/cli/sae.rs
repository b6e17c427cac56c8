//! `latentdb sae`: train, evaluate and inspect sparse autoencoders, on a file of vectors in this
//! process or on a collection in the server.

mod import;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::ProgressBar;
use latentdb_proto::v1::{EvaluateSaeRequest, TrainSaeProgress, TrainSaeRequest};
use serde_json::{Value, json};

use super::client::{Client, ClientArgs};
use super::collection::absolute;
use super::encode::beside;
use super::failure::Interrupted;
use super::interrupt::Interrupt;
use super::{json, output, progress, reading, text};
use crate::error::ErrorKind;
use crate::reading::{Reading, TokenReading};
use crate::records::vectors::VectorFile;
use crate::sae::{
    EvaluateOptions, Normalisation, Quality, Sae, TrainConfig, Trained, evaluate, train,
};

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
    /// Train a top-k SAE
    Train(Train),
    /// Measure an SAE
    Eval(Eval),
    /// Convert an SAE of another program to the layout that is served
    Import(import::Args),
    /// Show what a folder holds
    Info {
        /// Folder of the SAE
        dir: PathBuf,
    },
}

/// What is trained on what.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("on").required(true))]
struct Train {
    /// Train on this file of vectors, in this process
    #[arg(long, value_name = "FILE.safetensors", group = "on")]
    vectors: Option<PathBuf>,
    /// Train on the vectors of this collection, in the server
    #[arg(long, value_name = "NAME", group = "on")]
    collection: Option<String>,
    /// Latents; chosen by the number of vectors when left out
    #[arg(long, value_name = "N")]
    n: Option<u32>,
    /// Latents active at once; chosen with N when left out
    #[arg(long, value_name = "K")]
    k: Option<u32>,
    /// Folder of the SAE, in SAELens layout; one that is there is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Passes over the vectors; chosen by their number when left out
    #[arg(long, value_name = "E")]
    epochs: Option<u32>,
    /// Equal seeds give equal SAEs
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What is done to a vector first, in training and in use: none, layer_norm or
    /// constant_norm_rescale (which token states get unless told otherwise)
    #[arg(long, value_name = "HOW", value_parser = reading::normalisation, conflicts_with = "collection")]
    normalise: Option<Normalisation>,
    /// Share of the vectors that is not trained on and measures quality
    #[arg(long, value_name = "SHARE", conflicts_with = "collection")]
    held_out: Option<f32>,
    /// Vectors a step
    #[arg(long, value_name = "ROWS", conflicts_with = "collection")]
    batch_size: Option<usize>,
    /// The highest learning rate
    #[arg(long, value_name = "RATE", conflicts_with = "collection")]
    learning_rate: Option<f32>,
    /// Stop after so many epochs without gain on held-out vectors; 0 never stops
    #[arg(long, value_name = "EPOCHS", conflicts_with = "collection")]
    patience: Option<usize>,
    /// Cores to use; 0 for all
    #[arg(
        long,
        default_value_t = 0,
        hide_default_value = true,
        conflicts_with = "collection"
    )]
    threads: usize,
}

/// What is measured on what.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("on").required(true))]
struct Eval {
    /// Folder of the SAE; with --collection, the collection's own when left out
    #[arg(required_unless_present = "collection")]
    dir: Option<PathBuf>,
    /// Measure on this file of vectors, in this process
    #[arg(long, value_name = "FILE.safetensors", group = "on")]
    vectors: Option<PathBuf>,
    /// Measure on the vectors of this collection, in the server
    #[arg(long, value_name = "NAME", group = "on")]
    collection: Option<String>,
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let client = args.client;
    match args.action {
        Action::Train(train) if train.collection.is_some() => {
            interrupt.stops(train_collection(&train, &client)).await
        }
        Action::Train(train) => {
            tokio::task::spawn_blocking(move || train_file(&train, client.json, &interrupt)).await?
        }
        Action::Eval(eval) if eval.collection.is_some() => {
            interrupt.stops(evaluate_collection(&eval, &client)).await
        }
        Action::Eval(eval) => {
            let work = tokio::task::spawn_blocking(move || evaluate_file(&eval, client.json));
            interrupt.stops(async { work.await? }).await
        }
        Action::Import(import) => {
            let work = tokio::task::spawn_blocking(move || import::run(&import, client.json));
            interrupt.stops(async { work.await? }).await
        }
        Action::Info { dir } => info(&dir, client.json),
    }
}

/// Rows, their dimension, and what they are, where the file says so.
fn read_vectors(path: &Path) -> anyhow::Result<(Vec<f32>, usize, Option<Reading>)> {
    let file = VectorFile::open(path, None)?;
    let mut vectors = Vec::new();
    file.read_rows(0..file.rows(), &mut vectors)?;
    Ok((vectors, file.dimension(), reading::of_file(&file)?))
}

/// The settings that fit the rows, with what the flags say.
fn config(args: &Train, rows: usize) -> TrainConfig {
    let mut config = TrainConfig::for_rows(rows);
    let whole = |value: Option<u32>, otherwise: usize| value.map_or(otherwise, |v| v as usize);
    config.n_latents = whole(args.n, config.n_latents);
    config.k = whole(args.k, config.k);
    config.epochs = whole(args.epochs, config.epochs);
    config.seed = args.seed;
    config.held_out = args.held_out.unwrap_or(config.held_out);
    config.batch = args.batch_size.unwrap_or(config.batch);
    config.learning_rate = args.learning_rate.unwrap_or(config.learning_rate);
    config.patience = args.patience.unwrap_or(config.patience);
    config.threads = args.threads;
    config
}

fn train_file(args: &Train, is_json: bool, interrupt: &Interrupt) -> anyhow::Result<()> {
    let path = args.vectors.as_deref().context("--vectors is missing")?;
    let (vectors, d_in, rows) = read_vectors(path)?;
    let mut config = config(args, vectors.len() / d_in.max(1));
    config.normalisation = args.normalise.unwrap_or(match rows {
        Some(Reading::Token(_)) => Normalisation::ConstantNormRescale,
        _ => Normalisation::None,
    });
    let checkpoint = beside(&args.out, ".checkpoint");
    let bar = progress::bar(0, "steps");
    bar.set_message("training");
    let trained = train(&vectors, d_in, &config, Some(&checkpoint), &mut |now| {
        let dead = now.dead_share * 100.0;
        bar.set_length(now.steps as u64);
        bar.set_position(now.step as u64);
        bar.set_message(format!(
            "epoch {}: loss {:.4}, FVU {:.4}{}, L0 {:.1}, {dead:.1}% dead, {} examples/s",
            now.epoch,
            now.loss,
            now.fvu,
            now.held_out_fvu
                .map_or(String::new(), |fvu| format!(" (held out {fvu:.4})")),
            now.l0,
            text::thousands(now.examples_per_second.round() as u64),
        ));
        if interrupt.is_asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    match trained {
        Ok(trained) => save(args, path, trained, rows, is_json),
        Err(error) if error.kind() == ErrorKind::Cancelled => Err(Interrupted {
            advice: Some(format!(
                "the same command goes on from {}",
                checkpoint.display()
            )),
        }
        .into()),
        Err(error) => Err(error.into()),
    }
}

fn save(
    args: &Train,
    vectors: &Path,
    trained: Trained,
    rows: Option<Reading>,
    is_json: bool,
) -> anyhow::Result<()> {
    let Trained { mut sae, report } = trained;
    sae.set_about("vectors", vectors.display().to_string());
    match rows {
        Some(Reading::Token(rows)) => sae.set_reading(Reading::Token(TokenReading {
            normalisation: sae.normalisation().name().to_owned(),
            ..rows
        })),
        Some(pooled) => sae.set_reading(pooled),
        None => {}
    }
    sae.save(&args.out)?;
    let dir = args.out.display();
    let mut page = format!(
        "{dir}: {} latents, k = {}, {} epochs over {} vectors in {:.1} s, {} examples/s\n",
        text::thousands(sae.n_latents() as u64),
        sae.k().unwrap_or_default(),
        report.epochs,
        text::thousands(report.rows as u64),
        report.seconds,
        text::thousands(report.examples_per_second.round() as u64),
    );
    page.push_str(&quality_line("trained on", &report.trained));
    if let Some(quality) = &report.held_out {
        page.push_str(&quality_line("held out", quality));
    }
    let value = json!({"sae": local(&sae), "report": report, "out": args.out});
    output::emit(is_json, &value, &page)?;
    Ok(())
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

fn evaluate_file(args: &Eval, is_json: bool) -> anyhow::Result<()> {
    let dir = args
        .dir
        .as_deref()
        .context("the folder of the SAE is missing")?;
    let path = args.vectors.as_deref().context("--vectors is missing")?;
    let sae = Sae::load(dir)?;
    let (vectors, d, rows) = read_vectors(path)?;
    reading::check(rows.as_ref(), sae.record().made_for()?.as_ref())?;
    if d != sae.d_in() {
        anyhow::bail!(
            "{} has vectors of {d} values; the SAE reads {}",
            path.display(),
            sae.d_in()
        );
    }
    let waiting = progress::spinner("evaluating");
    let quality = evaluate(&sae, &vectors, &EvaluateOptions::default())?;
    waiting.finish_and_clear();
    let value = json!({"sae": local(&sae), "quality": quality});
    output::emit(
        is_json,
        &value,
        quality_line("quality", &quality).trim_start(),
    )?;
    Ok(())
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
        "training: FVU {:.4}, {:.1}% dead, {} examples/s",
        now.fvu,
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

async fn train_collection(args: &Train, client: &ClientArgs) -> anyhow::Result<()> {
    let request = TrainSaeRequest {
        collection: args.collection.clone().unwrap_or_default(),
        n_latents: args.n.unwrap_or_default(),
        k: args.k.unwrap_or_default(),
        epochs: args.epochs.unwrap_or_default(),
        seed: args.seed,
        output: absolute(&args.out)?,
    };
    let last = train_in_server(&client.connect().await?, request).await?;
    let sae = last.sae.unwrap_or_default();
    let mut page = format!("{}: {}\n", args.out.display(), text::sae_line(&sae));
    if let Some(quality) = &last.quality {
        page.push_str("  held out   ");
        page.push_str(&server_quality_line(quality));
    }
    let value = json!({
        "sae": json::sae(&sae),
        "quality": last.quality.as_ref().map(json::quality),
        "out": args.out,
    });
    output::emit(client.json, &value, &page)?;
    Ok(())
}

async fn evaluate_collection(args: &Eval, client: &ClientArgs) -> anyhow::Result<()> {
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        train: Train,
    }

    #[test]
    fn flags_override_the_settings_that_fit_the_rows() {
        let line = "train --vectors v --out d --n 64 --k 4 --held-out 0.1 --seed 7";
        let train = Line::try_parse_from(line.split(' ')).unwrap().train;
        let config = config(&train, 25_000);
        let fitting = TrainConfig::for_rows(25_000);
        assert_eq!((config.n_latents, config.k, config.seed), (64, 4, 7));
        assert_eq!(config.held_out, 0.1);
        assert_eq!(
            (config.epochs, config.batch),
            (fitting.epochs, fitting.batch)
        );
    }
}
