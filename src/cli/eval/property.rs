//! `latentdb eval property`: properties with ground truth, by every way of searching.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use latentdb_proto::v1::{Filter, ListLatentsRequest};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::method::{Method, Settings};
use super::{measures, ranking, table};
use crate::cli::client::{Client, ClientArgs};
use crate::cli::output;
use crate::cli::search::expression;
use crate::eval::metrics::{
    Judgements, Measures, average_precision_at, average_precision_of_all, rank_biased_overlap,
};
use crate::eval::trec::{Run, write_run};
use crate::plot::{self, Axis, Bar};

/// Ranks that are measured for a set of categories, as METHODS does.
const CATEGORY_DEPTH: usize = 2000;
/// Hits that a server gives at most.
const MAX_DEPTH: usize = 10_000;
/// p of the overlap with the dense ranking.
const OVERLAP_P: f64 = 0.98;

/// What is measured, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Properties with ground truth: {"SET": [{"text", "source", "min", "max"}, ..]}, documents
    /// with this source and a sentiment above min and below max; or {"SET": {"CATEGORY":
    /// "description"}}, documents with CATEGORY among their categories
    #[arg(long, value_name = "FILE")]
    properties: PathBuf,
    /// The set of the file; the one named like the collection, or else the first, when left out
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// Ranks that are measured; average precision is then over as many relevant documents as fit
    /// there. When left out: 2,000 for a set of categories; all documents for another, those behind
    /// the first 10,000 as if in random order
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Ways of searching; all when left out. Repeatable
    #[arg(long = "method", value_enum)]
    methods: Vec<Method>,
    #[command(flatten)]
    settings: Settings,
    /// Seed of the random order
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the rankings as TREC runs, one file per method
    #[arg(long, value_name = "DIR")]
    runs_out: Option<PathBuf>,
    /// Write a figure: MAP by method, as SVG
    #[arg(long, value_name = "FILE.svg")]
    figure: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// A property and the filter that describes the documents that have it.
#[derive(Clone, Debug, PartialEq)]
struct Property {
    text: String,
    truth: String,
}

#[derive(Deserialize)]
struct Described {
    text: String,
    source: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
}

impl Described {
    fn truth(&self) -> String {
        let mut tests = Vec::new();
        if let Some(source) = &self.source {
            tests.push(format!("source = {}", quoted(source)));
        }
        if let Some(min) = self.min {
            tests.push(format!("sentiment > {min}"));
        }
        if let Some(max) = self.max {
            tests.push(format!("sentiment < {max}"));
        }
        tests.join(" and ")
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The properties of a set, and whether they are categories.
fn read(file: &Path, set: Option<&str>, collection: &str) -> anyhow::Result<(Vec<Property>, bool)> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let sets: Map<String, Value> = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a JSON object", file.display()))?;
    let is_set = |value: &&Value| value.is_array() || value.is_object();
    let found = match set {
        Some(set) => sets.get(set).filter(is_set),
        None => sets
            .get(collection)
            .filter(is_set)
            .or_else(|| sets.values().find(is_set)),
    };
    let Some(found) = found else {
        let names: Vec<&String> = sets
            .iter()
            .filter(|(_, v)| is_set(v))
            .map(|s| s.0)
            .collect();
        bail!("{} has no such set; it has {names:?}", file.display());
    };
    let properties = match found {
        Value::Object(categories) => categories
            .iter()
            .map(|(category, description)| {
                let text = description
                    .as_str()
                    .context("a description is not a text")?;
                Ok(Property {
                    text: text.to_owned(),
                    truth: format!("categories = {}", quoted(category)),
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()?,
        other => {
            let described: Vec<Described> = serde_json::from_value(other.clone())
                .context("a property is an object with text, source, min and max")?;
            let properties = described.into_iter().map(|described| Property {
                truth: described.truth(),
                text: described.text,
            });
            properties.collect()
        }
    };
    if properties.iter().any(|property| property.truth.is_empty()) {
        bail!("a property has neither source nor min nor max");
    }
    Ok((properties, found.is_object()))
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let set = args.set.as_deref();
    let (properties, are_categories) = read(&args.properties, set, &args.collection)?;
    let depth = args.depth.or(are_categories.then_some(CATEGORY_DEPTH));
    let client = args.client.connect().await?;
    let methods = methods(&args, &client).await?;
    let mut bench = Bench {
        all: ranking::ids(&client, &args.collection, None).await?,
        random: StdRng::seed_from_u64(args.seed),
        client,
        args: &args,
        depth: depth.unwrap_or(MAX_DEPTH),
    };
    bench.all.sort_unstable();
    let mut by_method: HashMap<Method, Vec<Measures>> = HashMap::new();
    let mut overlaps: HashMap<Method, Vec<f64>> = HashMap::new();
    let mut runs: HashMap<Method, Run> = HashMap::new();
    let mut rows = Vec::with_capacity(properties.len());
    for property in &properties {
        let truth: Option<Filter> = Some(expression(property.truth.clone()));
        let relevant = ranking::ids(&bench.client, &args.collection, truth).await?;
        if relevant.is_empty() {
            bail!("no document has {:?} ({})", property.text, property.truth);
        }
        let judgements: Judgements = relevant.into_iter().map(|id| (id, 1)).collect();
        let dense = bench.ranking(Method::Dense, &property.text).await?;
        let dense: Vec<String> = dense.into_iter().map(|(id, _)| id).collect();
        let mut values = Map::new();
        for &method in &methods {
            let found = bench.ranking(method, &property.text).await?;
            let ids: Vec<String> = found.iter().map(|(id, _)| id.clone()).collect();
            let measured = Measures {
                ap: match depth {
                    Some(depth) => average_precision_at(&ids, &judgements, depth),
                    None => average_precision_of_all(&ids, &judgements, bench.all.len()),
                },
                ..Measures::of(&ids, &judgements)
            };
            values.insert(method.name().to_owned(), json!(measured.ap));
            by_method.entry(method).or_default().push(measured);
            let overlap = rank_biased_overlap(&ids, &dense, OVERLAP_P);
            overlaps.entry(method).or_default().push(overlap);
            let run = runs.entry(method).or_default();
            run.insert(property.text.replace(char::is_whitespace, "_"), found);
        }
        rows.push(json!({
            "text": property.text,
            "truth": property.truth,
            "documents": judgements.len(),
            "ap": values,
        }));
    }
    if let Some(folder) = &args.runs_out {
        write_runs(folder, &runs)?;
    }
    let means: Vec<(Method, Measures, f64)> = methods
        .iter()
        .map(|method| {
            let overlap = &overlaps[method];
            let overlap = overlap.iter().sum::<f64>() / overlap.len() as f64;
            (*method, Measures::mean(&by_method[method]), overlap)
        })
        .collect();
    if let Some(path) = &args.figure {
        plot::write(path, &figure(&means, properties.len())?)?;
    }
    let named: Map<String, Value> = means
        .iter()
        .map(|(method, mean, overlap)| {
            let mut values = measures(mean);
            values.insert("rbo_dense".to_owned(), json!(overlap));
            (method.name().to_owned(), values.into())
        })
        .collect();
    let value = json!({
        "methods": named,
        "properties": rows,
        "documents": bench.all.len(),
        "depth": depth,
    });
    let lines: Vec<(String, Measures)> = means
        .iter()
        .map(|(method, mean, _)| (method.name().to_owned(), *mean))
        .collect();
    let text = format!(
        "{}{} properties, {} documents, {}\n",
        table(&lines),
        properties.len(),
        bench.all.len(),
        depth.map_or("all ranks".to_owned(), |depth| format!(
            "the first {depth} ranks"
        ))
    );
    output::emit(args.client.json, &value, &text)?;
    Ok(())
}

/// MAP by method, best first.
fn figure(means: &[(Method, Measures, f64)], properties: usize) -> anyhow::Result<String> {
    let mut bars: Vec<Bar> = means
        .iter()
        .map(|(method, mean, _)| Bar {
            name: method.name(),
            value: mean.ap,
            interval: None,
        })
        .collect();
    bars.sort_by(|a, b| b.value.total_cmp(&a.value));
    let title = format!("Property retrieval, {properties} properties");
    let axis = Axis::new("mean average precision");
    Ok(plot::horizontal_bars(&title, &axis, &bars)?)
}

/// The methods asked for; without a choice, those that the collection can serve.
async fn methods(args: &Args, client: &Client) -> anyhow::Result<Vec<Method>> {
    if !args.methods.is_empty() {
        args.settings.check(&args.methods)?;
        return Ok(args.methods.clone());
    }
    let has_selector = args.settings.has_selector();
    let request = ListLatentsRequest {
        collection: args.collection.clone(),
        limit: 100_000,
        ..ListLatentsRequest::default()
    };
    let listed = client.latents().list_latents(request).await?.into_inner();
    let labelled = listed.latents.iter().any(|latent| latent.label.is_some());
    let methods = Method::ALL.into_iter();
    Ok(methods
        .filter(|method| labelled || !method.needs_labels())
        .filter(|method| has_selector || !method.needs_selector())
        .collect())
}

struct Bench<'a> {
    client: Client,
    args: &'a Args,
    /// Hits fetched of each ranking.
    depth: usize,
    /// The ids of all documents, in order.
    all: Vec<String>,
    random: StdRng,
}

impl Bench<'_> {
    async fn ranking(&mut self, method: Method, text: &str) -> anyhow::Result<Vec<(String, f32)>> {
        let Some(query) = method.query(text, &self.args.settings) else {
            let mut shuffled = self.all.clone();
            let (first, _) = shuffled.partial_shuffle(&mut self.random, self.depth);
            return Ok(first.iter().map(|id| (id.clone(), 0.0)).collect());
        };
        ranking::ranking(&self.client, &self.args.collection, query, self.depth)
            .await
            .with_context(|| format!("{} for {text:?}", method.name()))
    }
}

fn write_runs(folder: &Path, runs: &HashMap<Method, Run>) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for (method, run) in runs {
        let path = folder.join(format!("{}.run", method.name()));
        fs::write(&path, write_run(run, method.name()))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_set_are_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content = json!({
            "about": "text",
            "demo": [{"text": "an angry tweet", "source": "tweets", "max": -1},
                     {"text": "all good", "min": 2.5}],
            "arxiv": {"cs.GT": "game theory"},
        });
        fs::write(file.path(), content.to_string()).unwrap();
        let (demo, are_categories) = read(file.path(), Some("demo"), "x").unwrap();
        assert!(!are_categories);
        let truths: Vec<&str> = demo.iter().map(|p| p.truth.as_str()).collect();
        assert_eq!(
            truths,
            ["source = \"tweets\" and sentiment < -1", "sentiment > 2.5"]
        );
        let (arxiv, are_categories) = read(file.path(), None, "arxiv").unwrap();
        assert!(are_categories);
        assert_eq!(arxiv[0].truth, "categories = \"cs.GT\"");
        assert!(read(file.path(), Some("about"), "x").is_err());
    }
}
