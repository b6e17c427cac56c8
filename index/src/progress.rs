//! How far a piece of work is, and whether it should stop: the one mechanism of progress and
//! cancellation.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Shared between work and whoever waits for it: the one counts, the other reads and may
/// call the work off.
///
/// ```
/// use latentdb_index::Progress;
///
/// let progress = Progress::default();
/// assert_eq!(progress.share(), 0.0);
/// progress.stop();
/// assert!(progress.is_stopped());
/// ```
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// Calls the work off: it ends with `Cancelled` soon.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Calls the work off when the value is dropped: for whoever waits for it.
    #[must_use]
    pub fn stop_on_drop(self: &Arc<Self>) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    /// True after [`Self::stop`].
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Units of work that are done and those known so far, which may still grow.
    pub fn units(&self) -> (u64, u64) {
        let done = self.done.load(Ordering::Relaxed);
        (done, self.total.load(Ordering::Relaxed).max(done))
    }

    /// The share that is done, 0 to 1.
    pub fn share(&self) -> f64 {
        let (done, total) = self.units();
        done as f64 / total.max(1) as f64
    }

    /// Announces `units` of work; `Cancelled` when the work was called off.
    pub fn announce(&self, units: u64) -> Result<()> {
        self.total.fetch_add(units, Ordering::Relaxed);
        self.check()
    }

    /// Notes `units` of work as done; `Cancelled` when the work was called off.
    pub fn advance(&self, units: u64) -> Result<()> {
        self.done.fetch_add(units, Ordering::Relaxed);
        self.check()
    }

    /// `Cancelled` when the work was called off.
    pub fn check(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(Error::cancelled());
        }
        Ok(())
    }

    /// Does `work` on the calling thread, where [`Self::check_current`] stands for [`Self::check`] of this: for
    /// work whose loops count nothing (filters, searches, a text that is encoded), which end soon after they were
    /// called off all the same.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use latentdb_index::Progress;
    ///
    /// let progress = Arc::new(Progress::default());
    /// progress.stop();
    /// assert!(progress.during(Progress::check_current).is_err());
    /// assert!(Progress::check_current().is_ok());
    /// ```
    pub fn during<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        let _before = Before(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// `Cancelled` when the work that the calling thread does was called off.
    ///
    /// # Errors
    /// That.
    pub fn check_current() -> Result<()> {
        CURRENT.with_borrow(|current| current.as_ref().map_or(Ok(()), |own| own.check()))
    }
}

thread_local! {
    /// Whose work the thread does.
    static CURRENT: RefCell<Option<Arc<Progress>>> = const { RefCell::new(None) };
}

/// Puts back whose work the thread did before.
struct Before(Option<Arc<Progress>>);

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Calls work off when it is dropped.
#[derive(Debug)]
pub struct StopOnDrop(Arc<Progress>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waiting_calls_it_off() {
        let progress = Arc::new(Progress::default());
        let waiting = progress.stop_on_drop();
        progress.advance(1).unwrap();
        drop(waiting);
        assert!(progress.advance(1).is_err());
    }
}
