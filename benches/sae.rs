//! How fast an SAE encodes and trains: n = 3,072 latents, k = 32, on the arXiv embeddings where they
//! are (`LATENTDB_CORPORA`, else `data`), on random unit vectors otherwise.
//!
//! `cargo bench --bench sae`. The peer is a PyTorch top-k trainer at 6,190 examples/s on the same
//! two cores (guide, measurements).

#![allow(
    missing_docs,
    reason = "criterion_group makes an undocumented public function"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use latentdb::progress::Progress;
use latentdb::sae::{Codes, Sae, TrainConfig, TrainProgress, train};
use rand::{RngExt, SeedableRng, rngs::StdRng};

mod arxiv;

use arxiv::N_LATENTS;

const D_IN: usize = 384;
const K: usize = 32;
/// Steps between calls of the trainer's progress function.
const STEPS: u32 = 10;

fn embeddings() -> Vec<f32> {
    if let Some((vectors, _)) = arxiv::vectors() {
        return vectors;
    }
    let mut rng = StdRng::seed_from_u64(1);
    let mut rows: Vec<f32> = (0..60_000 * D_IN)
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    for row in rows.chunks_exact_mut(D_IN) {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
    }
    rows
}

fn config() -> TrainConfig {
    TrainConfig {
        n_latents: N_LATENTS,
        k: K,
        held_out: 0.0,
        ..TrainConfig::for_rows(60_000)
    }
}

/// A short training: enough for codes like those of a finished one.
fn sae(vectors: &[f32]) -> Sae {
    let config = TrainConfig {
        epochs: 2,
        ..config()
    };
    let trained = train(
        vectors,
        D_IN,
        &config,
        None,
        &Progress::default(),
        &mut |_| {},
    );
    match trained {
        Ok(trained) => trained.sae,
        Err(error) => panic!("the benchmark's SAE could not be trained: {error}"),
    }
}

fn encoding(criterion: &mut Criterion) {
    let vectors = embeddings();
    let sae = sae(&vectors[..10_000 * D_IN]);
    let rows = 8192;
    let batch = &vectors[..rows * D_IN];
    let mut group = criterion.benchmark_group("sae_encode");
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function("batch_all_cores", |bencher| {
        bencher.iter(|| sae.encode_parallel(black_box(batch), 0));
    });
    group.bench_function("batch_one_thread", |bencher| {
        let mut codes = Codes::new();
        bencher.iter(|| sae.encode(black_box(batch), &mut codes));
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("one_query", |bencher| {
        let mut codes = Codes::new();
        bencher.iter(|| sae.encode(black_box(&batch[..D_IN]), &mut codes));
    });
    group.finish();
}

/// Time of `iterations` times ten steps, the start of the training left out.
fn ten_steps(vectors: &[f32], iterations: u64) -> Duration {
    let config = TrainConfig {
        epochs: 1_000_000,
        ..config()
    };
    let mut began = None;
    let mut took = Duration::ZERO;
    let mut calls = 0;
    let progress = Progress::default();
    let mut watch = |_: &TrainProgress| {
        let Some(start) = began else {
            began = Some(Instant::now());
            return;
        };
        calls += 1;
        if calls >= iterations {
            took = start.elapsed();
            progress.stop();
        }
    };
    // It always ends as cancelled.
    let _ = black_box(train(vectors, D_IN, &config, None, &progress, &mut watch));
    took
}

fn training(criterion: &mut Criterion) {
    let vectors = embeddings();
    let mut group = criterion.benchmark_group("sae_train");
    // One iteration is ten steps; epochs of a hundred steps end on a call that is due anyway.
    let rows = 100 * config().batch;
    group.throughput(Throughput::Elements(
        u64::from(STEPS) * config().batch as u64,
    ));
    group.sample_size(10);
    group.bench_function("ten_steps", |bencher| {
        bencher.iter_custom(|iterations| ten_steps(&vectors[..rows * D_IN], iterations));
    });
    group.finish();
}

criterion_group!(benches, encoding, training);
criterion_main!(benches);
