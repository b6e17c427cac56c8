//! What is answered while the data is opened: health says that nothing is served yet, and other calls are
//! to come again.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::Either;
use futures::{Stream, stream};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;
use tonic_health::ServingStatus;
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::{Layer, Service};

use super::connections::connections;
use super::limits::Limits;
use super::tls::Tls;

/// Where questions about health go.
const HEALTH: &str = "/grpc.health.v1.Health/";
/// When a call is to come again.
const RETRY: Duration = Duration::from_secs(1);
/// How long answers on their way are waited for once the data is open.
const END: Duration = Duration::from_secs(1);

const REASON: &str = "the server is opening its data: send the call again";

/// Answers at a listener until `opened` is, and gives what it gave.
pub(super) async fn answer_until<T>(
    opened: impl Future<Output = T>,
    listener: &TcpListener,
    limits: Limits,
    tls: Option<Tls>,
) -> T {
    let (mut health, service) = tonic_health::server::health_reporter();
    health
        .set_service_status("", ServingStatus::NotServing)
        .await;
    let incoming = connections(
        accepted(listener),
        limits.connections,
        limits.connections_per_client,
        limits.idle,
        tls,
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tonic::transport::Server::builder()
        .accept_http1(true)
        .layer(Opening)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, async {
            // A sender that is gone says the same.
            let _ = stopped.await;
        });
    tokio::pin!(served);
    let opened = async {
        let opened = opened.await;
        // Who watches asks again, and is then answered by the server itself.
        health.clear_service_status("").await;
        drop(stop);
        opened
    };
    tokio::pin!(opened);
    tokio::select! {
        opened = &mut opened => {
            // Connections that do not end by then are left to their clients.
            let _ = tokio::time::timeout(END, served).await;
            opened
        }
        served = &mut served => {
            if let Err(error) = served {
                tracing::warn!(%error, "nobody answers until the data is open");
            }
            opened.await
        }
    }
}

fn accepted(listener: &TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    stream::unfold(listener, |listener| async move {
        let accepted = listener.accept().await;
        Some((accepted.map(|(stream, _)| stream), listener))
    })
}

/// Lets questions about health pass and turns the rest away.
#[derive(Clone, Copy)]
struct Opening;

impl<S> Layer<S> for Opening {
    type Service = OpeningService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OpeningService(inner)
    }
}

#[derive(Clone)]
struct OpeningService<S>(S);

impl<S, B> Service<Request<B>> for OpeningService<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path().starts_with(HEALTH) {
            return Either::Left(self.0.call(request));
        }
        let kind = request.headers().get(CONTENT_TYPE);
        let is_call = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        Either::Right(ready(Ok(match is_call {
            true => Status::with_error_details(
                tonic::Code::Unavailable,
                REASON,
                ErrorDetails::with_retry_info(Some(RETRY)),
            )
            .into_http(),
            false => page(),
        })))
    }
}

/// What a browser shows.
fn page() -> Response<Body> {
    let mut response = Response::new(Body::new(REASON.to_owned()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(RETRY_AFTER, HeaderValue::from(RETRY.as_secs()));
    response
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::GetServerInfoRequest;
    use latentdb_proto::v1::admin_service_client::AdminServiceClient;
    use tonic::Code;
    use tonic::transport::Channel;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;
    use crate::server::{Server, ServerOptions};

    #[tokio::test(flavor = "multi_thread")]
    async fn who_asks_while_the_data_is_opened_is_told_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, opened) = oneshot::channel::<()>();
        let opening = tokio::spawn(async move {
            answer_until(opened, &listener, Limits::default(), None)
                .await
                .unwrap();
            listener
        });
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        let channel = channel.connect().await.unwrap();
        let mut health = HealthClient::new(channel.clone());
        let mut watched = health
            .watch(HealthCheckRequest::default())
            .await
            .unwrap()
            .into_inner();
        let first = watched.message().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::NotServing);
        let mut admin = AdminServiceClient::new(channel.clone());
        let refused = admin.get_server_info(GetServerInfoRequest {}).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert!(refused.get_details_retry_info().is_some());
        open.send(()).unwrap();
        assert!(
            watched.message().await.unwrap().is_none(),
            "who watches asks again"
        );
        let listener = opening.await.unwrap();

        let data = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            data: data.path().to_owned(),
            ..ServerOptions::default()
        };
        let server = Server::open_at(options, &listener).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(listener, async {
            let _ = stopped.await;
        }));
        let answer = health.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
        admin
            .get_server_info(GetServerInfoRequest {})
            .await
            .unwrap();
        drop((health, admin, channel, watched));
        stop.send(()).unwrap();
        serving.await.unwrap().unwrap();
    }
}
