//! Searching: resolve texts, documents and edits to vectors, run the query tree, say why each hit
//! matched.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latentdb_index::catalog::Label;
use latentdb_index::database::View;
use latentdb_index::document::{
    Activation, Document, Value, validate_attribute_name, validate_vector,
};
use latentdb_index::facet::{attribute_facet, latent_counts};
use latentdb_index::filter::{Filter, TextMode};
use latentdb_index::query::{
    self, Component, Hit, Kind, LatentWeight, Latents, MAX_HITS, Nearest, Plan, Query,
};
use latentdb_index::rank::Fusion;

use super::documents::Projection;
use super::pages::{Page, Session};
use super::{Service, blocking};
use crate::error::{Error, Result};
use crate::sae::Sae;
use crate::sae::steer::{Edit, steer};

/// Most hits of one page.
pub(super) const MAX_PAGE: usize = 1000;
/// Most searches of one batch.
const MAX_SEARCHES: usize = 1000;
/// Most latents listed per hit.
const MAX_LATENTS_PER_HIT: usize = 1000;
/// Most edits of one node.
const MAX_EDITS: usize = 1000;

/// A node of the query tree as a client means it: texts and documents are not vectors yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What the node ranks by.
    pub kind: NodeKind,
    /// Which documents it may return.
    pub filter: Option<Filter>,
    /// How its component scores are named.
    pub name: Option<String>,
}

/// What a node ranks by.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// Cosine similarity.
    Nearest(NearestNode),
    /// A weighted sum of activations.
    Latents(Latents),
    /// BM25.
    Text {
        /// The words.
        text: String,
        /// How many of them a hit must hold.
        mode: TextMode,
    },
    /// Several rankings made one.
    Fusion {
        /// The rankings and their weights.
        children: Vec<(Node, f32)>,
        /// How scores are made comparable.
        method: Fusion,
        /// Hits taken from each child.
        depth: usize,
    },
    /// The hits of one query that are not among the best of another.
    Except {
        /// Where hits come from.
        query: Box<Node>,
        /// What is taken away.
        minus: Box<Node>,
        /// How many of its best hits are taken away.
        top: usize,
    },
    /// Every allowed document.
    Matching,
}

/// Cosine similarity to a target, with edits.
#[derive(Clone, Debug, PartialEq)]
pub struct NearestNode {
    /// What is near.
    pub target: Target,
    /// Edits of its vector, applied together.
    pub edits: Vec<Edit>,
    /// Compare with every allowed document.
    pub exact: bool,
    /// Beam of the graph search.
    pub ef: usize,
}

/// What a nearest query is near to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A text, through the collection's encoder.
    Text(String),
    /// A vector.
    Vector(Vec<f32>),
    /// The vector of a stored document.
    Document(String),
}

/// What comes back beside the hits' scores.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// Hits a page, 1 to 1,000.
    pub limit: usize,
    /// What is read of the documents.
    pub projection: Projection,
    /// Contributing latents listed per hit.
    pub latents_per_hit: usize,
}

/// One page of hits.
#[derive(Clone, Debug)]
pub struct SearchResult {
    /// The hits, best first.
    pub hits: Vec<ExplainedHit>,
    /// Where the next page is.
    pub next_page_token: Option<String>,
    /// What steering did, per steered node.
    pub steering: Vec<SteeringReport>,
    /// How the query was run.
    pub explanation: Explanation,
    /// Number of the commit the snapshot shows.
    pub sequence: u64,
}

/// A hit with its reasons.
#[derive(Clone, Debug)]
pub struct ExplainedHit {
    /// The document, as the projection says.
    pub document: Document,
    /// Its score.
    pub score: f32,
    /// What each node gave.
    pub components: Vec<Component>,
    /// The latents that contributed most.
    pub latents: Vec<Contribution>,
}

/// A latent's part of a component's score.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The latent.
    pub latent: u32,
    /// Its label.
    pub label: Option<String>,
    /// Its activation in the document.
    pub activation: f32,
    /// Its part of the component's score.
    pub contribution: f32,
    /// The component; empty where the latent is only active.
    pub component: String,
}

/// What steering did to a query vector.
#[derive(Clone, Debug)]
pub struct SteeringReport {
    /// The node.
    pub component: String,
    /// Cosine of the original and the steered vector.
    pub cosine: f64,
    /// Norm of what the SAE does not explain of the original.
    pub residual_norm: f64,
    /// Latents of the original.
    pub before: Vec<Activation>,
    /// Latents of the steered vector.
    pub after: Vec<Activation>,
    /// The steered vector.
    pub vector: Vec<f32>,
}

/// How a query was run.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The root's plan.
    pub plan: Plan,
    /// Making vectors from texts and edits.
    pub encode: Duration,
    /// Running the plan.
    pub execute: Duration,
    /// Reading documents and latents.
    pub fetch: Duration,
    /// All of it.
    pub total: Duration,
}

/// What a facet counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FacetBy {
    /// Values of an attribute.
    Attribute(String),
    /// Active latents.
    Latents,
}

/// A latent's count with its label.
#[derive(Clone, Debug)]
pub struct LabelledCount {
    /// The latent.
    pub latent: u32,
    /// Its label.
    pub label: Option<String>,
    /// Documents.
    pub count: u64,
    /// Mean activation over those.
    pub mean_activation: f32,
}

/// A facet's counts.
#[derive(Clone, Debug, Default)]
pub struct FacetResult {
    /// By value, most frequent first.
    pub values: Vec<(Value, u64)>,
    /// By latent, most frequent first.
    pub latents: Vec<LabelledCount>,
    /// Distinct values or latents.
    pub distinct: u64,
    /// Documents in the set.
    pub documents: u64,
}

/// What is needed to explain a hit of a leaf.
#[derive(Clone, Debug)]
enum Leaf {
    /// Effective weights, ascending by latent.
    Latents(Vec<LatentWeight>),
    /// The query vector at unit norm.
    Nearest(Vec<f32>),
}

/// A query ready to run over one view, as a page session keeps it.
pub(super) struct Ready {
    view: View,
    query: Query,
    leaves: Vec<(String, Leaf)>,
    steering: Vec<SteeringReport>,
    sae: Option<Arc<Sae>>,
    labels: Arc<BTreeMap<u32, Label>>,
    encode: Duration,
}

impl Ready {
    pub fn collection(&self) -> &str {
        &self.view.record.name
    }

    /// The best `count` hits.
    pub fn execute(&self, count: usize) -> Result<(Vec<Hit>, Plan)> {
        let ranking = query::execute(&self.query, &self.view.snapshot, count)?;
        Ok((ranking.hits, ranking.plan))
    }
}

impl Service {
    /// The best hits of a query.
    ///
    /// # Errors
    /// `InvalidArgument` naming the part of the query; `NotFound` for a collection, document or
    /// saved set; `FailedPrecondition` where the query needs an encoder or an SAE that the
    /// collection has not.
    pub async fn search(
        self: &Arc<Self>,
        collection: &str,
        node: Node,
        options: SearchOptions,
    ) -> Result<SearchResult> {
        check_options(&options)?;
        let view = self.view(collection)?;
        self.search_view(view, node, options).await
    }

    /// Several searches over one snapshot.
    pub async fn search_batch(
        self: &Arc<Self>,
        collection: &str,
        searches: Vec<(Node, SearchOptions)>,
    ) -> Result<Vec<SearchResult>> {
        if searches.len() > MAX_SEARCHES {
            return Err(Error::invalid(
                "searches",
                format!(
                    "has {} entries; at most {MAX_SEARCHES} are accepted",
                    searches.len()
                ),
            ));
        }
        let view = self.view(collection)?;
        let mut results = Vec::with_capacity(searches.len());
        for (at, (node, options)) in searches.into_iter().enumerate() {
            let place = format!("searches[{at}]");
            check_options(&options).map_err(|error| error.within(&place))?;
            let result = self.search_view(view.clone(), node, options).await;
            results.push(result.map_err(|error| error.within(&place))?);
        }
        Ok(results)
    }

    async fn search_view(
        self: &Arc<Self>,
        view: View,
        node: Node,
        options: SearchOptions,
    ) -> Result<SearchResult> {
        let started = Instant::now();
        let texts = self.encode_texts_of(&view, &node).await?;
        let service = self.clone();
        blocking(move || {
            let ready = service.ready(view, node, &texts, started)?;
            let running = Instant::now();
            let (hits, plan) = ready.execute((options.limit + 1).min(MAX_HITS))?;
            let execute = running.elapsed();
            let session = Session::new(ready, hits, options);
            let page = session.page(0);
            let mut result = explain(&session, &page, started)?;
            result.explanation.plan = plan;
            result.explanation.execute = execute;
            if page.more {
                let next = page.range.end;
                result.next_page_token = Some(service.pages.keep(session, next));
            }
            Ok(result)
        })
        .await
    }

    /// The next page of an earlier search.
    pub async fn next_page(self: &Arc<Self>, token: String) -> Result<SearchResult> {
        let service = self.clone();
        blocking(move || {
            let started = Instant::now();
            let (session, offset) = service.pages.find(&token)?;
            let mut session = session.lock();
            let running = Instant::now();
            let plan = session.extend_to(offset)?;
            let execute = running.elapsed();
            let page = session.page(offset);
            let mut result = explain(&session, &page, started)?;
            result.explanation.plan = plan;
            result.explanation.execute = execute;
            if page.more {
                result.next_page_token = Some(Session::token(&token, page.range.end)?);
            }
            Ok(result)
        })
        .await
    }

    /// A vector with its latents turned up or down, without searching.
    pub async fn steer(
        self: &Arc<Self>,
        collection: &str,
        nearest: NearestNode,
    ) -> Result<SteeringReport> {
        let view = self.view(collection)?;
        let node = Node {
            kind: NodeKind::Nearest(nearest),
            filter: None,
            name: None,
        };
        let texts = self.encode_texts_of(&view, &node).await?;
        let service = self.clone();
        blocking(move || {
            let NodeKind::Nearest(nearest) = &node.kind else {
                return Err(Error::internal("a nearest node became another"));
            };
            let within = |error: Error| error.within("nearest");
            let vector = target_vector(&view, &nearest.target, &texts).map_err(within)?;
            let sae = service.required_sae(&view)?;
            report(&view, &sae, &vector, &nearest.edits, "nearest").map_err(within)
        })
        .await
    }

    /// The exact number of documents a filter describes.
    pub async fn count(self: &Arc<Self>, collection: &str, filter: Filter) -> Result<u64> {
        let view = self.view(collection)?;
        let filter = self.resolve_filter(&view, &filter)?;
        blocking(move || view.snapshot.count(&filter)).await
    }

    /// Exact counts by attribute value or by latent.
    pub async fn facet(
        self: &Arc<Self>,
        collection: &str,
        filter: Filter,
        by: FacetBy,
        limit: usize,
    ) -> Result<FacetResult> {
        let view = self.view(collection)?;
        let filter = self.resolve_filter(&view, &filter)?;
        if by == FacetBy::Latents && view.record.n_latents.is_none() {
            return Err(no_sae(&view));
        }
        let labels = self.labels_of(&view.record)?;
        blocking(move || {
            let snapshot = &view.snapshot;
            match by {
                FacetBy::Attribute(name) => {
                    validate_attribute_name(&name).map_err(|error| error.within("attribute"))?;
                    let facet = attribute_facet(snapshot, &filter, &name, limit)?;
                    let pairs = facet.values.into_iter();
                    Ok(FacetResult {
                        values: pairs.map(|entry| (entry.value, entry.count)).collect(),
                        distinct: facet.distinct,
                        documents: snapshot.count(&filter)?,
                        ..FacetResult::default()
                    })
                }
                FacetBy::Latents => {
                    let mut counts = latent_counts(snapshot, &filter)?;
                    let distinct = counts.len() as u64;
                    counts.sort_by(|a, b| b.count.cmp(&a.count).then(a.latent.cmp(&b.latent)));
                    counts.truncate(limit);
                    Ok(FacetResult {
                        latents: counts
                            .into_iter()
                            .map(|entry| LabelledCount {
                                latent: entry.latent,
                                label: labels.get(&entry.latent).map(|label| label.text.clone()),
                                count: entry.count,
                                mean_activation: entry.mean_activation,
                            })
                            .collect(),
                        distinct,
                        documents: snapshot.count(&filter)?,
                        ..FacetResult::default()
                    })
                }
            }
        })
        .await
    }

    /// Vectors of all texts that nearest nodes of the tree name, each encoded once.
    async fn encode_texts_of(
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

    fn ready(
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

    pub(super) fn required_sae(&self, view: &View) -> Result<Arc<Sae>> {
        self.models
            .sae_of(&view.record)?
            .ok_or_else(|| no_sae(view))
    }
}

pub(super) fn no_sae(view: &View) -> Error {
    let name = &view.record.name;
    Error::precondition(format!(
        "collection {name:?} has no SAE: train one (`latentdb sae train --collection {name} --out \
         DIR`) and attach it (`latentdb collection attach {name} --sae DIR`)"
    ))
}

fn check_options(options: &SearchOptions) -> Result<()> {
    if !(1..=MAX_PAGE).contains(&options.limit) {
        return Err(Error::invalid(
            "limit",
            format!(
                "is {}; 1 to {MAX_PAGE} is accepted (use page tokens)",
                options.limit
            ),
        ));
    }
    if options.latents_per_hit > MAX_LATENTS_PER_HIT {
        return Err(Error::invalid(
            "latents_per_hit",
            format!(
                "is {}; 0 to {MAX_LATENTS_PER_HIT} is accepted",
                options.latents_per_hit
            ),
        ));
    }
    Ok(())
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

fn target_vector(
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

fn report(
    view: &View,
    sae: &Sae,
    vector: &[f32],
    edits: &[Edit],
    component: &str,
) -> Result<SteeringReport> {
    validate_vector(vector, view.record.dimension).map_err(|error| error.within("vector"))?;
    for (at, edit) in edits.iter().enumerate() {
        check_edit(edit, sae.n_latents()).map_err(|error| error.within(&format!("steer[{at}]")))?;
    }
    let steered = steer(sae, vector, edits, None)?;
    let row = |codes: &crate::sae::Codes| super::models::activations(codes).swap_remove(0);
    Ok(SteeringReport {
        component: component.to_owned(),
        cosine: steered.cosine,
        residual_norm: steered.residual_norm,
        before: row(&steered.before),
        after: row(&steered.after),
        vector: steered.vector,
    })
}

fn check_edit(edit: &Edit, n_latents: usize) -> Result<()> {
    if edit.latent() as usize >= n_latents {
        return Err(Error::invalid(
            "latent",
            format!(
                "is {}; this collection's latents are 0 to {}",
                edit.latent(),
                n_latents - 1
            ),
        ));
    }
    let (field, amount) = match *edit {
        Edit::Scale { factor, .. } => ("scale", factor),
        Edit::Set { activation, .. } => ("set", activation),
        Edit::Add { .. } | Edit::Zero { .. } => return Ok(()),
    };
    if amount >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("is {amount}; a number from 0 up is accepted"),
    ))
}

/// Gives the reports of nearest nodes, in order, the names the nodes got.
fn name_reports(
    query: &Query,
    made: &mut dyn Iterator<Item = Option<SteeringReport>>,
    out: &mut Vec<SteeringReport>,
) {
    if let Kind::Nearest(_) = query.kind
        && let Some(Some(mut report)) = made.next()
    {
        report.component = query.name.clone().unwrap_or_default();
        out.push(report);
    }
    for child in query.children() {
        name_reports(child, made, out);
    }
}

/// The leaves whose scores latents explain; the right side of `except` gives no scores.
fn collect_leaves(query: &Query, view: &View, leaves: &mut Vec<(String, Leaf)>) {
    let name = query.name.clone().unwrap_or_default();
    match &query.kind {
        Kind::Nearest(nearest) => {
            let squared: f32 = nearest.vector.iter().map(|value| value * value).sum();
            let scale = squared.sqrt().recip();
            let unit = nearest.vector.iter().map(|value| value * scale).collect();
            leaves.push((name, Leaf::Nearest(unit)));
        }
        Kind::Latents(latents) => {
            let weights = query::effective_weights(latents, &view.snapshot);
            leaves.push((name, Leaf::Latents(weights)));
        }
        Kind::Except { query, .. } => collect_leaves(query, view, leaves),
        Kind::Fusion { children, .. } => {
            for (child, _) in children {
                collect_leaves(child, view, leaves);
            }
        }
        Kind::Text { .. } | Kind::Matching => {}
    }
}

fn explain(session: &Session, page: &Page, started: Instant) -> Result<SearchResult> {
    let fetching = Instant::now();
    let ready = &session.ready;
    let hits = session.hits[page.range.clone()]
        .iter()
        .map(|hit| {
            Ok(ExplainedHit {
                document: session
                    .options
                    .projection
                    .read(&ready.view.snapshot, hit.doc)?,
                score: hit.score,
                components: hit.components.clone(),
                latents: contributions(ready, hit, session.options.latents_per_hit)?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(SearchResult {
        hits,
        next_page_token: None,
        steering: ready.steering.clone(),
        explanation: Explanation {
            encode: ready.encode,
            fetch: fetching.elapsed(),
            total: started.elapsed(),
            ..Explanation::default()
        },
        sequence: ready.view.snapshot.sequence(),
    })
}

/// The `most` latents that gave the most to a hit.
fn contributions(ready: &Ready, hit: &Hit, most: usize) -> Result<Vec<Contribution>> {
    let row = ready.view.snapshot.latents(hit.doc);
    if most == 0 || row.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts: Vec<(Activation, f32, &str)> = Vec::new();
    for (name, leaf) in &ready.leaves {
        if !hit
            .components
            .iter()
            .any(|component| component.name == *name)
        {
            continue;
        }
        match leaf {
            Leaf::Latents(weights) => {
                for entry in &row {
                    let weight = weights.binary_search_by_key(&entry.latent, |w| w.latent);
                    if let Ok(at) = weight {
                        parts.push((*entry, weights[at].weight * entry.activation, name));
                    }
                }
            }
            Leaf::Nearest(unit) => {
                let (Some(sae), Some(vector)) = (&ready.sae, ready.view.snapshot.vector(hit.doc))
                else {
                    continue;
                };
                let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
                for entry in &row {
                    let direction = sae.decoder_row(entry.latent)?;
                    let along: f32 = unit.iter().zip(direction).map(|(q, d)| q * d).sum();
                    parts.push((*entry, entry.activation * along / norm, name));
                }
            }
        }
    }
    if parts.is_empty() {
        parts.extend(row.iter().map(|&entry| (entry, 0.0, "")));
    }
    parts.sort_by(|a, b| {
        let by_part = b.1.abs().total_cmp(&a.1.abs());
        by_part.then(b.0.activation.total_cmp(&a.0.activation))
    });
    parts.truncate(most);
    Ok(parts
        .into_iter()
        .map(|(entry, contribution, component)| Contribution {
            latent: entry.latent,
            label: ready
                .labels
                .get(&entry.latent)
                .map(|label| label.text.clone()),
            activation: entry.activation,
            contribution,
            component: component.to_owned(),
        })
        .collect())
}
