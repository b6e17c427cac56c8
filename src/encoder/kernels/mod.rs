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
mod engine;
mod layer;
mod portable;
#[cfg(test)]
mod tests;

pub(super) use buffer::Buffer;
pub(super) use elementwise::{Activation, layer_norm, rms_norm_in_place, rotate};
pub(super) use engine::{Arithmetic, Engine};
pub(super) use layer::{
    Attention, AttentionScratch, Epilogue, Linear, RelativeBias, Rounded, Sight,
};

use crate::reading::Precision;

use layer::Weight;

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

impl Attention {
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
