//! The flags of `latentdb encode`, and the models that they name.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::cli::encoder::EncoderArgs;
use crate::cli::interrupt::Interrupt;
use crate::cli::reading::ReaderArgs;
use crate::cli::{flags, progress};
use crate::coder::Coder;
use crate::encoder::reader::Reader;
use crate::encoder::{EncoderOptions, Precision, SentenceEncoder};
use crate::error::Result;
use crate::inputs::{Cache, Model};
use crate::reading::CodePooling;
use crate::records::shards::Shard;
use crate::records::template::Template;
use crate::records::{self, Format, Source};
use crate::sae::format;

/// What is encoded.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// JSON Lines, CSV, TSV, Parquet or Arrow IPC, plain, gzip or zstd; - for standard input
    pub(super) file: String,
    /// Text of a record, for example "{title}. {abstract}"
    #[arg(long, value_name = "TEMPLATE", value_parser = flags::template)]
    pub(super) text: Template,
    /// File of the vectors: tensor "embeddings" [rows, dimension], in the order of the records; with
    /// --shard, the folder of the parts
    #[arg(long, value_name = "FILE.safetensors|DIR")]
    pub(super) out: PathBuf,
    /// Make only every N-th part of the records, from part I on (0/3, 1/3 and 2/3 make all): parts
    /// of 512 records with their fields, vectors and latents, for `ingest`. All shards may write to
    /// one folder
    #[arg(long, value_name = "I/N", conflicts_with = "tokens")]
    pub(super) shard: Option<Shard>,
    /// Make latents too, with the SAE of this folder
    #[arg(long, value_name = "DIR", requires = "shard")]
    pub(super) sae: Option<PathBuf>,
    /// all-MiniLM-L6-v2, a folder or a hub id
    #[arg(long, default_value = "all-MiniLM-L6-v2")]
    pub(super) model: String,
    #[command(flatten)]
    pub(super) settings: EncoderArgs,
    /// Format of the records, where the name does not tell: jsonl, csv, tsv or parquet
    #[arg(long, value_parser = flags::format)]
    pub(super) format: Option<Format>,
    #[command(flatten)]
    pub(super) reader: ReaderArgs,
    /// Write the state of every token, a row each, instead of a vector of every record
    #[arg(long, requires_all = ["reader", "layer"])]
    pub(super) tokens: bool,
    /// How the codes of a text's tokens become one, with --reader and --sae: as in the SAE's
    /// training where it is not said
    #[arg(long, value_name = "HOW", requires_all = ["reader", "sae"], value_parser = flags::pooling)]
    pub(super) pooling: Option<CodePooling>,
    /// Cores to use; 0 for all
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(super) threads: usize,
    /// What products are computed on: f32, or bf16, which is faster where the machine has
    /// AVX512_BF16
    #[arg(long, value_name = "HOW", default_value = "f32", value_parser = flags::precision)]
    pub(super) precision: Precision,
    /// Print JSON, errors included
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
}

/// Opens a model by name, fetching a pinned one where it is missing.
pub(super) fn open_encoder(args: &Args, interrupt: &Interrupt) -> anyhow::Result<SentenceEncoder> {
    let mut options = EncoderOptions {
        threads: args.threads,
        precision: args.precision,
        query_prompt: args.settings.query_prompt.clone(),
        document_prompt: args.settings.document_prompt.clone(),
        dimensions: args.settings.dimensions.map(|count| count as usize),
        max_tokens: args.settings.max_tokens.map(|count| count as usize),
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
pub(super) fn open_reader(args: &Args, interrupt: &Interrupt) -> anyhow::Result<Reader> {
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
pub(super) fn open_coder(args: &Args, interrupt: &Interrupt) -> anyhow::Result<Coder> {
    let sae = args.sae.as_deref().map(format::open).transpose()?;
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
    let resolved =
        Cache::of_user().resolve_model(model, &interrupt.progress(), &mut |package, step| {
            progress::show_step(&bar, package, step);
        });
    bar.finish_and_clear();
    resolved
}

/// Records of a file; nothing for a stream.
pub(super) fn count(source: &Source, format: Option<Format>) -> Result<Option<u64>> {
    match source {
        Source::Path(path) if path.is_file() => {
            Ok(Some(records::open(source, format)?.count() as u64))
        }
        _ => Ok(None),
    }
}
