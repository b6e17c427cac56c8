//! Growing `f32` storage on cache line boundaries.

/// Values per cache line; also the widest load of the kernels.
const LINE: usize = 16;

/// A slice of values that starts on a cache line, so that no 64-byte load crosses two.
#[derive(Default)]
pub(in crate::encoder) struct Buffer {
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub(in crate::encoder) fn zeros(len: usize) -> Self {
        let mut buffer = Self::default();
        buffer.resize(len);
        buffer
    }

    /// Makes the slice `len` long. What it holds after is arbitrary (never uninitialised): the
    /// scratch of a worker is overwritten by each batch.
    pub(in crate::encoder) fn resize(&mut self, len: usize) -> &mut [f32] {
        if self.storage.len() < len + LINE {
            self.storage = vec![0.0; len + LINE];
            self.start = self.storage.as_ptr().align_offset(4 * LINE).min(LINE);
        }
        self.len = len;
        self.as_mut_slice()
    }

    /// The values.
    pub(in crate::encoder) fn as_slice(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }

    /// The values, to be written.
    pub(in crate::encoder) fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}
