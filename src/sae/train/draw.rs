//! Drawing rows and numbers: everything random in a training starts here.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::sae::normalisation::Normalisation;
use crate::vectors::norm;

/// The rows as an SAE with `normalisation` sees them. Normalising them again changes nothing, so
/// such an SAE is trained and measured on them as on any.
pub(super) fn normalised(vectors: &[f32], d: usize, normalisation: Normalisation) -> Vec<f32> {
    let mut out = vec![0.0; vectors.len()];
    for (x, row) in vectors.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
        normalisation.apply(x, row);
    }
    out
}

/// Up to `most` of `rows`, drawn without replacement, ascending.
pub(super) fn sample(rows: &[u32], most: usize, rng: &mut StdRng) -> Vec<u32> {
    let mut rows = rows.to_vec();
    if rows.len() > most {
        let (drawn, _) = rows.partial_shuffle(rng, most);
        let mut drawn = drawn.to_vec();
        drawn.sort_unstable();
        return drawn;
    }
    rows.sort_unstable();
    rows
}

/// A generator for one purpose at one time, so that a resumed training draws the same numbers.
pub(super) fn rng(seed: u64, purpose: &str, time: u64) -> StdRng {
    let mut state = seed ^ 0x5ae0_5ae0_5ae0_5ae0;
    for byte in purpose.bytes().chain(time.to_le_bytes()) {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        state ^= state >> 29;
    }
    StdRng::seed_from_u64(state)
}

/// Root mean square of the coordinates of `sample` about `centre`.
pub(super) fn deviation(sample: &[&[f32]], centre: &[f32]) -> f32 {
    let squares: f64 = sample
        .iter()
        .flat_map(|row| row.iter().zip(centre))
        .map(|(x, c)| (f64::from(*x) - f64::from(*c)).powi(2))
        .sum();
    (squares / (sample.len() * centre.len()) as f64).sqrt() as f32
}

/// Mean of the rows of `[rows, d]`.
pub(super) fn mean(vectors: &[f32], d: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; d];
    for row in vectors.chunks_exact(d) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    let rows = (vectors.len() / d).max(1) as f64;
    sums.into_iter().map(|sum| (sum / rows) as f32).collect()
}

/// Mean length of the rows of `[rows, d]`.
pub(super) fn mean_norm(vectors: &[f32], d: usize) -> f64 {
    let rows = vectors.len() / d;
    vectors.chunks_exact(d).map(norm).sum::<f64>() / rows.max(1) as f64
}
