//! The analyses on 60,000 documents of 3,072 latents, 32 active in each: a full diff of two halves
//! with statistics, all-pairs NPMI with statistics, trends and near-duplicates.
//!
//! `cargo bench --bench analysis` builds a collection in a temporary directory from the vectors of
//! `arxiv-embeddings.safetensors` (from `LATENTDB_CORPORA`, else `data`) and prints the
//! median and 99th percentile of 30 runs next to criterion's mean. Latents are codes over a
//! dictionary of 3,072 documents, the 32 closest of each: no SAE is needed, and their frequencies
//! are as uneven as an SAE's. With a Python that has SciPy (the one `LATENTDB_PYTHON` names, else
//! that of `~/.cache/latentdb/test-venv`, which the tests make), the same run prints its times over
//! the same matrix and how they compare: the shares of the two halves without statistics, and the
//! product `X.T @ X` alone. Without the data it measures nothing.
#![allow(clippy::unwrap_used, reason = "a benchmark without its data stops")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use latentdb_index::analysis::{
    Buckets, CorrelateOptions, DiffOptions, DuplicateOptions, Members, Scope, Selection, Side,
    TrendOptions, Units, compare, compare_paired, correlate, measure, near_duplicates, select,
    trends,
};
use latentdb_index::filter::{Shape, parse};
use latentdb_index::{
    Activation, Collection, Document, Filter, Operation, Progress, ResolvedFilter, Snapshot, Value,
};

mod arxiv;

use arxiv::{ACTIVE, N_LATENTS};

const RUNS: usize = 30;
/// Documents of a batch.
const BATCH: usize = 5000;
/// Smallest support of a pair.
const SUPPORT: u64 = 20;

/// What SciPy does of the same: reads the matrix, takes its times, prints them.
const SCIPY: &str = r#"
import sys, time
import numpy as np, scipy, scipy.sparse as sp
indices = np.fromfile(sys.argv[1], dtype=np.uint32).astype(np.int32).reshape(-1, 33)
x = np.zeros((len(indices), 3072), dtype=np.float32)
rows = [(r, l) for r, row in enumerate(indices) for l in row[1:1 + row[0]]]
r, l = map(np.array, zip(*rows))
x = sp.csr_matrix((np.ones(len(r), np.float32), (r, l)), shape=(len(indices), 3072))
half = len(indices) // 2
def p50(name, run, n):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(f"SciPy {scipy.__version__}, {name}: p50 {np.median(times) * 1e3:.2f} ms")
p50("shares of two halves", lambda: np.asarray(x[:half].mean(axis=0)) - np.asarray(x[half:].mean(axis=0)), 30)
p50("X.T @ X", lambda: x.T @ x, 5)
"#;

fn collection(directory: &Path, codes: &[Vec<Activation>]) -> (Collection, Arc<Snapshot>) {
    let collection = Collection::open(directory).unwrap();
    let half = codes.len() / 2;
    for (batch, part) in codes.chunks(BATCH).enumerate() {
        let operations = (batch * BATCH..).zip(part).map(|(row, code)| {
            let mut document = Document::new(row.to_string());
            document.codes = vec![code.clone().into()];
            let mut set = |name: &str, value: usize| {
                let value = Value::Integer(value as i64);
                document.attributes.insert(name.to_owned(), value);
            };
            set("half", row / half);
            set("pair", row % half);
            set("bucket", row * 24 / codes.len());
            Operation::Upsert(Box::new(document))
        });
        collection.write(operations.collect(), None).unwrap();
    }
    collection.merge().unwrap();
    let snapshot = collection.snapshot();
    (collection, snapshot)
}

/// Prints median and 99th percentile, then criterion's mean; returns the median.
fn measured(criterion: &mut Criterion, name: &str, mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .collect();
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    eprintln!("{name}: p50 {:.2?}, p99 {:.2?}", at(50), at(99));
    let mut group = criterion.benchmark_group("analysis");
    group.sample_size(10);
    group.bench_function(name, |bencher| bencher.iter(&mut run));
    group.finish();
    at(50)
}

fn diffs(
    criterion: &mut Criterion,
    snapshot: &Snapshot,
    names: (&str, &ResolvedFilter, &ResolvedFilter),
) -> Duration {
    let (name, a, b) = names;
    let options = DiffOptions::default();
    let units = Units::Latents(N_LATENTS);
    measured(criterion, name, || {
        let progress = Progress::default();
        let side = |filter| Side { snapshot, filter };
        let a = measure(&Members::of(side(a)).unwrap(), units, &options, &progress).unwrap();
        let b = measure(&Members::of(side(b)).unwrap(), units, &options, &progress).unwrap();
        let diff = compare(&a, &b, &options).unwrap();
        assert_eq!(diff.rows.len(), N_LATENTS);
        black_box(select(&diff, &Selection::default()));
    })
}

fn analyses(criterion: &mut Criterion) {
    let Some((vectors, dimension)) = arxiv::vectors() else {
        eprintln!("skipped: needs arxiv-embeddings.safetensors");
        return;
    };
    let codes = arxiv::codes(&vectors, dimension);
    let directory = tempfile::tempdir().unwrap();
    let (_collection, snapshot) = collection(directory.path(), &codes);
    let snapshot = &*snapshot;
    let peer = scipy(&codes, directory.path());

    let shape = Shape {
        n_latents: Some(N_LATENTS),
        ..Shape::default()
    };
    let of = |text: &str| parse(text).unwrap().resolve(&shape).unwrap();
    let halves = (of("half = 0"), of("half = 1"));
    let name = "diff of two halves, by attribute";
    let diff = diffs(criterion, snapshot, (name, &halves.0, &halves.1));
    let sides = (of("latent(7)"), of("not latent(7)"));
    let name = "diff of a latent's documents and the rest";
    diffs(criterion, snapshot, (name, &sides.0, &sides.1));
    let side = |filter| Side { snapshot, filter };
    let units = Units::Latents(N_LATENTS);
    measured(criterion, "paired diff of two halves", || {
        let members = |filter| Members::of(side(filter)).unwrap();
        let (a, b) = (members(&halves.0), members(&halves.1));
        let options = DiffOptions::default();
        let progress = Progress::default();
        black_box(compare_paired(&a, &b, "pair", units, &options, &progress).unwrap());
    });
    let all = Filter::All;
    let options = CorrelateOptions {
        min_support: SUPPORT,
        ..CorrelateOptions::default()
    };
    let pairs = measured(criterion, "all-pairs NPMI, support 20", || {
        let progress = Progress::default();
        let keep = |_, _| true;
        let found = correlate(
            side(&all),
            N_LATENTS,
            &Scope::All,
            &options,
            &keep,
            &progress,
        );
        black_box(found.unwrap());
    });
    if let Some((shares, product)) = peer {
        let times = |peer: f64, ours: Duration| peer / 1e3 / ours.as_secs_f64();
        eprintln!(
            "a full diff with statistics is {:.1} times as fast as SciPy's shares, all-pairs NPMI \
             with statistics {:.1} times as fast as its product",
            times(shares, diff),
            times(product, pairs)
        );
    }
    measured(criterion, "trends over 24 buckets", || {
        let (options, progress) = (TrendOptions::default(), Progress::default());
        let found = trends(
            side(&all),
            "bucket",
            Buckets::Values,
            units,
            &options,
            &progress,
        );
        black_box(found.unwrap());
    });
    for threshold in [0.7, 0.9] {
        let options = DuplicateOptions {
            threshold,
            ..DuplicateOptions::default()
        };
        let name = format!("near-duplicates at {threshold}");
        measured(criterion, &name, || {
            let progress = Progress::default();
            black_box(near_duplicates(side(&all), N_LATENTS, &options, &progress).unwrap());
        });
    }
}

/// The peer's times over the same matrix in milliseconds, of the shares and of the product, where
/// there is a Python with SciPy.
fn scipy(codes: &[Vec<Activation>], directory: &Path) -> Option<(f64, f64)> {
    let tests = || {
        let home = std::env::var_os("HOME")?;
        let python = Path::new(&home).join(".cache/latentdb/test-venv/bin/python");
        python.is_file().then_some(python.into_os_string())
    };
    let python = std::env::var_os("LATENTDB_PYTHON").or_else(tests)?;
    let mut bytes = Vec::new();
    for code in codes {
        let mut row = vec![code.len() as u32];
        row.extend(code.iter().map(|entry| entry.latent));
        row.resize(ACTIVE + 1, 0);
        bytes.extend(row.into_iter().flat_map(u32::to_le_bytes));
    }
    let path = directory.join("codes.bin");
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new(python).arg("-c").arg(SCIPY).arg(path).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    eprint!("{said}");
    let mut times = said
        .lines()
        .map(|line| line.split(' ').rev().nth(1).unwrap().parse().unwrap());
    Some((times.next().unwrap(), times.next().unwrap()))
}

criterion_group!(benches, analyses);
criterion_main!(benches);
