//! LatentDB's side of `benches/peers/run`: the peers are measured by `peers.py` on the same files.
//!
//! `cargo bench --bench peers -- DIR` reads the arXiv embeddings (`LATENTDB_CORPORA`, else
//! `data`), encodes them by an SAE of 3,072 latents with k = 32 (trained on first use and
//! kept in LatentDB's cache), builds a collection, and writes to DIR what the peers need: the
//! matrix of activations, the vectors, the attributes and the queries. It then prints one line of
//! JSON with the figures of the ingest, and answers requests on standard input, one line of JSON
//! each, by one line with timings and results, until the input ends:
//!
//! ```json
//! {"work": "dense", "ef": 64}
//! ```
//!
//! Works are `latents`, `signed`, `counts`, `latent_facet`, `category_facet`, `fetch`, `dense`
//! (with `ef`), `scan`, `filtered` (with `percent` and `ef`) and `encode`. Queries run one after
//! the other, each on one thread; `encode` uses all cores. Without data nothing is measured.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

#[path = "../arxiv/mod.rs"]
mod arxiv;
mod build;
mod corpus;
mod measure;
mod workload;

use build::Built;
use corpus::Corpus;
use measure::{Request, Session};
use workload::Workload;

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let folder = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"))
        .map(PathBuf::from);
    let Some(folder) = folder else {
        eprintln!("nothing measured: benches/peers/run measures, or name a folder for the files");
        return Ok(());
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
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let built = Built::new(&corpus, &folder)?;
    let workload = Workload::draw(&corpus, &built.codes);
    workload.write(&folder, &corpus, &built)?;
    answer(&serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "build": built.figures,
        "workload": workload.figures(&built.codes),
    }))?;

    let mut session = Session::new(&corpus, built, workload)?;
    for line in std::io::stdin().lock().lines() {
        let request: Request =
            serde_json::from_str(&line?).context("a request is not understood")?;
        answer(&session.run(&request)?)?;
    }
    Ok(())
}

fn answer(value: &serde_json::Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}
