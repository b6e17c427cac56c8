//! Holds vectors, norms, codes and the row map against one another.

use super::reader::DenseReader;
use crate::error::{Error, Result};
use crate::vector::reciprocal_norm;

/// What another order of additions may change in a norm.
const ROUNDING: f32 = 1e-5;

impl DenseReader {
    /// Checks the dimension, the row map, that vectors are finite, and that norms and codes are
    /// theirs.
    ///
    /// # Errors
    /// `Corrupted` saying what is not so.
    pub fn verify(&self, dimension: Option<usize>) -> Result<()> {
        if self.n_rows() > 0 && Some(self.dimension()) != dimension {
            return Err(Error::corrupted(format!(
                "vectors have {} values, the collection's {}",
                self.dimension(),
                dimension.unwrap_or(0)
            )));
        }
        let mapped = (0..self.n_docs()).filter_map(|doc| Some((doc, self.row_of(doc)?)));
        let mut rows = 0;
        for (doc, row) in mapped {
            if row != rows || row >= self.n_rows() || self.doc_of(row) != doc {
                return Err(Error::corrupted(format!(
                    "the row map is wrong at document {doc}"
                )));
            }
            rows += 1;
        }
        if rows != self.n_rows() {
            return Err(Error::corrupted("the row map has not all rows"));
        }
        let codes = self.codes();
        for (row, &stored) in self.reciprocal_norms().iter().enumerate() {
            let vector = self.vector(row);
            let norm = reciprocal_norm(vector);
            let is_norm = ((stored - norm) / norm).abs() <= ROUNDING;
            let unit = vector.iter().map(|value| value * stored);
            if !vector.iter().all(|value| value.is_finite()) || !is_norm || !codes.is_of(row, unit)
            {
                return Err(Error::corrupted(format!(
                    "the vector of row {row} is not that of its norm or its codes"
                )));
            }
        }
        Ok(())
    }
}
