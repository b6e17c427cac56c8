//! AnalysisService: a stream for each analysis.

use std::sync::Arc;

use latentdb_proto::v1;
use latentdb_proto::v1::analysis_service_server::AnalysisService;

use super::address::address;
use super::calls::calls;
use super::streams::{Answers, stream};
use super::{cluster, correlate, diff, explain, hypotheses, map, matching, quality, trends};
use crate::error::Result;
use crate::service::Analyses;

/// Serves the analyses.
pub(super) struct AnalysisAdapter(pub Arc<Analyses>);

/// The calls, each with what makes its request, and what makes its answer.
macro_rules! analyses {
    ($($name:ident as $stream:ident: $wire:ty => $message:ty = $request:path, $answer:path;)*) => {
        calls! {
            AnalysisService of AnalysisAdapter {
                list_maps(v1::ListMapsRequest) -> v1::ListMapsResponse;
                drop_map(v1::DropMapRequest) -> v1::DropMapResponse;
            }
            streams {
                $($name($wire) -> $stream = $message;)*
                move_latents(v1::MoveLatentsRequest) -> MoveLatentsStream = v1::MatchLatentsResponse;
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
    explain as ExplainStream: v1::ExplainRequest => v1::ExplainResponse =
        explain::request, explain::answer;
    hypothesise as HypothesiseStream: v1::HypothesiseRequest => v1::HypothesiseResponse =
        hypotheses::request, hypotheses::answer;
    match_latents as MatchLatentsStream: v1::MatchLatentsRequest => v1::MatchLatentsResponse =
        matching::request, matching::answer;
    make_map as MakeMapStream: v1::MakeMapRequest => v1::MakeMapResponse =
        map::make_request, map::make_answer;
    read_map as ReadMapStream: v1::ReadMapRequest => v1::ReadMapResponse =
        map::read_request, map::read_answer;
}

impl AnalysisAdapter {
    async fn move_latents(
        &self,
        wire: v1::MoveLatentsRequest,
    ) -> Result<Answers<v1::MatchLatentsResponse>> {
        let (request, moves) = matching::move_request(wire)?;
        let service = self.0.clone();
        let work = |progress| async move { service.move_latents(request, moves, progress).await };
        Ok(stream(work, matching::answer))
    }

    async fn list_maps(&self, wire: v1::ListMapsRequest) -> Result<v1::ListMapsResponse> {
        let maps = self.0.list_maps(&address(wire.collection)?).await?;
        Ok(v1::ListMapsResponse {
            maps: maps.into_iter().map(map::wire_map).collect(),
        })
    }

    async fn drop_map(&self, wire: v1::DropMapRequest) -> Result<v1::DropMapResponse> {
        self.0
            .drop_map(&address(wire.collection)?, wire.name)
            .await?;
        Ok(v1::DropMapResponse {})
    }
}
