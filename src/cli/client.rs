//! The connection to a server.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use latentdb_proto::v1::admin_service_client::AdminServiceClient;
use latentdb_proto::v1::analysis_service_client::AnalysisServiceClient;
use latentdb_proto::v1::collection_service_client::CollectionServiceClient;
use latentdb_proto::v1::document_service_client::DocumentServiceClient;
use latentdb_proto::v1::latent_service_client::LatentServiceClient;
use latentdb_proto::v1::model_service_client::ModelServiceClient;
use latentdb_proto::v1::search_service_client::SearchServiceClient;
use tonic::transport::{Channel, Endpoint};

use super::failure::innermost;

/// The largest message that is accepted from a server.
const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// HTTP/2 windows: large enough that answers are not held up.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Flags of every command that talks to a server.
#[derive(Clone, Debug, Args)]
pub(super) struct ClientArgs {
    /// Address of the server
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "LATENTDB_SERVER",
        default_value = "127.0.0.1:7700",
        global = true
    )]
    pub(super) server: String,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl ClientArgs {
    /// Connects to the server.
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        Client::connect(&self.server).await
    }
}

/// A connection; cheap to clone, its calls run side by side.
#[derive(Clone, Debug)]
pub(super) struct Client {
    channel: Channel,
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident: $client:ident,)*) => {
        $(
            $(#[$doc])*
            pub(super) fn $name(&self) -> $client<Channel> {
                $client::new(self.channel.clone())
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
            }
        )*
    };
}

impl Client {
    /// Connects to `host:port`, or a whole `http://` address.
    pub(super) async fn connect(server: &str) -> anyhow::Result<Self> {
        let address = if server.contains("://") {
            server.to_owned()
        } else {
            format!("http://{server}")
        };
        let endpoint = Endpoint::from_shared(address)
            .map_err(|_| anyhow!("{server:?} is not an address; accepted is HOST:PORT"))?
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let channel = endpoint.connect().await.map_err(|error| {
            anyhow!(
                "no server answers at {server} ({}); start one with: latentdb serve --data DIR",
                innermost(&error)
            )
        })?;
        Ok(Self { channel })
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
