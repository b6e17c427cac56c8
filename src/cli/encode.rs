//! `latentdb encode`: the records of a file to a file of vectors, in this process.
//!
//! Vectors are kept in a partial file beside the output while the work goes on, so that a stopped
//! run goes on where it was.

mod tokens;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::failure::Interrupted;
use super::interrupt::Interrupt;
use super::reading::{ENCODER, ReaderArgs};
use super::{flags, output, progress, text};
use crate::encoder::{EncoderIdentity, EncoderOptions, Precision, SentenceEncoder};
use crate::error::{Error, ErrorKind, Result};
use crate::inputs::{self, Model};
use crate::records::template::Template;
use crate::records::vectors::VectorWriter;
use crate::records::{self, Format, Record, Source};

/// Records that are encoded together: enough that batches of like length can be made of them.
const CHUNK: usize = 512;

/// What is encoded.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// JSON Lines, CSV, TSV or Parquet, plain, gzip or zstd; - for standard input
    file: String,
    /// Text of a record, for example "{title}. {abstract}"
    #[arg(long, value_name = "TEMPLATE", value_parser = flags::template)]
    text: Template,
    /// File of the vectors: tensor "embeddings" [rows, dimension], in the order of the records
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
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
    let work = move || match (&args.reader.reader, args.tokens) {
        (Some(_), true) => tokens::encode(&args, &interrupt),
        (Some(_), false) => bail!("--reader gives the states of tokens: add --tokens"),
        (None, _) => encode(&args, &interrupt),
    };
    tokio::task::spawn_blocking(work).await?
}

fn encode(args: &Args, interrupt: &Interrupt) -> anyhow::Result<()> {
    let source = Source::from(Path::new(&args.file));
    // A wrong file is told before a model is fetched.
    let mut records = records::open(&source, args.format)?;
    let encoder = open_encoder(args, interrupt)?;
    let mut partial = Partial::open(args, &source, &encoder)?;
    let resumed = partial.rows;
    pass_over(&mut records, resumed)?;
    let total = count(&source, args.format)?;
    let bar = progress::bar_or_counter(total, "records");
    bar.set_message("encoding");
    bar.set_position(resumed);
    bar.reset_eta();
    let began = Instant::now();
    let worked = append_all(records, &encoder, args, &mut partial, &bar, interrupt);
    bar.finish_and_clear();
    if let Err(error) = worked {
        partial.keep()?;
        if error.kind() != ErrorKind::Cancelled {
            return Err(error.into());
        }
        let advice = partial.is_kept.then(|| {
            let rows = text::thousands(partial.rows);
            format!("{rows} records are encoded; the same command goes on from there")
        });
        return Err(Interrupted { advice }.into());
    }
    let rows = partial.finish(&args.out, metadata(args, encoder.identity()))?;
    let seconds = began.elapsed().as_secs_f64();
    let here = rows - resumed;
    let line = format!(
        "{} vectors of {} values in {}; {} records in {seconds:.1} s, {}/s",
        text::thousands(rows),
        encoder.dimension(),
        args.out.display(),
        text::thousands(here),
        text::rate(here, seconds)
    );
    let value = json!({
        "rows": rows,
        "dimension": encoder.dimension(),
        "resumed_rows": resumed,
        "seconds": seconds,
        "records_per_second": here as f64 / seconds.max(1e-9),
        "model": encoder.identity(),
    });
    output::emit(args.json, &value, &line)?;
    Ok(())
}

/// Opens a model by name, fetching a pinned one where it is missing.
fn open_encoder(args: &Args, interrupt: &Interrupt) -> anyhow::Result<SentenceEncoder> {
    let model = &args.model;
    let bar = progress::spinner(format!("opening {model}"));
    let resolved = inputs::resolve_model(model, &mut |package, step| {
        progress::show_step(&bar, package, step);
        !interrupt.is_asked()
    })?;
    let mut options = EncoderOptions {
        threads: args.threads,
        precision: args.precision,
        ..EncoderOptions::default()
    };
    let place = match resolved {
        Model::Pinned(folder) => {
            options.name = Some(model.clone());
            folder.display().to_string()
        }
        Model::Named(name) => name,
    };
    let encoder = SentenceEncoder::open(&place, &options)?;
    bar.finish_and_clear();
    Ok(encoder)
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

fn pass_over(records: &mut records::Records, rows: u64) -> Result<()> {
    for _ in 0..rows {
        match records.next() {
            Some(record) => drop(record?),
            None => {
                return Err(Error::precondition(
                    "the partial output has more rows than there are records; remove it",
                ));
            }
        }
    }
    Ok(())
}

fn append_all(
    records: records::Records,
    encoder: &SentenceEncoder,
    args: &Args,
    partial: &mut Partial,
    bar: &ProgressBar,
    interrupt: &Interrupt,
) -> Result<()> {
    let mut records = records.peekable();
    while records.peek().is_some() {
        let texts = records
            .by_ref()
            .take(CHUNK)
            .map(|record: Result<Record>| args.text.render(&record?))
            .collect::<Result<Vec<String>>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let done = partial.rows;
        let vectors = encoder.encode(&texts, &mut |rows| {
            bar.set_position(done + rows as u64);
            if interrupt.is_asked() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        partial.append(&vectors, texts.len())?;
    }
    Ok(())
}

/// What made the vectors, for the file's `__metadata__`.
fn metadata(args: &Args, identity: &EncoderIdentity) -> BTreeMap<String, String> {
    let identity = serde_json::to_string(identity).unwrap_or_default();
    [
        ("source".to_owned(), args.file.clone()),
        ("template".to_owned(), args.text.to_string()),
        (ENCODER.to_owned(), identity),
    ]
    .into()
}

/// What a partial file belongs to: a run that differs in any of it starts anew.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    source: String,
    source_bytes: u64,
    template: String,
    encoder: EncoderIdentity,
    dimension: usize,
}

/// The vectors made so far: little-endian f32, row-major, with a [`Run`] beside them.
struct Partial {
    file: File,
    path: PathBuf,
    about: PathBuf,
    dimension: usize,
    rows: u64,
    /// Whether a later run can go on; not for standard input, which comes only once.
    is_kept: bool,
}

impl Partial {
    fn open(args: &Args, source: &Source, encoder: &SentenceEncoder) -> anyhow::Result<Self> {
        let run = Run {
            source: source.to_string(),
            source_bytes: match source {
                Source::Path(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
                Source::Stdin => 0,
            },
            template: args.text.to_string(),
            encoder: encoder.identity().clone(),
            dimension: encoder.dimension(),
        };
        Self::open_run(&args.out, &run, matches!(source, Source::Path(_)))
    }

    fn open_run(out: &Path, run: &Run, is_kept: bool) -> anyhow::Result<Self> {
        let path = beside(out, ".partial");
        let about = beside(out, ".partial.json");
        let known = fs::read(&about)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Run>(&bytes).ok());
        let goes_on = is_kept && known.as_ref() == Some(run);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let row_bytes = run.dimension as u64 * 4;
        // A run that was killed may have left part of a row.
        let rows = if goes_on {
            file.metadata()?.len() / row_bytes
        } else {
            0
        };
        file.set_len(rows * row_bytes)?;
        file.seek(SeekFrom::End(0))?;
        // The rows of another run are gone before the new one is named.
        fs::write(&about, serde_json::to_vec(run)?)?;
        Ok(Self {
            file,
            path,
            about,
            dimension: run.dimension,
            rows,
            is_kept,
        })
    }

    fn append(&mut self, vectors: &[f32], rows: usize) -> Result<()> {
        let bytes: Vec<u8> = vectors.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.file.write_all(&bytes)?;
        self.rows += rows as u64;
        Ok(())
    }

    /// Leaves what a later run can use.
    fn keep(&self) -> Result<()> {
        if self.is_kept {
            self.file.sync_all()?;
            return Ok(());
        }
        self.remove()
    }

    fn remove(&self) -> Result<()> {
        fs::remove_file(&self.path)?;
        fs::remove_file(&self.about)?;
        Ok(())
    }

    /// Writes the vectors out as safetensors and removes the partial file. Returns the rows.
    fn finish(mut self, out: &Path, metadata: BTreeMap<String, String>) -> Result<u64> {
        let mut writer = VectorWriter::create(out, self.dimension, metadata)?;
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 20, &self.file);
        let mut bytes = vec![0; self.dimension * 4];
        let mut row = Vec::with_capacity(self.dimension);
        for _ in 0..self.rows {
            reader.read_exact(&mut bytes)?;
            row.clear();
            row.extend(
                bytes
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|raw| f32::from_le_bytes(*raw)),
            );
            writer.write_rows(&row)?;
        }
        writer.finish()?;
        self.remove()?;
        Ok(self.rows)
    }
}

/// The path with something put after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Pooling;
    use crate::records::vectors::VectorFile;

    fn run(template: &str) -> Run {
        Run {
            source: "f.jsonl".to_owned(),
            source_bytes: 10,
            template: template.to_owned(),
            encoder: EncoderIdentity {
                model: "m".to_owned(),
                weights_sha256: "0".to_owned(),
                layer: None,
                pooling: Pooling::Mean,
                normalised: true,
                max_tokens: 256,
                precision: Precision::F32,
            },
            dimension: 2,
        }
    }

    #[test]
    fn a_stopped_run_goes_on_and_another_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("v.safetensors");
        let mut partial = Partial::open_run(&out, &run("{a}"), true).unwrap();
        partial.append(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        // A row that was cut in the middle is made again.
        partial.file.write_all(&[0; 5]).unwrap();
        drop(partial);
        let mut partial = Partial::open_run(&out, &run("{a}"), true).unwrap();
        assert_eq!(partial.rows, 2);
        partial.append(&[5.0, 6.0], 1).unwrap();
        assert_eq!(partial.finish(&out, BTreeMap::new()).unwrap(), 3);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let file = VectorFile::open(&out, None).unwrap();
        let mut values = Vec::new();
        file.read_rows(0..3, &mut values).unwrap();
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);

        let mut partial = Partial::open_run(&out, &run("{a}"), true).unwrap();
        partial.append(&[1.0, 2.0], 1).unwrap();
        drop(partial);
        assert_eq!(Partial::open_run(&out, &run("{b}"), true).unwrap().rows, 0);
    }
}
