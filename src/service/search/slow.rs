//! The searches that took long, latest last: when, over what, by which plan. Texts of queries and of
//! documents are in neither the list nor the log.

use std::collections::VecDeque;
use std::time::Duration;

use latentdb_index::now;
use parking_lot::Mutex;

use super::result::Explanation;

/// Searches that are kept.
const KEPT: usize = 100;

/// A search that took long.
#[derive(Clone, Debug)]
pub struct SlowSearch {
    /// The collection, with its SAE where it is not the default.
    pub collection: String,
    /// When it ended, microseconds since the epoch.
    pub ended: i64,
    /// How it was run.
    pub explanation: Explanation,
}

/// The latest searches over a bound.
pub(super) struct SlowSearches {
    bound: Option<Duration>,
    kept: Mutex<VecDeque<SlowSearch>>,
}

impl SlowSearches {
    /// Keeps searches that take so long; none without a bound.
    pub fn new(bound: Option<Duration>) -> Self {
        Self {
            bound,
            kept: Mutex::default(),
        }
    }

    /// Keeps and logs a search if it took long; whether it did.
    pub fn note(&self, collection: String, explanation: &Explanation) -> bool {
        if self.bound.is_none_or(|bound| explanation.total < bound) {
            return false;
        }
        tracing::warn!(
            target: "latentdb::slow",
            collection,
            plan = explanation.plan.access,
            total_ms = explanation.total.as_millis(),
            encode_ms = explanation.encode.as_millis(),
            execute_ms = explanation.execute.as_millis(),
            fetch_ms = explanation.fetch.as_millis(),
            candidates = explanation.plan.candidates,
            "a search took long"
        );
        let mut kept = self.kept.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(SlowSearch {
            collection,
            ended: now(),
            explanation: explanation.clone(),
        });
        true
    }

    /// Those kept, latest last.
    pub fn list(&self) -> Vec<SlowSearch> {
        self.kept.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(milliseconds: u64) -> Explanation {
        Explanation {
            total: Duration::from_millis(milliseconds),
            ..Explanation::default()
        }
    }

    #[test]
    fn the_latest_that_took_long_are_kept() {
        let slow = SlowSearches::new(Some(Duration::from_millis(10)));
        for at in 0..=120 {
            slow.note(format!("c{at}"), &took(at));
        }
        let kept = slow.list();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(
            (&*kept[0].collection, &*kept[99].collection),
            ("c21", "c120")
        );
        let none = SlowSearches::new(None);
        none.note("c".to_owned(), &took(9999));
        assert!(none.list().is_empty());
    }
}
