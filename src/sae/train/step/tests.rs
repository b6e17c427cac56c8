//! The gradient against finite differences of the loss written down naively in f64.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::sae::train::forward::add_noise;
use crate::sae::train::parameters::normal;
use crate::vectors::normalise;

const N: usize = 24;
const D: usize = 10;
const K: usize = 3;
const ROWS: usize = 150;
const ALPHA: f64 = 0.25;

struct Case {
    weights: Parameters,
    vectors: Vec<f32>,
    rows: Vec<u32>,
    dead: Vec<u32>,
}

fn case() -> Case {
    let mut rng = StdRng::seed_from_u64(11);
    let mut weights = Parameters::zeros(N, D);
    for (_, values) in weights.named_mut() {
        values.fill_with(|| 0.3 * normal(&mut rng));
    }
    weights.w_dec.chunks_exact_mut(D).for_each(normalise);
    let vectors = (0..ROWS * D).map(|_| normal(&mut rng)).collect();
    let mut rows: Vec<u32> = (0..ROWS as u32).collect();
    rows.rotate_left(rng.random_range(1..ROWS));
    Case {
        weights,
        vectors,
        rows,
        dead: vec![2, 7, 11, 20],
    }
}

/// The k largest of `sums` among `allowed`, positive ones only.
fn top(sums: &[f64], allowed: &[usize], k: usize) -> Vec<usize> {
    let mut order = allowed.to_vec();
    order.sort_by(|a, b| sums[*b].total_cmp(&sums[*a]));
    order.truncate(k);
    order.retain(|i| sums[*i] > 0.0);
    order
}

/// A row about `b_dec`, and its sums before ReLU.
fn encoded(case: &Case, weights: &[Vec<f64>; 4], row: u32) -> (Vec<f64>, Vec<f64>) {
    let [w_enc, b_enc, _, b_dec] = weights;
    let x = &case.vectors[row as usize * D..(row as usize + 1) * D];
    let centred = x.iter().zip(b_dec).map(|(x, b)| f64::from(*x) - b);
    let centred: Vec<f64> = centred.collect();
    let sum = |i| b_enc[i] + (0..D).map(|j| centred[j] * w_enc[i * D + j]).sum::<f64>();
    let sums = (0..N).map(sum).collect();
    (centred, sums)
}

/// `x_hat - x` of every row, and what the dead latents leave of `fixed`.
fn residuals(
    case: &Case,
    weights: &[Vec<f64>; 4],
    fixed: Option<&[Vec<f64>]>,
) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let w_dec = &weights[2];
    let all: Vec<usize> = (0..N).collect();
    let dead: Vec<usize> = case.dead.iter().map(|i| *i as usize).collect();
    let mut main = Vec::new();
    let mut left = Vec::new();
    for (position, row) in case.rows.iter().enumerate() {
        let (centred, sums) = encoded(case, weights, *row);
        let decode = |kept: &[usize]| -> Vec<f64> {
            (0..D)
                .map(|j| kept.iter().map(|i| sums[*i] * w_dec[i * D + j]).sum())
                .collect()
        };
        let x_hat = decode(&top(&sums, &all, K));
        main.push((0..D).map(|j| x_hat[j] - centred[j]).collect::<Vec<f64>>());
        let e_hat = decode(&top(&sums, &dead, (2 * K).min(D / 2).min(dead.len())));
        let residual = fixed.map_or(&main[position], |fixed| &fixed[position]);
        left.push((0..D).map(|j| e_hat[j] + residual[j]).collect());
    }
    (main, left)
}

fn squares(rows: &[Vec<f64>]) -> f64 {
    rows.iter().flatten().map(|v| v * v).sum()
}

fn spread(rows: &[Vec<f64>]) -> f64 {
    let n = rows.len() as f64;
    (0..D)
        .map(|j| {
            let mean = rows.iter().map(|r| r[j]).sum::<f64>() / n;
            rows.iter().map(|r| (r[j] - mean).powi(2)).sum::<f64>()
        })
        .sum()
}

fn wide(weights: &Parameters) -> [Vec<f64>; 4] {
    weights
        .named()
        .map(|(_, values)| values.iter().map(|v| f64::from(*v)).collect())
}

fn inputs(case: &Case) -> Vec<Vec<f64>> {
    case.rows
        .iter()
        .map(|row| {
            let start = *row as usize * D;
            case.vectors[start..start + D]
                .iter()
                .map(|v| f64::from(*v))
                .collect()
        })
        .collect()
}

fn run(case: &Case, dead: &[u32]) -> (Backprop, StepOutput) {
    let mut backprop = Backprop::new(N, D);
    let output = backprop.run(
        &case.weights,
        &StepInput {
            vectors: &case.vectors,
            rows: &case.rows,
            keep: Keep::TopK(K),
            prefixes: &[],
            dead_slots: (2 * K).min(D / 2).min(dead.len()),
            dead,
            aux_alpha: ALPHA as f32,
            handicap: &[],
            pairs: &[],
            contrast: 0.0,
            noise: None,
        },
    );
    (backprop, output)
}

#[test]
fn gradient_equals_finite_differences_of_the_written_loss() {
    let case = case();
    let (backprop, output) = run(&case, &case.dead);
    let base = wide(&case.weights);
    let (fixed, left) = residuals(&case, &base, None);
    let (variance, residual_variance) = (spread(&inputs(&case)), spread(&fixed));
    assert!((output.fvu - squares(&fixed) / variance).abs() < 1e-5);
    assert!((output.aux - squares(&left) / residual_variance).abs() < 1e-5);

    let loss = |weights: &[Vec<f64>; 4]| {
        let (main, left) = residuals(&case, weights, Some(&fixed));
        squares(&main) / variance + ALPHA * squares(&left) / residual_variance
    };
    let mut numeric: [Vec<f64>; 4] = base.clone();
    for tensor in 0..4 {
        for at in 0..base[tensor].len() {
            let mut moved = base.clone();
            moved[tensor][at] += 1e-6;
            let up = loss(&moved);
            moved[tensor][at] -= 2e-6;
            numeric[tensor][at] = (up - loss(&moved)) / 2e-6;
        }
    }
    // The decoder's gradient is reported without its part along the row.
    for (g, w) in numeric[2].chunks_exact_mut(D).zip(base[2].chunks_exact(D)) {
        let along: f64 = g.iter().zip(w).map(|(g, w)| g * w).sum();
        g.iter_mut().zip(w).for_each(|(g, w)| *g -= along * w);
    }
    let mut norm = 0.0;
    for ((name, found), expected) in backprop.gradient.named().iter().zip(&numeric) {
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                (f64::from(*found) - expected).abs() < 2e-5,
                "{name}[{at}]: {found} against {expected}"
            );
            norm += expected * expected;
        }
    }
    assert!((output.gradient_norm - norm.sqrt()).abs() < 1e-4);
}

#[test]
fn without_dead_latents_there_is_no_auxiliary_loss() {
    let case = case();
    let (_, output) = run(&case, &[]);
    assert_eq!(output.aux, 0.0);
    let (_, with_dead) = run(&case, &case.dead);
    assert!(with_dead.aux > 0.0);
    assert_eq!(output.fvu, with_dead.fvu);
}

#[test]
fn auxk_trains_dead_latents_and_counts_only_the_top_k() {
    let mut case = case();
    // Latent 2 loses every comparison, so only the auxiliary loss can reach it.
    case.weights.b_enc[2] = -0.5;
    case.weights.w_enc[2 * D..3 * D].fill(0.0);
    case.weights.w_enc[2 * D] = 0.6;
    let (backprop, _) = run(&case, &[2]);
    let mut kept = [0usize; N];
    backprop.for_each_kept(|latent| kept[latent as usize] += 1);
    assert!(kept.iter().sum::<usize>() <= ROWS * K);
    let with = backprop.gradient.w_enc[2 * D..3 * D].to_vec();
    let (backprop, _) = run(&case, &[]);
    let without = &backprop.gradient.w_enc[2 * D..3 * D];
    assert!(with.iter().zip(without).any(|(a, b)| (a - b).abs() > 1e-6));
}

#[test]
fn a_latent_with_a_handicap_is_not_kept() {
    let case = case();
    let mut backprop = Backprop::new(N, D);
    let mut handicap = vec![0.0; N];
    handicap[5] = f32::NEG_INFINITY;
    let _ = backprop.run(
        &case.weights,
        &StepInput {
            vectors: &case.vectors,
            rows: &case.rows,
            keep: Keep::TopK(K),
            prefixes: &[],
            dead_slots: 0,
            dead: &[],
            aux_alpha: 0.0,
            handicap: &handicap,
            pairs: &[],
            contrast: 0.0,
            noise: None,
        },
    );
    backprop.for_each_kept(|latent| assert_ne!(latent, 5));
    assert!(!backprop.touched(5));
}

#[test]
fn noise_has_the_deviation_asked_for() {
    let x = vec![1.0; 100_000];
    let mut out = vec![0.0; x.len()];
    add_noise(&x, 0.25, 99, &mut out);
    let n = x.len() as f64;
    let mean = out.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = out
        .iter()
        .map(|v| (f64::from(*v) - mean).powi(2))
        .sum::<f64>()
        / n;
    assert!((mean - 1.0).abs() < 0.005, "{mean}");
    assert!((variance.sqrt() - 0.25).abs() < 0.005, "{variance}");
}

/// The mean over `prefixes` of the squared residuals, of codes that share `K * ROWS` activations.
fn shared_codes_loss(case: &Case, weights: &[Vec<f64>; 4], prefixes: &[usize]) -> (f64, f64) {
    let w_dec = &weights[2];
    let rows = case.rows.iter().map(|row| encoded(case, weights, *row));
    let (centred, sums): (Vec<_>, Vec<_>) = rows.unzip();
    let mut all: Vec<f64> = sums
        .iter()
        .flatten()
        .copied()
        .filter(|p| *p > 0.0)
        .collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let least = all
        .get(K * case.rows.len() - 1)
        .copied()
        .unwrap_or(0.0)
        .max(f64::MIN_POSITIVE);
    let mut squares = 0.0;
    for (c, p) in centred.iter().zip(&sums) {
        for end in prefixes {
            for j in 0..D {
                let x_hat: f64 = (0..*end)
                    .filter(|i| p[*i] >= least)
                    .map(|i| p[i] * w_dec[i * D + j])
                    .sum();
                squares += (x_hat - c[j]).powi(2) / prefixes.len() as f64;
            }
        }
    }
    (squares / spread(&inputs(case)), least)
}

#[test]
fn gradient_of_a_batch_top_k_matryoshka_step_equals_finite_differences() {
    let case = case();
    let prefixes = [5, 12, N];
    for floor in [0.0, 0.05, 1e3] {
        let mut backprop = Backprop::new(N, D);
        let output = backprop.run(
            &case.weights,
            &StepInput {
                keep: Keep::BatchTopK { k: K, floor },
                prefixes: &prefixes,
                ..StepInput::plain(&case.vectors, &case.rows, Keep::TopK(K))
            },
        );
        let base = wide(&case.weights);
        let (loss, least) = shared_codes_loss(&case, &base, &prefixes);
        assert!((output.nmse - loss).abs() < 1e-5, "{} {loss}", output.nmse);
        assert!((f64::from(output.smallest.unwrap()) - least).abs() < 1e-5);
        assert!((output.l0 - K as f64).abs() < 1e-9);
        let mut numeric: [Vec<f64>; 4] = base.clone();
        for tensor in 0..4 {
            for at in 0..base[tensor].len() {
                let mut moved = base.clone();
                moved[tensor][at] += 1e-6;
                let up = shared_codes_loss(&case, &moved, &prefixes).0;
                moved[tensor][at] -= 2e-6;
                let down = shared_codes_loss(&case, &moved, &prefixes).0;
                numeric[tensor][at] = (up - down) / 2e-6;
            }
        }
        for (g, w) in numeric[2].chunks_exact_mut(D).zip(base[2].chunks_exact(D)) {
            let along: f64 = g.iter().zip(w).map(|(g, w)| g * w).sum();
            g.iter_mut().zip(w).for_each(|(g, w)| *g -= along * w);
        }
        for ((name, found), expected) in backprop.gradient.named().iter().zip(&numeric) {
            for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert!(
                    (f64::from(*found) - expected).abs() < 2e-5,
                    "{name}[{at}]: {found} against {expected}"
                );
            }
        }
    }
}

#[test]
fn equal_values_of_a_batch_are_kept_in_order_and_never_too_many() {
    // All rows alike: every sum stands as often as there are rows.
    let mut case = case();
    for row in 1..ROWS {
        case.vectors.copy_within(..D, row * D);
    }
    let mut backprop = Backprop::new(N, D);
    let keep = Keep::BatchTopK { k: 2, floor: 0.0 };
    let rows = &case.rows[..101];
    let output = backprop.run(&case.weights, &StepInput::plain(&case.vectors, rows, keep));
    let counts: Vec<usize> = backprop
        .blocks
        .iter()
        .flat_map(|block| block.live.counts.clone())
        .collect();
    let positive = counts[0].max(1);
    assert_eq!(counts.iter().sum::<usize>(), (2 * 101).min(positive * 101));
    assert!((output.l0 - counts.iter().sum::<usize>() as f64 / 101.0).abs() < 1e-9);
    assert!(
        counts.windows(2).all(|pair| pair[0] >= pair[1]),
        "{counts:?}"
    );
}

/// NMSE of a batch and `weight` times InfoNCE over the codes of `pairs`, where no document is another's partner.
fn contrastive_loss(
    case: &Case,
    weights: &[Vec<f64>; 4],
    pairs: &[(u32, u32)],
    weight: f64,
) -> f64 {
    let (main, _) = residuals(case, weights, None);
    let all: Vec<usize> = (0..N).collect();
    let code = |position: u32| {
        let (_, sums) = encoded(case, weights, case.rows[position as usize]);
        let mut code = vec![0.0; N];
        top(&sums, &all, K)
            .into_iter()
            .for_each(|i| code[i] = sums[i]);
        let norm = code.iter().map(|v| v * v).sum::<f64>().sqrt();
        code.iter_mut().for_each(|v| *v /= norm.max(1e-30));
        code
    };
    let documents: Vec<Vec<f64>> = pairs.iter().map(|pair| code(pair.0)).collect();
    let loss = |(i, pair): (usize, &(u32, u32))| {
        let partner = code(pair.1);
        let cosines: Vec<f64> = documents
            .iter()
            .map(|document| document.iter().zip(&partner).map(|(a, b)| a * b).sum())
            .collect();
        let total: f64 = cosines.iter().map(|cosine| (cosine / 0.05).exp()).sum();
        total.ln() - cosines[i] / 0.05
    };
    let terms = pairs.iter().enumerate().map(loss).sum::<f64>() / pairs.len() as f64;
    squares(&main) / spread(&inputs(case)) + weight * terms
}

#[test]
fn gradient_of_the_retrieval_objective_equals_finite_differences() {
    let case = case();
    let pairs: Vec<(u32, u32)> = (0..70).map(|at| (at, 149 - at)).collect();
    let weight = 0.3;
    let mut backprop = Backprop::new(N, D);
    let output = backprop.run(
        &case.weights,
        &StepInput {
            pairs: &pairs,
            contrast: weight as f32,
            ..StepInput::plain(&case.vectors, &case.rows, Keep::TopK(K))
        },
    );
    let base = wide(&case.weights);
    let loss = contrastive_loss(&case, &base, &pairs, weight);
    let found = output.nmse + weight * output.contrast;
    assert!((found - loss).abs() < 1e-4 * loss, "{found} {loss}");

    let gradient = wide(&backprop.gradient);
    for part in [0, 1, 3] {
        for at in (0..base[part].len()).step_by(7) {
            let moved = |by: f64| {
                let mut weights = base.clone();
                weights[part][at] += by;
                contrastive_loss(&case, &weights, &pairs, weight)
            };
            let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            let found = gradient[part][at];
            assert!(
                (found - expected).abs() < 1e-3 * (1.0 + expected.abs()),
                "part {part} at {at}: {found} {expected}"
            );
        }
    }
}

#[test]
fn a_document_that_is_a_partner_of_another_pair_is_not_pushed_away() {
    let case = case();
    let mut rows = case.rows.clone();
    // The partner of the first pair is the document of the second.
    rows[100] = rows[1];
    let term = |pairs: &[(u32, u32)]| {
        Backprop::new(N, D)
            .run(
                &case.weights,
                &StepInput {
                    pairs,
                    contrast: 1.0,
                    ..StepInput::plain(&case.vectors, &rows, Keep::TopK(K))
                },
            )
            .contrast
    };
    let both = term(&[(0, 100), (1, 101)]);
    let second = term(&[(1, 101), (0, 102)]);
    // The first pair adds nothing, having no negative; the second has one either way.
    assert!(both > 0.0 && both < second + 1e-6, "{both} {second}");
}
