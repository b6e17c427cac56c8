//! `latentdb demo`: a newcomer's first five minutes.
//!
//! `setup` builds what is missing of a collection from pinned inputs; `tour` shows on it what the
//! database is for. All of it goes through a real client of a server on this machine.

mod setup;
mod tour;

use setup::COLLECTION;
pub(super) use setup::fetch;

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::client::Client;
use super::failure::Interrupted;
use super::interrupt::Interrupt;
use super::output;
use super::serve::{self, DEFAULT_ADDRESS};
use crate::inputs;
use crate::server::{ModelPlaces, Server, ServerOptions};

/// Where the demo lies and what happens after it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the collections; "demo" in the cache of inputs when left out
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Go on serving after the tour, until Ctrl-C
    #[arg(long)]
    serve: bool,
    /// Address to serve at with --serve
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = DEFAULT_ADDRESS,
        requires = "serve"
    )]
    listen: String,
    /// How much is shown
    #[arg(long, value_enum, default_value_t)]
    tour: tour::Extent,
    /// Print the tour as JSON, a line with each command and one with its answer, and errors too
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) async fn run(
    args: Args,
    interrupt: Interrupt,
    run_line: tour::RunLine,
) -> anyhow::Result<()> {
    let data = args
        .data
        .clone()
        .unwrap_or_else(|| inputs::cache_dir().join("demo"));
    let data = std::path::absolute(data)?;
    let address = if args.serve {
        args.listen.as_str()
    } else {
        "127.0.0.1:0"
    };
    let listener = serve::listen(address).await?;
    let address = listener.local_addr()?.to_string();
    let corpus = setup::fetch(&interrupt).await?;
    let options = ServerOptions {
        data: data.clone(),
        models: ModelPlaces {
            downloads: true,
            ..ModelPlaces::default()
        },
        ..ServerOptions::default()
    };
    let server = Server::open_at(options, &listener).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(listener, async move {
        // A sender that is gone says the same.
        let _ = stopped.await;
    }));
    let visit = async {
        let client = Client::connect(&address).await?;
        setup::build(&client, &corpus, &interrupt).await?;
        let report = data.with_extension("html").display().to_string();
        tour::run(
            &client, &address, &report, args.tour, args.json, &interrupt, run_line,
        )
        .await?;
        let folder = data.display();
        if args.serve {
            eprintln!(
                "\nThe server goes on at {address}; Ctrl-C stops it. Try:\n  latentdb search \
                 {COLLECTION} \"your words\" --server {address}\n\
                 The page: http://{address}/#/{COLLECTION}/search"
            );
            interrupt.asked().await;
        } else if !args.json {
            output::print(&format!(
                "\nTo go on:\n  latentdb demo --tour all\n  latentdb serve --data {folder}\n  latentdb search {COLLECTION} \
                 \"your words\"\n  latentdb collection create mine --encoder all-MiniLM-L6-v2\n  \
                 latentdb ingest mine FILE.csv --text \"{{COLUMN}}\"\nWhile it serves, the page is at http://{DEFAULT_ADDRESS}/#/{COLLECTION}/search\n"
            ))?;
        }
        anyhow::Ok(())
    };
    let result = tokio::select! {
        // Serving ends well when the user asks; anything before that is broken off.
        biased;
        result = visit => result,
        () = interrupt.asked() => Err(Interrupted::default().into()),
    };
    drop(stop);
    let served = tokio::select! {
        served = serving => served.context("the server failed")?,
        () = serve::grace(&interrupt) => Ok(()),
    };
    match result {
        Err(error) if error.is::<Interrupted>() => Err(Interrupted {
            advice: Some("the same command goes on from here".to_owned()),
        }
        .into()),
        Err(error) => Err(error),
        Ok(()) => Ok(served?),
    }
}
