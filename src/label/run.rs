//! Running slow work on many items: several at once, results as they come, stopped at the first
//! error or when nobody wants them any more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::error::Result;
use crate::progress::Progress;

/// Interval of [`Event::Waiting`].
const HEARTBEAT: Duration = Duration::from_millis(200);

/// An event of [`run_each`].
#[derive(Debug)]
pub enum Event<R> {
    /// An item, by its place, is done.
    Done(usize, R),
    /// Nothing is new.
    Waiting,
}

/// Runs `work` on every item, up to `concurrency` at once on threads of their own, and tells
/// `listener` on this thread, in the order of completion. `progress` counts items.
///
/// # Errors
/// The first error of `work`, after `progress` was stopped and `listener` told what was done by then;
/// `Cancelled` when `progress` was stopped.
pub fn run_each<T: Sync, R: Send>(
    items: &[T],
    concurrency: usize,
    progress: &Progress,
    work: impl Fn(&T) -> Result<R> + Sync,
    listener: &mut dyn FnMut(Event<R>),
) -> Result<()> {
    progress.announce(items.len() as u64)?;
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut failure = None;
    std::thread::scope(|scope| {
        for _ in 0..concurrency.clamp(1, items.len().max(1)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while !progress.is_stopped() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    if sender.send((at, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(HEARTBEAT) {
                Ok((at, Ok(result))) => {
                    listener(Event::Done(at, result));
                    // Once stopped, workers end; what they finish is told.
                    let _ = progress.advance(1);
                }
                Ok((_, Err(error))) => {
                    // What others fail at follows from this.
                    failure.get_or_insert(error);
                    progress.stop();
                }
                Err(RecvTimeoutError::Timeout) => listener(Event::Waiting),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    match failure {
        Some(error) => Err(error),
        None => progress.check(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn every_item_is_done_once() {
        let items: Vec<usize> = (0..500).collect();
        let mut seen = BTreeSet::new();
        let work = |item: &usize| Ok(item * 2);
        run_each(&items, 4, &Progress::default(), work, &mut |event| {
            if let Event::Done(at, double) = event {
                assert_eq!(double, at * 2);
                assert!(seen.insert(at));
            }
        })
        .unwrap();
        assert_eq!(seen.len(), items.len());
    }

    #[test]
    fn an_error_ends_it_and_is_the_answer() {
        let items: Vec<usize> = (0..100_000).collect();
        let work = |item: &usize| match item {
            20 => Err(Error::precondition("twenty")),
            _ => Ok(()),
        };
        let mut done = 0;
        let error = run_each(&items, 3, &Progress::default(), work, &mut |_| {
            done += 1;
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::FailedPrecondition);
        assert!(done < items.len());
    }

    #[test]
    fn a_listener_may_stop_work_that_waits() {
        let progress = Progress::default();
        // Without the heartbeat nothing would ever be told, and this would not end.
        let work = |_: &usize| -> Result<()> {
            while !progress.is_stopped() {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Error::cancelled())
        };
        let error = run_each(&[0, 1], 2, &progress, work, &mut |_| progress.stop());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn nothing_to_do_is_done() {
        let work = |_: &u8| Ok(());
        run_each(&[], 4, &Progress::default(), work, &mut |_| {}).unwrap();
    }
}
