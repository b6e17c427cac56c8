//! Choosing the latents of a batch, where that depends on more than one row.

use super::forward::Block;
use super::kept::Keep;

/// Fills what the rows of a batch keep from what was found in them.
///
/// Among equal values of a batch the earlier row comes first, then the smaller latent. Returns
/// another way to keep when values below the floor may belong to the batch's largest: the batch
/// is to be encoded again with it.
pub(super) fn keep_of_batch(blocks: &mut [Block], keep: Keep) -> Option<Keep> {
    let (least, mut ties) = match keep {
        Keep::TopK(_) => return None,
        Keep::Above(threshold) => (threshold, 0),
        Keep::BatchTopK { k, floor } => {
            let rows: usize = blocks.iter().map(|block| block.sums.rows).sum();
            let wanted = k * rows;
            let mut values: Vec<f32> = blocks
                .iter()
                .flat_map(|block| block.found.values.iter().copied())
                .collect();
            if values.len() < wanted && floor > f32::MIN_POSITIVE {
                return Some(Keep::BatchTopK {
                    k,
                    floor: f32::MIN_POSITIVE,
                });
            }
            if values.len() <= wanted {
                (0.0, 0)
            } else {
                let (above, least, _) =
                    values.select_nth_unstable_by(wanted - 1, |a, b| b.total_cmp(a));
                let least = *least;
                let larger = above.iter().filter(|value| **value > least).count();
                (least, wanted - larger)
            }
        }
    };
    for block in blocks {
        let rows = block.sums.rows;
        let mut code = Vec::new();
        let mut counts = Vec::with_capacity(rows);
        for row in 0..rows {
            let before = code.len();
            for at in block.found.row(row) {
                let value = block.found.values[at];
                let tied = value == least && ties > 0;
                if tied {
                    ties -= 1;
                }
                if tied || value > least {
                    code.push((block.found.latents[at], value));
                }
            }
            counts.push(code.len() - before);
        }
        block
            .live
            .reset(rows, counts.iter().copied().max().unwrap_or(0));
        let mut start = 0;
        for (row, count) in counts.into_iter().enumerate() {
            block
                .live
                .set(row, code[start..start + count].iter().copied());
            start += count;
        }
        block.sums.active = code.len();
    }
    None
}
