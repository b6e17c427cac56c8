//! The arithmetic of the forward pass, on row-major `f32` buffers of one worker.
//!
//! Engines compute the same thing. Where the machine has AVX-512, `avx512` runs tiles of
//! 14 rows by 32 columns over weights packed once at load, and the bias, the activation and the
//! residual are added while a tile is in the first-level cache. Everywhere else (AVX2, NEON, plain
//! SSE2) the products go through faer's kernels and the element-wise loops of `elementwise`.
//!
//! At [`Precision::Bf16`] both operands of a product with weights are rounded to bfloat16 and the
//! sums kept in `f32`; attention, norms and activations stay in `f32`. Where the machine has
//! AVX512_BF16, `bf16` multiplies pairs of them in one instruction. Everywhere else the engines
//! above multiply the rounded values: a product of two bfloat16 numbers is exact in `f32`, so
//! machines differ in the order of summation only.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod buffer;
mod elementwise;
mod portable;
#[cfg(test)]
mod tests;

pub(super) use buffer::Buffer;
pub(super) use elementwise::Activation;

use crate::reading::Precision;

/// The instruction sets that the code is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Whatever the build target has.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, VL, DQ, BW.
    Avx512,
}

impl Level {
    /// The best level of this machine. The standard library remembers the answer, so this costs a
    /// load and a test.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                {
                    return Self::Avx512;
                }
                return Self::Avx2;
            }
        }
        Self::Baseline
    }
}

/// Which implementation runs the products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// As [`Self::Avx512`], with instructions for pairs of bfloat16 numbers.
    Avx512Bf16,
    /// Tiles in AVX-512 registers, weights in panels.
    Avx512,
    /// faer's kernels.
    Portable,
}

impl Engine {
    /// The fastest engine of this machine.
    pub(super) fn detect() -> Self {
        match Level::detect() {
            Level::Avx512 if Self::has_bf16() => Self::Avx512Bf16,
            Level::Avx512 => Self::Avx512,
            Level::Avx2 | Level::Baseline => Self::Portable,
        }
    }

    fn has_bf16() -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            is_x86_feature_detected!("avx512bf16")
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            false
        }
    }

    /// Rows that go through a chain of products together. The tiles need a block that stays in the
    /// second-level cache (56 rows of 1,536 values are 344 KB); faer packs its operands per call
    /// and prefers all rows at once.
    pub(super) fn row_block(self) -> usize {
        match self {
            Self::Avx512 | Self::Avx512Bf16 => 56,
            Self::Portable => 1024,
        }
    }
}

/// How products with weights are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arithmetic {
    /// With which instructions.
    pub(super) engine: Engine,
    /// On which numbers.
    pub(super) precision: Precision,
}

/// What happens to a product before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Epilogue {
    /// `out = x Wᵀ + b`.
    Bias,
    /// `out = activation(x Wᵀ + b)`.
    Activation(Activation),
    /// `out = out + x Wᵀ + b`.
    Residual,
    /// `out = out * (x Wᵀ + b)`, as in gated feed-forward layers (arXiv 2002.05202).
    Multiply,
}

/// `y = x Wᵀ + b`, with `W` in the layout of its engine.
///
/// # Shape
/// `x` is `[rows, inputs]`, `W` is `[outputs, inputs]`, `y` is `[rows, outputs]`.
pub(super) struct Linear {
    arithmetic: Arithmetic,
    inputs: usize,
    outputs: usize,
    weight: Weight,
    bias: Vec<f32>,
}

/// The weight of a [`Linear`].
enum Weight {
    /// As `avx512` or `portable` reads it.
    Values(Buffer),
    /// As `bf16` reads it.
    #[cfg(target_arch = "x86_64")]
    Pairs(Buffer<u32>),
}

/// Room for the left operand of a product at [`Precision::Bf16`], kept from call to call.
#[derive(Default)]
pub(super) struct Rounded {
    values: Buffer,
    #[cfg(target_arch = "x86_64")]
    pairs: Buffer<u32>,
}

impl Linear {
    /// Prepares `weight`, row-major `[bias.len(), inputs]`, for `arithmetic`.
    pub(super) fn new(
        arithmetic: Arithmetic,
        weight: &[f32],
        bias: Vec<f32>,
        inputs: usize,
    ) -> Self {
        let outputs = bias.len();
        assert_eq!(weight.len(), outputs * inputs, "weight and bias disagree");
        let rounded: Vec<f32>;
        let values = match arithmetic.precision {
            Precision::F32 => weight,
            Precision::Bf16 => {
                rounded = weight.iter().map(|&value| round(value)).collect();
                &rounded
            }
        };
        let weight = match (arithmetic.engine, arithmetic.precision) {
            #[cfg(target_arch = "x86_64")]
            (Engine::Avx512Bf16, Precision::Bf16) => {
                Weight::Pairs(bf16::pack_weight(values, inputs, outputs))
            }
            #[cfg(target_arch = "x86_64")]
            (Engine::Avx512 | Engine::Avx512Bf16, _) => {
                Weight::Values(avx512::pack_weight(values, inputs, outputs))
            }
            _ => {
                let mut buffer = Buffer::zeros(values.len());
                buffer.as_mut_slice().copy_from_slice(values);
                Weight::Values(buffer)
            }
        };
        Self {
            arithmetic,
            inputs,
            outputs,
            weight,
            bias,
        }
    }

    /// Values per output row.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Applies the layer to every row of `x` and stores into `out` as `epilogue` says.
    pub(super) fn apply(
        &self,
        x: &[f32],
        out: &mut [f32],
        epilogue: Epilogue,
        rounded: &mut Rounded,
    ) {
        let rows = x.len() / self.inputs;
        assert_eq!(x.len(), rows * self.inputs, "whole rows in");
        assert_eq!(out.len(), rows * self.outputs, "whole rows out");
        let weight = match &self.weight {
            #[cfg(target_arch = "x86_64")]
            Weight::Pairs(panels) => {
                bf16::linear(
                    self,
                    panels.as_slice(),
                    x,
                    out,
                    epilogue,
                    &mut rounded.pairs,
                );
                return;
            }
            Weight::Values(weight) => weight.as_slice(),
        };
        let x = match self.arithmetic.precision {
            Precision::F32 => x,
            Precision::Bf16 => {
                let values = rounded.values.resize(x.len());
                for (rounded, &value) in values.iter_mut().zip(x) {
                    *rounded = round(value);
                }
                values
            }
        };
        match self.arithmetic.engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512 | Engine::Avx512Bf16 => avx512::linear(self, weight, x, out, epilogue),
            _ => portable::linear(self, weight, x, out, rows, epilogue),
        }
    }
}

/// The nearest bfloat16 number, ties to even.
fn round(value: f32) -> f32 {
    half::bf16::from_f32(value).to_f32()
}

/// Shape of the self-attention of one layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attention {
    /// Implementation.
    pub(super) engine: Engine,
    /// Number of query heads.
    pub(super) heads: usize,
    /// Number of key and value heads; each serves `heads / kv_heads` neighbouring query heads
    /// (arXiv 2305.13245).
    pub(super) kv_heads: usize,
    /// Width of one head.
    pub(super) head_width: usize,
    /// Whether a token sees itself and those before it only.
    pub(super) causal: bool,
}

/// Buffers of [`Attention::apply`] that outlive the call.
#[derive(Default)]
pub(super) struct AttentionScratch {
    keys: Buffer,
    values: Buffer,
    scores: Buffer,
}

impl Attention {
    /// Values of a token's queries, and of its output.
    pub(super) fn width(&self) -> usize {
        self.heads * self.head_width
    }

    /// Values of a token's queries, keys and values together.
    pub(super) fn row_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_width
    }

    /// Self-attention of one sequence. Queries are expected to be scaled by `1 / √head_width`
    /// already (folded into the weights at load).
    ///
    /// # Shape
    /// `qkv` is `[length, row_width]` (queries, keys, values side by side), `out` is
    /// `[length, width]`.
    pub(super) fn apply(&self, qkv: &[f32], out: &mut [f32], scratch: &mut AttentionScratch) {
        let length = out.len() / self.width();
        assert_eq!(out.len(), length * self.width(), "whole rows out");
        assert_eq!(
            qkv.len(),
            length * self.row_width(),
            "queries, keys and values"
        );
        assert!(
            self.heads.is_multiple_of(self.kv_heads),
            "groups of query heads"
        );
        if length == 0 {
            return;
        }
        match self.engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512 | Engine::Avx512Bf16 => {
                avx512::attention(self, qkv, out, length, scratch);
            }
            _ => portable::attention(self, qkv, out, length, scratch),
        }
    }
}

/// Layer normalisation over rows of `weight.len()` values, in place.
pub(super) fn layer_norm(values: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    elementwise::layer_norm(values, weight, bias, eps);
}

/// Root mean square normalisation (arXiv 1910.07467) of rows of `weight.len()` values.
///
/// # Shape
/// `values` and `out` are `[rows, weight.len()]`.
pub(super) fn rms_norm(values: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    out.copy_from_slice(values);
    elementwise::rms_norm(out, weight, eps);
}

/// [`rms_norm`] in place.
pub(super) fn rms_norm_in_place(values: &mut [f32], weight: &[f32], eps: f32) {
    elementwise::rms_norm(values, weight, eps);
}

/// Rotary position embedding (arXiv 2104.09864) of the heads of one token, in place: value `i` of a
/// head and value `i + half` are a pair, turned by angle `i` of the token's position.
///
/// # Shape
/// `heads` is `[number of heads, 2 * half]`; `cos` and `sin` are `[half]`.
pub(super) fn rotate(heads: &mut [f32], cos: &[f32], sin: &[f32]) {
    elementwise::rotate(heads, cos, sin);
}
