//! Which latents rows keep: the rule, the candidates of a block, and what was kept.

/// The selection rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Keep {
    /// The k largest of every row, the positive ones of them.
    TopK(usize),
    /// The `k * rows` largest positive ones of the batch.
    BatchTopK {
        k: usize,
        /// Values below it are not looked at unless those above it are too few.
        floor: f32,
    },
    /// All above a threshold.
    Above(f32),
}

/// The candidates of every row of a block: latents ascending, with their activations.
#[derive(Default)]
pub(super) struct Found {
    ends: Vec<usize>,
    pub latents: Vec<u32>,
    pub values: Vec<f32>,
}

impl Found {
    pub fn clear(&mut self) {
        self.ends.clear();
        self.latents.clear();
        self.values.clear();
    }

    pub fn push_row(&mut self, latents: &[u32], values: &[f32]) {
        self.latents.extend_from_slice(latents);
        self.values.extend_from_slice(values);
        self.ends.push(self.latents.len());
    }

    pub fn row(&self, row: usize) -> std::ops::Range<usize> {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[row]
    }
}

/// The kept latents of every row of a block, `slots` places per row, `counts[row]` of them used.
#[derive(Default)]
pub(super) struct Kept {
    pub slots: usize,
    pub counts: Vec<usize>,
    pub latents: Vec<u32>,
    pub activations: Vec<f32>,
    /// `residual . W_dec[latent]`, without the factor of the loss.
    pub gradients: Vec<f32>,
}

impl Kept {
    /// Makes room for `slots` latents in each of `rows` rows.
    pub fn reset(&mut self, rows: usize, slots: usize) {
        self.slots = slots;
        self.counts.clear();
        self.counts.resize(rows, 0);
        self.latents.resize(rows * slots, 0);
        self.activations.resize(rows * slots, 0.0);
        self.gradients.resize(rows * slots, 0.0);
    }

    pub fn set(&mut self, row: usize, code: impl Iterator<Item = (u32, f32)>) {
        let start = row * self.slots;
        for (slot, (latent, activation)) in code.enumerate() {
            self.latents[start + slot] = latent;
            self.activations[start + slot] = activation;
            self.counts[row] = slot + 1;
        }
    }

    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        row * self.slots..row * self.slots + self.counts[row]
    }
}
