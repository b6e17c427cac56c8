//! Codes of many rows: which latents are active, and how strongly.

/// Sparse codes of a batch in compressed-sparse-row form.
///
/// Within a row the latents ascend and every activation is positive: a latent that is not listed
/// is zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    indptr: Vec<usize>,
    latents: Vec<u32>,
    activations: Vec<f32>,
}

impl Default for Codes {
    fn default() -> Self {
        Self::new()
    }
}

impl Codes {
    /// No rows.
    pub fn new() -> Self {
        Self {
            indptr: vec![0],
            latents: Vec::new(),
            activations: Vec::new(),
        }
    }

    /// Removes every row and keeps the memory.
    pub fn clear(&mut self) {
        self.indptr.truncate(1);
        self.latents.clear();
        self.activations.clear();
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Number of activations over all rows.
    pub fn active(&self) -> usize {
        self.latents.len()
    }

    /// The latents of `row`, ascending, and their activations in the same order.
    ///
    /// # Panics
    /// When `row >= self.rows()`.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.indptr[row]..self.indptr[row + 1];
        (&self.latents[range.clone()], &self.activations[range])
    }

    /// Every row in order, as [`Codes::row`] gives them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u32], &[f32])> {
        (0..self.rows()).map(|row| self.row(row))
    }

    /// Row boundaries: row `r` is `indptr[r]..indptr[r + 1]`; `rows + 1` values.
    pub fn indptr(&self) -> &[usize] {
        &self.indptr
    }

    /// The latents of all rows, one row after the other.
    pub fn latents(&self) -> &[u32] {
        &self.latents
    }

    /// The activations of all rows, aligned with [`Codes::latents`].
    pub fn activations(&self) -> &[f32] {
        &self.activations
    }

    /// Adds one row. Pairs must ascend by latent and hold positive activations.
    pub fn push_row(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        let start = self.latents.len();
        for (latent, activation) in row {
            debug_assert!(activation > 0.0, "an activation of a code is positive");
            debug_assert!(
                self.latents[start..]
                    .last()
                    .is_none_or(|last| *last < latent),
                "latents of a row ascend"
            );
            self.latents.push(latent);
            self.activations.push(activation);
        }
        self.indptr.push(self.latents.len());
    }

    /// Adds all rows of `other` after the present ones.
    pub fn append(&mut self, other: &Codes) {
        let offset = self.latents.len();
        self.indptr
            .extend(other.indptr[1..].iter().map(|end| end + offset));
        self.latents.extend_from_slice(&other.latents);
        self.activations.extend_from_slice(&other.activations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_rows_keep_their_boundaries() {
        let mut first = Codes::new();
        first.push_row([(1, 0.5), (4, 2.0)]);
        first.push_row([]);
        let mut second = Codes::new();
        second.push_row([(0, 1.0)]);
        first.append(&second);
        assert_eq!(first.rows(), 3);
        assert_eq!(first.row(0), (&[1, 4][..], &[0.5, 2.0][..]));
        assert_eq!(first.row(1), (&[][..], &[][..]));
        assert_eq!(first.row(2), (&[0][..], &[1.0][..]));
        assert_eq!(first.active(), 3);
    }
}
