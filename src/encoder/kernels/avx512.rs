//! The engine of machines with AVX-512: register tiles over packed panels.
//!
//! A tile is [`ROWS`] rows by [`COLUMNS`] columns: 28 accumulators, two registers of the right
//! operand, one broadcast of the left one. The left operand is read in place, since the rows of a
//! block stay in the second-level cache; the right operand lies in panels of [`COLUMNS`] columns
//! whose rows are contiguous, so no call packs anything but the keys and values of attention.
#![expect(
    unsafe_code,
    reason = "register tiles are written in AVX-512 intrinsics over raw pointers"
)]

use std::arch::x86_64::{
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::buffer::Buffer;
use super::elementwise::{activate_body, exponentiate};
use super::engine::Engine;
use super::layer::{Attention, AttentionScratch, Epilogue, Linear};
use crate::instructions::has_avx512;

/// Rows of a tile.
pub(super) const ROWS: usize = 14;
/// Columns of a tile: two registers.
pub(super) const COLUMNS: usize = 32;

/// A finished tile, on cache lines of its own.
#[repr(align(64))]
pub(super) struct Tile(pub(super) [f32; ROWS * COLUMNS]);

/// `[outputs, inputs]` row-major to panels `[ceil(outputs / 32)][inputs][32]`, the last one padded
/// with zeros.
pub(super) fn pack_weight(weight: &[f32], inputs: usize, outputs: usize) -> Buffer {
    let mut buffer = Buffer::zeros(outputs.div_ceil(COLUMNS) * COLUMNS * inputs);
    let panels = buffer.as_mut_slice();
    for (output, row) in weight.chunks_exact(inputs).enumerate() {
        let panel = &mut panels[output / COLUMNS * COLUMNS * inputs..][..COLUMNS * inputs];
        for (slot, &value) in panel[output % COLUMNS..]
            .iter_mut()
            .step_by(COLUMNS)
            .zip(row)
        {
            *slot = value;
        }
    }
    buffer
}

/// See [`Linear::apply`].
pub(super) fn linear(
    layer: &Linear,
    weight: &[f32],
    x: &[f32],
    out: &mut [f32],
    epilogue: Epilogue,
) {
    assert!(has_avx512(), "this engine needs AVX-512");
    // SAFETY: the features that the function enables were just found.
    unsafe { linear_blocks(layer, weight, x, out, epilogue) }
}

#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn linear_blocks(layer: &Linear, weight: &[f32], x: &[f32], out: &mut [f32], epilogue: Epilogue) {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let rows = x.len() / inputs;
    let mut tile = Tile([0.0; ROWS * COLUMNS]);
    let block_rows = Engine::Avx512.row_block();
    for block in (0..rows).step_by(block_rows) {
        let block_end = rows.min(block + block_rows);
        let panels = weight.chunks_exact(inputs * COLUMNS);
        for (panel, first) in panels.zip((0..).step_by(COLUMNS)) {
            let columns = COLUMNS.min(outputs - first);
            let bias = panel_bias(layer, first);
            for row in (block..block_end).step_by(ROWS) {
                let count = ROWS.min(block_end - row);
                product(
                    count,
                    inputs,
                    &x[row * inputs..(row + count) * inputs],
                    inputs,
                    panel,
                    &mut tile.0,
                    COLUMNS,
                );
                let out = &mut out[row * outputs + first..];
                store(&mut tile, count, &bias, epilogue, out, outputs, columns);
            }
        }
    }
}

/// The bias of the columns of the panel that starts at `first`, zeros past the last.
#[inline(always)]
pub(super) fn panel_bias(layer: &Linear, first: usize) -> [f32; COLUMNS] {
    let mut bias = [0.0; COLUMNS];
    for (slot, &value) in bias.iter_mut().zip(&layer.bias[first..]) {
        *slot = value;
    }
    bias
}

/// Moves the first `count` rows of a tile to `out` (rows of `stride`, `columns` of each).
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
pub(super) fn store(
    tile: &mut Tile,
    count: usize,
    bias: &[f32; COLUMNS],
    epilogue: Epilogue,
    out: &mut [f32],
    stride: usize,
    columns: usize,
) {
    if let Epilogue::Activation(activation) = epilogue {
        activate_body::<true>(&mut tile.0[..count * COLUMNS], bias, activation);
    }
    let (rows, _) = tile.0.as_chunks::<COLUMNS>();
    for (row, out) in rows[..count].iter().zip(out.chunks_mut(stride)) {
        // A slice of known length compiles to two stores, one of unknown length to a call.
        match out.first_chunk_mut::<COLUMNS>() {
            Some(out) if columns == COLUMNS => finish(row, bias, epilogue, out),
            _ => finish(row, bias, epilogue, &mut out[..columns]),
        }
    }
}

/// One row of [`store`]; the activation is applied already.
#[inline(always)]
fn finish(row: &[f32; COLUMNS], bias: &[f32; COLUMNS], epilogue: Epilogue, out: &mut [f32]) {
    let sums = out.iter_mut().zip(row).zip(bias);
    match epilogue {
        Epilogue::Activation(_) => sums.for_each(|((o, &v), _)| *o = v),
        Epilogue::Bias => sums.for_each(|((o, &v), &b)| *o = v + b),
        Epilogue::Residual => sums.for_each(|((o, &v), &b)| *o += v + b),
        Epilogue::Multiply => sums.for_each(|((o, &v), &b)| *o *= v + b),
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
    assert!(has_avx512(), "this engine needs AVX-512");
    for group in 0..shape.kv_heads {
        // SAFETY: the features that the function enables were just found.
        unsafe { attention_group(shape, group, qkv, out, length, scratch) }
    }
}

/// The query heads that share the keys and values of head `group`.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn attention_group(
    shape: &Attention,
    group: usize,
    qkv: &[f32],
    out: &mut [f32],
    length: usize,
    scratch: &mut AttentionScratch,
) {
    let head_width = shape.head_width;
    let stride = shape.row_width();
    let padded = length.next_multiple_of(COLUMNS);
    let keys = scratch.keys.resize(padded * head_width);
    let first_key = (shape.heads + group) * head_width;
    pack_keys(&qkv[first_key..], stride, length, head_width, keys);
    let values = scratch
        .values
        .resize(length * head_width.next_multiple_of(COLUMNS));
    let first_value = (shape.heads + shape.kv_heads + group) * head_width;
    pack_values(&qkv[first_value..], stride, length, head_width, values);
    let scores = scratch.scores.resize(ROWS * padded);
    let size = shape.heads / shape.kv_heads;
    for head in group * size..(group + 1) * size {
        attention_head(shape, head, qkv, out, length, (keys, values, scores));
    }
}

/// One query head; `packed` is the keys and values of its group, and room for a tile of scores.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn attention_head(
    shape: &Attention,
    head: usize,
    qkv: &[f32],
    out: &mut [f32],
    length: usize,
    packed: (&[f32], &[f32], &mut [f32]),
) {
    let (keys, values, scores) = packed;
    let head_width = shape.head_width;
    let (width, stride) = (shape.width(), shape.row_width());
    let first = head * head_width;
    let padded = length.next_multiple_of(COLUMNS);
    let mut tile = Tile([0.0; ROWS * COLUMNS]);
    for row in (0..length).step_by(ROWS) {
        let count = ROWS.min(length - row);
        // Keys that rows of the tile see, and the panels that hold them.
        let from = shape.sight.of(row, length).start / COLUMNS * COLUMNS;
        let seen = shape.sight.of(row + count - 1, length).end;
        let reach = seen.next_multiple_of(COLUMNS);
        let queries = &qkv[row * stride + first..];
        for (panel, column) in keys
            .chunks_exact(head_width * COLUMNS)
            .zip((0..reach).step_by(COLUMNS))
            .skip(from / COLUMNS)
        {
            let scores = &mut scores[column..];
            product(count, head_width, queries, stride, panel, scores, padded);
        }
        let mut scales = [0.0; ROWS];
        for (at, (scale, scores)) in scales
            .iter_mut()
            .zip(scores.chunks_exact_mut(padded))
            .take(count)
            .enumerate()
        {
            // What is masked weighs e^-87 in the sum, nothing in the product.
            let scores = &mut scores[from..reach];
            shape.adjust(head, row + at, length, from, scores);
            *scale = 1.0 / exponentiate::<true>(scores);
        }
        for (panel, column) in values
            .chunks_exact(length * COLUMNS)
            .zip((0..).step_by(COLUMNS))
        {
            let (depth, scores, panel) = (seen - from, &scores[from..], &panel[from * COLUMNS..]);
            product(count, depth, scores, padded, panel, &mut tile.0, COLUMNS);
            let columns = COLUMNS.min(head_width - column);
            let out = &mut out[row * width + first + column..];
            let (rows, _) = tile.0.as_chunks::<COLUMNS>();
            for ((row, out), scale) in rows[..count].iter().zip(out.chunks_mut(width)).zip(scales) {
                for (o, &v) in out[..columns].iter_mut().zip(row) {
                    *o = v * scale;
                }
            }
        }
    }
}

/// Keys `[length, head_width]` (rows of `stride`) to panels `[length / 32][head_width][32]`,
/// columns past `length` zero.
#[inline(always)]
fn pack_keys(source: &[f32], stride: usize, length: usize, head_width: usize, panels: &mut [f32]) {
    for (panel, first) in panels
        .chunks_exact_mut(head_width * COLUMNS)
        .zip((0..).step_by(COLUMNS))
    {
        let count = COLUMNS.min(length - first);
        if count < COLUMNS {
            panel.fill(0.0);
        }
        for token in 0..count {
            let key = &source[(first + token) * stride..][..head_width];
            for (slot, &value) in panel[token..].iter_mut().step_by(COLUMNS).zip(key) {
                *slot = value;
            }
        }
    }
}

/// Values `[length, head_width]` (rows of `stride`) to panels `[head_width / 32][length][32]`,
/// columns past `head_width` zero.
#[inline(always)]
fn pack_values(
    source: &[f32],
    stride: usize,
    length: usize,
    head_width: usize,
    panels: &mut [f32],
) {
    for (panel, column) in panels
        .chunks_exact_mut(length * COLUMNS)
        .zip((0..).step_by(COLUMNS))
    {
        let count = COLUMNS.min(head_width - column);
        let (rows, _) = panel.as_chunks_mut::<COLUMNS>();
        for (token, row) in rows.iter_mut().enumerate() {
            let value = &source[token * stride + column..];
            match value.first_chunk::<COLUMNS>() {
                Some(value) if count == COLUMNS => *row = *value,
                _ => {
                    row[..count].copy_from_slice(&value[..count]);
                    row[count..].fill(0.0);
                }
            }
        }
    }
}

/// `c[count, 32] = a[count, depth] b[depth, 32]` for up to [`ROWS`] rows. Rows of `a` are `lda`
/// values apart, rows of `c` `ldc`, and `b` is one panel.
#[inline]
#[target_feature(enable = "avx512f")]
fn product(
    count: usize,
    depth: usize,
    a: &[f32],
    lda: usize,
    b: &[f32],
    c: &mut [f32],
    ldc: usize,
) {
    assert!((1..=ROWS).contains(&count), "1 to {ROWS} rows a tile");
    assert!(a.len() >= (count - 1) * lda + depth, "left operand");
    assert!(b.len() >= depth * COLUMNS, "right operand");
    assert!(c.len() >= (count - 1) * ldc + COLUMNS, "result");
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    // SAFETY: the assertions above are the conditions of `tile`.
    unsafe {
        match count {
            1 => tile::<1>(depth, a, lda, b, c, ldc),
            2 => tile::<2>(depth, a, lda, b, c, ldc),
            3 => tile::<3>(depth, a, lda, b, c, ldc),
            4 => tile::<4>(depth, a, lda, b, c, ldc),
            5 => tile::<5>(depth, a, lda, b, c, ldc),
            6 => tile::<6>(depth, a, lda, b, c, ldc),
            7 => tile::<7>(depth, a, lda, b, c, ldc),
            8 => tile::<8>(depth, a, lda, b, c, ldc),
            9 => tile::<9>(depth, a, lda, b, c, ldc),
            10 => tile::<10>(depth, a, lda, b, c, ldc),
            11 => tile::<11>(depth, a, lda, b, c, ldc),
            12 => tile::<12>(depth, a, lda, b, c, ldc),
            13 => tile::<13>(depth, a, lda, b, c, ldc),
            _ => tile::<ROWS>(depth, a, lda, b, c, ldc),
        }
    }
}

/// `c[N, 32] = a[N, depth] b[depth, 32]`, all accumulators in registers.
///
/// # Safety
/// `a` must be readable at `i * lda + p` and `c` writable at `i * ldc + j` for all `i < N`,
/// `p < depth`, `j < 32`, and `b` readable for `depth * 32` values.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const N: usize>(
    depth: usize,
    a: *const f32,
    lda: usize,
    b: *const f32,
    c: *mut f32,
    ldc: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; N];
    for p in 0..depth {
        // SAFETY: `p < depth`, so both halves of the panel row are readable.
        let (b0, b1) = unsafe {
            (
                _mm512_loadu_ps(b.add(p * COLUMNS)),
                _mm512_loadu_ps(b.add(p * COLUMNS + 16)),
            )
        };
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: `i < N` and `p < depth`.
            let x = _mm512_set1_ps(unsafe { *a.add(i * lda + p) });
            sum[0] = _mm512_fmadd_ps(x, b0, sum[0]);
            sum[1] = _mm512_fmadd_ps(x, b1, sum[1]);
        }
    }
    for (i, sum) in sums.iter().enumerate() {
        // SAFETY: `i < N`, and a row of the result has 32 values.
        unsafe {
            _mm512_storeu_ps(c.add(i * ldc), sum[0]);
            _mm512_storeu_ps(c.add(i * ldc + 16), sum[1]);
        }
    }
}
