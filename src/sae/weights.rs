//! The weights of an SAE as bytes: what is hashed is what is saved.

use std::borrow::Cow;

use safetensors::{Dtype, View};

use crate::error::{Error, Result};

use super::parts::{Architecture, SaeParts};

/// An f32 tensor to be written.
pub(super) struct Tensor<'a> {
    pub shape: Vec<usize>,
    pub values: Cow<'a, [f32]>,
}

impl<'a> Tensor<'a> {
    /// A vector.
    pub fn vector(values: &'a [f32]) -> Self {
        Self {
            shape: vec![values.len()],
            values: Cow::Borrowed(values),
        }
    }
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}

/// The tensors as a safetensors file, under the names that SAELens gives them.
pub(super) fn to_bytes(parts: &SaeParts) -> Result<Vec<u8>> {
    let (d, n) = (parts.d_in, parts.b_enc.len());
    let mut tensors: Vec<(&str, Tensor)> = vec![
        (
            "W_enc",
            Tensor {
                shape: vec![d, n],
                values: Cow::Owned(transposed(&parts.w_enc_t, n, d)),
            },
        ),
        (
            "W_dec",
            Tensor {
                shape: vec![n, d],
                values: Cow::Borrowed(&parts.w_dec),
            },
        ),
        ("b_dec", Tensor::vector(&parts.b_dec)),
    ];
    let uniform;
    match &parts.architecture {
        Architecture::Gated {
            b_gate,
            b_mag,
            r_mag,
        } => tensors.extend([
            ("b_gate", Tensor::vector(b_gate)),
            ("b_mag", Tensor::vector(b_mag)),
            ("r_mag", Tensor::vector(r_mag)),
        ]),
        Architecture::JumpRelu { threshold } => {
            tensors.extend([
                ("b_enc", Tensor::vector(&parts.b_enc)),
                ("threshold", Tensor::vector(threshold)),
            ]);
        }
        Architecture::BatchTopK { threshold, .. } => {
            uniform = vec![*threshold; n];
            tensors.extend([
                ("b_enc", Tensor::vector(&parts.b_enc)),
                ("threshold", Tensor::vector(&uniform)),
            ]);
        }
        Architecture::Standard | Architecture::TopK { .. } | Architecture::GroupMax { .. } => {
            tensors.push(("b_enc", Tensor::vector(&parts.b_enc)));
        }
    }
    safetensors::serialize(tensors, None)
        .map_err(|e| Error::internal("the weights could not be serialised").with_source(e))
}

/// `[rows, columns]` to `[columns, rows]`, in tiles that fit the cache.
pub(super) fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const TILE: usize = 64;
    let mut out = vec![0.0; matrix.len()];
    for row_tile in (0..rows).step_by(TILE) {
        for column_tile in (0..columns).step_by(TILE) {
            for column in column_tile..(column_tile + TILE).min(columns) {
                for row in row_tile..(row_tile + TILE).min(rows) {
                    out[column * rows + row] = matrix[row * columns + column];
                }
            }
        }
    }
    out
}
