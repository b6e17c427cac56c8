//! The sets of documents of tests that were asked before.
//!
//! A test of an attribute reads a whole column; sets are small, and the same few tests come again with every query
//! of a session. A segment never changes, so its sets stay right until it is merged away.

use std::collections::HashMap;

use parking_lot::Mutex;
use roaring::RoaringBitmap;

use crate::error::Result;

/// Sets kept for a segment.
const CAPACITY: usize = 64;

/// The sets of a segment's most recent tests by their description, deleted documents left in.
#[derive(Default)]
pub(crate) struct SetCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    sets: HashMap<String, (u64, RoaringBitmap)>,
    clock: u64,
}

impl SetCache {
    /// The set of a test, which `key` tells apart from all others: the one kept, or what `read`
    /// finds.
    pub fn get(
        &self,
        key: String,
        read: impl FnOnce() -> Result<RoaringBitmap>,
    ) -> Result<RoaringBitmap> {
        {
            let mut kept = self.0.lock();
            kept.clock += 1;
            let now = kept.clock;
            if let Some((used, set)) = kept.sets.get_mut(&key) {
                *used = now;
                return Ok(set.clone());
            }
        }
        let set = read()?;
        let mut kept = self.0.lock();
        if kept.sets.len() >= CAPACITY {
            let oldest = kept.sets.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                kept.sets.remove(&key);
            }
        }
        let now = kept.clock;
        kept.sets.insert(key, (now, set.clone()));
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_read_once_until_it_is_the_oldest() {
        let cache = SetCache::default();
        let mut reads = 0;
        let mut ask = |number: f64| {
            let set = cache.get(number.to_string(), || {
                reads += 1;
                Ok([number as u32].into_iter().collect())
            });
            assert!(set.unwrap().contains(number as u32));
            reads
        };
        assert_eq!((ask(1.0), ask(1.0), ask(2.0)), (1, 1, 2));
        for number in 3..=CAPACITY {
            ask(1.0);
            ask(number as f64);
        }
        assert_eq!(ask(1.0), CAPACITY);
        assert_eq!(ask(99.0), CAPACITY + 1);
        assert_eq!((ask(1.0), ask(2.0)), (CAPACITY + 1, CAPACITY + 2));
    }
}
