//! The gRPC server: thin adapters from wire types to the parts of [`Service`], one file per service, with
//! standard health, reflection (v1 and v1alpha) and errors.
//!
//! A server is a function of a listener, a data directory and a shutdown signal.

mod access;
mod address;
mod admin;
mod admission;
mod analysis;
mod calls;
mod cluster;
mod collection;
mod correlate;
mod diff;
mod document;
mod facet;
mod family;
mod health;
mod latent;
mod limits;
mod map;
mod model;
mod page;
mod property;
mod quality;
mod reader;
mod search;
mod splitting;
mod status;
mod steer;
mod streams;
mod tls;
mod transfer;
mod trends;
mod types;

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
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

use crate::error::{Error, Result};
use crate::keys::WatchedKeys;
use crate::label::ChatConfig;
use crate::service::Service;
use access::Access;
use admin::AdminAdapter;
use admission::{Admission, connections};
use analysis::AnalysisAdapter;
use collection::CollectionAdapter;
use document::DocumentAdapter;
use latent::LatentAdapter;
use limits::{KEEPALIVE, MAX_MESSAGE_BYTES, STREAMS_PER_CONNECTION};
use model::ModelAdapter;
use page::Page;
use search::SearchAdapter;
use tls::Tls;

pub use limits::Limits;
pub use tls::TlsFiles;

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
    /// What it takes on at once.
    pub limits: Limits,
    /// Whether calls take a key once the data directory has keys.
    pub keys: KeyUse,
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
/// let server = Server::open(ServerOptions { data: "data".into(), ..ServerOptions::default() })?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
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
}

impl Server {
    /// Opens the data directory. Blocks.
    ///
    /// # Errors
    /// Those of [`Service::open`].
    pub fn open(options: ServerOptions) -> Result<Self> {
        let keys = match options.keys {
            KeyUse::Keys => Some(WatchedKeys::open(&options.data)?),
            KeyUse::None => None,
        };
        Ok(Self {
            access: Access::new(keys),
            tls: options
                .tls
                .map(|files| Tls::open(files, !options.no_page))
                .transpose()?,
            service: Service::open(
                &options.data,
                options.limits.min_free_disk,
                options.read_only,
                options.slow_search,
                options.chat,
            )?,
            limits: options.limits,
            page: !options.no_page,
        })
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
        } = self.service;
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
        let incoming = connections(incoming, self.limits.connections, self.tls);
        let watch = health::watch(core.clone(), health.clone());
        let served = tonic::transport::Server::builder()
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(4 * STREAM_WINDOW_BYTES)
            .max_concurrent_streams(Some(STREAMS_PER_CONNECTION))
            .http2_keepalive_interval(Some(KEEPALIVE))
            .accept_http1(self.page)
            .layer(Page::new(self.page, local))
            .layer(tonic_web::GrpcWebLayer::new())
            .layer(Admission::new(self.limits))
            .layer(self.access)
            .add_service(health_service)
            .add_service(reflection().build_v1().map_err(fault)?)
            .add_service(reflection().build_v1alpha().map_err(fault)?)
            .add_service(service!(
                CollectionServiceServer,
                CollectionAdapter(collections.clone())
            ))
            .add_service(service!(DocumentServiceServer, DocumentAdapter(documents)))
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
            .add_service(service!(AnalysisServiceServer, AnalysisAdapter(analyses)))
            .serve_with_incoming_shutdown(incoming, shutdown);
        tokio::select! {
            served = served => served,
            () = watch => Ok(()),
        }
        .map_err(|error| Error::internal("the server stopped").with_source(error))
    }
}
