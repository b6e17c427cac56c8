//! The ingest stream: order, bad batches, retries.

use latentdb_proto::v1::{Document, IngestRequest, IngestResponse};
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
