//! CollectionService.

use std::sync::Arc;

use latentdb_index::{SetContent, Snapshot};
use latentdb_proto::v1;
use latentdb_proto::v1::collection_service_server::CollectionService;
use tonic::{Request, Response, Status};

use super::address::{address, changed};
use super::reader::{reader_request, wire_reader};
use super::status::{required, status};
use super::streams::{Answers, stream};
use super::types::{filter, non_empty, non_zero, timestamp};
use crate::encoder::{Pooling, Precision};
use crate::error::Within as _;
use crate::service::{
    AttachRequest, AttachedSae, CollectionInfo, Collections, CreateCollection, EncoderRecord,
    FitInfo, Gate, ReaderRequest, SaeRecord, SetInfo,
};

/// Serves collections and their saved sets.
pub(super) struct CollectionAdapter(pub Arc<Collections>);

fn change_progress(done: u64, total: u64) -> v1::AttachSaeProgress {
    v1::AttachSaeProgress {
        done,
        total,
        collection: None,
    }
}

fn changed_collection(info: CollectionInfo) -> Vec<v1::AttachSaeProgress> {
    let snapshot = info.snapshot.as_ref();
    let documents = snapshot.map_or(0, |snapshot| snapshot.n_docs());
    vec![v1::AttachSaeProgress {
        done: documents,
        total: documents,
        collection: Some(wire_collection(info)),
    }]
}

#[tonic::async_trait]
impl CollectionService for CollectionAdapter {
    async fn create_collection(
        &self,
        request: Request<v1::CreateCollectionRequest>,
    ) -> Result<Response<v1::Collection>, Status> {
        let wire = request.into_inner();
        let (reader, precision) = reader_of(wire.reader, wire.precision).map_err(status)?;
        let info = self
            .0
            .create_collection(CreateCollection {
                name: wire.name,
                encoder: non_empty(wire.encoder),
                dimension: non_zero(wire.dimension),
                sae: non_empty(wire.sae),
                n_latents: non_zero(wire.n_latents),
                gate: wire.gate.map(gate).unwrap_or_default(),
                reader,
                precision,
            })
            .await
            .map_err(status)?;
        Ok(Response::new(wire_collection(info)))
    }

    async fn get_collection(
        &self,
        request: Request<v1::GetCollectionRequest>,
    ) -> Result<Response<v1::Collection>, Status> {
        let address = address(request.into_inner().name).map_err(status)?;
        let info = self.0.collection_info(address).await.map_err(status)?;
        Ok(Response::new(wire_collection(info)))
    }

    async fn list_collections(
        &self,
        _request: Request<v1::ListCollectionsRequest>,
    ) -> Result<Response<v1::ListCollectionsResponse>, Status> {
        let infos = self.0.list_collections().await.map_err(status)?;
        Ok(Response::new(v1::ListCollectionsResponse {
            collections: infos.into_iter().map(wire_collection).collect(),
        }))
    }

    async fn drop_collection(
        &self,
        request: Request<v1::DropCollectionRequest>,
    ) -> Result<Response<v1::DropCollectionResponse>, Status> {
        let name = changed(request.into_inner().name).map_err(status)?;
        self.0.drop_collection(name).await.map_err(status)?;
        Ok(Response::new(v1::DropCollectionResponse {}))
    }

    type AttachSaeStream = Answers<v1::AttachSaeProgress>;

    async fn attach_sae(
        &self,
        request: Request<v1::AttachSaeRequest>,
    ) -> Result<Response<Self::AttachSaeStream>, Status> {
        let wire = request.into_inner();
        let (reader, _) = reader_of(wire.reader, wire.precision).map_err(status)?;
        let request = AttachRequest {
            collection: changed(wire.collection).map_err(status)?,
            sae: wire.sae,
            name: non_empty(wire.name),
            gate: wire.gate.map(gate),
            reader,
        };
        let service = self.0.clone();
        let work = |progress| async move { service.attach_sae(request, progress).await };
        Ok(stream(work, change_progress, changed_collection))
    }

    type DetachSaeStream = Self::AttachSaeStream;

    async fn detach_sae(
        &self,
        request: Request<v1::DetachSaeRequest>,
    ) -> Result<Response<Self::DetachSaeStream>, Status> {
        let wire = request.into_inner();
        let collection = changed(wire.collection).map_err(status)?;
        let service = self.0.clone();
        let work =
            |progress| async move { service.detach_sae(collection, wire.name, progress).await };
        Ok(stream(work, change_progress, changed_collection))
    }

    async fn save_set(
        &self,
        request: Request<v1::SaveSetRequest>,
    ) -> Result<Response<v1::SavedSet>, Status> {
        let wire = request.into_inner();
        let described = required(wire.filter, "filter").map_err(status)?;
        let described = filter(Some(described)).map_err(status)?;
        let address = address(wire.collection).map_err(status)?;
        let info = self
            .0
            .save_set(address, wire.name, described, wire.frozen)
            .await
            .map_err(status)?;
        Ok(Response::new(wire_set(info)))
    }

    async fn list_sets(
        &self,
        request: Request<v1::ListSetsRequest>,
    ) -> Result<Response<v1::ListSetsResponse>, Status> {
        let address = address(request.into_inner().collection).map_err(status)?;
        let sets = self.0.list_sets(address).await.map_err(status)?;
        Ok(Response::new(v1::ListSetsResponse {
            sets: sets.into_iter().map(wire_set).collect(),
        }))
    }

    async fn drop_set(
        &self,
        request: Request<v1::DropSetRequest>,
    ) -> Result<Response<v1::DropSetResponse>, Status> {
        let wire = request.into_inner();
        let address = address(wire.collection).map_err(status)?;
        self.0.drop_set(address, wire.name).await.map_err(status)?;
        Ok(Response::new(v1::DropSetResponse {}))
    }
}

fn wire_collection(info: CollectionInfo) -> v1::Collection {
    let snapshot = info.snapshot.as_ref();
    let count = |of: fn(&Snapshot) -> u64| snapshot.map_or(0, |snapshot| of(snapshot));
    v1::Collection {
        name: info.name,
        created: Some(timestamp(info.created)),
        dimension: info.dimension.unwrap_or(0) as u32,
        encoder: info.encoder.map(wire_encoder),
        sae: info.sae.map(wire_sae),
        n_latents: info.n_latents.unwrap_or(0) as u32,
        documents: count(Snapshot::n_docs),
        segments: count(|snapshot| snapshot.n_segments() as u64) as u32,
        vectors: count(|snapshot| snapshot.graph_coverage().0),
        vectors_in_graph: count(|snapshot| snapshot.graph_coverage().1),
        disk_bytes: info.disk_bytes,
        sequence: count(Snapshot::sequence),
        damage: info.damage.unwrap_or_default(),
        fit: info.fit.map(wire_fit),
        reader: info.reader.map(wire_reader),
        saes: info.saes.into_iter().map(wire_attached).collect(),
        attributes: info
            .attributes
            .into_iter()
            .map(|(name, kinds)| v1::AttributeInfo {
                name,
                kinds: kinds.into_iter().map(str::to_owned).collect(),
            })
            .collect(),
    }
}

/// The reader that is asked for, and what products are computed on.
fn reader_of(
    reader: Option<v1::Reader>,
    precision: String,
) -> crate::error::Result<(Option<ReaderRequest>, Option<Precision>)> {
    let precision = non_empty(precision)
        .map(|name| Precision::parse(&name))
        .transpose()?;
    let reader = reader
        .map(|reader| reader_request(reader, precision))
        .transpose()
        .within("reader")?;
    Ok((reader, precision))
}

fn wire_attached(attached: AttachedSae) -> v1::AttachedSae {
    v1::AttachedSae {
        name: attached.name,
        sae: Some(wire_sae(attached.sae)),
        reader: attached.reader.map(wire_reader),
        fit: attached.fit.map(wire_fit),
        latents_bytes: attached.latents_bytes,
        weights_bytes: attached.weights_bytes,
    }
}

fn wire_encoder(record: EncoderRecord) -> v1::EncoderInfo {
    v1::EncoderInfo {
        model: record.model,
        sha256: record.identity.weights_sha256,
        dimension: record.dimension as u32,
        max_tokens: record.identity.max_tokens as u32,
        pooling: match record.identity.pooling {
            Pooling::Mean => "mean".to_owned(),
            Pooling::Cls => "cls".to_owned(),
        },
        precision: record.identity.precision.name().to_owned(),
    }
}

pub(super) fn wire_sae(record: SaeRecord) -> v1::SaeInfo {
    v1::SaeInfo {
        sha256: record.sha256,
        d_in: record.d_in as u32,
        n_latents: record.n_latents as u32,
        k: record.k.unwrap_or(0) as u32,
        architecture: record.architecture,
        training: serde_json::to_string(&record.training).unwrap_or_default(),
        normalisation: record.normalisation.name().to_owned(),
        level: record.level.name().to_owned(),
    }
}

fn gate(wire: v1::FitGate) -> Gate {
    Gate {
        limit: (wire.fvu_limit != 0.0).then_some(wire.fvu_limit),
        warn: wire.warn,
    }
}

fn wire_fit(fit: FitInfo) -> v1::Fit {
    v1::Fit {
        vectors: fit.vectors as u64,
        fvu: fit.fvu,
        limit: fit.limit,
        warn: fit.warn,
    }
}

fn wire_set(info: SetInfo) -> v1::SavedSet {
    v1::SavedSet {
        name: info.set.name,
        created: Some(timestamp(info.set.created)),
        frozen: matches!(info.set.content, SetContent::Frozen(_)),
        error: match &info.documents {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        },
        documents: info.documents.ok(),
    }
}
