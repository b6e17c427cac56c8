//! A server in this process, and a client of it.

use std::ops::Deref;
use std::path::Path;

use latentdb::client::Client;
use latentdb::error::Result;
use latentdb::server::{Limits, ModelPlaces, Server, ServerOptions};
use latentdb_proto::v1::{
    Collection, CountRequest, CreateCollectionRequest, Document, Filter, Query, SearchRequest,
    SearchResponse, UpsertRequest, WriteResponse, filter,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;

/// A server on a free port.
pub(crate) struct Running {
    pub(crate) client: Client,
    /// Where it listens, as host:port.
    pub(crate) address: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<()>>,
}

/// The calls of the client.
impl Deref for Running {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Running {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_with(data, Limits::default()).await
    }

    pub(crate) async fn start_with(data: &Path, limits: Limits) -> Self {
        let options = ServerOptions {
            data: data.to_owned(),
            limits,
            // Tests name what they make.
            models: ModelPlaces {
                roots: vec![std::env::temp_dir()],
                downloads: false,
            },
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
        let address = address.to_string();
        let client = Client::connect(&address).await.unwrap();
        Self {
            client,
            address,
            stop,
            serving,
        }
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) async fn stop(self) {
        let Self {
            client,
            address: _,
            stop,
            serving,
        } = self;
        drop(client);
        stop.send(()).unwrap();
        serving.await.unwrap().unwrap();
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
        let created = self.client.collections().create_collection(request).await?;
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
        Ok(self.client.documents().upsert(request).await?.into_inner())
    }

    pub(crate) async fn count(&self, collection: &str, expression: &str) -> Result<u64, Status> {
        let request = CountRequest {
            collection: collection.to_owned(),
            filter: Some(expr(expression)),
        };
        Ok(self
            .client
            .searches()
            .count(request)
            .await?
            .into_inner()
            .count)
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
        Ok(self.client.searches().search(request).await?.into_inner())
    }
}

/// A filter in the text language.
pub(crate) fn expr(text: &str) -> Filter {
    Filter {
        kind: Some(filter::Kind::Expression(text.to_owned())),
    }
}
