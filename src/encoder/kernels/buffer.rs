//! Growing storage on cache line boundaries.

/// Bytes of a cache line; also the widest load of the kernels.
const LINE: usize = 64;

/// A slice of values that starts on a cache line, so that no 64-byte load crosses two.
#[derive(Default)]
pub(in crate::encoder) struct Buffer<T = f32> {
    storage: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Buffer<T> {
    /// `len` zeros.
    pub(in crate::encoder) fn zeros(len: usize) -> Self {
        let mut buffer = Self::default();
        buffer.resize(len);
        buffer
    }

    /// Makes the slice `len` long. What it holds after is arbitrary (never uninitialised): the
    /// scratch of a worker is overwritten by each batch.
    pub(in crate::encoder) fn resize(&mut self, len: usize) -> &mut [T] {
        let line = LINE / size_of::<T>();
        if self.storage.len() < len + line {
            self.storage = vec![T::default(); len + line];
            self.start = self.storage.as_ptr().align_offset(LINE).min(line);
        }
        self.len = len;
        self.as_mut_slice()
    }

    /// The values.
    pub(in crate::encoder) fn as_slice(&self) -> &[T] {
        &self.storage[self.start..self.start + self.len]
    }

    /// The values, to be written.
    pub(in crate::encoder) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.storage[self.start..self.start + self.len]
    }
}
