//! The engine at a million documents and more: ingest, graph, every kind of query, dense search under filters,
//! near-duplicates and the analyses.
//!
//! `cargo bench --bench scale -- DIR [--rows N] [--only PART,PART]` builds a collection of N documents (a million unless
//! said otherwise) in DIR, once, and measures; a collection of that size that is there already is opened. A document is a
//! mixture of two abstracts' embeddings with some noise (from `LATENTDB_CORPORA`, else `data`), coded by an SAE of 3,072
//! latents, k = 32 (trained on first use, kept in LatentDB's cache). Parts: `graph`, `merge`,
//! `queries`, `filters`, `duplicates`, `analyses`; all of them by default. `--only trickle` loads N documents into a collection
//! of its own, twice: alone, and with five writes a second beside and after it. Without the data nothing is measured.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use latentdb_index::{Collection, Document, Operation, Value};

#[path = "../arxiv/mod.rs"]
mod arxiv;
#[path = "../peers/corpus.rs"]
mod corpus;
mod filters;
mod long;
mod queries;
mod rows;
mod trickle;

use corpus::Corpus;
use rows::Rows;

/// Documents of an acknowledged write.
const BATCH: usize = 2000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let first = arguments.first().filter(|first| !first.starts_with("--"));
    let Some(folder) = first.map(PathBuf::from) else {
        eprintln!("nothing measured: name a folder for the collection");
        return Ok(());
    };
    let rows: usize = match value("--rows") {
        Some(rows) => rows.parse().context("--rows takes a number")?,
        None => 1_000_000,
    };
    let only = value("--only");
    let wanted = |part: &str| {
        only.as_ref()
            .is_none_or(|only| only.split(',').any(|one| one == part))
    };
    let Some(corpus) = Corpus::read()? else {
        eprintln!(
            "nothing measured: {} and {} are not in {} (LATENTDB_CORPORA names another folder)",
            arxiv::EMBEDDINGS,
            arxiv::ABSTRACTS,
            arxiv::folder().display()
        );
        return Ok(());
    };
    let rows = Rows::new(&corpus, rows);
    if only.as_deref() == Some("trickle") {
        return trickle::measure(&folder, &rows, &corpus);
    }
    let directory = folder.join(format!("rows-{}", rows.count));
    let is_new = !directory.join("index").join("meta.json").is_file();
    std::fs::create_dir_all(&directory)?;
    let started = Instant::now();
    let collection = Collection::open(&directory)?;
    if is_new {
        ingest(&collection, &rows, &corpus)?;
    } else {
        eprintln!("opened in {:.0?}", started.elapsed());
    }
    if wanted("graph") || is_new {
        await_graph(&collection);
    }
    eprintln!(
        "{} documents, {} segments, {} MB on disk; {}",
        collection.snapshot().n_docs(),
        collection.snapshot().n_segments(),
        collection.disk_bytes()? >> 20,
        memory()
    );
    if wanted("merge") {
        let started = Instant::now();
        collection.merge()?;
        eprintln!("merged into one segment in {:.1?}", started.elapsed());
        await_graph(&collection);
    }
    let snapshot = collection.snapshot();
    if wanted("queries") {
        queries::measure(&snapshot, &rows)?;
    }
    if wanted("filters") {
        filters::measure(&snapshot, &rows)?;
    }
    if wanted("duplicates") {
        long::duplicates(&snapshot)?;
    }
    if wanted("analyses") {
        long::analyses(&snapshot)?;
    }
    eprintln!("at the end: {}", memory());
    Ok(())
}

fn ingest(collection: &Collection, rows: &Rows, corpus: &Corpus) -> Result<()> {
    let sae = corpus.sae()?;
    let (mut encoding, mut writing) = (Duration::ZERO, Duration::ZERO);
    for start in (0..rows.count).step_by(BATCH) {
        let range = start..rows.count.min(start + BATCH);
        let vectors = rows.vectors(range.clone());
        let started = Instant::now();
        let codes = sae.encode_parallel(&vectors, 0)?;
        encoding += started.elapsed();
        let operations = range.enumerate().map(|(at, row)| {
            let mut document = Document::new(row.to_string());
            let vector = &vectors[at * rows.dimension..(at + 1) * rows.dimension];
            let (latents, activations) = codes.row(at);
            let pairs = latents.iter().zip(activations);
            document.codes_mut(0).latents = pairs
                .map(|(&latent, &activation)| latentdb_index::Activation { latent, activation })
                .collect();
            document.attributes = rows.attributes(row, vector);
            document.vector = Some(vector.to_vec());
            Operation::Upsert(Box::new(document))
        });
        let operations = operations.collect();
        let started = Instant::now();
        collection.write(operations, None)?;
        writing += started.elapsed();
    }
    let per_second = |time: Duration| rows.count as f64 / time.as_secs_f64();
    eprintln!(
        "ingest: {:.0} documents/s written, each {BATCH} acknowledged ({:.0}/s with encoding by the SAE)",
        per_second(writing),
        per_second(writing + encoding)
    );
    Ok(())
}

/// Waits until graphs are whole; says how long that took.
fn await_graph(collection: &Collection) -> Duration {
    let started = Instant::now();
    loop {
        let (vectors, known) = collection.snapshot().graph_coverage();
        let progress = collection.graph_progress();
        if progress.share >= 1.0 || progress.failure.is_some() {
            eprintln!(
                "graph: {known} of {vectors} vectors after {:.1?}{}",
                started.elapsed(),
                progress.failure.unwrap_or_default()
            );
            return started.elapsed();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Resident memory of this process now and at most, and what of it no file holds.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes =
            line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.unwrap_or_default() / 1024
    };
    format!(
        "resident {} MB (anonymous {} MB), at most {} MB",
        of("VmRSS:"),
        of("RssAnon:"),
        of("VmHWM:")
    )
}

/// The median, 99th percentile and largest of some times, in milliseconds.
struct Times {
    p50: f64,
    p99: f64,
    most: f64,
}

fn times(runs: usize, mut run: impl FnMut(usize) -> Result<()>) -> Result<Times> {
    let mut times = Vec::with_capacity(runs);
    for at in 0..runs {
        let started = Instant::now();
        run(at)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    Ok(Times {
        p50: at(50),
        p99: at(99),
        most: at(100),
    })
}

fn attribute(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}
