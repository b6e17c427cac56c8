//! `latentdb inputs`: the pinned encoder and corpus, fetched ahead of their use.

use super::demo;
use super::interrupt::Interrupt;
use super::output;
use crate::inputs::cache_dir;

pub(super) async fn run(interrupt: Interrupt) -> anyhow::Result<()> {
    let corpus = demo::fetch(&interrupt).await?;
    let text = format!(
        "the encoder and {} documents are in {}",
        corpus.len(),
        cache_dir().display()
    );
    Ok(output::print(&text)?)
}
