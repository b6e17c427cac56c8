//! `latentdb eval steering`: what steering keeps of a query and what it brings (METHODS §4).
//!
//! Each query is steered up by one latent that is inactive in it. Per method and strength:
//! *relevance kept* is the mean cosine of the steered hits with the query over that of the
//! unsteered, *target share* the share of the steered hits in which the latent is active, *overlap*
//! the share of the unsteered hits that stay. Baselines rewrite the query with the latent's label.
//! Where latents are labelled, `up_down.rs` then turns one up and another down.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use latentdb_proto::v1::Query;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Map, json};

use super::judging::JudgeArgs;
use super::steering_bench::{Bench, Outcome, outcomes, relative};
use super::steering_method::{Method, SETTINGS, near, query};
use super::up_down;
use crate::cli::client::ClientArgs;
use crate::cli::{output, text};
use crate::client::single as number;
use crate::plot::{self, Axis, Series};
use crate::records::{self, Source};

/// What is measured, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    #[arg(long, value_name = "NAME")]
    pub(super) collection: String,
    /// Records with a text or a title each, or lines of text
    #[arg(long, value_name = "FILE")]
    queries: PathBuf,
    /// The field of the records that is the query; title, text or query when left out
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Queries that are drawn from the file; all when 0
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) count: usize,
    /// Hits that are measured
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) top: u32,
    /// Documents that a latent is active in at least, to be a target
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(super) min_documents: u64,
    /// Documents that it is active in at most
    #[arg(long, value_name = "N", default_value_t = 3000)]
    pub(super) max_documents: u64,
    /// Score that a target's label has at least, where labels are scored
    #[arg(long, value_name = "SCORE")]
    pub(super) min_label_score: Option<f32>,
    /// Seed of the choice of queries and targets
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Draw the target share against the relevance kept, for every method, to this SVG file
    #[arg(long, value_name = "FILE.svg", alias = "figure")]
    plot: Option<PathBuf>,
    /// Draw what turning one latent up and one down does against the cosine of the query, into this
    /// folder, as SVG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    #[command(flatten)]
    pub(super) judge: JudgeArgs,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(args.seed);
    let mut queries = read_queries(&args)?;
    if args.count > 0 && args.count < queries.len() {
        let (drawn, _) = queries.partial_shuffle(&mut random, args.count);
        queries = drawn.to_vec();
    }
    let judge = args.judge.open().await?;
    let client = args.client.connect().await?;
    let bench = Bench {
        client,
        args: &args,
    };
    let cases = bench.cases(&queries, &mut random).await?;
    let plain: Vec<Query> = cases.iter().map(|case| near(&case.vector)).collect();
    let plain = bench.search(plain).await?;
    let unsteered = outcomes(&cases, &plain, &plain);
    let mut methods = Map::new();
    let mut curves: Vec<(Method, Vec<(f64, f64)>)> = Vec::new();
    let mut rows = vec![row("unsteered", None, &relative(&unsteered, &unsteered))];
    for (method, strengths) in SETTINGS {
        if method.needs_labels() && cases.iter().any(|case| case.label.is_none()) {
            continue;
        }
        let mut steps = Vec::with_capacity(strengths.len());
        let mut curve = Vec::with_capacity(strengths.len());
        for &strength in strengths {
            let steered = cases.iter().map(|case| query(method, strength, case));
            let hits = bench.search(steered.collect()).await?;
            let outcomes = outcomes(&cases, &plain, &hits);
            let mean = relative(&outcomes, &unsteered);
            rows.push(row(method.name(), Some(strength), &mean));
            curve.push((mean.relevance, mean.target_share));
            steps.push(json!({
                "strength": number(strength),
                "relevance_kept": mean.relevance,
                "target_share": mean.target_share,
                "overlap": mean.overlap,
            }));
        }
        methods.insert(method.name().to_owned(), steps.into());
        curves.push((method, curve));
    }
    if let Some(path) = &args.plot {
        plot::write(path, &figure(&curves, cases.len())?)?;
    }
    let turned = up_down::run(&bench, &cases, &plain, judge).await?;
    if let (Some(folder), Some(turned)) = (&args.plots, &turned) {
        turned.draw(folder)?;
    }
    let value = json!({
        "methods": methods,
        "queries": cases.len(),
        "top": args.top,
        "up_down": turned.as_ref().map(up_down::UpDown::json),
    });
    let head = [
        "method",
        "strength",
        "relevance kept",
        "target share",
        "overlap",
    ];
    let table = format!(
        "{}{} queries, {} hits\n{}",
        text::table(&head, &rows),
        cases.len(),
        args.top,
        turned.map_or(String::new(), |turned| turned.text())
    );
    output::emit(args.client.json, &value, &table)?;
    Ok(())
}

fn row(name: &str, strength: Option<f32>, mean: &Outcome) -> Vec<String> {
    vec![
        name.to_owned(),
        strength.map_or(String::new(), |strength| strength.to_string()),
        format!("{:.3}", mean.relevance),
        format!("{:.3}", mean.target_share),
        format!("{:.2}", mean.overlap),
    ]
}

/// A curve over the strengths for each method.
fn figure(curves: &[(Method, Vec<(f64, f64)>)], queries: usize) -> anyhow::Result<String> {
    let series: Vec<Series> = curves
        .iter()
        .map(|(method, points)| Series {
            name: method.name(),
            points,
        })
        .collect();
    Ok(plot::lines(
        &format!("Steering {queries} queries towards a latent inactive in them"),
        &Axis::new("relevance kept"),
        &Axis::new("target share of the first hits"),
        &series,
    )?)
}

fn read_queries(args: &Args) -> anyhow::Result<Vec<String>> {
    let is_text = args.queries.extension().is_some_and(|end| end == "txt");
    let mut queries = Vec::new();
    if is_text {
        let content = std::fs::read_to_string(&args.queries)
            .with_context(|| format!("reading {}", args.queries.display()))?;
        queries.extend(content.lines().map(str::trim).map(str::to_owned));
    } else {
        for record in records::open(&Source::from(args.queries.as_path()), None)? {
            let record = record?;
            let fields = args
                .field
                .as_ref()
                .map_or(vec!["title", "text", "query"], |field| vec![field.as_str()]);
            let found = fields.iter().find_map(|field| record.get(field)?.as_str());
            let Some(found) = found else {
                bail!("{} has none of {fields:?} as a text", record.position());
            };
            queries.push(found.trim().to_owned());
        }
    }
    queries.retain(|query| !query.is_empty());
    if queries.is_empty() {
        bail!("{} holds no queries", args.queries.display());
    }
    Ok(queries)
}
