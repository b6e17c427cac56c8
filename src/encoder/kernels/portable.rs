//! The engine of every machine without AVX-512: faer's products, fused element-wise loops.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::{Attention, AttentionScratch, Epilogue, Linear, elementwise};

/// See [`Linear::apply`].
pub(super) fn linear(layer: &Linear, x: &[f32], out: &mut [f32], rows: usize, epilogue: Epilogue) {
    let accumulate = match epilogue {
        Epilogue::Residual => Accum::Add,
        Epilogue::Bias | Epilogue::Activation(_) => Accum::Replace,
    };
    matmul(
        MatMut::from_row_major_slice_mut(out, rows, layer.outputs),
        accumulate,
        MatRef::from_row_major_slice(x, rows, layer.inputs),
        MatRef::from_column_major_slice(layer.weight.as_slice(), layer.inputs, layer.outputs),
        1.0,
        Par::Seq,
    );
    match epilogue {
        Epilogue::Bias | Epilogue::Residual => elementwise::add_bias(out, &layer.bias),
        Epilogue::Activation(activation) => elementwise::activate(out, &layer.bias, activation),
    }
}

/// See [`Attention::apply`].
pub(super) fn attention(
    shape: &Attention,
    qkv: &[f32],
    out: &mut [f32],
    length: usize,
    scratch: &mut AttentionScratch,
) {
    let width = shape.heads * shape.head_width;
    let qkv = MatRef::from_row_major_slice(qkv, length, 3 * width);
    let mut out = MatMut::from_row_major_slice_mut(out, length, width);
    let scores = scratch.scores.resize(length * length);
    for head in 0..shape.heads {
        let part =
            |index: usize| qkv.subcols(index * width + head * shape.head_width, shape.head_width);
        matmul(
            MatMut::from_row_major_slice_mut(scores, length, length),
            Accum::Replace,
            part(0),
            part(1).transpose(),
            1.0,
            Par::Seq,
        );
        elementwise::softmax_rows(scores, length);
        matmul(
            out.as_mut()
                .subcols_mut(head * shape.head_width, shape.head_width),
            Accum::Replace,
            MatRef::from_row_major_slice(scores, length, length),
            part(2),
            1.0,
            Par::Seq,
        );
    }
}
