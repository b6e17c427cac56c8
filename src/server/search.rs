//! SearchService.

use std::sync::Arc;

use latentdb_index::Filter;
use latentdb_index::query::{
    DEFAULT_EF, DEFAULT_FUSION_DEPTH, Fusion, MAX_DEPTH, MAX_HITS, Order, OrderBy, OrderKey, Plan,
    Scale,
};
use latentdb_proto::v1;
use latentdb_proto::v1::search_service_server::SearchService;

use super::access::checker;
use super::address::address;
use super::calls::calls;
use super::facet::{facets, wire_facets};
use super::property::{latents, property, wire_property};
use super::reader::span_of;
use super::status::{entry, required};
use super::steer::{edits, preset, preset_uses, wire_preset, wire_steering, wire_step};
use super::types::{count_or, filter, made_with, non_empty, projection, text_mode, wire_document};
use crate::error::{Error, Result, Within as _};
use crate::service::{
    ExplainedHit, Explanation, GroupBy, NearestNode, Node, NodeKind, Projection, Search,
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

calls! {
    SearchService of SearchAdapter {
        search(v1::SearchRequest) -> v1::SearchResponse;
        search_batch(v1::SearchBatchRequest) -> v1::SearchBatchResponse;
        count(v1::CountRequest) -> v1::CountResponse;
        facet(v1::FacetRequest) -> v1::FacetResponse;
        steer(v1::SteerRequest) -> v1::SteerResponse;
        steer_sweep(v1::SteerSweepRequest) -> v1::SteerSweepResponse;
        save_preset(v1::SavePresetRequest) -> v1::Preset;
        list_presets(v1::ListPresetsRequest) -> v1::ListPresetsResponse;
        drop_preset(v1::DropPresetRequest) -> v1::DropPresetResponse;
    }
}

impl SearchAdapter {
    async fn search(&self, mut wire: v1::SearchRequest) -> Result<v1::SearchResponse> {
        let explain = wire.explain;
        let result = match non_empty(std::mem::take(&mut wire.page_token)) {
            Some(token) => {
                let query = wire.query.map(|query| node(query, 1).within("query"));
                self.0
                    .next_page(token, query.transpose()?, checker()?)
                    .await?
            }
            None => {
                let address = address(std::mem::take(&mut wire.collection))?;
                let made_with = made_with(wire.made_with.take());
                self.0.check_made_with(&address, &made_with)?;
                let (node, options) = search(wire)?;
                self.0.search(&address, node, options).await?
            }
        };
        Ok(response(result, explain))
    }

    async fn search_batch(&self, wire: v1::SearchBatchRequest) -> Result<v1::SearchBatchResponse> {
        let wire = wire.searches;
        let Some(collection) = wire.first().map(|first| first.collection.clone()) else {
            return Ok(v1::SearchBatchResponse::default());
        };
        let explain: Vec<bool> = wire.iter().map(|search| search.explain).collect();
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
        let results = self.0.search_batch(&target, searches).await?;
        let responses = results.into_iter().zip(explain);
        let responses = responses.map(|(result, explain)| response(result, explain));
        Ok(v1::SearchBatchResponse {
            responses: responses.collect(),
        })
    }

    async fn count(&self, wire: v1::CountRequest) -> Result<v1::CountResponse> {
        let described = filter(wire.filter)?;
        let address = address(wire.collection)?;
        let (count, warnings) = self.0.count(&address, described).await?;
        Ok(v1::CountResponse { count, warnings })
    }

    async fn facet(&self, wire: v1::FacetRequest) -> Result<v1::FacetResponse> {
        let described = filter(wire.filter)?;
        let asked = facets(wire.facets)?;
        let address = address(wire.collection)?;
        let found = self.0.facet(&address, described, asked).await?;
        Ok(v1::FacetResponse {
            facets: wire_facets(found.facets),
            documents: found.documents,
            warnings: found.warnings,
            sequence: found.sequence,
        })
    }

    async fn steer(&self, wire: v1::SteerRequest) -> Result<v1::SteerResponse> {
        let nearest = nearest(required(wire.nearest, "nearest")?).within("nearest")?;
        let report = self.0.steer(&address(wire.collection)?, nearest).await?;
        Ok(v1::SteerResponse {
            steering: Some(wire_steering(report)),
        })
    }

    async fn steer_sweep(&self, wire: v1::SteerSweepRequest) -> Result<v1::SteerSweepResponse> {
        let nearest = nearest(required(wire.nearest, "nearest")?).within("nearest")?;
        let filter = optional_filter(wire.filter)?;
        let limit = count_or(wire.limit, 10, 1000, "limit")?;
        let address = address(wire.collection)?;
        let strengths = wire.strengths;
        let sweep = self
            .0
            .steer_sweep(&address, nearest, filter, strengths, limit);
        let (steps, warnings) = sweep.await?;
        Ok(v1::SteerSweepResponse {
            steps: steps.into_iter().map(wire_step).collect(),
            warnings,
        })
    }

    async fn save_preset(&self, wire: v1::SavePresetRequest) -> Result<v1::Preset> {
        let described = required(wire.preset, "preset")?;
        let address = address(wire.collection)?;
        let saved = preset(described).within("preset")?;
        let saving = self.0.save_preset(&address, saved.clone());
        saving.await.within("preset")?;
        Ok(wire_preset(saved))
    }

    async fn list_presets(&self, wire: v1::ListPresetsRequest) -> Result<v1::ListPresetsResponse> {
        let presets = self.0.list_presets(&address(wire.collection)?).await?;
        Ok(v1::ListPresetsResponse {
            presets: presets.into_iter().map(wire_preset).collect(),
        })
    }

    async fn drop_preset(&self, wire: v1::DropPresetRequest) -> Result<v1::DropPresetResponse> {
        let address = address(wire.collection)?;
        self.0.drop_preset(&address, wire.name).await?;
        Ok(v1::DropPresetResponse {})
    }
}

fn optional_filter(wire: Option<v1::Filter>) -> Result<Option<Filter>> {
    wire.map(|described| filter(Some(described))).transpose()
}

fn search(wire: v1::SearchRequest) -> Result<(Node, SearchOptions)> {
    let query = required(wire.query, "query")?;
    let node = node(query, 1).within("query")?;
    let options = SearchOptions {
        limit: count_or(wire.limit, 10, 1000, "limit")?,
        offset: wire.offset as usize,
        min_score: wire.min_score,
        group_by: match non_empty(wire.group_by) {
            Some(attribute) => Some(GroupBy {
                attribute,
                most: count_or(wire.per_group, 1, 1000, "per_group")?,
            }),
            None if wire.per_group != 0 => {
                return Err(Error::invalid("per_group", "needs group_by, an attribute"));
            }
            None => None,
        },
        projection: projection(wire.projection, Projection::readable()),
        latents_per_hit: wire
            .latents_per_hit
            .map_or(DEFAULT_LATENTS_PER_HIT, |count| count as usize),
        facets: facets(wire.facets)?,
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
        Kind::Matching(wire) => NodeKind::Matching(order(wire).within("matching")?),
    };
    Ok(Node {
        kind,
        filter: optional_filter(wire.filter)?,
        name: non_empty(wire.name),
    })
}

fn order(wire: v1::MatchingQuery) -> Result<Order> {
    use v1::order_key::By;
    let keys = wire.order.into_iter().enumerate().map(|(at, wire)| {
        Ok(OrderKey {
            by: match required(wire.by, "by").within(&format!("order[{at}]"))? {
                By::Attribute(name) => OrderBy::Attribute(name),
                By::Id(_) => OrderBy::Id,
            },
            descending: wire.descending,
        })
    });
    let keys = keys.collect::<Result<Vec<_>>>()?;
    match (keys.is_empty(), wire.sample_seed) {
        (true, None) => Ok(Order::Stored),
        (true, Some(seed)) => Ok(Order::Random { seed }),
        (false, None) => Ok(Order::By(keys)),
        (false, Some(_)) => Err(Error::invalid(
            "sample_seed",
            "is of an order at random, and `order` names another; one of them is accepted",
        )),
    }
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
    let method = match entry(wire.method, "method")? {
        v1::FusionMethod::ReciprocalRank => Fusion::ReciprocalRank {
            k: wire.rank_constant.unwrap_or(DEFAULT_RANK_CONSTANT),
        },
        v1::FusionMethod::MinMax => Fusion::MinMax,
        v1::FusionMethod::Distribution => Fusion::DistributionBased,
        v1::FusionMethod::Linear => Fusion::Linear(Scale::Raw),
        v1::FusionMethod::Standard => Fusion::Linear(Scale::Standard),
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
        offset: result.offset as u64,
        properties: result.properties.into_iter().map(wire_property).collect(),
        warnings: result.warnings,
        facets: wire_facets(result.facets),
    }
}

fn wire_hit(hit: ExplainedHit) -> v1::Hit {
    let positions = hit.document.positions().to_vec();
    v1::Hit {
        document: Some(wire_document(hit.document)),
        score: hit.score,
        highlights: hit
            .highlights
            .into_iter()
            .map(|entry| v1::Highlight {
                component: entry.component,
                span: Some(v1::TextSpan {
                    token: entry.span.word,
                    start: entry.span.start,
                    end: entry.span.end,
                }),
            })
            .collect(),
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

pub(super) fn wire_explanation(explanation: Explanation) -> v1::Explanation {
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
