//! Resolving: texts, documents and edits become vectors, and a node the engine's query.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use latentdb_index::database::View;
use latentdb_index::query::{self, Kind, Nearest, Query};

use super::super::{Service, blocking};
use super::explain::collect_leaves;
use super::steering::{name_reports, report};
use super::{Node, NodeKind, Ready, SteeringReport, Target};
use crate::error::{Error, Result};
use crate::sae::Sae;

/// Most edits of one node.
const MAX_EDITS: usize = 1000;

impl Service {
    /// Vectors of all texts that nearest nodes of the tree name, each encoded once.
    pub(super) async fn encode_texts_of(
        self: &Arc<Self>,
        view: &View,
        node: &Node,
    ) -> Result<HashMap<String, Vec<f32>>> {
        let mut texts = Vec::new();
        collect_texts(node, 1, &mut texts)?;
        texts.sort_unstable();
        texts.dedup();
        if texts.is_empty() {
            return Ok(HashMap::new());
        }
        let (service, record) = (self.clone(), view.record.clone());
        let encoder = blocking(move || service.models.encoder_of(&record)).await?;
        let encoder = encoder.ok_or_else(|| {
            Error::precondition(format!(
                "collection {:?} has no encoder, so it cannot search near a text: send a vector, \
                 or create the collection with an encoder",
                view.record.name
            ))
        })?;
        let vectors = encoder.encode(texts.clone()).await?;
        Ok(texts.into_iter().zip(vectors).collect())
    }

    pub(super) fn ready(
        &self,
        view: View,
        node: Node,
        texts: &HashMap<String, Vec<f32>>,
        started: Instant,
    ) -> Result<Ready> {
        let mut steering = Vec::new();
        let lowered = self
            .lower(&view, &node, texts, &mut steering)
            .map_err(|error| error.within("query"))?;
        let handle = self.database.collection(&view.record.name)?;
        let query = lowered
            .resolve(view.record.dimension, view.record.n_latents, &|name| {
                handle.saved_filter(name)
            })
            .map_err(|error| error.within("query"))?;
        let mut leaves = Vec::new();
        collect_leaves(&query, &view, &mut leaves);
        let mut reports = Vec::new();
        name_reports(&query, &mut steering.into_iter(), &mut reports);
        Ok(Ready {
            sae: self.models.sae_of(&view.record)?,
            labels: self.labels_of(&view.record)?,
            query,
            leaves,
            steering: reports,
            view,
            encode: started.elapsed(),
        })
    }

    /// The engine's form of a node. `steering` gets one entry per nearest node, in order.
    fn lower(
        &self,
        view: &View,
        node: &Node,
        texts: &HashMap<String, Vec<f32>>,
        steering: &mut Vec<Option<SteeringReport>>,
    ) -> Result<Query> {
        let kind = match &node.kind {
            NodeKind::Nearest(nearest) => {
                let within = |error: Error| error.within("nearest");
                let mut vector = target_vector(view, &nearest.target, texts).map_err(within)?;
                let mut done = None;
                if !nearest.edits.is_empty() {
                    let sae = self.required_sae(view)?;
                    let steered =
                        report(view, &sae, &vector, &nearest.edits, "").map_err(within)?;
                    vector.clone_from(&steered.vector);
                    done = Some(steered);
                }
                steering.push(done);
                Kind::Nearest(Nearest {
                    vector,
                    exact: nearest.exact,
                    ef: nearest.ef,
                })
            }
            NodeKind::Latents(latents) => Kind::Latents(latents.clone()),
            NodeKind::Text { text, mode } => Kind::Text {
                text: text.clone(),
                mode: *mode,
            },
            NodeKind::Matching => Kind::Matching,
            NodeKind::Fusion {
                children,
                method,
                depth,
            } => {
                let mut lowered = Vec::with_capacity(children.len());
                for (at, (child, weight)) in children.iter().enumerate() {
                    let child = self
                        .lower(view, child, texts, steering)
                        .map_err(|error| error.within(&format!("fusion.children[{at}].query")))?;
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
                    .lower(view, query, texts, steering)
                    .map_err(|error| error.within("except.query"))?;
                let minus = self
                    .lower(view, minus, texts, steering)
                    .map_err(|error| error.within("except.minus"))?;
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

    pub(in crate::service) fn required_sae(&self, view: &View) -> Result<Arc<Sae>> {
        self.models
            .sae_of(&view.record)?
            .ok_or_else(|| no_sae(view))
    }
}

pub(in crate::service) fn no_sae(view: &View) -> Error {
    let name = &view.record.name;
    if view.record.reader.is_some() {
        return Error::precondition(format!(
            "the SAE of collection {name:?} reads token states: it neither encodes, decodes nor \
             steers vectors"
        ));
    }
    Error::precondition(format!(
        "collection {name:?} has no SAE: train one (`latentdb sae train --collection {name} --out \
         DIR`) and attach it (`latentdb collection attach {name} --sae DIR`)"
    ))
}

fn collect_texts(node: &Node, depth: usize, texts: &mut Vec<String>) -> Result<()> {
    if depth > query::MAX_DEPTH {
        return Err(Error::invalid(
            "query",
            format!("is nested deeper than {} levels", query::MAX_DEPTH),
        ));
    }
    match &node.kind {
        NodeKind::Nearest(nearest) => {
            if nearest.edits.len() > MAX_EDITS {
                return Err(Error::invalid(
                    "query.nearest.steer",
                    format!("has more than {MAX_EDITS} entries"),
                ));
            }
            if let Target::Text(text) = &nearest.target {
                // An empty one is refused where it stands in the tree.
                if !text.trim().is_empty() {
                    texts.push(text.clone());
                }
            }
        }
        NodeKind::Fusion { children, .. } => {
            for (child, _) in children {
                collect_texts(child, depth + 1, texts)?;
            }
        }
        NodeKind::Except { query, minus, .. } => {
            collect_texts(query, depth + 1, texts)?;
            collect_texts(minus, depth + 1, texts)?;
        }
        NodeKind::Latents(_) | NodeKind::Text { .. } | NodeKind::Matching => {}
    }
    Ok(())
}

pub(super) fn target_vector(
    view: &View,
    target: &Target,
    texts: &HashMap<String, Vec<f32>>,
) -> Result<Vec<f32>> {
    match target {
        Target::Vector(vector) => Ok(vector.clone()),
        Target::Text(text) if text.trim().is_empty() => {
            Err(Error::invalid("text", "is empty; words are accepted"))
        }
        Target::Text(text) => texts
            .get(text)
            .cloned()
            .ok_or_else(|| Error::internal("a text was not encoded")),
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
