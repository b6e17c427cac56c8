//! Answers whose client does not read them end after the idle time, and streams when the server stops; what
//! they hold is given back.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::{Code, Status};

/// The body of an answer, and what is held (`H`) until it is sent.
pub(super) struct Unread<H> {
    answer: Arc<Mutex<Answer<H>>>,
    idle: Duration,
    watch: Option<AbortHandle>,
    /// When a stream is to end since the server stops; `None` for what is let go on.
    stop: Option<Stop>,
}

/// Resolves when the server stops.
pub(super) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Answer<H> {
    /// `None` once it is sent, or was given up.
    sending: Option<(Body, H)>,
    /// Since when the client has not asked for the next frame.
    unread: Option<Instant>,
    given_up: bool,
}

impl<H: Send + 'static> Unread<H> {
    /// Ends `body` once its client has not read on for `idle`, or the server stops.
    pub fn new(body: Body, held: H, idle: Duration, stop: Option<Stop>) -> Self {
        Self {
            answer: Arc::new(Mutex::new(Answer {
                sending: Some((body, held)),
                unread: None,
                given_up: false,
            })),
            idle,
            watch: None,
            stop,
        }
    }
}

/// Gives an answer up when it was not read on for `idle`.
async fn watch<H>(answer: Weak<Mutex<Answer<H>>>, idle: Duration) {
    let mut rest = idle;
    loop {
        tokio::time::sleep(rest).await;
        let Some(answer) = answer.upgrade() else {
            return;
        };
        let mut answer = answer.lock();
        let waited = answer
            .unread
            .map_or(Duration::ZERO, |since| since.elapsed());
        rest = idle.saturating_sub(waited);
        if rest.is_zero() {
            answer.given_up = answer.sending.take().is_some();
            return;
        }
    }
}

impl<H: Send + 'static> http_body::Body for Unread<H> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let mut answer = this.answer.lock();
        answer.unread = None;
        if answer.sending.is_some()
            && let Some(stop) = &mut this.stop
            && stop.as_mut().poll(context).is_ready()
        {
            this.stop = None;
            answer.sending = None;
            return Poll::Ready(Some(stopping()));
        }
        let Some((body, _)) = &mut answer.sending else {
            return Poll::Ready(std::mem::take(&mut answer.given_up).then(|| given_up(this.idle)));
        };
        match Pin::new(&mut *body).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                answer.sending = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(frame)) => {
                if !http_body::Body::is_end_stream(body) {
                    answer.unread = Some(Instant::now());
                    if this.watch.is_none() {
                        let watched = watch(Arc::downgrade(&this.answer), this.idle);
                        this.watch = Some(tokio::spawn(watched).abort_handle());
                    }
                }
                Poll::Ready(Some(frame))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let answer = self.answer.lock();
        match &answer.sending {
            Some((body, _)) => body.is_end_stream(),
            None => !answer.given_up,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let answer = self.answer.lock();
        answer
            .sending
            .as_ref()
            .map_or_else(SizeHint::default, |(body, _)| body.size_hint())
    }
}

impl<H> Drop for Unread<H> {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

/// The end of a stream of a server that stops.
fn stopping() -> Result<Frame<Bytes>, Status> {
    trailers(&Status::unavailable(
        "the server is stopping; ask again when it serves",
    ))
}

/// The end of an answer that nobody read, as a client sees it.
fn given_up(idle: Duration) -> Result<Frame<Bytes>, Status> {
    trailers(&Status::new(
        Code::DeadlineExceeded,
        format!(
            "the answer was not read on for {} s (--idle-timeout), so it ended; ask again",
            idle.as_secs_f64()
        ),
    ))
}

fn trailers(status: &Status) -> Result<Frame<Bytes>, Status> {
    let mut trailers = http::HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::oneshot;

    use super::*;

    fn frames(n: usize) -> Body {
        let frames = (0..n).map(|_| Ok::<_, Status>(Frame::data(Bytes::from_static(b"frame"))));
        Body::new(StreamBody::new(futures::stream::iter(frames)))
    }

    #[tokio::test]
    async fn what_is_not_read_ends_with_a_reason_and_gives_back_what_it_holds() {
        let (held, mut given_back) = oneshot::channel::<()>();
        let mut unread = Unread::new(frames(3), held, Duration::from_millis(30), None);
        assert!(unread.frame().await.unwrap().unwrap().is_data());
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert!(
            given_back
                .try_recv()
                .is_err_and(|e| e == oneshot::error::TryRecvError::Closed)
        );
        let end = unread
            .frame()
            .await
            .unwrap()
            .unwrap()
            .into_trailers()
            .unwrap();
        assert_eq!(end["grpc-status"], "4");
        assert!(unread.frame().await.is_none());
    }

    #[tokio::test]
    async fn what_is_read_goes_to_its_end_however_slow_its_source() {
        let slow = futures::stream::unfold(0, |n| async move {
            tokio::time::sleep(Duration::from_millis(60)).await;
            let frame = Ok::<_, Status>(Frame::data(Bytes::from_static(b"frame")));
            (n < 3).then_some((frame, n + 1))
        });
        let body = Body::new(StreamBody::new(Box::pin(slow)));
        let mut unread = Unread::new(body, (), Duration::from_millis(30), None);
        let mut read = 0;
        while let Some(frame) = unread.frame().await {
            assert!(frame.unwrap().is_data());
            read += 1;
        }
        assert_eq!(read, 3);
    }

    #[tokio::test]
    async fn a_stream_ends_when_the_server_stops() {
        let (held, mut given_back) = oneshot::channel::<()>();
        let (stop, stopped) = oneshot::channel::<()>();
        let silent = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Status>>());
        let stopped: Stop = Box::pin(async move {
            let _ = stopped.await;
        });
        let idle = Duration::from_secs(60);
        let mut stream = Unread::new(Body::new(silent), held, idle, Some(stopped));
        let read = tokio::spawn(async move { stream.frame().await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!read.is_finished());
        stop.send(()).unwrap();
        let end = read
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .into_trailers()
            .unwrap();
        assert_eq!(end["grpc-status"], "14");
        assert!(given_back.try_recv().is_err());
    }
}
