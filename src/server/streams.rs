//! Calls that are answered by a stream: messages of progress until the result is there. A client that
//! goes away calls the work off.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, Stream};
use latentdb_index::Progress;
use latentdb_proto::v1;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument as _;

use super::access::carried;
use super::status::status;
use crate::error::Result;

/// How often a client is told how far the work is.
const TICK: Duration = Duration::from_millis(200);

/// Bytes of the items of one message: far below the 4 MiB that clients take by default.
pub(super) const MESSAGE_BYTES: usize = 1 << 20;

/// Answers of a call.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where the messages of an answer go.
pub(super) type AnswerSender<T> = mpsc::Sender<Result<T, Status>>;

/// A message that says how far the work is.
pub(super) trait Progressing: Send + 'static {
    /// Of the units done and known.
    fn progress(done: u64, total: u64) -> Self;
}

macro_rules! progressing {
    ($($response:ident: $module:ident,)*) => {
        $(impl Progressing for v1::$response {
            fn progress(done: u64, total: u64) -> Self {
                let progress = v1::AnalysisProgress { done, total };
                let part = Some(v1::$module::Part::Progress(progress));
                Self { part }
            }
        })*
    };
}

progressing! {
    ClusterResponse: cluster_response,
    CorrelateResponse: correlate_response,
    DiffResponse: diff_response,
    ExplainResponse: explain_response,
    HypothesiseResponse: hypothesise_response,
    MakeMapResponse: make_map_response,
    MatchLatentsResponse: match_latents_response,
    NearDuplicatesResponse: near_duplicates_response,
    PoorlyExplainedResponse: poorly_explained_response,
    ReadMapResponse: read_map_response,
    TrendsResponse: trends_response,
}

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

/// The messages that `work` sends from a task of its own, at most `room` ahead of the client; its error is
/// the last of them, also where it panics.
pub(super) fn answers<T, W>(room: usize, work: impl FnOnce(AnswerSender<T>) -> W) -> Answers<T>
where
    T: Send + 'static,
    W: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (send, receive) = mpsc::channel(room);
    let work = AssertUnwindSafe(carried(work(send.clone()))).catch_unwind();
    let answering = async move {
        let ended = work.await;
        let panicked = |_| {
            Err(Status::internal(
                "the work broke off; the server's log says where",
            ))
        };
        if let Err(status) = ended.unwrap_or_else(panicked) {
            // Nobody who listens is as good.
            let _ = send.send(Err(status)).await;
        }
    };
    tokio::spawn(answering.in_current_span());
    Box::pin(ReceiverStream::new(receive))
}

/// Runs `work`, with messages of its progress, then sends the messages that `answer` makes of its
/// result.
pub(super) fn stream<T, R, W>(
    work: impl FnOnce(Arc<Progress>) -> W,
    answer: impl FnOnce(R) -> Vec<T> + Send + 'static,
) -> Answers<T>
where
    T: Progressing,
    R: Send + 'static,
    W: Future<Output = Result<R>> + Send + 'static,
{
    let progress = Arc::new(Progress::default());
    let work = work(progress.clone());
    answers(4, |send| async move {
        let ended = tokio::select! {
            ended = work => ended,
            () = tell(&progress, &send) => return Ok(()),
        };
        for message in answer(ended.map_err(status)?) {
            if send.send(Ok(message)).await.is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// Says how far the work is until nobody listens any more; then calls it off.
async fn tell<T: Progressing>(progress: &Progress, send: &AnswerSender<T>) {
    let mut last = None;
    loop {
        tokio::select! {
            () = send.closed() => break,
            () = tokio::time::sleep(TICK) => {}
        }
        let (done, total) = progress.units();
        if last.replace((done, total)) != Some((done, total)) {
            // A full channel misses a number only.
            let _ = send.try_send(Ok(T::progress(done, total)));
        }
    }
    progress.stop();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_breaks_off_is_an_error_and_no_end() {
        let broken = |_| async { panic!("broken") };
        let mut told = stream(broken, |(): ()| Vec::<v1::MakeMapResponse>::new());
        let last = futures::StreamExt::next(&mut told).await;
        assert_eq!(last.unwrap().unwrap_err().code(), tonic::Code::Internal);
    }

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
