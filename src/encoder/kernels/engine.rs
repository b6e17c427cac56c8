//! The implementations of the arithmetic, and which of them this machine runs.

use crate::instructions::has_avx512;
use crate::reading::Precision;

/// The implementation of matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encoder) enum Engine {
    /// As [`Self::Avx512`], with instructions for pairs of bfloat16 numbers.
    Avx512Bf16,
    /// Tiles in AVX-512 registers, weights in panels.
    Avx512,
    /// faer's kernels.
    Portable,
}

impl Engine {
    /// The fastest engine of this machine.
    pub(in crate::encoder) fn detect() -> Self {
        match (has_avx512(), Self::has_bf16()) {
            (true, true) => Self::Avx512Bf16,
            (true, false) => Self::Avx512,
            (false, _) => Self::Portable,
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
    pub(in crate::encoder) fn row_block(self) -> usize {
        match self {
            Self::Avx512 | Self::Avx512Bf16 => 56,
            Self::Portable => 1024,
        }
    }
}

/// The instructions and number format of products with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encoder) struct Arithmetic {
    /// With which instructions.
    pub(in crate::encoder) engine: Engine,
    /// On which numbers.
    pub(in crate::encoder) precision: Precision,
}
