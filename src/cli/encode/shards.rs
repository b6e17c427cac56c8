//! `latentdb encode --shard I/N`: one of N workers that share the records of a file.
//!
//! Records are dealt in chunks of [`CHUNK`] that follow one another: chunk c goes to worker
//! c mod N, which makes a part of it. A part is there whole or not at all, under the number of its
//! chunk; a worker that was killed makes the parts that are missing, with the same N or another.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use anyhow::bail;
use indicatif::ProgressBar;
use serde_json::json;

use super::maker::Maker;
use super::partial::Run;
use super::{Args, count};
use crate::cli::failure::Interrupted;
use crate::cli::interrupt::Interrupt;
use crate::cli::{output, progress, text};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;
use crate::records::parts::{self, About, Made};
use crate::records::{self, Record, Source};

/// Records of a part: enough that batches of like length can be made of them, few enough that
/// little is lost with a worker.
const CHUNK: u64 = 512;

/// One of several workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    index: u64,
    count: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, count)| {
            let shard = Self {
                index: index.parse().ok()?,
                count: count.parse().ok()?,
            };
            (shard.index < shard.count).then_some(shard)
        });
        parsed.ok_or_else(|| "accepted is I/N with I from 0 to N - 1, for example 0/3".to_owned())
    }
}

impl Shard {
    fn has(self, chunk: u64) -> bool {
        chunk % self.count == self.index
    }
}

/// What a worker does.
struct Work<'w> {
    args: &'w Args,
    about: About,
    maker: Maker,
    bar: ProgressBar,
    progress: &'w Progress,
    /// Records encoded by now.
    done: u64,
}

pub(super) fn encode(args: &Args, shard: Shard, interrupt: &Interrupt) -> anyhow::Result<()> {
    let source = Source::from(Path::new(&args.file));
    let Some(records) = count(&source, args.format)? else {
        bail!("shards share the records of a file; standard input comes to one process, once");
    };
    let maker = Maker::open(args, interrupt)?;
    let about = About {
        records,
        chunk: CHUNK,
        made: serde_json::to_value(run(args, &source, &maker))?,
    };
    fs::create_dir_all(&args.out)?;
    let own: Vec<u64> = (0..about.chunks())
        .filter(|&chunk| shard.has(chunk))
        .collect();
    let todo = missing(&args.out, &about, &own)?;
    let sizes = |chunk: &u64| CHUNK.min(records - chunk * CHUNK);
    let total: u64 = own.iter().map(sizes).sum();
    let before = total - todo.iter().map(sizes).sum::<u64>();
    let bar = progress::bar_or_counter(Some(total), "records");
    bar.set_message("encoding");
    bar.set_position(before);
    bar.reset_eta();
    let began = Instant::now();
    let (progress, following) = progress::counted(&bar, interrupt);
    let mut work = Work {
        args,
        about,
        maker,
        bar,
        progress: &progress,
        done: 0,
    };
    let worked = work.all(records::open(&source, args.format)?, todo.clone());
    drop(following);
    work.bar.finish_and_clear();
    if let Err(error) = worked {
        if error.kind() != ErrorKind::Cancelled {
            return Err(error.into());
        }
        let made = text::thousands(before + work.done);
        let advice = Some(format!(
            "{made} records of the shard are in parts; the same command goes on from there"
        ));
        return Err(Interrupted { advice }.into());
    }
    report(
        &work,
        own.len() - todo.len(),
        todo.len(),
        began.elapsed().as_secs_f64(),
    )
}

fn report(work: &Work<'_>, kept: usize, made: usize, seconds: f64) -> anyhow::Result<()> {
    let line = format!(
        "{made} parts in {}, {kept} were there; {} records in {seconds:.1} s, {}/s",
        work.args.out.display(),
        text::thousands(work.done),
        text::rate(work.done, seconds)
    );
    let value = json!({
        "parts": made,
        "resumed_parts": kept,
        "records": work.done,
        "records_of_all_shards": work.about.records,
        "parts_of_all_shards": work.about.chunks(),
        "seconds": seconds,
        "records_per_second": work.done as f64 / seconds.max(1e-9),
        "made": work.about.made,
    });
    output::emit(work.args.json, &value, &line)?;
    Ok(())
}

/// What parts are made of and with. Workers on several machines see the file under several paths,
/// so its name alone counts, with its size.
fn run(args: &Args, source: &Source, maker: &Maker) -> Run {
    let mut run = Run::new(source, args.text.to_string(), maker.reading());
    if let Some(name) = Path::new(&args.file).file_name() {
        run.source = name.to_string_lossy().into_owned();
    }
    run.sae = maker.sae().map(|sae| sae.hash().to_owned());
    run
}

/// The chunks of `own` of which there is no part.
fn missing(folder: &Path, about: &About, own: &[u64]) -> Result<BTreeSet<u64>> {
    let mut missing = BTreeSet::new();
    for &chunk in own {
        let path = parts::part_path(folder, chunk);
        match parts::about_part(&path)? {
            None => {
                missing.insert(chunk);
            }
            Some(found) if &found == about => {}
            Some(_) => {
                return Err(Error::precondition(format!(
                    "{} is a part of another run: its records, text, model or SAE differ; name \
                     another folder, or remove the parts",
                    path.display()
                )));
            }
        }
    }
    Ok(missing)
}

impl Work<'_> {
    /// Makes the parts `todo`.
    fn all(&mut self, records: records::Records, mut todo: BTreeSet<u64>) -> Result<()> {
        let mut rows: Vec<(u64, Record)> = Vec::new();
        for (number, record) in (0..).zip(records) {
            let chunk = number / CHUNK;
            if !todo.contains(&chunk) {
                if todo.is_empty() {
                    break;
                }
                continue;
            }
            rows.push((number, record?));
            if number % CHUNK == CHUNK - 1 || number == self.about.records - 1 {
                self.part(chunk, std::mem::take(&mut rows))?;
                todo.remove(&chunk);
            }
        }
        if todo.is_empty() {
            return Ok(());
        }
        Err(Error::precondition(format!(
            "{} has fewer records than when they were counted; nobody may write to it meanwhile",
            self.args.file
        )))
    }

    fn part(&mut self, chunk: u64, rows: Vec<(u64, Record)>) -> Result<()> {
        let texts = rows.iter().map(|(_, record)| self.args.text.render(record));
        let texts = texts.collect::<Result<Vec<String>>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let batch = self.maker.make(&texts, self.progress)?;
        let mut vectors = batch.vectors.map(Vec::into_iter);
        let mut latents = batch.latents.map(Vec::into_iter);
        let rows: Vec<(Record, Made)> = rows
            .into_iter()
            .map(|(number, record)| {
                let made = Made {
                    number,
                    vector: vectors.as_mut().and_then(Iterator::next),
                    latents: latents.as_mut().and_then(Iterator::next),
                };
                (record, made)
            })
            .collect();
        parts::write_part(&self.args.out, chunk, &self.about, &rows)?;
        self.done += rows.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_all_chunks() {
        let shards: Vec<Shard> = ["0/3", "1/3", "2/3"]
            .map(|text| text.parse().unwrap())
            .into();
        for chunk in 0..20 {
            let takers = shards.iter().filter(|shard| shard.has(chunk)).count();
            assert_eq!(takers, 1);
        }
        for text in ["", "1", "3/3", "-1/3", "0/0", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text:?}");
        }
    }
}
