//! AnalysisService: one stream per call.

use std::sync::Arc;

use latentdb_proto::v1;
use latentdb_proto::v1::analysis_service_server::AnalysisService;
use tonic::{Request, Response, Status};

use super::status::status;
use super::streams::{Answers, stream};
use super::{cluster, correlate, diff, quality, trends};
use crate::service::Analyses;

/// Serves the analyses.
pub(super) struct AnalysisAdapter(pub Arc<Analyses>);

#[tonic::async_trait]
impl AnalysisService for AnalysisAdapter {
    type DiffStream = Answers<v1::DiffResponse>;

    async fn diff(
        &self,
        request: Request<v1::DiffRequest>,
    ) -> Result<Response<Self::DiffStream>, Status> {
        let request = diff::request(request.into_inner()).map_err(status)?;
        let service = self.0.clone();
        let work = |progress| async move { service.diff(request, progress).await };
        Ok(stream(work, diff::progress, diff::answer))
    }

    type CorrelateStream = Answers<v1::CorrelateResponse>;

    async fn correlate(
        &self,
        request: Request<v1::CorrelateRequest>,
    ) -> Result<Response<Self::CorrelateStream>, Status> {
        let request = correlate::request(request.into_inner()).map_err(status)?;
        let service = self.0.clone();
        let work = |progress| async move { service.correlate(request, progress).await };
        Ok(stream(work, correlate::progress, correlate::answer))
    }

    type TrendsStream = Answers<v1::TrendsResponse>;

    async fn trends(
        &self,
        request: Request<v1::TrendsRequest>,
    ) -> Result<Response<Self::TrendsStream>, Status> {
        let request = trends::request(request.into_inner()).map_err(status)?;
        let service = self.0.clone();
        let work = |progress| async move { service.trends(request, progress).await };
        Ok(stream(work, trends::progress, trends::answer))
    }

    type NearDuplicatesStream = Answers<v1::NearDuplicatesResponse>;

    async fn near_duplicates(
        &self,
        request: Request<v1::NearDuplicatesRequest>,
    ) -> Result<Response<Self::NearDuplicatesStream>, Status> {
        let request = quality::duplicates(request.into_inner()).map_err(status)?;
        let service = self.0.clone();
        let work = |progress| async move { service.near_duplicates(request, progress).await };
        Ok(stream(
            work,
            quality::duplicates_progress,
            quality::duplicates_answer,
        ))
    }

    type PoorlyExplainedStream = Answers<v1::PoorlyExplainedResponse>;

    async fn poorly_explained(
        &self,
        request: Request<v1::PoorlyExplainedRequest>,
    ) -> Result<Response<Self::PoorlyExplainedStream>, Status> {
        let request = quality::unexplained(request.into_inner()).map_err(status)?;
        let service = self.0.clone();
        let work = |progress| async move { service.poorly_explained(request, progress).await };
        Ok(stream(
            work,
            quality::unexplained_progress,
            quality::unexplained_answer,
        ))
    }

    type ClusterStream = Answers<v1::ClusterResponse>;

    async fn cluster(
        &self,
        request: Request<v1::ClusterRequest>,
    ) -> Result<Response<Self::ClusterStream>, Status> {
        let request = cluster::request(request.into_inner()).map_err(status)?;
        let service = self.0.clone();
        let work = |progress| async move { service.cluster(request, progress).await };
        Ok(stream(work, cluster::progress, cluster::answer))
    }
}
