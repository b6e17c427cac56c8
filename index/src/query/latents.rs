//! Exact weighted top-k over posting lists.
//!
//! Term at a time into a window of accumulators that stays in the L2 cache. Before a window is
//! scored, the block maxima bound what any document in it can reach (a negative weight contributes
//! at most 0), and a window that cannot reach the k-th best score so far is skipped. Where a filter
//! leaves fewer documents than the postings have entries, the allowed documents' forward rows are
//! scored instead. Both paths add in ascending order of latents, so they give the same scores.

use std::cell::Cell;

use roaring::RoaringBitmap;

use super::LatentWeight;
use crate::error::Result;
use crate::filter::AllowedInSegment;
use crate::latents::{BLOCK, PostingList, Row};
use crate::rank::TopK;
use crate::snapshot::SegmentView;

/// Documents of a window: 64 KiB of accumulators.
const WINDOW: u32 = 1 << 14;
/// Forward entries that are read in the time of one posting.
const ROW_COST: usize = 4;

/// How a segment was scored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Postings,
    Rows,
}

/// Offers the allowed documents of a segment that have any of `weights` (ascending by latent) to
/// `top`, as numbers of the snapshot. Returns the access path and the documents or postings read.
pub(super) fn search_segment(
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    weights: &[LatentWeight],
    top: &mut TopK,
) -> Result<(Access, u64)> {
    let lists: Vec<(PostingList, f32)> = weights
        .iter()
        .filter_map(|entry| Some((segment.latents.list(entry.latent)?, entry.weight)))
        .collect();
    let postings: usize = lists.iter().map(|(list, _)| list.len()).sum();
    if postings == 0 || allowed.count() == 0 {
        return Ok((Access::Postings, 0));
    }
    let mean_row = segment.latents.n_entries() / segment.latents.n_docs().max(1) as usize;
    let row_cost = allowed.count() as usize * mean_row.div_ceil(ROW_COST).max(1);
    if row_cost < postings {
        for doc in allowed.iter() {
            if let Some(score) = score_row(segment.latents.row(doc), weights) {
                top.push(segment.base + doc, score);
            }
        }
        return Ok((Access::Rows, allowed.count()));
    }
    score_windows(segment, allowed, &lists, top);
    if !top.is_full() || top.threshold() <= 0.0 {
        // Accumulators cannot tell "no latent active" from "adds up to 0 or less": documents at
        // or below 0 come from the union of the lists.
        let mut union = RoaringBitmap::new();
        for (list, _) in &lists {
            union |= list.set()?;
        }
        for doc in union.iter().filter(|&doc| allowed.contains(doc)) {
            if let Some(score) = score_row(segment.latents.row(doc), weights)
                && score <= 0.0
            {
                top.push(segment.base + doc, score);
            }
        }
    }
    Ok((Access::Postings, postings as u64))
}

/// The score of a row, where it has any of `weights`; both ascend by latent.
pub(super) fn score_row(row: Row, weights: &[LatentWeight]) -> Option<f32> {
    let mut score = 0.0;
    let mut any = false;
    let mut next = 0;
    for entry in row.iter() {
        while next < weights.len() && weights[next].latent < entry.latent {
            next += 1;
        }
        if next == weights.len() {
            break;
        }
        if weights[next].latent == entry.latent {
            score += weights[next].weight * entry.activation;
            any = true;
        }
    }
    any.then_some(score)
}

/// A list on its way through the windows.
struct Cursor<'a> {
    list: PostingList<'a>,
    weight: f32,
    /// First block that may reach into the window.
    block: usize,
}

impl Cursor<'_> {
    /// Blocks with documents in `start..end`, and the most they can add to a score there.
    fn blocks_in(&mut self, start: u32, end: u32) -> (std::ops::Range<usize>, f32) {
        while self.block < self.list.n_blocks() && self.list.block(self.block).last_doc < start {
            self.block += 1;
        }
        let mut last = self.block;
        let mut maximum: f32 = 0.0;
        while last < self.list.n_blocks() {
            let block = self.list.block(last);
            maximum = maximum.max(block.maximum);
            last += 1;
            if block.last_doc >= end - 1 {
                break;
            }
        }
        (self.block..last, (self.weight * maximum).max(0.0))
    }
}

/// Offers every allowed document with a score above 0.
fn score_windows(
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    lists: &[(PostingList, f32)],
    top: &mut TopK,
) {
    let n_docs = segment.latents.n_docs();
    let mut cursors: Vec<Cursor> = lists
        .iter()
        .map(|&(list, weight)| Cursor {
            list,
            weight,
            block: 0,
        })
        .collect();
    let mut scores = SCORES.take();
    scores.resize(WINDOW as usize, 0.0);
    let mut docs = [0_u32; BLOCK];
    let mut activations = [0.0_f32; BLOCK];
    let mut ranges = Vec::with_capacity(cursors.len());
    let mut start = 0;
    while start < n_docs {
        let end = n_docs.min(start.saturating_add(WINDOW));
        ranges.clear();
        let mut bound = 0.0_f32;
        for cursor in &mut cursors {
            let (blocks, most) = cursor.blocks_in(start, end);
            bound += most;
            ranges.push(blocks);
        }
        // The bound adds in the same order as the scores, and rounding is monotonous.
        if bound > top.threshold().max(0.0) {
            for (cursor, blocks) in cursors.iter().zip(&ranges) {
                for block in blocks.clone() {
                    let len = cursor.list.decode(block, &mut docs, &mut activations);
                    let (docs, activations) = (&docs[..len], &activations[..len]);
                    if docs[0] >= start && docs[len - 1] < end {
                        for (&doc, &activation) in docs.iter().zip(activations) {
                            scores[(doc - start) as usize] += cursor.weight * activation;
                        }
                    } else {
                        for (&doc, &activation) in docs.iter().zip(activations) {
                            if (start..end).contains(&doc) {
                                scores[(doc - start) as usize] += cursor.weight * activation;
                            }
                        }
                    }
                }
            }
            collect(
                segment.base,
                start,
                &mut scores[..(end - start) as usize],
                allowed,
                top,
            );
        }
        start = end;
    }
    SCORES.set(scores);
}

thread_local! {
    /// The accumulators of a window, all 0 between two queries.
    static SCORES: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Moves the scores above the threshold into `top` and clears the window.
fn collect(base: u32, start: u32, scores: &mut [f32], allowed: &AllowedInSegment, top: &mut TopK) {
    let mut threshold = top.threshold().max(0.0);
    for (chunk, group) in (0_u32..).zip(scores.chunks_mut(64)) {
        // Without a branch inside, so that it becomes comparisons of whole registers.
        if group
            .iter()
            .fold(false, |any, &score| any | (score > threshold))
        {
            for (offset, &score) in (0_u32..).zip(group.iter()) {
                let doc = start + chunk * 64 + offset;
                if score > threshold && allowed.contains(doc) {
                    top.push(base + doc, score);
                    threshold = top.threshold().max(0.0);
                }
            }
        }
        group.fill(0.0);
    }
}
