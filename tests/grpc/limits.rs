//! What the server takes on at once, and what it refuses.

use std::time::Duration;

use latentdb::server::Limits;
use latentdb_proto::v1::{
    CountRequest, DeleteRequest, Facet, FacetRequest, Filter, FilterList, GetRequest,
    IngestRequest, Query, ScrollRequest, SearchRequest, TextQuery, facet, filter, query,
};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::running::Running;

fn expression(text: &str) -> Option<Filter> {
    Some(Filter {
        kind: Some(filter::Kind::Expression(text.into())),
    })
}

fn count(filter: &str) -> CountRequest {
    CountRequest {
        collection: "c".into(),
        filter: expression(filter),
    }
}

async fn with_statuses(data: &std::path::Path) -> Running {
    let server = Running::start(data).await;
    server.create("c", 0, 0).await.unwrap();
    let documents = ["keep", "gone"].map(|status| {
        let mut document = latentdb_proto::v1::Document {
            id: status.into(),
            text: Some(format!("{status} 👍 北京烤鸭")),
            ..Default::default()
        };
        let value = latentdb_proto::v1::Value {
            kind: Some(latentdb_proto::v1::value::Kind::String(status.into())),
        };
        document.attributes.insert("status".into(), value);
        document
    });
    let batch = IngestRequest {
        collection: "c".into(),
        documents: documents.into(),
        batch: 1,
        ..IngestRequest::default()
    };
    let mut documents = server.documents();
    let stream = documents.ingest(tokio_stream::iter([batch]));
    stream.await.unwrap().into_inner().message().await.unwrap();
    server
}

/// An ingest stream whose client says nothing until it hangs up, which dropping the first does.
fn silent_ingest(server: &Running) -> (Sender<IngestRequest>, JoinHandle<Result<(), Status>>) {
    let (hold, silent) = tokio::sync::mpsc::channel(1);
    let silent = tokio_stream::wrappers::ReceiverStream::new(silent);
    let mut documents = server.documents();
    let stream = tokio::spawn(async move {
        let answers = documents.ingest(silent).await?;
        answers.into_inner().message().await.map(drop)
    });
    (hold, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_are_accepted_are_told_when_to_try_again() {
    let data = tempfile::tempdir().unwrap();
    let limits = Limits {
        requests_per_client: 2,
        ..Limits::default()
    };
    let server = Running::start_with(data.path(), limits).await;
    server.create("c", 0, 0).await.unwrap();
    let open = [silent_ingest(&server), silent_ingest(&server)];
    let refused = loop {
        match server.searches().count(count("true")).await {
            Err(status) => break status,
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(
        refused.message().contains("this client has 2 requests"),
        "{refused}"
    );
    let retry = refused
        .get_error_details()
        .retry_info()
        .unwrap()
        .retry_delay;
    assert!(retry.is_some());
    for (hold, stream) in open {
        drop(hold);
        stream.await.unwrap().unwrap();
    }
    let mut attempts = 0;
    while server.searches().count(count("true")).await.is_err() {
        attempts += 1;
        assert!(attempts < 10, "a place is free once its stream has ended");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_are_accepted_are_closed() {
    let data = tempfile::tempdir().unwrap();
    let limits = Limits {
        connections: 3,
        ..Limits::default()
    };
    let server = Running::start_with(data.path(), limits).await;
    server.create("c", 0, 0).await.unwrap();
    let address = server.address.clone();
    let idle = [0; 5].map(|_| tokio::net::TcpStream::connect(address.clone()));
    let idle = futures::future::join_all(idle).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.searches().count(count("true")).await.unwrap();
    drop(idle);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_nothing_for_long_is_let_go() {
    let data = tempfile::tempdir().unwrap();
    let limits = Limits {
        idle: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Running::start_with(data.path(), limits).await;
    server.create("c", 0, 0).await.unwrap();
    let mut idle = tokio::net::TcpStream::connect(&server.address)
        .await
        .unwrap();
    let (_hold, silent) = silent_ingest(&server);
    let mut read = [0; 64];
    while idle.read(&mut read).await.unwrap_or(0) > 0 {}
    let ended = silent.await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended}");
    assert!(ended.message().contains("--idle-timeout"), "{ended}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The client's connection was idle too: it makes another.
    assert_eq!(server.count("c", "all").await.unwrap(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_memory_budget_only_what_needs_none_is_let_in() {
    let data = tempfile::tempdir().unwrap();
    let limits = Limits {
        memory: 1,
        ..Limits::default()
    };
    with_statuses(data.path()).await.stop().await;
    let server = Running::start_with(data.path(), limits).await;
    // A stream that is open once its first batch is answered; places are free a moment after the end of
    // what had them.
    let (hold, mut stream) = loop {
        let (hold, batches) = tokio::sync::mpsc::channel(1);
        let batch = IngestRequest {
            collection: "c".into(),
            batch: 1,
            ..IngestRequest::default()
        };
        hold.send(batch).await.unwrap();
        let batches = tokio_stream::wrappers::ReceiverStream::new(batches);
        if let Ok(opened) = server.documents().ingest(batches).await {
            let mut stream = opened.into_inner();
            if let Ok(Some(_)) = stream.message().await {
                break (hold, stream);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let refused = server.count("c", "all").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("--memory-budget"), "{refused}");
    assert!(refused.get_error_details().retry_info().is_some());
    let gone = DeleteRequest {
        collection: "c".into(),
        ids: vec!["gone".into()],
        ..DeleteRequest::default()
    };
    server.documents().delete(gone).await.unwrap();
    drop(hold);
    assert!(stream.message().await.unwrap().is_none());
    let counted = loop {
        match server.count("c", "all").await {
            Ok(counted) => break counted,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert_eq!(counted, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_no_message_takes_is_refused_before_it_is_made() {
    let data = tempfile::tempdir().unwrap();
    let server = with_statuses(data.path()).await;
    let ids: Vec<String> = (0..60).map(|n| format!("long {n}")).collect();
    for ids in ids.chunks(30) {
        let long = ids.iter().map(|id| latentdb_proto::v1::Document {
            id: id.clone(),
            text: Some("long ".repeat(200_000)),
            ..Default::default()
        });
        server.upsert("c", long.collect()).await.unwrap();
    }
    let get = |ids: &[String]| GetRequest {
        collection: "c".into(),
        ids: ids.to_vec(),
        ..GetRequest::default()
    };
    let got = server.documents().get(get(&ids[..40])).await.unwrap();
    assert_eq!(got.into_inner().documents.len(), 40);
    let refused = server.documents().get(get(&ids)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("48 MiB"), "{refused}");
    let text = TextQuery {
        text: "long".into(),
        ..TextQuery::default()
    };
    let query = Query {
        kind: Some(query::Kind::Text(text)),
        ..Query::default()
    };
    let refused = server.search("c", query, 60).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    let scroll = ScrollRequest {
        collection: "c".into(),
        batch_size: 10_000,
        ..ScrollRequest::default()
    };
    let scrolled = server.documents().scroll(scroll).await.unwrap();
    let (mut scrolled, mut read) = (scrolled.into_inner(), 0);
    while let Some(message) = scrolled.message().await.unwrap() {
        read += message.documents.len();
    }
    assert_eq!(read, 62);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_that_cannot_match_warn_and_do_not_delete() {
    let data = tempfile::tempdir().unwrap();
    let server = with_statuses(data.path()).await;
    let counted = |filter: &'static str| async {
        let answer = server.searches().count(count(filter)).await.unwrap();
        let answer = answer.into_inner();
        (answer.count, answer.warnings)
    };
    assert_eq!(counted("status = 'keep'").await, (1, vec![]));
    let (n, warnings) = counted("staus != 'keep'").await;
    assert_eq!(n, 2);
    assert!(warnings[0].contains("is it \"status\"?"), "{warnings:?}");
    assert!(counted("not (status > 3)").await.1[0].contains("are strings"));
    let facet = FacetRequest {
        collection: "c".into(),
        facets: vec![Facet {
            by: Some(facet::By::Attribute("staus".into())),
            ..Facet::default()
        }],
        ..FacetRequest::default()
    };
    let facet = server.searches().facet(facet).await.unwrap().into_inner();
    assert_eq!(facet.warnings.len(), 1);
    let text = TextQuery {
        text: "keep".into(),
        ..TextQuery::default()
    };
    let search = SearchRequest {
        collection: "c".into(),
        query: Some(Query {
            filter: expression("staus exists"),
            kind: Some(query::Kind::Text(text)),
            ..Query::default()
        }),
        ..SearchRequest::default()
    };
    let found = server.searches().search(search).await.unwrap().into_inner();
    assert_eq!((found.hits.len(), found.warnings.len()), (0, 1));

    let delete = |filter, ignore_warnings| DeleteRequest {
        collection: "c".into(),
        filter,
        ignore_warnings,
        ..DeleteRequest::default()
    };
    let mut documents = server.documents();
    let refused = documents
        .delete(delete(expression("staus != 'keep'"), false))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("nothing was deleted"),
        "{refused}"
    );
    let empty = Filter {
        kind: Some(filter::Kind::AllOf(FilterList::default())),
    };
    let refused = documents
        .delete(delete(Some(empty), true))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("all_of"), "{refused}");
    assert_eq!(counted("true").await.0, 2);
    let deleted = documents
        .delete(delete(expression("staus = 'keep'"), true))
        .await
        .unwrap();
    assert_eq!(deleted.into_inner().deleted, 0);
    let deleted = documents
        .delete(delete(expression("status = 'keep'"), false))
        .await
        .unwrap();
    assert_eq!(deleted.into_inner().deleted, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_conditions_drop_no_words() {
    let data = tempfile::tempdir().unwrap();
    let server = with_statuses(data.path()).await;
    let counted = async |filter: String| {
        let counted = server.searches().count(count(&filter)).await;
        counted.map(|answer| answer.into_inner().count)
    };
    assert_eq!(counted("text('keep 👍')".into()).await.unwrap(), 1);
    assert_eq!(counted("text('keep 🎈')".into()).await.unwrap(), 0);
    assert_eq!(counted("text('北京')".into()).await.unwrap(), 2);
    assert_eq!(
        counted(format!("text('keep {}')", "f".repeat(40)))
            .await
            .unwrap(),
        0
    );
    let refused = counted("text('keep ...')".into()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("at character 6"), "{refused}");
    let refused = counted(r#"status = "C:\new""#.into()).await.unwrap_err();
    assert!(refused.message().contains("column 13"), "{refused}");
    let many: Vec<String> = (0..2000).map(|word| format!("w{word}")).collect();
    let refused = counted(format!("text_any('{}')", many.join(" ")))
        .await
        .unwrap_err();
    assert!(refused.message().contains("1024"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_with_too_little_room_takes_deletes_and_drops_only() {
    let data = tempfile::tempdir().unwrap();
    let server = with_statuses(data.path()).await;
    server.stop().await;
    let limits = Limits {
        min_free_disk: u64::MAX,
        ..Limits::default()
    };
    let server = Running::start_with(data.path(), limits).await;
    let document = latentdb_proto::v1::Document {
        id: "new".into(),
        ..Default::default()
    };
    let refused = [
        server.upsert("c", vec![document]).await.unwrap_err(),
        server.create("d", 0, 0).await.unwrap_err(),
    ];
    for refused in refused {
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        assert!(refused.message().contains("--min-free-disk"), "{refused}");
    }
    assert_eq!(server.count("c", "all").await.unwrap(), 2);
    let delete = DeleteRequest {
        collection: "c".into(),
        ids: vec!["gone".into()],
        ..DeleteRequest::default()
    };
    let deleted = server.documents().delete(delete).await.unwrap();
    assert_eq!(deleted.into_inner().deleted, 1);
    let drop = latentdb_proto::v1::DropCollectionRequest { name: "c".into() };
    server.collections().drop_collection(drop).await.unwrap();
    server.stop().await;
}
