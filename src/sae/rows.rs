//! Rows that are read in pieces, for training and measuring alike.

use std::ops::Range;

use crate::error::{Error, Result};

/// Rows that are read in pieces: files, a collection.
pub trait RowSource: Sync {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Values of a row.
    fn dimension(&self) -> usize;

    /// The pieces that are read at once, in order, all rows in one of them. Rows of one piece stay
    /// together in a window, so a piece should be small against the memory, and large enough to be
    /// read fast.
    fn chunks(&self) -> Vec<Range<usize>> {
        slices(0..self.rows(), 1024)
    }

    /// Replaces `out` by rows, row-major.
    ///
    /// # Errors
    /// What reading gives; `InvalidArgument` for a range outside the rows.
    fn read(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()>;
}

/// Rows that are in memory.
pub struct InMemory<'v> {
    /// The rows, `[rows, d]`.
    pub vectors: &'v [f32],
    /// Values of a row.
    pub d: usize,
}

impl RowSource for InMemory<'_> {
    fn rows(&self) -> usize {
        self.vectors.len() / self.d
    }

    fn dimension(&self) -> usize {
        self.d
    }

    fn read(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        let within = self.vectors.get(rows.start * self.d..rows.end * self.d);
        out.extend_from_slice(within.ok_or_else(|| Error::internal("rows past the end"))?);
        Ok(())
    }
}

/// `range` in slices of up to `most`.
pub fn slices(range: Range<usize>, most: usize) -> Vec<Range<usize>> {
    range
        .clone()
        .step_by(most.max(1))
        .map(|start| start..(start + most.max(1)).min(range.end))
        .collect()
}

/// Refuses vectors that are not whole rows of finite values.
pub(super) fn check_vectors(vectors: &[f32], d_in: usize) -> Result<()> {
    if d_in == 0 || vectors.is_empty() || !vectors.len().is_multiple_of(d_in) {
        return Err(Error::invalid(
            "vectors",
            format!(
                "{} values are not rows of {d_in}; a training needs at least one whole row",
                vectors.len()
            ),
        ));
    }
    for (row, x) in vectors.chunks_exact(d_in).enumerate() {
        if let Some(at) = x.iter().position(|v| !v.is_finite()) {
            return Err(Error::invalid(
                format!("vectors[{row}]"),
                format!("value {at} is {}; all must be finite", x[at]),
            ));
        }
    }
    Ok(())
}

/// One row of `[rows, d]`.
pub(super) fn row_of(vectors: &[f32], d: usize, row: u32) -> &[f32] {
    let start = row as usize * d;
    &vectors[start..start + d]
}
