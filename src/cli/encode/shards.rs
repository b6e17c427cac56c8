//! `latentdb encode --shard I/N`: one of N workers that share the records of a file.

use std::path::Path;
use std::time::Instant;

use anyhow::bail;
use serde_json::json;

use super::args::{Args, count, open_coder};
use crate::cli::failure::Interrupted;
use crate::cli::interrupt::Interrupt;
use crate::cli::{output, progress, text};
use crate::coder::Coder;
use crate::error::{ErrorKind, Result};
use crate::records::partial::Run;
use crate::records::parts::About;
use crate::records::shards::{CHUNK, Shard, ShardWriter};
use crate::records::{self, Source};

pub(super) fn encode(args: &Args, shard: Shard, interrupt: &Interrupt) -> anyhow::Result<()> {
    let source = Source::from(Path::new(&args.file));
    let Some(records) = count(&source, args.format)? else {
        bail!("shards share the records of a file; standard input comes to one process, once");
    };
    let coder = open_coder(args, interrupt)?;
    let about = About {
        records,
        chunk: CHUNK,
        made: serde_json::to_value(run(args, &source, &coder))?,
    };
    let mut writer = ShardWriter::open(&args.out, shard, about)?;
    let before = writer.done;
    let bar = progress::bar_or_counter(Some(writer.records), "records");
    bar.set_message("encoding");
    bar.set_position(before);
    bar.reset_eta();
    let began = Instant::now();
    let (progress, following) = progress::counted(&bar, interrupt);
    let worked = writer.write(records::open(&source, args.format)?, &mut |records| {
        let texts = records.iter().map(|record| args.text.render(record));
        let texts = texts.collect::<Result<Vec<String>>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        coder.encode(&texts, &progress)
    });
    drop(following);
    bar.finish_and_clear();
    match worked {
        Err(error) if error.kind() == ErrorKind::Cancelled => {
            let made = text::thousands(writer.done);
            let advice = Some(format!(
                "{made} records of the shard are in parts; the same command goes on from there"
            ));
            return Err(Interrupted { advice }.into());
        }
        other => other?,
    }
    report(
        args,
        &writer,
        writer.done - before,
        began.elapsed().as_secs_f64(),
    )
}

fn report(args: &Args, writer: &ShardWriter, records: u64, seconds: f64) -> anyhow::Result<()> {
    let (about, resumed) = (writer.about(), writer.resumed_parts);
    let made = writer.parts - resumed;
    let line = format!(
        "{made} parts in {}, {resumed} were there; {} records in {seconds:.1} s, {}/s",
        args.out.display(),
        text::thousands(records),
        text::rate(records, seconds)
    );
    let value = json!({
        "parts": made,
        "resumed_parts": resumed,
        "records": records,
        "records_of_all_shards": about.records,
        "parts_of_all_shards": about.chunks(),
        "seconds": seconds,
        "records_per_second": records as f64 / seconds.max(1e-9),
        "made": about.made,
    });
    output::emit(args.json, &value, &line)
}

/// What parts are made of and with. Workers on several machines see the file under several paths,
/// so its name alone counts, with its size.
fn run(args: &Args, source: &Source, coder: &Coder) -> Run {
    let mut run = Run::new(source, args.text.to_string(), coder.reading());
    if let Some(name) = Path::new(&args.file).file_name() {
        run.source = name.to_string_lossy().into_owned();
    }
    run.sae = coder.sae().map(|sae| sae.hash().to_owned());
    run
}
