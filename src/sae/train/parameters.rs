//! The trained tensors, and anything of the same shape: gradients, moments, running means.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::vectors::normalise;

/// `W_enc` transposed `[n, d]`, `b_enc[n]`, `W_dec[n, d]`, `b_dec[d]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameters {
    pub w_enc: Vec<f32>,
    pub b_enc: Vec<f32>,
    pub w_dec: Vec<f32>,
    pub b_dec: Vec<f32>,
}

impl Parameters {
    pub fn zeros(n: usize, d: usize) -> Self {
        Self {
            w_enc: vec![0.0; n * d],
            b_enc: vec![0.0; n],
            w_dec: vec![0.0; n * d],
            b_dec: vec![0.0; d],
        }
    }

    /// The start of O'Neill et al. 2024: `b_dec` the median of `sample`, decoder rows random with norm 1,
    /// `W_enc = W_decᵀ`, `b_enc = 0`.
    pub fn initial(n: usize, d: usize, sample: &[&[f32]], seed: u64) -> Self {
        let mut start = Self::zeros(n, d);
        start.b_dec = medians(sample, d);
        let mut rng = StdRng::seed_from_u64(seed);
        for row in start.w_dec.chunks_exact_mut(d) {
            row.fill_with(|| normal(&mut rng));
            normalise(row);
        }
        start.w_enc.copy_from_slice(&start.w_dec);
        start
    }

    /// The four tensors by name, for checkpoints.
    pub fn named(&self) -> [(&'static str, &[f32]); 4] {
        [
            ("W_enc", &self.w_enc),
            ("b_enc", &self.b_enc),
            ("W_dec", &self.w_dec),
            ("b_dec", &self.b_dec),
        ]
    }

    /// The four tensors by name, to be filled.
    pub fn named_mut(&mut self) -> [(&'static str, &mut Vec<f32>); 4] {
        [
            ("W_enc", &mut self.w_enc),
            ("b_enc", &mut self.b_enc),
            ("W_dec", &mut self.w_dec),
            ("b_dec", &mut self.b_dec),
        ]
    }
}

/// A standard normal number (Box and Muller's transform).
pub(super) fn normal(rng: &mut StdRng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

/// The median of every coordinate; the mean of the middle two for an even number of rows.
fn medians(sample: &[&[f32]], d: usize) -> Vec<f32> {
    let mut column = Vec::with_capacity(sample.len());
    (0..d)
        .map(|coordinate| {
            column.clear();
            column.extend(sample.iter().map(|row| row[coordinate]));
            let middle = column.len() / 2;
            let (below, upper, _) = column.select_nth_unstable_by(middle, f32::total_cmp);
            if sample.len() % 2 == 1 {
                return *upper;
            }
            let lower = below.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            (lower + *upper) / 2.0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_dec_starts_at_the_median_and_the_encoder_is_tied() {
        let rows: [&[f32]; 4] = [&[1.0, 9.0], &[2.0, -3.0], &[100.0, 0.0], &[3.0, 1.0]];
        let start = Parameters::initial(5, 2, &rows, 3);
        assert_eq!(start.b_dec, [2.5, 0.5]);
        assert_eq!(start.w_enc, start.w_dec);
        for row in start.w_dec.chunks_exact(2) {
            assert!((crate::vectors::norm(row) - 1.0).abs() < 1e-6);
        }
        let odd = Parameters::initial(5, 2, &rows[..3], 3);
        assert_eq!(odd.b_dec, [2.0, 0.0]);
    }
}
