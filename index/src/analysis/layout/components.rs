//! Leading principal components of sparse or dense rows, by subspace iteration: products with the
//! matrix and nothing of its size is kept (Halko, Martinsson and Tropp 2011).

use faer::{Mat, Side};
use rand::RngExt;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::rows::Rows;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Directions iterated in addition to those wanted, which make those converge.
const EXTRA: usize = 10;
/// Products with the matrix and its transpose.
const STEPS: usize = 4;
/// Rows of a task.
const CHUNK: usize = 1024;

/// The mean of rows, and the directions in which they vary most.
pub(super) struct Components {
    /// `axes · mean`.
    centre: Vec<f32>,
    /// `[columns, width]`, row-major: what a value of a column adds to each coordinate.
    axes: Vec<f32>,
    width: usize,
}

impl Components {
    /// The first `wanted` components of some rows, or as many as there are columns.
    pub fn of(
        rows: &Rows<'_>,
        fitted: &[usize],
        wanted: usize,
        random: &mut StdRng,
        progress: &Progress,
    ) -> Result<Self> {
        let columns = rows.width();
        let width = wanted.min(columns).max(1);
        let size = (width + EXTRA).min(columns).max(1);
        let mean = mean(rows, fitted);
        let mut axes: Vec<f32> = (0..columns * size)
            .map(|_| random.random_range(-1.0..1.0_f32))
            .collect();
        orthonormalise(&mut axes, size);
        for _ in 0..STEPS {
            progress.check()?;
            let (product, _) = multiply(rows, fitted, &axes, size, &mean);
            axes = product;
            orthonormalise(&mut axes, size);
        }
        // Within that space, the directions themselves (Rayleigh and Ritz).
        let (_, gram) = multiply(rows, fitted, &axes, size, &mean);
        let small = Mat::from_fn(size, size, |i, j| gram[i * size + j]);
        let eigen = small
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| Error::internal("the principal components did not converge"))?;
        let vectors = eigen.U();
        let mut turned = vec![0.0; columns * width];
        for (old, new) in axes.chunks_exact(size).zip(turned.chunks_exact_mut(width)) {
            for (at, value) in new.iter_mut().enumerate() {
                // Eigenvalues ascend.
                let column = size - 1 - at;
                let sum: f64 = old
                    .iter()
                    .enumerate()
                    .map(|(row, own)| f64::from(*own) * vectors[(row, column)])
                    .sum();
                *value = sum as f32;
            }
        }
        // Signs are free: the largest part of each direction is positive.
        for at in 0..width {
            let parts = turned.iter().skip(at).step_by(width);
            let largest = parts.copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            if largest.is_some_and(|largest| largest < 0.0) {
                turned
                    .iter_mut()
                    .skip(at)
                    .step_by(width)
                    .for_each(|part| *part = -*part);
            }
        }
        let mut centre = vec![0.0; width];
        for (own, axes) in mean.iter().zip(turned.chunks_exact(width)) {
            for (sum, axis) in centre.iter_mut().zip(axes) {
                *sum += own * axis;
            }
        }
        Ok(Self {
            centre,
            axes: turned,
            width,
        })
    }

    /// Coordinates of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The coordinates of every row, `[rows, width]`.
    pub fn project(&self, rows: &Rows<'_>, progress: &Progress) -> Result<Vec<f32>> {
        let width = self.width;
        let mut found = vec![0.0; rows.docs().len() * width];
        found
            .par_chunks_mut(CHUNK * width)
            .enumerate()
            .try_for_each(|(chunk, out)| {
                let mut row = Vec::new();
                for (at, out) in out.chunks_exact_mut(width).enumerate() {
                    rows.read(chunk * CHUNK + at, &mut row);
                    product(&row, &self.axes, out);
                    for (value, centre) in out.iter_mut().zip(&self.centre) {
                        *value -= centre;
                    }
                }
                progress.advance((out.len() / width) as u64)
            })?;
        Ok(found)
    }
}

/// `row · axes`.
fn product(row: &[(u32, f32)], axes: &[f32], out: &mut [f32]) {
    let width = out.len();
    out.fill(0.0);
    for &(column, value) in row {
        let axis = &axes[column as usize * width..][..width];
        for (sum, axis) in out.iter_mut().zip(axis) {
            *sum += value * axis;
        }
    }
}

fn mean(rows: &Rows<'_>, fitted: &[usize]) -> Vec<f32> {
    let mut sums = vec![0.0_f64; rows.width()];
    let mut row = Vec::new();
    for &at in fitted {
        rows.read(at, &mut row);
        for &(column, value) in &row {
            sums[column as usize] += f64::from(value);
        }
    }
    let count = fitted.len().max(1) as f64;
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

/// `Xᵀ (X axes)` and the Gram matrix of `X axes`, X the centred rows. The sum over rows is taken in one
/// order, so that the result is the same at any number of threads.
fn multiply(
    rows: &Rows<'_>,
    fitted: &[usize],
    axes: &[f32],
    size: usize,
    mean: &[f32],
) -> (Vec<f32>, Vec<f64>) {
    let mut centre = vec![0.0; size];
    for (own, axes) in mean.iter().zip(axes.chunks_exact(size)) {
        for (sum, axis) in centre.iter_mut().zip(axes) {
            *sum += own * axis;
        }
    }
    let parts: Vec<(Vec<f32>, Vec<f64>, Vec<f64>)> = fitted
        .par_chunks(fitted.len().div_ceil(16).max(CHUNK))
        .map(|chunk| {
            let (mut row, mut own) = (Vec::new(), vec![0.0; size]);
            let mut back = vec![0.0_f32; axes.len()];
            let (mut gram, mut sums) = (vec![0.0_f64; size * size], vec![0.0_f64; size]);
            for &at in chunk {
                rows.read(at, &mut row);
                product(&row, axes, &mut own);
                for (value, centre) in own.iter_mut().zip(&centre) {
                    *value -= centre;
                }
                for &(column, value) in &row {
                    let back = &mut back[column as usize * size..][..size];
                    for (sum, own) in back.iter_mut().zip(&own) {
                        *sum += value * own;
                    }
                }
                for (i, left) in own.iter().enumerate() {
                    sums[i] += f64::from(*left);
                    for (j, right) in own.iter().enumerate().take(i + 1) {
                        gram[i * size + j] += f64::from(*left) * f64::from(*right);
                    }
                }
            }
            (back, gram, sums)
        })
        .collect();
    let mut back = vec![0.0_f32; axes.len()];
    let (mut gram, mut sums) = (vec![0.0; size * size], vec![0.0; size]);
    for (part, own, partial) in parts {
        back.iter_mut()
            .zip(part)
            .for_each(|(sum, value)| *sum += value);
        gram.iter_mut()
            .zip(own)
            .for_each(|(sum, value)| *sum += value);
        sums.iter_mut()
            .zip(partial)
            .for_each(|(sum, value)| *sum += value);
    }
    // The part of the mean.
    for (back, mean) in back.chunks_exact_mut(size).zip(mean) {
        for (value, sum) in back.iter_mut().zip(&sums) {
            *value -= mean * *sum as f32;
        }
    }
    for i in 0..size {
        for j in 0..i {
            gram[j * size + i] = gram[i * size + j];
        }
    }
    (back, gram)
}

/// Makes the columns of `[rows, size]` orthonormal (modified Gram-Schmidt, twice).
fn orthonormalise(matrix: &mut [f32], size: usize) {
    for column in 0..size {
        for _ in 0..2 {
            for other in 0..column {
                let overlap: f64 = matrix
                    .chunks_exact(size)
                    .map(|row| f64::from(row[column]) * f64::from(row[other]))
                    .sum();
                for row in matrix.chunks_exact_mut(size) {
                    row[column] -= overlap as f32 * row[other];
                }
            }
        }
        let squares = matrix
            .chunks_exact(size)
            .map(|row| f64::from(row[column]).powi(2));
        let norm = squares.sum::<f64>().sqrt();
        // A direction that nothing is left of stays zero.
        let scale = if norm > 1e-12 {
            (1.0 / norm) as f32
        } else {
            0.0
        };
        for row in matrix.chunks_exact_mut(size) {
            row[column] *= scale;
        }
    }
}
