//! The engine on 60,000 abstracts: latents, counts, nearest neighbours, text, fusion and ingest.
//!
//! `cargo bench --bench engine` builds a collection in a temporary directory (vectors of
//! `arxiv-embeddings.safetensors`, texts of `arxiv-abstracts.jsonl.zst`, from `LATENTDB_CORPORA`, else
//! `data`), waits for its graph, and prints per question the median and 99th percentile
//! over 200 queries next to criterion's mean. Without the data it measures nothing. Latents are
//! codes over a dictionary of 3,072 documents, the 32 closest of each: no SAE is needed, and their
//! frequencies are as uneven as an SAE's. Peers and their figures: GUIDE section 6.
#![allow(clippy::unwrap_used, reason = "a benchmark without its data stops")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use latentdb_index::filter::{Shape, TextMode};
use latentdb_index::query::{
    ActivationScale, DEFAULT_EF, DEFAULT_FUSION_DEPTH, Fusion, Kind, LatentWeight, Latents,
    Nearest, Ranking, execute,
};
use latentdb_index::{
    Collection, Document, Filter, Operation, Query, ResolvedFilter, ResolvedQuery, Snapshot, Value,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

mod arxiv;

use arxiv::N_LATENTS;

const DIMENSION: usize = 384;
/// Weighted latents of a query.
const WEIGHTS: usize = 20;
const QUERIES: usize = 200;
const TOP: usize = 10;
/// Documents of an acknowledged batch.
const BATCH: usize = 2000;
/// Documents of one ingest.
const INGESTED: usize = 10_000;

/// Ready documents: text, vector, latents and one attribute with ten values.
fn documents() -> Option<Vec<Document>> {
    let (vectors, dimension) = arxiv::vectors()?;
    let vectors_of = vectors.chunks_exact(dimension).map(<[f32]>::to_vec);
    let codes = arxiv::codes(&vectors, dimension);
    let rows = vectors_of.zip(arxiv::abstracts()?).zip(codes).enumerate();
    let documents = rows.map(|(row, ((vector, line), code))| {
        let mut document = Document::new(row.to_string());
        document.text = Some(line.ok()?.text());
        document.vector = Some(vector);
        document.codes = vec![code.into()];
        let tenth = Value::Integer((row % 10) as i64);
        document.attributes.insert("tenth".into(), tenth);
        Some(document)
    });
    documents.collect()
}

fn write(collection: &Collection, documents: &[Document]) {
    for batch in documents.chunks(BATCH) {
        let operations = batch
            .iter()
            .map(|document| Operation::Upsert(Box::new(document.clone())));
        collection.write(operations.collect(), None).unwrap();
    }
}

/// One segment with its graph, as a collection is some time after its last write.
fn settled(directory: &Path, documents: &[Document]) -> (Collection, Arc<Snapshot>) {
    let collection = Collection::open(directory).unwrap();
    let started = Instant::now();
    write(&collection, documents);
    eprintln!(
        "{} documents written in {:.1?}",
        documents.len(),
        started.elapsed()
    );
    collection.merge().unwrap();
    let started = Instant::now();
    loop {
        let snapshot = collection.snapshot();
        let (rows, covered) = snapshot.graph_coverage();
        if rows == covered {
            eprintln!(
                "{} segment(s), {} MB, graph after {:.1?}",
                snapshot.n_segments(),
                collection.disk_bytes().unwrap() >> 20,
                started.elapsed()
            );
            return (collection, snapshot);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn run(snapshot: &Snapshot, query: &ResolvedQuery) -> Ranking {
    execute(query, snapshot, TOP).unwrap()
}

/// Median and 99th percentile over the queries (each at its best of three), then criterion's mean.
fn measure<Q>(criterion: &mut Criterion, group: &str, name: &str, queries: &[Q], ask: impl Fn(&Q)) {
    let mut times: Vec<Duration> = queries
        .iter()
        .map(|query| {
            let time = |_| {
                let started = Instant::now();
                ask(black_box(query));
                started.elapsed()
            };
            (0..3).map(time).min().unwrap()
        })
        .collect();
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    eprintln!("{group}, {name}: p50 {:.1?}, p99 {:.1?}", at(50), at(99));
    let mut group = criterion.benchmark_group(group);
    let mut next = queries.iter().cycle();
    group.bench_function(name, |bencher| {
        bencher.iter(|| ask(black_box(next.next().unwrap())));
    });
    group.finish();
}

/// The 20 strongest latents of a document with weights up to 1, a share of them negative.
fn latent_queries(documents: &[Document], negative: f64) -> Vec<Query> {
    let mut random = StdRng::seed_from_u64(2);
    (0..QUERIES)
        .map(|_| {
            let mut code = documents.choose(&mut random).unwrap().latents().to_vec();
            code.sort_by(|a, b| b.activation.total_cmp(&a.activation));
            let weights = code.iter().take(WEIGHTS).map(|entry| {
                let weight = random.random_range(0.1_f32..1.0);
                let sign = if random.random_bool(negative) {
                    -1.0
                } else {
                    1.0
                };
                LatentWeight {
                    latent: entry.latent,
                    weight: weight * sign,
                }
            });
            Query::new(Kind::Latents(Latents {
                weights: weights.collect(),
                scale: ActivationScale::Raw,
                idf: false,
            }))
        })
        .collect()
}

fn nearest(vector: &[f32], exact: bool, ef: usize) -> Query {
    Query::new(Kind::Nearest(Nearest {
        vector: vector.to_vec(),
        exact,
        ef,
    }))
}

fn resolved(queries: impl IntoIterator<Item = Query>) -> Vec<ResolvedQuery> {
    let shape = Shape {
        dimension: Some(DIMENSION),
        n_latents: Some(N_LATENTS),
        ..Shape::default()
    };
    let queries = queries.into_iter();
    queries
        .map(|query| query.resolve(&shape).unwrap())
        .collect()
}

/// Perturbed vectors of documents: close to the collection, in none of its places.
fn query_vectors(documents: &[Document]) -> Vec<Vec<f32>> {
    let mut random = StdRng::seed_from_u64(3);
    (0..QUERIES)
        .map(|_| {
            let vector = documents.choose(&mut random).unwrap().vector.clone();
            let noisy = vector.unwrap().into_iter().map(|value| {
                let noise: f32 = random.random_range(-0.05..0.05);
                value + noise
            });
            noisy.collect()
        })
        .collect()
}

/// Four words of a document's text.
fn text_queries(documents: &[Document]) -> Vec<Query> {
    let mut random = StdRng::seed_from_u64(4);
    (0..QUERIES)
        .map(|_| {
            let text = documents.choose(&mut random).unwrap().text.clone().unwrap();
            let words: Vec<&str> = text.split_whitespace().collect();
            let chosen: Vec<&str> = words.sample(&mut random, 4).copied().collect();
            Query::new(Kind::Text {
                text: chosen.join(" "),
                mode: TextMode::Any,
            })
        })
        .collect()
}

fn latents(criterion: &mut Criterion, snapshot: &Snapshot, documents: &[Document]) {
    for (name, negative) in [("positive", 0.0), ("a quarter negative", 0.25)] {
        let queries = resolved(latent_queries(documents, negative));
        let read: u64 = queries
            .iter()
            .map(|query| run(snapshot, query).plan.candidates)
            .sum();
        eprintln!("{} postings per query", read / QUERIES as u64);
        measure(criterion, "20 weighted latents", name, &queries, |query| {
            black_box(run(snapshot, query));
        });
    }
    let mut random = StdRng::seed_from_u64(5);
    let filters: Vec<ResolvedFilter> = (0..QUERIES)
        .map(|_| {
            // Latents of one document, so that the sets meet.
            let code = documents.choose(&mut random).unwrap().latents();
            let four: Vec<ResolvedFilter> = code
                .sample(&mut random, 4)
                .map(|entry| Filter::latent(entry.latent))
                .collect();
            let [a, b, c, d] = <[ResolvedFilter; 4]>::try_from(four).unwrap();
            Filter::And(vec![a, Filter::Or(vec![b, c]), d.negate()])
        })
        .collect();
    measure(
        criterion,
        "count",
        "a and (b or c) and not d",
        &filters,
        |filter| {
            black_box(snapshot.count(filter).unwrap());
        },
    );
}

fn dense(criterion: &mut Criterion, snapshot: &Snapshot, documents: &[Document]) {
    let vectors = query_vectors(documents);
    let exact = resolved(vectors.iter().map(|vector| nearest(vector, true, 1)));
    let tenth = Filter::equals("tenth", Value::Integer(4));
    let filtered = vectors
        .iter()
        .map(|vector| nearest(vector, false, DEFAULT_EF).filtered(tenth.clone()));
    let filtered = resolved(filtered);
    let group = "nearest 10";
    for ef in [32, 64, DEFAULT_EF] {
        let queries = resolved(vectors.iter().map(|vector| nearest(vector, false, ef)));
        let found: usize = queries
            .iter()
            .zip(&exact)
            .map(|(query, exact)| {
                let (found, exact) = (run(snapshot, query), run(snapshot, exact));
                let same = |doc: u32| exact.hits.iter().any(|hit| hit.doc == doc);
                found.hits.iter().filter(|hit| same(hit.doc)).count()
            })
            .sum();
        eprintln!(
            "ef {ef}: recall {:.4}",
            found as f64 / (QUERIES * TOP) as f64
        );
        measure(
            criterion,
            group,
            &format!("graph, ef {ef}"),
            &queries,
            |query| {
                black_box(run(snapshot, query));
            },
        );
    }
    for (name, queries) in [("exact", &exact), ("exact under a 10% filter", &filtered)] {
        measure(criterion, group, name, queries, |query| {
            black_box(run(snapshot, query));
        });
    }
}

fn text_and_fusion(criterion: &mut Criterion, snapshot: &Snapshot, documents: &[Document]) {
    let texts = text_queries(documents);
    let words = resolved(texts.clone());
    measure(criterion, "bm25", "any of four words", &words, |query| {
        black_box(run(snapshot, query));
    });
    for depth in [100, DEFAULT_FUSION_DEPTH] {
        let fused: Vec<Query> = query_vectors(documents)
            .iter()
            .zip(latent_queries(documents, 0.0))
            .zip(&texts)
            .map(|((vector, latents), text)| {
                let dense = nearest(vector, false, DEFAULT_EF);
                Query::new(Kind::Fusion {
                    children: vec![(dense, 1.0), (latents, 1.0), (text.clone(), 1.0)],
                    method: Fusion::ReciprocalRank { k: 60.0 },
                    depth,
                })
            })
            .collect();
        let fused = resolved(fused);
        let name = format!("nearest, latents and text, depth {depth}");
        measure(criterion, "fusion", &name, &fused, |query| {
            black_box(run(snapshot, query));
        });
    }
}

fn ingest(criterion: &mut Criterion, documents: &[Document]) {
    let documents = &documents[..INGESTED];
    let mut group = criterion.benchmark_group("ingest");
    group
        .throughput(Throughput::Elements(INGESTED as u64))
        .sample_size(10);
    group.bench_function("10,000 ready documents", |bencher| {
        bencher.iter_batched(
            || tempfile::tempdir().unwrap(),
            |directory| {
                let collection = Collection::open(directory.path()).unwrap();
                write(&collection, documents);
                assert_eq!(collection.snapshot().n_docs(), INGESTED as u64);
                (collection, directory)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn engine(criterion: &mut Criterion) {
    let Some(documents) = documents() else {
        eprintln!("skipped: needs arxiv-embeddings.safetensors and arxiv-abstracts.jsonl.zst");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let (_collection, snapshot) = settled(directory.path(), &documents);
    latents(criterion, &snapshot, &documents);
    dense(criterion, &snapshot, &documents);
    text_and_fusion(criterion, &snapshot, &documents);
    ingest(criterion, &documents);
}

criterion_group!(benches, engine);
criterion_main!(benches);
