//! The ingest stream: order, bad batches, retries.

use latentdb_proto::v1::value::Kind;
use latentdb_proto::v1::{Document, IngestRequest, IngestResponse, Value, Vector};
use prost::Message as _;
use tonic::Code;

use crate::running::Running;

fn batch(number: u64, size: usize) -> IngestRequest {
    let document = |at| Document {
        id: format!("{number}-{at}"),
        ..Document::default()
    };
    IngestRequest {
        collection: "c".into(),
        documents: (0..size).map(document).collect(),
        batch: number,
        stream_id: "s".into(),
        ..IngestRequest::default()
    }
}

async fn ingest(server: &Running, batches: Vec<IngestRequest>) -> Vec<IngestResponse> {
    let stream = tokio_stream::iter(batches);
    let mut answers = server
        .documents()
        .ingest(stream)
        .await
        .unwrap()
        .into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        all.push(answer);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_answered_in_order_and_a_bad_one_does_not_end_the_stream() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 0, 0).await.unwrap();
    let mut batches: Vec<_> = (1..=40)
        .map(|number| batch(number, if number % 3 == 0 { 400 } else { 2 }))
        .collect();
    batches[9].documents[1].id.clear();
    let answers = ingest(&server, batches.clone()).await;
    let numbers: Vec<u64> = answers.iter().map(|answer| answer.batch).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    for (answer, sent) in answers.iter().zip(&batches) {
        assert!(!answer.duplicate, "{answer:?}");
        match &answer.error {
            Some(error) => {
                assert_eq!(answer.batch, 10, "{error:?}");
                assert_eq!(error.code, Code::InvalidArgument as i32);
                assert_eq!(error.field, "documents[1].id");
            }
            None => assert_eq!(answer.upserted, sent.documents.len() as u64),
        }
    }
    let written: u64 = answers.iter().map(|answer| answer.upserted).sum();
    assert_eq!(server.count("c", "all").await.unwrap(), written);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retried_batches_are_recognised_also_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Running::start(data.path()).await;
    server.create("c", 0, 0).await.unwrap();
    let first = ingest(&server, (1..=3).map(|number| batch(number, 5)).collect()).await;
    assert!(first.iter().all(|answer| !answer.duplicate));
    for _ in 0..2 {
        let again = ingest(&server, (1..=3).map(|number| batch(number, 9)).collect()).await;
        assert!(again.iter().all(|answer| answer.duplicate), "{again:?}");
        assert_eq!(server.count("c", "all").await.unwrap(), 15);
        server.stop().await;
        server = Running::start(data.path()).await;
    }
    let further = ingest(&server, vec![batch(4, 1)]).await;
    assert!(!further[0].duplicate);
    assert_eq!(server.count("c", "all").await.unwrap(), 16);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_written_is_recognised_before_it_is_looked_at() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 4, 0).await.unwrap();
    ingest(&server, (1..=2).map(|number| batch(number, 5)).collect()).await;
    // What cannot be written is not even checked under the number of what was.
    let mut again = vec![batch(1, 5), batch(2, 5), batch(3, 5)];
    for request in &mut again {
        request.documents[3].vector = Some(Vector { values: vec![1.0] });
    }
    let answers = ingest(&server, again).await;
    assert!(answers[0].duplicate && answers[1].duplicate, "{answers:?}");
    let refused = answers[2].error.as_ref().unwrap();
    assert_eq!(refused.field, "documents[3].vector");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_documents_of_a_batch_are_set_aside_one_by_one() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 4, 0).await.unwrap();
    let mut request = batch(1, 1000);
    request.set_aside = true;
    request.documents[7].vector = Some(Vector { values: vec![1.0] });
    request.documents[500].id.clear();
    let bad_time = Value {
        kind: Some(Kind::Timestamp(prost_types::Timestamp {
            seconds: 1,
            nanos: -1,
        })),
    };
    let attributes = &mut request.documents[900].attributes;
    attributes.insert("t".to_owned(), bad_time);
    let [answer] = &ingest(&server, vec![request.clone()]).await[..] else {
        panic!("one batch has one answer");
    };
    assert_eq!((answer.upserted, &answer.error), (997, &None));
    let rejected: Vec<(u32, &str)> = answer
        .rejected
        .iter()
        .map(|own| (own.document, &*own.error.as_ref().unwrap().field))
        .collect();
    assert_eq!(rejected[..2], [(7, "vector"), (500, "id")]);
    assert_eq!(rejected[2].0, 900);
    assert!(rejected[2].1.starts_with("attributes"), "{rejected:?}");
    assert_eq!(server.count("c", "all").await.unwrap(), 997);
    // Sent again it was written before, whatever was set aside.
    let [answer] = &ingest(&server, vec![request.clone()]).await[..] else {
        panic!("one batch has one answer");
    };
    assert!(answer.duplicate && answer.rejected.is_empty());
    // A batch of bad documents alone writes nothing, and its reasons fit a message.
    request.batch = 2;
    let bad = request.documents[7].clone();
    request.documents = vec![bad; 10_000];
    let [answer] = &ingest(&server, vec![request]).await[..] else {
        panic!("one batch has one answer");
    };
    assert_eq!((answer.upserted, answer.rejected.len()), (0, 10_000));
    assert!(answer.encoded_len() < 4 << 20, "{}", answer.encoded_len());
    server.stop().await;
}
