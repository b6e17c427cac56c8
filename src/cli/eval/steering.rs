//! `latentdb eval steering`: what steering keeps of a query and what it brings.

use crate::cli::flags;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::judging::JudgeArgs;
use super::scored_by::ScoredByArgs;
use super::steered_searches::SteeredSearches;
use crate::cli::client::ClientArgs;
use crate::cli::{output, text};
use crate::client::single;
use crate::eval::steering::{Evaluation, Settings, Step, evaluate};
use crate::plot;
use crate::records;
use crate::report::steering::{
    Column, UP_COLUMNS, UP_DOWN_COLUMNS, table, up_down_figures, up_figure,
};

/// What is measured, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Records with a text or a title each, or lines of text
    #[arg(long, value_name = "FILE")]
    queries: PathBuf,
    /// The field of the records that is the query; title, text or query when left out
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Queries that are drawn from the file; all when 0
    #[arg(long, value_name = "N", default_value_t = 100)]
    count: usize,
    /// Hits that are measured
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = flags::count::<u32>)]
    top: u32,
    /// Documents that a latent is active in at least, to be a target
    #[arg(long, value_name = "N", default_value_t = 300)]
    min_documents: u64,
    /// Documents that it is active in at most
    #[arg(long, value_name = "N", default_value_t = 3000)]
    max_documents: u64,
    /// Score that a target's label has at least, where labels are scored
    #[arg(long, value_name = "SCORE")]
    min_label_score: Option<f32>,
    /// Seed of the choice of queries and targets
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Draw the target share against the relevance kept, for every method, to this SVG file
    #[arg(long, value_name = "FILE.svg", alias = "figure")]
    plot: Option<PathBuf>,
    /// Draw what steering one latent up and one down does against the cosine of the query, into
    /// this folder, as SVG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    #[command(flatten)]
    scored_by: ScoredByArgs,
    #[command(flatten)]
    judge: JudgeArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let fields = args.field.as_deref();
    let fields = fields.map_or(vec!["title", "text", "query"], |field| vec![field]);
    let queries = records::texts(&args.queries, &fields)?;
    if queries.is_empty() {
        bail!("{} holds no queries", args.queries.display());
    }
    let settings = Settings {
        count: args.count,
        min_documents: args.min_documents,
        max_documents: args.max_documents,
        min_label_score: args.min_label_score,
        judged: args.judge.judged,
        seed: args.seed,
    };
    let judge = args.judge.open().await?;
    let client = args.client.connect().await?;
    let scored_by = args.scored_by.find(&client, &args.collection).await?;
    let scored = scored_by.name();
    let searches = SteeredSearches {
        client,
        collection: args.collection,
        top: args.top,
        scored_by,
    };
    let (up, up_down) = evaluate(&searches, queries, &settings, judge.as_ref()).await?;
    if let Some(path) = &args.plot {
        plot::write(path, &up_figure(&up)?)?;
    }
    if let (Some(folder), Some(up_down)) = (&args.plots, &up_down) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        for (name, svg) in up_down_figures(up_down)? {
            plot::write(&folder.join(name), &svg)?;
        }
    }
    let value = json!({
        "methods": methods(&up, up_json),
        "scored_by": scored,
        "queries": up.queries,
        "top": args.top,
        "up_down": up_down.as_ref().map(up_down_json),
    });
    let text = format!(
        "{}{} queries, {} hits, scored by {scored}\n{}",
        page(&up, UP_COLUMNS),
        up.queries,
        args.top,
        up_down.as_ref().map_or(String::new(), up_down_page)
    );
    output::emit(args.client.json, &value, &text)
}

fn methods(evaluation: &Evaluation, step: fn(&Step) -> Value) -> Map<String, Value> {
    let curves = evaluation.curves.iter();
    curves
        .map(|(method, steps)| (method.name().to_owned(), steps.iter().map(step).collect()))
        .collect()
}

fn up_json(step: &Step) -> Value {
    json!({
        "strength": single(step.strength),
        "relevance_kept": step.outcome.relevance,
        "target_share": step.outcome.target_share,
        "target_low": step.target_interval.0,
        "target_high": step.target_interval.1,
        "overlap": step.outcome.overlap,
    })
}

fn down_json(step: &Step) -> Value {
    json!({
        "strength": single(step.strength),
        "cosine": step.cosine,
        "relevance_kept": step.outcome.relevance,
        "up_share": step.outcome.target_share,
        "down_share": step.down_share,
        "overlap": step.outcome.overlap,
    })
}

fn judged_json(step: &Step) -> Value {
    let mut value = down_json(step);
    for (name, picked) in [("up", step.up_picked), ("down", step.down_picked)] {
        value[format!("{name}_accuracy")] = json!(picked.accuracy());
        value[format!("{name}_low")] = json!(picked.interval().map(|own| own.0));
        value[format!("{name}_high")] = json!(picked.interval().map(|own| own.1));
    }
    value["unanswered"] = json!(step.up_picked.unanswered + step.down_picked.unanswered);
    value
}

fn up_down_json(evaluation: &Evaluation) -> Value {
    let judge = evaluation.judge.as_ref();
    let step = judge.map_or(down_json as fn(&Step) -> Value, |_| judged_json);
    json!({
        "queries": evaluation.queries,
        "judge": judge.map(|(name, _)| name),
        "judged": judge.map_or(0, |(_, judged)| *judged),
        "unsteered": {
            "up_share": evaluation.unsteered.outcome.target_share,
            "down_share": evaluation.unsteered.down_share,
        },
        "methods": methods(evaluation, step),
    })
}

fn page(evaluation: &Evaluation, columns: &[Column]) -> String {
    let (head, rows) = table(evaluation, columns);
    text::table(&head, &rows)
}

fn up_down_page(evaluation: &Evaluation) -> String {
    let (columns, judged) = match &evaluation.judge {
        Some((judge, judged)) => (
            UP_DOWN_COLUMNS,
            format!(", {judged} judged by {judge} (chance .20)"),
        ),
        None => (&UP_DOWN_COLUMNS[..5], String::new()),
    };
    format!(
        "\none up, one down\n{}{} queries{judged}\n",
        page(evaluation, columns),
        evaluation.queries
    )
}
