//! Blocking work off the async threads.

use std::sync::Arc;

use crate::progress::Progress;

use crate::error::{Error, Result};

/// Runs blocking work off the async threads. Work whose caller has gone (its deadline passed, it
/// cancelled) is not begun; filters and searches of it end ([`Progress::check_current`]).
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    cancellable(move |_| work()).await
}

/// As [`blocking`], for work that looks now and then whether its caller has gone.
pub(crate) async fn cancellable<T: Send + 'static>(
    work: impl FnOnce(&Arc<Progress>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let span = tracing::Span::current();
    let progress = Arc::new(Progress::default());
    let _waiting = progress.stop_on_drop();
    let begin = move || {
        progress.check()?;
        progress.during(|| work(&progress))
    };
    tokio::task::spawn_blocking(move || span.in_scope(begin))
        .await
        .map_err(|error| Error::internal("a task failed").with_source(error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_when_nobody_waits_for_it() {
        let (begun, is_begun) = tokio::sync::oneshot::channel();
        let (ended, is_ended) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn(cancellable(move |progress| {
            let _ = begun.send(());
            while !progress.is_stopped() {
                std::thread::yield_now();
            }
            let _ = ended.send(());
            progress.check()
        }));
        is_begun.await.unwrap();
        waiting.abort();
        is_ended.await.unwrap();
    }
}
