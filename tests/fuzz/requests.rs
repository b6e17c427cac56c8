//! Requests whose bytes were damaged, as far as they are still messages, through a real server.

use latentdb_proto::v1::{
    CountRequest, Document, FacetRequest, Filter, LatentWeight, LatentsQuery, NearestQuery, Query,
    SearchRequest, TextQuery, UpsertRequest, Value, Vector, facet, filter, nearest_query, query,
    value,
};
use prost::Message as _;
use tonic::Code;

use crate::damage::fuzz;
use crate::running::Running;

fn documents() -> Vec<Document> {
    let document = |at: u32| {
        let number = Value {
            kind: Some(value::Kind::Integer(i64::from(at))),
        };
        Document {
            id: format!("d{at}"),
            text: Some(format!("document number {at} of some")),
            vector: Some(Vector {
                values: vec![1.0, at as f32, 0.5, -0.25],
            }),
            attributes: [("n".to_owned(), number)].into(),
            ..Document::default()
        }
    };
    (0..20).map(document).collect()
}

fn queries() -> Vec<Query> {
    let kinds = [
        query::Kind::Text(TextQuery {
            text: "document some".into(),
            ..TextQuery::default()
        }),
        query::Kind::Nearest(NearestQuery {
            to: Some(nearest_query::To::Vector(Vector {
                values: vec![1.0, 2.0, 3.0, 4.0],
            })),
            ..NearestQuery::default()
        }),
        query::Kind::Latents(LatentsQuery {
            weights: vec![LatentWeight {
                latent: 3,
                weight: -0.5,
            }],
            ..LatentsQuery::default()
        }),
    ];
    let with_filter = |kind| Query {
        filter: Some(Filter {
            kind: Some(filter::Kind::Expression("n > 3".into())),
        }),
        kind: Some(kind),
        ..Query::default()
    };
    kinds.into_iter().map(with_filter).collect()
}

#[test]
fn requests() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = runtime.block_on(async {
        let server = Running::start(data.path()).await;
        server.create("c", 4, 8).await.unwrap();
        server.upsert("c", documents()).await.unwrap();
        server
    });
    let searches: Vec<Vec<u8>> = queries()
        .into_iter()
        .map(|query| {
            SearchRequest {
                collection: "c".into(),
                query: Some(query),
                limit: 5,
                ..SearchRequest::default()
            }
            .encode_to_vec()
        })
        .collect();
    let facets = FacetRequest {
        collection: "c".into(),
        facets: vec![latentdb_proto::v1::Facet {
            by: Some(facet::By::Attribute("n".into())),
            ..latentdb_proto::v1::Facet::default()
        }],
        ..FacetRequest::default()
    };
    let upsert = UpsertRequest {
        collection: "c".into(),
        documents: documents(),
        ..UpsertRequest::default()
    };
    let others = [facets.encode_to_vec(), upsert.encode_to_vec()];
    let seeds = [searches, others.to_vec()].concat();
    // A panic of a task is INTERNAL to its client.
    let check = |code: Option<Code>, what: &dyn std::fmt::Debug| {
        assert!(
            !matches!(
                code,
                Some(Code::Internal | Code::Unknown | Code::Unavailable)
            ),
            "{what:?}"
        );
    };
    fuzz("requests", &seeds, |bytes| {
        runtime.block_on(async {
            if let Ok(mut message) = SearchRequest::decode(bytes) {
                message.collection = "c".into();
                let answer = server.searches().search(message.clone()).await;
                check(answer.err().map(|status| status.code()), &message);
            }
            if let Ok(mut message) = FacetRequest::decode(bytes) {
                message.collection = "c".into();
                let answer = server.searches().facet(message.clone()).await;
                check(answer.err().map(|status| status.code()), &message);
            }
            if let Ok(mut message) = UpsertRequest::decode(bytes) {
                message.collection = "c".into();
                let answer = server.documents().upsert(message.clone()).await;
                check(answer.err().map(|status| status.code()), &message);
            }
            if let Ok(mut message) = CountRequest::decode(bytes) {
                message.collection = "c".into();
                let answer = server.searches().count(message.clone()).await;
                check(answer.err().map(|status| status.code()), &message);
            }
        });
    });
    runtime.block_on(server.stop());
}
