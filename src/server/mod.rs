//! The gRPC server: thin adapters from wire types to the parts of [`Service`], one file per service, with
//! standard health, reflection (v1 and v1alpha) and errors.
//!
//! A server is a function of a listener, a data directory and a shutdown signal.

mod access;
mod address;
mod admin;
mod admission;
mod analysis;
mod annotators;
mod background;
mod calls;
mod cluster;
mod collection;
mod connections;
mod correlate;
mod diff;
mod document;
mod explain;
mod facet;
mod family;
mod health;
mod hypotheses;
mod latent;
mod limits;
mod line;
mod map;
mod matching;
mod memory;
mod metrics;
mod model;
mod opening;
mod page;
mod paths;
mod property;
mod quality;
mod reader;
mod search;
mod snapshot;
mod splitting;
mod status;
mod steer;
mod streams;
mod tally;
mod tls;
mod traced;
mod transfer;
mod trends;
mod types;
mod unread;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use latentdb_proto::DESCRIPTORS;
use latentdb_proto::v1::admin_service_server::AdminServiceServer;
use latentdb_proto::v1::analysis_service_server::AnalysisServiceServer;
use latentdb_proto::v1::collection_service_server::CollectionServiceServer;
use latentdb_proto::v1::document_service_server::DocumentServiceServer;
use latentdb_proto::v1::latent_service_server::LatentServiceServer;
use latentdb_proto::v1::model_service_server::ModelServiceServer;
use latentdb_proto::v1::search_service_server::SearchServiceServer;
use latentdb_proto::v1::snapshot_service_server::SnapshotServiceServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::server::TcpIncoming;

use crate::error::{Error, Result};
use crate::keys::WatchedKeys;
use crate::label::ChatConfig;
use crate::service::{Service, ServiceOptions};
use crate::tokens::{TokenRules, WatchedTokens};
use access::Access;
use admin::AdminAdapter;
use admission::Admission;
use analysis::AnalysisAdapter;
use background::Background;
use collection::CollectionAdapter;
use connections::connections;
use document::DocumentAdapter;
use latent::LatentAdapter;
use limits::{KEEPALIVE, MAX_MESSAGE_BYTES, STREAMS_PER_CONNECTION};
use metrics::Metrics;
use model::ModelAdapter;
use page::Page;
use paths::keep_private;
use search::SearchAdapter;
use snapshot::SnapshotAdapter;
use tls::Tls;
use traced::Traces;

pub use crate::service::ModelPlaces;
pub use limits::Limits;
pub use tls::TlsFiles;

pub(crate) use collection::wire_recurrence;
pub(crate) use model::{train_options, wire_progress, wire_quality};
pub(crate) use status::code;
pub(crate) use types::{sae_codes, value, wire_sae_codes, wire_value};

/// Bytes a client may send ahead on one stream; a batch of vectors fits.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// The data directory, created where it does not exist.
    pub data: PathBuf,
    /// A chat endpoint for labellers and judges, where there is one.
    pub chat: Option<ChatConfig>,
    /// Where models and SAEs lie that clients may name.
    pub models: ModelPlaces,
    /// The store of snapshots: a folder, or `s3://BUCKET/PREFIX`; none without.
    pub snapshots: Option<String>,
    /// What it takes on at once.
    pub limits: Limits,
    /// Whether calls take a key once the data directory has keys.
    pub keys: KeyUse,
    /// Whose tokens are taken too; nobody's without.
    pub tokens: Option<TokenRules>,
    /// TLS on its connections; none without.
    pub tls: Option<TlsFiles>,
    /// Searches that take so long are listed and logged; none where `None`.
    pub slow_search: Option<Duration>,
    /// Changes nothing in the data directory and refuses to.
    pub read_only: bool,
    /// Turns browsers away: neither the page nor gRPC-Web is served.
    pub no_page: bool,
}

/// Whether calls take a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyUse {
    /// Once the data directory has keys ([`crate::keys`]).
    #[default]
    Keys,
    /// Never.
    None,
}

/// A server over an open data directory.
///
/// ```no_run
/// use latentdb::server::{Server, ServerOptions};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let options = ServerOptions { data: "data".into(), ..ServerOptions::default() };
/// let server = Server::open_at(options, &listener).await?;
/// server.serve(listener, async { tokio::signal::ctrl_c().await.ok(); }).await?;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    service: Service,
    limits: Limits,
    access: Access,
    tls: Option<Tls>,
    page: bool,
    metrics: Option<TcpListener>,
}

impl Server {
    /// Opens the data directory. Blocks.
    ///
    /// # Errors
    /// Those of [`Service::open`].
    pub fn open(options: ServerOptions) -> Result<Self> {
        keep_private(&options.data, "the data directory");
        for root in &options.models.roots {
            keep_private(root, "the folder of models");
        }
        let keys = match options.keys {
            KeyUse::Keys => Some(WatchedKeys::open(&options.data)?),
            KeyUse::None => None,
        };
        Ok(Self {
            access: Access::new(keys, options.tokens.map(WatchedTokens::open).transpose()?),
            tls: options
                .tls
                .map(|files| Tls::open(files, !options.no_page))
                .transpose()?,
            service: Service::open(
                &options.data,
                ServiceOptions {
                    min_free_disk: options.limits.min_free_disk,
                    read_only: options.read_only,
                    slow_search: options.slow_search,
                    chat: options.chat,
                    places: options.models,
                    snapshots: options.snapshots,
                },
            )?,
            limits: options.limits,
            page: !options.no_page,
            metrics: None,
        })
    }

    /// Opens the data directory off the async threads, and answers at the listener meanwhile: health says
    /// that nothing is served yet, every other call gets `UNAVAILABLE` and when to come again.
    ///
    /// # Errors
    /// Those of [`Server::open`].
    pub async fn open_at(options: ServerOptions, listener: &TcpListener) -> Result<Self> {
        let limits = options.limits;
        let files = options.tls.clone();
        let tls = files.map(|files| Tls::open(files, !options.no_page));
        let tls = tls.transpose()?;
        let opened = tokio::task::spawn_blocking(move || Self::open(options));
        let opened = opening::answer_until(opened, listener, limits, tls).await;
        opened.map_err(|error| Error::internal("opening the data ended").with_source(error))?
    }

    /// The same, which answers `GET /metrics` of a listener too.
    pub fn with_metrics(self, listener: TcpListener) -> Self {
        Self {
            metrics: Some(listener),
            ..self
        }
    }

    /// Serves until `shutdown` resolves and requests on their way are answered.
    ///
    /// # Errors
    /// `Internal` when the transport fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let Service {
            core,
            documents,
            labels,
            search,
            analyses,
            training,
            collections,
            snapshots,
        } = self.service;
        let (stop, stopping) = watch::channel(false);
        let (health, health_service) = tonic_health::server::health_reporter();
        health
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
        macro_rules! service {
            ($server:ident, $adapter:ident $part:tt) => {{
                health.set_serving::<$server<$adapter>>().await;
                $server::new($adapter $part)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES)
                    .accept_compressed(tonic::codec::CompressionEncoding::Gzip)
                    .accept_compressed(tonic::codec::CompressionEncoding::Zstd)
            }};
        }
        let fault = |error| Error::internal("server reflection").with_source(error);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // On the connections themselves: the builder's setting does not reach a given listener,
        // and without it every answer waits for the client's delayed acknowledgement.
        let local = listener
            .local_addr()
            .is_ok_and(|address| address.ip().is_loopback());
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let incoming = connections(
            incoming,
            self.limits.connections,
            self.limits.connections_per_client,
            self.limits.idle,
            self.tls,
        );
        let watch = health::watch(core.clone(), health.clone());
        let measures = core.measures().clone();
        let background = Background::start()?;
        let watched = Metrics::of(&core, self.limits.memory);
        let scraped = async move {
            match self.metrics {
                Some(listener) => metrics::serve(listener, watched).await,
                None => std::future::pending().await,
            }
        };
        let drained = health.clone();
        let shutdown = async move {
            shutdown.await;
            drained
                .set_service_status("", tonic_health::ServingStatus::NotServing)
                .await;
            // Nobody to tell is as good.
            let _ = stop.send(true);
        };
        let served = tonic::transport::Server::builder()
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(4 * STREAM_WINDOW_BYTES)
            .max_concurrent_streams(Some(STREAMS_PER_CONNECTION))
            .http2_keepalive_interval(Some(KEEPALIVE))
            .accept_http1(self.page)
            .layer(Page::new(self.page, local))
            .layer(tonic_web::GrpcWebLayer::new())
            .layer(Traces)
            .layer(Admission::new(
                self.limits,
                measures,
                background.handle().clone(),
                stopping.clone(),
            ))
            .layer(self.access)
            .add_service(health_service)
            .add_service(reflection().build_v1().map_err(fault)?)
            .add_service(reflection().build_v1alpha().map_err(fault)?)
            .add_service(service!(
                CollectionServiceServer,
                CollectionAdapter(collections.clone())
            ))
            .add_service(service!(
                DocumentServiceServer,
                DocumentAdapter {
                    documents,
                    idle: self.limits.idle,
                    stopping
                }
            ))
            .add_service(service!(SearchServiceServer, SearchAdapter(search.clone())))
            .add_service(service!(LatentServiceServer, LatentAdapter(labels)))
            .add_service(service!(ModelServiceServer, ModelAdapter(training)))
            .add_service(service!(
                AdminServiceServer,
                AdminAdapter {
                    core,
                    collections,
                    search
                }
            ))
            .add_service(service!(SnapshotServiceServer, SnapshotAdapter(snapshots)))
            .add_service(service!(AnalysisServiceServer, AnalysisAdapter(analyses)))
            .serve_with_incoming_shutdown(incoming, shutdown);
        let served = tokio::select! {
            served = served => served,
            () = watch => Ok(()),
            () = scraped => Ok(()),
        };
        background.close().await;
        served.map_err(|error| Error::internal("the server stopped").with_source(error))
    }
}
