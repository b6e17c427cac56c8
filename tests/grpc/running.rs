//! A server in this process, and a client of it.

use std::path::Path;

use latentdb::error::Result;
use latentdb::server::{Server, ServerOptions};
use latentdb_proto::v1::admin_service_client::AdminServiceClient;
use latentdb_proto::v1::analysis_service_client::AnalysisServiceClient;
use latentdb_proto::v1::collection_service_client::CollectionServiceClient;
use latentdb_proto::v1::document_service_client::DocumentServiceClient;
use latentdb_proto::v1::latent_service_client::LatentServiceClient;
use latentdb_proto::v1::search_service_client::SearchServiceClient;
use latentdb_proto::v1::{
    Collection, CountRequest, CreateCollectionRequest, Document, Filter, Query, SearchRequest,
    SearchResponse, UpsertRequest, WriteResponse, filter,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Channel;

/// A server on a free port.
pub(crate) struct Running {
    pub(crate) channel: Channel,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<()>>,
}

impl Running {
    pub(crate) async fn start(data: &Path) -> Self {
        let options = ServerOptions {
            data: data.to_owned(),
            ..ServerOptions::default()
        };
        let opened = tokio::task::spawn_blocking(move || Server::open(options));
        let server = opened.await.unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(listener, async {
            // A dropped sender stops it too.
            let _ = stopped.await;
        }));
        let channel = Channel::from_shared(format!("http://{address}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            channel,
            stop,
            serving,
        }
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) async fn stop(self) {
        let Self {
            channel,
            stop,
            serving,
        } = self;
        drop(channel);
        stop.send(()).unwrap();
        serving.await.unwrap().unwrap();
    }

    pub(crate) fn collections(&self) -> CollectionServiceClient<Channel> {
        CollectionServiceClient::new(self.channel.clone())
    }

    pub(crate) fn documents(&self) -> DocumentServiceClient<Channel> {
        DocumentServiceClient::new(self.channel.clone())
            .max_decoding_message_size(64 << 20)
            .max_encoding_message_size(64 << 20)
    }

    pub(crate) fn searches(&self) -> SearchServiceClient<Channel> {
        SearchServiceClient::new(self.channel.clone()).max_decoding_message_size(64 << 20)
    }

    pub(crate) fn latents(&self) -> LatentServiceClient<Channel> {
        LatentServiceClient::new(self.channel.clone())
    }

    pub(crate) fn analyses(&self) -> AnalysisServiceClient<Channel> {
        AnalysisServiceClient::new(self.channel.clone())
    }

    pub(crate) fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn create(
        &self,
        name: &str,
        dimension: u32,
        n_latents: u32,
    ) -> Result<Collection, Status> {
        let request = CreateCollectionRequest {
            name: name.to_owned(),
            dimension,
            n_latents,
            ..CreateCollectionRequest::default()
        };
        let created = self.collections().create_collection(request).await?;
        Ok(created.into_inner())
    }

    pub(crate) async fn upsert(
        &self,
        collection: &str,
        documents: Vec<Document>,
    ) -> Result<WriteResponse, Status> {
        let request = UpsertRequest {
            collection: collection.to_owned(),
            documents,
            ..UpsertRequest::default()
        };
        Ok(self.documents().upsert(request).await?.into_inner())
    }

    pub(crate) async fn count(&self, collection: &str, expression: &str) -> Result<u64, Status> {
        let request = CountRequest {
            collection: collection.to_owned(),
            filter: Some(expr(expression)),
        };
        Ok(self.searches().count(request).await?.into_inner().count)
    }

    pub(crate) async fn search(
        &self,
        collection: &str,
        query: Query,
        limit: u32,
    ) -> Result<SearchResponse, Status> {
        let request = SearchRequest {
            collection: collection.to_owned(),
            query: Some(query),
            limit,
            ..SearchRequest::default()
        };
        Ok(self.searches().search(request).await?.into_inner())
    }
}

/// A filter in the text language.
pub(crate) fn expr(text: &str) -> Filter {
    Filter {
        kind: Some(filter::Kind::Expression(text.to_owned())),
    }
}
