//! Writes that depend on what is there: updates by filter, inserts if absent, expected versions.

use latentdb_proto::v1::{
    DeleteRequest, Document, DocumentUpdate, GetRequest, IfExists, IngestRequest, IngestResponse,
    MatchingUpdate, Projection, UpdateRequest, UpsertRequest, Value, WriteResponse, value,
};
use tonic::{Code, Status};

use crate::corpus::{DIMENSION, N_LATENTS, items};
use crate::errors::violation;
use crate::running::{Running, expr};

fn integer(number: i64) -> Value {
    Value {
        kind: Some(value::Kind::Integer(number)),
    }
}

fn numbered(id: &str, number: i64) -> Document {
    Document {
        id: id.to_owned(),
        attributes: [("n".to_owned(), integer(number))].into(),
        ..Document::default()
    }
}

async fn with_version(server: &Running, id: &str) -> Document {
    let request = GetRequest {
        collection: "c".into(),
        ids: vec![id.to_owned()],
        projection: Some(Projection {
            attributes: true,
            version: true,
            ..Projection::default()
        }),
    };
    let found = server.documents().get(request).await.unwrap();
    found.into_inner().documents.remove(0)
}

fn number(document: &Document) -> i64 {
    match document.attributes["n"].kind {
        Some(value::Kind::Integer(number)) => number,
        ref other => panic!("{other:?}"),
    }
}

async fn update(server: &Running, request: UpdateRequest) -> Result<WriteResponse, Status> {
    Ok(server.documents().update(request).await?.into_inner())
}

async fn ingest(server: &Running, request: IngestRequest) -> IngestResponse {
    let mut documents = server.documents();
    let stream = documents.ingest(tokio_stream::iter([request])).await;
    let answer = stream.unwrap().into_inner().message().await;
    answer.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_of_all_documents_of_a_filter_are_changed_at_once() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server
        .create("c", DIMENSION as u32, N_LATENTS)
        .await
        .unwrap();
    let items = items(300, 3);
    let documents: Vec<Document> = items.iter().map(|item| item.document()).collect();
    let before = server.upsert("c", documents.clone()).await.unwrap();
    let matching = |filter: &str| MatchingUpdate {
        filter: Some(expr(filter)),
        set_attributes: [("seen".to_owned(), integer(1))].into(),
        remove_attributes: vec!["year".into()],
        ignore_warnings: false,
    };
    let request = |matching| UpdateRequest {
        collection: "c".into(),
        matching: Some(matching),
        ..UpdateRequest::default()
    };
    let films = items.iter().filter(|item| item.source == "films").count() as u64;
    let written = update(&server, request(matching("source = 'films'")));
    let written = written.await.unwrap();
    assert_eq!(written.upserted, films);
    assert_eq!(written.sequence, before.sequence + 1);
    let both = "source = 'films' and seen = 1 and not year exists";
    assert_eq!(server.count("c", both).await.unwrap(), films);
    assert_eq!(server.count("c", "seen exists").await.unwrap(), films);
    // Everything else of them is what it was.
    let own = items.iter().position(|item| item.source == "films");
    let mut expected = documents[own.unwrap()].clone();
    let get = GetRequest {
        collection: "c".into(),
        ids: vec![expected.id.clone()],
        projection: None,
    };
    let found = server.documents().get(get).await.unwrap().into_inner();
    expected.attributes.insert("seen".to_owned(), integer(1));
    expected.attributes.remove("year");
    assert_eq!(found.documents, [expected]);
    // What is probably mistyped is refused, and done when it is meant.
    let doubtful = matching("source = 'films' or staus = 'x'");
    let error = update(&server, request(doubtful)).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(error.message().contains("staus"), "{error}");
    let mut doubtful = matching("source = 'films'");
    doubtful.remove_attributes = vec!["sen".into()];
    let error = update(&server, request(doubtful.clone()))
        .await
        .unwrap_err();
    assert!(error.message().contains("is it \"seen\"?"), "{error}");
    doubtful.ignore_warnings = true;
    let written = update(&server, request(doubtful)).await.unwrap();
    assert_eq!(written.upserted, films);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_update_by_filter_names_its_field() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 0, 0).await.unwrap();
    server.upsert("c", vec![numbered("a", 1)]).await.unwrap();
    let good = MatchingUpdate {
        filter: Some(expr("n = 1")),
        set_attributes: [("m".to_owned(), integer(1))].into(),
        ..MatchingUpdate::default()
    };
    let with = |change: fn(&mut MatchingUpdate)| {
        let mut matching = good.clone();
        change(&mut matching);
        UpdateRequest {
            collection: "c".into(),
            matching: Some(matching),
            ..UpdateRequest::default()
        }
    };
    let mut both = with(|_| ());
    both.updates = vec![DocumentUpdate::default()];
    let mut version = with(|_| ());
    version.expected_versions = [("a".to_owned(), "x".to_owned())].into();
    for (request, field, says) in [
        (both, "matching", "given with updates"),
        (version, "expected_versions[\"a\"]", "32 hexadecimal"),
        (with(|own| own.filter = None), "matching.filter", "missing"),
        (
            with(|own| own.filter = Some(expr("n ="))),
            "matching.filter.expression",
            "column",
        ),
        (
            with(|own| own.set_attributes.clear()),
            "matching",
            "at least one",
        ),
        (
            with(|own| own.remove_attributes = vec!["m".into()]),
            "matching.remove_attributes[0]",
            "set and removed",
        ),
        (
            with(|own| own.remove_attributes = vec!["1".into()]),
            "matching.remove_attributes[0]",
            "not accepted",
        ),
        (
            with(|own| own.set_attributes = [(String::new(), integer(1))].into()),
            "matching.set_attributes",
            "not accepted",
        ),
    ] {
        let error = update(&server, request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        let (found, said) = violation(&error);
        assert_eq!(found, field, "{said}");
        assert!(said.contains(says), "{said}");
    }
    assert_eq!(server.count("c", "m exists").await.unwrap(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_documents_are_left_alone_or_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 0, 0).await.unwrap();
    let old = vec![numbered("a", 1), numbered("b", 1)];
    server.upsert("c", old).await.unwrap();
    let request = |if_exists: IfExists, ids: &[&str]| UpsertRequest {
        collection: "c".into(),
        documents: ids.iter().map(|id| numbered(id, 2)).collect(),
        if_exists: if_exists.into(),
        ..UpsertRequest::default()
    };
    let upsert = |request| {
        let mut documents = server.documents();
        async move {
            documents
                .upsert(request)
                .await
                .map(tonic::Response::into_inner)
        }
    };
    let written = upsert(request(IfExists::Skip, &["a", "c", "b", "c"])).await;
    let written = written.unwrap();
    assert_eq!(written.upserted, 1);
    assert_eq!(written.existing, ["a", "b", "c"]);
    assert_eq!(number(&with_version(&server, "a").await), 1);
    assert_eq!(number(&with_version(&server, "c").await), 2);
    for ids in [&["d", "b"][..], &["d", "d"]] {
        let error = upsert(request(IfExists::Fail, ids)).await.unwrap_err();
        assert_eq!(error.code(), Code::AlreadyExists);
        assert!(
            error.message().contains(&format!("{:?}", ids[1])),
            "{error}"
        );
    }
    assert_eq!(server.count("c", "all").await.unwrap(), 3);
    let written = upsert(request(IfExists::Fail, &["d", "e"])).await.unwrap();
    assert_eq!((written.upserted, written.existing.len()), (2, 0));

    let batch = |if_exists: IfExists, ids: &[&str]| IngestRequest {
        collection: "c".into(),
        documents: ids.iter().map(|id| numbered(id, 3)).collect(),
        if_exists: if_exists.into(),
        ..IngestRequest::default()
    };
    let answer = ingest(&server, batch(IfExists::Skip, &["e", "f"])).await;
    assert_eq!(
        (answer.upserted, answer.existing),
        (1, vec!["e".to_owned()])
    );
    let error = ingest(&server, batch(IfExists::Fail, &["g", "f"]))
        .await
        .error;
    assert_eq!(error.unwrap().code, Code::AlreadyExists as i32);
    let mut aside = batch(IfExists::Skip, &["f", "", "h"]);
    aside.set_aside = true;
    let answer = ingest(&server, aside.clone()).await;
    assert_eq!((answer.upserted, answer.rejected[0].document), (1, 1));
    assert_eq!(answer.existing, ["f"]);
    aside.if_exists = IfExists::Fail.into();
    let refused = server.documents().ingest(tokio_stream::iter([aside])).await;
    let refused = refused.unwrap().into_inner().message().await.unwrap();
    assert_eq!(refused.unwrap().error.unwrap().field, "if_exists");
    assert_eq!(server.count("c", "all").await.unwrap(), 7);
    server.stop().await;
}

/// Many clients that read, add one and write on condition of the version they read: the sum is the
/// number of writes that were accepted.
#[tokio::test(flavor = "multi_thread")]
async fn increments_on_condition_of_a_version_lose_nothing() {
    const CLIENTS: i64 = 8;
    const INCREMENTS: i64 = 5;
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 0, 0).await.unwrap();
    server.upsert("c", vec![numbered("a", 0)]).await.unwrap();
    let client = async |at: i64| {
        let (mut done, mut lost) = (0, 0);
        while done < INCREMENTS {
            let mut read = with_version(&server, "a").await;
            let expected = [("a".to_owned(), read.version.take().unwrap())].into();
            let next = integer(number(&read) + 1);
            // Half of them write the document, half a part of it.
            let written = if at % 2 == 0 {
                read.attributes.insert("n".to_owned(), next);
                let request = UpsertRequest {
                    collection: "c".into(),
                    documents: vec![read],
                    expected_versions: expected,
                    ..UpsertRequest::default()
                };
                server.documents().upsert(request).await
            } else {
                let request = UpdateRequest {
                    collection: "c".into(),
                    updates: vec![DocumentUpdate {
                        id: "a".into(),
                        set_attributes: [("n".to_owned(), next)].into(),
                        ..DocumentUpdate::default()
                    }],
                    expected_versions: expected,
                    ..UpdateRequest::default()
                };
                server.documents().update(request).await
            };
            match written {
                Ok(_) => done += 1,
                Err(error) => {
                    assert_eq!(error.code(), Code::Aborted, "{error}");
                    lost += 1;
                }
            }
        }
        lost
    };
    let lost: Vec<i64> = futures::future::join_all((0..CLIENTS).map(client)).await;
    assert!(lost.iter().sum::<i64>() > 0, "no two writes met");
    let read = with_version(&server, "a").await;
    assert_eq!(number(&read), CLIENTS * INCREMENTS);

    // A delete too; a mismatch names the document and the version that it has.
    let version = read.version.unwrap();
    let delete = |ids: &[&str], expected: &[(&str, &str)]| DeleteRequest {
        collection: "c".into(),
        ids: ids.iter().map(|&id| id.to_owned()).collect(),
        expected_versions: expected
            .iter()
            .map(|&(id, version)| (id.to_owned(), version.to_owned()))
            .collect(),
        ..DeleteRequest::default()
    };
    let other = "0".repeat(32);
    let mut documents = server.documents();
    let refused = documents.delete(delete(&["a"], &[("a", &other)])).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted);
    for part in ["\"a\"", &version, &other] {
        assert!(refused.message().contains(part), "{refused}");
    }
    let missing = delete(&["a"], &[("a", &version), ("none", &version)]);
    let missing = documents.delete(missing).await.unwrap_err();
    assert!(missing.message().contains("does not exist"), "{missing}");
    let deleted = documents.delete(delete(&["a"], &[("a", &version)])).await;
    assert_eq!(deleted.unwrap().into_inner().deleted, 1);
    // What is only read is not accepted in a write.
    let mut written = numbered("a", 1);
    written.version = Some(version);
    let error = server.upsert("c", vec![written]).await.unwrap_err();
    assert_eq!(violation(&error).0, "documents[0].version");
    server.stop().await;
}
