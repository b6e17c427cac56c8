//! `latentdb encode`: the records of a file to vectors or latents, in this process.
//!
//! A stopped run resumes: one file of rows grows as partial output until it is whole (`rows`), a
//! shard makes whole parts (`shards`).

mod rows;
mod shards;

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::interrupt::Interrupt;
use super::reading::ReaderArgs;
use super::{flags, progress};
use crate::coder::Coder;
use crate::encoder::reader::Reader;
use crate::encoder::{EncoderOptions, Precision, SentenceEncoder};
use crate::error::Result;
use crate::inputs::{self, Model};
use crate::reading::CodePooling;
use crate::records::shards::Shard;
use crate::records::template::Template;
use crate::records::{self, Format, Source};
use crate::sae::Sae;

/// What is encoded.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// JSON Lines, CSV, TSV or Parquet, plain, gzip or zstd; - for standard input
    file: String,
    /// Text of a record, for example "{title}. {abstract}"
    #[arg(long, value_name = "TEMPLATE", value_parser = flags::template)]
    text: Template,
    /// File of the vectors: tensor "embeddings" [rows, dimension], in the order of the records; with
    /// --shard, the folder of the parts
    #[arg(long, value_name = "FILE.safetensors|DIR")]
    out: PathBuf,
    /// Make only every N-th part of the records, from part I on (0/3, 1/3 and 2/3 make all): parts
    /// of 512 records with their fields, vectors and latents, for `ingest`. All shards may write to
    /// one folder
    #[arg(long, value_name = "I/N", conflicts_with = "tokens")]
    shard: Option<Shard>,
    /// Make latents too, with the SAE of this folder
    #[arg(long, value_name = "DIR", requires = "shard")]
    sae: Option<PathBuf>,
    /// all-MiniLM-L6-v2, a folder or a hub id
    #[arg(long, default_value = "all-MiniLM-L6-v2")]
    model: String,
    /// Format of the records, where the name does not tell: jsonl, csv, tsv or parquet
    #[arg(long, value_parser = flags::format)]
    format: Option<Format>,
    #[command(flatten)]
    reader: ReaderArgs,
    /// Write the state of every token, a row each, instead of a vector of every record
    #[arg(long, requires_all = ["reader", "layer"])]
    tokens: bool,
    /// How the codes of a text's tokens become one, with --reader and --sae: as in the SAE's
    /// training where it is not said
    #[arg(long, value_name = "HOW", requires_all = ["reader", "sae"], value_parser = flags::pooling)]
    pooling: Option<CodePooling>,
    /// Cores to use; 0 for all
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// What products are computed on: f32, or bf16, which is faster where the machine has
    /// AVX512_BF16
    #[arg(long, value_name = "HOW", default_value = "f32", value_parser = flags::precision)]
    precision: Precision,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let work = move || match (&args.reader.reader, args.tokens, args.shard) {
        (_, _, Some(shard)) => shards::encode(&args, shard, &interrupt),
        (Some(_), false, None) => bail!("--reader gives the states of tokens: add --tokens"),
        (_, _, None) => rows::encode(&args, &interrupt),
    };
    tokio::task::spawn_blocking(work).await?
}

/// Opens a model by name, fetching a pinned one where it is missing.
fn open_encoder(args: &Args, interrupt: &Interrupt) -> anyhow::Result<SentenceEncoder> {
    let mut options = EncoderOptions {
        threads: args.threads,
        precision: args.precision,
        ..EncoderOptions::default()
    };
    let place = match resolve(&args.model, interrupt)? {
        Model::Pinned(folder) => {
            options.name = Some(args.model.clone());
            folder.display().to_string()
        }
        Model::Named(name) => name,
    };
    Ok(SentenceEncoder::open(&place, &options)?)
}

/// The same for a model that is read token by token.
fn open_reader(args: &Args, interrupt: &Interrupt) -> anyhow::Result<Reader> {
    let model = args
        .reader
        .reader
        .as_deref()
        .context("--reader is missing")?;
    let layer = args.reader.layer.context("--layer is missing")?;
    let mut options = args.reader.options(layer, args.threads);
    options.name = Some(model.to_owned());
    options.precision = args.precision;
    let place = match resolve(model, interrupt)? {
        Model::Pinned(path) => path.display().to_string(),
        Model::Named(name) => name,
    };
    Ok(Reader::open(&place, &options)?)
}

/// Opens the models that the flags name.
fn open_coder(args: &Args, interrupt: &Interrupt) -> anyhow::Result<Coder> {
    let sae = args.sae.as_deref().map(Sae::load).transpose()?;
    if args.reader.reader.is_none() {
        let encoder = open_encoder(args, interrupt)?;
        return Ok(Coder::pooled(encoder, sae, args.threads)?);
    }
    let sae = sae.context("--reader makes latents of tokens: name their SAE with --sae")?;
    Ok(Coder::tokens(
        open_reader(args, interrupt)?,
        sae,
        args.pooling,
    )?)
}

fn resolve(model: &str, interrupt: &Interrupt) -> Result<Model> {
    let bar = progress::spinner(format!("opening {model}"));
    let resolved = inputs::resolve_model(model, &mut |package, step| {
        progress::show_step(&bar, package, step);
        !interrupt.is_asked()
    });
    bar.finish_and_clear();
    resolved
}

/// Records of a file; nothing for a stream.
fn count(source: &Source, format: Option<Format>) -> Result<Option<u64>> {
    match source {
        Source::Path(path) if path.is_file() => {
            Ok(Some(records::open(source, format)?.count() as u64))
        }
        _ => Ok(None),
    }
}
