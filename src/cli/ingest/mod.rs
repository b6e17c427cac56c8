//! `latentdb ingest`: records of a file into a collection.
//!
//! Records are read and made into documents on a thread of their own; batches go over one stream
//! with several in flight (`send`), and say what ready vectors and latents were made with
//! (`identity`).

mod identity;
mod send;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use latentdb_proto::v1::{self, Collection, GetCollectionRequest, MadeWith};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::client::ClientArgs;
use super::failure::Interrupted;
use super::interrupt::Interrupt;
use super::{flags, output, progress, text};
use crate::client::ingest::{Batch, Outcome, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::records::batches::{self, Batching, Sink};
use crate::records::document::{Document, Rows};
use crate::records::mapping::Mapping;
use crate::records::partial::Run;
use crate::records::parts::Parts;
use crate::records::template::Template;
use crate::records::{self, Format, Position, Records, Source};
use crate::server::wire_value;
pub(super) use send::{failure, send};

/// Batches that are ready before they are sent.
const READY: usize = 3;
/// Failures that are printed.
const SHOWN_FAILURES: usize = 10;

/// What goes where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// JSON Lines, CSV, TSV or Parquet, plain, gzip or zstd; - for standard input; or the folder of
    /// the parts that `encode --shard` made
    file: String,
    /// Format of the records, where the name does not tell: jsonl, csv, tsv or parquet
    #[arg(long, value_parser = flags::format)]
    format: Option<Format>,
    /// Field of the id; "id" where the records have it, else the record's number from 0
    #[arg(long, value_name = "FIELD")]
    id: Option<String>,
    /// Text, for example "{title}. {abstract}"; "{text}" where the records have it; of parts, what
    /// they were made of
    #[arg(long, value_name = "TEMPLATE", value_parser = flags::template)]
    text: Option<Template>,
    /// Write documents without text, from records that have none
    #[arg(long, conflicts_with = "text")]
    no_text: bool,
    /// Field that becomes an attribute: FIELD, FIELD:KIND, NAME=FIELD:KIND, or * for all fields.
    /// KIND is string, int, float, bool or timestamp. Repeatable
    #[arg(long = "attribute", value_name = "FIELD", value_parser = flags::attribute)]
    attributes: Vec<String>,
    /// File of ready vectors, a row for each record, in their order
    #[arg(long, value_name = "FILE.safetensors")]
    vectors: Option<PathBuf>,
    /// Field of a ready vector
    #[arg(long, value_name = "FIELD", conflicts_with = "vectors")]
    vector: Option<String>,
    /// Field of ready latents
    #[arg(long, value_name = "FIELD")]
    latents: Option<String>,
    /// Documents that are written together
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Name of this ingest: run again under the same name with the same file and flags, it does
    /// not write again what was written. Of standard input, only the flags are compared
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    stream_id: String,
    /// Go on after records that cannot be read and batches that are not written
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let client = args.client.connect().await?;
    let request = GetCollectionRequest {
        name: args.name.clone(),
    };
    let collection = client.collections().get_collection(request).await?;
    let mut input = Input::new(&args, &collection.into_inner())?;
    let stream_id = stream_name(&args)?;
    let began = Instant::now();
    let (sender, batches) = mpsc::channel(READY);
    let (opened, total) = match input.parts.take() {
        Some(parts) => {
            let total = parts.about().records;
            (parts.records(), Some(total))
        }
        None => {
            open(
                input.source.clone(),
                args.format,
                input.batching.rows.as_ref(),
            )
            .await?
        }
    };
    let bar = progress::bar_or_counter(total, "documents");
    bar.set_message(args.name.clone());
    let target = Target {
        collection: args.name,
        stream_id,
        keep_going: args.keep_going,
        made_with: input.made_with.take(),
    };
    let batching = input.batching;
    let reading = tokio::task::spawn_blocking(move || batching.read(opened, &mut Sender(sender)));
    let sent = send(&client, target, batches, &interrupt, &mut |done| {
        bar.set_position(done)
    })
    .await;
    bar.finish_and_clear();
    let outcome = sent?;
    let seconds = began.elapsed().as_secs_f64();
    if outcome.stopped {
        return Err(Interrupted {
            advice: Some(advice(&outcome)),
        }
        .into());
    }
    // After a failed batch nobody takes what is read, and the reader may wait for its input.
    let skipped = if outcome.failures.is_empty() || args.keep_going {
        reading.await?
    } else {
        0
    };
    report(&outcome, skipped, seconds, args.client.json)
}

/// What is read and how it is mapped.
struct Input {
    source: Source,
    batching: Batching,
    parts: Option<Parts>,
    made_with: Option<MadeWith>,
}

/// What the server knows the ingest by: a batch is recognised by its number, so that another file,
/// or the same cut in another way, must be another stream.
fn stream_name(args: &Args) -> anyhow::Result<String> {
    if args.stream_id.is_empty() {
        return Ok(String::new());
    }
    let mut input = format!(
        "{:?}",
        (
            (args.batch, &args.id, &args.attributes, &args.vectors),
            (&args.vector, &args.latents, args.format),
            args.text.as_ref().map(Template::to_string),
        )
    );
    if let Source::Path(path) = Source::from(Path::new(&args.file)) {
        let data = std::fs::metadata(&path)?;
        let _ = write!(input, "{} {:?}", data.len(), data.modified().ok());
    }
    let digest = Sha256::digest(input);
    Ok(format!("{}.{}", args.stream_id, hex(&digest[..6])))
}

impl Input {
    fn new(args: &Args, collection: &Collection) -> anyhow::Result<Self> {
        let mut mapping = Mapping {
            id: args.id.clone(),
            text: args.text.clone(),
            vector: args.vector.clone(),
            latents: args.latents.clone(),
            ..Mapping::default()
        };
        for flag in &args.attributes {
            mapping.add_attribute(flag)?;
        }
        let folder = Path::new(&args.file);
        let parts = folder.is_dir().then(|| Parts::open(folder)).transpose()?;
        let rows = args.vectors.as_deref().map(Rows::open).transpose()?;
        let made_with = match (&parts, &rows) {
            (Some(parts), None) => {
                if args.vector.is_some() || args.latents.is_some() {
                    bail!("the vectors and latents of parts are those that the workers made");
                }
                let run = Run::of_parts(parts)?;
                mapping.text = Some(run.template(mapping.text.take())?);
                identity::made_with(collection, &run.reading, run.sae)?
            }
            (None, Some(rows)) => match rows.reading()? {
                Some(reading) => identity::made_with(collection, &reading, None)?,
                None => None,
            },
            (None, None) => None,
            (Some(_), Some(_)) => bail!("the vectors of parts are those that the workers made"),
        };
        if let Some(rows) = &rows
            && rows.dimension() != collection.dimension as usize
        {
            bail!(
                "the vectors have {} values; the collection {} takes {}",
                rows.dimension(),
                collection.name,
                collection.dimension
            );
        }
        Ok(Self {
            source: Source::from(Path::new(&args.file)),
            batching: Batching {
                mapping,
                rows,
                no_text: args.no_text,
                size: args.batch as usize,
                keep_going: args.keep_going,
            },
            parts,
            made_with,
        })
    }
}

/// Opens the source. Where a row of vectors belongs to each record, the records of a file are
/// counted first: a shifted row is an error that nobody would see later.
async fn open(
    source: Source,
    format: Option<Format>,
    rows: Option<&Rows>,
) -> anyhow::Result<(Records, Option<u64>)> {
    let is_file = matches!(&source, Source::Path(path) if path.is_file());
    let counts = is_file && rows.is_some();
    let opening = tokio::task::spawn_blocking(move || -> Result<_> {
        let count = if counts {
            Some(records::open(&source, format)?.count())
        } else {
            None
        };
        Ok((records::open(&source, format)?, count))
    });
    let (records, count) = opening.await??;
    if let (Some(rows), Some(count)) = (rows, count)
        && rows.rows() != count
    {
        return Err(rows.mismatch(&count.to_string()).into());
    }
    Ok((records, count.map(|count| count as u64)))
}

/// Passes batches on to the stream.
struct Sender(mpsc::Sender<Result<Batch<Vec<Position>>>>);

impl Sink for Sender {
    fn take(&mut self, batch: Result<batches::Batch>) -> bool {
        let batch = batch.map(|batch| Batch {
            documents: batch.documents.into_iter().map(wire_document).collect(),
            context: batch.positions,
        });
        self.0.blocking_send(batch).is_ok()
    }

    fn warn(&mut self, message: String) {
        eprintln!("warning: {message}");
    }
}

/// A document as it is sent.
pub(super) fn wire_document(document: Document) -> v1::Document {
    let attributes = document.attributes.into_iter();
    let activation = |(latent, activation)| v1::Activation { latent, activation };
    v1::Document {
        id: document.id,
        text: document.text,
        attributes: attributes
            .map(|(name, value)| (name, wire_value(value)))
            .collect(),
        vector: document.vector.map(|values| v1::Vector { values }),
        latents: document.latents.map(|pairs| v1::Activations {
            values: pairs.into_iter().map(activation).collect(),
        }),
    }
}

fn advice<C>(outcome: &Outcome<C>) -> String {
    format!(
        "{} documents are written; a run with --stream-id skips what it wrote before",
        text::thousands(outcome.written + outcome.recognised)
    )
}

fn report(
    outcome: &Outcome<Vec<Position>>,
    skipped: u64,
    seconds: f64,
    is_json: bool,
) -> anyhow::Result<()> {
    let documents = outcome.written + outcome.recognised;
    let mut line = format!(
        "{} documents in {seconds:.2} s, {} documents/s",
        text::thousands(documents),
        text::rate(documents, seconds)
    );
    if outcome.recognised > 0 {
        line.push_str(&format!(
            "; {} of them had been written before",
            text::thousands(outcome.recognised)
        ));
    }
    if skipped > 0 {
        line.push_str(&format!("; {skipped} records passed over"));
    }
    let value = json!({
        "documents": documents,
        "recognised": outcome.recognised,
        "skipped": skipped,
        "failed_batches": outcome.failures.len(),
        "batches": outcome.batches,
        "seconds": seconds,
        "documents_per_second": documents as f64 / seconds.max(1e-9),
    });
    output::emit(is_json, &value, &line)?;
    if outcome.failures.is_empty() && skipped == 0 {
        return Ok(());
    }
    let mut lines: Vec<String> = outcome
        .failures
        .iter()
        .take(SHOWN_FAILURES)
        .map(failure)
        .collect();
    if outcome.failures.len() > SHOWN_FAILURES {
        lines.push(format!(
            "{} more batches were not written",
            outcome.failures.len() - SHOWN_FAILURES
        ));
    }
    if skipped > 0 {
        lines.push(format!("{skipped} records could not be read"));
    }
    Err(Error::new(ErrorKind::InvalidArgument, lines.join("\n")).into())
}
