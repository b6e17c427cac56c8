//! Admission of requests: what is over the limits is turned away at once, so that who was let in goes on
//! being served.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;
use tonic::body::Body;
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::{Layer, Service};

use super::background::{done_by, made_by};
use super::connections::{Peer, Using};
use super::limits::{Limits, MAX_MESSAGE_BYTES};
use super::line::{Line, Overloaded};
use super::memory::Memory;
use super::status::status;
use super::tally::Tallies;
use super::unread::{Stop, Unread};
use crate::measures::Measures;

/// How long a request waits for others to end before it is turned away.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an analysis waits for others to end.
const PATIENCE_OF_ANALYSES: Duration = Duration::from_secs(30);
/// When a client that was turned away may try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// The same where the line was too long: it moves fast.
const RETRY_AFTER_LINE: Duration = Duration::from_millis(500);
/// How long a message is not read on while memory is over its budget.
const PAUSE: Duration = Duration::from_secs(10);
/// How often memory is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(25);
/// How long the message of a search, a count or a read may take to come.
const MESSAGE_TIME: Duration = Duration::from_secs(30);

/// The method whose streams write.
const INGEST: &str = "DocumentService/Ingest";

/// Methods that people wait for and that are answered from the machine's own work: they take turns.
const INTERACTIVE: &[&str] = &[
    "DocumentService/Get",
    "LatentService/GetLatent",
    "LatentService/ListLatents",
    "LatentService/SearchLabels",
    "LatentService/SplitLatents",
    "ModelService/DecodeLatents",
    "ModelService/EncodeTexts",
    "ModelService/EncodeVectors",
    "SearchService/Count",
    "SearchService/Facet",
    "SearchService/Search",
    "SearchService/Steer",
    "SearchService/SteerSweep",
];

/// Methods that do many of those in one: they take turns, and give way to them.
const BATCHES: &[&str] = &["SearchService/SearchBatch"];

/// Methods that read a whole collection, for seconds and more: a few at once.
const ANALYSES: &[&str] = &[
    "AnalysisService/Cluster",
    "AnalysisService/Correlate",
    "AnalysisService/Diff",
    "AnalysisService/Explain",
    "AnalysisService/Hypothesise",
    "AnalysisService/MakeMap",
    "AnalysisService/MatchLatents",
    "AnalysisService/MoveLatents",
    "AnalysisService/NearDuplicates",
    "AnalysisService/PoorlyExplained",
    "AnalysisService/Trends",
    "LatentService/FindFamilies",
    "ModelService/EvaluateSae",
];

/// Methods that take little memory, or give some back: they are let in whatever memory is used.
const LIGHT: &[&str] = &[
    "AdminService/GetServerInfo",
    "CollectionService/DropCollection",
    "CollectionService/GetCollection",
    "CollectionService/ListCollections",
    "DocumentService/Delete",
];

/// How a request is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Light,
    Interactive,
    Batch,
    Analysis,
    /// Writes, exports, training and what waits for models elsewhere.
    Other,
}

impl Kind {
    fn of(path: &str) -> Self {
        let method = path.strip_prefix("/latentdb.v1.").unwrap_or(path);
        match method {
            method if INTERACTIVE.contains(&method) => Self::Interactive,
            method if BATCHES.contains(&method) => Self::Batch,
            method if ANALYSES.contains(&method) => Self::Analysis,
            method if LIGHT.contains(&method) || method.starts_with("/grpc.") => Self::Light,
            _ => Self::Other,
        }
    }
}

/// Why a request is turned away: a word to count it by, and its status.
type Refused = (&'static str, Status);

/// Admits requests, each until its answer is sent or its caller has gone.
#[derive(Clone)]
pub(super) struct Admission {
    all: Arc<Semaphore>,
    by_client: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
    line: Line,
    analyses: Arc<Semaphore>,
    memory: Memory,
    limits: Limits,
    tallies: Tallies,
    background: Handle,
    stopping: watch::Receiver<bool>,
}

/// The place of a request.
pub(super) struct Slot {
    _of_all: OwnedSemaphorePermit,
    _of_client: Option<OwnedSemaphorePermit>,
    _of_analyses: Option<OwnedSemaphorePermit>,
    _of_connection: Option<Using>,
}

impl Admission {
    /// What is let in and turned away is counted in `measures`; what is not interactive is done by `background`;
    /// streams end once the server is `stopping`.
    pub fn new(
        limits: Limits,
        measures: Measures,
        background: Handle,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.requests as usize)),
            by_client: Arc::default(),
            line: Line::new(limits.searches),
            analyses: Arc::new(Semaphore::new(limits.analyses as usize)),
            memory: Memory::new(limits.memory),
            limits,
            tallies: Tallies::new(measures),
            background,
            stopping,
        }
    }

    async fn admit(&self, peer: Option<&Peer>, kind: Kind) -> Result<Slot, Refused> {
        if kind != Kind::Light && !self.is_idle(0) {
            self.check_memory().map_err(|status| ("memory", status))?;
        }
        let client = peer.and_then(Peer::address);
        let own = client.map(|client| self.of_client(client));
        let of_client = match own {
            Some(own) => Some(place(own, "this client", self.limits.requests_per_client).await?),
            None => None,
        };
        let of_all = place(self.all.clone(), "the server", self.limits.requests).await?;
        Ok(Slot {
            _of_all: of_all,
            _of_client: of_client,
            _of_analyses: match kind {
                Kind::Analysis => Some(self.analysis().await?),
                _ => None,
            },
            _of_connection: peer.map(Peer::using),
        })
    }

    /// When the answer of a method is to end since the server stops: an ingest stream answers what it has
    /// first, and an answer that is one message is sent.
    fn stop_of(&self, path: &str) -> Option<Stop> {
        if !self.tallies.is_stream(path) || path.ends_with(INGEST) {
            return None;
        }
        let mut stopping = self.stopping.clone();
        Some(Box::pin(async move {
            // A sender that is gone has stopped too.
            let _ = stopping.wait_for(|is_so| *is_so).await;
        }))
    }

    /// Whether no more than so many requests are under way.
    fn is_idle(&self, but: usize) -> bool {
        self.all.available_permits() + but >= self.limits.requests as usize
    }

    fn check_memory(&self) -> Result<(), Status> {
        match self.memory.excess() {
            None => Ok(()),
            Some(over) => Err(shed(
                format!(
                    "requests under way hold {} MiB more than the {} MiB of memory they may \
                     (--memory-budget)",
                    over.div_ceil(1 << 20),
                    self.memory.budget() >> 20,
                ),
                RETRY_AFTER,
            )),
        }
    }

    async fn analysis(&self) -> Result<OwnedSemaphorePermit, Refused> {
        let turn = self.analyses.clone().acquire_owned();
        match tokio::time::timeout(PATIENCE_OF_ANALYSES, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err((
                "analyses",
                shed(
                    format!(
                        "{} analyses are under way, which is the maximum (--max-analyses), and none \
                     ended for {} s",
                        self.limits.analyses,
                        PATIENCE_OF_ANALYSES.as_secs()
                    ),
                    RETRY_AFTER,
                ),
            )),
        }
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

    /// The messages of a request, which are not read on while memory is over its budget. A request
    /// that is alone is read: nobody else can give memory back.
    fn metered(&self, body: Body) -> Body {
        let admission = self.clone();
        let frames = BodyStream::new(body).then(move |frame| {
            let admission = admission.clone();
            async move {
                let mut waited = Duration::ZERO;
                while admission.memory.excess().is_some() && !admission.is_idle(1) {
                    if waited >= PAUSE {
                        admission.check_memory()?;
                    }
                    tokio::time::sleep(LOOK).await;
                    waited += LOOK;
                }
                frame
            }
        });
        Body::new(StreamBody::new(frames))
    }

    /// The answer of a call, by threads that give way or by those that do not.
    async fn called<E: Send + 'static>(
        &self,
        call: impl Future<Output = Result<http::Response<Body>, E>> + Send + 'static,
        gives_way: bool,
    ) -> Result<Result<http::Response<Body>, E>, Status> {
        if !gives_way {
            return Ok(call.await);
        }
        let answered = done_by(&self.background, call).await.map_err(status)?;
        let made =
            |response: http::Response<Body>| response.map(|body| made_by(&self.background, body));
        Ok(answered.map(made))
    }

    /// A request with its message read to the end: who takes a turn at the machine has said what for.
    async fn whole(&self, request: http::Request<Body>) -> Result<http::Request<Body>, Status> {
        let (head, body) = request.into_parts();
        let read = http_body_util::Limited::new(self.metered(body), MAX_MESSAGE_BYTES).collect();
        let read = tokio::time::timeout(MESSAGE_TIME, read)
            .await
            .map_err(|_| {
                Status::deadline_exceeded(format!(
                    "the message of the request did not come within {} s",
                    MESSAGE_TIME.as_secs()
                ))
            })?;
        let read = read.map_err(|error| match error.downcast::<Status>() {
            Ok(status) => *status,
            Err(error) => Status::invalid_argument(format!("the message of the request: {error}")),
        })?;
        Ok(http::Request::from_parts(
            head,
            Body::new(read.map_err(|never| match never {})),
        ))
    }
}

async fn place(
    semaphore: Arc<Semaphore>,
    whose: &str,
    limit: u32,
) -> Result<OwnedSemaphorePermit, Refused> {
    match tokio::time::timeout(PATIENCE, semaphore.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err((
            "requests",
            shed(
                format!(
                    "{whose} has {limit} requests under way, streams included, which is the maximum"
                ),
                RETRY_AFTER,
            ),
        )),
    }
}

/// Turns a request away, saying when it may come again.
fn shed(why: String, after: Duration) -> Status {
    let seconds = after.as_secs_f64();
    Status::with_error_details(
        tonic::Code::ResourceExhausted,
        format!("{why}; try again in {seconds} s"),
        ErrorDetails::with_retry_info(Some(after)),
    )
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
    S::Future: Send + 'static,
    S::Error: Send + 'static,
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
        let kind = Kind::of(request.uri().path());
        Box::pin(async move {
            let stop = admission.stop_of(request.uri().path());
            let mut tally = admission.tallies.begin(request.uri().path());
            let peer = request.extensions().get::<Peer>();
            let client = peer.and_then(Peer::address);
            let slot = match admission.admit(peer, kind).await {
                Ok(slot) => slot,
                Err((reason, status)) => return Ok(tally.turned_away(reason, status)),
            };
            let answered = match kind {
                Kind::Light => Ok(inner.call(request).await),
                Kind::Interactive | Kind::Batch => match admission.whole(request).await {
                    Ok(request) => {
                        let called = inner.call(request);
                        let work =
                            |gives_way| admission.called(called, gives_way || kind == Kind::Batch);
                        match admission.line.take(client, work).await {
                            Ok(Ok(answered)) => Ok(answered),
                            Ok(Err(status)) => return Ok(tally.refused(&status)),
                            Err(overloaded) => Err(overloaded),
                        }
                    }
                    Err(status) => return Ok(tally.refused(&status)),
                },
                Kind::Analysis | Kind::Other => {
                    let request = request.map(|body| admission.metered(body));
                    let called = inner.call(request);
                    match admission.called(called, true).await {
                        Ok(answered) => Ok(answered),
                        Err(status) => return Ok(tally.refused(&status)),
                    }
                }
            };
            let response = match answered {
                Ok(response) => response?,
                Err(Overloaded) => {
                    let why = "more requests come than can be answered in time".to_owned();
                    return Ok(tally.turned_away("line", shed(why, RETRY_AFTER_LINE)));
                }
            };
            let idle = admission.limits.idle;
            tally.note(response.headers());
            Ok(response.map(|body| {
                let body = Unread::new(body, slot, idle, stop);
                Body::new(body.map_frame(move |frame| {
                    if let Some(trailers) = frame.trailers_ref() {
                        tally.note(trailers);
                    }
                    frame
                }))
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_method_is_one_and_in_one_list() {
        let pool = prost_reflect::DescriptorPool::decode(latentdb_proto::DESCRIPTORS).unwrap();
        let services = pool
            .services()
            .filter(|own| own.package_name() == "latentdb.v1");
        let methods: Vec<_> = services
            .flat_map(|service| {
                let names = service.methods().map(|own| own.name().to_owned());
                let names: Vec<_> = names.collect();
                names
                    .into_iter()
                    .map(move |name| format!("{}/{name}", service.name()))
            })
            .collect();
        let listed = [INTERACTIVE, BATCHES, ANALYSES, LIGHT].concat();
        for (at, name) in listed.iter().enumerate() {
            assert!(methods.iter().any(|own| own == name), "{name} is no method");
            assert!(!listed[..at].contains(name), "{name} is listed twice");
        }
        assert_eq!(Kind::of("/latentdb.v1.DocumentService/Ingest"), Kind::Other);
        assert_eq!(Kind::of("/grpc.health.v1.Health/Check"), Kind::Light);
    }
}
