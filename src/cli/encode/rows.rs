//! `latentdb encode`: the records of a file to a file of rows, which are vectors or, with
//! `--tokens`, token states.
//!
//! Rows stream through partial output, so neither records nor rows need fit into memory, and a
//! stopped run resumes after the last chunk of records it finished.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use indicatif::ProgressBar;
use serde_json::json;

use super::args::{Args, count, open_encoder, open_reader};
use crate::cli::failure::Interrupted;
use crate::cli::interrupt::Interrupt;
use crate::cli::{output, progress, text};
use crate::coder::RowCoder;
use crate::error::{Error, ErrorKind, Result};
use crate::records::partial::{Partial, Run};
use crate::records::{self, Records, Source};

/// Records that are encoded together: enough that batches of like length can be made of them.
const CHUNK: usize = 512;
/// Records that are read token by token between two notes of the partial output.
const TOKEN_CHUNK: usize = 256;

pub(super) fn encode(args: &Args, interrupt: &Interrupt) -> anyhow::Result<()> {
    let source = Source::from(Path::new(&args.file));
    // A wrong file is told before a model is fetched.
    let mut records = records::open(&source, args.format)?;
    let model = if args.tokens {
        RowCoder::Tokens(Box::new(open_reader(args, interrupt)?))
    } else {
        RowCoder::Vectors(Box::new(open_encoder(args, interrupt)?))
    };
    let run = Run::new(&source, args.text.to_string(), model.reading());
    let is_kept = matches!(source, Source::Path(_));
    let mut partial = Partial::open(&args.out, run, model.width(), is_kept)?;
    let before = partial.place();
    pass_over(&mut records, before.records)?;
    let bar = progress::bar_or_counter(count(&source, args.format)?, "records");
    bar.set_message(match model {
        RowCoder::Vectors(_) => "encoding",
        RowCoder::Tokens(_) => "reading tokens",
    });
    bar.set_position(before.records);
    bar.reset_eta();
    let began = Instant::now();
    let worked = append_all(records, &model, args, &mut partial, &bar, interrupt);
    bar.finish_and_clear();
    if let Err(error) = worked {
        return stopped(error, &partial, &model);
    }
    let seconds = began.elapsed().as_secs_f64();
    let place = partial.place();
    let mut metadata = BTreeMap::from([
        ("source".to_owned(), args.file.clone()),
        ("template".to_owned(), args.text.to_string()),
    ]);
    metadata.extend([model.record()?]);
    partial.finish(&args.out, metadata)?;
    let (rows, width, out) = (
        text::thousands(place.rows),
        model.width(),
        args.out.display(),
    );
    let here = place.rows - before.rows;
    let rate = text::rate(here, seconds);
    let made = text::thousands(here);
    let per_second = here as f64 / seconds.max(1e-9);
    let (line, value) = match &model {
        RowCoder::Vectors(encoder) => (
            format!(
                "{rows} vectors of {width} values in {out}; {made} records in {seconds:.1} s, \
                 {rate}/s"
            ),
            json!({
                "rows": place.rows,
                "dimension": width,
                "resumed_rows": before.rows,
                "seconds": seconds,
                "records_per_second": per_second,
                "model": encoder.identity(),
            }),
        ),
        RowCoder::Tokens(_) => (
            format!(
                "{rows} states of {width} values in {out}, of {} records; {made} tokens in \
                 {seconds:.1} s, {rate}/s",
                text::thousands(place.records)
            ),
            json!({
                "rows": place.rows,
                "records": place.records,
                "dimension": width,
                "resumed_records": before.records,
                "seconds": seconds,
                "tokens_per_second": per_second,
                "reading": model.reading(),
            }),
        ),
    };
    output::emit(args.json, &value, &line)
}

fn pass_over(records: &mut Records, rows: u64) -> Result<()> {
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
    records: Records,
    model: &RowCoder,
    args: &Args,
    partial: &mut Partial,
    bar: &ProgressBar,
    interrupt: &Interrupt,
) -> Result<()> {
    let chunk = match model {
        RowCoder::Vectors(_) => CHUNK,
        RowCoder::Tokens(_) => TOKEN_CHUNK,
    };
    let (progress, _following) = progress::counted(bar, interrupt);
    let mut records = records.peekable();
    while records.peek().is_some() {
        let chunk = records.by_ref().take(chunk);
        let texts = chunk.map(|record| args.text.render(&record?));
        let texts = texts.collect::<Result<Vec<String>>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        model.append(&texts, partial, &progress)?;
        partial.note(texts.len())?;
    }
    Ok(())
}

/// Ends a stopped run, keeping what it made.
fn stopped(error: Error, partial: &Partial, model: &RowCoder) -> anyhow::Result<()> {
    partial.keep()?;
    if error.kind() != ErrorKind::Cancelled {
        return Err(error.into());
    }
    let done = match model {
        RowCoder::Vectors(_) => "encoded",
        RowCoder::Tokens(_) => "read",
    };
    let advice = partial.is_kept().then(|| {
        let records = text::thousands(partial.place().records);
        format!("{records} records are {done}; the same command goes on from there")
    });
    Err(Interrupted { advice }.into())
}
