//! The requests of the steering evaluation.

use std::collections::{BTreeMap, BTreeSet};

use latentdb_proto::v1::{
    self, Document, EncodeTextsRequest, ListLatentsRequest, NearestQuery, Projection,
    SearchBatchRequest, SearchRequest, SearchResponse, SteerEdit, SteerRequest, SteerUnit,
    TextRole, Vector, encode_texts_request::With, nearest_query::To, query::Kind, steer_edit,
};

use super::scored_by::ScoredBy;
use crate::cli::client::Client;
use crate::cli::search::{expression, node};
use crate::eval::steering::{Answer, Change, Collection, Edit, Hit, Latent, Query};

/// Searches sent in one request.
const BATCH: usize = 100;

/// A collection of a server.
pub(super) struct SteeredSearches {
    pub(super) client: Client,
    pub(super) collection: String,
    /// Hits of each search.
    pub(super) top: u32,
    /// Who says what they show.
    pub(super) scored_by: ScoredBy,
}

impl Collection for SteeredSearches {
    type Error = anyhow::Error;

    async fn latents(&self) -> anyhow::Result<Vec<Latent>> {
        let request = ListLatentsRequest {
            collection: self.collection.clone(),
            limit: 100_000,
            ..ListLatentsRequest::default()
        };
        let listed = self.client.latents().list_latents(request).await?;
        let latents = listed.into_inner().latents.into_iter();
        Ok(latents
            .map(|latent| Latent {
                number: latent.latent,
                mark: self.scored_by.mark(latent.latent),
                documents: latent.documents,
                score: latent.label.as_ref().and_then(|label| label.score),
                label: latent.label.map(|label| label.text),
            })
            .collect())
    }

    async fn encode(&self, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let request = EncodeTextsRequest {
            with: Some(With::Collection(self.collection.clone())),
            texts,
            role: TextRole::Query.into(),
            settings: None,
        };
        let encoded = self.client.models().encode_texts(request).await?;
        let vectors = encoded.into_inner().vectors.into_iter();
        Ok(vectors.map(|vector| vector.values).collect())
    }

    async fn active(&self, vector: &[f32]) -> anyhow::Result<BTreeSet<u32>> {
        let request = SteerRequest {
            collection: self.collection.clone(),
            nearest: Some(NearestQuery {
                to: Some(to(vector)),
                ..NearestQuery::default()
            }),
        };
        let steering = self.client.searches().steer(request).await?.into_inner();
        let before = steering.steering.unwrap_or_default().before.into_iter();
        Ok(before.map(|entry| entry.latent).collect())
    }

    async fn search(&self, queries: &[Query], texts: bool) -> anyhow::Result<Vec<Answer>> {
        let mut found = Vec::with_capacity(queries.len());
        for queries in queries.chunks(BATCH) {
            let searches = queries.iter().map(|query| SearchRequest {
                collection: self.collection.clone(),
                query: Some(wire(query)),
                limit: self.top,
                projection: Some(Projection {
                    text: texts,
                    vector: true,
                    attributes: self.scored_by.reads_attributes(),
                    ..Projection::default()
                }),
                latents_per_hit: Some(0),
                ..SearchRequest::default()
            });
            let request = SearchBatchRequest {
                searches: searches.collect(),
            };
            let response = self.client.searches().search_batch(request).await?;
            let responses = response.into_inner().responses;
            let hits = responses.iter().flat_map(|response| &response.hits);
            let documents: Vec<Document> = hits.filter_map(|hit| hit.document.clone()).collect();
            let marks = self.scored_by.marks(&self.client, &documents).await?;
            found.extend(
                responses
                    .into_iter()
                    .map(|response| answer(response, &marks)),
            );
        }
        Ok(found)
    }
}

fn to(vector: &[f32]) -> To {
    To::Vector(Vector {
        values: vector.to_vec(),
    })
}

fn wire(query: &Query) -> v1::Query {
    let nearest = NearestQuery {
        to: Some(to(&query.vector)),
        steer: query.edits.iter().map(edit).collect(),
        exact: true,
        consistent_steps: query.consistent_steps,
        ..NearestQuery::default()
    };
    let mut wire = node("nearest", Kind::Nearest(nearest));
    wire.filter = query
        .filter
        .map(|latent| expression(format!("latent({latent})")));
    wire
}

fn edit(edit: &Edit) -> SteerEdit {
    let (change, unit) = match edit.change {
        Change::Boost(amount) => (steer_edit::Edit::Boost(amount), SteerUnit::Raw),
        Change::Add(amount) => (steer_edit::Edit::Add(amount), SteerUnit::Raw),
        Change::SetP90(amount) => (steer_edit::Edit::Set(amount), SteerUnit::P90),
    };
    SteerEdit {
        latent: edit.latent,
        edit: Some(change),
        unit: unit.into(),
        ..SteerEdit::default()
    }
}

fn answer(response: SearchResponse, marks: &BTreeMap<String, BTreeSet<u32>>) -> Answer {
    let documents = response.hits.into_iter().filter_map(|hit| hit.document);
    Answer {
        hits: documents
            .map(|document| Hit {
                id: document.id.clone(),
                vector: document.vector.unwrap_or_default().values,
                marks: marks.get(&document.id).cloned().unwrap_or_default(),
                text: document.text.unwrap_or_default(),
            })
            .collect(),
        cosine: response
            .steering
            .first()
            .map(|steering| f64::from(steering.cosine)),
    }
}
