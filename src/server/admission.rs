//! Admission of connections and requests: what is over the limits is turned away at once, so that
//! who was let in goes on being served.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{Stream, StreamExt as _};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::{Connected, TcpConnectInfo, TcpIncoming};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::{Layer, Service};

use super::limits::Limits;
use super::tls::Tls;

/// How long a request waits for others to end before it is turned away.
const PATIENCE: Duration = Duration::from_secs(1);
/// When a client that was turned away may try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Admits requests, each until its answer is sent or its caller has gone.
#[derive(Clone)]
pub(super) struct Admission {
    all: Arc<Semaphore>,
    by_client: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
    limits: Limits,
}

/// The place of a request.
struct Slot {
    _of_all: OwnedSemaphorePermit,
    _of_client: Option<OwnedSemaphorePermit>,
}

impl Admission {
    pub fn new(limits: Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.requests as usize)),
            by_client: Arc::default(),
            limits,
        }
    }

    async fn admit(&self, client: Option<IpAddr>) -> Result<Slot, Status> {
        let own = client.map(|client| self.of_client(client));
        let of_client = match own {
            Some(own) => Some(place(own, "this client", self.limits.requests_per_client).await?),
            None => None,
        };
        Ok(Slot {
            _of_all: place(self.all.clone(), "the server", self.limits.requests).await?,
            _of_client: of_client,
        })
    }

    fn of_client(&self, client: IpAddr) -> Arc<Semaphore> {
        let mut by_client = self.by_client.lock();
        if let Some(own) = by_client.get(&client) {
            return own.clone();
        }
        // Those without a request leave.
        by_client.retain(|_, own| Arc::strong_count(own) > 1);
        let own = Arc::new(Semaphore::new(self.limits.requests_per_client as usize));
        by_client.insert(client, own.clone());
        own
    }
}

async fn place(
    semaphore: Arc<Semaphore>,
    whose: &str,
    limit: u32,
) -> Result<OwnedSemaphorePermit, Status> {
    match tokio::time::timeout(PATIENCE, semaphore.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Status::with_error_details(
            tonic::Code::ResourceExhausted,
            format!(
                "{whose} has {limit} requests under way, streams included, which is the maximum; \
                 try again in {} s",
                RETRY_AFTER.as_secs()
            ),
            ErrorDetails::with_retry_info(Some(RETRY_AFTER)),
        )),
    }
}

impl<S> Layer<S> for Admission {
    type Service = Admitted<S>;

    fn layer(&self, inner: S) -> Admitted<S> {
        Admitted {
            admission: self.clone(),
            inner,
        }
    }
}

/// A service behind [`Admission`].
#[derive(Clone)]
pub(super) struct Admitted<S> {
    admission: Admission,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Admitted<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // The one that was made ready is used; its clone is not yet.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let admission = self.admission.clone();
        let connection = request.extensions().get::<TcpConnectInfo>();
        let client = connection.and_then(|connection| connection.remote_addr());
        Box::pin(async move {
            let slot = match admission.admit(client.map(|client| client.ip())).await {
                Ok(slot) => slot,
                Err(status) => return Ok(status.into_http()),
            };
            let response = inner.call(request).await?;
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _until_sent = &slot;
                    frame
                }))
            }))
        })
    }
}

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// TLS handshakes that are made at once.
const HANDSHAKES: usize = 256;

/// The bytes of a connection.
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection with its place among all.
pub(super) struct Connection {
    stream: Wire,
    _place: OwnedSemaphorePermit,
}

/// At most `limit` connections at once; more are closed at once. With `tls`, those whose handshake is
/// done.
pub(super) fn connections(
    incoming: TcpIncoming,
    limit: u32,
    tls: Option<Tls>,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(limit as usize));
    let tls = tls.map(Arc::new);
    let accepted = incoming.filter_map(move |accepted| {
        let place = places.clone().try_acquire_owned();
        let connection = match (accepted, place) {
            (Ok(stream), Ok(place)) => Some(Ok((stream, place))),
            (Ok(_), Err(_)) => {
                tracing::warn!(
                    limit,
                    "a connection is refused: as many as are accepted are open"
                );
                None
            }
            (Err(error), _) => Some(Err(error)),
        };
        std::future::ready(connection)
    });
    let shaken = accepted.map(move |accepted| {
        let tls = tls.clone();
        async move {
            let (stream, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => return Some(Err(error)),
            };
            let stream = match tls {
                None => Wire::Plain(stream),
                Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => Wire::Tls(Box::new(stream)),
                    Ok(Err(error)) => {
                        tracing::info!(%error, "a TLS handshake failed");
                        return None;
                    }
                    Err(_) => return None,
                },
            };
            Some(Ok(Connection {
                stream,
                _place: place,
            }))
        }
    });
    shaken
        .buffer_unordered(HANDSHAKES)
        .filter_map(std::future::ready)
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        match &self.stream {
            Wire::Plain(stream) => stream.connect_info(),
            Wire::Tls(stream) => stream.get_ref().0.connect_info(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Wire::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Wire::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Wire::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Wire::Plain(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
