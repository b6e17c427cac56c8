//! Both engines against the formulas in double precision.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// All engines that this machine runs.
fn engines() -> Vec<Engine> {
    let all = [Engine::Portable, Engine::Avx512, Engine::Avx512Bf16];
    let best = all.iter().position(|&engine| engine == Engine::detect());
    all[..=best.unwrap()].to_vec()
}

fn exact(engine: Engine) -> Arithmetic {
    Arithmetic {
        engine,
        precision: Precision::F32,
    }
}

fn random(rng: &mut StdRng, len: usize, scale: f32) -> Vec<f32> {
    (0..len).map(|_| rng.random_range(-scale..scale)).collect()
}

fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (index, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(a) - e).abs() <= tolerance * (1.0 + e.abs()),
            "{what}: value {index} is {a}, expected {e}"
        );
    }
}

/// Maclaurin series of the error function, in double precision up to |x| = 4.
fn erf(x: f64) -> f64 {
    if x.abs() > 4.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Gelu => x / 2.0 * (1.0 + erf(x / 2.0_f64.sqrt())),
        Activation::GeluTanh => {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            x / 2.0 * (1.0 + u.tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

fn product(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize) -> Vec<f64> {
    x.chunks_exact(inputs)
        .flat_map(|row| {
            weight.chunks_exact(inputs).zip(bias).map(|(w, &b)| {
                let dot = row
                    .iter()
                    .zip(w)
                    .map(|(&x, &w)| f64::from(x) * f64::from(w));
                dot.sum::<f64>() + f64::from(b)
            })
        })
        .collect()
}

#[test]
fn linear_layers_match_the_formula_at_every_edge() {
    let mut rng = StdRng::seed_from_u64(1);
    // Rows, inputs, outputs around the tile's 14 x 32 and the block's 56 rows.
    for (rows, inputs, outputs) in [
        (1, 7, 5),
        (13, 16, 31),
        (14, 32, 32),
        (15, 33, 33),
        (57, 48, 100),
        (130, 20, 64),
    ] {
        let x = random(&mut rng, rows * inputs, 1.0);
        let weight = random(&mut rng, outputs * inputs, 1.0);
        let bias = random(&mut rng, outputs, 1.0);
        let before = random(&mut rng, rows * outputs, 1.0);
        let plain = product(&x, &weight, &bias, inputs);
        for engine in engines() {
            let layer = Linear::new(exact(engine), &weight, bias.clone(), inputs);
            let mut rounded = Rounded::default();
            for epilogue in [
                Epilogue::Bias,
                Epilogue::Residual,
                Epilogue::Multiply,
                Epilogue::Activation(Activation::Silu),
                Epilogue::Activation(Activation::Gelu),
                Epilogue::Activation(Activation::GeluTanh),
                Epilogue::Activation(Activation::Relu),
            ] {
                let mut out = before.clone();
                layer.apply(&x, &mut out, epilogue, &mut rounded);
                let expected: Vec<f64> = plain
                    .iter()
                    .zip(&before)
                    .map(|(&v, &b)| match epilogue {
                        Epilogue::Bias => v,
                        Epilogue::Residual => v + f64::from(b),
                        Epilogue::Multiply => v * f64::from(b),
                        Epilogue::Activation(activation) => activate(activation, v),
                    })
                    .collect();
                let what = format!("{engine:?} {epilogue:?} {rows}x{inputs}x{outputs}");
                assert_close(&out, &expected, 5e-6, &what);
            }
        }
    }
}

/// Both operands rounded to 8 significant bits, in double precision.
fn rounded_product(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize) -> Vec<f64> {
    let round = |values: &[f32]| -> Vec<f32> {
        let bits = values.iter().map(|value| value.to_bits());
        // Adds half of the last place that stays, less a little where that place is even.
        bits.map(|bits| f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000))
            .collect()
    };
    product(&round(x), &round(weight), bias, inputs)
}

#[test]
fn rounded_layers_match_the_formula_at_every_edge() {
    let mut rng = StdRng::seed_from_u64(5);
    for (rows, inputs, outputs) in [
        (1, 7, 5),
        (1, 1, 1),
        (13, 16, 31),
        (14, 32, 32),
        (15, 33, 33),
        (57, 47, 100),
        (113, 70, 64),
        (5, 1536, 33),
    ] {
        let x = random(&mut rng, rows * inputs, 1.0);
        let weight = random(&mut rng, outputs * inputs, 1.0);
        let bias = random(&mut rng, outputs, 1.0);
        let before = random(&mut rng, rows * outputs, 1.0);
        let rounded = rounded_product(&x, &weight, &bias, inputs);
        let plain = product(&x, &weight, &bias, inputs);
        let sizes = |values: &[f32]| values.iter().map(|value| value.abs()).collect::<Vec<_>>();
        let size = product(&sizes(&x), &sizes(&weight), &sizes(&bias), inputs);
        for engine in engines() {
            let arithmetic = Arithmetic {
                engine,
                precision: Precision::Bf16,
            };
            let layer = Linear::new(arithmetic, &weight, bias.clone(), inputs);
            let mut scratch = Rounded::default();
            let what = format!("{engine:?} {rows}x{inputs}x{outputs}");
            let mut out = vec![f32::NAN; rows * outputs];
            // A first call leaves its values behind: they must not reach the second.
            let noise = vec![1e9; rows * inputs];
            layer.apply(&noise, &mut out, Epilogue::Bias, &mut scratch);
            layer.apply(&x, &mut out, Epilogue::Bias, &mut scratch);
            for (index, &value) in out.iter().enumerate() {
                let (value, size) = (f64::from(value), size[index]);
                // Sums in f32: `inputs` roundings at most, of which few add up.
                let error = (value - rounded[index]).abs();
                assert!(error <= 1e-6 * size, "{what}: {error} of {size}");
                // Each operand is off by 2^-9 of itself at most.
                let error = (value - plain[index]).abs();
                let bound = 2.0_f64.powi(-8) * 1.01 * size;
                assert!(error <= bound, "{what}: {error} of {size}");
            }
            for (epilogue, expected) in [
                (Epilogue::Residual, add(&rounded, &before)),
                (
                    Epilogue::Activation(Activation::Gelu),
                    rounded
                        .iter()
                        .map(|&v| activate(Activation::Gelu, v))
                        .collect(),
                ),
            ] {
                let mut out = before.clone();
                layer.apply(&x, &mut out, epilogue, &mut scratch);
                assert_close(&out, &expected, 1e-4, &format!("{what} {epilogue:?}"));
            }
        }
    }
}

fn add(a: &[f64], b: &[f32]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, &b)| a + f64::from(b)).collect()
}

#[test]
fn attention_matches_the_formula_at_every_edge() {
    let mut rng = StdRng::seed_from_u64(2);
    for (length, heads, kv_heads, head_width, sight, biased) in [
        (1, 2, 2, 32, Sight::All, false),
        (2, 1, 1, 8, Sight::All, false),
        (14, 3, 3, 16, Sight::All, false),
        (33, 2, 2, 32, Sight::All, false),
        (70, 2, 2, 64, Sight::All, false),
        (97, 1, 1, 40, Sight::All, false),
        (1, 4, 2, 32, Sight::Before, false),
        (2, 3, 1, 8, Sight::Before, false),
        (15, 3, 3, 16, Sight::Before, false),
        (33, 6, 2, 32, Sight::Before, false),
        (97, 9, 3, 40, Sight::Before, false),
        (33, 4, 2, 16, Sight::All, false),
        (1, 2, 2, 32, Sight::All, true),
        (97, 3, 3, 40, Sight::All, true),
        (40, 4, 2, 16, Sight::Before, true),
        (1, 1, 1, 16, Sight::Near(4), false),
        (33, 2, 2, 32, Sight::Near(0), false),
        (300, 2, 2, 16, Sight::Near(64), false),
        (130, 2, 1, 16, Sight::Near(5), true),
    ] {
        let (width, row_width) = (heads * head_width, (heads + 2 * kv_heads) * head_width);
        let qkv = random(&mut rng, length * row_width, 2.0);
        let at = |token: usize, head: usize, column: usize| {
            f64::from(qkv[token * row_width + head * head_width + column])
        };
        let bias = |head: usize, distance: isize| match biased {
            true => (head as f32 + 1.0) * (distance as f32 / 7.0).sin(),
            false => 0.0,
        };
        let mut expected = vec![0.0; length * width];
        for head in 0..heads {
            let group = head / (heads / kv_heads);
            let (key_head, value_head) = (heads + group, heads + kv_heads + group);
            for query in 0..length {
                let seen: Vec<usize> = (0..length)
                    .filter(|key| match sight {
                        Sight::All => true,
                        Sight::Before => *key <= query,
                        Sight::Near(reach) => key.abs_diff(query) <= reach,
                    })
                    .collect();
                let scores: Vec<f64> = seen
                    .iter()
                    .map(|&key| {
                        let product = (0..head_width)
                            .map(|c| at(query, head, c) * at(key, key_head, c))
                            .sum::<f64>();
                        product + f64::from(bias(head, key as isize - query as isize))
                    })
                    .collect();
                let max = scores.iter().copied().fold(f64::MIN, f64::max);
                let total: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                for c in 0..head_width {
                    expected[query * width + head * head_width + c] = seen
                        .iter()
                        .zip(&scores)
                        .map(|(&key, score)| (score - max).exp() / total * at(key, value_head, c))
                        .sum();
                }
            }
        }
        for engine in engines() {
            let attention = Attention {
                engine,
                heads,
                kv_heads,
                head_width,
                sight,
                bias: biased.then(|| RelativeBias::new(heads, length.max(3), bias)),
            };
            let mut out = vec![f32::NAN; length * width];
            let mut scratch = AttentionScratch::default();
            // A first call leaves its values behind: they must not reach the second.
            let noise = vec![1e9; 3 * row_width];
            attention.apply(&noise, &mut vec![0.0; 3 * width], &mut scratch);
            attention.apply(&qkv, &mut out, &mut scratch);
            let what = format!("{engine:?} {length} tokens, {heads}/{kv_heads} of {head_width}");
            assert_close(&out, &expected, 2e-5, &what);
        }
    }
}

#[test]
fn root_mean_square_norm_matches_the_formula() {
    let mut rng = StdRng::seed_from_u64(4);
    for width in [5, 16, 50] {
        let values = random(&mut rng, 3 * width, 3.0);
        let weight = random(&mut rng, width, 1.0);
        let expected: Vec<f64> = values
            .chunks_exact(width)
            .flat_map(|row| {
                let squares: f64 = row.iter().map(|&v| f64::from(v).powi(2)).sum();
                let scale = (squares / width as f64 + 1e-5).sqrt();
                let row = row.iter().zip(&weight);
                row.map(move |(&v, &w)| f64::from(v) / scale * f64::from(w))
            })
            .collect();
        let mut out = values.clone();
        rms_norm_in_place(&mut out, &weight, 1e-5);
        assert_close(&out, &expected, 5e-6, &format!("width {width}"));
    }
}

#[test]
fn rotation_turns_the_halves_of_every_head() {
    let (c, s) = (0.6_f32, 0.8_f32);
    let mut heads = [1.0, 2.0, 3.0, 4.0, 0.5, 0.0, 0.0, 1.0];
    rotate(&mut heads, &[c, 1.0], &[s, 0.0]);
    let expected = [1.0 * c - 3.0 * s, 2.0, 3.0 * c + 1.0 * s, 4.0];
    let second = [0.5 * c, 0.0, 0.5 * s, 1.0];
    assert_eq!(heads[..4], expected);
    assert_eq!(heads[4..], second);
}

#[test]
fn layer_norm_matches_the_formula() {
    let mut rng = StdRng::seed_from_u64(3);
    for width in [5, 16, 48, 50] {
        let mut values = random(&mut rng, 3 * width, 3.0);
        let weight = random(&mut rng, width, 1.0);
        let bias = random(&mut rng, width, 1.0);
        let expected: Vec<f64> = values
            .chunks_exact(width)
            .flat_map(|row| {
                let n = width as f64;
                let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
                let variance = row
                    .iter()
                    .map(|&v| (f64::from(v) - mean).powi(2))
                    .sum::<f64>()
                    / n;
                row.iter()
                    .zip(&weight)
                    .zip(&bias)
                    .map(|((&v, &w), &b)| {
                        (f64::from(v) - mean) / (variance + 1e-5).sqrt() * f64::from(w)
                            + f64::from(b)
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        layer_norm(&mut values, &weight, &bias, 1e-5);
        assert_close(&values, &expected, 5e-6, &format!("width {width}"));
    }
}

#[test]
fn gelu_is_exact_to_a_millionth_everywhere() {
    let values: Vec<f32> = (-12_000..=12_000).map(|i| i as f32 / 1_000.0).collect();
    let identity = Linear::new(exact(Engine::Portable), &[1.0], vec![0.0], 1);
    let mut out = vec![0.0; values.len()];
    let gelu = Epilogue::Activation(Activation::Gelu);
    identity.apply(&values, &mut out, gelu, &mut Rounded::default());
    for (&x, &y) in values.iter().zip(&out) {
        let expected = activate(Activation::Gelu, f64::from(x));
        assert!(
            (f64::from(y) - expected).abs() < 2e-6,
            "gelu({x}) is {y}, not {expected}"
        );
    }
}
