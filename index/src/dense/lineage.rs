//! Which rows of a merged segment were which of its sources: what a graph needs to be taken along.

use std::collections::HashMap;

use parking_lot::Mutex;
use roaring::RoaringBitmap;
use tantivy::index::SegmentId;

/// Merges whose segments never came to live, at most.
const CAPACITY: usize = 64;
/// The new row of one that was deleted.
const GONE: u32 = u32::MAX;

/// A segment that was merged with others.
#[derive(Clone)]
pub(crate) struct Source {
    pub id: SegmentId,
    /// Rows it had.
    pub n_rows: u32,
    /// Those that were merged.
    pub kept: RoaringBitmap,
}

/// The sources of merged segments, in the order of their rows, as long as somebody may ask for them.
#[derive(Default)]
pub(crate) struct Lineages(Mutex<Known>);

#[derive(Default)]
struct Known {
    sources: HashMap<SegmentId, (u64, Vec<Source>)>,
    clock: u64,
}

impl Lineages {
    /// Notes what a segment is merged from.
    pub fn note(&self, merged: SegmentId, sources: Vec<Source>) {
        let mut known = self.0.lock();
        known.clock += 1;
        let now = known.clock;
        known.sources.insert(merged, (now, sources));
        if known.sources.len() > CAPACITY
            && let Some(oldest) = known
                .sources
                .iter()
                .min_by_key(|(_, (noted, _))| *noted)
                .map(|(id, _)| *id)
        {
            known.sources.remove(&oldest);
        }
    }

    /// The sources of a segment, each with the new rows of its own.
    pub fn sources(&self, merged: SegmentId) -> Vec<(SegmentId, Vec<u32>)> {
        let known = self.0.lock();
        let Some((_, sources)) = known.sources.get(&merged) else {
            return Vec::new();
        };
        let mut next = 0_u32;
        let mut all = Vec::with_capacity(sources.len());
        for source in sources {
            let mut moved = vec![GONE; source.n_rows as usize];
            for row in &source.kept {
                moved[row as usize] = next;
                next += 1;
            }
            all.push((source.id, moved));
        }
        all
    }

    /// Whether a segment is a source of one that is known.
    pub fn is_source(&self, id: SegmentId) -> bool {
        let known = self.0.lock();
        let mut sources = known.sources.values().flat_map(|(_, sources)| sources);
        sources.any(|source| source.id == id)
    }

    /// Forgets the sources of a segment.
    pub fn forget(&self, merged: SegmentId) {
        self.0.lock().sources.remove(&merged);
    }
}

/// `first`, then `second`: where rows are after two moves.
pub(crate) fn moved_twice(first: &[u32], second: &[u32]) -> Vec<u32> {
    let again = |&row: &u32| second.get(row as usize).copied().unwrap_or(GONE);
    first.iter().map(again).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_followed_through_merges() {
        let [a, b, c] = [1, 2, 3].map(|number| {
            SegmentId::from_uuid_string(&format!("0000000000000000000000000000000{number}"))
                .unwrap()
        });
        let lineages = Lineages::default();
        let source = |id, n_rows, kept: &[u32]| Source {
            id,
            n_rows,
            kept: kept.iter().copied().collect(),
        };
        lineages.note(c, vec![source(a, 3, &[0, 2]), source(b, 2, &[0, 1])]);
        let moved = lineages.sources(c);
        assert_eq!(moved, [(a, vec![0, GONE, 1]), (b, vec![2, 3])]);
        assert_eq!(moved_twice(&moved[0].1, &[GONE, 7]), [GONE, GONE, 7]);
        assert!(lineages.is_source(a) && !lineages.is_source(c));
        lineages.forget(c);
        assert!(lineages.sources(c).is_empty());
    }
}
