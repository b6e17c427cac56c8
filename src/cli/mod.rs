//! The command line: one binary, one file per subcommand.
//!
//! Client commands speak the gRPC API of `proto/` like any other client; `serve` and `demo` start
//! the server, `encode` and `sae` on files work in this process. `run` is one match.
//!
//! | to add | open |
//! |---|---|
//! | a subcommand | one file here, one arm in `Command` and [`run`], its examples in `examples.rs` |
//! | how a thing reads on a terminal | `text.rs`, `response.rs` |
//! | a column of an analysis | `table` of its file in `src/client/view/`: terminal, CSV, Parquet and report have it |
//!
//! `--json` prints the API message by the proto JSON mapping ([`crate::client::ToJson`]): the names
//! of the fields as in `proto/`, fields at their default printed, absent ones left out, numbers as
//! numbers, attribute values and times plain; a stream prints one object, its summary's fields at the
//! top and its repeated fields concatenated, without progress. Errors are one object on standard error
//! (`failure.rs`).

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use futures::future::LocalBoxFuture;

mod annotators;
mod chat;
mod client;
mod cluster;
mod collection;
mod completions;
mod concepts;
mod config;
mod correlate;
mod count;
mod delete;
mod demo;
mod diff;
mod duplicates;
mod encode;
mod encoder;
mod eval;
mod examples;
mod explain;
mod export;
mod facet;
mod failure;
mod families;
mod flags;
mod get;
mod health;
mod hypothesise;
mod import;
mod ingest;
mod inputs;
mod interrupt;
mod key;
mod latents;
mod names;
mod output;
mod preset;
mod progress;
mod reading;
mod repair;
mod report;
mod response;
mod sae;
mod search;
mod serve;
mod snapshot;
mod steer;
mod text;
mod trends;
mod unexplained;
mod update;
mod verify;

use anyhow::Context as _;

use crate::telemetry::Telemetry;
use interrupt::Interrupt;

/// The arguments of the program.
#[derive(Debug, Parser)]
#[command(
    name = "latentdb",
    version,
    about = "A search database over the latents of sparse autoencoders: readable, steerable, \
             explainable",
    after_help = "First steps: latentdb demo",
    arg_required_else_help = true,
    infer_subcommands = false
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch a model and a corpus, build a collection and show what it answers
    Demo(demo::Args),
    /// Run the server
    Serve(Box<serve::Args>),
    /// Make, list, restore and delete snapshots of collections
    Snapshot(snapshot::Args),
    /// Check the settings of the server, or print a commented file of all of them
    Config(config::Args),
    /// Ask whether a server serves
    Health(health::Args),
    /// Check every checksum in the data of a server that is stopped
    Verify(verify::Args),
    /// Rebuild a lost or damaged catalog from the collections of a server that is stopped
    Repair(repair::Args),
    /// Make, list and revoke the API keys of a server
    Key(key::Args),
    /// Create, list, inspect, drop and change collections, and their saved sets
    Collection(collection::Args),
    /// Write records of a file or standard input into a collection
    Ingest(ingest::Args),
    /// Write a whole collection to a folder: documents, sets, presets, families, labels
    Export(export::Args),
    /// Create a collection from a folder that `export` wrote
    Import(import::Args),
    /// Search by text, vector, latents and words
    Search(Box<search::Args>),
    /// Print documents by id
    Get(get::Args),
    /// Change a document by its id, or attributes of all documents of a filter
    Update(update::Args),
    /// Delete documents by id or by filter
    Delete(delete::Args),
    /// Count the documents of a filter, exactly
    Count(count::Args),
    /// Count documents by attribute value, latent, or bucket of numbers or times
    Facet(facet::Args),
    /// Describe the numbers or times of an attribute: mean, deviation, quantiles
    Stats(facet::StatsArgs),
    /// Show what sets two or more sets of documents apart
    Diff(diff::Args),
    /// Find latents that occur together, or with a value of an attribute
    Correlate(correlate::Args),
    /// Find the few latents that tell an attribute, and how well they do
    Explain(explain::Args),
    /// Say in words what sets documents apart, and test that on documents held back
    Hypothesise(Box<hypothesise::Args>),
    /// Find latents that rise, fall or break along an order
    Trends(trends::Args),
    /// Find documents that are nearly the same
    Duplicates(duplicates::Args),
    /// Find documents that the SAE explains worst
    Unexplained(unexplained::Args),
    /// Group documents along an axis given in words or by latents
    Cluster(cluster::Args),
    /// Write an analysis as one HTML file
    Report(report::Args),
    /// List, show, label and export latents
    Latents(latents::Args),
    /// Show what steering does to a text's vector, without searching
    Steer(steer::Args),
    /// Save, list and drop steering presets
    Preset(preset::Args),
    /// Turn the records of a file into vectors, in this process
    Encode(encode::Args),
    /// Measure property retrieval, steering, queries with judgements, and run files
    Eval(eval::Args),
    /// Train, evaluate and inspect sparse autoencoders
    Sae(sae::Args),
    /// Fetch the pinned encoder, reader and corpus into the cache, where they are missing
    Inputs(inputs::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// The arguments of the process. On failure, and where help or the version is asked for, it is printed
/// and the exit code returned.
pub fn parse() -> Result<Cli, ExitCode> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let command = config::with_settings(command(), &line).map_err(|error| report(&error))?;
    let matches = command.try_get_matches_from(line);
    matches
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| ExitCode::from(failure::report_usage(&error)))
}

/// The parser, with the examples of each command.
fn command() -> clap::Command {
    examples::with_examples(Cli::command())
}

/// How long the server's work in progress may take to end.
const SHUTDOWN: Duration = Duration::from_secs(30);

/// Runs one command to its end.
///
/// # Errors
/// Whatever stopped it; [`report()`] prints it and knows the exit code.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let telemetry = match &cli.command {
        Command::Serve(args) => args.telemetry(),
        _ => Telemetry::default(),
    };
    let until_the_end = {
        let _entered = runtime.enter();
        telemetry.start()?
    };
    let serves = matches!(cli.command, Command::Demo(_) | Command::Serve(_));
    let result = runtime.block_on(async { run_command(cli.command, Interrupt::install()?).await });
    // The last traces travel by this runtime.
    drop(until_the_end);
    if serves {
        // A training that was called off still writes its checkpoint.
        runtime.shutdown_timeout(SHUTDOWN);
    } else {
        // A thread may still wait for standard input, which nobody can call back.
        runtime.shutdown_background();
    }
    result
}

/// A command line as a shell takes it, against the server at `address`.
fn parsed(line: &str, address: &str, json: bool) -> anyhow::Result<Cli> {
    let mut line = shlex::split(line).context("a quote is not closed")?;
    line.extend(["--server", address].map(str::to_owned));
    line.extend(json.then(|| "--json".to_owned()));
    Ok(Cli::try_parse_from(line)?)
}

/// Runs a command line within another command.
fn run_line<'a>(
    line: &'a str,
    address: &'a str,
    json: bool,
    interrupt: &'a Interrupt,
) -> LocalBoxFuture<'a, anyhow::Result<()>> {
    // A command may be the one that this is within, as far as types know.
    Box::pin(async move {
        let command = parsed(line, address, json)?.command;
        run_command(command, interrupt.clone()).await
    })
}

async fn run_command(command: Command, interrupt: Interrupt) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => demo::run(args, interrupt, run_line).await,
        Command::Serve(args) => serve::run(*args, interrupt).await,
        Command::Snapshot(args) => snapshot::run(args, interrupt).await,
        Command::Config(args) => config::run(&args, self::command()),
        Command::Health(args) => interrupt.stops(health::run(args)).await,
        Command::Verify(args) => verify::run(&args),
        Command::Repair(args) => repair::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Collection(args) => interrupt.stops(collection::run(args)).await,
        Command::Ingest(args) => ingest::run(args, interrupt).await,
        Command::Export(args) => interrupt.stops(export::run(args)).await,
        Command::Import(args) => import::run(args, interrupt).await,
        Command::Search(args) => interrupt.stops(search::run(*args)).await,
        Command::Get(args) => interrupt.stops(get::run(args)).await,
        Command::Update(args) => interrupt.stops(update::run(args)).await,
        Command::Delete(args) => interrupt.stops(delete::run(args)).await,
        Command::Count(args) => interrupt.stops(count::run(args)).await,
        Command::Facet(args) => interrupt.stops(facet::run(args)).await,
        Command::Stats(args) => interrupt.stops(facet::run_stats(args)).await,
        Command::Diff(args) => interrupt.stops(diff::run(args)).await,
        Command::Correlate(args) => interrupt.stops(correlate::run(args)).await,
        Command::Explain(args) => interrupt.stops(explain::run(args)).await,
        Command::Hypothesise(args) => interrupt.stops(hypothesise::run(*args)).await,
        Command::Trends(args) => interrupt.stops(trends::run(args)).await,
        Command::Duplicates(args) => interrupt.stops(duplicates::run(args)).await,
        Command::Unexplained(args) => interrupt.stops(unexplained::run(args)).await,
        Command::Cluster(args) => interrupt.stops(cluster::run(args)).await,
        Command::Report(args) => interrupt.stops(report::run(args)).await,
        Command::Latents(args) => interrupt.stops(latents::run(args)).await,
        Command::Steer(args) => interrupt.stops(steer::run(args)).await,
        Command::Preset(args) => interrupt.stops(preset::run(args)).await,
        Command::Encode(args) => encode::run(args, interrupt).await,
        Command::Eval(args) => {
            let own = interrupt.clone();
            interrupt.stops(eval::run(args, own)).await
        }
        Command::Sae(args) => sae::run(args, interrupt).await,
        Command::Inputs(args) => inputs::run(args, interrupt).await,
        Command::Completions(args) => completions::run(&args, &mut self::command()),
    }
}

/// Prints why a command ended, under `--json` as one JSON object on standard error
/// (`{"error": {"code": "INVALID_ARGUMENT", "field": .., "message": .., "hint": ..}}`), and gives the code to end the process with: 1 for an error, 2 for
/// wrong usage, 130 after Ctrl-C, and 0 when the reader of the output went away.
pub fn report(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(failure::report(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_forms_that_scripts_rely_on_parse() {
        for line in [
            "serve --data d --listen 127.0.0.1:0 --ready-file f",
            "serve --data d --config f --auth jwt --jwt-issuer i --jwt-audience a --jwt-keys k",
            "serve --data d --models m --models n --allow-downloads --metrics 127.0.0.1:0",
            "config check --config f",
            "config reference",
            "health --server 127.0.0.1:1 --collection c --json",
            "snapshot create",
            "snapshot create nightly --collection a --collection b --keep 7 --json",
            "snapshot list",
            "snapshot restore nightly --collection a --as b",
            "snapshot delete nightly",
            "verify d --deep --json",
            "repair d",
            "key create k --role read --collection c --data d",
            "key list --data d",
            "key revoke k --data d",
            "collection create c --encoder none --dim 384 --sae s --json",
            "collection alias a c --json",
            "collection unalias a",
            "collection attach c --sae s --server 127.0.0.1:1",
            "ingest c f.jsonl --id id --text {title} --attribute a --attribute b:int --vectors v.safetensors",
            "ingest c - --format csv --json",
            "search c words --latent 3=-0.5 --steer 4=+0.2 --steer 4=-0.2 --filter a=1 --limit 5 --json",
            "search c --latent 3=1 --latent 4=2 --p90 --explain",
            "count c --filter a=1 --json",
            "get c a b --json",
            "delete c --filter a=1",
            "facet c --by latents --limit 3",
            "facet c --by day:month --by source --then n:stats --filter a=1 --json",
            "stats c --attribute n --attribute day --quantile .5 --quantile 0.99",
            "search c words --facet source --facet n:10",
            "delete c a --expect-version 0123456789abcdef0123456789abcdef",
            "update c --id a --set stars=5 --set tags=[\"a\"] --remove day --text t --json",
            "update c --id a --set day:timestamp=2025-03-01 --expect-version 0123456789abcdef0123456789abcdef",
            "update c --where a=1 --set stars=5 --ignore-warnings",
            "update c --filter a=1 --remove day",
            "ingest c f.jsonl --if-absent",
            "export c d --format parquet --overwrite --json",
            "import d --name n --sae f --sae second=f2 --encoder e --json",
            "import d",
            "diff c --a a=1 --b a=2 --json",
            "diff c --a a=1 --b a=2 --all --json",
            "diff c --a a=1 --b a=2 --b a=3 --pair-by p --documents 3 --csv d.csv",
            "correlate c --min-support 20 --json",
            "correlate c --latent 1 --with 2 --parquet p.parquet",
            "correlate c --attribute source --min-npmi -0.5",
            "explain c --target stars --latents 16 --json",
            "hypothesise c --a x=1",
            "hypothesise c --a x=1 --b x=2 --judge chat --tokens 10000 --labeller local",
            "hypothesise c --axis tone mood --k 4 --judged 100",
            "hypothesise c --pairs --with 3 --with 4 --confirm 0.3",
            "explain c --target source --held-out 0.5 --split-by author --csv l.csv",
            "trends c --by day --every month --rising",
            "trends c --by day --every quarter",
            "trends c --set m=1 --set m=2 --monotone --json",
            "duplicates c --threshold 0.9 --json",
            "unexplained c --limit 5",
            "latents drift c --before d<1 --limit 3",
            "latents map c c:small --min-phi 0.6 --csv m.csv",
            "latents map c d --move labels --move sets --replace",
            "cluster c --axis tone --axis topic --k 3 --filter a=1 --plot p.svg --json",
            "cluster c --latent 3 --latent 4 --seed 7 --csv c.csv",
            "cluster c --family 3 --family 9 --k 4",
            "correlate c --exclude-adjacent --plot p.svg",
            "diff c --a a=1 --plot p.svg",
            "report cluster c --axis tone --k 3 --out r.html",
            "report diff c --a a=1 --b a=2 --pair-by p --out r.html",
            "report corr c --min-support 20 --out r.html",
            "latents show c 12",
            "latents export c --out f.npz --filter a=1 --json",
            "steer c words --steer 1=0",
            "encode f.jsonl --text {t} --out o.safetensors",
            "encode f.jsonl --text {t} --out o.safetensors --precision bf16",
            "encode f.jsonl --text {t} --shard 2/3 --out d --sae s",
            "encode f.jsonl --text {t} --reader smollm2 --layer 15 --sae s --pooling sum --shard 0/1 --out d",
            "ingest c d --id id",
            "collection create c --precision bf16",
            "encode f.jsonl --text {t} --reader smollm2 --layer 15 --tokens --out o.safetensors",
            "collection create c --reader smollm2 --layer 15 --sae s --pooling max --positions",
            "sae train --vectors v.safetensors --normalise layer_norm --out d",
            "sae train --vectors v.safetensors --n 64 --k 4 --out d",
            "sae train --collection c --n 64 --k 4 --out d",
            "sae eval d --vectors v.safetensors",
            "sae info d",
            "demo --data d --serve",
            "inputs",
            "inputs --corpus f.jsonl",
            "search c --property words --select both --temperature 0.1 --scorer bm25",
            "search c words --property words --fusion standard --weights 1,0.5",
            "search c words --boost 4=0.15 --boost theory=-0.1 --preset mild=0.5",
            "search c --positive a --positive b --negative d",
            "steer c words --boost family:7=0.1 --sweep 0.5,1,2",
            "preset save c mild --steer theory=+0.4 --steer-p90",
            "preset list c",
            "preset drop c mild",
            "latents families c --find --min-members 5",
            "eval property --collection c --properties p.json --set arxiv --json",
            "eval steering --collection c --queries q.jsonl --scored-by other --json",
            "eval costs --collection c --a x=1 --b x=2 --property p --relevant y=1 --judge local",
            "eval steering --collection c --queries q.jsonl --scored-by-attribute topic",
            "eval probe --collection c --target source,kind --k 1,5 --json",
            "eval queries --collection c --beir d --method property-both --run-out r.txt",
            "eval runs --qrels q --run a --run b",
            "completions bash",
        ] {
            let arguments = std::iter::once("latentdb").chain(line.split(' '));
            if let Err(error) = Cli::try_parse_from(arguments) {
                panic!("{line}: {error}");
            }
        }
        for line in [
            "search",
            "search c --steer 4",
            "search c --boost 4",
            "search c --negative d",
            "eval queries --collection c",
            "search c --latent x=1",
            "sae train --out d",
            "encode f.jsonl --text {t} --tokens --out o.safetensors",
            "encode f.jsonl --text {t} --layer 3 --out o.safetensors",
            "encode f.jsonl --text {t} --precision f16 --out o.safetensors",
            "encode f.jsonl --text {t} --shard 3/3 --out d",
            "encode f.jsonl --text {t} --sae s --out d",
            "sae train --vectors v --collection c --out d",
            "delete c",
            "delete c a --filter b=1",
            "delete c --filter a=1 --expect-version 0123456789abcdef0123456789abcdef",
            "export c d --format csv",
            "update c --id a",
            "update c --set a=1",
            "update c --id a --filter b=1 --set a=1",
            "update c --filter b=1 --text t",
            "update c --filter b=1 --set a=1 --expect-version 0123456789abcdef0123456789abcdef",
            "update c --id a --set a",
            "facet c",
            "facet c --by n:minute",
            "facet c --by n --limit 0",
            "facet c --by n --then-limit 3",
            "stats c",
            "diff c --b a=1",
            "diff c --a a=1 --all --limit 3",
            "correlate c --with 2",
            "explain c",
            "explain c --target stars --target-filter x=1",
            "explain c --target stars --held-out 0",
            "hypothesise c",
            "hypothesise c --b x=1",
            "hypothesise c --a x=1 --pairs",
            "hypothesise c --a x=1 --axis tone",
            "trends c",
            "trends c --by day --every minute",
            "cluster c",
            "ingest c f --attribute =x",
        ] {
            let arguments = std::iter::once("latentdb").chain(line.split(' '));
            let error = Cli::try_parse_from(arguments).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
