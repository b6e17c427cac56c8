//! Rows at 8 bits a value: what searches walk through, a quarter of the bytes of the vectors.
//!
//! A row x of unit norm is stored as x ≈ s·c, with c in -127..=127 and s = max|x| / 127, together
//! with the length of what is lost, e = ‖x - s·c‖. With a query q ≈ t·d coded in the same way,
//!
//! ```text
//! |⟨q, x⟩ - s·t·⟨d, c⟩|  =  |⟨q - t·d, s·c⟩ + ⟨q, x - s·c⟩|  ≤  ‖q - t·d‖·(1 + e) + e
//! ```
//!
//! so a scan of the codes knows which rows may be among the best, and compares only these with
//! the vectors themselves: its results are those of the full scan. A graph search ranks by the
//! codes and scores what it has kept by the vectors.

use std::io::Write;

use crate::vector::{CodeDot, prefetch};

/// Rows of codes are padded with zeros to a multiple of this.
const PADDING: usize = 64;
/// What rounding in f32 may add to the difference between a row's score and its bound.
const ROUNDING: f32 = 1e-5;

/// Bytes of a row of codes.
pub(super) fn padded(dimension: usize) -> usize {
    dimension.next_multiple_of(PADDING)
}

/// What turns a row's codes back into values.
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Scale {
    /// s: the value of one step.
    pub step: f32,
    /// e: the length of what rounding has cut off.
    pub error: f32,
}

/// Codes `unit`, of unit norm, into `codes`, which is padded; returns how to read them.
pub(super) fn quantise(unit: impl Iterator<Item = f32> + Clone, codes: &mut [i8]) -> Scale {
    let most = unit.clone().fold(0.0_f32, |most, x| most.max(x.abs()));
    let step = most / 127.0;
    let mut lost = 0.0_f64;
    codes.fill(0);
    if step > 0.0 {
        for (code, value) in codes.iter_mut().zip(unit) {
            *code = (value / step).round() as i8;
            lost += f64::from(value - f32::from(*code) * step).powi(2);
        }
    }
    Scale {
        step,
        error: lost.sqrt() as f32,
    }
}

/// Appends rows of codes to a file, and their scales after the last one.
pub(super) struct CodesWriter {
    scales: Vec<Scale>,
    row: Vec<i8>,
}

impl CodesWriter {
    pub fn new(dimension: usize, n_rows: usize) -> Self {
        Self {
            scales: Vec::with_capacity(n_rows),
            row: vec![0; padded(dimension)],
        }
    }

    /// Writes the codes of the next row.
    pub fn push(
        &mut self,
        vector: &[f32],
        reciprocal_norm: f32,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        let unit = vector.iter().map(|value| value * reciprocal_norm);
        self.scales.push(quantise(unit, &mut self.row));
        out.write_all(bytemuck::cast_slice(&self.row))
    }

    /// Copies a row from another file.
    pub fn copy(&mut self, row: CodedRow, out: &mut impl Write) -> std::io::Result<()> {
        self.scales.push(row.scale);
        out.write_all(bytemuck::cast_slice(row.codes))
    }

    /// Writes the scales.
    pub fn finish(self, out: &mut impl Write) -> std::io::Result<()> {
        out.write_all(bytemuck::cast_slice(&self.scales))
    }
}

/// A coded row of a file.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct CodedRow<'a> {
    codes: &'a [i8],
    scale: Scale,
}

/// By the codes: rows that are equal have equal ones.
impl std::hash::Hash for CodedRow<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.codes.hash(state);
    }
}

/// The coded rows of a file.
#[derive(Clone, Copy)]
pub(crate) struct Codes<'a> {
    codes: &'a [i8],
    scales: &'a [Scale],
    width: usize,
    dot: CodeDot,
}

impl<'a> Codes<'a> {
    pub(super) fn new(codes: &'a [i8], scales: &'a [Scale], dimension: usize) -> Self {
        Self {
            codes,
            scales,
            width: padded(dimension),
            dot: CodeDot::detect(),
        }
    }

    /// A row as it is stored.
    pub fn row(&self, row: usize) -> CodedRow<'a> {
        CodedRow {
            codes: self.codes_of(row),
            scale: self.scales[row],
        }
    }

    /// Whether a row is that of a vector of norm 1, as far as it says what coding lost.
    pub(super) fn is_of(&self, row: usize, unit: impl Iterator<Item = f32>) -> bool {
        let Scale { step, error } = self.scales[row];
        let lost = unit.zip(self.codes_of(row)).map(|(value, &code)| {
            let rest = f64::from(value - f32::from(code) * step);
            rest * rest
        });
        (lost.sum::<f64>().sqrt() - f64::from(error)).abs() <= f64::from(ROUNDING)
    }

    fn codes_of(&self, row: usize) -> &'a [i8] {
        &self.codes[row * self.width..(row + 1) * self.width]
    }

    /// The cosine of two rows, to about .002.
    pub fn cosine(&self, a: usize, b: usize) -> f32 {
        let product = self.dot.of(self.codes_of(a), self.codes_of(b));
        product as f32 * self.scales[a].step * self.scales[b].step
    }

    /// A row, ready to be compared with the others.
    pub fn query_of(&self, row: usize) -> CodedQuery<'a> {
        CodedQuery {
            rows: *self,
            codes: self.codes_of(row).to_vec(),
            scale: self.scales[row],
        }
    }

    /// A query vector of unit norm, ready to be compared with the rows.
    pub fn query(&self, unit: &[f32]) -> CodedQuery<'a> {
        let mut codes = vec![0; self.width];
        let scale = quantise(unit.iter().copied(), &mut codes);
        CodedQuery {
            rows: *self,
            codes,
            scale,
        }
    }
}

/// A query against the coded rows of a file.
pub(crate) struct CodedQuery<'a> {
    rows: Codes<'a>,
    codes: Vec<i8>,
    scale: Scale,
}

impl CodedQuery<'_> {
    /// The cosine of the query and a row, to within [`Self::error`].
    #[inline]
    pub fn cosine(&self, row: usize) -> f32 {
        let product = self.rows.dot.of(&self.codes, self.rows.codes_of(row));
        product as f32 * self.scale.step * self.rows.scales[row].step
    }

    /// The most by which [`Self::cosine`] of a row can differ from its true cosine.
    #[inline]
    pub fn error(&self, row: usize) -> f32 {
        let lost = self.rows.scales[row].error;
        self.scale.error * (1.0 + lost) + lost + ROUNDING
    }

    /// Asks the processor to bring a row near; a hint without other effect.
    #[inline]
    pub fn prefetch(&self, row: usize) {
        prefetch(self.rows.codes_of(row));
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;
    use crate::vector::unit;

    fn direction(random: &mut StdRng, dimension: usize) -> Vec<f32> {
        let values: Vec<f32> = (0..dimension)
            .map(|_| random.random_range(-1.0_f32..1.0).powi(3))
            .collect();
        unit(&values)
    }

    #[test]
    fn the_error_bound_holds_and_is_small() {
        let mut random = StdRng::seed_from_u64(3);
        for dimension in [1, 3, 64, 100, 384] {
            let rows: Vec<Vec<f32>> = (0..200)
                .map(|_| direction(&mut random, dimension))
                .collect();
            let mut file = Vec::new();
            let mut writer = CodesWriter::new(dimension, rows.len());
            for row in &rows {
                writer.push(row, 1.0, &mut file).unwrap();
            }
            let mut scales = Vec::new();
            writer.finish(&mut scales).unwrap();
            let scales: Vec<Scale> = scales
                .chunks_exact(size_of::<Scale>())
                .map(bytemuck::pod_read_unaligned)
                .collect();
            let codes = Codes::new(bytemuck::cast_slice(&file), &scales, dimension);
            let vector = direction(&mut random, dimension);
            let query = codes.query(&vector);
            for (at, row) in rows.iter().enumerate() {
                let exact: f64 = row
                    .iter()
                    .zip(&vector)
                    .map(|(x, y)| f64::from(*x) * f64::from(*y))
                    .sum();
                let difference = (f64::from(query.cosine(at)) - exact).abs();
                assert!(
                    difference <= f64::from(query.error(at)),
                    "{dimension}: {at}"
                );
                assert!(query.error(at) < 0.05, "{dimension}: {}", query.error(at));
            }
            assert!((codes.cosine(3, 3) - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn a_zero_row_has_no_codes() {
        let mut codes = [7; 64];
        let scale = quantise([0.0; 5].into_iter(), &mut codes);
        assert_eq!((scale, codes), (Scale::default(), [0; 64]));
    }
}
