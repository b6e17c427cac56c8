use std::borrow::Cow;
use std::fs;

use half::bf16;

use super::*;
use crate::error::ErrorKind;
use crate::sae::format::open;
use crate::sae::weights::{Tensor, transposed};
use crate::sae::{Codes, Normalisation, SaeParts, TrainingRecord};

const D: usize = 3;
const N: usize = 4;

fn parts(architecture: Architecture) -> SaeParts {
    let ramp = |n: usize, step: f32| (0..n).map(|i| i as f32 * step - 0.4).collect();
    let gated = matches!(architecture, Architecture::Gated { .. });
    SaeParts {
        architecture,
        normalisation: Normalisation::None,
        d_in: D,
        w_enc_t: ramp(N * D, 0.07),
        b_enc: if gated { vec![0.0; N] } else { ramp(N, 0.2) },
        w_dec: ramp(N * D, 0.11),
        b_dec: ramp(D, 0.3),
        apply_b_dec_to_input: true,
        record: TrainingRecord {
            origin: "a test".to_owned(),
            ..TrainingRecord::default()
        },
    }
}

fn topk() -> Architecture {
    Architecture::TopK {
        k: 2,
        rescale_by_decoder_norm: true,
    }
}

/// Writes a configuration and tensors as another program would.
fn foreign(dir: &Path, config: &Value, tensors: &[(&str, Vec<usize>, Vec<f32>)]) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join(CONFIG_FILE), config.to_string()).unwrap();
    let tensors: Vec<(&str, Tensor)> = tensors
        .iter()
        .map(|(name, shape, values)| {
            let tensor = Tensor {
                shape: shape.clone(),
                values: Cow::Borrowed(values.as_slice()),
            };
            (*name, tensor)
        })
        .collect();
    let bytes = safetensors::serialize(tensors, None).unwrap();
    fs::write(dir.join(WEIGHTS_FILE), bytes).unwrap();
}

fn canonical() -> Vec<(&'static str, Vec<usize>, Vec<f32>)> {
    let parts = parts(topk());
    vec![
        ("W_enc", vec![D, N], transposed(&parts.w_enc_t, N, D)),
        ("b_enc", vec![N], parts.b_enc),
        ("W_dec", vec![N, D], parts.w_dec),
        ("b_dec", vec![D], parts.b_dec),
    ]
}

#[test]
fn every_architecture_and_normalisation_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let architectures = [
        Architecture::Standard,
        topk(),
        Architecture::BatchTopK {
            k: 2,
            threshold: 0.25,
        },
        Architecture::JumpRelu {
            threshold: vec![0.1, -0.2, 0.3, 0.4],
        },
        Architecture::Gated {
            b_gate: vec![0.1; N],
            b_mag: vec![0.2; N],
            r_mag: vec![0.3, 0.1, -0.5, 0.0],
        },
        Architecture::GroupMax { k: 2 },
    ];
    for (index, architecture) in architectures.into_iter().enumerate() {
        for normalisation in [
            Normalisation::None,
            Normalisation::LayerNorm,
            Normalisation::ConstantNormRescale,
        ] {
            let mut parts = parts(architecture.clone());
            parts.normalisation = normalisation;
            parts.apply_b_dec_to_input = index % 2 == 0;
            let mut sae = Sae::new(parts).unwrap();
            sae.set_about("corpus", "made up");
            // The first save makes the directory, the others replace its files.
            let path = dir.path().join(format!("sae-{index}"));
            save(&sae, &path).unwrap();
            let back = open(&path).unwrap();
            assert_eq!(back.architecture(), sae.architecture());
            assert_eq!(back.normalisation(), normalisation);
            assert_eq!(back.apply_b_dec_to_input(), sae.apply_b_dec_to_input());
            assert_eq!(back.record(), sae.record());
            assert_eq!(back.parts().w_enc_t, sae.parts().w_enc_t);
            assert_eq!(back.parts().w_dec, sae.parts().w_dec);
            assert_eq!(back.hash(), sae.hash());
            let file = fs::read(path.join(WEIGHTS_FILE)).unwrap();
            let config = fs::read(path.join(CONFIG_FILE)).unwrap();
            let config: Value = serde_json::from_slice(&config).unwrap();
            let recorded = &config["metadata"]["latentdb"]["weights_sha256"];
            assert_eq!(hex(Sha256::digest(&file)), *recorded);
            let left: Vec<_> = fs::read_dir(&path).unwrap().collect();
            assert_eq!(left.len(), 2, "no temporary files stay: {left:?}");
        }
    }
}

#[test]
fn changed_weights_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sae");
    save(&Sae::new(parts(topk())).unwrap(), &path).unwrap();
    let file = path.join(WEIGHTS_FILE);
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::Corrupted);
    bytes.truncate(last);
    fs::write(&file, &bytes).unwrap();
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::Corrupted);
    fs::remove_file(&file).unwrap();
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn old_and_new_configurations_of_sae_lens_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let old = json!({
        "d_in": D, "d_sae": N, "hook_point": "blocks.8.hook_resid_pre",
        "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2},
        "finetuning_scaling_factor": false, "prepend_bos": true,
    });
    foreign(&dir.path().join("old"), &old, &canonical());
    let sae = open(&dir.path().join("old")).unwrap();
    assert_eq!(sae.k(), Some(2));
    assert!(sae.apply_b_dec_to_input(), "missing means true");
    assert_eq!(sae.record().about["hook_point"], "blocks.8.hook_resid_pre");
    let mut codes = Codes::new();
    sae.encode(&[1.0, 2.0, 3.0], &mut codes).unwrap();
    assert_eq!(codes.rows(), 1);

    let new = json!({
        "architecture": "topk", "k": 3, "d_in": D, "d_sae": N, "dtype": "float32",
        "apply_b_dec_to_input": false, "rescale_acts_by_decoder_norm": true,
        "normalize_activations": "layer_norm", "reshape_activations": "none",
        "metadata": {"model_name": "gpt2", "hook_name": "blocks.0.hook_resid_pre"},
    });
    foreign(&dir.path().join("new"), &new, &canonical());
    let sae = open(&dir.path().join("new")).unwrap();
    assert_eq!(
        *sae.architecture(),
        Architecture::TopK {
            k: 3,
            rescale_by_decoder_norm: true
        }
    );
    assert_eq!(sae.normalisation(), Normalisation::LayerNorm);
    assert!(!sae.apply_b_dec_to_input());
    assert_eq!(sae.record().about["model_name"], "gpt2");
}

#[test]
fn the_factor_beside_an_sae_is_folded_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config =
        json!({"architecture": "standard", "d_in": D, "d_sae": N, "normalize_activations": "none"});
    foreign(dir.path(), &config, &canonical());
    let plain = open(dir.path()).unwrap();
    config["normalize_activations"] = json!("expected_average_only_in");
    foreign(dir.path(), &config, &canonical());
    for scaler in [
        None,
        Some("{}"),
        Some(r#"{"scaling_factor": null}"#),
        Some(r#"{"scaling_factor": -1}"#),
    ] {
        if let Some(scaler) = scaler {
            std::fs::write(dir.path().join(SCALER_FILE), scaler).unwrap();
        }
        let error = open(dir.path()).unwrap_err();
        assert_eq!(error.field(), Some("normalize_activations"), "{error}");
    }
    std::fs::write(dir.path().join(SCALER_FILE), r#"{"scaling_factor": 0.25}"#).unwrap();
    let folded = open(dir.path()).unwrap();
    let (vector, scaled) = ([4.0, -8.0, 12.0], [1.0, -2.0, 3.0]);
    let (back, codes) = folded.reconstruct(&vector, 1).unwrap();
    let (expected, own) = plain.reconstruct(&scaled, 1).unwrap();
    assert!(!codes.row(0).0.is_empty());
    assert_eq!(codes.row(0), own.row(0));
    let expected: Vec<f32> = expected.iter().map(|value| value * 4.0).collect();
    assert_eq!(back, expected);
}

#[test]
fn what_is_not_understood_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut config = json!({"architecture": "topk", "k": 2, "d_in": D, "d_sae": N});
        change(&mut config);
        foreign(dir.path(), &config, &canonical());
        let error = open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        error.field().map(str::to_owned)
    };
    let field = |name: &str| Some(name.to_owned());
    assert_eq!(
        refused(&|c| c["architecture"] = json!("temporal")),
        field("architecture")
    );
    assert_eq!(
        refused(&|c| c["normalize_activations"] = json!("expected_average_only_in")),
        field("normalize_activations")
    );
    assert_eq!(
        refused(&|c| c["reshape_activations"] = json!("hook_z")),
        field("reshape_activations")
    );
    assert_eq!(
        refused(&|c| c["finetuning_scaling_factor"] = json!(true)),
        field("finetuning_scaling_factor")
    );
    assert_eq!(refused(&|c| c["k"] = json!(0)), field("k"));
    assert_eq!(
        refused(&|c| c["architecture"] = json!("jumprelu")),
        field("threshold")
    );
    assert_eq!(refused(&|c| c["d_sae"] = json!(N + 1)), field("W_enc"));
    assert_eq!(
        refused(&|c| {
            c["architecture"] = json!("standard");
            c["activation_fn_str"] = json!("tanh-relu");
        }),
        field("activation_fn_str")
    );
}

#[test]
fn every_setting_and_tensor_must_be_known() {
    let dir = tempfile::tempdir().unwrap();
    let load = |change: &dyn Fn(&mut Value), more: Option<(&'static str, Vec<f32>)>| {
        let mut config = json!({
            "architecture": "standard", "d_in": D, "d_sae": N, "normalize_activations": false,
            "l1_coefficient": 5.0, "wandb_project": "p", "noise_scale": 0.0, "hook_layer": 8,
            "activation_fn_str": "relu", "activation_fn_kwargs": {}, "neuronpedia_id": null,
        });
        change(&mut config);
        let mut tensors = canonical();
        tensors.extend(more.map(|(name, values)| (name, vec![values.len()], values)));
        foreign(dir.path(), &config, &tensors);
        open(dir.path())
    };
    let refused = |change: &dyn Fn(&mut Value), more| {
        let error = load(change, more).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        error.field().unwrap_or_default().to_owned()
    };
    let same = |_: &mut Value| {};
    // Settings of the training and factors of 1 change nothing.
    load(&same, None).unwrap();
    load(&same, Some(("scaling_factor", vec![1.0; N]))).unwrap();
    for (name, values) in [
        ("scaling_factor", vec![1.0, 1.0, 0.5, 1.0]),
        ("finetuning_scaling_factor", vec![2.0; N]),
        ("W_skip", vec![0.0; 2]),
        ("threshold", vec![0.1; N]),
    ] {
        assert_eq!(refused(&same, Some((name, values))), name);
    }
    for (name, value) in [
        ("normalize_activations", json!(true)),
        ("normalize_activations", json!("covariance_whitening")),
        ("rescale_acts_by_decoder_norm", json!(true)),
        ("input_temperature", json!(0.5)),
        ("apply_b_dec_to_input", json!("yes")),
    ] {
        assert_eq!(refused(&|config| config[name] = value.clone(), None), name);
    }
    let kwargs = |value: Value| {
        refused(
            &move |config| {
                config["activation_fn_str"] = json!("topk");
                config["activation_fn_kwargs"] = value.clone();
            },
            None,
        )
    };
    assert_eq!(kwargs(json!({"k": 2, "signed": true})), "signed");
    assert_eq!(
        kwargs(json!({"k": 2, "postact_fn": "Identity"})),
        "postact_fn"
    );
    assert_eq!(kwargs(json!({})), "k");
}

#[test]
fn half_precision_weights_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let config = json!({"architecture": "standard", "d_in": D, "d_sae": N});
    let held: Vec<(&str, Vec<usize>, Vec<u8>)> = canonical()
        .into_iter()
        .map(|(name, shape, values)| {
            let bytes = values
                .iter()
                .flat_map(|v| bf16::from_f32(*v).to_le_bytes())
                .collect();
            (name, shape, bytes)
        })
        .collect();
    let views: Vec<(&str, safetensors::tensor::TensorView)> = held
        .iter()
        .map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(
                safetensors::Dtype::BF16,
                shape.clone(),
                bytes,
            );
            (*name, view.unwrap())
        })
        .collect();
    fs::write(dir.path().join(CONFIG_FILE), config.to_string()).unwrap();
    fs::write(
        dir.path().join(WEIGHTS_FILE),
        safetensors::serialize(views, None).unwrap(),
    )
    .unwrap();
    let sae = open(dir.path()).unwrap();
    let expected = bf16::from_f32(parts(topk()).w_dec[5]).to_f32();
    assert_eq!(sae.parts().w_dec[5], expected);
}
