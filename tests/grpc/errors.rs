//! Errors keep their code and the field at fault, and change nothing.

use latentdb_proto::v1::{
    Document, LatentWeight, LatentsQuery, Query, SearchRequest, Vector, query,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::running::Running;

/// The one field of a status' `google.rpc.BadRequest`, and what it says.
pub(crate) fn violation(status: &Status) -> (String, String) {
    let details = status.get_details_bad_request().unwrap();
    let [violation] = details.field_violations.as_slice() else {
        panic!("{details:?}");
    };
    (violation.field.clone(), violation.description.clone())
}

fn with_vector(values: Vec<f32>) -> Document {
    Document {
        id: "bad".into(),
        vector: Some(Vector { values }),
        ..Document::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_documents_are_refused_by_field_and_change_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 3, 8).await.unwrap();
    server
        .upsert("c", vec![with_vector(vec![1.0, 0.0, 0.0])])
        .await
        .unwrap();
    let long = Document {
        id: "x".repeat(513),
        ..Document::default()
    };
    let text = Document {
        id: "bad".into(),
        text: Some("x".repeat((1 << 20) + 1)),
        ..Document::default()
    };
    for (document, field, says) in [
        (with_vector(vec![1.0]), "documents[1].vector", "takes 3"),
        (with_vector(vec![0.0; 3]), "documents[1].vector", "zeros"),
        (
            with_vector(vec![0.0, f32::NAN, 1.0]),
            "documents[1].vector[1]",
            "NaN",
        ),
        (
            with_vector(vec![f32::INFINITY, 1.0, 1.0]),
            "documents[1].vector[0]",
            "inf",
        ),
        (long, "documents[1].id", "513"),
        (text, "documents[1].text", "1048577"),
    ] {
        let good = Document {
            id: "good".into(),
            ..Document::default()
        };
        let error = server.upsert("c", vec![good, document]).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        let (found, description) = violation(&error);
        assert_eq!(found, field);
        assert!(description.contains(says), "{description}");
        assert!(error.message().contains(field), "{error}");
    }
    assert_eq!(server.count("c", "all").await.unwrap(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_queries_name_the_part_at_fault() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 3, 8).await.unwrap();
    let error = server.count("c", "year > ;").await.unwrap_err();
    assert_eq!(violation(&error).0, "filter.expression");
    assert!(error.message().contains("column 8"), "{error}");

    let latents = |latent, weight| Query {
        kind: Some(query::Kind::Latents(LatentsQuery {
            weights: vec![LatentWeight { latent, weight }],
            ..LatentsQuery::default()
        })),
        ..Query::default()
    };
    for (query, limit, field) in [
        (latents(8, 1.0), 10, "query.latents.weights[0].latent"),
        (latents(1, f32::NAN), 10, "query.latents.weights[0].weight"),
        (latents(1, 1.0), 1001, "limit"),
        (Query::default(), 10, "query.kind"),
    ] {
        let error = server.search("c", query, limit).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert_eq!(violation(&error).0, field);
    }
    let empty = SearchRequest {
        collection: "c".into(),
        ..SearchRequest::default()
    };
    let error = server.searches().search(empty).await.unwrap_err();
    assert_eq!(violation(&error).0, "query");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_an_sae_says_how_to_get_one() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 3, 0).await.unwrap();
    let error = server.count("c", "latent(1)").await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(error.message().contains("latentdb sae train"), "{error}");
    assert!(
        error.message().contains("latentdb collection attach"),
        "{error}"
    );
    let missing = server.count("none", "all").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let set = server.count("c", "set('none')").await.unwrap_err();
    assert_eq!(set.code(), Code::NotFound);
    server.stop().await;
}
