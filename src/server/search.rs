//! SearchService.

use std::sync::Arc;

use latentdb_index::query::{
    DEFAULT_EF, DEFAULT_FUSION_DEPTH, Fusion, MAX_DEPTH, MAX_HITS, Plan, Scale,
};
use latentdb_proto::v1;
use latentdb_proto::v1::search_service_server::SearchService;
use tonic::{Request, Response, Status};

use super::address::address;
use super::property::{latents, property, wire_property};
use super::reader::span_of;
use super::status::{required, status};
use super::steer::{edits, preset, preset_uses, wire_preset, wire_steering, wire_step};
use super::types::{
    count_or, filter, made_with, non_empty, projection, text_mode, wire_document, wire_value,
};
use crate::error::{Error, Result, Within as _};
use crate::service::{
    ExplainedHit, Explanation, FacetBy, NearestNode, Node, NodeKind, Projection, Search,
    SearchOptions, SearchResult, Target,
};

/// Hits of the right side of `excluding` that are taken away, unless said otherwise.
const DEFAULT_EXCEPT_TOP: usize = 100;
/// k of reciprocal rank fusion (Cormack et al., 2009).
const DEFAULT_RANK_CONSTANT: f32 = 60.0;
/// Contributing latents listed per hit.
const DEFAULT_LATENTS_PER_HIT: usize = 5;

/// Serves searches.
pub(super) struct SearchAdapter(pub Arc<Search>);

#[tonic::async_trait]
impl SearchService for SearchAdapter {
    async fn search(
        &self,
        request: Request<v1::SearchRequest>,
    ) -> Result<Response<v1::SearchResponse>, Status> {
        let mut wire = request.into_inner();
        let explain = wire.explain;
        let result = async {
            match non_empty(std::mem::take(&mut wire.page_token)) {
                Some(token) => self.0.next_page(token).await,
                None => {
                    let address = address(std::mem::take(&mut wire.collection))?;
                    let made_with = made_with(wire.made_with.take());
                    self.0.check_made_with(&address, &made_with)?;
                    let (node, options) = search(wire)?;
                    self.0.search(&address, node, options).await
                }
            }
        };
        let result = result.await.map_err(status)?;
        Ok(Response::new(response(result, explain)))
    }

    async fn search_batch(
        &self,
        request: Request<v1::SearchBatchRequest>,
    ) -> Result<Response<v1::SearchBatchResponse>, Status> {
        let wire = request.into_inner().searches;
        let explain: Vec<bool> = wire.iter().map(|search| search.explain).collect();
        let results = async {
            let Some(collection) = wire.first().map(|first| first.collection.clone()) else {
                return Ok(Vec::new());
            };
            let target = address(collection.clone())?;
            let mut searches = Vec::with_capacity(wire.len());
            for (at, mut one) in wire.into_iter().enumerate() {
                let made_with = made_with(one.made_with.take());
                self.0.check_made_with(&target, &made_with)?;
                let place = format!("searches[{at}]");
                if one.collection != collection {
                    let message = "differs from the first's; a batch searches one collection";
                    return Err(Error::invalid(format!("{place}.collection"), message));
                }
                if !one.page_token.is_empty() {
                    let message = "is not accepted in a batch";
                    return Err(Error::invalid(format!("{place}.page_token"), message));
                }
                searches.push(search(one).within(&place)?);
            }
            self.0.search_batch(&target, searches).await
        };
        let results = results.await.map_err(status)?;
        Ok(Response::new(v1::SearchBatchResponse {
            responses: results
                .into_iter()
                .zip(explain)
                .map(|(result, explain)| response(result, explain))
                .collect(),
        }))
    }

    async fn count(
        &self,
        request: Request<v1::CountRequest>,
    ) -> Result<Response<v1::CountResponse>, Status> {
        let wire = request.into_inner();
        let described = filter(wire.filter).map_err(status)?;
        let address = address(wire.collection).map_err(status)?;
        let (count, warnings) = self.0.count(&address, described).await.map_err(status)?;
        Ok(Response::new(v1::CountResponse { count, warnings }))
    }

    async fn facet(
        &self,
        request: Request<v1::FacetRequest>,
    ) -> Result<Response<v1::FacetResponse>, Status> {
        let wire = request.into_inner();
        let result = async {
            let described = filter(wire.filter)?;
            let by = match required(wire.by, "by")? {
                v1::facet_request::By::Attribute(name) => FacetBy::Attribute(name),
                v1::facet_request::By::Latents(_) => FacetBy::Latents,
            };
            let limit = count_or(wire.limit, 20, 100_000, "limit")?;
            self.0
                .facet(&address(wire.collection)?, described, by, limit)
                .await
        };
        let facet = result.await.map_err(status)?;
        Ok(Response::new(v1::FacetResponse {
            values: facet
                .values
                .into_iter()
                .map(|(value, count)| v1::ValueCount {
                    value: Some(wire_value(value)),
                    count,
                })
                .collect(),
            latents: facet
                .latents
                .into_iter()
                .map(|entry| v1::LatentCount {
                    low_confidence: entry.low_confidence,
                    latent: entry.latent,
                    label: entry.label.unwrap_or_default(),
                    count: entry.count,
                    mean_activation: entry.mean_activation,
                })
                .collect(),
            distinct: facet.distinct,
            documents: facet.documents,
            warnings: facet.warnings,
        }))
    }

    async fn steer(
        &self,
        request: Request<v1::SteerRequest>,
    ) -> Result<Response<v1::SteerResponse>, Status> {
        let wire = request.into_inner();
        let report = async {
            let nearest = nearest(required(wire.nearest, "nearest")?).within("nearest")?;
            self.0.steer(&address(wire.collection)?, nearest).await
        };
        let report = report.await.map_err(status)?;
        Ok(Response::new(v1::SteerResponse {
            steering: Some(wire_steering(report)),
        }))
    }

    async fn steer_sweep(
        &self,
        request: Request<v1::SteerSweepRequest>,
    ) -> Result<Response<v1::SteerSweepResponse>, Status> {
        let wire = request.into_inner();
        let steps = async {
            let nearest = nearest(required(wire.nearest, "nearest")?).within("nearest")?;
            let filter = match wire.filter {
                None => None,
                described => Some(filter(described)?),
            };
            let limit = count_or(wire.limit, 10, 1000, "limit")?;
            self.0
                .steer_sweep(
                    &address(wire.collection)?,
                    nearest,
                    filter,
                    wire.strengths,
                    limit,
                )
                .await
        };
        let steps = steps.await.map_err(status)?;
        Ok(Response::new(v1::SteerSweepResponse {
            steps: steps.into_iter().map(wire_step).collect(),
        }))
    }

    async fn save_preset(
        &self,
        request: Request<v1::SavePresetRequest>,
    ) -> Result<Response<v1::Preset>, Status> {
        let wire = request.into_inner();
        let saved = async {
            let described = required(wire.preset, "preset")?;
            let address = address(wire.collection)?;
            let saved = preset(described).within("preset")?;
            self.0
                .save_preset(&address, saved.clone())
                .await
                .within("preset")?;
            Ok(saved)
        };
        Ok(Response::new(wire_preset(saved.await.map_err(status)?)))
    }

    async fn list_presets(
        &self,
        request: Request<v1::ListPresetsRequest>,
    ) -> Result<Response<v1::ListPresetsResponse>, Status> {
        let address = address(request.into_inner().collection).map_err(status)?;
        let presets = self.0.list_presets(&address).await;
        let presets = presets.map_err(status)?.into_iter();
        Ok(Response::new(v1::ListPresetsResponse {
            presets: presets.map(wire_preset).collect(),
        }))
    }

    async fn drop_preset(
        &self,
        request: Request<v1::DropPresetRequest>,
    ) -> Result<Response<v1::DropPresetResponse>, Status> {
        let wire = request.into_inner();
        let address = address(wire.collection).map_err(status)?;
        let dropped = self.0.drop_preset(&address, wire.name).await;
        dropped.map_err(status)?;
        Ok(Response::new(v1::DropPresetResponse {}))
    }
}

fn search(wire: v1::SearchRequest) -> Result<(Node, SearchOptions)> {
    let query = required(wire.query, "query")?;
    let node = node(query, 1).within("query")?;
    let options = SearchOptions {
        limit: count_or(wire.limit, 10, 1000, "limit")?,
        projection: projection(wire.projection, Projection::readable()),
        latents_per_hit: wire
            .latents_per_hit
            .map_or(DEFAULT_LATENTS_PER_HIT, |count| count as usize),
    };
    Ok((node, options))
}

fn node(wire: v1::Query, depth: usize) -> Result<Node> {
    use v1::query::Kind;
    if depth > MAX_DEPTH {
        return Err(Error::invalid(
            "",
            format!("is nested deeper than {MAX_DEPTH} levels"),
        ));
    }
    let kind = match required(wire.kind, "kind")? {
        Kind::Nearest(wire) => NodeKind::Nearest(nearest(wire).within("nearest")?),
        Kind::Latents(wire) => latents(wire).within("latents")?,
        Kind::Property(wire) => NodeKind::Property(property(wire).within("property")?),
        Kind::Text(wire) => NodeKind::Text {
            mode: text_mode(wire.mode).within("text")?,
            text: wire.text,
        },
        Kind::Fusion(wire) => fusion(wire, depth).within("fusion")?,
        Kind::Excluding(wire) => excluding(*wire, depth).within("excluding")?,
        Kind::Matching(_) => NodeKind::Matching,
    };
    let filter = match wire.filter {
        None => None,
        described => Some(filter(described)?),
    };
    Ok(Node {
        kind,
        filter,
        name: non_empty(wire.name),
    })
}

fn nearest(wire: v1::NearestQuery) -> Result<NearestNode> {
    use v1::nearest_query::To;
    Ok(NearestNode {
        target: match required(wire.to, "to")? {
            To::Text(text) => Target::Text(text),
            To::Vector(vector) => Target::Vector(vector.values),
            To::Document(id) => Target::Document(id),
        },
        presets: preset_uses(wire.presets)?,
        edits: edits(wire.steer, "steer")?,
        consistent_steps: wire.consistent_steps as usize,
        exact: wire.exact,
        ef: count_or(wire.ef, DEFAULT_EF, MAX_HITS, "ef")?,
    })
}

fn fusion(wire: v1::FusionQuery, depth: usize) -> Result<NodeKind> {
    let children = wire
        .children
        .into_iter()
        .enumerate()
        .map(|(at, child)| {
            let place = format!("children[{at}].query");
            let query = required(child.query, &place)?;
            let query = node(query, depth + 1).within(&place)?;
            Ok((query, child.weight.unwrap_or(1.0)))
        })
        .collect::<Result<_>>()?;
    let method = match v1::FusionMethod::try_from(wire.method) {
        Ok(v1::FusionMethod::ReciprocalRank) => Fusion::ReciprocalRank {
            k: wire.rank_constant.unwrap_or(DEFAULT_RANK_CONSTANT),
        },
        Ok(v1::FusionMethod::MinMax) => Fusion::MinMax,
        Ok(v1::FusionMethod::Distribution) => Fusion::DistributionBased,
        Ok(v1::FusionMethod::Linear) => Fusion::Linear(Scale::Raw),
        Ok(v1::FusionMethod::Standard) => Fusion::Linear(Scale::Standard),
        Err(_) => {
            let message = format!("is {}, which is no method", wire.method);
            return Err(Error::invalid("method", message));
        }
    };
    Ok(NodeKind::Fusion {
        children,
        method,
        depth: count_or(wire.depth, DEFAULT_FUSION_DEPTH, MAX_HITS, "depth")?,
    })
}

fn excluding(wire: v1::ExceptQuery, depth: usize) -> Result<NodeKind> {
    let side = |side: Option<Box<v1::Query>>, place: &str| -> Result<Box<Node>> {
        let query = required(side, place)?;
        Ok(Box::new(node(*query, depth + 1).within(place)?))
    };
    Ok(NodeKind::Except {
        query: side(wire.query, "query")?,
        minus: side(wire.minus, "minus")?,
        top: count_or(wire.top, DEFAULT_EXCEPT_TOP, MAX_HITS, "top")?,
    })
}

fn response(result: SearchResult, explain: bool) -> v1::SearchResponse {
    v1::SearchResponse {
        hits: result.hits.into_iter().map(wire_hit).collect(),
        next_page_token: result.next_page_token.unwrap_or_default(),
        steering: result.steering.into_iter().map(wire_steering).collect(),
        explanation: explain.then(|| wire_explanation(result.explanation)),
        sequence: result.sequence,
        properties: result.properties.into_iter().map(wire_property).collect(),
        warnings: result.warnings,
    }
}

fn wire_hit(hit: ExplainedHit) -> v1::Hit {
    let positions = hit.document.positions().to_vec();
    v1::Hit {
        document: Some(wire_document(hit.document)),
        score: hit.score,
        components: hit
            .components
            .into_iter()
            .map(|component| v1::ComponentScore {
                name: component.name,
                score: component.score,
                rank: component.rank,
                contribution: component.contribution,
            })
            .collect(),
        latents: hit
            .latents
            .into_iter()
            .map(|part| v1::LatentContribution {
                low_confidence: part.low_confidence,
                latent: part.latent,
                label: part.label.unwrap_or_default(),
                activation: part.activation,
                contribution: part.contribution,
                component: part.component,
                span: span_of(&positions, part.latent),
            })
            .collect(),
    }
}

fn micros(elapsed: std::time::Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

fn wire_explanation(explanation: Explanation) -> v1::Explanation {
    v1::Explanation {
        plan: Some(wire_plan(explanation.plan)),
        encode_us: micros(explanation.encode),
        execute_us: micros(explanation.execute),
        fetch_us: micros(explanation.fetch),
        total_us: micros(explanation.total),
    }
}

fn wire_plan(plan: Plan) -> v1::PlanNode {
    v1::PlanNode {
        name: plan.name,
        access: plan.access.to_owned(),
        allowed: plan.allowed,
        selectivity: plan.selectivity,
        candidates: plan.candidates,
        elapsed_us: micros(plan.elapsed),
        children: plan.children.into_iter().map(wire_plan).collect(),
    }
}
