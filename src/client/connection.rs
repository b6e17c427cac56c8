//! A connection to a server, and the services that it gives.

use std::error::Error;
use std::time::Duration;

use latentdb_proto::v1::admin_service_client::AdminServiceClient;
use latentdb_proto::v1::analysis_service_client::AnalysisServiceClient;
use latentdb_proto::v1::collection_service_client::CollectionServiceClient;
use latentdb_proto::v1::document_service_client::DocumentServiceClient;
use latentdb_proto::v1::latent_service_client::LatentServiceClient;
use latentdb_proto::v1::model_service_client::ModelServiceClient;
use latentdb_proto::v1::search_service_client::SearchServiceClient;
use latentdb_proto::v1::snapshot_service_client::SnapshotServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tonic_health::pb::health_client::HealthClient;

/// The largest message that is accepted from a server.
const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// HTTP/2 windows: large enough that responses are not held up.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// A connection; cheap to clone, its calls run concurrently.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    bearer: Bearer,
}

/// How a server is reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The key that calls carry.
    pub api_key: Option<String>,
    /// The authority that the server's certificate is held to, as PEM.
    pub authority: Option<Vec<u8>>,
    /// The client's certificate and private key, as PEM.
    pub identity: Option<Vec<u8>>,
}

/// The key that calls carry.
#[derive(Clone, Debug, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

/// A channel whose calls carry a key.
pub type Link = InterceptedService<Channel, Bearer>;

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert("authorization", key.clone());
        }
        Ok(request)
    }
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident: $client:ident,)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self) -> $client<Link> {
                $client::with_interceptor(self.channel.clone(), self.bearer.clone())
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
            }
        )*
    };
}

impl Client {
    /// Connects to `host:port`, or a whole `http://` address.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed address and one without a port, `Unavailable` if no server answers there.
    pub async fn connect(server: &str) -> Result<Self, Status> {
        Self::connect_with(server, Access::default()).await
    }

    /// [`Self::connect`], with a key that every call carries, or over TLS: where an authority is given,
    /// and to an address that begins with `https://`.
    ///
    /// # Errors
    /// `InvalidArgument` for a key that no header can hold, and files that are no PEM, too.
    pub async fn connect_with(server: &str, access: Access) -> Result<Self, Status> {
        let bearer = access.api_key.as_ref().map(|key| {
            let mut value: MetadataValue<Ascii> =
                format!("Bearer {key}").parse().map_err(|_| {
                    Status::invalid_argument("the API key has characters that no key has")
                })?;
            value.set_sensitive(true);
            Ok::<_, Status>(value)
        });
        let bearer = Bearer(bearer.transpose()?);
        let address = if server.contains("://") {
            server.to_owned()
        } else {
            let scheme = if access.authority.is_some() {
                "https"
            } else {
                "http"
            };
            format!("{scheme}://{server}")
        };
        let refused = |what: &str| {
            Status::invalid_argument(format!(
                "{server:?} {what}; accepted is HOST:PORT, for example localhost:7700"
            ))
        };
        let endpoint = Endpoint::from_shared(address);
        let endpoint = endpoint.map_err(|_| refused("is not an address"))?;
        // Of a whole address, the port may be that of its scheme.
        if !server.contains("://") && endpoint.uri().port().is_none() {
            return Err(refused("has no port"));
        }
        let endpoint = endpoint
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let endpoint = if endpoint.uri().scheme_str() == Some("https") {
            let mut tls = ClientTlsConfig::new();
            tls = match access.authority {
                Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
                None => tls.with_webpki_roots(),
            };
            if let Some(pem) = access.identity {
                tls = tls.identity(Identity::from_pem(&pem, &pem));
            }
            endpoint
                .tls_config(tls)
                .map_err(|error| Status::invalid_argument(format!("TLS: {}", innermost(&error))))?
        } else {
            endpoint
        };
        let channel = endpoint.connect().await.map_err(|error| {
            Status::unavailable(format!(
                "no server answers at {server} ({}); start one with: latentdb serve --data DIR",
                innermost(&error)
            ))
        })?;
        Ok(Self { channel, bearer })
    }

    /// The channel below, for services that have no method here, such as health and reflection.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    services! {
        /// The server itself.
        admin: AdminServiceClient,
        /// Analyses over sets of documents.
        analyses: AnalysisServiceClient,
        /// Collections and saved sets.
        collections: CollectionServiceClient,
        /// Writing and reading documents.
        documents: DocumentServiceClient,
        /// Whether it serves.
        health: HealthClient,
        /// Latents and their labels.
        latents: LatentServiceClient,
        /// Encoders and SAEs.
        models: ModelServiceClient,
        /// Searching and counting.
        searches: SearchServiceClient,
        /// Snapshots of collections.
        snapshots: SnapshotServiceClient,
    }
}

/// The first cause of an error.
pub(crate) fn innermost(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}
