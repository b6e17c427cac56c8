//! How well an SAE fits the vectors it meets, kept as running sums.

use serde::{Deserialize, Serialize};

use super::codes::Codes;
use super::model::Sae;
use crate::error::{Error, Result};
use crate::vectors::{norm, squared_distance};

/// Sums over vectors and their reconstructions, from which FVU follows at any time.
///
/// ```
/// use latentdb::sae::Fit;
///
/// let mut fit = Fit::default();
/// fit.add(&[1.0, 0.0], &[1.0, 0.0]);
/// fit.add(&[-1.0, 0.0], &[-0.5, 0.0]);
/// assert_eq!(fit.rows(), 2);
/// // A squared error of .25 over a squared distance from the mean of 2.
/// assert_eq!(fit.fvu(), Some(0.125));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    rows: usize,
    sum: Vec<f64>,
    squares: f64,
    residual: f64,
    norms: f64,
    /// Active latents.
    #[serde(default)]
    active: u64,
    /// Squared distances from the mean of the SAE's training.
    #[serde(default)]
    about_training: f64,
}

impl Fit {
    /// Adds one vector and its reconstruction, of one length.
    pub fn add(&mut self, x: &[f32], x_hat: &[f32]) {
        self.rows += 1;
        self.sum.resize(x.len(), 0.0);
        for (sum, x) in self.sum.iter_mut().zip(x) {
            *sum += f64::from(*x);
        }
        let length = norm(x);
        self.norms += length;
        self.squares += length * length;
        self.residual += squared_distance(x, x_hat);
    }

    /// Adds rows of `vectors`, `[rows, d_in]`, with the codes that `sae` or a client gave them.
    ///
    /// # Errors
    /// `InvalidArgument` when there are not as many codes as rows, or one names a latent that does
    /// not exist.
    pub fn add_coded(&mut self, sae: &Sae, vectors: &[f32], codes: &Codes) -> Result<()> {
        let rows = sae.check_rows(vectors)?;
        if codes.rows() != rows {
            return Err(Error::invalid(
                "codes",
                format!("has {} rows for {rows} vectors", codes.rows()),
            ));
        }
        let restored = sae.restore(vectors, codes)?;
        let d = sae.d_in();
        let mean = sae.training_mean();
        for (x, x_hat) in vectors.chunks_exact(d).zip(restored.chunks_exact(d)) {
            self.add(x, x_hat);
            self.about_training += mean.map_or(0.0, |mean| squared_distance(x, mean));
        }
        self.active += codes.iter().map(|row| row.0.len() as u64).sum::<u64>();
        Ok(())
    }

    /// Adds what `other` has seen, of vectors of the same length.
    pub fn append(&mut self, other: &Self) {
        self.rows += other.rows;
        self.sum.resize(self.sum.len().max(other.sum.len()), 0.0);
        for (sum, other) in self.sum.iter_mut().zip(&other.sum) {
            *sum += other;
        }
        self.squares += other.squares;
        self.residual += other.residual;
        self.norms += other.norms;
        self.active += other.active;
        self.about_training += other.about_training;
    }

    /// Number of vectors added.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Fraction of variance unexplained, `Σ‖x - x_hat‖² / Σ‖x - mean(x)‖²`; `None` while all
    /// vectors are alike, so that there is no variance.
    pub fn fvu(&self) -> Option<f64> {
        let centre: f64 = self.sum.iter().map(|sum| sum * sum).sum();
        let variance = self.squares - centre / self.rows.max(1) as f64;
        (variance > 1e-9 * self.squares).then(|| self.residual / variance)
    }

    /// As [`Self::fvu`], about the mean of the vectors that `sae` was trained on, where its record
    /// has that: vectors of another kind are far from it, and vary little.
    pub fn fvu_of(&self, sae: &Sae) -> Option<f64> {
        match sae.training_mean() {
            None => self.fvu(),
            Some(_) => (self.about_training > 0.0).then(|| self.residual / self.about_training),
        }
    }

    /// Mean number of active latents; 0 before there is a vector.
    pub fn l0(&self) -> f64 {
        self.active as f64 / self.rows.max(1) as f64
    }

    /// Mean length of the vectors; 0 before there is one.
    pub fn mean_norm(&self) -> f64 {
        self.norms / self.rows.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_sums_are_those_of_all_vectors() {
        let rows = [[1.0, 0.0], [0.5, -2.0], [3.0, 0.25]];
        let restored = [[1.0, 0.5], [0.0, -2.0], [2.5, 0.25]];
        let fit = |range: std::ops::Range<usize>| {
            let mut fit = Fit::default();
            for at in range {
                fit.add(&rows[at], &restored[at]);
            }
            fit
        };
        let mut both = Fit::default();
        both.append(&fit(0..1));
        both.append(&fit(1..3));
        assert_eq!(both, fit(0..3));
    }
}
