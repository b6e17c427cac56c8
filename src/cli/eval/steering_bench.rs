//! What measuring steering needs of a server: queries with targets, searches, and what their hits
//! are worth.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context as _, bail};
use latentdb_proto::v1::{
    EncodeTextsRequest, Hit, LatentSummary, ListLatentsRequest, NearestQuery, Projection, Query,
    SearchBatchRequest, SearchRequest, SearchResponse, SteerRequest, Vector,
    encode_texts_request::With, nearest_query::To,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::steering::Args;
use super::steering_method::Case;
use crate::cli::client::Client;

/// Searches sent in one request.
const BATCH: usize = 100;

/// What the hits of one search are worth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// Mean cosine with the query; relative to the unsteered hits' where it is a mean.
    pub(super) relevance: f64,
    /// Share in which the latent that is turned up is active.
    pub(super) target_share: f64,
    /// Share of the unsteered hits that are still there.
    pub(super) overlap: f64,
}

/// Means over the queries; relevance relative to that of the unsteered hits.
pub(super) fn relative(outcomes: &[Outcome], unsteered: &[Outcome]) -> Outcome {
    let count = outcomes.len().max(1) as f64;
    let mean = |field: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(field).sum::<f64>() / count;
    let base = unsteered
        .iter()
        .map(|outcome| outcome.relevance)
        .sum::<f64>()
        / count;
    Outcome {
        relevance: mean(&|outcome| outcome.relevance) / base,
        target_share: mean(&|outcome| outcome.target_share),
        overlap: mean(&|outcome| outcome.overlap),
    }
}

/// A server, and what is measured there.
pub(super) struct Bench<'a> {
    pub(super) client: Client,
    pub(super) args: &'a Args,
}

impl Bench<'_> {
    /// Gives each query a target that is inactive in it.
    pub(super) async fn cases(
        &self,
        queries: &[String],
        random: &mut StdRng,
    ) -> anyhow::Result<Vec<Case>> {
        let targets = self.targets(&self.latents().await?)?;
        let vectors = self.encode(queries.to_vec()).await?;
        let mut chosen: Vec<&LatentSummary> = Vec::with_capacity(queries.len());
        let mut actives: Vec<BTreeSet<u32>> = Vec::with_capacity(queries.len());
        for vector in &vectors {
            let request = SteerRequest {
                collection: self.args.collection.clone(),
                nearest: Some(NearestQuery {
                    to: Some(To::Vector(Vector {
                        values: vector.clone(),
                    })),
                    ..NearestQuery::default()
                }),
            };
            let steering = self.client.searches().steer(request).await?.into_inner();
            let steering = steering.steering.unwrap_or_default();
            let active: BTreeSet<u32> = steering.before.iter().map(|entry| entry.latent).collect();
            let inactive: Vec<&LatentSummary> = targets
                .iter()
                .filter(|target| !active.contains(&target.latent))
                .collect();
            let target = inactive.choose(random);
            chosen.push(target.context("every target is active in a query")?);
            actives.push(active);
        }
        let labels: Vec<Option<&str>> = chosen
            .iter()
            .map(|target| target.label.as_ref().map(|label| label.text.as_str()))
            .collect();
        let mut labelled = HashMap::new();
        if labels.iter().all(Option::is_some) {
            let texts: Vec<String> = labels
                .iter()
                .flatten()
                .map(|&text| text.to_owned())
                .collect();
            let both = queries.iter().zip(&texts);
            let both = both
                .map(|(query, label)| format!("{query} {label}"))
                .collect();
            let texts = self.encode(texts).await?.into_iter();
            let pairs = texts.zip(self.encode(both).await?);
            labelled.extend((0..).zip(pairs));
        }
        let cases = (0..).zip(vectors).zip(chosen).zip(actives);
        Ok(cases
            .map(|(((at, vector), target), active)| Case {
                vector,
                latent: target.latent,
                name: target.label.as_ref().map(|label| label.text.clone()),
                label: labelled.remove(&at),
                active,
            })
            .collect())
    }

    /// All latents of the collection.
    pub(super) async fn latents(&self) -> anyhow::Result<Vec<LatentSummary>> {
        let request = ListLatentsRequest {
            collection: self.args.collection.clone(),
            limit: 100_000,
            ..ListLatentsRequest::default()
        };
        let listed = self.client.latents().list_latents(request).await?;
        Ok(listed.into_inner().latents)
    }

    /// True where a label, if it must be scored, is scored well enough.
    pub(super) fn is_well_labelled(&self, latent: &LatentSummary) -> bool {
        self.args.min_label_score.is_none_or(|least| {
            let score = latent.label.as_ref().and_then(|label| label.score);
            score.is_some_and(|score| score >= least)
        })
    }

    /// The latents that may be targets; those with a label where any has one.
    pub(super) fn targets(&self, latents: &[LatentSummary]) -> anyhow::Result<Vec<LatentSummary>> {
        let (least, most) = (self.args.min_documents, self.args.max_documents);
        let mut targets = latents.to_vec();
        targets.retain(|target| {
            (least..=most).contains(&target.documents) && self.is_well_labelled(target)
        });
        if targets.iter().any(|target| target.label.is_some()) {
            targets.retain(|target| target.label.is_some());
        }
        if targets.is_empty() {
            bail!("no latent is active in {least} to {most} documents and well labelled enough");
        }
        Ok(targets)
    }

    /// The vectors of texts under the collection's encoder.
    pub(super) async fn encode(&self, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let request = EncodeTextsRequest {
            with: Some(With::Collection(self.args.collection.clone())),
            texts,
        };
        let encoded = self
            .client
            .models()
            .encode_texts(request)
            .await?
            .into_inner();
        Ok(encoded.vectors.into_iter().map(|v| v.values).collect())
    }

    /// The hits of each query, with their vectors and latents.
    pub(super) async fn search(&self, queries: Vec<Query>) -> anyhow::Result<Vec<Vec<Hit>>> {
        let found = self.answers(queries, false).await?.into_iter();
        Ok(found.map(|answer| answer.hits).collect())
    }

    /// The answer to each query, with the hits' vectors, latents and, if asked for, texts.
    pub(super) async fn answers(
        &self,
        queries: Vec<Query>,
        texts: bool,
    ) -> anyhow::Result<Vec<SearchResponse>> {
        let mut found = Vec::with_capacity(queries.len());
        for queries in queries.chunks(BATCH) {
            let searches = queries.iter().map(|query| SearchRequest {
                collection: self.args.collection.clone(),
                query: Some(query.clone()),
                limit: self.args.top,
                projection: Some(Projection {
                    text: texts,
                    vector: true,
                    latents: true,
                    ..Projection::default()
                }),
                latents_per_hit: Some(0),
                ..SearchRequest::default()
            });
            let request = SearchBatchRequest {
                searches: searches.collect(),
            };
            let response = self
                .client
                .searches()
                .search_batch(request)
                .await?
                .into_inner();
            found.extend(response.responses);
        }
        Ok(found)
    }
}

/// What the hits of each case are worth.
pub(super) fn outcomes(cases: &[Case], plain: &[Vec<Hit>], hits: &[Vec<Hit>]) -> Vec<Outcome> {
    let all = cases.iter().zip(plain).zip(hits);
    all.map(|((case, plain), hits)| outcome(&case.vector, case.latent, plain, hits))
        .collect()
}

/// What hits are worth beside the unsteered ones.
pub(super) fn outcome(vector: &[f32], latent: u32, plain: &[Hit], hits: &[Hit]) -> Outcome {
    let documents = || hits.iter().filter_map(|hit| hit.document.as_ref());
    let before: BTreeSet<&str> = plain
        .iter()
        .filter_map(|hit| Some(hit.document.as_ref()?.id.as_str()))
        .collect();
    let cosines = documents().filter_map(|document| {
        let own = document.vector.as_ref()?;
        Some(cosine(vector, &own.values))
    });
    let kept = documents().filter(|document| before.contains(document.id.as_str()));
    Outcome {
        relevance: cosines.sum::<f64>() / hits.len().max(1) as f64,
        target_share: active_share(hits, latent),
        overlap: kept.count() as f64 / plain.len().max(1) as f64,
    }
}

/// Share of the hits in which a latent is active.
pub(super) fn active_share(hits: &[Hit], latent: u32) -> f64 {
    let rows = hits
        .iter()
        .filter_map(|hit| hit.document.as_ref()?.latents.as_ref());
    let active = rows.filter(|row| row.values.iter().any(|entry| entry.latent == latent));
    active.count() as f64 / hits.len().max(1) as f64
}

/// The cosine of two vectors.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{Activation, Activations, Document};

    use super::*;

    fn hit(id: &str, vector: [f32; 2], latent: u32) -> Hit {
        Hit {
            document: Some(Document {
                id: id.to_owned(),
                vector: Some(Vector {
                    values: vector.to_vec(),
                }),
                latents: Some(Activations {
                    values: vec![Activation {
                        latent,
                        activation: 1.0,
                    }],
                }),
                ..Document::default()
            }),
            ..Hit::default()
        }
    }

    #[test]
    fn an_outcome_is_what_its_hits_say() {
        let plain = [hit("a", [2.0, 0.0], 1), hit("b", [1.0, 0.0], 1)];
        let steered = [hit("b", [1.0, 0.0], 7), hit("c", [0.0, 3.0], 1)];
        let before = outcome(&[1.0, 0.0], 7, &plain, &plain);
        let after = outcome(&[1.0, 0.0], 7, &plain, &steered);
        assert_eq!((before.relevance, before.overlap), (1.0, 1.0));
        let mean = relative(&[after], &[before]);
        assert_eq!(
            (mean.relevance, mean.target_share, mean.overlap),
            (0.5, 0.5, 0.5)
        );
    }
}
