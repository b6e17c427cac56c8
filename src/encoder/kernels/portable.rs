//! The engine of every machine without AVX-512: faer's products, fused element-wise loops.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::elementwise;
use super::layer::{Attention, AttentionScratch, Epilogue, Linear};

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
    let scores = scratch.scores.resize(length * length);
    let part = |head: usize| qkv.subcols(head * shape.head_width, shape.head_width);
    for head in 0..shape.heads {
        let group = head * shape.kv_heads / shape.heads;
        matmul(
            MatMut::from_row_major_slice_mut(scores, length, length),
            Accum::Replace,
            part(head),
            part(shape.heads + group).transpose(),
            1.0,
            Par::Seq,
        );
        if shape.causal {
            for (row, scores) in scores.chunks_exact_mut(length).enumerate() {
                scores[row + 1..].fill(f32::NEG_INFINITY);
            }
        }
        elementwise::softmax_rows(scores, length);
        matmul(
            out.as_mut()
                .subcols_mut(head * shape.head_width, shape.head_width),
            Accum::Replace,
            MatRef::from_row_major_slice(scores, length, length),
            part(shape.heads + shape.kv_heads + group),
            1.0,
            Par::Seq,
        );
    }
}
