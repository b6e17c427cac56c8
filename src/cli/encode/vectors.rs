//! `latentdb encode`: the records of a file to a file of vectors.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use indicatif::ProgressBar;
use serde_json::json;

use super::partial::{Partial, Run, row_bytes};
use super::{Args, count, open_encoder, pass_over, stopped, texts_of};
use crate::cli::interrupt::Interrupt;
use crate::cli::reading::ENCODER;
use crate::cli::{output, progress, text};
use crate::encoder::{EncoderIdentity, SentenceEncoder};
use crate::error::Result;
use crate::reading::{PooledReading, Reading};
use crate::records::{self, Records, Source};

/// Records that are encoded together: enough that batches of like length can be made of them.
const CHUNK: usize = 512;

pub(super) fn encode(args: &Args, interrupt: &Interrupt) -> anyhow::Result<()> {
    let source = Source::from(Path::new(&args.file));
    // A wrong file is told before a model is fetched.
    let mut records = records::open(&source, args.format)?;
    let encoder = open_encoder(args, interrupt)?;
    let reading = Reading::Pooled(PooledReading {
        encoder: Some(encoder.identity().clone()),
    });
    let run = Run::new(&source, args.text.to_string(), reading);
    let is_kept = matches!(source, Source::Path(_));
    let mut partial = Partial::open(&args.out, run, encoder.dimension(), is_kept)?;
    let resumed = partial.place().records;
    pass_over(&mut records, resumed)?;
    let bar = progress::bar_or_counter(count(&source, args.format)?, "records");
    bar.set_message("encoding");
    bar.set_position(resumed);
    bar.reset_eta();
    let began = Instant::now();
    let worked = append_all(records, &encoder, args, &mut partial, &bar, interrupt);
    bar.finish_and_clear();
    if let Err(error) = worked {
        return stopped(error, &partial, "encoded");
    }
    let rows = partial.place().rows;
    partial.finish(&args.out, metadata(args, encoder.identity()))?;
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

fn append_all(
    records: Records,
    encoder: &SentenceEncoder,
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
        let vectors = encoder.encode(&texts, &progress)?;
        partial.append(&row_bytes(&vectors))?;
        partial.note(texts.len())?;
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
