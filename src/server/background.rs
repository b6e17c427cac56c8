//! A runtime whose threads give way: requests that nobody waits for within seconds are read, worked on and
//! answered there, and leave the processor to searches.

use std::time::Duration;

use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tracing::Instrument as _;

use crate::error::{Error, Result};
use crate::priority::give_way;

/// How long work whose caller has gone may take to end when the server stops.
const LAST_WORK: Duration = Duration::from_secs(30);

/// The runtime, until it is closed.
pub(super) struct Background {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Background {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Internal` when the system refuses threads.
    pub fn start() -> Result<Self> {
        // Those that all libraries share: another server of this process may have started them.
        let shared = rayon::ThreadPoolBuilder::new().start_handler(|_| give_way());
        let _ = shared.build_global();
        let runtime = Builder::new_multi_thread()
            .thread_name("latentdb-back")
            .on_thread_start(give_way)
            .enable_all()
            .build()
            .map_err(|error| Error::internal("threads for long requests").with_source(error))?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Where to start work.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits for work that is under way, and ends the threads.
    pub async fn close(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let closing = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(LAST_WORK));
            // It cannot fail but by a panic, after which there is nothing to wait for.
            let _ = closing.await;
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Ends a task when the future that waits for it is dropped.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The output of `work`, done by another runtime until nobody waits for it.
pub(super) async fn done_by<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    let task: JoinHandle<T> = runtime.spawn(work.in_current_span());
    let _ends = Ends(task.abort_handle());
    task.await
        .map_err(|error| Error::internal("a request broke off").with_source(error))
}

/// A body whose frames another runtime makes, each when the one before it was taken. One without frames stays
/// as it is: clients see by its end that the headers are all there is.
pub(super) fn made_by(runtime: &Handle, mut body: Body) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let (send, frames) = mpsc::channel::<Result<Frame<Bytes>, Status>>(1);
    let making = async move {
        while let Ok(place) = send.reserve().await {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = send.closed() => return,
            };
            let Some(frame) = frame else { return };
            place.send(frame);
        }
    };
    runtime.spawn(making.in_current_span());
    Body::new(StreamBody::new(ReceiverStream::new(frames)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_gives_way_and_ends_with_who_waits_for_it() {
        let background = Background::start().unwrap();
        let runtime = background.handle().clone();
        let blocking = async { tokio::task::spawn_blocking(crate::priority::gives_way).await };
        assert!(done_by(&runtime, blocking).await.unwrap().unwrap());
        assert!(!crate::priority::gives_way());

        let (held, given_back) = tokio::sync::oneshot::channel::<()>();
        let endless = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        let waited = tokio::time::timeout(Duration::from_millis(20), done_by(&runtime, endless));
        assert!(waited.await.is_err());
        assert!(given_back.await.is_err(), "it is ended");
        let broken = done_by(&runtime, async { panic!("broken") });
        assert!(broken.await.is_err());

        let frames = (0..3).map(|_| Ok::<_, Status>(Frame::data(Bytes::from_static(b"frame"))));
        let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
        let read = made_by(&runtime, body).collect().await.unwrap();
        assert_eq!(read.to_bytes().len(), 15);
        assert!(made_by(&runtime, Body::empty()).is_end_stream());
        background.close().await;
    }
}
