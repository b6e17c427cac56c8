//! Arithmetic of vectors. Dot products, the hot loops of dense search, are those of the instruction
//! set at hand.

/// The squared norm of a vector, in f64.
pub(crate) fn squared_norm(vector: &[f32]) -> f64 {
    vector.iter().map(|&value| f64::from(value).powi(2)).sum()
}

/// 1 over the norm of a vector, which [`crate::document::validate_vector`] keeps above 0.
pub(crate) fn reciprocal_norm(vector: &[f32]) -> f32 {
    squared_norm(vector).sqrt().recip() as f32
}

/// The vector at norm 1.
pub(crate) fn unit(vector: &[f32]) -> Vec<f32> {
    let scale = squared_norm(vector).sqrt().recip();
    let values = vector.iter();
    values
        .map(|&value| (f64::from(value) * scale) as f32)
        .collect()
}

/// Adds `factor` times `vector` to `sum`.
pub(crate) fn add_scaled(sum: &mut [f32], vector: &[f32], factor: f32) {
    for (value, add) in sum.iter_mut().zip(vector) {
        *value += factor * add;
    }
}

/// `Σ a_i b_i` in f32, by vector instructions: to find what is near among many. Slices of unequal length
/// are a caller's fault: the shorter one counts.
///
/// ```
/// assert_eq!(latentdb_index::dot(&[1.0; 11], &[2.0; 11]), 22.0);
/// ```
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            #[expect(unsafe_code, reason = "a function for detected instructions")]
            // SAFETY: AVX-512F was detected.
            return unsafe { x86::dot_avx512(a, b) };
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
        {
            #[expect(unsafe_code, reason = "a function for detected instructions")]
            // SAFETY: AVX2 and FMA were detected.
            return unsafe { x86::dot_avx2(a, b) };
        }
    }
    dot_portable(a, b)
}

/// Eight running sums, which compilers turn into vector instructions on every architecture.
fn dot_portable(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<8>();
    let (b_chunks, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (left, right) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// The dot product of rows of codes, chosen once for the processor at hand.
#[derive(Clone, Copy)]
pub(crate) struct CodeDot(fn(&[i8], &[i8]) -> i32);

impl CodeDot {
    /// The fastest one that the processor has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512vnni")
                && std::arch::is_x86_feature_detected!("avx512bw")
            {
                #[expect(unsafe_code, reason = "a function for detected instructions")]
                // SAFETY: AVX-512 BW and VNNI were detected.
                return Self(|a, b| unsafe { x86::codes_avx512(a, b) });
            }
            if std::arch::is_x86_feature_detected!("avx2") {
                #[expect(unsafe_code, reason = "a function for detected instructions")]
                // SAFETY: AVX2 was detected.
                return Self(|a, b| unsafe { x86::codes_avx2(a, b) });
            }
        }
        Self(codes_portable)
    }

    /// `Σ a_i b_i` of slices of one length, a multiple of 64.
    #[inline]
    pub fn of(self, a: &[i8], b: &[i8]) -> i32 {
        self.0(a, b)
    }
}

fn codes_portable(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| i32::from(x) * i32::from(y))
        .sum()
}

/// Asks the processor to bring `row` into its cache; a hint without other effect.
#[inline]
pub(crate) fn prefetch<T: bytemuck::NoUninit>(row: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytemuck::cast_slice::<T, i8>(row).chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "a prefetch")]
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// The instruction multiplies unsigned by signed bytes, so 128 is added to `a` and 128·Σb taken
    /// off again.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn codes_avx512(a: &[i8], b: &[i8]) -> i32 {
        let (a, _) = a.as_chunks::<64>();
        let (b, _) = b.as_chunks::<64>();
        let offset = _mm512_set1_epi8(-128);
        let mut products = _mm512_setzero_si512();
        let mut offsets = _mm512_setzero_si512();
        for (left, right) in a.iter().zip(b) {
            #[expect(unsafe_code, reason = "unaligned vector loads")]
            // SAFETY: both chunks have the 64 bytes that are read.
            let (x, y) = unsafe {
                (
                    _mm512_loadu_si512(left.as_ptr().cast()),
                    _mm512_loadu_si512(right.as_ptr().cast()),
                )
            };
            products = _mm512_dpbusd_epi32(products, _mm512_xor_si512(x, offset), y);
            offsets = _mm512_dpbusd_epi32(offsets, offset, y);
        }
        _mm512_reduce_add_epi32(_mm512_sub_epi32(products, offsets))
    }

    #[target_feature(enable = "avx2")]
    pub fn codes_avx2(a: &[i8], b: &[i8]) -> i32 {
        let (a, _) = a.as_chunks::<16>();
        let (b, _) = b.as_chunks::<16>();
        let mut sums = _mm256_setzero_si256();
        for (left, right) in a.iter().zip(b) {
            #[expect(unsafe_code, reason = "unaligned vector loads")]
            // SAFETY: both chunks have the 16 bytes that are read.
            let (x, y) = unsafe {
                (
                    _mm_loadu_si128(left.as_ptr().cast()),
                    _mm_loadu_si128(right.as_ptr().cast()),
                )
            };
            let products = _mm256_madd_epi16(_mm256_cvtepi8_epi16(x), _mm256_cvtepi8_epi16(y));
            sums = _mm256_add_epi32(sums, products);
        }
        let mut lanes = [0_i32; 8];
        #[expect(unsafe_code, reason = "unaligned vector store")]
        // SAFETY: `lanes` holds the eight values of the register.
        unsafe {
            _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sums);
        }
        lanes.iter().sum()
    }

    #[target_feature(enable = "avx512f")]
    pub fn dot_avx512(a: &[f32], b: &[f32]) -> f32 {
        let (a_chunks, a_rest) = a.as_chunks::<64>();
        let (b_chunks, b_rest) = b.as_chunks::<64>();
        let mut sums = [_mm512_setzero_ps(); 4];
        for (left, right) in a_chunks.iter().zip(b_chunks) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                #[expect(unsafe_code, reason = "unaligned vector loads")]
                // SAFETY: `lane * 16 + 16 <= 64`, the length of both chunks.
                let (x, y) = unsafe {
                    (
                        _mm512_loadu_ps(left.as_ptr().add(lane * 16)),
                        _mm512_loadu_ps(right.as_ptr().add(lane * 16)),
                    )
                };
                *sum = _mm512_fmadd_ps(x, y, *sum);
            }
        }
        let total = _mm512_add_ps(
            _mm512_add_ps(sums[0], sums[1]),
            _mm512_add_ps(sums[2], sums[3]),
        );
        _mm512_reduce_add_ps(total) + super::dot_portable(a_rest, b_rest)
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
        let (a_chunks, a_rest) = a.as_chunks::<32>();
        let (b_chunks, b_rest) = b.as_chunks::<32>();
        let mut sums = [_mm256_setzero_ps(); 4];
        for (left, right) in a_chunks.iter().zip(b_chunks) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                #[expect(unsafe_code, reason = "unaligned vector loads")]
                // SAFETY: `lane * 8 + 8 <= 32`, the length of both chunks.
                let (x, y) = unsafe {
                    (
                        _mm256_loadu_ps(left.as_ptr().add(lane * 8)),
                        _mm256_loadu_ps(right.as_ptr().add(lane * 8)),
                    )
                };
                *sum = _mm256_fmadd_ps(x, y, *sum);
            }
        }
        let total = _mm256_add_ps(
            _mm256_add_ps(sums[0], sums[1]),
            _mm256_add_ps(sums[2], sums[3]),
        );
        let mut lanes = [0.0_f32; 8];
        #[expect(unsafe_code, reason = "unaligned vector store")]
        // SAFETY: `lanes` holds the eight values of the register.
        unsafe {
            _mm256_storeu_ps(lanes.as_mut_ptr(), total);
        }
        lanes.iter().sum::<f32>() + super::dot_portable(a_rest, b_rest)
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn every_path_of_codes_agrees() {
        let mut random = StdRng::seed_from_u64(9);
        for length in [0, 64, 384, 1024] {
            let mut row = || -> Vec<i8> {
                (0..length)
                    .map(|_| random.random_range(-128..=127))
                    .collect()
            };
            let (a, b) = (row(), row());
            let exact = codes_portable(&a, &b);
            assert_eq!(CodeDot::detect().of(&a, &b), exact, "length {length}");
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                #[expect(unsafe_code, reason = "a function for detected instructions")]
                // SAFETY: AVX2 was detected.
                let found = unsafe { x86::codes_avx2(&a, &b) };
                assert_eq!(found, exact, "length {length}");
            }
        }
    }

    #[test]
    fn every_path_agrees_with_f64() {
        let mut random = StdRng::seed_from_u64(7);
        for length in [0, 1, 7, 31, 64, 100, 384, 1000] {
            let a: Vec<f32> = (0..length)
                .map(|_| random.random_range(-1.0..1.0))
                .collect();
            let b: Vec<f32> = (0..length)
                .map(|_| random.random_range(-1.0..1.0))
                .collect();
            let exact: f64 = a
                .iter()
                .zip(&b)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum();
            for found in [dot(&a, &b), dot_portable(&a, &b)] {
                assert!((f64::from(found) - exact).abs() < 1e-4, "length {length}");
            }
        }
    }
}
