//! What is kept of a collection besides its documents, out of one server and into another.

use latentdb_proto::v1;

use super::address::{changed, new_name};
use super::collection::{CollectionAdapter, check_models, wire_collection};
use super::streams::{Answers, cut};
use super::types::non_empty;
use crate::error::Result;
use crate::service::RestoreRequest;

impl CollectionAdapter {
    pub(super) async fn export_records(
        &self,
        wire: v1::ExportRecordsRequest,
    ) -> Result<Answers<v1::ExportRecordsResponse>> {
        let collection = changed(wire.collection)?;
        let exported = self.0.export_records(collection, wire.definition_only);
        let exported = exported.await?;
        let first = v1::ExportRecordsResponse {
            definition: exported.definition,
            records: Vec::new(),
        };
        let rest = cut(exported.records).into_iter();
        let rest = rest.map(|records| v1::ExportRecordsResponse {
            records,
            ..v1::ExportRecordsResponse::default()
        });
        let messages = std::iter::once(first).chain(rest);
        let messages = messages.map(Ok);
        Ok(Box::pin(futures::stream::iter(messages)))
    }

    pub(super) async fn restore_collection(
        &self,
        wire: v1::RestoreCollectionRequest,
    ) -> Result<v1::Collection> {
        let mut named = vec![wire.encoder.as_str()];
        named.extend(wire.saes.values().map(String::as_str));
        check_models(&named, None)?;
        let request = RestoreRequest {
            name: new_name(wire.name)?,
            definition: wire.definition,
            encoder: non_empty(wire.encoder),
            saes: wire.saes.into_iter().collect(),
        };
        Ok(wire_collection(self.0.restore_collection(request).await?))
    }

    pub(super) async fn restore_records(
        &self,
        wire: v1::RestoreRecordsRequest,
    ) -> Result<v1::RestoreRecordsResponse> {
        let written = self
            .0
            .restore_records(changed(wire.collection)?, wire.records)
            .await?;
        Ok(v1::RestoreRecordsResponse { written })
    }
}
