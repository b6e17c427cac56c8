//! `latentdb eval steering`: what steering keeps of a query and what it brings (METHODS §4).
//!
//! Each query is steered up by one latent that is inactive in it. Per method and strength:
//! *relevance kept* is the mean cosine of the steered hits with the query over that of the
//! unsteered, *target share* the share of the steered hits in which the latent is active, *overlap*
//! the share of the unsteered hits that stay. Baselines rewrite the query with the latent's label.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use latentdb_proto::v1::{
    EncodeTextsRequest, Hit, LatentSummary, ListLatentsRequest, NearestQuery, Projection, Query,
    SearchBatchRequest, SearchRequest, SteerRequest, Vector, encode_texts_request::With,
    nearest_query::To,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Map, json};

use super::steering_method::{Case, Method, SETTINGS, near, query};
use crate::cli::client::{Client, ClientArgs};
use crate::cli::json::number;
use crate::cli::{output, text};
use crate::plot::{self, Axis, Series};
use crate::records::{self, Source};

/// Searches sent in one request.
const BATCH: usize = 100;

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
    #[arg(long, value_name = "N", default_value_t = 10)]
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
    /// Write a figure: target share against relevance kept, as SVG
    #[arg(long, value_name = "FILE.svg")]
    figure: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// What the hits of one search are worth.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    relevance: f64,
    target_share: f64,
    overlap: f64,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(args.seed);
    let mut queries = read_queries(&args)?;
    if args.count > 0 && args.count < queries.len() {
        let (drawn, _) = queries.partial_shuffle(&mut random, args.count);
        queries = drawn.to_vec();
    }
    let client = args.client.connect().await?;
    let bench = Bench {
        client,
        args: &args,
    };
    let cases = bench.cases(&queries, &mut random).await?;
    let plain: Vec<Query> = cases.iter().map(|case| near(&case.vector)).collect();
    let plain = bench.search(plain).await?;
    let unsteered = bench.outcomes(&cases, &plain, &plain);
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
            let outcomes = bench.outcomes(&cases, &plain, &hits);
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
    if let Some(path) = &args.figure {
        plot::write(path, &figure(&curves, cases.len())?)?;
    }
    let value = json!({"methods": methods, "queries": cases.len(), "top": args.top});
    let head = [
        "method",
        "strength",
        "relevance kept",
        "target share",
        "overlap",
    ];
    let table = format!(
        "{}{} queries, {} hits\n",
        text::table(&head, &rows),
        cases.len(),
        args.top
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

/// Means over the queries; relevance relative to that of the unsteered hits.
fn relative(outcomes: &[Outcome], unsteered: &[Outcome]) -> Outcome {
    let count = outcomes.len().max(1) as f64;
    let mean = |field: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(field).sum::<f64>() / count;
    let base = unsteered
        .iter()
        .map(|outcome| outcome.relevance)
        .sum::<f64>()
        / count;
    Outcome {
        relevance: mean(&|outcome| outcome.relevance) / base,
        target_share: mean(&|outcome| outcome.target_share),
        overlap: mean(&|outcome| outcome.overlap),
    }
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

struct Bench<'a> {
    client: Client,
    args: &'a Args,
}

impl Bench<'_> {
    /// Gives each query a target that is inactive in it.
    async fn cases(&self, queries: &[String], random: &mut StdRng) -> anyhow::Result<Vec<Case>> {
        let targets = self.targets().await?;
        let vectors = self.encode(queries.to_vec()).await?;
        let mut chosen: Vec<&LatentSummary> = Vec::with_capacity(queries.len());
        for vector in &vectors {
            let request = SteerRequest {
                collection: self.args.collection.clone(),
                nearest: Some(NearestQuery {
                    to: Some(To::Vector(Vector {
                        values: vector.clone(),
                    })),
                    ..NearestQuery::default()
                }),
            };
            let steering = self.client.searches().steer(request).await?.into_inner();
            let steering = steering.steering.unwrap_or_default();
            let active: BTreeSet<u32> = steering.before.iter().map(|entry| entry.latent).collect();
            let inactive: Vec<&LatentSummary> = targets
                .iter()
                .filter(|target| !active.contains(&target.latent))
                .collect();
            let target = inactive.choose(random);
            chosen.push(target.context("every target is active in a query")?);
        }
        let labels: Vec<Option<&str>> = chosen
            .iter()
            .map(|target| target.label.as_ref().map(|label| label.text.as_str()))
            .collect();
        let mut labelled = HashMap::new();
        if labels.iter().all(Option::is_some) {
            let texts: Vec<String> = labels
                .iter()
                .flatten()
                .map(|&text| text.to_owned())
                .collect();
            let both = queries.iter().zip(&texts);
            let both = both
                .map(|(query, label)| format!("{query} {label}"))
                .collect();
            let texts = self.encode(texts).await?.into_iter();
            let pairs = texts.zip(self.encode(both).await?);
            labelled.extend((0..).zip(pairs));
        }
        let cases = (0..).zip(vectors).zip(chosen);
        Ok(cases
            .map(|((at, vector), target)| Case {
                vector,
                latent: target.latent,
                label: labelled.remove(&at),
            })
            .collect())
    }

    /// The latents that may be targets; those with a label where any has one.
    async fn targets(&self) -> anyhow::Result<Vec<LatentSummary>> {
        let request = ListLatentsRequest {
            collection: self.args.collection.clone(),
            limit: 100_000,
            ..ListLatentsRequest::default()
        };
        let listed = self
            .client
            .latents()
            .list_latents(request)
            .await?
            .into_inner();
        let (least, most) = (self.args.min_documents, self.args.max_documents);
        let good = |target: &LatentSummary| {
            self.args.min_label_score.is_none_or(|least| {
                let score = target.label.as_ref().and_then(|label| label.score);
                score.is_some_and(|score| score >= least)
            })
        };
        let mut targets: Vec<LatentSummary> = listed
            .latents
            .into_iter()
            .filter(|target| (least..=most).contains(&target.documents) && good(target))
            .collect();
        if targets.iter().any(|target| target.label.is_some()) {
            targets.retain(|target| target.label.is_some());
        }
        if targets.is_empty() {
            bail!("no latent is active in {least} to {most} documents and well labelled enough");
        }
        Ok(targets)
    }

    async fn encode(&self, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let request = EncodeTextsRequest {
            with: Some(With::Collection(self.args.collection.clone())),
            texts,
        };
        let encoded = self
            .client
            .models()
            .encode_texts(request)
            .await?
            .into_inner();
        Ok(encoded.vectors.into_iter().map(|v| v.values).collect())
    }

    /// The hits of each query, with their vectors and latents.
    async fn search(&self, queries: Vec<Query>) -> anyhow::Result<Vec<Vec<Hit>>> {
        let mut found = Vec::with_capacity(queries.len());
        for queries in queries.chunks(BATCH) {
            let searches = queries.iter().map(|query| SearchRequest {
                collection: self.args.collection.clone(),
                query: Some(query.clone()),
                limit: self.args.top,
                projection: Some(Projection {
                    vector: true,
                    latents: true,
                    ..Projection::default()
                }),
                latents_per_hit: Some(0),
                ..SearchRequest::default()
            });
            let request = SearchBatchRequest {
                searches: searches.collect(),
            };
            let response = self
                .client
                .searches()
                .search_batch(request)
                .await?
                .into_inner();
            found.extend(response.responses.into_iter().map(|response| response.hits));
        }
        Ok(found)
    }

    fn outcomes(&self, cases: &[Case], plain: &[Vec<Hit>], hits: &[Vec<Hit>]) -> Vec<Outcome> {
        let all = cases.iter().zip(plain).zip(hits);
        all.map(|((case, plain), hits)| outcome(case, plain, hits))
            .collect()
    }
}

fn outcome(case: &Case, plain: &[Hit], hits: &[Hit]) -> Outcome {
    let share = |count: usize, of: &[Hit]| count as f64 / of.len().max(1) as f64;
    let documents = || hits.iter().filter_map(|hit| hit.document.as_ref());
    let before: BTreeSet<&str> = plain
        .iter()
        .filter_map(|hit| Some(hit.document.as_ref()?.id.as_str()))
        .collect();
    let cosines = documents().filter_map(|document| {
        let vector = document.vector.as_ref()?;
        Some(cosine(&case.vector, &vector.values))
    });
    let with_target = documents().filter(|document| {
        let latents = document.latents.as_ref();
        latents.is_some_and(|row| row.values.iter().any(|entry| entry.latent == case.latent))
    });
    let kept = documents().filter(|document| before.contains(document.id.as_str()));
    Outcome {
        relevance: cosines.sum::<f64>() / hits.len().max(1) as f64,
        target_share: share(with_target.count(), hits),
        overlap: share(kept.count(), plain),
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{Activation, Activations, Document};

    use super::*;

    fn hit(id: &str, vector: [f32; 2], latent: u32) -> Hit {
        Hit {
            document: Some(Document {
                id: id.to_owned(),
                vector: Some(Vector {
                    values: vector.to_vec(),
                }),
                latents: Some(Activations {
                    values: vec![Activation {
                        latent,
                        activation: 1.0,
                    }],
                }),
                ..Document::default()
            }),
            ..Hit::default()
        }
    }

    #[test]
    fn an_outcome_is_what_its_hits_say() {
        let case = Case {
            vector: vec![1.0, 0.0],
            latent: 7,
            label: None,
        };
        let plain = [hit("a", [2.0, 0.0], 1), hit("b", [1.0, 0.0], 1)];
        let steered = [hit("b", [1.0, 0.0], 7), hit("c", [0.0, 3.0], 1)];
        let before = outcome(&case, &plain, &plain);
        let after = outcome(&case, &plain, &steered);
        assert_eq!((before.relevance, before.overlap), (1.0, 1.0));
        let mean = relative(&[after], &[before]);
        assert_eq!(
            (mean.relevance, mean.target_share, mean.overlap),
            (0.5, 0.5, 0.5)
        );
    }
}
