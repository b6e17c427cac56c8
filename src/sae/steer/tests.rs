use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::sae::SaeParts;

const D: usize = 16;
const N: usize = 40;

/// A tied SAE with random unit rows, and a unit vector.
fn case() -> (Sae, Vec<f32>) {
    let mut rng = StdRng::seed_from_u64(17);
    let mut w_dec: Vec<f32> = (0..N * D).map(|_| rng.random_range(-1.0..1.0)).collect();
    w_dec.chunks_exact_mut(D).for_each(normalise);
    let mut x: Vec<f32> = (0..D).map(|_| rng.random_range(-1.0..1.0)).collect();
    normalise(&mut x);
    let parts = SaeParts::plain(4, D, w_dec.clone(), w_dec);
    let sae = Sae::new(SaeParts {
        b_dec: vec![0.01; D],
        ..parts
    });
    (sae.unwrap(), x)
}

fn inactive(codes: &Codes) -> u32 {
    (0..N as u32)
        .find(|latent| !codes.row(0).0.contains(latent))
        .unwrap()
}

#[test]
fn add_moves_along_the_unit_direction() {
    let (sae, x) = case();
    let edit = Edit::Add {
        latent: 9,
        strength: 0.7,
    };
    let steered = steer(&sae, &x, &[edit], None).unwrap();
    let mut expected: Vec<f32> = x
        .iter()
        .zip(sae.direction(9).unwrap())
        .map(|(x, d)| x + 0.7 * d)
        .collect();
    normalise(&mut expected);
    for (found, expected) in steered.vector.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-6);
    }
    assert!((steered.cosine - cosine(&x, &expected)).abs() < 1e-6);
    assert!((norm(&steered.vector) - 1.0).abs() < 1e-6);
}

#[test]
fn no_edit_changes_nothing_and_clamping_keeps_the_residual() {
    let (sae, x) = case();
    let same = steer(&sae, &x, &[], None).unwrap();
    assert!((same.cosine - 1.0).abs() < 1e-6);
    assert_eq!(same.before.row(0).0, same.after.row(0).0);

    let latent = same.before.row(0).0[1];
    let unchanged = Edit::Scale {
        latent,
        factor: 1.0,
    };
    let steered = steer(&sae, &x, &[unchanged], None).unwrap();
    assert!((steered.cosine - 1.0).abs() < 1e-6, "{}", steered.cosine);

    // x' = decode(z') + (x - decode(z)), so zeroing removes exactly one row of the decoder.
    let activation = same.before.row(0).1[1];
    let steered = steer(&sae, &x, &[Edit::Zero { latent }], None).unwrap();
    let mut expected: Vec<f32> = x
        .iter()
        .zip(sae.decoder_row(latent).unwrap())
        .map(|(x, d)| x - activation * d)
        .collect();
    normalise(&mut expected);
    for (found, expected) in steered.vector.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5);
    }
    let (explained, _) = sae.reconstruct(&x, 1).unwrap();
    let residual: f64 = x
        .iter()
        .zip(&explained)
        .map(|(x, e)| f64::from(x - e).powi(2))
        .sum();
    assert!((steered.residual_norm - residual.sqrt()).abs() < 1e-6);
}

#[test]
fn setting_raises_a_latent_and_consistency_brings_the_code_closer() {
    let (sae, x) = case();
    let before = steer(&sae, &x, &[], None).unwrap().before;
    let latent = inactive(&before);
    let edit = Edit::Set {
        latent,
        activation: 0.8,
    };
    let plain = steer(&sae, &x, &[edit], None).unwrap();
    assert!(plain.after.row(0).0.contains(&latent));
    assert!(plain.inconsistency.is_none());
    let consistent = steer(&sae, &x, &[edit], Some(10)).unwrap();
    let (first, last) = consistent.inconsistency.unwrap();
    assert!(last < 0.7 * first, "{first} to {last}");
}

#[test]
fn a_vector_that_is_not_unit_keeps_its_scale() {
    let (sae, x) = case();
    let doubled: Vec<f32> = x.iter().map(|v| 2.0 * v).collect();
    let edit = Edit::Add {
        latent: 0,
        strength: 0.1,
    };
    let steered = steer(&sae, &doubled, &[edit], None).unwrap();
    assert!(norm(&steered.vector) > 1.5);
}

#[test]
fn wrong_edits_are_named() {
    let (sae, x) = case();
    let field = |edit: Edit| {
        let fine = Edit::Zero { latent: 0 };
        let error = steer(&sae, &x, &[fine, edit], None).unwrap_err();
        error.field().map(str::to_owned)
    };
    assert_eq!(
        field(Edit::Zero { latent: 40 }).as_deref(),
        Some("edits[1].latent")
    );
    assert_eq!(
        field(Edit::Set {
            latent: 1,
            activation: -1.0
        })
        .as_deref(),
        Some("edits[1].activation")
    );
    assert_eq!(
        field(Edit::Add {
            latent: 1,
            strength: f32::NAN
        })
        .as_deref(),
        Some("edits[1].strength")
    );
    assert_eq!(
        steer(&sae, &x[1..], &[], None).unwrap_err().field(),
        Some("vector")
    );
}
