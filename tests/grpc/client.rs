//! The Rust client: connecting, and streams read to one result.

use latentdb::client::{Client, ToJson as _};
use latentdb_proto::v1::{
    Activation, Activations, Axis, ClusterRequest, CorrelateRequest, CorrelateResponse,
    DiffOverlap, DiffRequest, Document, NamedSet, ScrollRequest, TrendsRequest,
};
use tonic::Code;

use super::running::{Running, expr};

/// Latent 2 everywhere; 0 and 1 together in every other document.
fn documents(n: u32) -> Vec<Document> {
    let values = |at: u32| {
        let latents = if at.is_multiple_of(2) { 0..3 } else { 2..3 };
        let active = |latent| Activation {
            latent,
            activation: 1.0,
        };
        latents.map(active).collect()
    };
    let document = |at| Document {
        id: format!("d{at:02}"),
        latents: Some(Activations { values: values(at) }),
        ..Document::default()
    };
    (0..n).map(document).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_read_to_one_result() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 0, 4).await.unwrap();
    server.upsert("c", documents(40)).await.unwrap();

    let scroll = ScrollRequest {
        collection: "c".into(),
        batch_size: 7,
        ..ScrollRequest::default()
    };
    assert_eq!(server.scroll(scroll).await.unwrap().len(), 40);

    let request = CorrelateRequest {
        collection: "c".into(),
        min_support: 5,
        ..CorrelateRequest::default()
    };
    // Each message is shown: one at least, since the summary is one.
    let mut shown = 0;
    let watch = |_: &CorrelateResponse| shown += 1;
    let found = server.correlate(request, watch).await.unwrap();
    assert!(shown > 0);
    assert_eq!(found.summary.documents, 40);
    let json = found.to_json();
    assert_eq!(json["documents"], 40);
    let pairs = json["pairs"].as_array().unwrap();
    let together = pairs.iter().find(|pair| pair["i"] == 0 && pair["j"] == 1);
    assert_eq!(together.unwrap()["count"], 20);

    let set = |filter: &str| NamedSet {
        name: filter.to_owned(),
        filter: Some(expr(filter)),
    };
    let request = DiffRequest {
        collection: "c".into(),
        a: Some(expr("latent(0)")),
        b: vec![set("latent(2)"), set("not latent(0)")],
        all: true,
        overlap: DiffOverlap::Keep.into(),
        ..DiffRequest::default()
    };
    let found = server.diff(request, |_| ()).await.unwrap();
    // Each set, then their union.
    let json = found.to_json();
    let names: Vec<_> = found
        .comparisons
        .iter()
        .map(|one| &*one.head.name)
        .collect();
    assert_eq!(
        (names.len(), &names[..2]),
        (3, &["latent(2)", "not latent(0)"][..])
    );
    assert_eq!(json["comparisons"][1]["rows"][0]["b_count"], 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_a_status() {
    let error = Client::connect("127.0.0.1:1").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(
        error.message().contains("latentdb serve --data DIR"),
        "{error}"
    );
    let error = Client::connect("no address").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);

    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    let none = || "none".to_owned();
    let trends = TrendsRequest {
        collection: none(),
        attribute: "year".into(),
        ..TrendsRequest::default()
    };
    let cluster = ClusterRequest {
        collection: none(),
        axis: Some(Axis {
            latents: vec![1, 2],
            ..Axis::default()
        }),
        ..ClusterRequest::default()
    };
    let trends = server.trends(trends, |_| ()).await.unwrap_err();
    let cluster = server.cluster(cluster, |_| ()).await.unwrap_err();
    for error in [trends, cluster] {
        assert_eq!(error.code(), Code::NotFound, "{error}");
    }
    server.stop().await;
}
