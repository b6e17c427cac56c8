//! `latentdb eval queries`: searches for queries with judgements.

use crate::cli::flags;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Map, Value};

use super::measured::{measures, table};
use super::method::{Method, Settings};
use super::ranking::Ranker;
use crate::cli::client::ClientArgs;
use crate::cli::{output, text};
use crate::eval::beir::BeirFolder;
use crate::eval::metrics::Measures;
use crate::eval::property::Rankings as _;
use crate::eval::queries;
use crate::eval::trec::{Qrels, Run, parse_qrels, write_run};

/// What is searched for, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection that holds the corpus, documents under the judgements' ids
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// A BEIR folder: queries.jsonl and qrels/SPLIT.tsv. As in BEIR's own evaluation, the document
    /// of a query's own id is left out of its ranking
    #[arg(long, value_name = "DIR", required_unless_present = "queries")]
    beir: Option<PathBuf>,
    /// The split of the BEIR folder
    #[arg(long, default_value = "test")]
    split: String,
    /// Queries, one a line: ID, a tab, the text
    #[arg(long, value_name = "FILE", requires = "qrels", conflicts_with = "beir")]
    queries: Option<PathBuf>,
    /// TREC judgements of those queries
    #[arg(long, value_name = "FILE", requires = "queries")]
    qrels: Option<PathBuf>,
    /// Ways of searching; dense when left out. Repeatable
    #[arg(long = "method", value_enum, default_values_t = [Method::Dense])]
    methods: Vec<Method>,
    #[command(flatten)]
    settings: Settings,
    /// Ranks that are measured
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = flags::count::<usize>)]
    depth: usize,
    /// Write the ranking of the (one) method as a TREC run
    #[arg(long, value_name = "FILE")]
    run_out: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (queries, qrels) = inputs(&args)?;
    if args.run_out.is_some() && args.methods.len() != 1 {
        bail!("--run-out writes one run: give one --method");
    }
    args.settings.check(&args.methods)?;
    if args.methods.contains(&Method::Random) {
        bail!("a random order is measured by `latentdb eval property` only");
    }
    let mut ranker = Ranker {
        client: args.client.connect().await?,
        collection: &args.collection,
        settings: &args.settings,
        all: Vec::new(),
        random: StdRng::seed_from_u64(0),
    };
    let mut rows = Vec::new();
    for &method in &args.methods {
        let mut run = Run::new();
        let mut all = Vec::with_capacity(queries.len());
        for (id, text) in &queries {
            let mut found = ranker.ranking(method, text, args.depth).await?;
            if args.beir.is_some() && queries::leave_out_identical(&mut found, id) {
                // One more is ranked in its place.
                found = ranker.ranking(method, text, args.depth + 1).await?;
                queries::leave_out_identical(&mut found, id);
            }
            let ids: Vec<String> = found.iter().map(|(id, _)| id.clone()).collect();
            all.push(Measures::of(&ids, &qrels[id]));
            run.insert(id.clone(), found);
        }
        if let Some(path) = &args.run_out {
            fs::write(path, write_run(&run, &method.name()))
                .with_context(|| format!("writing {}", path.display()))?;
        }
        rows.push((method.name(), Measures::mean(&all)));
    }
    let named: Map<String, Value> = rows
        .iter()
        .map(|(name, mean)| (name.clone(), measures(mean).into()))
        .collect();
    let value = serde_json::json!({"methods": named, "queries": queries.len()});
    let text = format!(
        "{}{}\n",
        table(&rows),
        text::counted(queries.len() as u64, "query")
    );
    output::emit(args.client.json, &value, &text)
}

/// Queries that have judgements, and the judgements.
fn inputs(args: &Args) -> anyhow::Result<(Vec<(String, String)>, Qrels)> {
    if let Some(folder) = &args.beir {
        let folder = BeirFolder::open(folder, &args.split)?;
        return Ok((folder.queries, folder.qrels));
    }
    let (Some(queries), Some(qrels)) = (&args.queries, &args.qrels) else {
        bail!("give --beir, or --queries with --qrels");
    };
    let read = |path: &PathBuf| {
        fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    };
    let qrels = parse_qrels(&read(qrels)?)?;
    Ok((queries::parse(&read(queries)?, &qrels)?, qrels))
}
