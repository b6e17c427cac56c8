//! `latentdb sae train`: on files in this process, or on a collection in the server.

use std::path::{Path, PathBuf};

use latentdb_proto::v1::{TrainSaeRequest, TrainingObjective};
use serde_json::json;

use super::files::FileArgs;
use super::page::{
    local, progress_line, quality_line, recurrence_line, server_quality_line, train_in_server,
};
use crate::cli::client::ClientArgs;
use crate::cli::failure::Interrupted;
use crate::cli::flags;
use crate::cli::interrupt::Interrupt;
use crate::cli::{output, progress, reading, text};
use crate::client::ToJson;
use crate::error::ErrorKind;
use crate::records::rows::RowFiles;
use crate::sae::{
    Normalisation, RowSource, TrainConfig, TrainOptions, Trained, format, train_seeds,
};
use crate::server::{train_options, wire_progress};
use crate::whole_file::with_suffix;

/// What is trained on what.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("on").required(true).multiple(true))]
pub(super) struct Args {
    #[command(flatten)]
    files: FileArgs,
    /// Train on the vectors of this collection, in the server
    #[arg(long, value_name = "NAME", group = "on", conflicts_with_all = ["vectors", "tensor", "rows"])]
    collection: Option<String>,
    /// Folder of the SAE, in SAELens layout; an existing one is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Latents; chosen by the number of vectors when left out
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>)]
    n: Option<u32>,
    /// Latents active at once; chosen with N when left out
    #[arg(long, value_name = "K", value_parser = flags::count::<u32>)]
    k: Option<u32>,
    /// Train this many SAEs, from SEED and the seeds that follow, and keep the first, with how often each of its
    /// latents comes back in the others
    #[arg(long, value_name = "M", default_value_t = 1, hide_default_value = true, value_parser = flags::count::<u32>)]
    seeds: u32,
    /// With --objective retrieval: files of a query's vector for each of the vectors, zero where one has none, such as
    /// `latentdb encode` makes of titles; without, vectors near each other are pairs
    #[arg(long, value_name = "FILE", conflicts_with = "collection")]
    queries: Vec<PathBuf>,
    /// With --objective retrieval: the attribute, or text, whose text is a document's query, such as its title; without,
    /// documents near each other are pairs
    #[arg(long, value_name = "FIELD", requires = "collection")]
    query_field: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Cores to use; 0 for all
    #[arg(
        long,
        default_value_t = 0,
        hide_default_value = true,
        conflicts_with = "collection"
    )]
    threads: usize,
    /// Vectors held in memory at once where they do not all fit 1 GiB
    #[arg(long, value_name = "ROWS", conflicts_with = "collection", value_parser = flags::count::<usize>)]
    window_rows: Option<usize>,
    /// What is done to a vector first, in training and in use: none, layer_norm or
    /// constant_norm_rescale (which token states get unless told otherwise)
    #[arg(long, value_name = "HOW", value_parser = reading::normalisation, conflicts_with = "collection")]
    normalise: Option<Normalisation>,
}

/// What an SAE is trained for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ObjectiveName {
    #[default]
    Reconstruction,
    Retrieval,
}

/// How an SAE is trained; what is left out fits the number of vectors.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Settings {
    /// What it is trained for: retrieval brings the codes of a vector and its query, or of vectors near each other,
    /// nearer than those of others
    #[arg(long, value_name = "WHAT", default_value = "reconstruction")]
    objective: ObjectiveName,
    /// Weight of the contrastive term of the retrieval objective
    #[arg(long, value_name = "WEIGHT")]
    contrast: Option<f32>,
    /// Let the vectors of a batch share their K latents each by need, and save a threshold
    #[arg(long)]
    batch_top_k: bool,
    /// Train the first eighth, quarter and half of the latents to reconstruct alone too
    #[arg(long)]
    matryoshka: bool,
    /// Lengths of such prefixes, ascending, instead
    #[arg(long, value_name = "LENGTHS", value_delimiter = ',')]
    prefixes: Vec<u32>,
    /// Passes over the vectors; chosen by their number when left out
    #[arg(long, value_name = "E", value_parser = flags::count::<u32>)]
    epochs: Option<u32>,
    /// Equal seeds give equal SAEs
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Share of the vectors that is not trained on and measures quality
    #[arg(long, value_name = "SHARE")]
    held_out: Option<f32>,
    /// Vectors a step
    #[arg(long, value_name = "ROWS", value_parser = flags::count::<u32>)]
    batch_size: Option<u32>,
    /// The highest learning rate
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f32>,
    /// Share of the steps over which the learning rate rises
    #[arg(long, value_name = "SHARE")]
    warm_up: Option<f32>,
    /// Share of the steps, at the end, over which the learning rate falls
    #[arg(long, value_name = "SHARE")]
    decay: Option<f32>,
    /// Stop after so many epochs without gain on held-out vectors; 0 never stops
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<u32>,
}

impl Settings {
    /// The settings, for a training of the server.
    fn request(&self) -> TrainSaeRequest {
        TrainSaeRequest {
            epochs: self.epochs.unwrap_or_default(),
            seed: self.seed,
            batch_top_k: self.batch_top_k,
            matryoshka: self.matryoshka,
            prefixes: self.prefixes.clone(),
            batch_size: self.batch_size.unwrap_or_default(),
            learning_rate: self.learning_rate,
            warm_up: self.warm_up,
            decay: self.decay,
            held_out: self.held_out,
            patience: self.patience,
            objective: match self.objective {
                ObjectiveName::Reconstruction => TrainingObjective::Reconstruction,
                ObjectiveName::Retrieval => TrainingObjective::Retrieval,
            }
            .into(),
            contrast: self.contrast,
            ..TrainSaeRequest::default()
        }
    }

    /// The settings, for a training in this process.
    pub fn options(&self) -> TrainOptions {
        train_options(&self.request())
    }
}

impl Args {
    /// What is asked of a training in this process.
    fn options(&self) -> TrainOptions {
        TrainOptions {
            n_latents: self.n.map(|n| n as usize),
            k: self.k.map(|k| k as usize),
            threads: self.threads,
            window_rows: self.window_rows,
            ..self.settings.options()
        }
    }

    /// What is asked of a training in the server.
    fn request(&self, collection: String) -> TrainSaeRequest {
        TrainSaeRequest {
            collection,
            n_latents: self.n.unwrap_or_default(),
            k: self.k.unwrap_or_default(),
            seeds: self.seeds,
            query_field: self.query_field.clone().unwrap_or_default(),
            ..self.settings.request()
        }
    }
}

pub(super) async fn run(
    args: Args,
    client: &ClientArgs,
    interrupt: Interrupt,
) -> anyhow::Result<()> {
    match args.collection.clone() {
        Some(collection) => {
            interrupt
                .stops(train_collection(&args, collection, client))
                .await
        }
        None => {
            let is_json = client.json;
            tokio::task::spawn_blocking(move || train_files(&args, is_json, &interrupt)).await?
        }
    }
}

fn train_files(args: &Args, is_json: bool, interrupt: &Interrupt) -> anyhow::Result<()> {
    format::check_destination(&args.out)?;
    let rows = args.files.open()?;
    let mut config = args.options().config(rows.rows());
    config.normalisation = match args.normalise {
        Some(normalisation) => normalisation,
        None => rows.normalisation()?,
    };
    let checkpoint = with_suffix(&args.out, ".checkpoint");
    let queries = match args.queries.as_slice() {
        [] => None,
        files => Some(args.files.beside(files)?),
    };
    let how = (&config, args.seeds as usize);
    let read = (&rows, queries.as_ref());
    let mut trained = train_rows(&args.files, read, how, &checkpoint, "", interrupt)?;
    if !args.queries.is_empty() {
        let names: Vec<String> = args
            .queries
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        trained.sae.set_about("queries", names.join(", "));
    }
    save(args, &trained, is_json)
}

/// Trains on files from one or several seeds under a bar, and says in the SAE what it was trained on.
pub(super) fn train_rows(
    files: &FileArgs,
    (rows, queries): (&RowFiles, Option<&RowFiles>),
    (config, seeds): (&TrainConfig, usize),
    checkpoint: &Path,
    name: &str,
    interrupt: &Interrupt,
) -> anyhow::Result<Trained> {
    let bar = progress::bar(0, "steps");
    bar.set_message("training");
    let progress = interrupt.progress();
    let checkpoint_of = Some(checkpoint);
    let read = (
        rows as &dyn RowSource,
        queries.map(|queries| queries as &dyn RowSource),
    );
    let trained = train_seeds(read, config, seeds, checkpoint_of, &progress, &mut |now| {
        bar.set_length(now.steps as u64);
        bar.set_position(now.step as u64);
        bar.set_message(format!("{name}{}", progress_line(&wire_progress(now))));
    });
    bar.finish_and_clear();
    let mut trained = match trained {
        Err(error) if error.kind() == ErrorKind::Cancelled => {
            let checkpoint = checkpoint.display();
            return Err(Interrupted {
                advice: Some(format!("the same command goes on from {checkpoint}")),
            }
            .into());
        }
        other => other?,
    };
    trained.sae.set_about("vectors", files.names());
    rows.describe(&mut trained.sae)?;
    Ok(trained)
}

fn save(args: &Args, trained: &Trained, is_json: bool) -> anyhow::Result<()> {
    let Trained { sae, report } = trained;
    format::save(sae, &args.out)?;
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
    if let Some(found) = &sae.record().recurrence {
        page.push_str(&recurrence_line(found));
    }
    let value = json!({"sae": local(sae), "report": report, "out": args.out});
    output::emit(is_json, &value, &page)
}

async fn train_collection(
    args: &Args,
    collection: String,
    client: &ClientArgs,
) -> anyhow::Result<()> {
    format::check_destination(&args.out)?;
    let connection = client.connect().await?;
    let last = train_in_server(&connection, args.request(collection)).await?;
    let sae = last.sae.unwrap_or_default();
    let files = tempfile::tempdir()?;
    connection.download_sae(&sae.sha256, files.path()).await?;
    let out = args.out.clone();
    tokio::task::spawn_blocking(move || format::save(&format::open(files.path())?, &out)).await??;
    let mut page = format!("{}: {}\n", args.out.display(), text::sae_line(&sae));
    if let Some(found) = &sae.recurrence {
        page.push_str(&format!("  recurrence {}\n", text::recurrence(found)));
    }
    if let Some(quality) = &last.quality {
        page.push_str("  held out   ");
        page.push_str(&server_quality_line(quality));
    }
    let value = json!({
        "sae": sae.to_json(),
        "quality": last.quality.as_ref().map(ToJson::to_json),
        "out": args.out,
    });
    output::emit(client.json, &value, &page)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::sae::Sparsity;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        train: Args,
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.train)
    }

    #[test]
    fn flags_override_the_settings_that_fit_the_rows() {
        let line = "train --vectors v --out d --n 64 --k 4 --held-out 0.1 --seed 7 --batch-top-k \
                    --prefixes 16,32 --warm-up 0.1";
        let args = parse(line).unwrap();
        let config = args.options().config(25_000);
        let fitting = crate::sae::TrainConfig::for_rows(25_000);
        assert_eq!((config.n_latents, config.k, config.seed), (64, 4, 7));
        assert_eq!((config.held_out, config.warm_up), (0.1, 0.1));
        assert_eq!(config.prefixes, [16, 32, 64]);
        assert_eq!(config.sparsity, Sparsity::BatchTopK);
        assert_eq!(
            (config.epochs, config.batch),
            (fitting.epochs, fitting.batch)
        );
        config.check().unwrap();
        let request = args.request("c".into());
        assert_eq!((request.n_latents, request.prefixes), (64, vec![16, 32]));
        assert!(request.batch_top_k && request.patience.is_none());
    }

    #[test]
    fn files_or_a_collection_are_trained_on() {
        assert_eq!(
            parse("train --vectors a --vectors b --out d")
                .unwrap()
                .files
                .vectors
                .len(),
            2
        );
        assert!(parse("train --collection c --out d").is_ok());
        assert!(parse("train --out d").is_err());
        assert!(parse("train --vectors a --collection c --out d").is_err());
        assert!(parse("train --collection c --tensor t --out d").is_err());
    }
}
