//! The line for interactive requests: the machine works on some at once, and others wait. While there is
//! always somebody waiting, the wait is kept short and the rest is turned away, so that those who are let
//! in are answered about as fast as ever (controlled delay: Nichols and Jacobson, ACM Queue 10(5), 2012; for
//! requests: Maurer, ACM Queue 13(8), 2015).

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A line in which somebody has waited all this time is overloaded.
const STANDING: Duration = Duration::from_millis(100);
/// How long a request waits in a line that is not overloaded.
const PATIENCE: Duration = Duration::from_secs(1);
/// Shortest wait that an overloaded line allows: timers are no finer than a millisecond, and bursts of
/// quick requests and threads that ask one after the other pass.
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// Mean turns that a request waits at most in an overloaded line. Two clients for each turn are not
/// turned away.
const TURNS_WAITED: f64 = 3.0;
/// What holds its turn for longer waits for something else than this machine, a model elsewhere for
/// instance: it gives the turn back and goes on.
const LONGEST_TURN: Duration = Duration::from_secs(1);
/// Share of the latest request in the mean time of work.
const WEIGHT: f64 = 0.05;

/// Turns at the machine, and those who wait for one.
#[derive(Clone)]
pub(super) struct Line {
    turns: Arc<Semaphore>,
    seen: Arc<Mutex<Seen>>,
}

/// What the line has seen so far.
struct Seen {
    /// When a turn was last free, or nobody waited.
    at_rest: Instant,
    /// Mean seconds of a turn, the latest counting most.
    work: f64,
}

/// The line is overloaded, and the wait was over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overloaded;

impl Line {
    /// A line of so many turns at once.
    pub fn new(turns: u32) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(turns as usize)),
            seen: Arc::new(Mutex::new(Seen {
                at_rest: Instant::now(),
                work: 0.0,
            })),
        }
    }

    /// Does `work` when it is its turn.
    pub async fn take<F: Future>(&self, work: F) -> Result<F::Output, Overloaded> {
        let turn = self.turn().await?;
        let begun = Instant::now();
        let mut work = std::pin::pin!(work);
        let output = match tokio::time::timeout(LONGEST_TURN, &mut work).await {
            Ok(output) => {
                self.note(begun.elapsed());
                drop(turn);
                output
            }
            Err(_) => {
                drop(turn);
                work.await
            }
        };
        Ok(output)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Overloaded> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            self.seen.lock().at_rest = Instant::now();
            return Ok(turn);
        }
        let turn = self.turns.clone().acquire_owned();
        match tokio::time::timeout(self.patience(), turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Overloaded),
        }
    }

    /// How long somebody who comes now may wait.
    fn patience(&self) -> Duration {
        let seen = self.seen.lock();
        match seen.at_rest.elapsed() > STANDING {
            true => Duration::from_secs_f64(TURNS_WAITED * seen.work).clamp(LEAST_WAIT, PATIENCE),
            false => PATIENCE,
        }
    }

    fn note(&self, took: Duration) {
        let mut seen = self.seen.lock();
        seen.work += WEIGHT * (took.as_secs_f64() - seen.work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn for_millis(millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    #[tokio::test]
    async fn a_burst_waits_and_a_standing_line_turns_away() {
        let line = Line::new(2);
        let burst = (0..8).map(|_| line.take(for_millis(5)));
        let answered = futures::future::join_all(burst).await;
        assert!(answered.iter().all(Result::is_ok), "a burst is worked off");
        // One comes every two milliseconds and takes two turns of twenty: ten times too many.
        let mut coming = Vec::new();
        for _ in 0..700 {
            let line = line.clone();
            coming.push(tokio::spawn(async move { line.take(for_millis(20)).await }));
            for_millis(2).await;
        }
        let all = futures::future::join_all(coming).await;
        let done = all.iter().filter(|own| matches!(own, Ok(Ok(())))).count();
        let turned_away = all.len() - done;
        assert!(done > 20 && turned_away > done, "{done} {turned_away}");
        assert!(line.take(for_millis(1)).await.is_ok(), "it recovers");
    }

    #[tokio::test]
    async fn a_long_wait_elsewhere_gives_its_turn_back() {
        let line = Line::new(1);
        let slow = tokio::spawn({
            let line = line.clone();
            async move { line.take(for_millis(2500)).await }
        });
        for_millis(1200).await;
        assert!(line.take(for_millis(1)).await.is_ok());
        assert!(!slow.is_finished());
        assert_eq!(slow.await.unwrap(), Ok(()));
    }
}
