//! Resolving: texts, documents, properties and edits become vectors and latents, and a node the
//! engine's query.

use std::sync::Arc;
use std::time::Instant;

use latentdb_index::query::{self, Kind, Nearest};
use latentdb_index::{Query, ResolvedQuery};

use super::edits::MAX_EDITS;
use super::encoded::Encoded;
use super::highlight::collect_words;
use super::node::{
    NearestNode, Node, NodeKind, PropertyNode, PropertySelection, PropertySource, SteerTarget,
    Target,
};
use super::part::Search;
use super::resolved::{ResolvedSearch, collect_leaves};
use super::result::{PropertyReport, SteeringReport};
use crate::error::{Error, Result, Within as _};
use crate::reading::Role;
use crate::service::blocking;
use crate::service::core::View;
use crate::vectors::norm;

/// What a leaf of the tree reports in addition to its hits, in the order of leaves.
enum LeafReport {
    None,
    Steering(SteeringReport),
    Property(PropertyReport),
}

impl Search {
    /// The vectors of all texts that the tree names, each encoded once, those of labels where the
    /// tree compares with them, and what language models choose for its properties.
    pub(super) async fn encode_texts_of(
        self: &Arc<Self>,
        view: &View,
        node: &Node,
    ) -> Result<Encoded> {
        let mut needs = Needs::default();
        needs.of_node(node, 1)?;
        let mut texts = needs.texts;
        texts.sort_unstable();
        texts.dedup();
        if texts.is_empty() {
            return Ok(Encoded::default());
        }
        let (service, of) = (self.clone(), view.clone());
        let encoder = blocking(move || service.core.encoder_of(&of)).await?;
        let encoder = encoder.ok_or_else(|| {
            Error::precondition(format!(
                "collection {:?} has no encoder, so it cannot search near a text: send a vector, \
                 or create the collection with an encoder",
                view.name()
            ))
        })?;
        let vectors = encoder.encode(texts.clone(), Role::Query).await?;
        if let Some((text, _)) = texts
            .iter()
            .zip(&vectors)
            .find(|(_, vector)| norm(vector) == 0.0)
        {
            return Err(Error::invalid(
                "text",
                format!("{text:?} has no word that the encoder knows, so nothing is near it"),
            ));
        }
        let labels = if needs.labels {
            self.labels.similar(view).await?
        } else {
            None
        };
        let encoded = Encoded::new(texts.into_iter().zip(vectors).collect(), labels);
        self.ask_selectors(view, encoded, needs.selections)
            .await
            .within("query.property")
    }

    /// Resolves a tree with what models contributed to it.
    pub(super) fn resolved(
        &self,
        view: View,
        node: Node,
        encoded: &Encoded,
        started: Instant,
    ) -> Result<ResolvedSearch> {
        let mut reports = Vec::new();
        let lowered = self
            .lower(&view, &node, encoded, &mut reports)
            .within("query")?;
        let query = lowered.resolve(&view).within("query")?;
        let query = query.with_units(&view.snapshot)?;
        let mut leaves = Vec::new();
        collect_leaves(&query, &view, &mut leaves);
        let mut words = Vec::new();
        collect_words(&query, &mut words);
        let (mut steering, mut properties) = (Vec::new(), Vec::new());
        name_reports(
            &query,
            &mut reports.into_iter(),
            &mut steering,
            &mut properties,
        );
        Ok(ResolvedSearch {
            sae: self.core.sae_of(&view)?,
            labels: self.labels.of(&view)?,
            query,
            leaves,
            words,
            steering,
            properties,
            view,
            encode: started.elapsed(),
        })
    }

    /// The engine's form of a node. `reports` gets one entry per leaf, in order.
    fn lower(
        &self,
        view: &View,
        node: &Node,
        encoded: &Encoded,
        reports: &mut Vec<LeafReport>,
    ) -> Result<Query> {
        let mut leaf = |kind: Kind, report: LeafReport| {
            reports.push(report);
            kind
        };
        let kind = match &node.kind {
            NodeKind::Nearest(nearest) => {
                let (kind, report) = self
                    .lower_nearest(view, nearest, encoded)
                    .within("nearest")?;
                leaf(kind, report.map_or(LeafReport::None, LeafReport::Steering))
            }
            NodeKind::Property(property) => {
                let report = self.property(view, encoded, property).within("property")?;
                leaf(report.query.clone(), LeafReport::Property(report))
            }
            NodeKind::Latents(latents) => leaf(Kind::Latents(latents.clone()), LeafReport::None),
            NodeKind::LatentsBm25(bm25) => leaf(Kind::LatentsBm25(bm25.clone()), LeafReport::None),
            NodeKind::Text { text, mode } => {
                let text = text.clone();
                leaf(Kind::Text { text, mode: *mode }, LeafReport::None)
            }
            NodeKind::Matching(order) => leaf(Kind::Matching(order.clone()), LeafReport::None),
            NodeKind::Fusion {
                children,
                method,
                depth,
            } => {
                let mut lowered = Vec::with_capacity(children.len());
                for (at, (child, weight)) in children.iter().enumerate() {
                    let child = self
                        .lower(view, child, encoded, reports)
                        .within(&format!("fusion.children[{at}].query"))?;
                    lowered.push((child, *weight));
                }
                Kind::Fusion {
                    children: lowered,
                    method: *method,
                    depth: *depth,
                }
            }
            NodeKind::Except { query, minus, top } => {
                let query = self
                    .lower(view, query, encoded, reports)
                    .within("excluding.query")?;
                let minus = self
                    .lower(view, minus, encoded, reports)
                    .within("excluding.minus")?;
                Kind::Except {
                    query: Box::new(query),
                    minus: Box::new(minus),
                    top: *top,
                }
            }
        };
        Ok(Query {
            kind,
            filter: node.filter.clone(),
            name: node.name.clone(),
        })
    }

    fn lower_nearest(
        &self,
        view: &View,
        nearest: &NearestNode,
        encoded: &Encoded,
    ) -> Result<(Kind, Option<SteeringReport>)> {
        let target = target_vector(view, &nearest.target, encoded)?;
        let near = |vector| Nearest {
            vector,
            exact: nearest.exact,
            ef: nearest.ef,
        };
        if nearest.edits.is_empty() {
            return Ok((Kind::Nearest(near(target)), None));
        }
        let steered = self.steered(view, &target, nearest, encoded)?;
        let near = near(steered.report.vector.clone());
        let kind = match steered.boosts {
            None => Kind::Nearest(near),
            Some(boosts) => Kind::Boost(near, boosts),
        };
        Ok((kind, Some(steered.report)))
    }
}

/// What a tree needs of the encoder.
#[derive(Default)]
struct Needs {
    texts: Vec<String>,
    labels: bool,
    /// Properties that leave the choice of latents to a language model.
    selections: Vec<PropertyNode>,
}

impl Needs {
    fn of_node(&mut self, node: &Node, depth: usize) -> Result<()> {
        if depth > query::MAX_DEPTH {
            return Err(Error::invalid(
                "query",
                format!("is nested deeper than {} levels", query::MAX_DEPTH),
            ));
        }
        match &node.kind {
            NodeKind::Nearest(nearest) => self.of_nearest(nearest)?,
            NodeKind::Property(property) => match &property.source {
                PropertySource::Text {
                    text,
                    selection,
                    selector,
                } => {
                    self.text(text);
                    self.labels |= *selection != PropertySelection::Centroids;
                    let selections = selector.iter().map(|_| property.clone());
                    self.selections.extend(selections);
                }
                PropertySource::OwnLatents(text) => self.text(text),
                PropertySource::Examples(_) => {}
            },
            NodeKind::Fusion { children, .. } => {
                for (child, _) in children {
                    self.of_node(child, depth + 1)?;
                }
            }
            NodeKind::Except { query, minus, .. } => {
                self.of_node(query, depth + 1)?;
                self.of_node(minus, depth + 1)?;
            }
            NodeKind::Latents(_)
            | NodeKind::LatentsBm25(_)
            | NodeKind::Text { .. }
            | NodeKind::Matching(_) => {}
        }
        Ok(())
    }

    fn of_nearest(&mut self, nearest: &NearestNode) -> Result<()> {
        if nearest.edits.len() > MAX_EDITS {
            return Err(Error::invalid(
                "query.nearest.steer",
                format!(
                    "has {} entries; at most {MAX_EDITS} are accepted",
                    nearest.edits.len()
                ),
            ));
        }
        if let Target::Text(text) = &nearest.target {
            self.text(text);
        }
        for edit in &nearest.edits {
            if let SteerTarget::Concept { text, .. } = &edit.of {
                self.text(text);
                self.labels = true;
            }
        }
        Ok(())
    }

    /// An empty one is refused where it stands in the tree.
    fn text(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.texts.push(text.to_owned());
        }
    }
}

pub(super) fn target_vector(view: &View, target: &Target, encoded: &Encoded) -> Result<Vec<f32>> {
    match target {
        Target::Vector(vector) => Ok(vector.clone()),
        Target::Text(text) => encoded.text(text).map(<[f32]>::to_vec),
        Target::Document(id) => {
            let doc = view
                .snapshot
                .find(id)?
                .ok_or_else(|| Error::not_found(format!("document {id:?} does not exist")))?;
            view.snapshot
                .vector(doc)
                .map(<[f32]>::to_vec)
                .ok_or_else(|| {
                    Error::precondition(format!("document {id:?} has no vector to be near to"))
                })
        }
    }
}

/// Gives the reports of leaves, in order, the names the nodes got.
fn name_reports(
    query: &ResolvedQuery,
    made: &mut dyn Iterator<Item = LeafReport>,
    steering: &mut Vec<SteeringReport>,
    properties: &mut Vec<PropertyReport>,
) {
    let children = query.kind.children();
    if children.is_empty() {
        match made.next() {
            Some(LeafReport::Steering(mut report)) => {
                report.component = query.name.clone();
                steering.push(report);
            }
            Some(LeafReport::Property(mut report)) => {
                report.component = query.name.clone();
                properties.push(report);
            }
            Some(LeafReport::None) | None => {}
        }
    }
    for child in children {
        name_reports(child, made, steering, properties);
    }
}
