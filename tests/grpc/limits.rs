//! What the server takes on at once, and what it refuses.

use std::time::Duration;

use latentdb::server::Limits;
use latentdb_proto::v1::{
    CountRequest, DeleteRequest, Facet, FacetRequest, Filter, FilterList, IngestRequest, Query,
    SearchRequest, TextQuery, facet, filter, query,
};
use tonic::Code;
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

async fn with_statuses(data: &std::path::Path, limits: Limits) -> Running {
    let server = Running::start_with(data, limits).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_are_accepted_are_told_when_to_try_again() {
    let data = tempfile::tempdir().unwrap();
    let limits = Limits {
        requests_per_client: 2,
        ..Limits::default()
    };
    let server = Running::start_with(data.path(), limits).await;
    server.create("c", 0, 0).await.unwrap();
    // Streams whose client says nothing until it hangs up.
    let mut open = Vec::new();
    for _ in 0..2 {
        let (hold, silent) = tokio::sync::mpsc::channel::<IngestRequest>(1);
        let silent = tokio_stream::wrappers::ReceiverStream::new(silent);
        let mut documents = server.documents();
        let stream =
            tokio::spawn(
                async move { documents.ingest(silent).await?.into_inner().message().await },
            );
        open.push((hold, stream));
    }
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
async fn filters_that_cannot_match_warn_and_do_not_delete() {
    let data = tempfile::tempdir().unwrap();
    let server = with_statuses(data.path(), Limits::default()).await;
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
    let server = with_statuses(data.path(), Limits::default()).await;
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
    let server = with_statuses(data.path(), Limits::default()).await;
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
