//! Connections: so many at once, with TLS where it is served, closed when nothing is asked on them.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::tls::Tls;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// TLS handshakes that are made at once.
const HANDSHAKES: usize = 256;

/// The bytes of a connection.
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Open connections by address.
type ByAddress = Arc<Mutex<HashMap<IpAddr, u32>>>;

/// The place of a connection among those of its address.
struct OfAddress {
    address: IpAddr,
    open: ByAddress,
}

impl OfAddress {
    /// A place, unless `most` have one.
    fn take(open: &ByAddress, address: IpAddr, most: u32) -> Option<Self> {
        let mut places = open.lock();
        let own = places.entry(address).or_default();
        if *own >= most {
            return None;
        }
        *own += 1;
        Some(Self {
            address,
            open: open.clone(),
        })
    }
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut places = self.open.lock();
        if let Some(own) = places.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                places.remove(&self.address);
            }
        }
    }
}

/// A connection with its place among all.
pub(super) struct Connection {
    stream: Wire,
    peer: Peer,
    /// When it is looked at whether anything is asked, and how long nothing may be.
    look: Pin<Box<Sleep>>,
    idle: Duration,
    _place: (OwnedSemaphorePermit, Option<OfAddress>),
}

/// Who is at the other end, and what they ask: the extension of each request.
#[derive(Clone)]
pub(super) struct Peer {
    address: Option<IpAddr>,
    requests: Arc<Mutex<Requests>>,
}

/// Requests of a connection.
struct Requests {
    open: usize,
    /// When there last was one, or the connection began.
    last: Instant,
}

/// A request of a connection, until it is answered.
pub(super) struct Using(Arc<Mutex<Requests>>);

impl Peer {
    fn new(address: Option<IpAddr>) -> Self {
        let requests = Requests {
            open: 0,
            last: Instant::now(),
        };
        Self {
            address,
            requests: Arc::new(Mutex::new(requests)),
        }
    }

    /// The address of the client.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The connection is used until what is returned is dropped.
    pub fn using(&self) -> Using {
        self.requests.lock().open += 1;
        Using(self.requests.clone())
    }

    /// When the connection will have been idle for `idle`; `None` while it is used.
    fn idle_at(&self, idle: Duration) -> Option<Instant> {
        let requests = self.requests.lock();
        (requests.open == 0).then(|| requests.last + idle)
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        let mut requests = self.0.lock();
        requests.open -= 1;
        requests.last = Instant::now();
    }
}

/// At most `limit` connections at once, and of one address `of_address`; more are closed at once.
/// With `tls`, those whose handshake is done. They end when nothing was asked on them for `idle`.
pub(super) fn connections(
    incoming: impl Stream<Item = io::Result<TcpStream>>,
    limit: u32,
    of_address: u32,
    idle: Duration,
    tls: Option<Tls>,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(limit as usize));
    let tls = tls.map(Arc::new);
    let open = ByAddress::default();
    let accepted = incoming.filter_map(move |accepted| {
        let connection = match accepted {
            Ok(stream) => {
                let address = stream.peer_addr().ok().map(|address| address.ip());
                let own = address.map(|address| OfAddress::take(&open, address, of_address));
                let place = places.clone().try_acquire_owned();
                match (place, own) {
                    (Ok(place), None) => Some(Ok((stream, (place, None)))),
                    (Ok(place), Some(Some(own))) => Some(Ok((stream, (place, Some(own))))),
                    _ => {
                        tracing::warn!(
                            limit,
                            of_address,
                            "a connection is refused: as many as are accepted are open"
                        );
                        None
                    }
                }
            }
            Err(error) => Some(Err(error)),
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
            let address = stream.peer_addr().ok().map(|address| address.ip());
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
                peer: Peer::new(address),
                look: Box::pin(tokio::time::sleep(idle)),
                idle,
                _place: place,
            }))
        }
    });
    shaken
        .buffer_unordered(HANDSHAKES)
        .filter_map(std::future::ready)
}

impl Connection {
    /// Whether nothing was asked for the idle time; whoever reads is woken when that may be.
    fn is_idle(&mut self, context: &mut Context<'_>) -> bool {
        while self.look.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let next = match self.peer.idle_at(self.idle) {
                Some(at) if at <= now => return true,
                Some(at) => at,
                None => now + self.idle,
            };
            self.look.as_mut().reset(next);
        }
        false
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_idle(context) {
            // The end of what the client sends: the connection is closed.
            return Poll::Ready(Ok(()));
        }
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
