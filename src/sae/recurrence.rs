//! How often latents come back when an SAE is trained again from another seed: what a latent says of the
//! vectors, and not of the chance it began with, comes back.

use super::model::Sae;
use super::record::Recurrence;
use super::splitting::counterparts;
use crate::error::Result;

/// Decimals that are kept of a recurrence, as a factor.
const PLACES: f32 = 1000.0;

/// Compares an SAE with others of the same vectors, each with its seed.
///
/// # Errors
/// `FailedPrecondition` where they read different numbers of values.
pub fn recurrence<'a>(
    sae: &Sae,
    others: impl IntoIterator<Item = (u64, &'a Sae)>,
) -> Result<Recurrence> {
    // The numbers of an SAE's latents have 32 bits.
    let latents: Vec<u32> = (0..sae.n_latents() as u32).collect();
    let mut sums = vec![0.0_f32; latents.len()];
    let mut seeds = Vec::new();
    for (seed, other) in others {
        let nearest = counterparts(sae, other, &latents, 1, 0.0)?;
        for (sum, found) in sums.iter_mut().zip(nearest) {
            let mutual = found.first().filter(|nearest| nearest.is_mutual);
            *sum += mutual.map_or(0.0, |nearest| nearest.cosine.min(1.0));
        }
        seeds.push(seed);
    }
    let of = seeds.len().max(1) as f32;
    let rounded = sums.iter().map(|sum| (sum / of * PLACES).round() / PLACES);
    Ok(Recurrence {
        seeds,
        of_latents: rounded.collect(),
    })
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
    fn a_latent_recurs_where_it_and_its_nearest_are_each_others_nearest() {
        let own = sae(&[[1.0, 0.0], [0.0, 2.0], [0.0, 0.0], [0.1, 1.0]]);
        // The first comes back twice; of the two alike only the nearer one; nothing comes back of no direction.
        let same = sae(&[[3.0, 0.0], [0.0, 1.0]]);
        let turned = sae(&[[4.0, 3.0], [-1.0, 0.0]]);
        let found = recurrence(&own, [(1, &same), (5, &turned)]).unwrap();
        assert_eq!(found.seeds, [1, 5]);
        assert_eq!(found.of_latents, [0.9, 0.5, 0.0, 0.0]);
        assert_eq!((found.at_least(0.5), found.mean()), (2, 0.35));
    }
}
