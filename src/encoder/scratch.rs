//! The buffers of one worker's forward pass.

use super::kernels::{AttentionScratch, Buffer, Rounded};

/// Buffers that are kept from batch to batch, whatever network runs.
#[derive(Default)]
pub(super) struct Scratch {
    /// States, `[tokens, width]`.
    pub(super) hidden: Buffer,
    /// States behind a norm.
    pub(super) normed: Buffer,
    /// Queries, keys and values.
    pub(super) qkv: Buffer,
    /// What attention gives.
    pub(super) context: Buffer,
    /// Between the products of a feed-forward part.
    pub(super) middle: Buffer,
    pub(super) attention: AttentionScratch,
    pub(super) rounded: Rounded,
}
