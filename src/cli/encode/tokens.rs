//! `latentdb encode --tokens`: the records of a file to a file of token states.
//!
//! States stream through a partial file beside the output, so neither records nor states need fit
//! into memory, and a stopped run goes on after the last chunk of records it finished.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use indicatif::ProgressBar;
use serde_json::json;

use super::partial::{Partial, Run, row_bytes};
use super::{Args, count, open_reader, pass_over, stopped, texts_of};
use crate::cli::interrupt::Interrupt;
use crate::cli::reading::READING;
use crate::cli::{output, progress, text};
use crate::encoder::reader::Reader;
use crate::error::{Error, Result};
use crate::reading::Reading;
use crate::records::{self, Source};

/// Records that are read between two notes of where the work stands.
const CHUNK: usize = 256;

pub(super) fn encode(args: &Args, interrupt: &Interrupt) -> anyhow::Result<()> {
    let source = Source::from(Path::new(&args.file));
    let mut records = records::open(&source, args.format)?;
    let reader = open_reader(args, interrupt)?;
    let reading = Reading::Token(reader.reading().clone());
    let run = Run::new(&source, args.text.to_string(), reading);
    let is_kept = matches!(source, Source::Path(_));
    let mut partial = Partial::open(&args.out, run, reader.width(), is_kept)?;
    let before = partial.place();
    pass_over(&mut records, before.records)?;
    let bar = progress::bar_or_counter(count(&source, args.format)?, "records");
    bar.set_message("reading tokens");
    bar.set_position(before.records);
    bar.reset_eta();
    let began = Instant::now();
    let worked = append_all(records, &reader, args, &mut partial, &bar, interrupt);
    bar.finish_and_clear();
    if let Err(error) = worked {
        return stopped(error, &partial, "read");
    }
    let seconds = began.elapsed().as_secs_f64();
    let place = partial.place();
    partial.finish(&args.out, metadata(args, &reader)?)?;
    let here = place.rows - before.rows;
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
        "resumed_records": before.records,
        "seconds": seconds,
        "tokens_per_second": here as f64 / seconds.max(1e-9),
        "reading": Reading::Token(reader.reading().clone()),
    });
    output::emit(args.json, &value, &line)?;
    Ok(())
}

fn append_all(
    records: records::Records,
    reader: &Reader,
    args: &Args,
    partial: &mut Partial,
    bar: &ProgressBar,
    interrupt: &Interrupt,
) -> Result<()> {
    let (progress, _following) = progress::counted(bar, interrupt);
    let mut records = records.peekable();
    while records.peek().is_some() {
        let texts = texts_of(records.by_ref().take(CHUNK), &args.text)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        reader.read(
            &texts,
            &progress,
            &|batch| Ok(row_bytes(batch.states)),
            &mut |states: Vec<u8>| partial.append(&states),
        )?;
        partial.note(texts.len())?;
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
