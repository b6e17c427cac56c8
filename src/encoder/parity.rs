//! Every architecture against the libraries that wrote `tests/data/encoders` and its vectors.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;
use crate::vectors::cosine;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/encoders");
/// Values that are kept of each vector of a reference.
const KEPT: usize = 8;

fn hub() -> Hub {
    Hub {
        cache: PathBuf::from(DATA),
        endpoint: None,
        offline: true,
    }
}

fn open(folder: &Path, options: &EncoderOptions, engine: Engine) -> Result<SentenceEncoder> {
    SentenceEncoder::open_with(folder.to_str().unwrap(), options, &hub(), engine)
}

fn reference() -> Value {
    serde_json::from_slice(&std::fs::read(Path::new(DATA).join("reference.json")).unwrap()).unwrap()
}

fn texts(reference: &Value) -> Vec<&str> {
    let texts = reference["texts"].as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap()).collect()
}

fn numbers(row: &Value) -> Vec<f32> {
    let row = row.as_array().unwrap().iter();
    row.map(|value| value.as_f64().unwrap() as f32).collect()
}

fn vectors(encoder: &SentenceEncoder, texts: &[&str], role: Role) -> Vec<Vec<f32>> {
    let all = encoder.encode(texts, role, &Progress::default()).unwrap();
    all.chunks_exact(encoder.dimension())
        .map(<[f32]>::to_vec)
        .collect()
}

#[test]
fn every_architecture_gives_the_vectors_of_its_library() {
    let reference = reference();
    let texts = texts(&reference);
    assert_eq!(texts.len(), 50);
    for (model, expected) in reference["models"].as_object().unwrap() {
        for engine in [Engine::Portable, Engine::detect()] {
            let folder = Path::new(DATA).join(model);
            let encoder = open(&folder, &EncoderOptions::default(), engine).unwrap();
            assert_eq!(
                encoder.dimension() as u64,
                expected["dimension"].as_u64().unwrap()
            );
            for (role, name) in [(Role::Document, "document"), (Role::Query, "query")] {
                let rows = expected[name].as_array().unwrap();
                for ((vector, row), text) in
                    vectors(&encoder, &texts, role).iter().zip(rows).zip(&texts)
                {
                    let row = numbers(row);
                    let similarity = cosine(&vector[..KEPT], &row);
                    let close = vector.iter().zip(&row).all(|(a, b)| (a - b).abs() < 5e-4);
                    assert!(
                        close && similarity > 0.9999,
                        "{engine:?} {model} {name} {text:?}: {similarity}\n{:?}\n{row:?}",
                        &vector[..KEPT]
                    );
                }
            }
            let norms = numbers(&expected["document_norms"]);
            for (vector, norm) in vectors(&encoder, &texts, Role::Document).iter().zip(norms) {
                let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
                assert!((length - norm).abs() < 1e-3, "{model}: {length} {norm}");
            }
        }
    }
}

#[test]
fn prompts_are_read_and_can_be_replaced() {
    let open = |model: &str, options: &EncoderOptions| {
        super::parity::open(&Path::new(DATA).join(model), options, Engine::detect()).unwrap()
    };
    let own = open("modernbert", &EncoderOptions::default());
    assert_eq!(own.identity().prompts.query, "search_query: ");
    let passages = open("xlm-roberta", &EncoderOptions::default());
    assert_eq!(passages.identity().prompts.document, "passage: ");
    let none = EncoderOptions {
        query_prompt: Some(String::new()),
        document_prompt: Some("search_query: ".to_owned()),
        ..EncoderOptions::default()
    };
    let other = open("modernbert", &none);
    let query = |encoder: &SentenceEncoder, text, role| vectors(encoder, &[text], role).remove(0);
    assert_eq!(
        query(&other, "a", Role::Document),
        query(&own, "a", Role::Query)
    );
    assert_eq!(
        query(&other, "search_query: a", Role::Query),
        query(&own, "a", Role::Query)
    );
    assert_ne!(own.identity(), other.identity());
}

#[test]
fn the_first_values_are_kept_at_unit_length() {
    let folder = Path::new(DATA).join("mpnet");
    let with = |dimensions| EncoderOptions {
        dimensions: Some(dimensions),
        ..EncoderOptions::default()
    };
    let whole = open(&folder, &EncoderOptions::default(), Engine::detect()).unwrap();
    let short = open(&folder, &with(5), Engine::detect()).unwrap();
    assert_eq!(short.dimension(), 5);
    assert_eq!(short.identity().dimensions, Some(5));
    let (all, five) = (
        vectors(&whole, &["some text"], Role::Query).remove(0),
        vectors(&short, &["some text"], Role::Query).remove(0),
    );
    assert!(cosine(&all[..5], &five) > 0.999_999);
    assert!((five.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
    // All values are no choice.
    assert_eq!(
        open(&folder, &with(24), Engine::detect())
            .unwrap()
            .identity()
            .dimensions,
        None
    );
    for dimensions in [0, 25] {
        let error = open(&folder, &with(dimensions), Engine::detect()).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidArgument, Some("dimensions"))
        );
    }
}

#[test]
fn another_use_shares_the_network() {
    let folder = Path::new(DATA).join("qwen3");
    let own = open(&folder, &EncoderOptions::default(), Engine::detect()).unwrap();
    assert_eq!(own.max_tokens(), 64);
    // Beyond the tokenizer's own length, within the network's.
    let longer = EncoderOptions {
        max_tokens: Some(80),
        dimensions: Some(7),
        ..EncoderOptions::default()
    };
    let used = own.used_as(&longer).unwrap();
    let opened = open(&folder, &longer, Engine::detect()).unwrap();
    assert!(Arc::ptr_eq(&own.network, &used.network) && used.identity() == opened.identity());
    let long = "word ".repeat(200);
    for text in ["a", &long] {
        let found = vectors(&used, &[text], Role::Query);
        assert_eq!(found, vectors(&opened, &[text], Role::Query));
    }
    let (used_long, own_long) = (
        vectors(&used, &[&long], Role::Query),
        vectors(&own, &[&long], Role::Query),
    );
    assert!(cosine(&used_long[0], &own_long[0][..7]) < 0.9999);
    let again = used.used_as(&EncoderOptions::default()).unwrap();
    assert_eq!(again.identity(), used.identity());
}

/// A copy of a reference's folder.
fn copied(model: &str) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            match path.is_dir() {
                true => copy(&path, &target),
                false => {
                    std::fs::copy(&path, &target).unwrap();
                }
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(DATA).join(model), folder.path());
    folder
}

#[test]
fn every_pooling_follows_its_formula() {
    let folder = copied("distilbert");
    let pooled = |mode: Value| {
        let path = folder.path().join("1_Pooling/config.json");
        std::fs::write(path, json!({"pooling_mode": mode}).to_string()).unwrap();
        open(folder.path(), &EncoderOptions::default(), Engine::detect())
    };
    let vector = |mode: &str| {
        vectors(
            &pooled(json!(mode)).unwrap(),
            &["some longer text"],
            Role::Query,
        )
        .remove(0)
    };
    let (mean, first, last) = (vector("mean"), vector("cls"), vector("lasttoken"));
    let (most, root, weighted) = (
        vector("max"),
        vector("mean_sqrt_len_tokens"),
        vector("weightedmean"),
    );
    let encoder = pooled(json!("mean")).unwrap();
    let length = encoder.tokens.encode("some longer text").unwrap().len() as f32;
    let mut scratch = Scratch::default();
    let ids = [encoder.tokens.encode("some longer text").unwrap()];
    let states = encoder.network.forward(&ids, &mut scratch).unwrap();
    let rows: Vec<&[f32]> = states.chunks_exact(24).collect();
    assert_eq!(first, rows[0]);
    assert_eq!(last, *rows[rows.len() - 1]);
    for at in 0..24 {
        let column: Vec<f32> = rows.iter().map(|row| row[at]).collect();
        assert_eq!(most[at], column.iter().copied().fold(f32::MIN, f32::max));
        assert!((root[at] - mean[at] * length.sqrt()).abs() < 1e-4);
        let (weights, sum) = column
            .iter()
            .zip(1..)
            .fold((0.0, 0.0), |(weights, sum), (value, place)| {
                (weights + place as f32, sum + place as f32 * value)
            });
        assert!((weighted[at] - sum / weights).abs() < 1e-4);
    }
    // As a list of one, and as older folders say it.
    assert_eq!(
        pooled(json!(["cls"])).unwrap().identity().pooling,
        Pooling::Cls
    );
    let older = json!({"pooling_mode_lasttoken": true, "pooling_mode_mean_tokens": false});
    std::fs::write(
        folder.path().join("1_Pooling/config.json"),
        older.to_string(),
    )
    .unwrap();
    let read = open(folder.path(), &EncoderOptions::default(), Engine::detect()).unwrap();
    assert_eq!(read.identity().pooling, Pooling::Last);
    let both = pooled(json!(["cls", "mean"])).unwrap_err();
    assert_eq!(both.kind(), ErrorKind::FailedPrecondition);
    assert!(both.to_string().contains("cls + mean"), "{both}");
}

#[test]
fn what_is_not_run_is_named() {
    let folder = copied("modernbert");
    let path = folder.path().join("1_Pooling/config.json");
    std::fs::write(
        &path,
        json!({"pooling_mode": "mean", "include_prompt": false}).to_string(),
    )
    .unwrap();
    let error = open(folder.path(), &EncoderOptions::default(), Engine::detect()).unwrap_err();
    assert!(error.to_string().contains("include_prompt"), "{error}");

    let folder = copied("modernbert");
    let change = |name: &str, value: Value| {
        let path = folder.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let before = std::mem::replace(&mut config[name], value);
        std::fs::write(&path, config.to_string()).unwrap();
        let error = open(folder.path(), &EncoderOptions::default(), Engine::detect()).unwrap_err();
        config[name] = before;
        std::fs::write(&path, config.to_string()).unwrap();
        error.to_string()
    };
    assert!(change("layer_types", json!(["full_attention", "linear"])).contains("linear"));
    assert!(change("hidden_activation", json!("tanh")).contains("tanh"));
    assert!(change("hidden_size", json!(25)).contains("hidden_size"));
    let scaled = json!({"full_attention": {"rope_type": "yarn"}});
    assert!(change("rope_parameters", scaled).contains("yarn"));
    assert!(
        change("vocab_size", json!(281)).contains("do not fit")
            || change("vocab_size", json!(281)).contains("shape")
    );
    open(folder.path(), &EncoderOptions::default(), Engine::detect()).unwrap();

    std::fs::write(
        folder.path().join("modules.json"),
        json!([{"type": "sentence_transformers.models.Transformer", "path": "../elsewhere"}])
            .to_string(),
    )
    .unwrap();
    let error = open(folder.path(), &EncoderOptions::default(), Engine::detect()).unwrap_err();
    assert!(error.to_string().contains("elsewhere"), "{error}");
}

#[test]
fn model2vec_is_known_without_modules() {
    let folder = copied("model2vec");
    let with = open(folder.path(), &EncoderOptions::default(), Engine::detect()).unwrap();
    std::fs::remove_file(folder.path().join("modules.json")).unwrap();
    let without = open(folder.path(), &EncoderOptions::default(), Engine::detect()).unwrap();
    assert_eq!(
        vectors(&with, &["some text"], Role::Query),
        vectors(&without, &["some text"], Role::Query)
    );
    let config = json!({"normalize": false, "max_length": 64});
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let raw = open(folder.path(), &EncoderOptions::default(), Engine::detect()).unwrap();
    assert!(!raw.identity().normalised);
}

#[test]
fn static_vectors_of_nothing_are_zeros() {
    let folder = Path::new(DATA).join("model2vec");
    let encoder = open(&folder, &EncoderOptions::default(), Engine::detect()).unwrap();
    assert!(
        vectors(&encoder, &[""], Role::Query)[0]
            .iter()
            .all(|value| *value == 0.0)
    );
    assert_eq!(encoder.max_tokens(), 64);
    let any = Path::new(DATA).join("model2vec-shared");
    let any = open(&any, &EncoderOptions::default(), Engine::detect()).unwrap();
    assert!(any.max_tokens() > 1_000_000);
    assert_eq!(any.count_cut(&[&"word ".repeat(10_000)]).unwrap(), 0);
}
