//! The k best of a stream of scored documents.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A document of a segment and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredDoc {
    /// The document's number in its segment, or in the snapshot, as the caller counts.
    pub doc: u32,
    /// Its score, never NaN.
    pub score: f32,
}

impl Eq for ScoredDoc {}

impl PartialOrd for ScoredDoc {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Ordered from best to worst: higher score first, then the lower document.
impl Ord for ScoredDoc {
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.doc.cmp(&other.doc))
    }
}

/// Keeps the `k` best documents pushed into it.
///
/// ```
/// use latentdb_index::TopK;
///
/// let mut top = TopK::new(2);
/// for (doc, score) in [(0, 0.1), (1, 0.9), (2, 0.5)] {
///     top.push(doc, score);
/// }
/// assert_eq!(top.threshold(), 0.5);
/// let docs: Vec<u32> = top.into_sorted().iter().map(|hit| hit.doc).collect();
/// assert_eq!(docs, [1, 2]);
/// ```
pub struct TopK {
    /// The worst kept document is on top.
    heap: BinaryHeap<ScoredDoc>,
    k: usize,
}

impl TopK {
    /// An empty selection of at most `k`.
    pub fn new(k: usize) -> Self {
        Self {
            heap: BinaryHeap::with_capacity(k.min(1 << 16) + 1),
            k,
        }
    }

    /// Offers a document; it stays while it is among the best `k`.
    #[inline]
    pub fn push(&mut self, doc: u32, score: f32) {
        let offered = ScoredDoc { doc, score };
        if self.heap.len() < self.k {
            self.heap.push(offered);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && offered < *worst
        {
            *worst = offered;
        }
    }

    /// True when `k` documents are kept.
    pub fn is_full(&self) -> bool {
        self.heap.len() >= self.k
    }

    /// The score a document must pass to get in for sure: the worst kept one when full, else -∞.
    #[inline]
    pub fn threshold(&self) -> f32 {
        if !self.is_full() {
            return f32::NEG_INFINITY;
        }
        self.heap.peek().map_or(f32::INFINITY, |worst| worst.score)
    }

    /// The kept documents, best first.
    pub fn into_sorted(self) -> Vec<ScoredDoc> {
        self.heap.into_sorted_vec()
    }
}
