//! `latentdb ingest`: records of a file into a collection.
//!
//! Records are read and made into documents on a thread of their own; batches go over one stream
//! with several in flight (`send`), and say what ready vectors and latents were made with
//! (`identity`).

mod identity;
mod send;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::bail;
use latentdb_proto::v1::{self, Collection, GetCollectionRequest, IfExists, MadeWith};
use parking_lot::Mutex;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::client::ClientArgs;
use super::failure::Interrupted;
use super::interrupt::Interrupt;
use super::{flags, output, progress, text};
use crate::client::ingest::{Batch, Outcome, Target};
use crate::encoder::Chunking;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::records::batches::{self, Batching, Sink};
use crate::records::document::{Document, Rows};
use crate::records::mapping::Mapping;
use crate::records::partial::Run;
use crate::records::parts::Parts;
use crate::records::rejects::{Rejected, Rejects};
use crate::records::template::Template;
use crate::records::{self, Format, Records, Source};
use crate::server::wire_value;
pub(super) use send::{Origin, failure, send};

/// Documents of a batch.
const WRITTEN: u32 = 1000;
/// The same where the server encodes them, a few of the encoder's batches: what is done is seen, and
/// little is lost with a batch. As fast as 128 (1,200 abstracts: 39.8 s and 39.6 s).
const ENCODED: u32 = 32;
/// Batches that are ready before they are sent.
const READY: usize = 3;
/// Failures that are printed.
const SHOWN_FAILURES: usize = 10;

/// What goes where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// JSON Lines, CSV, TSV, Parquet or Arrow IPC, plain, gzip or zstd; - for standard input; or the
    /// folder of the parts that `encode --shard` made
    file: String,
    /// Format of the records, where the name does not tell: jsonl, csv, tsv, parquet, arrow, or
    /// csv-plain and tsv-plain, in which quotes are text
    #[arg(long, value_parser = flags::format)]
    format: Option<Format>,
    /// Field of the id; "id" where the records have it, else the record's number from 0
    #[arg(long, value_name = "FIELD")]
    id: Option<String>,
    /// Text, for example "{title}. {abstract}"; "{text}" where the records have it; of parts, what
    /// they were made of
    #[arg(long, value_name = "TEMPLATE", value_parser = flags::template)]
    text: Option<Template>,
    /// Write documents without text, also where records have a field "text"
    #[arg(long, conflicts_with = "text")]
    no_text: bool,
    /// Field that becomes an attribute: FIELD, FIELD:KIND, NAME=FIELD:KIND, or * for all fields.
    /// KIND is string, int, float, bool or timestamp: ISO dates; timestamp(s), (ms), (us) or (ns)
    /// for Unix time; timestamp(%d/%m/%Y) for any other form. Columns of timestamps in Parquet are
    /// timestamps. A field that no record has is refused. Repeatable
    #[arg(long = "attribute", value_name = "FIELD", value_parser = flags::attribute)]
    attributes: Vec<String>,
    /// File of ready vectors, a row for each record, in their order: safetensors, .npy or .npz
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    /// Field of a ready vector
    #[arg(long, value_name = "FIELD", conflicts_with = "vectors")]
    vector: Option<String>,
    /// Field of ready latents
    #[arg(long, value_name = "FIELD")]
    latents: Option<String>,
    /// Split texts into passages of so many tokens at most, of which each repeats OVERLAP of the one before: documents
    /// ID#0, ID#1 and so on with an attribute "parent", by which `search --group-by parent` shows the best of each
    #[arg(long, value_name = "TOKENS[,OVERLAP]", conflicts_with_all = ["vectors", "vector", "latents", "no_text"])]
    chunk: Option<Chunking>,
    /// Documents that are written together; 1,000, and 32 where the server encodes them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: Option<u32>,
    /// Name of this ingest: run again under the same name with the same file and flags, it does
    /// not write again what was written. Of standard input, only the flags are compared
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    stream_id: String,
    /// Leave documents alone whose ids exist, and write the others. What is left alone is not encoded
    #[arg(long)]
    if_absent: bool,
    /// Set aside records that cannot be read or written, one by one, and go on
    #[arg(long)]
    keep_going: bool,
    /// Where --keep-going sets records aside with their reasons, as JSON Lines to be mended and
    /// ingested; FILE.rejects.jsonl next to the input, rejects.jsonl for standard input
    #[arg(long, value_name = "FILE.jsonl", requires = "keep_going")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let prepared = async {
        let client = args.client.connect().await?;
        let request = GetCollectionRequest {
            name: args.name.clone(),
        };
        let collection = client.collections().get_collection(request).await?;
        let input = Input::new(&args, &collection.into_inner())?;
        let format = args.format;
        let opened = tokio::task::spawn_blocking(move || open(input, format));
        anyhow::Ok((client, opened.await??))
    };
    let (
        client,
        Opened {
            input,
            records,
            total,
        },
    ) = interrupt.stops(prepared).await?;
    let stream_id = stream_name(&args, input.batching.size)?;
    let began = Instant::now();
    let (sender, batches) = mpsc::channel(READY);
    let bar = progress::bar_or_counter(total, "documents");
    bar.set_message(args.name.clone());
    let rejects = args
        .rejects
        .map_or_else(|| Rejects::of(&input.source), Rejects::at);
    let rejects = Arc::new(Mutex::new(rejects));
    let name = args.name.clone();
    let target = Target {
        collection: args.name,
        stream_id,
        keep_going: args.keep_going,
        if_exists: match args.if_absent {
            true => IfExists::Skip,
            false => IfExists::Replace,
        },
        chunk: args.chunk.map(wire_chunking),
        made_with: input.made_with,
        ..Target::default()
    };
    let batching = input.batching;
    let mut sink = Sender {
        batches: sender,
        rejects: rejects.clone(),
    };
    let reading = tokio::task::spawn_blocking(move || batching.read(records, &mut sink));
    let mut done = |written, recognised| {
        // The rate is that of this run.
        bar.set_position(written);
        if recognised > 0 {
            bar.set_length(total.unwrap_or_default().saturating_sub(recognised));
            let before = text::thousands(recognised);
            bar.set_message(format!("{name}, {before} were written before"));
        }
    };
    let aside = Some(&*rejects);
    let sent = send(&client, target, batches, &interrupt, aside, &mut done).await;
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
    if outcome.failures.is_empty() || args.keep_going {
        reading.await?;
    }
    let rejects = rejects.lock();
    report(&outcome, &rejects, seconds, args.client.json)
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
fn stream_name(args: &Args, batch: usize) -> anyhow::Result<String> {
    if args.stream_id.is_empty() {
        return Ok(String::new());
    }
    let mut input = format!(
        "{:?}",
        (
            (
                batch,
                &args.id,
                &args.attributes,
                &args.vectors,
                args.no_text
            ),
            (&args.vector, &args.latents, args.format, args.if_absent),
            args.text.as_ref().map(Template::to_string),
        )
    );
    if let Some(chunking) = args.chunk {
        let _ = write!(input, "{chunking:?}");
    }
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
        if args.chunk.is_some() && parts.is_some() {
            bail!(
                "--chunk splits texts that the server encodes; parts are of whole texts, which the workers encoded"
            );
        }
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
        let brings_vectors = parts.is_some() || rows.is_some() || args.vector.is_some();
        let encodes =
            collection.reader.is_some() || (collection.encoder.is_some() && !brings_vectors);
        let size = args
            .batch
            .unwrap_or(if encodes { ENCODED } else { WRITTEN });
        Ok(Self {
            source: Source::from(Path::new(&args.file)),
            batching: Batching {
                mapping,
                rows,
                no_text: args.no_text,
                size: size as usize,
                keep_going: args.keep_going,
                checked: false,
            },
            parts,
            made_with,
        })
    }
}

/// An input whose records are about to be read.
struct Opened {
    input: Input,
    records: Records,
    total: Option<u64>,
}

/// Opens the source. The records of a file are looked at first, until all fields of the mapping are
/// found: one that none has would be missing in every document. Where a row of vectors belongs to
/// each record, they are counted too: a shifted row is an error that nobody would see later.
fn open(mut input: Input, format: Option<Format>) -> Result<Opened> {
    let mapping = &input.batching.mapping;
    if let Some(parts) = input.parts.take() {
        mapping.check_fields(parts.clone().records())?;
        input.batching.checked = true;
        let total = Some(parts.about().records);
        return Ok(Opened {
            input,
            records: parts.records(),
            total,
        });
    }
    let source = input.source.clone();
    let is_file = matches!(&source, Source::Path(path) if path.is_file());
    let mut total = None;
    if is_file {
        mapping.check_fields(records::open(&source, format)?)?;
        input.batching.checked = true;
        if let Some(rows) = &input.batching.rows {
            let mut count = 0;
            let mut numbered = false;
            for record in records::open(&source, format)? {
                count += 1;
                numbered |= record.is_ok_and(|record| record.computed().is_some());
            }
            // Records that were set aside say which rows are theirs.
            if !numbered && rows.rows() != count {
                return Err(rows.mismatch(&count.to_string()));
            }
            total = Some(count as u64);
        }
    }
    Ok(Opened {
        records: records::open(&source, format)?,
        input,
        total,
    })
}

/// Passes batches on to the stream.
struct Sender {
    batches: mpsc::Sender<Result<Batch<Origin>>>,
    rejects: Arc<Mutex<Rejects>>,
}

impl Sink for Sender {
    fn take(&mut self, batch: Result<batches::Batch>) -> bool {
        let batch = batch.map(|batch| Batch {
            documents: batch.documents.into_iter().map(wire_document).collect(),
            context: Origin {
                positions: batch.positions,
                records: batch.records,
            },
        });
        self.batches.blocking_send(batch).is_ok()
    }

    fn set_aside(&mut self, rejected: Rejected) -> Result<()> {
        self.rejects.lock().add(rejected)
    }

    fn tell(&mut self, message: String) {
        eprintln!("note: {message}");
    }
}

fn wire_chunking(chunking: Chunking) -> v1::Chunking {
    // A number that is beyond what is sent is beyond every encoder too.
    let sent = |tokens| u32::try_from(tokens).unwrap_or(u32::MAX);
    v1::Chunking {
        tokens: sent(chunking.tokens),
        overlap: sent(chunking.overlap),
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
        ..v1::Document::default()
    }
}

fn advice<C>(outcome: &Outcome<C>) -> String {
    let documents = outcome.written + outcome.recognised;
    let written = text::counted(documents, "document");
    let verb = if documents == 1 { "is" } else { "are" };
    let unanswered = match outcome.unanswered {
        0 => String::new(),
        batches => format!(
            ", and those of {} may be",
            text::counted(batches as u64, "batch")
        ),
    };
    format!(
        "{written} {verb} written{unanswered}; a run with --stream-id skips what it wrote before"
    )
}

/// What to know of texts that have more tokens than the encoder reads.
pub(super) fn cut_warning(texts: u64) -> Vec<String> {
    let warning = format!(
        "{} longer than the encoder reads: their vectors, and latents of these, are of the beginning (collection \
         info says of how many tokens)",
        text::counted(texts, "text")
    );
    if texts > 0 { vec![warning] } else { Vec::new() }
}

fn report(
    outcome: &Outcome<Origin>,
    rejects: &Rejects,
    seconds: f64,
    is_json: bool,
) -> anyhow::Result<()> {
    let mut line = format!(
        "{} in {seconds:.2} s, {} documents/s",
        text::counted(outcome.written, "document"),
        text::rate(outcome.written, seconds)
    );
    if outcome.passages > 0 {
        line.push_str(&format!(
            ", as {}",
            text::counted(outcome.passages, "passage")
        ));
    }
    if outcome.recognised > 0 {
        line.push_str(&format!(
            "; {} more had been written before",
            text::thousands(outcome.recognised)
        ));
    }
    if outcome.existing > 0 {
        line.push_str(&format!(
            "; {} exist already and were left alone",
            text::thousands(outcome.existing)
        ));
    }
    output::warn(&cut_warning(outcome.cut_texts));
    let path = rejects.path().display().to_string();
    let value = json!({
        "documents": outcome.written + outcome.recognised,
        "recognised": outcome.recognised,
        "passages": outcome.passages,
        "existing": outcome.existing,
        "cut_texts": outcome.cut_texts,
        "set_aside": rejects.count(),
        "rejects": (rejects.count() > 0).then_some(&path),
        "failed_batches": outcome.failures.len(),
        "batches": outcome.batches,
        "seconds": seconds,
        "documents_per_second": outcome.written as f64 / seconds.max(1e-9),
    });
    output::emit(is_json, &value, &line)?;
    if outcome.failures.is_empty() && rejects.count() == 0 {
        return Ok(());
    }
    let failures = outcome.failures.iter().take(SHOWN_FAILURES);
    let mut lines: Vec<String> = failures.map(failure).collect();
    if outcome.failures.len() > SHOWN_FAILURES {
        lines.push(format!(
            "{} more batches were not written",
            outcome.failures.len() - SHOWN_FAILURES
        ));
    }
    if rejects.count() > 0 {
        if outcome.failures.is_empty() {
            lines.extend(rejects.first_reasons().map(str::to_owned));
        }
        lines.push(format!(
            "{} set aside in {path}, each with its reason: mend them there and ingest that file \
             with the same flags",
            text::counted(rejects.count(), "record")
        ));
    }
    Err(Error::new(ErrorKind::InvalidArgument, lines.join("\n")).into())
}
