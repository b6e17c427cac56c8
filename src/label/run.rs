//! Running slow work on many items: several at once, results as they come, stopped at the first
//! error or when nobody wants them any more.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::Cancel;
use crate::error::{Error, Result};

/// How often a listener is asked whether it still wants the work.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// What a listener is told.
#[derive(Debug)]
pub enum Event<R> {
    /// An item, by its place, is done.
    Done(usize, R),
    /// Nothing is new.
    Waiting,
}

/// Runs `work` on every item, up to `concurrency` at once on threads of their own, and tells
/// `listener` on this thread, in the order of completion. `Break` gives the rest up.
///
/// # Errors
/// The first error of `work`, after what was done by then was told; `Cancelled` after `Break`.
pub fn run_each<T: Sync, R: Send>(
    items: &[T],
    concurrency: usize,
    cancel: &Cancel,
    work: impl Fn(&T) -> Result<R> + Sync,
    listener: &mut dyn FnMut(Event<R>) -> ControlFlow<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut failure = None;
    std::thread::scope(|scope| {
        for _ in 0..concurrency.clamp(1, items.len().max(1)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while !cancel.is_cancelled() {
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
            let told = match receiver.recv_timeout(HEARTBEAT) {
                Ok((at, Ok(result))) => listener(Event::Done(at, result)),
                Ok((_, Err(error))) => {
                    // What others do meanwhile is told; what they fail at follows from this.
                    failure.get_or_insert(error);
                    ControlFlow::Break(())
                }
                Err(RecvTimeoutError::Timeout) => listener(Event::Waiting),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if told.is_break() {
                cancel.cancel();
            }
        }
    });
    match failure {
        Some(error) => Err(error),
        None if cancel.is_cancelled() => Err(Error::cancelled()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn every_item_is_done_once() {
        let items: Vec<usize> = (0..500).collect();
        let mut seen = BTreeSet::new();
        let work = |item: &usize| Ok(item * 2);
        run_each(&items, 4, &Cancel::default(), work, &mut |event| {
            if let Event::Done(at, double) = event {
                assert_eq!(double, at * 2);
                assert!(seen.insert(at));
            }
            ControlFlow::Continue(())
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
        let error = run_each(&items, 3, &Cancel::default(), work, &mut |_| {
            done += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::FailedPrecondition);
        assert!(done < items.len());
    }

    #[test]
    fn a_listener_that_breaks_cancels_work_that_waits() {
        let cancel = Cancel::default();
        // Without the heartbeat nothing would ever be told, and this would not end.
        let work = |_: &usize| -> Result<()> {
            while !cancel.is_cancelled() {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Error::cancelled())
        };
        let error = run_each(&[0, 1], 2, &cancel, work, &mut |_| ControlFlow::Break(()));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn nothing_to_do_is_done() {
        let work = |_: &u8| Ok(());
        run_each(&[], 4, &Cancel::default(), work, &mut |_| {
            ControlFlow::Break(())
        })
        .unwrap();
    }
}
