//! Fused element-wise loops: bias and activation, softmax, residual and layer norm.
//!
//! Bodies are written once, over blocks of [`LANES`] values, and compiled for the instruction sets
//! found at run time (`instructions`).

use crate::instructions::dispatched;

/// Values that a loop body handles at a time: one AVX-512 register, two AVX2 ones.
pub(super) const LANES: usize = 16;

/// The activation between the two feed-forward products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encoder) enum Activation {
    /// `x Φ(x)` with the exact normal distribution function (within 1e-6).
    Gelu,
    /// The tanh approximation of GELU (arXiv 1606.08415, section 2).
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + e^-x)`.
    Silu,
}

dispatched! {
    /// `values[r, :] += bias` for rows of `bias.len()` values.
    pub(super) fn add_bias(values: &mut [f32], bias: &[f32]) {
        for row in values.chunks_exact_mut(bias.len()) {
            for (value, &b) in row.iter_mut().zip(bias) {
                *value += b;
            }
        }
    }
}

dispatched! {
    /// `values[r, :] = activation(values[r, :] + bias)` for rows of `bias.len()` values.
    pub(super) fn activate(values: &mut [f32], bias: &[f32], activation: Activation) {
        activate_body::<FMA>(values, bias, activation)
    }
}

dispatched! {
    /// `values[r, :] = softmax(values[r, :])` for rows of `width` values.
    pub(super) fn softmax_rows(values: &mut [f32], width: usize) {
        for row in values.chunks_exact_mut(width) {
            let scale = 1.0 / exponentiate::<FMA>(row);
            for v in row {
                *v *= scale;
            }
        }
    }
}

dispatched! {
    /// `values[r, :] = (v - mean) / sqrt(variance + eps) * weight + bias` for rows of
    /// `weight.len()` values (arXiv 1607.06450).
    pub(in crate::encoder) fn layer_norm(values: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
        for row in values.chunks_exact_mut(weight.len()) {
            let width = row.len() as f32;
            let mean = lane_sum(row, |v| v) / width;
            let variance = lane_sum(row, |v| (v - mean) * (v - mean)) / width;
            let scale = 1.0 / (variance + eps).sqrt();
            for ((v, &w), &b) in row.iter_mut().zip(weight).zip(bias) {
                *v = fma::<FMA>((*v - mean) * scale, w, b);
            }
        }
    }
}

dispatched! {
    /// `values[r, :] = v / sqrt(mean(v²) + eps) * weight` for rows of `weight.len()` values.
    pub(in crate::encoder) fn rms_norm_in_place(values: &mut [f32], weight: &[f32], eps: f32) {
        for row in values.chunks_exact_mut(weight.len()) {
            let mean_square = lane_sum(row, |v| v * v) / row.len() as f32;
            let scale = 1.0 / (mean_square + eps).sqrt();
            for (v, &w) in row.iter_mut().zip(weight) {
                *v = *v * scale * w;
            }
        }
    }
}

dispatched! {
    /// Rotary position embedding (arXiv 2104.09864) of the heads of one token, in place: value `i` of
    /// a head and value `i + half` are a pair, turned by angle `i` of the token's position.
    ///
    /// # Shape
    /// `heads` is `[number of heads, 2 * half]`; `cos` and `sin` are `[half]`.
    pub(in crate::encoder) fn rotate(heads: &mut [f32], cos: &[f32], sin: &[f32]) {
        for head in heads.chunks_exact_mut(2 * cos.len()) {
            let (first, second) = head.split_at_mut(cos.len());
            for (((a, b), &c), &s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                (*a, *b) = (*a * c - *b * s, *b * c + *a * s);
            }
        }
    }
}

dispatched! {
    /// `out[r, :] *= values[r, :] + bias` for rows of `bias.len()` values.
    pub(super) fn multiply(out: &mut [f32], values: &[f32], bias: &[f32]) {
        for (out, values) in out
            .chunks_exact_mut(bias.len())
            .zip(values.chunks_exact(bias.len()))
        {
            for ((o, &v), &b) in out.iter_mut().zip(values).zip(bias) {
                *o *= v + b;
            }
        }
    }
}

#[inline(always)]
fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x` for `x <= 0` within 2e-7 (relative); below -87 a value of the order of 1e-38.
///
/// Cody-Waite: `x = n ln 2 + r`, the Taylor series of `e^r` on `|r| <= ln 2 / 2`, and `2^n` through
/// the exponent bits. Adding 1.5 x 2^23 leaves the rounded integer in the low bits of the sum.
#[inline(always)]
pub(super) fn exp_negative<const FMA: bool>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -LN2_LOW, fma::<FMA>(n, -LN2_HIGH, x));
    let mut p = 1.0 / 720.0;
    p = fma::<FMA>(p, r, 1.0 / 120.0);
    p = fma::<FMA>(p, r, 1.0 / 24.0);
    p = fma::<FMA>(p, r, 1.0 / 6.0);
    p = fma::<FMA>(p, r, 0.5);
    p = fma::<FMA>(p, r, 1.0);
    p = fma::<FMA>(p, r, 1.0);
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    p * scale
}

/// `x Φ(x)` within 1.1e-6.
///
/// `Φ(x) = 1/2 + x P(x²) / Q(x²)` on `|x| <= 5.4`, where `P / Q` is a least-maximum fit of
/// `erf(x / √2) / (2 x)` weighted by `x²` (own fit: iteratively reweighted least squares on 4,000
/// Chebyshev nodes; its error is 1.6e-8). Outside, `Φ` is 0 or 1 within 4e-8.
#[inline(always)]
fn gelu<const FMA: bool>(x: f32) -> f32 {
    const LIMIT: f32 = 5.4;
    let y = x.clamp(-LIMIT, LIMIT);
    let t = y * y;
    let mut p = 2.277_679_2e-8;
    p = fma::<FMA>(p, t, 6.490_363e-6);
    p = fma::<FMA>(p, t, 1.762_656_3e-4);
    p = fma::<FMA>(p, t, 4.722_396_6e-3);
    p = fma::<FMA>(p, t, 3.449_204_6e-2);
    p = fma::<FMA>(p, t, 0.398_942_05);
    let mut q = 1.208_656e-6;
    q = fma::<FMA>(q, t, 7.650_996e-5);
    q = fma::<FMA>(q, t, 1.925_488_7e-3);
    q = fma::<FMA>(q, t, 2.902_787_8e-2);
    q = fma::<FMA>(q, t, 0.253_123_02);
    q = fma::<FMA>(q, t, 1.0);
    x * fma::<FMA>(y, p / q, 0.5)
}

/// `x / 2 (1 + tanh u)` with `u = √(2/π) (x + 0.044715 x³)`, as `x / (1 + e^{-2u})`.
#[inline(always)]
fn gelu_tanh<const FMA: bool>(x: f32) -> f32 {
    let u = 0.797_884_6 * fma::<FMA>(0.044_715 * x, x * x, x);
    let e = exp_negative::<FMA>(-2.0 * u.abs());
    // e^{-2|u|} keeps the exponential below 1; the other half follows from symmetry.
    let numerator = if u >= 0.0 { 1.0 } else { e };
    x * numerator / (1.0 + e)
}

/// `x / (1 + e^-x)`, with the exponential kept below 1.
#[inline(always)]
fn silu<const FMA: bool>(x: f32) -> f32 {
    let e = exp_negative::<FMA>(-x.abs());
    let numerator = if x >= 0.0 { 1.0 } else { e };
    x * numerator / (1.0 + e)
}

#[inline(always)]
pub(super) fn activate_body<const FMA: bool>(
    values: &mut [f32],
    bias: &[f32],
    activation: Activation,
) {
    for row in values.chunks_exact_mut(bias.len()) {
        match activation {
            Activation::Gelu => {
                for (value, &b) in row.iter_mut().zip(bias) {
                    *value = gelu::<FMA>(*value + b);
                }
            }
            Activation::GeluTanh => {
                for (value, &b) in row.iter_mut().zip(bias) {
                    *value = gelu_tanh::<FMA>(*value + b);
                }
            }
            Activation::Relu => {
                for (value, &b) in row.iter_mut().zip(bias) {
                    *value = (*value + b).max(0.0);
                }
            }
            Activation::Silu => {
                for (value, &b) in row.iter_mut().zip(bias) {
                    *value = silu::<FMA>(*value + b);
                }
            }
        }
    }
}

/// Replaces the row by `e^{v - max}` and returns the sum of these.
///
/// Sums are held in [`LANES`] parts: a single one would forbid vector additions.
#[inline(always)]
pub(super) fn exponentiate<const FMA: bool>(row: &mut [f32]) -> f32 {
    let mut maxima = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (m, &v) in maxima.iter_mut().zip(block) {
            *m = if v > *m { v } else { *m };
        }
    }
    let max = maxima
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |m, &v| m.max(v));
    let mut sums = [0.0_f32; LANES];
    let (blocks, rest) = row.as_chunks_mut::<LANES>();
    for block in blocks {
        for (s, v) in sums.iter_mut().zip(block) {
            *v = exp_negative::<FMA>(*v - max);
            *s += *v;
        }
    }
    let mut sum: f32 = sums.iter().sum();
    for v in rest {
        *v = exp_negative::<FMA>(*v - max);
        sum += *v;
    }
    sum
}

/// Sum over the row of `f(v)`, in [`LANES`] parts.
#[inline(always)]
fn lane_sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (s, &v) in sums.iter_mut().zip(block) {
            *s += f(v);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&v| f(v)).sum::<f32>()
}
