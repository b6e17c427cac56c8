//! AnalysisService: one stream per call, with progress until the result is there. A client that
//! goes away calls the work off.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use latentdb_index::Progress;
use latentdb_proto::v1;
use latentdb_proto::v1::analysis_service_server::AnalysisService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Api;
use super::status::status;
use super::{cluster, correlate, diff, quality, trends};
use crate::error::Result;

/// How often a client is told how far it is.
const TICK: Duration = Duration::from_millis(200);
/// Rows of one message.
pub(super) const BATCH: usize = 2_000;

/// Answers of a call.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Runs `work` beside messages of its progress, then sends the messages that `answer` makes of its
/// result.
fn stream<T, R, W>(
    work: impl FnOnce(Arc<Progress>) -> W,
    told: fn(v1::AnalysisProgress) -> T,
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

/// Says how far it is until nobody listens any more; then calls the work off.
async fn tell<T>(
    progress: &Progress,
    send: &mpsc::Sender<Result<T, Status>>,
    told: fn(v1::AnalysisProgress) -> T,
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
            let _ = send.try_send(Ok(told(v1::AnalysisProgress { done, total })));
        }
    }
    progress.stop();
}

#[tonic::async_trait]
impl AnalysisService for Api {
    type DiffStream = Answers<v1::DiffResponse>;

    async fn diff(
        &self,
        request: Request<v1::DiffRequest>,
    ) -> Result<Response<Self::DiffStream>, Status> {
        let request = diff::request(request.into_inner()).map_err(status)?;
        let service = self.service.clone();
        let work = |progress| async move { service.diff(request, progress).await };
        Ok(stream(work, diff::progress, diff::answer))
    }

    type CorrelateStream = Answers<v1::CorrelateResponse>;

    async fn correlate(
        &self,
        request: Request<v1::CorrelateRequest>,
    ) -> Result<Response<Self::CorrelateStream>, Status> {
        let request = correlate::request(request.into_inner()).map_err(status)?;
        let service = self.service.clone();
        let work = |progress| async move { service.correlate(request, progress).await };
        Ok(stream(work, correlate::progress, correlate::answer))
    }

    type TrendsStream = Answers<v1::TrendsResponse>;

    async fn trends(
        &self,
        request: Request<v1::TrendsRequest>,
    ) -> Result<Response<Self::TrendsStream>, Status> {
        let request = trends::request(request.into_inner()).map_err(status)?;
        let service = self.service.clone();
        let work = |progress| async move { service.trends(request, progress).await };
        Ok(stream(work, trends::progress, trends::answer))
    }

    type NearDuplicatesStream = Answers<v1::NearDuplicatesResponse>;

    async fn near_duplicates(
        &self,
        request: Request<v1::NearDuplicatesRequest>,
    ) -> Result<Response<Self::NearDuplicatesStream>, Status> {
        let request = quality::duplicates(request.into_inner()).map_err(status)?;
        let service = self.service.clone();
        let work = |progress| async move { service.near_duplicates(request, progress).await };
        Ok(stream(
            work,
            quality::duplicates_progress,
            quality::duplicates_answer,
        ))
    }

    type PoorlyExplainedStream = Answers<v1::PoorlyExplainedResponse>;

    async fn poorly_explained(
        &self,
        request: Request<v1::PoorlyExplainedRequest>,
    ) -> Result<Response<Self::PoorlyExplainedStream>, Status> {
        let request = quality::unexplained(request.into_inner()).map_err(status)?;
        let service = self.service.clone();
        let work = |progress| async move { service.poorly_explained(request, progress).await };
        Ok(stream(
            work,
            quality::unexplained_progress,
            quality::unexplained_answer,
        ))
    }

    type ClusterStream = Answers<v1::ClusterResponse>;

    async fn cluster(
        &self,
        request: Request<v1::ClusterRequest>,
    ) -> Result<Response<Self::ClusterStream>, Status> {
        let request = cluster::request(request.into_inner()).map_err(status)?;
        let service = self.service.clone();
        let work = |progress| async move { service.cluster(request, progress).await };
        Ok(stream(work, cluster::progress, cluster::answer))
    }
}
