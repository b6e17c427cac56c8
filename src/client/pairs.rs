//! The documents behind a correlation.

use latentdb_proto::v1::attribute_filter::Test;
use latentdb_proto::v1::correlated_pair::Other;
use latentdb_proto::v1::query::Kind;
use latentdb_proto::v1::{
    AttributeFilter, CorrelateRequest, CorrelatedPair, Document, Filter, FilterList, LatentFilter,
    LatentWeight, LatentsQuery, Query, SearchRequest, filter,
};
use tonic::Status;

use super::connection::Client;

impl Client {
    /// At most `limit` documents that have both of a pair, those in which the latents are strongest
    /// first. None of a joined pair: no one document has both of its latents.
    ///
    /// # Errors
    /// The server's status.
    pub async fn pair_documents(
        &self,
        request: &CorrelateRequest,
        pair: &CorrelatedPair,
        limit: u32,
    ) -> Result<Vec<Document>, Status> {
        if !request.join_by.is_empty() {
            return Ok(Vec::new());
        }
        let has = |latent| {
            filter::Kind::Latent(LatentFilter {
                latent,
                ..LatentFilter::default()
            })
        };
        let weight = |latent| LatentWeight {
            latent,
            weight: 1.0,
        };
        let mut weights = vec![weight(pair.i)];
        let mut wanted = vec![has(pair.i)];
        match &pair.other {
            Some(Other::J(latent)) => {
                weights.push(weight(*latent));
                wanted.push(has(*latent));
            }
            Some(Other::Value(value)) => wanted.push(filter::Kind::Attribute(AttributeFilter {
                name: request.attribute.clone(),
                test: Some(Test::Equals(value.clone())),
            })),
            None => {}
        }
        let filter = |kind| Filter { kind: Some(kind) };
        let mut filters: Vec<Filter> = wanted.into_iter().map(filter).collect();
        filters.extend(request.filter.clone());
        let latents = LatentsQuery {
            weights,
            ..LatentsQuery::default()
        };
        let request = SearchRequest {
            collection: request.collection.clone(),
            query: Some(Query {
                kind: Some(Kind::Latents(latents)),
                filter: Some(filter(filter::Kind::AllOf(FilterList { filters }))),
                name: String::new(),
            }),
            limit,
            ..SearchRequest::default()
        };
        let response = self.searches().search(request).await?.into_inner();
        let hits = response.hits.into_iter();
        Ok(hits.filter_map(|hit| hit.document).collect())
    }
}
