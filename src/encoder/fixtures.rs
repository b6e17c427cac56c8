//! Made-up models for tests, and the pinned ones where they are.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use candle_nn::VarMap;
use serde_json::{Map, Value, json};

/// The configuration of a BERT with 3 heads and a middle of 100, and `rest` over it.
pub(super) fn bert_config(rest: Value) -> Value {
    let mut config = json!({
        "model_type": "bert", "hidden_size": 48, "num_attention_heads": 3,
        "intermediate_size": 100, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0, "type_vocab_size": 2, "initializer_range": 0.02,
        "layer_norm_eps": 1e-5, "pad_token_id": 0, "position_embedding_type": "absolute"
    });
    for (name, value) in rest.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// Words numbered as they come.
pub(super) fn vocabulary(words: &[&str]) -> Map<String, Value> {
    let numbered = (0..).zip(words);
    numbered
        .map(|(id, word)| ((*word).to_owned(), json!(id)))
        .collect::<Map<_, _>>()
}

/// [CLS] before and [SEP] behind a text, by their numbers.
pub(super) fn cls_and_sep(cls: u32, sep: u32) -> Value {
    let special = |token: &str, id: u32| json!({"id": token, "ids": [id], "tokens": [token]});
    json!({
        "type": "TemplateProcessing", "pair": [],
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "special_tokens": {"[CLS]": special("[CLS]", cls), "[SEP]": special("[SEP]", sep)},
    })
}

/// Pseudo-random weights by name, of the shapes that `map` was asked for: uniform, of the width and
/// around the centre that `shape` gives for a name.
pub(super) fn made_up(map: &VarMap, shape: impl Fn(&str) -> (f32, f32)) -> HashMap<String, Tensor> {
    let data = map.data().lock().unwrap();
    data.iter()
        .map(|(name, var)| {
            let (width, centre) = shape(name);
            let mut state = name
                .bytes()
                .fold(7_u32, |h, b| h.wrapping_mul(31) ^ u32::from(b));
            let values: Vec<f32> = (0..var.elem_count())
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    width * ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) + centre
                })
                .collect();
            let tensor = Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap();
            (name.clone(), tensor)
        })
        .collect()
}

/// Writes files of JSON.
pub(super) fn write(folder: &Path, files: &[(&str, &Value)]) {
    for (name, value) in files {
        std::fs::write(folder.join(name), value.to_string()).unwrap();
    }
}

/// The place that a variable names, else one in the product's cache; `None` where nothing is. No test
/// downloads it.
pub(super) fn pinned(name: &str, place: &str) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || {
        let cache = variable("LATENTDB_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|home| home.join("latentdb")));
        cache.or_else(|| variable("HOME").map(|home| home.join(".cache/latentdb")))
    };
    let found = variable(name).or_else(|| Some(cache()?.join(place)));
    let found = found.filter(|found| found.exists());
    if found.is_none() {
        eprintln!("skipped: {place} is neither in the product's cache nor in {name}");
    }
    found
}
