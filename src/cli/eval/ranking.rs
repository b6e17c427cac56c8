//! Long rankings and whole sets of ids from a server.

use anyhow::Context as _;
use latentdb_proto::v1::{Filter, Projection, ScrollRequest, SearchRequest};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::method::{Method, Settings};
use crate::cli::client::Client;
use crate::cli::search::expression;
use crate::eval::property::{Property, Rankings};

/// Hits fetched at once.
const PAGE: usize = 1000;

/// A collection that is ranked by every method.
pub(super) struct Ranker<'a> {
    pub(super) client: Client,
    pub(super) collection: &'a str,
    pub(super) settings: &'a Settings,
    /// The ids of all documents, in order, for rankings by chance.
    pub(super) all: Vec<String>,
    pub(super) random: StdRng,
}

impl Rankings for Ranker<'_> {
    type Method = Method;
    type Error = anyhow::Error;

    async fn relevant(&mut self, property: &Property) -> anyhow::Result<Vec<String>> {
        let filter = expression(property.relevant.clone());
        ids(&self.client, self.collection, Some(filter))
            .await
            .with_context(|| format!("{}, relevant", property.place))
    }

    /// The first `depth` hits for a text, with scores.
    async fn ranking(
        &mut self,
        method: Method,
        text: &str,
        depth: usize,
    ) -> anyhow::Result<Vec<(String, f32)>> {
        let Some(query) = method.query(text, self.settings) else {
            let mut shuffled = self.all.clone();
            let (first, _) = shuffled.partial_shuffle(&mut self.random, depth);
            return Ok(first.iter().map(|id| (id.clone(), 0.0)).collect());
        };
        let mut request = SearchRequest {
            collection: self.collection.to_owned(),
            query: Some(query),
            limit: u32::try_from(depth.min(PAGE))?,
            projection: Some(Projection::default()),
            latents_per_hit: Some(0),
            ..SearchRequest::default()
        };
        let mut ranking = Vec::with_capacity(depth);
        loop {
            let page = self.client.searches().search(request.clone()).await;
            let page = page.with_context(|| format!("{} for {text:?}", method.name()))?;
            let page = page.into_inner();
            for hit in page.hits {
                ranking.push((hit.document.unwrap_or_default().id, hit.score));
            }
            if ranking.len() >= depth || page.next_page_token.is_empty() {
                ranking.truncate(depth);
                return Ok(ranking);
            }
            request.page_token = page.next_page_token;
        }
    }
}

/// The ids of all documents of a filter.
pub(in crate::cli) async fn ids(
    client: &Client,
    collection: &str,
    filter: Option<Filter>,
) -> anyhow::Result<Vec<String>> {
    let request = ScrollRequest {
        collection: collection.to_owned(),
        filter,
        projection: Some(Projection::default()),
        batch_size: 10_000,
        ..ScrollRequest::default()
    };
    let documents = client.scroll(request).await?.into_iter();
    Ok(documents.map(|document| document.id).collect())
}
