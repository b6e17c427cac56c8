//! `latentdb encode --tokens`: the records of a file to a file of token states.
//!
//! States stream through a partial file beside the output, so neither records nor states need fit
//! into memory, and a stopped run goes on after the last chunk of records it finished.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Args, beside, count, pass_over};
use crate::cli::failure::Interrupted;
use crate::cli::interrupt::Interrupt;
use crate::cli::reading::READING;
use crate::cli::{output, progress, text};
use crate::encoder::reader::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::inputs::{self, Model};
use crate::reading::Reading;
use crate::records::vectors::VectorWriter;
use crate::records::{self, Record, Source};

/// Records that are read between two notes of where the work stands.
const CHUNK: usize = 256;
/// States that are copied to the output at a time.
const COPY_ROWS: usize = 1024;

pub(super) fn encode(args: &Args, interrupt: &Interrupt) -> anyhow::Result<()> {
    let source = Source::from(Path::new(&args.file));
    let mut records = records::open(&source, args.format)?;
    let reader = open_reader(args, interrupt)?;
    let mut partial = Partial::open(args, &source, &reader)?;
    let resumed = partial.place.records;
    pass_over(&mut records, resumed)?;
    let bar = progress::bar_or_counter(count(&source, args.format)?, "records");
    bar.set_message("reading tokens");
    bar.set_position(resumed);
    bar.reset_eta();
    let (began, rows_before) = (Instant::now(), partial.place.rows);
    let worked = append_all(records, &reader, args, &mut partial, &bar, interrupt);
    bar.finish_and_clear();
    if let Err(error) = worked {
        if error.kind() != ErrorKind::Cancelled {
            return Err(error.into());
        }
        let records = text::thousands(partial.place.records);
        return Err(Interrupted {
            advice: Some(format!(
                "{records} records are read; the same command goes on from there"
            )),
        }
        .into());
    }
    let seconds = began.elapsed().as_secs_f64();
    let place = partial.place;
    partial.finish(&args.out, metadata(args, &reader)?)?;
    let here = place.rows - rows_before;
    let line = format!(
        "{} states of {} values in {}, of {} records; {} tokens in {seconds:.1} s, {}/s",
        text::thousands(place.rows),
        reader.width(),
        args.out.display(),
        text::thousands(place.records),
        text::thousands(here),
        text::rate(here, seconds)
    );
    let value = json!({
        "rows": place.rows,
        "records": place.records,
        "dimension": reader.width(),
        "resumed_records": resumed,
        "seconds": seconds,
        "tokens_per_second": here as f64 / seconds.max(1e-9),
        "reading": Reading::Token(reader.reading().clone()),
    });
    output::emit(args.json, &value, &line)?;
    Ok(())
}

fn open_reader(args: &Args, interrupt: &Interrupt) -> anyhow::Result<Reader> {
    let model = args
        .reader
        .reader
        .as_deref()
        .context("--reader is missing")?;
    let layer = args.reader.layer.context("--layer is missing")?;
    let bar = progress::spinner(format!("opening {model}"));
    let resolved = inputs::resolve_model(model, &mut |package, step| {
        progress::show_step(&bar, package, step);
        !interrupt.is_asked()
    })?;
    let mut options = args.reader.options(layer, args.threads);
    options.name = Some(model.to_owned());
    options.precision = args.precision;
    let place = match resolved {
        Model::Pinned(path) => path.display().to_string(),
        Model::Named(name) => name,
    };
    let reader = Reader::open(&place, &options)?;
    bar.finish_and_clear();
    Ok(reader)
}

fn append_all(
    records: records::Records,
    reader: &Reader,
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
        let done = partial.place.records;
        reader.read(
            &texts,
            &|batch| {
                let bytes = batch.states.iter().flat_map(|v| v.to_le_bytes()).collect();
                let last = batch.tokens.last().map_or(0, |token| token.text);
                Ok((bytes, batch.tokens.len(), last))
            },
            &mut |(bytes, rows, last): (Vec<u8>, usize, usize)| {
                partial.append(&bytes, rows)?;
                bar.set_position(done + last as u64);
                Ok(if interrupt.is_asked() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            },
        )?;
        partial.note(texts.len())?;
        bar.set_position(partial.place.records);
    }
    Ok(())
}

/// What made the states, for the file's `__metadata__`.
fn metadata(args: &Args, reader: &Reader) -> Result<BTreeMap<String, String>> {
    let reading = Reading::Token(reader.reading().clone());
    let reading = serde_json::to_string(&reading)
        .map_err(|error| Error::internal("a reading is not JSON").with_source(error))?;
    Ok([
        ("source".to_owned(), args.file.clone()),
        ("template".to_owned(), args.text.to_string()),
        (READING.to_owned(), reading),
    ]
    .into())
}

/// What a partial file belongs to: a run that differs in any of it starts anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    source: String,
    source_bytes: u64,
    template: String,
    reading: Reading,
}

/// How far the work is: whole records and their states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    records: u64,
    rows: u64,
}

/// The states so far: little-endian f32, row-major, with a [`Run`] and a [`Place`] beside them.
struct Partial {
    file: File,
    path: PathBuf,
    about: PathBuf,
    run: Run,
    width: usize,
    place: Place,
    /// States of the chunk under way.
    pending: u64,
}

impl Partial {
    fn open(args: &Args, source: &Source, reader: &Reader) -> anyhow::Result<Self> {
        let run = Run {
            source: source.to_string(),
            source_bytes: match source {
                Source::Path(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
                Source::Stdin => 0,
            },
            template: args.text.to_string(),
            reading: Reading::Token(reader.reading().clone()),
        };
        let is_kept = matches!(source, Source::Path(_));
        Self::open_run(&args.out, run, reader.width(), is_kept)
    }

    fn open_run(out: &Path, run: Run, width: usize, is_kept: bool) -> anyhow::Result<Self> {
        let path = beside(out, ".partial");
        let about = beside(out, ".partial.json");
        let known = fs::read(&about)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<(Run, Place)>(&bytes).ok());
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let row_bytes = width as u64 * 4;
        let held = file.metadata()?.len() / row_bytes;
        let place = match known {
            Some((known, place)) if is_kept && known == run && place.rows <= held => place,
            _ => Place::default(),
        };
        // What came behind the last note is read again.
        file.set_len(place.rows * row_bytes)?;
        file.seek(SeekFrom::End(0))?;
        let partial = Self {
            file,
            path,
            about,
            run,
            width,
            place,
            pending: 0,
        };
        partial.write_note()?;
        Ok(partial)
    }

    fn append(&mut self, states: &[u8], rows: usize) -> Result<()> {
        self.file.write_all(states)?;
        self.pending += rows as u64;
        Ok(())
    }

    /// Notes that the states of `records` more records are complete.
    fn note(&mut self, records: usize) -> Result<()> {
        self.place.records += records as u64;
        self.place.rows += std::mem::take(&mut self.pending);
        self.write_note()
    }

    fn write_note(&self) -> Result<()> {
        let note = serde_json::to_vec(&(&self.run, &self.place))
            .map_err(|error| Error::internal("a note is not JSON").with_source(error))?;
        let next = beside(&self.about, ".next");
        fs::write(&next, note)?;
        fs::rename(&next, &self.about)?;
        Ok(())
    }

    /// Writes the states out as safetensors and removes the partial file.
    fn finish(mut self, out: &Path, metadata: BTreeMap<String, String>) -> Result<()> {
        let mut writer = VectorWriter::create(out, self.width, metadata)?;
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&self.file);
        let mut left = self.place.rows;
        let mut bytes = Vec::new();
        while left > 0 {
            let rows = left.min(COPY_ROWS as u64);
            left -= rows;
            bytes.resize(rows as usize * self.width * 4, 0);
            reader.read_exact(&mut bytes)?;
            let (values, _) = bytes.as_chunks::<4>();
            let values: Vec<f32> = values.iter().map(|raw| f32::from_le_bytes(*raw)).collect();
            writer.write_rows(&values)?;
        }
        writer.finish()?;
        fs::remove_file(&self.path)?;
        fs::remove_file(&self.about)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::PooledReading;
    use crate::records::vectors::VectorFile;

    fn run(template: &str) -> Run {
        Run {
            source: "f.jsonl".to_owned(),
            source_bytes: 10,
            template: template.to_owned(),
            reading: Reading::Pooled(PooledReading::default()),
        }
    }

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn a_stopped_run_goes_on_after_its_last_whole_chunk() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("s.safetensors");
        let mut partial = Partial::open_run(&out, run("{a}"), 2, true).unwrap();
        partial.append(&bytes(&[1.0, 2.0, 3.0, 4.0]), 2).unwrap();
        partial.note(3).unwrap();
        // A chunk that was not finished is read again.
        partial.append(&bytes(&[9.0, 9.0]), 1).unwrap();
        drop(partial);
        let mut partial = Partial::open_run(&out, run("{a}"), 2, true).unwrap();
        assert_eq!(
            partial.place,
            Place {
                records: 3,
                rows: 2
            }
        );
        partial.append(&bytes(&[5.0, 6.0]), 1).unwrap();
        partial.note(1).unwrap();
        let metadata: BTreeMap<_, _> = [("k".to_owned(), "v".to_owned())].into();
        partial.finish(&out, metadata.clone()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let file = VectorFile::open(&out, None).unwrap();
        let mut values = Vec::new();
        file.read_rows(0..3, &mut values).unwrap();
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(file.metadata().unwrap(), metadata);

        let mut partial = Partial::open_run(&out, run("{a}"), 2, true).unwrap();
        partial.append(&bytes(&[1.0, 2.0]), 1).unwrap();
        partial.note(1).unwrap();
        drop(partial);
        let other = Partial::open_run(&out, run("{b}"), 2, true).unwrap();
        assert_eq!(other.place, Place::default());
    }
}
