//! `latentdb encode`: the records of a file to vectors or latents, in this process.
//!
//! A stopped run resumes: one file of rows grows as partial output until it is whole (`rows`), a
//! shard makes whole parts (`shards`).

mod args;
mod rows;
mod shards;

use anyhow::bail;

use super::interrupt::Interrupt;
pub(super) use args::Args;

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let work = move || match (&args.reader.reader, args.tokens, args.shard) {
        (_, _, Some(shard)) => shards::encode(&args, shard, &interrupt),
        (Some(_), false, None) => bail!("--reader gives the states of tokens: add --tokens"),
        (_, _, None) => rows::encode(&args, &interrupt),
    };
    tokio::task::spawn_blocking(work).await?
}
