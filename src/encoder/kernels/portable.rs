//! The engine of every machine without AVX-512: faer's products, fused element-wise loops.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::elementwise;
use super::layer::{Attention, AttentionScratch, Epilogue, Linear};

/// Queries whose scores are held at a time.
const QUERIES: usize = 256;

/// See [`Linear::apply`].
pub(super) fn linear(
    layer: &Linear,
    weight: &[f32],
    x: &[f32],
    out: &mut [f32],
    rows: usize,
    epilogue: Epilogue,
) {
    let product = |out: &mut [f32], accumulate| product(layer, weight, x, out, rows, accumulate);
    match epilogue {
        Epilogue::Bias => {
            product(out, Accum::Replace);
            elementwise::add_bias(out, &layer.bias);
        }
        Epilogue::Activation(activation) => {
            product(out, Accum::Replace);
            elementwise::activate(out, &layer.bias, activation);
        }
        Epilogue::Residual => {
            product(out, Accum::Add);
            elementwise::add_bias(out, &layer.bias);
        }
        Epilogue::Multiply => {
            let mut factors = vec![0.0; out.len()];
            product(&mut factors, Accum::Replace);
            elementwise::multiply(out, &factors, &layer.bias);
        }
    }
}

fn product(
    layer: &Linear,
    weight: &[f32],
    x: &[f32],
    out: &mut [f32],
    rows: usize,
    accumulate: Accum,
) {
    matmul(
        MatMut::from_row_major_slice_mut(out, rows, layer.outputs),
        accumulate,
        MatRef::from_row_major_slice(x, rows, layer.inputs),
        MatRef::from_column_major_slice(weight, layer.inputs, layer.outputs),
        1.0,
        Par::Seq,
    );
}

/// See [`Attention::apply`].
pub(super) fn attention(
    shape: &Attention,
    qkv: &[f32],
    out: &mut [f32],
    length: usize,
    scratch: &mut AttentionScratch,
) {
    let qkv = MatRef::from_row_major_slice(qkv, length, shape.row_width());
    let mut out = MatMut::from_row_major_slice_mut(out, length, shape.width());
    let part = |head: usize| qkv.subcols(head * shape.head_width, shape.head_width);
    for head in 0..shape.heads {
        let group = head * shape.kv_heads / shape.heads;
        let (keys, values) = (
            part(shape.heads + group),
            part(shape.heads + shape.kv_heads + group),
        );
        for first in (0..length).step_by(QUERIES) {
            let rows = QUERIES.min(length - first);
            let scores = scratch.scores.resize(rows * length);
            matmul(
                MatMut::from_row_major_slice_mut(scores, rows, length),
                Accum::Replace,
                part(head).subrows(first, rows),
                keys.transpose(),
                1.0,
                Par::Seq,
            );
            for (query, scores) in (first..).zip(scores.chunks_exact_mut(length)) {
                shape.adjust(head, query, length, 0, scores);
            }
            elementwise::softmax_rows(scores, length);
            matmul(
                out.as_mut()
                    .submatrix_mut(first, head * shape.head_width, rows, shape.head_width),
                Accum::Replace,
                MatRef::from_row_major_slice(scores, rows, length),
                values,
                1.0,
                Par::Seq,
            );
        }
    }
}
