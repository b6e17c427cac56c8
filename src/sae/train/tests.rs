//! Whole trainings on planted dictionaries.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::error::ErrorKind;
use crate::sae::Architecture;
use crate::sae::kernel;
use crate::sae::{Objective, Sae, Sparsity, recurrence, slices};
use crate::vectors::{norm, normalise, unit};
use parameters::normal;

const D: usize = 24;
const N: usize = 32;
const K: usize = 2;

/// Rows that are sums of `K` of `N` random directions about an offset.
fn planted(rows: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut directions: Vec<f32> = (0..N * D).map(|_| normal(&mut rng)).collect();
    directions.chunks_exact_mut(D).for_each(normalise);
    let mut vectors = Vec::with_capacity(rows * D);
    for _ in 0..rows {
        let mut x = vec![0.5f32; D];
        for _ in 0..K {
            let latent = rng.random_range(0..N);
            let strength = rng.random_range(1.0..2.0);
            for (x, v) in x.iter_mut().zip(&directions[latent * D..]) {
                *x += strength * v;
            }
        }
        vectors.extend(x);
    }
    (vectors, directions)
}

fn config() -> TrainConfig {
    TrainConfig {
        n_latents: N,
        k: K,
        epochs: 60,
        batch: 64,
        learning_rate: 5e-3,
        noise: 0.0,
        weight_decay: 0.0,
        held_out: 0.1,
        seed: 5,
        threads: 1,
        ..TrainConfig::default()
    }
}

fn quiet(vectors: &[f32], config: &TrainConfig) -> Trained {
    train(vectors, D, config, None, &Progress::default(), &mut |_| {}).unwrap()
}

#[test]
fn a_planted_dictionary_is_found() {
    let (vectors, directions) = planted(2000, 1);
    let trained = quiet(&vectors, &config());
    let held_out = trained.report.held_out.unwrap();
    assert!(held_out.fvu < 0.15, "held-out FVU {}", held_out.fvu);
    assert_eq!(held_out.rows, 200);
    assert_eq!(trained.report.rows, 1800);
    let found = directions
        .chunks_exact(D)
        .filter(|direction| {
            trained
                .sae
                .parts()
                .w_dec
                .chunks_exact(D)
                .any(|row| crate::sae::kernel::inner(row, direction) > 0.9)
        })
        .count();
    assert!(found > N / 2, "{found} of {N} directions");
    for row in trained.sae.parts().w_dec.chunks_exact(D) {
        assert!((norm(row) - 1.0).abs() < 1e-4);
    }
}

#[test]
fn equal_seeds_give_equal_weights_on_any_number_of_threads() {
    let (vectors, _) = planted(500, 2);
    let mut config = config();
    config.epochs = 4;
    config.average = 0.9;
    config.noise = 0.1;
    config.dropout = 0.1;
    let one = quiet(&vectors, &config);
    config.threads = 3;
    let three = quiet(&vectors, &config);
    assert_eq!(one.sae.hash(), three.sae.hash());
    config.seed += 1;
    assert_ne!(one.sae.hash(), quiet(&vectors, &config).sae.hash());
}

#[test]
fn a_cancelled_training_goes_on_to_the_same_weights() {
    let (vectors, _) = planted(500, 3);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("training.safetensors");
    let mut config = config();
    config.epochs = 6;
    config.average = 0.9;
    config.patience = 50;
    let whole = quiet(&vectors, &config);

    let progress = Progress::default();
    let cancelled = train(&vectors, D, &config, Some(&path), &progress, &mut |now| {
        if now.step >= 20 {
            progress.stop();
        }
    });
    assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(path.exists());

    let mut other = config.clone();
    other.learning_rate *= 2.0;
    let progress = Progress::default();
    let refused = train(&vectors, D, &other, Some(&path), &progress, &mut |_| {});
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::FailedPrecondition);

    let mut first = None;
    let resumed = train(&vectors, D, &config, Some(&path), &progress, &mut |now| {
        first.get_or_insert(now.step);
    })
    .unwrap();
    assert!(first.unwrap() > 20);
    let steps = resumed.report.steps as u64;
    assert_eq!(progress.units(), (steps, steps));
    assert_eq!(resumed.sae.hash(), whole.sae.hash());
    assert!(!path.exists());
}

#[test]
fn early_stopping_returns_the_best_weights() {
    let (vectors, _) = planted(120, 4);
    let mut config = config();
    config.epochs = 400;
    config.patience = 3;
    config.decay = 0.0;
    config.held_out = 0.3;
    let mut best = f64::INFINITY;
    let progress = Progress::default();
    let trained = train(&vectors, D, &config, None, &progress, &mut |now| {
        if let Some(fvu) = now.held_out_fvu {
            best = best.min(fvu);
        }
    })
    .unwrap();
    assert!(trained.report.stopped_early);
    let fvu = trained.report.held_out.unwrap().fvu;
    assert!((fvu - best).abs() < 1e-4, "{fvu} against {best}");
}

#[test]
fn batch_top_k_shares_activations_and_is_saved_with_a_threshold() {
    let (vectors, _) = planted(2000, 7);
    let mut config = config();
    config.sparsity = Sparsity::BatchTopK;
    config.noise = 0.1;
    let trained = quiet(&vectors, &config);
    let quality = trained.report.held_out.unwrap();
    assert!(quality.fvu < 0.15, "held-out FVU {}", quality.fvu);
    assert!((quality.l0 - K as f64).abs() < 0.3, "L0 {}", quality.l0);
    let Architecture::BatchTopK { k, threshold } = *trained.sae.architecture() else {
        panic!("{:?}", trained.sae.architecture());
    };
    assert!(k == K && threshold > 0.0);
    // Rows differ in how many latents they use.
    let mut codes = crate::sae::Codes::new();
    trained.sae.encode(&vectors, &mut codes).unwrap();
    let counts: std::collections::BTreeSet<usize> =
        codes.iter().map(|(latents, _)| latents.len()).collect();
    assert!(counts.len() > 1, "{counts:?}");
    config.threads = 3;
    assert_eq!(quiet(&vectors, &config).sae.hash(), trained.sae.hash());
}

#[test]
fn matryoshka_prefixes_reconstruct_alone() {
    let (vectors, _) = planted(2000, 8);
    let fvu_of_prefix = |sae: &crate::sae::Sae, length: usize| {
        let mut parts = sae.parts().clone();
        parts.w_enc_t.truncate(length * D);
        parts.w_dec.truncate(length * D);
        parts.b_enc.truncate(length);
        let prefix = crate::sae::Sae::new(parts).unwrap();
        let mut fit = crate::sae::Fit::default();
        let codes = prefix.encode_parallel(&vectors, 1).unwrap();
        fit.add_coded(&prefix, &vectors, &codes).unwrap();
        fit.fvu().unwrap()
    };
    let plain = quiet(&vectors, &config());
    let mut config = config();
    config.prefixes = vec![8, 16, N];
    let nested = quiet(&vectors, &config);
    let (alone, trained) = (fvu_of_prefix(&plain.sae, 8), fvu_of_prefix(&nested.sae, 8));
    assert!(trained < 0.9 * alone, "{trained} against {alone}");
    assert!(nested.report.held_out.unwrap().fvu < 0.4);

    config.prefixes = vec![16, 8, N];
    let error = train(
        &vectors,
        D,
        &config,
        None,
        &Progress::default(),
        &mut |_| {},
    );
    assert_eq!(error.unwrap_err().field(), Some("prefixes"));
}

/// Rows that are read in pieces, as of a file; reads are counted.
struct Pieces {
    vectors: Vec<f32>,
    largest: std::sync::atomic::AtomicUsize,
}

impl RowSource for Pieces {
    fn rows(&self) -> usize {
        self.vectors.len() / D
    }

    fn dimension(&self) -> usize {
        D
    }

    fn chunks(&self) -> Vec<std::ops::Range<usize>> {
        slices(0..self.rows(), 50)
    }

    fn read(&self, rows: std::ops::Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        self.largest
            .fetch_max(rows.len(), std::sync::atomic::Ordering::Relaxed);
        out.clear();
        out.extend_from_slice(&self.vectors[rows.start * D..rows.end * D]);
        Ok(())
    }
}

fn pieces(vectors: &[f32]) -> Pieces {
    Pieces {
        vectors: vectors.to_vec(),
        largest: std::sync::atomic::AtomicUsize::new(0),
    }
}

#[test]
fn a_source_that_fits_is_trained_on_as_rows_in_memory() {
    let (vectors, _) = planted(500, 2);
    let mut config = config();
    config.epochs = 3;
    let source = pieces(&vectors);
    let read = train_source(&source, &config, None, &Progress::default(), &mut |_| {});
    assert_eq!(
        read.unwrap().sae.hash(),
        quiet(&vectors, &config).sae.hash()
    );
}

#[test]
fn a_source_larger_than_the_window_is_learnt_and_resumed_to_the_same_weights() {
    let (vectors, _) = planted(2030, 1);
    let source = pieces(&vectors);
    let mut config = config();
    config.window_rows = 300;
    let go = |source: &Pieces, config: &TrainConfig, path: Option<&Path>| {
        train_source(source, config, path, &Progress::default(), &mut |_| {})
    };
    let whole = go(&source, &config, None).unwrap();
    assert!(source.largest.into_inner() <= 50, "read piece by piece");
    let held_out = whole.report.held_out.as_ref().unwrap();
    assert!(held_out.fvu < 0.2, "held-out FVU {}", held_out.fvu);
    // Whole pieces are held out.
    assert!((203..260).contains(&held_out.rows), "{}", held_out.rows);
    assert_eq!(whole.report.rows + held_out.rows, 2030);

    let source = pieces(&vectors);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("training.safetensors");
    config.epochs = 5;
    let five = go(&source, &config, None).unwrap();
    // Within an epoch, and not at the end of a window.
    let progress = Progress::default();
    let stopped = train_source(&source, &config, Some(&path), &progress, &mut |now| {
        if now.step >= 30 {
            progress.stop();
        }
    });
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
    let resumed = go(&source, &config, Some(&path)).unwrap();
    assert_eq!(resumed.sae.hash(), five.sae.hash());

    let mut bad = pieces(&vectors);
    bad.vectors[1999 * D + 1] = f32::INFINITY;
    let error = go(&bad, &config, None).unwrap_err();
    assert_eq!(error.field(), Some("vectors[1999]"));
}

#[test]
fn planted_latents_come_back_from_other_seeds_and_ended_trainings_are_not_done_again() {
    let (vectors, _) = planted(2000, 1);
    let source = pieces(&vectors);
    let config = config();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sae.checkpoint");
    // Stopped in the second of three.
    let progress = Progress::default();
    let steps = std::cell::Cell::new(0);
    let stopped = train_seeds(
        (&source, None),
        &config,
        3,
        Some(&path),
        &progress,
        &mut |now| {
            steps.set(now.steps);
            if now.step > now.steps / 3 + 20 {
                progress.stop();
            }
        },
    );
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
    let mut first = None;
    let progress = Progress::default();
    let found = train_seeds(
        (&source, None),
        &config,
        3,
        Some(&path),
        &progress,
        &mut |now| {
            first.get_or_insert(now.step);
        },
    )
    .unwrap();
    assert!(
        first.unwrap() > steps.get() / 3 + 20,
        "{first:?} of {steps:?}"
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    // The SAE of the first seed, and what it is compared with.
    let alone = |seed: u64| {
        quiet(
            &vectors,
            &TrainConfig {
                seed,
                ..config.clone()
            },
        )
        .sae
    };
    let others = [
        (config.seed + 1, &alone(config.seed + 1)),
        (config.seed + 2, &alone(config.seed + 2)),
    ];
    let expected = recurrence(&alone(config.seed), others).unwrap();
    assert_eq!(found.sae.hash(), alone(config.seed).hash());
    assert_eq!(found.sae.record().recurrence, Some(expected.clone()));
    // What the vectors are made of comes back.
    assert!(expected.at_least(0.9) >= N / 2, "{expected:?}");
    let none = train_seeds(
        (&source, None),
        &config,
        0,
        None,
        &Progress::default(),
        &mut |_| {},
    );
    assert_eq!(none.unwrap_err().field(), Some("seeds"));
}

#[test]
fn wrong_input_is_named() {
    let (mut vectors, _) = planted(50, 6);
    let train = |vectors: &[f32], config: &TrainConfig| {
        train(vectors, D, config, None, &Progress::default(), &mut |_| {})
    };
    let with = |change: &dyn Fn(&mut TrainConfig), field: &str| {
        let mut config = config();
        change(&mut config);
        let error = train(&vectors, &config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.field(), Some(field));
    };
    with(&|c| c.k = 0, "k");
    with(&|c| c.k = N + 1, "k");
    with(&|c| c.n_latents = 0, "n_latents");
    with(&|c| c.learning_rate = f32::NAN, "learning_rate");
    with(&|c| c.held_out = 1.0, "held_out");
    with(&|c| c.decay = 0.99, "decay");
    with(&|c| c.prefixes = vec![4], "prefixes");
    vectors[7 * D + 3] = f32::NAN;
    let error = train(&vectors, &config()).unwrap_err();
    assert_eq!(error.field(), Some("vectors[7]"));
    let error = train(&vectors[1..], &config()).unwrap_err();
    assert_eq!(error.field(), Some("vectors"));
}

#[test]
fn defaults_grow_with_the_collection_and_pass_their_checks() {
    let sizes: Vec<(usize, usize)> = [1_000, 10_000, 25_000, 60_000]
        .iter()
        .map(|rows| {
            let config = TrainConfig::for_rows(*rows);
            config.check().unwrap();
            (config.n_latents, config.k)
        })
        .collect();
    assert_eq!(sizes, [(64, 4), (256, 8), (1024, 16), (3072, 32)]);
}

#[test]
fn codes_of_pairs_come_nearer_under_the_retrieval_objective() {
    let rows = 400usize;
    let (vectors, _) = planted(rows, 2);
    let mut random = StdRng::seed_from_u64(5);
    // A query is its row with as much noise again; every fourth row has none.
    let queries: Vec<f32> = vectors
        .chunks_exact(D)
        .enumerate()
        .flat_map(|(row, x)| {
            let has = (row % 4 != 0) as u8 as f32;
            x.iter()
                .map(|v| has * (v + 0.15 * normal(&mut random)))
                .collect::<Vec<f32>>()
        })
        .collect();
    let source = pieces(&vectors);
    let asked = pieces(&queries);
    let train = |objective, queries: Option<&dyn RowSource>| {
        let config = TrainConfig {
            objective,
            contrast: (objective == Objective::Retrieval).then_some(0.1),
            k: 6,
            ..config()
        };
        train_seeds(
            (&source, queries),
            &config,
            1,
            None,
            &Progress::default(),
            &mut |_| {},
        )
    };
    // What the objective lowers: how surprising a row is to its query, among all rows.
    let surprise = |sae: &Sae| {
        let codes = |vectors: &[f32]| {
            let codes = sae.encode_parallel(vectors, 0).unwrap();
            let dense = |row| {
                let (latents, activations) = codes.row(row);
                let mut dense = vec![0.0f32; N];
                for (latent, value) in latents.iter().zip(activations) {
                    dense[*latent as usize] = *value;
                }
                unit(&dense)
            };
            (0..rows).map(dense).collect::<Vec<_>>()
        };
        let (documents, asked) = (codes(&vectors), codes(&queries));
        let of = |row: &usize| {
            let cosine = |other: &Vec<f32>| kernel::dot(&asked[*row], other) / 0.05;
            let total: f32 = documents.iter().map(|other| cosine(other).exp()).sum();
            total.ln() - cosine(&documents[*row])
        };
        (0..rows)
            .filter(|row| row % 4 != 0)
            .map(|row| of(&row))
            .sum::<f32>()
    };
    let plain = train(Objective::Reconstruction, None).unwrap();
    let paired = train(Objective::Retrieval, Some(&asked)).unwrap();
    let again = train(Objective::Retrieval, Some(&asked)).unwrap();
    assert_eq!(paired.sae.hash(), again.sae.hash());
    let (before, after) = (surprise(&plain.sae), surprise(&paired.sae));
    assert!(after < 0.9 * before, "{before} {after}");
    // Without queries near rows are partners.
    let near = train(Objective::Retrieval, None).unwrap();
    assert_ne!(near.sae.hash(), plain.sae.hash());

    let message = |result: Result<Trained>| result.unwrap_err().to_string();
    let few = pieces(&queries[..D * 10]);
    let refused = message(train(Objective::Retrieval, Some(&few)));
    assert!(
        refused.contains("queries") && refused.contains("400"),
        "{refused}"
    );
    let refused = message(train(Objective::Reconstruction, Some(&asked)));
    assert!(refused.contains("retrieval"), "{refused}");
    let windows = TrainConfig {
        objective: Objective::Retrieval,
        window_rows: 100,
        ..config()
    };
    let refused = train_source(&source, &windows, None, &Progress::default(), &mut |_| {});
    assert!(message(refused).contains("window_rows"));
}
