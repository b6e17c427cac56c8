//! Products of bfloat16 numbers, on machines with AVX512_BF16: the tiles of `avx512` over pairs.
//!
//! One instruction multiplies two neighbours of a row with two of a column and adds both products
//! to an `f32` sum: half the instructions and half the bytes of the `f32` tiles. Rows of a block
//! are rounded once, before the panels of the weight pass by; weights are packed at load.
#![expect(
    unsafe_code,
    reason = "register tiles are written in AVX-512 intrinsics over raw pointers"
)]

use std::arch::x86_64::{
    __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_storeu_si512,
};
use std::mem::transmute;

use super::avx512::{COLUMNS, ROWS, Tile, panel_bias, store};
use super::buffer::Buffer;
use super::engine::Engine;
use super::layer::{Epilogue, Linear};

/// Values that one instruction rounds, and pairs that it makes of them.
const ROUNDED: usize = 32;

/// Two neighbours as one lane, the first in the low half.
fn pair(first: f32, second: f32) -> u32 {
    let bits = |value: f32| u32::from(half::bf16::from_f32(value).to_bits());
    bits(first) | bits(second) << 16
}

/// `[outputs, inputs]` row-major to panels `[ceil(outputs / 32)][ceil(inputs / 2)][32]` of pairs,
/// what is outside padded with zeros.
pub(super) fn pack_weight(weight: &[f32], inputs: usize, outputs: usize) -> Buffer<u32> {
    let depth = inputs.div_ceil(2);
    let mut buffer = Buffer::zeros(outputs.div_ceil(COLUMNS) * COLUMNS * depth);
    let panels = buffer.as_mut_slice();
    for (output, row) in weight.chunks_exact(inputs).enumerate() {
        let panel = &mut panels[output / COLUMNS * COLUMNS * depth..][..COLUMNS * depth];
        let slots = panel[output % COLUMNS..].iter_mut().step_by(COLUMNS);
        for (slot, values) in slots.zip(row.chunks(2)) {
            *slot = pair(values[0], values.get(1).copied().unwrap_or_default());
        }
    }
    buffer
}

/// See [`Linear::apply`]; `panels` is the layer's packed weight.
pub(super) fn linear(
    layer: &Linear,
    panels: &[u32],
    x: &[f32],
    out: &mut [f32],
    epilogue: Epilogue,
    rounded: &mut Buffer<u32>,
) {
    assert_eq!(
        Engine::detect(),
        Engine::Avx512Bf16,
        "this engine needs AVX512_BF16"
    );
    // SAFETY: the features that the function enables were just found.
    unsafe { linear_blocks(layer, panels, x, out, epilogue, rounded) }
}

#[target_feature(enable = "avx512bf16,avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn linear_blocks(
    layer: &Linear,
    panels: &[u32],
    x: &[f32],
    out: &mut [f32],
    epilogue: Epilogue,
    rounded: &mut Buffer<u32>,
) {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let depth = inputs.div_ceil(2);
    let block = Engine::Avx512Bf16.row_block();
    let mut tile = Tile([0.0; ROWS * COLUMNS]);
    let blocks = x
        .chunks(block * inputs)
        .zip(out.chunks_mut(block * outputs));
    for (x, out) in blocks {
        let rows = x.len() / inputs;
        let rounded = rounded.resize(rows * depth);
        for (row, pairs) in x.chunks_exact(inputs).zip(rounded.chunks_exact_mut(depth)) {
            round_row(row, pairs);
        }
        for (panel, first) in panels
            .chunks_exact(depth * COLUMNS)
            .zip((0..).step_by(COLUMNS))
        {
            let columns = COLUMNS.min(outputs - first);
            let bias = panel_bias(layer, first);
            for row in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - row);
                let left = &rounded[row * depth..(row + count) * depth];
                product(count, depth, left, panel, &mut tile);
                let out = &mut out[row * outputs + first..];
                store(&mut tile, count, &bias, epilogue, out, outputs, columns);
            }
        }
    }
}

/// Rounds a row to pairs; an odd last value is paired with zero.
#[inline]
#[target_feature(enable = "avx512bf16,avx512f")]
fn round_row(row: &[f32], pairs: &mut [u32]) {
    let (blocks, rest) = row.as_chunks::<ROUNDED>();
    let (whole, last) = pairs.split_at_mut(blocks.len() * ROUNDED / 2);
    let (whole, _) = whole.as_chunks_mut::<{ ROUNDED / 2 }>();
    for (block, pairs) in blocks.iter().zip(whole) {
        // SAFETY: a block has 32 values, so both halves are readable.
        let (low, high) = unsafe {
            (
                _mm512_loadu_ps(block.as_ptr()),
                _mm512_loadu_ps(block.as_ptr().add(ROUNDED / 2)),
            )
        };
        let rounded = _mm512_cvtne2ps_pbh(high, low);
        // SAFETY: both types are 512 bits wide, and any bits are valid in them; the block of pairs
        // takes as many.
        unsafe {
            _mm512_storeu_si512(
                pairs.as_mut_ptr().cast(),
                transmute::<__m512bh, __m512i>(rounded),
            );
        }
    }
    for (pairs, values) in last.iter_mut().zip(rest.chunks(2)) {
        *pairs = pair(values[0], values.get(1).copied().unwrap_or_default());
    }
}

/// `tile[count, 32] = a[count, depth] b[depth, 32]` for up to [`ROWS`] rows of pairs.
#[inline]
#[target_feature(enable = "avx512bf16,avx512f")]
fn product(count: usize, depth: usize, a: &[u32], b: &[u32], tile: &mut Tile) {
    assert!((1..=ROWS).contains(&count), "1 to {ROWS} rows a tile");
    assert!(a.len() >= count * depth, "left operand");
    assert!(b.len() >= depth * COLUMNS, "right operand");
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), tile.0.as_mut_ptr());
    // SAFETY: the assertions above are the conditions of `tile`; a tile has room for `ROWS` rows.
    unsafe {
        match count {
            1 => sums::<1>(depth, a, b, c),
            2 => sums::<2>(depth, a, b, c),
            3 => sums::<3>(depth, a, b, c),
            4 => sums::<4>(depth, a, b, c),
            5 => sums::<5>(depth, a, b, c),
            6 => sums::<6>(depth, a, b, c),
            7 => sums::<7>(depth, a, b, c),
            8 => sums::<8>(depth, a, b, c),
            9 => sums::<9>(depth, a, b, c),
            10 => sums::<10>(depth, a, b, c),
            11 => sums::<11>(depth, a, b, c),
            12 => sums::<12>(depth, a, b, c),
            13 => sums::<13>(depth, a, b, c),
            _ => sums::<ROWS>(depth, a, b, c),
        }
    }
}

/// `c[N, 32] = a[N, depth] b[depth, 32]`, all accumulators in registers.
///
/// # Safety
/// `a` must be readable for `N * depth` pairs, `b` for `depth * 32`, and `c` writable for `N * 32`
/// values.
#[target_feature(enable = "avx512bf16,avx512f")]
unsafe fn sums<const N: usize>(depth: usize, a: *const u32, b: *const u32, c: *mut f32) {
    let mut sums = [[_mm512_setzero_ps(); 2]; N];
    for p in 0..depth {
        // SAFETY: `p < depth`, so both halves of the panel row are readable; the types are 512 bits
        // wide, and any bits are valid in them.
        let (b0, b1) = unsafe {
            let load = |at: usize| _mm512_loadu_si512(b.add(at).cast());
            (
                transmute::<__m512i, __m512bh>(load(p * COLUMNS)),
                transmute::<__m512i, __m512bh>(load(p * COLUMNS + COLUMNS / 2)),
            )
        };
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: `i < N` and `p < depth`; the types as above.
            let x = unsafe {
                let pair = (*a.add(i * depth + p)).cast_signed();
                transmute::<__m512i, __m512bh>(_mm512_set1_epi32(pair))
            };
            sum[0] = _mm512_dpbf16_ps(sum[0], x, b0);
            sum[1] = _mm512_dpbf16_ps(sum[1], x, b1);
        }
    }
    for (i, sum) in sums.iter().enumerate() {
        // SAFETY: `i < N`, and a row of the result has 32 values.
        unsafe {
            _mm512_storeu_ps(c.add(i * COLUMNS), sum[0]);
            _mm512_storeu_ps(c.add(i * COLUMNS + COLUMNS / 2), sum[1]);
        }
    }
}
