//! LatentService.

use latentdb_index::catalog::Label;
use latentdb_proto::v1;
use latentdb_proto::v1::latent_service_server::LatentService;
use tonic::{Request, Response, Status};

use super::Api;
use super::family::{find_families, wire_families};
use super::reader::span_of;
use super::status::status;
use super::types::{count_or, non_empty, timestamp, wire_document};
use crate::error::Error;
use crate::service::{LatentOrder, LatentStatistics, NewLabel};

#[tonic::async_trait]
impl LatentService for Api {
    async fn list_latents(
        &self,
        request: Request<v1::ListLatentsRequest>,
    ) -> Result<Response<v1::ListLatentsResponse>, Status> {
        let wire = request.into_inner();
        let listed = async {
            let order = match v1::LatentOrder::try_from(wire.order) {
                Ok(v1::LatentOrder::Documents) => LatentOrder::Documents,
                Ok(v1::LatentOrder::Number) => LatentOrder::Number,
                Err(_) => {
                    let message = format!("is {}, which is no order", wire.order);
                    return Err(Error::invalid("order", message));
                }
            };
            let limit = count_or(wire.limit, 100, 100_000, "limit")?;
            let (query, offset) = (&wire.label_query, wire.offset as usize);
            self.service
                .list_latents(&wire.collection, query, order, limit, offset)
                .await
        };
        let (latents, total) = listed.await.map_err(status)?;
        Ok(Response::new(v1::ListLatentsResponse {
            latents: latents.into_iter().map(wire_statistics).collect(),
            total,
        }))
    }

    async fn get_latent(
        &self,
        request: Request<v1::GetLatentRequest>,
    ) -> Result<Response<v1::Latent>, Status> {
        let wire = request.into_inner();
        let page = async {
            let documents = count_or(wire.documents, 5, 100, "documents")?;
            self.service
                .latent(&wire.collection, wire.latent, documents)
                .await
        };
        let page = page.await.map_err(status)?;
        Ok(Response::new(v1::Latent {
            summary: Some(wire_statistics(page.statistics)),
            quantiles: page.quantiles,
            documents: page
                .documents
                .into_iter()
                .map(|(document, activation)| v1::ActivatingDocument {
                    span: span_of(&document.positions, wire.latent),
                    document: Some(wire_document(document)),
                    activation,
                })
                .collect(),
        }))
    }

    async fn set_labels(
        &self,
        request: Request<v1::SetLabelsRequest>,
    ) -> Result<Response<v1::SetLabelsResponse>, Status> {
        let wire = request.into_inner();
        let labels = wire
            .labels
            .into_iter()
            .map(|entry| NewLabel {
                latent: entry.latent,
                text: entry.text,
                source: non_empty(entry.source).unwrap_or_else(|| "client".to_owned()),
                score: entry.score,
            })
            .collect();
        let written = self
            .service
            .set_labels(&wire.collection, labels)
            .await
            .map_err(status)?;
        Ok(Response::new(v1::SetLabelsResponse {
            written: written as u32,
        }))
    }

    async fn label_latents(
        &self,
        request: Request<v1::LabelLatentsRequest>,
    ) -> Result<Response<v1::LabelLatentsResponse>, Status> {
        let wire = request.into_inner();
        let written = self
            .service
            .label_latents(&wire.collection, wire.replace)
            .await
            .map_err(status)?;
        Ok(Response::new(v1::LabelLatentsResponse {
            written: written as u32,
        }))
    }

    async fn find_families(
        &self,
        request: Request<v1::FindFamiliesRequest>,
    ) -> Result<Response<v1::FamiliesResponse>, Status> {
        let wire = request.into_inner();
        let found = async {
            let find = find_families(&wire)?;
            self.service.find_families(&wire.collection, find).await
        };
        Ok(Response::new(wire_families(found.await.map_err(status)?)))
    }

    async fn list_families(
        &self,
        request: Request<v1::ListFamiliesRequest>,
    ) -> Result<Response<v1::FamiliesResponse>, Status> {
        let collection = request.into_inner().collection;
        let found = self.service.list_families(&collection).await;
        Ok(Response::new(wire_families(found.map_err(status)?)))
    }
}

fn wire_statistics(statistics: LatentStatistics) -> v1::LatentSummary {
    v1::LatentSummary {
        latent: statistics.latent,
        label: statistics.label.map(wire_label),
        documents: statistics.documents,
        density: statistics.density,
        mean_activation: statistics.mean_activation,
    }
}

fn wire_label(label: Label) -> v1::Label {
    v1::Label {
        text: label.text,
        source: label.source,
        score: label.score,
        created: Some(timestamp(label.created)),
    }
}
