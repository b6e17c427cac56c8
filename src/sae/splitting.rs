//! How the latents of one SAE come back in another: a latent of a small SAE splits into special
//! ones of a large SAE, found by the directions they write (O'Neill et al. 2024, "feature splitting").

use std::cmp::Ordering;

use rayon::prelude::*;

use super::kernel;
use super::model::Sae;
use crate::error::{Error, Result};

/// Directions compared at a time.
const BLOCK: usize = 256;

/// A latent of the other SAE near one of this.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counterpart {
    /// Its number in the other SAE.
    pub latent: u32,
    /// Cosine of the two decoder directions.
    pub cosine: f32,
    /// Whether this latent is in turn the nearest of all of its SAE.
    pub is_mutual: bool,
}

/// For each of `latents` of `one`, the latents of `other` whose decoder directions are nearest, at
/// most `most` of cosine `least` or more, nearest first, equal ones by number. Latents without a
/// direction have none.
///
/// # Errors
/// `FailedPrecondition` where the SAEs read different numbers of values, `InvalidArgument` naming
/// `latents[i]` that `one` has not.
pub fn counterparts(
    one: &Sae,
    other: &Sae,
    latents: &[u32],
    most: usize,
    least: f32,
) -> Result<Vec<Vec<Counterpart>>> {
    let d = one.d_in();
    if d != other.d_in() {
        return Err(Error::precondition(format!(
            "the SAEs read {d} and {} values: their directions cannot be compared",
            other.d_in()
        )));
    }
    for (at, &latent) in latents.iter().enumerate() {
        if latent as usize >= one.n_latents() {
            return Err(Error::invalid(
                format!("latents[{at}]"),
                format!("is {latent}; 0 to {} are accepted", one.n_latents() - 1),
            ));
        }
    }
    let (ours, theirs) = (directions(one), directions(other));
    // The nearest of ours to each of theirs, by blocks of theirs.
    let nearest: Vec<u32> = theirs
        .par_chunks(BLOCK * d)
        .flat_map_iter(|block| {
            let mut cosines = vec![0.0; block.len() / d * one.n_latents()];
            kernel::project(block, &ours, d, &mut cosines);
            let rows = cosines.chunks_exact(one.n_latents()).map(|row| {
                let best = (0u32..).zip(row).max_by(|a, b| closer(*a, *b));
                best.map_or(0, |(latent, _)| latent)
            });
            rows.collect::<Vec<_>>()
        })
        .collect();
    let found = latents.par_chunks(BLOCK).flat_map_iter(|block| {
        let own = |latent: &u32| &ours[*latent as usize * d..(*latent as usize + 1) * d];
        let rows: Vec<f32> = block.iter().flat_map(own).copied().collect();
        let mut cosines = vec![0.0; block.len() * other.n_latents()];
        kernel::project(&rows, &theirs, d, &mut cosines);
        let near = block
            .iter()
            .zip(cosines.chunks_exact(other.n_latents()))
            .map(|(&latent, row)| {
                let mut near: Vec<(u32, &f32)> = (0u32..)
                    .zip(row)
                    .filter(|(_, cosine)| **cosine >= least && **cosine != 0.0)
                    .collect();
                near.sort_unstable_by(|a, b| closer(*b, *a));
                near.truncate(most);
                near.into_iter()
                    .map(|(found, &cosine)| Counterpart {
                        latent: found,
                        cosine,
                        is_mutual: nearest[found as usize] == latent,
                    })
                    .collect()
            });
        near.collect::<Vec<_>>()
    });
    Ok(found.collect())
}

/// By cosine, among equal ones the lower number first.
fn closer(a: (u32, &f32), b: (u32, &f32)) -> Ordering {
    a.1.total_cmp(b.1).then(b.0.cmp(&a.0))
}

/// Decoder rows of length 1, `[n_latents, d_in]`; zeros stay zeros.
fn directions(sae: &Sae) -> Vec<f32> {
    let rows = sae.parts.w_dec.chunks_exact(sae.d_in());
    let scaled = rows.zip(&sae.decoder_norms).flat_map(|(row, &norm)| {
        let scale = if norm > 0.0 { norm.recip() } else { 0.0 };
        row.iter().map(move |value| value * scale)
    });
    scaled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sae::SaeParts;

    fn sae(rows: &[[f32; 2]]) -> Sae {
        let w_enc_t = vec![0.5; rows.len() * 2];
        Sae::new(SaeParts::plain(1, 2, w_enc_t, rows.concat())).unwrap()
    }

    #[test]
    fn a_latent_splits_into_those_that_are_nearest_to_it() {
        let small = sae(&[[1.0, 0.0], [0.0, 2.0]]);
        let large = sae(&[[0.0, 3.0], [3.0, 1.0], [4.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]);
        let found = counterparts(&small, &large, &[0, 1], 10, 0.3).unwrap();
        let as_rows = |found: &[Counterpart]| -> Vec<(u32, i32, bool)> {
            found
                .iter()
                .map(|one| {
                    (
                        one.latent,
                        (one.cosine * 1000.0).round() as i32,
                        one.is_mutual,
                    )
                })
                .collect()
        };
        assert_eq!(as_rows(&found[0]), [(2, 1000, true), (1, 949, true)]);
        assert_eq!(as_rows(&found[1]), [(0, 1000, true), (1, 316, false)]);
        let one = counterparts(&small, &large, &[0], 1, 0.3).unwrap();
        assert_eq!(as_rows(&one[0]), [(2, 1000, true)]);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let small = sae(&[[1.0, 0.0]]);
        let error = counterparts(&small, &small, &[0, 1], 1, 0.0).unwrap_err();
        assert!(error.to_string().contains("latents[1]"), "{error}");
    }
}
