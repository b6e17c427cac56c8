//! Runs a kind of work over its queries and times each of them.

use std::ops::Bound;
use std::time::Instant;

use anyhow::{Context, Result};
use latentdb::encoder::{EncoderOptions, Role, SentenceEncoder};
use latentdb::inputs::Cache;
use latentdb::progress::Progress;
use latentdb_index::analysis::{attribute_facet, latent_counts};
use latentdb_index::filter::{AttributeTest, Shape};
use latentdb_index::query::{
    ActivationScale, DEFAULT_EF, Kind, LatentWeight, Latents, Nearest, execute,
};
use latentdb_index::{Error, Filter, Query, Snapshot, Value};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::arxiv;
use crate::build::Built;
use crate::corpus::Corpus;
use crate::workload::{LIMIT, Weighted, Windows, Workload};

/// Queries of the unmeasured start of every work.
const WARM_UP: usize = 20;
/// A work ends after this many seconds with the queries it had then.
const PATIENCE: f64 = 10.0;
/// Abstracts that `encode` encodes.
const ENCODED: usize = 200;

/// What to run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    work: Work,
    /// Beam of the graph search.
    ef: Option<usize>,
    /// Share of the rows that the filter allows: one of the workload's.
    percent: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    Latents,
    Signed,
    Counts,
    LatentFacet,
    CategoryFacet,
    Fetch,
    Dense,
    Scan,
    Filtered,
    Encode,
}

pub struct Session<'a> {
    corpus: &'a Corpus,
    built: Built,
    workload: Workload,
    /// The row of each document number of the snapshot.
    rows: Vec<usize>,
    /// One thread: what a query may use, as the peers' queries do.
    pool: rayon::ThreadPool,
    encoder: Option<(SentenceEncoder, String)>,
}

impl<'a> Session<'a> {
    pub fn new(corpus: &'a Corpus, built: Built, workload: Workload) -> Result<Self> {
        let snapshot = built.collection.snapshot();
        let mut rows = vec![0; corpus.rows()];
        for doc in snapshot.living() {
            rows[doc as usize] = snapshot.id(doc)?.parse()?;
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        Ok(Self {
            corpus,
            built,
            workload,
            rows,
            pool,
            encoder: None,
        })
    }

    pub fn run(&mut self, request: &Request) -> Result<Json> {
        if let Work::Encode = request.work {
            return self.encode();
        }
        let session = &*self;
        self.pool.install(|| session.query(request))
    }

    fn query(&self, request: &Request) -> Result<Json> {
        let workload = &self.workload;
        let nearest = |at: usize, exact: bool| {
            Query::new(Kind::Nearest(Nearest {
                vector: workload.dense[at].clone(),
                exact,
                ef: request.ef.unwrap_or(DEFAULT_EF),
            }))
        };
        match request.work {
            Work::Latents => self.rank(workload.latents.iter().map(weighted).collect()),
            Work::Signed => self.rank(workload.signed.iter().map(weighted).collect()),
            Work::Dense => self.rank(
                (0..workload.dense.len())
                    .map(|at| nearest(at, false))
                    .collect(),
            ),
            Work::Scan => self.rank(
                (0..workload.dense.len())
                    .map(|at| nearest(at, true))
                    .collect(),
            ),
            Work::Filtered => {
                let percent = request.percent.context("`filtered` needs `percent`")?;
                let windows = workload.filters.iter().find(|set| set.percent == percent);
                let windows = windows.context("`percent` is not one of the workload's")?;
                let queries = (0..workload.dense.len())
                    .map(|at| nearest(at, false).filtered(window(windows, at)));
                self.rank(queries.collect())
            }
            Work::Counts => self.counts(),
            Work::LatentFacet => self.latent_facet(),
            Work::CategoryFacet => self.category_facet(),
            Work::Fetch => self.fetch(),
            Work::Encode => unreachable!("handled by the caller"),
        }
    }

    /// Rankings: resolved and run on the current snapshot, as a request is.
    fn rank(&self, queries: Vec<Query>) -> Result<Json> {
        let shape = self.shape();
        let mut access = "";
        let (timing, rankings) = timed(
            queries.len(),
            |at, snapshot| {
                let query = queries[at].resolve(&shape)?;
                execute(&query, snapshot, LIMIT)
            },
            &self.built,
        )?;
        let mut rows = Vec::with_capacity(rankings.len());
        let mut scores = Vec::with_capacity(rankings.len());
        for ranking in &rankings {
            access = ranking.plan.access;
            let found = ranking.hits.iter().map(|hit| self.rows[hit.doc as usize]);
            rows.push(found.collect::<Vec<_>>());
            scores.push(ranking.hits.iter().map(|hit| hit.score).collect::<Vec<_>>());
        }
        Ok(json!({"timing": timing, "access": access, "rows": rows, "scores": scores}))
    }

    fn counts(&self) -> Result<Json> {
        let filters: Vec<Filter> = self
            .workload
            .counts
            .iter()
            .map(|&[a, b, c, d]| {
                let [a, b, c, d] = [a, b, c, d].map(Filter::latent);
                Filter::And(vec![a, Filter::Or(vec![b, c]), d.negate()])
            })
            .collect();
        let shape = self.shape();
        let (timing, counts) = timed(
            filters.len(),
            |at, snapshot| {
                let filter = filters[at].resolve(&shape)?;
                snapshot.count(&filter)
            },
            &self.built,
        )?;
        Ok(json!({"timing": timing, "counts": counts}))
    }

    fn shape(&self) -> Shape {
        Shape {
            dimension: Some(self.corpus.dimension),
            n_latents: Some(self.built.n_latents),
            ..Shape::default()
        }
    }

    fn halves(&self) -> Vec<Filter> {
        let width = self.corpus.rows() as i64 / 2;
        let halves = self.workload.halves.iter();
        halves.map(|&start| positions(start, width)).collect()
    }

    /// How often each latent is active in a half, and how strongly.
    fn latent_facet(&self) -> Result<Json> {
        let halves = self.halves();
        let (timing, found) = timed(
            halves.len(),
            |at, snapshot| latent_counts(snapshot, &halves[at].resolve(&Shape::default())?),
            &self.built,
        )?;
        let first: Vec<_> = found[0]
            .iter()
            .map(|entry| (entry.latent, entry.count, entry.mean_activation))
            .collect();
        Ok(json!({"timing": timing, "first": first}))
    }

    /// How often each category occurs in a half.
    fn category_facet(&self) -> Result<Json> {
        let halves = self.halves();
        let (timing, found) = timed(
            halves.len(),
            |at, snapshot| {
                let half = halves[at].resolve(&Shape::default())?;
                attribute_facet(snapshot, &half, "category", usize::MAX)
            },
            &self.built,
        )?;
        let mut first = serde_json::Map::new();
        for entry in &found[0].values {
            if let Value::String(category) = &entry.value {
                first.insert(category.clone(), entry.count.into());
            }
        }
        Ok(json!({"timing": timing, "first": first}))
    }

    /// Ids and attributes of the documents of a page of hits.
    fn fetch(&self) -> Result<Json> {
        let starts = &self.workload.halves;
        let (timing, found) = timed(
            starts.len(),
            |at, snapshot| {
                (0..LIMIT as u32)
                    .map(|step| snapshot.stored(starts[at] as u32 + step * 1009))
                    .collect::<Result<Vec<_>, Error>>()
            },
            &self.built,
        )?;
        anyhow::ensure!(
            found
                .iter()
                .flatten()
                .all(|document| !document.id.is_empty())
        );
        Ok(json!({"timing": timing}))
    }

    fn encode(&mut self) -> Result<Json> {
        let texts = arxiv::texts(ENCODED).context("the abstracts are not readable")?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let fresh = self.encoder.is_none();
        if fresh {
            let progress = Progress::default();
            let folder = Cache::of_user().minilm(&progress, &mut |_, _| {})?;
            let folder = folder.to_string_lossy().into_owned();
            let encoder = SentenceEncoder::open(&folder, &EncoderOptions::default())?;
            self.encoder = Some((encoder, folder));
        }
        let (encoder, folder) = self.encoder.as_ref().context("was just set")?;
        let progress = Progress::default();
        if fresh {
            encoder.encode(&texts[..WARM_UP], Role::Document, &progress)?;
        }
        let started = Instant::now();
        let vectors = encoder.encode(&texts, Role::Document, &progress)?;
        let seconds = started.elapsed().as_secs_f64();
        let lowest = vectors
            .chunks_exact(self.corpus.dimension)
            .enumerate()
            .map(|(row, vector)| dot(vector, self.corpus.vector(row)))
            .fold(f32::INFINITY, f32::min);
        Ok(json!({
            "documents": texts.len(),
            "documents_per_second": texts.len() as f64 / seconds,
            "lowest_cosine": lowest,
            "model_folder": folder,
            "abstracts": arxiv::folder().join(arxiv::ABSTRACTS),
        }))
    }
}

/// Runs queries `0..count`, each on the snapshot that is current then, after a few unmeasured
/// ones. Returns milliseconds and results.
fn timed<T>(
    count: usize,
    mut query: impl FnMut(usize, &Snapshot) -> Result<T, Error>,
    built: &Built,
) -> Result<(Json, Vec<T>)> {
    let mut began = Instant::now();
    for at in 0..count.min(WARM_UP) {
        query(at, &built.collection.snapshot())?;
        if began.elapsed().as_secs_f64() > PATIENCE / 10.0 {
            break;
        }
    }
    began = Instant::now();
    let mut milliseconds = Vec::with_capacity(count);
    let mut results = Vec::with_capacity(count);
    for at in 0..count {
        let started = Instant::now();
        results.push(query(at, &built.collection.snapshot())?);
        milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
        if began.elapsed().as_secs_f64() > PATIENCE {
            break;
        }
    }
    milliseconds.sort_by(f64::total_cmp);
    let at = |share: f64| milliseconds[(share * (milliseconds.len() - 1) as f64).round() as usize];
    let timing = json!({"p50": at(0.5), "p95": at(0.95), "queries": milliseconds.len()});
    Ok((timing, results))
}

fn weighted(query: &Weighted) -> Query {
    let weights = query
        .latents
        .iter()
        .zip(&query.weights)
        .map(|(&latent, &weight)| LatentWeight { latent, weight })
        .collect();
    Query::new(Kind::Latents(Latents {
        weights,
        scale: ActivationScale::Raw,
        idf: false,
    }))
}

fn window(windows: &Windows, at: usize) -> Filter {
    positions(windows.starts[at], windows.width)
}

fn positions(start: i64, width: i64) -> Filter {
    Filter::Attribute {
        name: "position".into(),
        test: AttributeTest::Range {
            lower: Bound::Included(Value::Integer(start)),
            upper: Bound::Excluded(Value::Integer(start + width)),
        },
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
