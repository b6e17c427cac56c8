//! Long rankings and whole sets of ids from a server.

use latentdb_proto::v1::{Filter, Projection, Query, ScrollRequest, SearchRequest};

use crate::cli::client::Client;

/// Hits fetched at once.
const PAGE: usize = 1000;

/// The first `depth` hits of a query, with scores.
pub(super) async fn ranking(
    client: &Client,
    collection: &str,
    query: Query,
    depth: usize,
) -> anyhow::Result<Vec<(String, f32)>> {
    let mut request = SearchRequest {
        collection: collection.to_owned(),
        query: Some(query),
        limit: u32::try_from(depth.min(PAGE))?,
        projection: Some(Projection::default()),
        latents_per_hit: Some(0),
        ..SearchRequest::default()
    };
    let mut ranking = Vec::with_capacity(depth);
    loop {
        let page = client
            .searches()
            .search(request.clone())
            .await?
            .into_inner();
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

/// The ids of all documents of a filter.
pub(super) async fn ids(
    client: &Client,
    collection: &str,
    filter: Option<Filter>,
) -> anyhow::Result<Vec<String>> {
    let request = ScrollRequest {
        collection: collection.to_owned(),
        filter,
        projection: Some(Projection::default()),
        batch_size: 10_000,
        limit: 0,
    };
    let mut stream = client.documents().scroll(request).await?.into_inner();
    let mut ids = Vec::new();
    while let Some(batch) = stream.message().await? {
        ids.extend(batch.documents.into_iter().map(|document| document.id));
    }
    Ok(ids)
}
