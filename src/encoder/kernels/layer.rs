//! Shapes, weights and buffers of the layers that the engines run.

use super::buffer::Buffer;
use super::elementwise::Activation;
use super::engine::{Arithmetic, Engine};

/// The operation fused into the end of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encoder) enum Epilogue {
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
pub(in crate::encoder) struct Linear {
    pub(super) arithmetic: Arithmetic,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) weight: Weight,
    pub(super) bias: Vec<f32>,
}

/// The weight of a [`Linear`].
pub(super) enum Weight {
    /// As `avx512` or `portable` reads it.
    Values(Buffer),
    /// As `bf16` reads it.
    #[cfg(target_arch = "x86_64")]
    Pairs(Buffer<u32>),
}

/// Room for the left operand of a product at [`Precision::Bf16`](crate::reading::Precision::Bf16), kept from call to call.
#[derive(Default)]
pub(in crate::encoder) struct Rounded {
    pub(super) values: Buffer,
    #[cfg(target_arch = "x86_64")]
    pub(super) pairs: Buffer<u32>,
}

/// Shape of the self-attention of one layer.
#[derive(Clone, Copy, Debug)]
pub(in crate::encoder) struct Attention {
    /// Implementation.
    pub(in crate::encoder) engine: Engine,
    /// Number of query heads.
    pub(in crate::encoder) heads: usize,
    /// Number of key and value heads; each serves `heads / kv_heads` neighbouring query heads
    /// (arXiv 2305.13245).
    pub(in crate::encoder) kv_heads: usize,
    /// Width of one head.
    pub(in crate::encoder) head_width: usize,
    /// Whether a token sees itself and those before it only.
    pub(in crate::encoder) causal: bool,
}

/// Buffers of [`Attention::apply`] that outlive the call.
#[derive(Default)]
pub(in crate::encoder) struct AttentionScratch {
    pub(super) keys: Buffer,
    pub(super) values: Buffer,
    pub(super) scores: Buffer,
}

impl Attention {
    /// Values of a token's queries, and of its output.
    pub(in crate::encoder) fn width(&self) -> usize {
        self.heads * self.head_width
    }

    /// Values of a token's queries, keys and values together.
    pub(in crate::encoder) fn row_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_width
    }
}
