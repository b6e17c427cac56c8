//! Creating, writing, reading, deleting, and coming back after a restart.

use latentdb_proto::v1::{
    DeleteRequest, Document, DocumentUpdate, DropCollectionRequest, GetCollectionRequest,
    GetRequest, ListCollectionsRequest, ScrollRequest, UpdateRequest, Value, Vector, value,
};
use prost::Message as _;
use prost_types::Timestamp;
use tonic::Code;

use crate::corpus::{DIMENSION, N_LATENTS, items};
use crate::running::{Running, expr};

fn of(kind: value::Kind) -> Value {
    Value { kind: Some(kind) }
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_are_created_listed_and_dropped() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    for name in ["b", "a"] {
        let created = server.create(name, 4, 8).await.unwrap();
        assert_eq!((created.dimension, created.n_latents), (4, 8));
    }
    let taken = server.create("a", 4, 8).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    let mut client = server.collections();
    let listed = client.list_collections(ListCollectionsRequest {}).await;
    let names: Vec<String> = listed
        .unwrap()
        .into_inner()
        .collections
        .into_iter()
        .map(|collection| collection.name)
        .collect();
    assert_eq!(names, ["a", "b"]);
    let drop = DropCollectionRequest { name: "a".into() };
    client.drop_collection(drop).await.unwrap();
    let get = GetCollectionRequest { name: "a".into() };
    let missing = client.get_collection(get).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert!(missing.message().contains("\"a\""), "{missing}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_written_changed_read_and_deleted() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server
        .create("c", DIMENSION as u32, N_LATENTS)
        .await
        .unwrap();
    let items = items(50, 1);
    let mut documents: Vec<_> = items.iter().map(|item| item.document()).collect();
    let moment = Timestamp {
        seconds: -1,
        nanos: 250_000_000,
    };
    for (name, kind) in [
        ("float", value::Kind::Float(0.1)),
        ("boolean", value::Kind::Boolean(false)),
        ("timestamp", value::Kind::Timestamp(moment)),
    ] {
        documents[7].attributes.insert(name.to_owned(), of(kind));
    }
    let written = server.upsert("c", documents.clone()).await.unwrap();
    assert_eq!((written.upserted, written.deleted), (50, 0));

    let request = GetRequest {
        collection: "c".into(),
        ids: vec!["d0007".into(), "none".into(), "d0003".into()],
        projection: None,
    };
    let mut client = server.documents();
    let found = client.get(request.clone()).await.unwrap().into_inner();
    assert_eq!(found.missing, ["none"]);
    assert_eq!(
        found.documents,
        [documents[7].clone(), documents[3].clone()]
    );

    let update = DocumentUpdate {
        id: "d0007".into(),
        set_attributes: [("year".to_owned(), of(value::Kind::Integer(1900)))].into(),
        remove_attributes: vec!["float".into()],
        ..DocumentUpdate::default()
    };
    let update = UpdateRequest {
        collection: "c".into(),
        updates: vec![update],
        ..UpdateRequest::default()
    };
    let updated = client.update(update).await.unwrap().into_inner();
    assert!(updated.sequence > written.sequence);
    assert_eq!(server.count("c", "year = 1900").await.unwrap(), 1);
    assert_eq!(server.count("c", "float exists").await.unwrap(), 0);
    let found = client.get(request).await.unwrap().into_inner();
    assert_eq!(found.documents[0].vector, documents[7].vector);
    assert_eq!(found.documents[0].latents, documents[7].latents);

    let delete = DeleteRequest {
        collection: "c".into(),
        filter: Some(expr("source = 'films'")),
        ..DeleteRequest::default()
    };
    let films = items.iter().filter(|item| item.source == "films").count() as u64;
    let deleted = client.delete(delete).await.unwrap().into_inner();
    assert_eq!(deleted.deleted, films);

    let scroll = ScrollRequest {
        collection: "c".into(),
        batch_size: 7,
        ..ScrollRequest::default()
    };
    let mut stream = client.scroll(scroll).await.unwrap().into_inner();
    let mut ids = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        assert!(message.documents.len() <= 7);
        ids.extend(message.documents.into_iter().map(|document| document.id));
    }
    ids.sort();
    let kept = items.iter().filter(|item| item.source != "films");
    assert_eq!(ids, kept.map(|item| item.id.clone()).collect::<Vec<_>>());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_leaves_everything_for_the_next() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 0, 0).await.unwrap();
    let documents = vec![latentdb_proto::v1::Document {
        id: "a".into(),
        text: Some("kept words".into()),
        ..Default::default()
    }];
    let written = server.upsert("c", documents).await.unwrap();
    server.stop().await;
    let server = Running::start(data.path()).await;
    assert_eq!(server.count("c", "text('words')").await.unwrap(), 1);
    let get = GetCollectionRequest { name: "c".into() };
    let found = server.collections().get_collection(get).await.unwrap();
    assert_eq!(found.into_inner().sequence, written.sequence);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_cut_by_bytes_so_that_a_default_client_reads_them() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 4, 0).await.unwrap();
    let text = "word ".repeat(6_000);
    let document = |at: usize| Document {
        id: format!("{at:04}"),
        text: Some(text.clone()),
        vector: Some(Vector {
            values: vec![1.0, at as f32, 0.0, 0.0],
        }),
        ..Document::default()
    };
    for from in (0..800).step_by(200) {
        let documents = (from..from + 200).map(document).collect();
        server.upsert("c", documents).await.unwrap();
    }
    let request = ScrollRequest {
        collection: "c".into(),
        batch_size: 10_000,
        ..ScrollRequest::default()
    };
    // 24 MB of texts.
    let stream = server.documents().scroll(request).await;
    let mut stream = stream.unwrap().into_inner();
    let (mut ids, mut largest) = (Vec::new(), 0);
    while let Some(message) = stream.message().await.unwrap() {
        largest = largest.max(message.encoded_len());
        ids.extend(message.documents.into_iter().map(|own| own.id));
    }
    ids.sort();
    let expected: Vec<String> = (0..800).map(|at| format!("{at:04}")).collect();
    assert_eq!(ids, expected);
    assert!(largest <= 1_100_000, "{largest}");
    server.stop().await;
}
