//! Shapes, weights and buffers of the layers that the engines run.

use std::ops::Range;

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

/// Which tokens of a sequence a token sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encoder) enum Sight {
    /// All.
    All,
    /// Itself and those before it.
    Before,
    /// Those at most so far away, on both sides.
    Near(usize),
}

impl Sight {
    /// The keys that a query sees in a sequence of `length` tokens.
    pub(super) fn of(self, query: usize, length: usize) -> Range<usize> {
        match self {
            Self::All => 0..length,
            Self::Before => 0..query + 1,
            Self::Near(reach) => query.saturating_sub(reach)..length.min(query + reach + 1),
        }
    }
}

/// What is added to the scores of a head by how far a key lies behind its query, as in T5 and MPNet (arXiv 2004.09297).
#[derive(Clone, Debug)]
pub(in crate::encoder) struct RelativeBias {
    /// `[heads, 2 * reach + 1]`, from `reach` tokens before the query to `reach` behind it.
    values: Vec<f32>,
    reach: usize,
}

impl RelativeBias {
    /// `of(head, distance)` for distances of up to `reach` tokens, those of keys before their queries negative.
    pub(in crate::encoder) fn new(
        heads: usize,
        reach: usize,
        of: impl Fn(usize, isize) -> f32,
    ) -> Self {
        let reached = reach as isize;
        let head = |head| (-reached..=reached).map(move |distance| (head, distance));
        let values = (0..heads)
            .flat_map(head)
            .map(|(head, distance)| of(head, distance));
        Self {
            values: values.collect(),
            reach,
        }
    }

    /// Of keys `keys` for a query.
    pub(super) fn row(&self, head: usize, query: usize, keys: Range<usize>) -> &[f32] {
        let zero = head * (2 * self.reach + 1) + self.reach - query;
        &self.values[zero + keys.start..zero + keys.end]
    }
}

/// Shape of the self-attention of one layer.
#[derive(Clone, Debug)]
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
    /// What a token sees.
    pub(in crate::encoder) sight: Sight,
    /// What scores depend on beside queries and keys.
    pub(in crate::encoder) bias: Option<RelativeBias>,
}

/// Buffers of [`Attention::apply`] that outlive the call.
#[derive(Default)]
pub(in crate::encoder) struct AttentionScratch {
    pub(super) keys: Buffer,
    pub(super) values: Buffer,
    pub(super) scores: Buffer,
}

impl Attention {
    /// Makes the scores of a query's keys, of which the row begins with key `first`, those that the softmax takes: bias
    /// added, and what is not seen at minus infinity.
    #[inline(always)]
    pub(super) fn adjust(
        &self,
        head: usize,
        query: usize,
        length: usize,
        first: usize,
        scores: &mut [f32],
    ) {
        let seen = self.sight.of(query, length);
        if let Some(bias) = &self.bias {
            let biases = bias.row(head, query, seen.clone());
            for (score, bias) in scores[seen.start - first..seen.end - first]
                .iter_mut()
                .zip(biases)
            {
                *score += bias;
            }
        }
        scores[..seen.start - first].fill(f32::NEG_INFINITY);
        scores[seen.end - first..].fill(f32::NEG_INFINITY);
    }

    /// Values of a token's queries, and of its output.
    pub(in crate::encoder) fn width(&self) -> usize {
        self.heads * self.head_width
    }

    /// Values of a token's queries, keys and values together.
    pub(in crate::encoder) fn row_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_width
    }
}
