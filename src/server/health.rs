//! The health of collections: `latentdb.collection/NAME` is not serving while the collection takes no
//! changes, because files of it are known to be damaged or a change of it in the catalog failed. The server
//! itself serves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::service::Core;

/// How often the collections are asked.
const INTERVAL: Duration = Duration::from_secs(2);

/// Reports collections that take no changes, and what was dropped or mended since, without end.
pub(super) async fn watch(core: Arc<Core>, health: HealthReporter) {
    let mut reported = BTreeSet::new();
    loop {
        let unwell: BTreeSet<String> = core.unchangeable().into_iter().collect();
        for name in unwell.difference(&reported) {
            let name = format!("latentdb.collection/{name}");
            health
                .set_service_status(name, ServingStatus::NotServing)
                .await;
        }
        for name in reported.difference(&unwell) {
            let mut health = health.clone();
            health
                .clear_service_status(&format!("latentdb.collection/{name}"))
                .await;
        }
        reported = unwell;
        tokio::time::sleep(INTERVAL).await;
    }
}
