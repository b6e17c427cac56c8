//! Every architecture against its formula written down naively in f64, and the guarantees of
//! encoding.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const D: usize = 20;
const N: usize = 48;

fn values(rng: &mut StdRng, n: usize, scale: f32) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(-scale..scale)).collect()
}

fn sae(architecture: Architecture, normalisation: Normalisation, s: bool) -> Sae {
    let mut rng = StdRng::seed_from_u64(3);
    let gated = matches!(architecture, Architecture::Gated { .. });
    Sae::new(SaeParts {
        architecture,
        normalisation,
        d_in: D,
        w_enc_t: values(&mut rng, N * D, 1.0),
        b_enc: if gated {
            vec![0.0; N]
        } else {
            values(&mut rng, N, 0.5)
        },
        w_dec: values(&mut rng, N * D, 1.0),
        b_dec: values(&mut rng, D, 0.5),
        apply_b_dec_to_input: s,
        record: TrainingRecord::default(),
    })
    .unwrap()
}

fn architectures() -> Vec<Architecture> {
    let mut rng = StdRng::seed_from_u64(8);
    vec![
        Architecture::Standard,
        Architecture::TopK {
            k: 5,
            rescale_by_decoder_norm: false,
        },
        Architecture::TopK {
            k: 5,
            rescale_by_decoder_norm: true,
        },
        Architecture::TopK {
            k: N,
            rescale_by_decoder_norm: false,
        },
        Architecture::BatchTopK {
            k: 5,
            threshold: 0.7,
        },
        Architecture::JumpRelu {
            threshold: values(&mut rng, N, 1.0),
        },
        Architecture::Gated {
            b_gate: values(&mut rng, N, 1.0),
            b_mag: values(&mut rng, N, 1.0),
            r_mag: values(&mut rng, N, 1.0),
        },
        Architecture::GroupMax { k: 6 },
    ]
}

fn normalised(x: &[f32], normalisation: Normalisation) -> (Vec<f64>, f64, f64) {
    let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let d = x.len() as f64;
    match normalisation {
        Normalisation::None => (x, 1.0, 0.0),
        Normalisation::ConstantNormRescale => {
            let factor = d.sqrt() / x.iter().map(|v| v * v).sum::<f64>().sqrt();
            (x.iter().map(|v| v * factor).collect(), 1.0 / factor, 0.0)
        }
        Normalisation::LayerNorm => {
            let mean = x.iter().sum::<f64>() / d;
            let std = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (d - 1.0)).sqrt();
            let out = x.iter().map(|v| (v - mean) / (std + 1e-5)).collect();
            (out, std, mean)
        }
    }
}

/// `z`, dense, by the table of the methods guide.
fn naive_code(sae: &Sae, x: &[f32]) -> Vec<f64> {
    let parts = sae.parts();
    let (x, _, _) = normalised(x, parts.normalisation);
    let s = if parts.apply_b_dec_to_input { 1.0 } else { 0.0 };
    let projection: Vec<f64> = (0..N)
        .map(|i| {
            (0..D)
                .map(|j| {
                    (x[j] - s * f64::from(parts.b_dec[j])) * f64::from(parts.w_enc_t[i * D + j])
                })
                .sum()
        })
        .collect();
    let p: Vec<f64> = (0..N)
        .map(|i| projection[i] + f64::from(parts.b_enc[i]))
        .collect();
    let relu = |v: f64| v.max(0.0);
    let largest = |scores: &[f64], latents: std::ops::Range<usize>, k: usize| -> Vec<usize> {
        let mut order: Vec<usize> = latents.collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order.truncate(k);
        order
    };
    let keep = |kept: Vec<usize>| -> Vec<f64> {
        (0..N)
            .map(|i| if kept.contains(&i) { relu(p[i]) } else { 0.0 })
            .collect()
    };
    match &parts.architecture {
        Architecture::Standard => p.iter().map(|v| relu(*v)).collect(),
        Architecture::TopK {
            k,
            rescale_by_decoder_norm,
        } => {
            let scores: Vec<f64> = (0..N)
                .map(|i| {
                    let norm = crate::vectors::norm(&parts.w_dec[i * D..(i + 1) * D]);
                    p[i] * if *rescale_by_decoder_norm { norm } else { 1.0 }
                })
                .collect();
            keep(largest(&scores, 0..N, *k))
        }
        Architecture::BatchTopK { threshold, .. } => p
            .iter()
            .map(|v| {
                if *v > f64::from(*threshold) {
                    relu(*v)
                } else {
                    0.0
                }
            })
            .collect(),
        Architecture::JumpRelu { threshold } => p
            .iter()
            .zip(threshold)
            .map(|(v, t)| if *v > f64::from(*t) { relu(*v) } else { 0.0 })
            .collect(),
        Architecture::Gated {
            b_gate,
            b_mag,
            r_mag,
        } => (0..N)
            .map(|i| {
                if projection[i] + f64::from(b_gate[i]) > 0.0 {
                    relu(projection[i] * f64::from(r_mag[i]).exp() + f64::from(b_mag[i]))
                } else {
                    0.0
                }
            })
            .collect(),
        Architecture::GroupMax { k } => {
            let size = N / k;
            keep(
                (0..*k)
                    .flat_map(|g| largest(&p, g * size..(g + 1) * size, 1))
                    .collect(),
            )
        }
    }
}

fn rows(n: usize) -> Vec<f32> {
    values(&mut StdRng::seed_from_u64(21), n * D, 1.5)
}

#[test]
fn codes_and_reconstructions_follow_the_formulas() {
    let vectors = rows(40);
    for architecture in architectures() {
        for normalisation in [
            Normalisation::None,
            Normalisation::ConstantNormRescale,
            Normalisation::LayerNorm,
        ] {
            for s in [false, true] {
                let sae = sae(architecture.clone(), normalisation, s);
                let (reconstructed, codes) = sae.reconstruct(&vectors, 1).unwrap();
                for (row, x) in vectors.chunks_exact(D).enumerate() {
                    let expected = naive_code(&sae, x);
                    let (latents, activations) = codes.row(row);
                    let mut found = vec![0.0f64; N];
                    for (latent, activation) in latents.iter().zip(activations) {
                        found[*latent as usize] = f64::from(*activation);
                    }
                    for i in 0..N {
                        assert!(
                            (found[i] - expected[i]).abs() < 1e-4,
                            "{} {normalisation:?} s {s} row {row} latent {i}: {} not {}",
                            sae.architecture().name(),
                            found[i],
                            expected[i]
                        );
                    }
                    let (_, scale, shift) = normalised(x, normalisation);
                    for j in 0..D {
                        let parts = sae.parts();
                        let decoded: f64 = f64::from(parts.b_dec[j])
                            + (0..N)
                                .map(|i| expected[i] * f64::from(parts.w_dec[i * D + j]))
                                .sum::<f64>();
                        let value = decoded * scale + shift;
                        let found = f64::from(reconstructed[row * D + j]);
                        assert!((found - value).abs() < 2e-3, "{found} not {value}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_has_one_code_in_every_batch_and_on_every_number_of_threads() {
    let vectors = rows(700);
    for architecture in architectures() {
        let sae = sae(architecture, Normalisation::None, true);
        let mut whole = Codes::new();
        sae.encode(&vectors, &mut whole).unwrap();
        assert_eq!(whole, sae.encode_parallel(&vectors, 3).unwrap());
        let mut alone = Codes::new();
        for row in [0, 1, 127, 128, 300, 699] {
            sae.encode(&vectors[row * D..(row + 1) * D], &mut alone)
                .unwrap();
            assert_eq!(alone.rows(), 1);
            assert_eq!(alone.row(0), whole.row(row), "row {row}");
        }
        sae.encode(&vectors[13 * D..77 * D], &mut alone).unwrap();
        for row in 0..64 {
            assert_eq!(alone.row(row), whole.row(row + 13));
        }
    }
}

#[test]
fn ties_keep_the_smaller_latent() {
    let parts = SaeParts::plain(2, 1, vec![1.0; 40], vec![1.0; 40]);
    let codes = Sae::new(parts)
        .unwrap()
        .encode_parallel(&[2.0, -2.0], 1)
        .unwrap();
    assert_eq!(codes.row(0), (&[0, 1][..], &[2.0, 2.0][..]));
    // Negative sums are cut by the ReLU although the top-k takes them.
    assert_eq!(codes.row(1), (&[][..], &[][..]));
}

#[test]
fn wrong_rows_are_named() {
    let sae = sae(Architecture::Standard, Normalisation::None, true);
    let mut vectors = rows(300);
    vectors[250 * D + 4] = f32::INFINITY;
    let error = sae.encode_parallel(&vectors, 2).unwrap_err();
    assert_eq!(error.field(), Some("vectors[250]"));
    let error = sae
        .encode(&vectors[..D + 1], &mut Codes::new())
        .unwrap_err();
    assert_eq!(error.field(), Some("vectors"));
    vectors[250 * D + 4] = 1e30;
    let error = sae.encode_parallel(&vectors, 2).unwrap_err();
    assert_eq!(error.field(), Some("vectors[250]"));
}

#[test]
fn wrong_parts_are_named() {
    let good = sae(Architecture::Standard, Normalisation::None, true)
        .parts()
        .clone();
    let refused = |change: &dyn Fn(&mut SaeParts)| {
        let mut parts = good.clone();
        change(&mut parts);
        Sae::new(parts).unwrap_err().field().map(str::to_owned)
    };
    assert_eq!(refused(&|p| p.w_dec.truncate(3)).as_deref(), Some("W_dec"));
    assert_eq!(
        refused(&|p| p.w_enc_t[5] = f32::NAN).as_deref(),
        Some("W_enc")
    );
    assert_eq!(refused(&|p| p.b_dec.push(0.0)).as_deref(), Some("b_dec"));
    let threshold = |n| Architecture::JumpRelu {
        threshold: vec![0.0; n],
    };
    assert_eq!(
        refused(&|p| p.architecture = threshold(3)).as_deref(),
        Some("threshold")
    );
    let topk = |k| Architecture::TopK {
        k,
        rescale_by_decoder_norm: false,
    };
    assert_eq!(refused(&|p| p.architecture = topk(0)).as_deref(), Some("k"));
    assert_eq!(
        refused(&|p| p.architecture = topk(N + 1)).as_deref(),
        Some("k")
    );
    assert_eq!(
        refused(&|p| p.architecture = Architecture::GroupMax { k: 7 }).as_deref(),
        Some("k")
    );
}

#[test]
fn directions_have_norm_one_and_unknown_latents_are_refused() {
    let sae = sae(Architecture::Standard, Normalisation::None, true);
    let direction = sae.direction(7).unwrap();
    assert!((crate::vectors::norm(&direction) - 1.0).abs() < 1e-6);
    let ratio = sae.decoder_row(7).unwrap()[0] / direction[0];
    assert!((f64::from(ratio) - crate::vectors::norm(sae.decoder_row(7).unwrap())).abs() < 1e-4);
    assert_eq!(
        sae.decoder_row(N as u32).unwrap_err().field(),
        Some("latent")
    );
    let mut codes = Codes::new();
    codes.push_row([(N as u32, 1.0)]);
    assert_eq!(sae.decode(&codes).unwrap_err().field(), Some("latent"));
}

#[test]
fn equal_weights_used_in_two_ways_are_two_saes() {
    let of = |k: usize, rescale: bool, normalisation: Normalisation, s: bool| {
        let architecture = Architecture::TopK {
            k,
            rescale_by_decoder_norm: rescale,
        };
        sae(architecture, normalisation, s).hash().to_owned()
    };
    let all = [
        of(5, false, Normalisation::None, true),
        of(6, false, Normalisation::None, true),
        of(5, true, Normalisation::None, true),
        of(5, false, Normalisation::LayerNorm, true),
        of(5, false, Normalisation::None, false),
    ];
    for (at, hash) in all.iter().enumerate() {
        assert!(!all[..at].contains(hash), "{at}");
    }
    assert_eq!(all[0], of(5, false, Normalisation::None, true));
}
