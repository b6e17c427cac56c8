//! The arithmetic that all of the module rests on, compiled for the machine it runs on.
//!
//! Loops never fuse a multiplication with an addition, so every instruction set gives the same bits:
//! what a document was encoded to does not depend on the machine.

use faer::{Accum, MatMut, MatRef, Par};

use crate::instructions::dispatched;

/// Lanes of the running sums of [`dot`]; part of the definition of its result.
const LANES: usize = 32;

/// `out[rows, n] = x[rows, d] W` with `W` given by its columns, `columns[n, d]`, all row-major.
///
/// The order of summation is faer's: good for choosing candidates and for training, where the last
/// bits do not matter.
pub(super) fn project(x: &[f32], columns: &[f32], d: usize, out: &mut [f32]) {
    let rows = x.len() / d;
    let n = columns.len() / d;
    faer::linalg::matmul::matmul(
        MatMut::from_row_major_slice_mut(out, rows, n),
        Accum::Replace,
        MatRef::from_row_major_slice(x, rows, d),
        MatRef::from_row_major_slice(columns, n, d).transpose(),
        1.0f32,
        Par::Seq,
    );
}

/// The sum of `a[j] * b[j]` in a fixed order: 32 running sums, then a tree over them.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    for (lane, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[lane] += x * y;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// `out += factor * row`.
#[inline(always)]
pub(super) fn add_scaled(out: &mut [f32], factor: f32, row: &[f32]) {
    for (o, r) in out.iter_mut().zip(row) {
        *o += factor * r;
    }
}

dispatched! {
    /// `values[c] = x . rows[chosen[c]]`, the dot product in its fixed order.
    pub(super) fn dot_chosen(x: &[f32], rows: &[f32], chosen: &[u32], values: &mut [f32]) {
        let d = x.len();
        for (value, &index) in values.iter_mut().zip(chosen) {
            let start = index as usize * d;
            *value = dot(x, &rows[start..start + d]);
        }
    }
}

dispatched! {
    /// `out = sign * start + sum of weights[c] * rows[chosen[c]]`, added in the order of `chosen`.
    pub(super) fn combine(
        start: &[f32], rows: &[f32], chosen: &[u32], weights: &[f32], out: &mut [f32], sign: f32,
    ) {
        let d = out.len();
        for (o, s) in out.iter_mut().zip(start) {
            *o = sign * s;
        }
        for (&weight, &index) in weights.iter().zip(chosen) {
            let start = index as usize * d;
            add_scaled(out, weight, &rows[start..start + d]);
        }
    }
}

dispatched! {
    /// `out += row`.
    pub(super) fn add(out: &mut [f32], row: &[f32]) {
        for (o, r) in out.iter_mut().zip(row) {
            *o += r;
        }
    }
}

dispatched! {
    /// `out = a - b`.
    pub(super) fn difference(a: &[f32], b: &[f32], out: &mut [f32]) {
        for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
            *o = a - b;
        }
    }
}

dispatched! {
    /// The dot product of two vectors of one length, in its fixed order.
    pub(super) fn inner(a: &[f32], b: &[f32]) -> f32 {
        dot(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize, step: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i * step % 97) as f32) / 97.0 - 0.5)
            .collect()
    }

    #[test]
    fn dot_is_the_sum_of_products_at_every_length() {
        for n in [1, 3, 31, 32, 33, 64, 100, 384] {
            let (a, b) = (ramp(n, 31), ramp(n, 17));
            let exact: f64 = a
                .iter()
                .zip(&b)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum();
            assert!((f64::from(dot(&a, &b)) - exact).abs() < 1e-5, "length {n}");
        }
    }

    #[test]
    fn the_width_picked_at_run_time_gives_the_bits_of_the_baseline() {
        for n in [5, 32, 77, 384] {
            let (a, b) = (ramp(n, 31), ramp(n, 17));
            assert_eq!(inner(&a, &b).to_bits(), dot(&a, &b).to_bits());
        }
    }

    #[test]
    fn project_multiplies_by_the_transposed_columns() {
        let (d, n, rows) = (5, 7, 3);
        let (x, columns) = (ramp(rows * d, 13), ramp(n * d, 29));
        let mut out = vec![0.0; rows * n];
        project(&x, &columns, d, &mut out);
        for r in 0..rows {
            for i in 0..n {
                let expected = dot(&x[r * d..(r + 1) * d], &columns[i * d..(i + 1) * d]);
                assert!((out[r * n + i] - expected).abs() < 1e-6);
            }
        }
    }
}
