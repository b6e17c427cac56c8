//! AdminService.

use std::sync::Arc;

use latentdb_index::query::MAX_HITS;
use latentdb_index::{MAX_ID_BYTES, MAX_TEXT_BYTES};
use latentdb_proto::v1;
use latentdb_proto::v1::admin_service_server::AdminService;

use super::access::sees;
use super::address::address;
use super::calls::calls;
use super::limits::MAX_MESSAGE_BYTES;
use super::memory::resident;
use super::search::wire_explanation;
use super::types::timestamp;
use crate::error::Result;
use crate::service::{Collections, Core, MAX_BATCH, Search, SlowSearch};

/// Serves the server itself.
pub(super) struct AdminAdapter {
    pub core: Arc<Core>,
    pub collections: Arc<Collections>,
    pub search: Arc<Search>,
}

calls! {
    AdminService of AdminAdapter {
        get_server_info(v1::GetServerInfoRequest) -> v1::ServerInfo;
        optimize(v1::OptimizeRequest) -> v1::OptimizeResponse;
    }
}

impl AdminAdapter {
    async fn get_server_info(&self, _request: v1::GetServerInfoRequest) -> Result<v1::ServerInfo> {
        let names = self.core.collection_names();
        let slow = self.search.slow_searches().into_iter();
        let slow = slow.filter(|search| sees(plain(&search.collection)));
        Ok(v1::ServerInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.core.uptime_seconds(),
            collections: names.iter().filter(|name| sees(name)).count() as u32,
            resident_bytes: resident().unwrap_or(0),
            limits: Some(v1::Limits {
                max_batch_documents: MAX_BATCH as u32,
                max_message_bytes: MAX_MESSAGE_BYTES as u32,
                max_text_bytes: MAX_TEXT_BYTES as u32,
                max_id_bytes: MAX_ID_BYTES as u32,
                max_hits: MAX_HITS as u32,
                max_page: 1000,
            }),
            slow_searches: slow.map(wire_slow).collect(),
        })
    }

    async fn optimize(&self, wire: v1::OptimizeRequest) -> Result<v1::OptimizeResponse> {
        let name = address(wire.collection)?.collection;
        let segments = self.collections.optimize(name).await? as u32;
        Ok(v1::OptimizeResponse { segments })
    }
}

/// The collection of an address.
fn plain(address: &str) -> &str {
    address.split_once(':').map_or(address, |(name, _)| name)
}

fn wire_slow(search: SlowSearch) -> v1::SlowSearch {
    v1::SlowSearch {
        collection: search.collection,
        ended: Some(timestamp(search.ended)),
        explanation: Some(wire_explanation(search.explanation)),
    }
}
