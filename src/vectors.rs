//! Arithmetic on single vectors, in `f32` values and `f64` sums.
//!
//! Encoding and training an SAE have kernels of their own (`sae::kernel`), whose order of summation
//! is part of their result.

/// `Σ a_i b_i` of two vectors of one length.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

/// The Euclidean norm.
pub fn norm(vector: &[f32]) -> f64 {
    dot(vector, vector).sqrt()
}

/// `Σ (a_i - b_i)²` of two vectors of one length.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum()
}

/// Cosine of two vectors of one length, -1 to 1; 0 when one of them is zero.
///
/// ```
/// use latentdb::vectors::cosine;
///
/// assert!((cosine(&[3.0, 4.0], &[6.0, 8.0]) - 1.0).abs() < 1e-12);
/// assert_eq!(cosine(&[3.0, 4.0], &[0.0, 0.0]), 0.0);
/// ```
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let norms = norm(a) * norm(b);
    if norms > 0.0 {
        (dot(a, b) / norms).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

/// Scales a vector to norm 1; a zero vector stays.
///
/// ```
/// let mut vector = [3.0, 4.0];
/// latentdb::vectors::normalise(&mut vector);
/// assert_eq!(vector, [0.6, 0.8]);
/// ```
pub fn normalise(vector: &mut [f32]) {
    let norm = norm(vector);
    if norm > 0.0 {
        for value in vector {
            *value = (f64::from(*value) / norm) as f32;
        }
    }
}

/// A vector with norm 1 in the direction of `vector`; zeros for a zero vector.
pub fn unit(vector: &[f32]) -> Vec<f32> {
    let mut unit = vector.to_vec();
    normalise(&mut unit);
    unit
}
