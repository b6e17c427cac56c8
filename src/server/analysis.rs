//! AnalysisService: one stream per call.

use std::sync::Arc;

use latentdb_proto::v1;
use latentdb_proto::v1::analysis_service_server::AnalysisService;

use super::calls::calls;
use super::streams::{Answers, stream};
use super::{cluster, correlate, diff, quality, trends};
use crate::error::Result;
use crate::service::Analyses;

/// Serves the analyses.
pub(super) struct AnalysisAdapter(pub Arc<Analyses>);

/// The calls, each with what makes its request, and what makes its answer.
macro_rules! analyses {
    ($($name:ident as $stream:ident: $wire:ty => $message:ty = $request:path, $answer:path;)*) => {
        calls! {
            AnalysisService of AnalysisAdapter {}
            streams {
                $($name($wire) -> $stream = $message;)*
            }
        }

        impl AnalysisAdapter {
            $(
                async fn $name(&self, wire: $wire) -> Result<Answers<$message>> {
                    let request = $request(wire)?;
                    let service = self.0.clone();
                    let work = |progress| async move { service.$name(request, progress).await };
                    Ok(stream(work, $answer))
                }
            )*
        }
    };
}

analyses! {
    diff as DiffStream: v1::DiffRequest => v1::DiffResponse = diff::request, diff::answer;
    correlate as CorrelateStream: v1::CorrelateRequest => v1::CorrelateResponse =
        correlate::request, correlate::answer;
    trends as TrendsStream: v1::TrendsRequest => v1::TrendsResponse =
        trends::request, trends::answer;
    near_duplicates as NearDuplicatesStream:
        v1::NearDuplicatesRequest => v1::NearDuplicatesResponse =
        quality::duplicates, quality::duplicates_answer;
    poorly_explained as PoorlyExplainedStream:
        v1::PoorlyExplainedRequest => v1::PoorlyExplainedResponse =
        quality::unexplained, quality::unexplained_answer;
    cluster as ClusterStream: v1::ClusterRequest => v1::ClusterResponse =
        cluster::request, cluster::answer;
}
