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
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

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
        Self::connect_with(server, None).await
    }

    /// [`Self::connect`], with a key that every call carries.
    ///
    /// # Errors
    /// `InvalidArgument` for a key that no header can hold, too.
    pub async fn connect_with(server: &str, api_key: Option<&str>) -> Result<Self, Status> {
        let bearer = api_key.map(|key| {
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
            format!("http://{server}")
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
        /// Latents and their labels.
        latents: LatentServiceClient,
        /// Encoders and SAEs.
        models: ModelServiceClient,
        /// Searching and counting.
        searches: SearchServiceClient,
    }
}

/// The first cause of an error.
pub(crate) fn innermost(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}
