//! Calls that are answered by a stream: messages of progress until the result is there. A client that
//! goes away calls the work off.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use latentdb_index::Progress;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

use super::status::status;
use crate::error::Result;

/// How often a client is told how far the work is.
const TICK: Duration = Duration::from_millis(200);

/// Bytes of the items of one message: far below the 4 MiB that clients take by default.
pub(super) const MESSAGE_BYTES: usize = 1 << 20;

/// Answers of a call.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Cuts items into the lists of messages of about [`MESSAGE_BYTES`]; an item that is larger goes
/// alone.
pub(super) fn cut<T: Message>(items: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
    let mut lists: Vec<Vec<T>> = Vec::new();
    let mut bytes = MESSAGE_BYTES;
    for item in items {
        let own = item.encoded_len();
        match lists.last_mut() {
            Some(list) if bytes + own <= MESSAGE_BYTES => list.push(item),
            _ => {
                lists.push(vec![item]);
                bytes = 0;
            }
        }
        bytes += own;
    }
    lists
}

/// Runs `work`, with messages that `told` makes of the units done and known, then sends the messages
/// that `answer` makes of its result.
pub(super) fn stream<T, R, W>(
    work: impl FnOnce(Arc<Progress>) -> W,
    told: fn(u64, u64) -> T,
    answer: impl FnOnce(R) -> Vec<T> + Send + 'static,
) -> Response<Answers<T>>
where
    T: Send + 'static,
    R: Send + 'static,
    W: Future<Output = Result<R>> + Send + 'static,
{
    let (send, receive) = mpsc::channel(4);
    let progress = Arc::new(Progress::default());
    let work = work(progress.clone());
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = work => ended,
            () = tell(&progress, &send, told) => return,
        };
        match ended {
            Ok(result) => {
                for message in answer(result) {
                    if send.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                let _ = send.send(Err(status(error))).await;
            }
        }
    });
    Response::new(Box::pin(ReceiverStream::new(receive)))
}

/// Says how far the work is until nobody listens any more; then calls it off.
async fn tell<T>(
    progress: &Progress,
    send: &mpsc::Sender<Result<T, Status>>,
    told: fn(u64, u64) -> T,
) {
    let mut last = None;
    loop {
        tokio::select! {
            () = send.closed() => break,
            () = tokio::time::sleep(TICK) => {}
        }
        let (done, total) = progress.units();
        if last.replace((done, total)) != Some((done, total)) {
            // A full channel misses a number only.
            let _ = send.try_send(Ok(told(done, total)));
        }
    }
    progress.stop();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_by_bytes_and_keep_their_order() {
        let sizes = [600_000, 400_000, 600_000, 3_000_000, 10, 10];
        let items = sizes.map(|size| "x".repeat(size));
        let lists: Vec<Vec<usize>> = cut(items)
            .into_iter()
            .map(|list| list.iter().map(String::len).collect())
            .collect();
        assert_eq!(
            lists,
            [&[600_000, 400_000][..], &[600_000], &[3_000_000], &[10, 10]]
        );
        assert!(cut(Vec::<String>::new()).is_empty());
    }
}
