//! The services that every gRPC server has: health and reflection; and what the server tells of
//! itself.

use latentdb_proto::v1::GetServerInfoRequest;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::{v1, v1alpha};

use crate::running::Running;

const SERVICES: [&str; 7] = [
    "latentdb.v1.AdminService",
    "latentdb.v1.AnalysisService",
    "latentdb.v1.CollectionService",
    "latentdb.v1.DocumentService",
    "latentdb.v1.LatentService",
    "latentdb.v1.ModelService",
    "latentdb.v1.SearchService",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_service_is_healthy() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    let mut client = HealthClient::new(server.channel());
    for service in SERVICES.iter().chain(&[""]) {
        let request = HealthCheckRequest {
            service: (*service).to_owned(),
        };
        let status = client.check(request).await.unwrap().into_inner().status;
        assert_eq!(status, i32::from(ServingStatus::Serving), "{service}");
    }
    let unknown = HealthCheckRequest {
        service: "none".into(),
    };
    let error = client.check(unknown).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_every_service_in_both_versions() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(server.channel());
    let stream = tokio_stream::once(request);
    let mut answers = client
        .server_reflection_info(stream)
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let names: Vec<String> = listed.service.into_iter().map(|entry| entry.name).collect();
    for service in SERVICES {
        assert!(names.iter().any(|name| name == service), "{names:?}");
    }

    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "latentdb.v1.Query".into(),
            ),
        ),
    };
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel());
    let stream = tokio_stream::once(request);
    let mut answers = client
        .server_reflection_info(stream)
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert!(
        matches!(
            answer.message_response,
            Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
        ),
        "{answer:?}"
    );
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_tells_its_limits() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 0, 0).await.unwrap();
    let mut client = server.admin();
    let info = client.get_server_info(GetServerInfoRequest {}).await;
    let info = info.unwrap().into_inner();
    assert_eq!(info.collections, 1);
    let limits = info.limits.unwrap();
    assert_eq!(limits.max_batch_documents, 10_000);
    assert_eq!(limits.max_page, 1000);
    server.stop().await;
}
