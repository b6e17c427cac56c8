//! Every format against its formula, computed here in double precision from the values that went
//! into the file; and refusals, which name what is not understood.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::fixtures::{self, Item};
use super::*;
use crate::error::ErrorKind;
use crate::sae::weights::transposed;
use crate::sae::{Architecture, Codes, Normalisation};

const D: usize = 5;
const N: usize = 8;
const K: usize = 3;

/// Values between -.5 and .5, another sequence for every seed; sixteenths, so that half precision
/// holds them.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|at| ((at * 7 + at * at * 3 + seed * 11) % 17) as f32 / 16.0 - 0.5)
        .collect()
}

/// The tensors of an SAE: `w_enc[n, d]`, `w_dec[n, d]`.
struct Known {
    w_enc: Vec<f32>,
    b_enc: Vec<f32>,
    w_dec: Vec<f32>,
    b_dec: Vec<f32>,
    threshold: Vec<f32>,
    inputs: Vec<f32>,
}

fn known() -> Known {
    Known {
        w_enc: values(N * D, 1),
        b_enc: values(N, 2),
        w_dec: values(N * D, 3),
        b_dec: values(D, 4),
        threshold: values(N, 5).iter().map(|v| v.abs() + 0.05).collect(),
        inputs: values(6 * D, 6).iter().map(|v| v * 4.0).collect(),
    }
}

fn relu(p: &[f64]) -> Vec<f64> {
    p.iter().map(|p| p.max(0.0)).collect()
}

fn top_k(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]).then(a.cmp(b)));
    let mut z = vec![0.0; p.len()];
    for at in &order[..K] {
        z[*at] = p[*at].max(0.0);
    }
    z
}

fn above(p: &[f64], threshold: impl Fn(usize) -> f32) -> Vec<f64> {
    let keep = |(at, p): (usize, &f64)| {
        if *p > f64::from(threshold(at)) {
            p.max(0.0)
        } else {
            0.0
        }
    };
    p.iter().enumerate().map(keep).collect()
}

impl Known {
    /// `W_enc[d, n]`.
    fn encoder_columns(&self) -> Vec<f32> {
        transposed(&self.w_enc, N, D)
    }

    /// `decoder.weight[d, n]`.
    fn decoder_columns(&self) -> Vec<f32> {
        transposed(&self.w_dec, N, D)
    }

    /// `(x - s * b_dec) W_enc`, without bias.
    fn projections(&self, x: &[f64], subtract: bool) -> Vec<f64> {
        self.w_enc
            .chunks(D)
            .map(|row| {
                (0..D)
                    .map(|j| {
                        let shift = if subtract {
                            f64::from(self.b_dec[j])
                        } else {
                            0.0
                        };
                        (x[j] - shift) * f64::from(row[j])
                    })
                    .sum()
            })
            .collect()
    }

    fn with_bias(&self, p: Vec<f64>) -> Vec<f64> {
        p.iter()
            .zip(&self.b_enc)
            .map(|(p, b)| p + f64::from(*b))
            .collect()
    }

    fn decode(&self, z: &[f64]) -> Vec<f64> {
        (0..D)
            .map(|j| {
                let sum: f64 = (0..N)
                    .map(|i| z[i] * f64::from(self.w_dec[i * D + j]))
                    .sum();
                sum + f64::from(self.b_dec[j])
            })
            .collect()
    }

    /// Checks codes and reconstructions of all inputs; `code` is the formula from projections.
    fn check(&self, sae: &Sae, subtract: bool, code: impl Fn(Vec<f64>) -> Vec<f64>) {
        self.check_normalised(sae, subtract, |x| (x.to_vec(), 1.0, 0.0), code);
    }

    fn check_normalised(
        &self,
        sae: &Sae,
        subtract: bool,
        normalise: impl Fn(&[f64]) -> (Vec<f64>, f64, f64),
        code: impl Fn(Vec<f64>) -> Vec<f64>,
    ) {
        assert_eq!((sae.d_in(), sae.n_latents()), (D, N));
        let (reconstructed, codes) = sae.reconstruct(&self.inputs, 1).unwrap();
        let mut active = 0;
        for (row, x) in self.inputs.chunks(D).enumerate() {
            let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
            let (x, scale, shift) = normalise(&x);
            let z = code(self.projections(&x, subtract));
            let found = dense(&codes, row);
            for (at, (found, expected)) in found.iter().zip(&z).enumerate() {
                assert!(
                    (found - expected).abs() < 1e-5,
                    "row {row} latent {at}: {found} {expected}"
                );
            }
            active += z.iter().filter(|z| **z > 0.0).count();
            for (found, expected) in reconstructed[row * D..].iter().zip(self.decode(&z)) {
                let expected = expected * scale + shift;
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-5,
                    "row {row}: {found} {expected}"
                );
            }
        }
        assert!(
            active > 3,
            "the inputs hardly test this: {active} activations"
        );
    }
}

fn dense(codes: &Codes, row: usize) -> Vec<f64> {
    let mut z = vec![0.0; N];
    let (latents, activations) = codes.row(row);
    for (latent, activation) in latents.iter().zip(activations) {
        z[*latent as usize] = f64::from(*activation);
    }
    z
}

/// Imports with detection, saves as SAELens' layout and loads that: what the server will serve.
fn converted(source: &Path) -> Sae {
    let format = detect(source).unwrap();
    let imported = import(source, None).unwrap();
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("sae");
    save(&imported, &out).unwrap();
    let sae = open(&out).unwrap();
    assert_eq!(sae.hash(), imported.hash());
    assert_eq!(sae.record(), imported.record());
    assert_eq!(sae.architecture(), imported.architecture());
    assert_eq!(sae.record().about["format"], format.name());
    assert_eq!(sae.record().about["source_sha256"].len(), 64);
    sae
}

/// The field an import is refused by.
fn refused(source: &Path, format: Option<Format>) -> (String, String) {
    let error = import(source, format).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    (error.field().unwrap().to_owned(), error.to_string())
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

fn write_json(path: PathBuf, value: &Json) {
    fs::write(path, value.to_string()).unwrap();
}

#[test]
fn gemma_scope() {
    let known = known();
    let (_held, path) = folder();
    let file = path.join("params.npz");
    let (encoder, one) = (known.encoder_columns(), [1.0f32]);
    for (w_enc, w_dec) in [("w_enc", "w_dec"), ("W_enc", "W_dec")] {
        fixtures::npz(
            &file,
            &[
                (w_enc, &[D, N], &encoder),
                (w_dec, &[N, D], &known.w_dec),
                ("b_enc", &[N], &known.b_enc),
                ("b_dec", &[D], &known.b_dec),
                ("threshold", &[N], &known.threshold),
                ("scaling_factor", &[1], &one),
            ],
        );
        for source in [&path, &file] {
            let sae = converted(source);
            known.check(&sae, false, |p| {
                above(&known.with_bias(p), |at| known.threshold[at])
            });
        }
    }
    fixtures::npz(&file, &[("w_enc", &[D, N], &encoder)]);
    assert_eq!(refused(&path, None).0, "threshold");
    let all = |extra: (&'static str, Vec<usize>, Vec<f32>)| {
        fixtures::npz(
            &file,
            &[
                ("w_enc", &[D, N], &encoder),
                ("w_dec", &[N, D], &known.w_dec),
                ("b_enc", &[N], &known.b_enc),
                ("b_dec", &[D], &known.b_dec),
                ("threshold", &[N], &known.threshold),
                (extra.0, &extra.1, &extra.2),
            ],
        );
        refused(&path, None).0
    };
    assert_eq!(
        all(("scaling_factor", vec![N], vec![2.0; N])),
        "scaling_factor"
    );
    assert_eq!(
        all(("log_threshold", vec![N], vec![0.0; N])),
        "log_threshold"
    );
}

#[test]
fn gemma_scope_2() {
    let known = known();
    let (_held, path) = folder();
    let config = json!({
        "model_name": "gemma-3-1b-pt", "architecture": "jump_relu", "width": 8, "l0": 3,
        "hf_hook_point_in": "model.layers.7.output", "hf_hook_point_out": null,
    });
    let tensors = vec![
        ("w_enc", vec![D, N], known.encoder_columns()),
        ("w_dec", vec![N, D], known.w_dec.clone()),
        ("b_enc", vec![N], known.b_enc.clone()),
        ("b_dec", vec![D], known.b_dec.clone()),
        ("threshold", vec![N], known.threshold.clone()),
    ];
    write_json(path.join("config.json"), &config);
    fixtures::safetensors(&path.join("params.safetensors"), &tensors);
    let sae = converted(&path);
    known.check(&sae, false, |p| {
        above(&known.with_bias(p), |at| known.threshold[at])
    });
    assert_eq!(
        sae.record().about["hf_hook_point_in"],
        "model.layers.7.output"
    );

    let mut same = config.clone();
    same["hf_hook_point_out"] = json!("model.layers.7.output");
    same["type"] = json!("sae");
    write_json(path.join("config.json"), &same);
    converted(&path);

    let changed = |name: &str, value: Json| {
        let mut config = config.clone();
        config[name] = value;
        write_json(path.join("config.json"), &config);
        refused(&path, None).0
    };
    for (name, value) in [
        ("architecture", json!("topk")),
        ("hf_hook_point_out", json!("model.layers.7.mlp.output")),
        ("affine_connection", json!(true)),
        ("input_scale", json!(3.5)),
    ] {
        assert_eq!(changed(name, value), name);
    }
    write_json(path.join("config.json"), &config);
    let mut more = tensors.clone();
    more.push(("affine_skip_connection", vec![D, D], vec![0.0; D * D]));
    fixtures::safetensors(&path.join("params.safetensors"), &more);
    assert_eq!(refused(&path, None).0, "affine_skip_connection");
}

#[test]
fn sparsify() {
    let known = known();
    let (_held, path) = folder();
    let tensors = |known: &Known| {
        vec![
            ("encoder.weight", vec![N, D], known.w_enc.clone()),
            ("encoder.bias", vec![N], known.b_enc.clone()),
            ("W_dec", vec![N, D], known.w_dec.clone()),
            ("b_dec", vec![D], known.b_dec.clone()),
        ]
    };
    let config = json!({
        "activation": "topk", "expansion_factor": 32, "normalize_decoder": true,
        "num_latents": N, "k": K, "multi_topk": false, "skip_connection": false,
        "transcode": false, "d_in": D,
    });
    write_json(path.join("cfg.json"), &config);
    fixtures::safetensors(&path.join("sae.safetensors"), &tensors(&known));
    let sae = converted(&path);
    assert_eq!(sae.k(), Some(K));
    known.check(&sae, true, |p| top_k(&known.with_bias(p)));

    let with = |changes: &[(&str, Json)]| {
        let mut config = config.clone();
        for (name, value) in changes {
            config[*name] = value.clone();
        }
        write_json(path.join("cfg.json"), &config);
    };
    with(&[("transcode", json!(true))]);
    known.check(&converted(&path), false, |p| top_k(&known.with_bias(p)));
    with(&[("activation", json!("groupmax")), ("k", json!(4))]);
    known.check(&converted(&path), true, |p| {
        let p = known.with_bias(p);
        let mut z = vec![0.0; N];
        for group in 0..4 {
            let (a, b) = (2 * group, 2 * group + 1);
            let best = if p[b] > p[a] { b } else { a };
            z[best] = p[best].max(0.0);
        }
        z
    });
    for (name, value) in [
        ("activation", json!("tanh")),
        ("signed", json!(true)),
        ("skip_connection", json!(true)),
        ("k", json!("many")),
        ("input_norm", json!(2.0)),
    ] {
        with(&[(name, value)]);
        assert_eq!(refused(&path, None).0, name);
    }
    with(&[]);
    let mut skip = tensors(&known);
    skip.push(("W_skip", vec![D, D], vec![0.0; D * D]));
    fixtures::safetensors(&path.join("sae.safetensors"), &skip);
    assert_eq!(refused(&path, None).0, "W_skip");
    let without: Vec<_> = tensors(&known)
        .into_iter()
        .filter(|t| t.0 != "W_dec")
        .collect();
    fixtures::safetensors(&path.join("sae.safetensors"), &without);
    assert_eq!(refused(&path, None).0, "W_dec");

    // num_latents 0 stands for d_in * expansion_factor.
    with(&[("num_latents", json!(0)), ("expansion_factor", json!(2))]);
    fixtures::safetensors(
        &path.join("sae.safetensors"),
        &[
            ("encoder.weight", vec![2 * D, D], vec![0.5; 2 * D * D]),
            ("encoder.bias", vec![2 * D], vec![0.0; 2 * D]),
            ("W_dec", vec![2 * D, D], vec![0.5; 2 * D * D]),
            ("b_dec", vec![D], vec![0.0; D]),
        ],
    );
    assert_eq!(converted(&path).n_latents(), 2 * D);
}

/// A folder of dictionary_learning.
fn dictionary(path: &Path, class: &str, k: Option<usize>, state: Vec<(&'static str, Item)>) {
    let mut config = json!({
        "trainer": {
            "trainer_class": "Some", "dict_class": class, "activation_dim": D, "dict_size": N,
            "lr": 1e-4, "layer": 8, "lm_name": "gpt2", "steps": 100, "seed": null,
        },
        "buffer": {"ctx_len": 128},
    });
    if let Some(k) = k {
        config["trainer"]["k"] = json!(k);
    }
    write_json(path.join("config.json"), &config);
    fixtures::torch(&path.join("ae.pt"), &Item::State(state));
}

fn layers(known: &Known, bias: &'static str) -> Vec<(&'static str, Item)> {
    vec![
        (bias, Item::Floats(vec![D], known.b_dec.clone())),
        // As after `weight = Parameter(w.T)`.
        (
            "encoder.weight",
            Item::Transposed(vec![N, D], known.w_enc.clone()),
        ),
        ("encoder.bias", Item::Floats(vec![N], known.b_enc.clone())),
        (
            "decoder.weight",
            Item::Floats(vec![D, N], known.decoder_columns()),
        ),
    ]
}

fn canonical(known: &Known) -> Vec<(&'static str, Item)> {
    vec![
        ("W_enc", Item::Floats(vec![D, N], known.encoder_columns())),
        ("b_enc", Item::Floats(vec![N], known.b_enc.clone())),
        ("W_dec", Item::Floats(vec![N, D], known.w_dec.clone())),
        ("b_dec", Item::Floats(vec![D], known.b_dec.clone())),
    ]
}

#[test]
fn dictionary_learning_of_every_class() {
    let known = known();
    let (_held, path) = folder();
    dictionary(&path, "AutoEncoder", None, layers(&known, "bias"));
    let sae = converted(&path);
    known.check(&sae, true, |p| relu(&known.with_bias(p)));
    assert_eq!(sae.record().about["lm_name"], "gpt2");

    dictionary(
        &path,
        "AutoEncoderNew",
        None,
        layers(&known, "decoder.bias"),
    );
    known.check(&converted(&path), false, |p| relu(&known.with_bias(p)));

    let with = |mut state: Vec<(&'static str, Item)>, more: Vec<(&'static str, Item)>| {
        state.extend(more);
        state
    };
    let number = |value: f32| Item::Floats(vec![], vec![value]);
    let k = || Item::Longs(vec![], vec![K as i64]);
    let state = with(
        layers(&known, "b_dec"),
        vec![("k", k()), ("threshold", number(0.9))],
    );
    dictionary(&path, "AutoEncoderTopK", Some(K), state);
    known.check(&converted(&path), true, |p| top_k(&known.with_bias(p)));

    let state = with(
        layers(&known, "b_dec"),
        vec![("k", k()), ("threshold", number(0.3))],
    );
    dictionary(&path, "BatchTopKSAE", Some(K), state);
    let sae = converted(&path);
    assert_eq!(
        *sae.architecture(),
        Architecture::BatchTopK {
            k: K,
            threshold: 0.3
        }
    );
    known.check(&sae, true, |p| above(&known.with_bias(p), |_| 0.3));

    let state = with(
        canonical(&known),
        vec![
            ("k", k()),
            ("threshold", number(0.3)),
            ("group_sizes", Item::Longs(vec![2], vec![2, 6])),
        ],
    );
    dictionary(&path, "MatryoshkaBatchTopKSAE", None, state);
    known.check(&converted(&path), true, |p| {
        above(&known.with_bias(p), |_| 0.3)
    });

    let threshold = Item::Floats(vec![N], known.threshold.clone());
    let state = with(canonical(&known), vec![("threshold", threshold)]);
    dictionary(&path, "JumpReluAutoEncoder", None, state);
    known.check(&converted(&path), false, |p| {
        above(&known.with_bias(p), |at| known.threshold[at])
    });
}

#[test]
fn dictionary_learning_gated() {
    let known = known();
    let (_held, path) = folder();
    let raised = |seed| {
        values(N, seed)
            .iter()
            .map(|v| v + 0.4)
            .collect::<Vec<f32>>()
    };
    let (b_gate, b_mag, r_mag) = (raised(7), raised(8), values(N, 9));
    let vector = |values: &[f32]| Item::Floats(vec![N], values.to_vec());
    let state = vec![
        ("decoder_bias", Item::Floats(vec![D], known.b_dec.clone())),
        (
            "encoder.weight",
            Item::Floats(vec![N, D], known.w_enc.clone()),
        ),
        ("r_mag", vector(&r_mag)),
        ("gate_bias", vector(&b_gate)),
        ("mag_bias", vector(&b_mag)),
        (
            "decoder.weight",
            Item::Parameter(Box::new(Item::Floats(vec![D, N], known.decoder_columns()))),
        ),
    ];
    dictionary(&path, "GatedAutoEncoder", None, state);
    known.check(&converted(&path), true, |q| {
        (0..N)
            .map(|i| {
                let magnitude = f64::from(r_mag[i]).exp() * q[i] + f64::from(b_mag[i]);
                if q[i] + f64::from(b_gate[i]) > 0.0 {
                    magnitude.max(0.0)
                } else {
                    0.0
                }
            })
            .collect()
    });
}

#[test]
fn dictionary_learning_refusals() {
    let known = known();
    let (_held, path) = folder();
    let number = |value: f32| Item::Floats(vec![], vec![value]);
    dictionary(&path, "IdentityDict", None, vec![]);
    assert_eq!(refused(&path, None).0, "dict_class");
    dictionary(&path, "AutoEncoderTopK", None, layers(&known, "b_dec"));
    assert_eq!(refused(&path, None).0, "k");
    let mut state = layers(&known, "b_dec");
    state.push(("k", number(4.0)));
    dictionary(&path, "AutoEncoderTopK", Some(K), state);
    assert_eq!(refused(&path, None).0, "k");
    let mut state = layers(&known, "b_dec");
    state.push(("threshold", number(-1.0)));
    dictionary(&path, "BatchTopKSAE", Some(K), state);
    assert_eq!(refused(&path, None).0, "threshold");
    let mut state = layers(&known, "bias");
    state.push(("W_skip", Item::Floats(vec![D, D], vec![0.0; D * D])));
    dictionary(&path, "AutoEncoder", None, state);
    assert_eq!(refused(&path, None).0, "W_skip");
    let mut state = layers(&known, "bias");
    state.push(("hook", Item::Global("os", "system")));
    dictionary(&path, "AutoEncoder", None, state);
    let (field, message) = refused(&path, None);
    assert_eq!(field, "pickle");
    assert!(message.contains("os.system"), "{message}");
}

fn openai_state(known: &Known) -> Vec<(&'static str, Item)> {
    vec![
        ("pre_bias", Item::Floats(vec![D], known.b_dec.clone())),
        ("latent_bias", Item::Floats(vec![N], known.b_enc.clone())),
        ("stats_last_nonzero", Item::Longs(vec![N], vec![5; N])),
        (
            "encoder.weight",
            Item::Halves(vec![N, D], known.w_enc.clone()),
        ),
        (
            "decoder.weight",
            Item::Brains(vec![D, N], known.decoder_columns()),
        ),
    ]
}

#[test]
fn openai_with_both_activations() {
    let known = known();
    let (_held, path) = folder();
    let file = path.join("autoencoder.pt");
    let mut state = openai_state(&known);
    state.push(("activation", Item::Text("ReLU")));
    state.push(("activation_state_dict", Item::State(vec![])));
    fixtures::torch(&file, &Item::Dict(state));
    assert_eq!(detect(&path).unwrap(), Format::OpenAi);
    known.check(&converted(&file), true, |p| relu(&known.with_bias(p)));

    let top = |postact: &'static str| {
        let mut state = openai_state(&known);
        state.push(("activation", Item::Text("TopK")));
        let inner = vec![
            ("k", Item::Int(K as i64)),
            ("postact_fn", Item::Text(postact)),
        ];
        state.push(("activation_state_dict", Item::State(inner)));
        fixtures::torch(&file, &Item::State(state));
    };
    top("ReLU");
    let sae = converted(&file);
    assert_eq!(sae.normalisation(), Normalisation::LayerNorm);
    let layer_norm = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / D as f64;
        let squares: f64 = x.iter().map(|v| (v - mean).powi(2)).sum();
        let std = (squares / (D as f64 - 1.0)).sqrt();
        let normalised = x.iter().map(|v| (v - mean) / (std + 1e-5)).collect();
        (normalised, std, mean)
    };
    known.check_normalised(&sae, true, layer_norm, |p| top_k(&known.with_bias(p)));

    top("Identity");
    assert_eq!(refused(&file, None).0, "postact_fn");
    let mut state = openai_state(&known);
    state.push(("activation", Item::Text("Identity")));
    fixtures::torch(&file, &Item::Dict(state));
    assert_eq!(refused(&file, None).0, "activation");
    let mut state = openai_state(&known);
    state.push(("activation", Item::Text("ReLU")));
    state.push(("temperature", Item::Float(0.5)));
    fixtures::torch(&file, &Item::Dict(state));
    assert_eq!(refused(&file, None).0, "temperature");
}

#[test]
fn oneill_takes_k_from_the_name_and_never_guesses() {
    let known = known();
    let (_held, path) = folder();
    let file = path.join(format!("astroPH_{K}_{N}_auxk.pth"));
    fixtures::torch(&file, &Item::State(openai_state(&known)));
    assert_eq!(detect(&file).unwrap(), Format::ONeill);
    let sae = converted(&file);
    assert_eq!(
        (sae.k(), sae.normalisation()),
        (Some(K), Normalisation::None)
    );
    known.check(&sae, true, |p| top_k(&known.with_bias(p)));

    // Another n in the name than in the weights.
    let other = path.join("astroPH_3_16_auxk.pth");
    fs::rename(&file, &other).unwrap();
    assert_eq!(refused(&other, None).0, "encoder.weight");
    // No such name: could be OpenAI's without an activation.
    let bare = path.join("final.pth");
    fs::rename(&other, &bare).unwrap();
    let (field, message) = refused(&bare, None);
    assert_eq!(field, "source");
    assert!(message.contains("--format"), "{message}");
    assert_eq!(refused(&bare, Some(Format::ONeill)).0, "source");
    known.check(&import(&bare, Some(Format::OpenAi)).unwrap(), true, |p| {
        relu(&known.with_bias(p))
    });
}

fn hypothesaes_file(path: &Path, batch: bool, threshold: f32, more: Option<(&'static str, Item)>) {
    let known = known();
    let mut config = vec![
        ("input_dim", Item::Int(D as i64)),
        ("m_total_neurons", Item::Int(N as i64)),
        ("k_active_neurons", Item::Int(K as i64)),
        ("aux_k", Item::Int(6)),
        ("multi_k", Item::None),
        ("dead_neuron_threshold_steps", Item::Int(256)),
        (
            "prefix_lengths",
            Item::List(vec![Item::Int(4), Item::Int(8)]),
        ),
        ("use_batch_topk", Item::Bool(batch)),
    ];
    config.extend(more);
    let state = vec![
        ("input_bias", Item::Floats(vec![D], known.b_dec.clone())),
        ("neuron_bias", Item::Floats(vec![N], known.b_enc.clone())),
        ("threshold", Item::Floats(vec![], vec![threshold])),
        (
            "encoder.weight",
            Item::Floats(vec![N, D], known.w_enc.clone()),
        ),
        (
            "decoder.weight",
            Item::Floats(vec![D, N], known.decoder_columns()),
        ),
    ];
    let root = vec![
        ("config", Item::Dict(config)),
        ("state_dict", Item::State(state)),
    ];
    fixtures::torch(path, &Item::Dict(root));
}

#[test]
fn hypothesaes_with_both_kinds_of_top_k() {
    let known = known();
    let (_held, path) = folder();
    let file = path.join("SAE_M=8_K=3.pt");
    hypothesaes_file(&file, false, 0.0, None);
    let sae = converted(&path);
    assert_eq!(sae.record().about["matryoshka"], "4, 8");
    known.check(&sae, true, |p| top_k(&known.with_bias(p)));
    hypothesaes_file(&file, true, 0.25, None);
    known.check(&converted(&file), true, |p| {
        above(&known.with_bias(p), |_| 0.25)
    });
    hypothesaes_file(&file, true, 0.0, None);
    assert_eq!(refused(&file, None).0, "threshold");
    hypothesaes_file(
        &file,
        false,
        0.0,
        Some(("normalize_input", Item::Bool(true))),
    );
    assert_eq!(refused(&file, None).0, "normalize_input");
}

#[test]
fn what_is_unclear_is_refused() {
    let (_held, path) = folder();
    assert_eq!(refused(&path, None).0, "source");
    assert_eq!(
        import(&path.join("none"), None).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    hypothesaes_file(&path.join("a.pt"), false, 0.0, None);
    assert_eq!(detect(&path).unwrap(), Format::HypotheSaes);
    hypothesaes_file(&path.join("b.pt"), false, 0.0, None);
    assert!(refused(&path, None).1.contains("2 checkpoints"));
    fs::remove_file(path.join("b.pt")).unwrap();
    fs::write(path.join("params.npz"), b"").unwrap();
    let message = refused(&path, None).1;
    assert!(message.contains("gemma-scope, hypothesaes"), "{message}");
    fs::write(
        path.join("c.pt"),
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
    )
    .unwrap();
    assert!(refused(&path.join("c.pt"), None).1.contains("torch 1.6"));
    fixtures::torch(
        &path.join("d.pt"),
        &Item::Dict(vec![("weights", Item::None)]),
    );
    assert!(refused(&path.join("d.pt"), None).1.contains("weights"));
    let error = open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    fs::remove_file(path.join("params.npz")).unwrap();
    fs::remove_file(path.join("c.pt")).unwrap();
    fs::remove_file(path.join("d.pt")).unwrap();
    let error = open(&path).unwrap_err();
    assert!(error.to_string().contains("latentdb sae import"), "{error}");
    assert!("sparse".parse::<Format>().is_err());
    for format in Format::ALL {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
    }
}

#[test]
fn tensors_that_lie_outside_their_storage_are_refused() {
    let (_held, path) = folder();
    let file = path.join("astroPH_3_8_x.pth");
    let tensor = |length: u8, shape: u8, stride: u8, stored: usize| {
        let mut pickle = b"\x80\x02}X\x01\x00\x00\x00t".to_vec();
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage");
        pickle.extend(b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK");
        pickle.extend([length, b't', b'Q', b'K', 0]);
        pickle.extend([
            b'K', shape, 0x85, b'K', stride, 0x85, 0x89, b'}', b't', b'R',
        ]);
        pickle.extend(b"s.");
        fixtures::archive(&file, &pickle, &[vec![0; stored]]);
        import(&file, Some(Format::ONeill)).unwrap_err()
    };
    // As it should be: refused for the name only.
    assert_eq!(tensor(4, 4, 1, 16).field(), Some("encoder.weight"));
    for (length, shape, stride, stored) in
        [(4, 4, 2, 16), (4, 5, 1, 16), (8, 4, 1, 16), (2, 2, 1, 16)]
    {
        let error = tensor(length, shape, stride, stored);
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    }
}

/// Files that the libraries wrote themselves, with their codes: tests/data/saes_reference.py.
#[test]
fn files_of_the_libraries_give_their_codes_and_reconstructions() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/saes");
    let reference: Json =
        serde_json::from_slice(&std::fs::read(data.join("reference.json")).unwrap()).unwrap();
    let matrix = |value: &Json| -> Vec<Vec<f32>> {
        let rows = value.as_array().unwrap().iter();
        let row = |row: &Json| {
            row.as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap() as f32)
                .collect()
        };
        rows.map(row).collect()
    };
    let vectors = matrix(&reference["vectors"]);
    let mut seen = 0;
    for (name, expected) in reference["saes"].as_object().unwrap() {
        let sae = converted(&data.join(name));
        let (back, codes) = sae.reconstruct(&vectors.concat(), 1).unwrap();
        for (row, own) in matrix(&expected["codes"]).iter().enumerate() {
            let mut dense = vec![0.0; own.len()];
            let (latents, activations) = codes.row(row);
            for (latent, activation) in latents.iter().zip(activations) {
                dense[*latent as usize] = *activation;
            }
            for (latent, (found, own)) in dense.iter().zip(own).enumerate() {
                assert!(
                    (found - own).abs() < 1e-5,
                    "{name} row {row} latent {latent}: {found} {own}"
                );
            }
            seen += latents.len();
        }
        for (found, own) in back.iter().zip(matrix(&expected["back"]).concat()) {
            assert!((found - own).abs() < 1e-4, "{name}: {found} {own}");
        }
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn what_latentsae_does_otherwise_is_refused() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/saes/latentsae-topk");
    let (_guard, path) = folder();
    std::fs::copy(data.join("sae.safetensors"), path.join("sae.safetensors")).unwrap();
    let config: Json =
        serde_json::from_slice(&std::fs::read(data.join("cfg.json")).unwrap()).unwrap();
    for (field, value) in [
        ("sae_type", json!("batchtopk")),
        ("sae_type", json!("cosine")),
        ("use_skip", json!(true)),
        ("matryoshka_use_batchtopk", json!(true)),
        ("something_new", json!(1)),
    ] {
        let mut changed = config.clone();
        changed[field] = value;
        write_json(path.join("cfg.json"), &changed);
        assert_eq!(refused(&path, None).0, field);
    }
}

#[test]
fn a_sparse_encoder_is_read_by_its_module() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/saes/csr");
    let (_guard, path) = folder();
    std::fs::create_dir(path.join("3_SparseAutoEncoder")).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(data.join(file), path.join("3_SparseAutoEncoder").join(file)).unwrap();
    }
    let modules = json!([
        {"type": "sentence_transformers.models.Transformer", "path": ""},
        {"type": "sentence_transformers.sparse_encoder.models.SparseAutoEncoder", "path": "3_SparseAutoEncoder"},
    ]);
    write_json(path.join("modules.json"), &modules);
    let sae = import(&path, None).unwrap();
    assert_eq!(sae.hash(), import(&data, None).unwrap().hash());
    assert_eq!(sae.record().about["format"], "sentence-transformers");
    let error = open(&path).unwrap_err().to_string();
    assert!(error.contains("sae import"), "{error}");
}

#[test]
fn goodfire() {
    let known = known();
    let (_guard, path) = folder();
    let path = path.join("Llama-SAE.pth");
    let root = Item::State(vec![
        (
            "encoder_linear.weight",
            Item::Floats(vec![N, D], known.w_enc.clone()),
        ),
        (
            "encoder_linear.bias",
            Item::Floats(vec![N], known.b_enc.clone()),
        ),
        (
            "decoder_linear.weight",
            Item::Floats(vec![D, N], known.decoder_columns()),
        ),
        (
            "decoder_linear.bias",
            Item::Floats(vec![D], known.b_dec.clone()),
        ),
    ]);
    fixtures::torch(&path, &root);
    let sae = converted(&path);
    assert_eq!(sae.record().about["format"], "goodfire");
    known.check(&sae, false, |p| relu(&known.with_bias(p)));
}

/// What the library computes: of vectors that are scaled to the norm of its training, where latents are compared by how
/// much they write.
#[test]
fn llama_scope() {
    let known = known();
    let (_guard, path) = folder();
    std::fs::create_dir(path.join("checkpoints")).unwrap();
    fixtures::safetensors(
        &path.join("checkpoints/final.safetensors"),
        &[
            ("encoder.weight", vec![N, D], known.w_enc.clone()),
            ("encoder.bias", vec![N], known.b_enc.clone()),
            ("decoder.weight", vec![D, N], known.decoder_columns()),
            ("decoder.bias", vec![D], known.b_dec.clone()),
        ],
    );
    let (norm_in, norm_out, threshold) = (3.0_f32, 5.0_f32, 0.4_f32);
    let config = json!({
        "hook_point_in": "blocks.8.hook_resid_post", "hook_point_out": "blocks.8.hook_resid_post",
        "d_model": D, "d_sae": N, "expansion_factor": 8, "use_decoder_bias": true,
        "apply_decoder_bias_to_pre_encoder": false, "act_fn": "jumprelu", "jump_relu_threshold": threshold,
        "top_k": 50, "norm_activation": "dataset-wise", "sparsity_include_decoder_norm": true,
        "dataset_average_activation_norm": {"in": norm_in, "out": norm_out},
        "decoder_exactly_fixed_norm": false, "init_decoder_norm": 0.5, "lp": 1, "dtype": "torch.bfloat16",
    });
    let config_file = path.join("hyperparams.json");
    write_json(config_file.clone(), &config);
    let sae = converted(&path);
    assert_eq!(sae.record().about["format"], "llama-scope");
    assert_eq!(sae.record().about["hook_point"], "blocks.8.hook_resid_post");
    let root = (D as f32).sqrt();
    let norms: Vec<f32> = known
        .w_dec
        .chunks_exact(D)
        .map(|row| row.iter().map(|w| w * w).sum::<f32>().sqrt())
        .collect();
    let mut active = 0;
    for row in 0..20 {
        let x: Vec<f32> = (0..D)
            .map(|at| ((row * D + at) as f32 * 0.7).sin() * 2.0)
            .collect();
        let (back, codes) = sae.reconstruct(&x, 1).unwrap();
        let mut expected = known.b_dec.clone();
        let mut activations = [0.0; N];
        for latent in 0..N {
            let weights = &known.w_enc[latent * D..][..D];
            let sum: f32 = weights
                .iter()
                .zip(&x)
                .map(|(w, x)| w * x * root / norm_in)
                .sum();
            let hidden = sum + known.b_enc[latent];
            if hidden * norms[latent] > threshold * root / norm_out {
                activations[latent] = hidden * norms[latent] * norm_out / root;
                let direction = &known.w_dec[latent * D..][..D];
                expected
                    .iter_mut()
                    .zip(direction)
                    .for_each(|(sum, w)| *sum += hidden * w);
            }
        }
        let (latents, found) = codes.row(0);
        active += latents.len();
        let wanted: Vec<u32> = (0..N as u32)
            .filter(|at| activations[*at as usize] > 0.0)
            .collect();
        let mut sorted: Vec<(u32, f32)> =
            latents.iter().copied().zip(found.iter().copied()).collect();
        sorted.sort_by_key(|(latent, _)| *latent);
        assert_eq!(
            sorted.iter().map(|(latent, _)| *latent).collect::<Vec<_>>(),
            wanted
        );
        for (latent, found) in sorted {
            assert!((found - activations[latent as usize]).abs() < 1e-4);
        }
        for (found, expected) in back.iter().zip(&expected) {
            assert!((found - expected * norm_out / root).abs() < 1e-4);
        }
    }
    assert!((20..20 * N).contains(&active), "{active}");
    for (name, value) in [
        ("hook_point_out", json!("blocks.8.hook_mlp_out")),
        ("norm_activation", json!("token-wise")),
        (
            "dataset_average_activation_norm",
            json!({"in": 0, "out": 1}),
        ),
        ("act_fn", json!("tanh")),
        ("d_model", json!(D + 1)),
        ("use_glu_encoder", json!(true)),
        ("sparsity_include_decoder_norm", json!(false)),
        ("unknown", json!(1)),
    ] {
        let mut changed = config.clone();
        changed[name] = value;
        write_json(config_file.clone(), &changed);
        let error = import(&path, None).unwrap_err();
        assert!(
            error.field().is_some_and(|field| field.starts_with(name)),
            "{name}: {error}"
        );
    }
}
