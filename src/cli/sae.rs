//! `latentdb sae`: train, evaluate and inspect sparse autoencoders, on a file of vectors in this
//! process or on a collection in the server.

mod eval;
mod files;
mod import;
mod page;
mod sweep;
mod train;

use std::path::{Path, PathBuf};

use super::client::ClientArgs;
use super::interrupt::Interrupt;
use super::output;
use crate::sae::format;
use page::{info_page, local};
pub(super) use page::{server_quality_line, train_in_server};

/// What is done with SAEs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Train an SAE
    Train(Box<train::Args>),
    /// Train a grid of sizes and tabulate their quality
    Sweep(Box<sweep::Args>),
    /// Measure an SAE
    Eval(eval::Args),
    /// Convert an SAE of another program to the layout that is served
    Import(import::Args),
    /// Show what a folder holds
    Info {
        /// Folder of the SAE
        dir: PathBuf,
    },
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let client = args.client;
    match args.action {
        Action::Train(train) => train::run(*train, &client, interrupt).await,
        Action::Sweep(sweep) => {
            tokio::task::spawn_blocking(move || sweep::run(&sweep, client.json, &interrupt)).await?
        }
        Action::Eval(eval) => eval::run(eval, &client, interrupt).await,
        Action::Import(import) => {
            let work = tokio::task::spawn_blocking(move || import::run(&import, client.json));
            interrupt.stops(async { work.await? }).await
        }
        Action::Info { dir } => info(&dir, client.json),
    }
}

fn info(dir: &Path, is_json: bool) -> anyhow::Result<()> {
    let sae = format::open(dir)?;
    output::emit(is_json, &local(&sae), &info_page(dir, &sae))
}
