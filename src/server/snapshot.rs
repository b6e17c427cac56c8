//! SnapshotService.

use std::sync::Arc;

use latentdb_proto::v1;
use latentdb_proto::v1::snapshot_service_server::SnapshotService;

use super::access::check_names_files;
use super::calls::calls;
use super::streams::{Answers, Progressing, stream};
use super::types::{non_empty, non_zero, timestamp};
use crate::error::Result;
use crate::service::{Manifest, Snapshots};

/// Serves snapshots.
pub(super) struct SnapshotAdapter(pub Arc<Snapshots>);

calls! {
    SnapshotService of SnapshotAdapter {
        list_snapshots(v1::ListSnapshotsRequest) -> v1::ListSnapshotsResponse;
        delete_snapshot(v1::DeleteSnapshotRequest) -> v1::DeleteSnapshotResponse;
    }
    streams {
        create_snapshot(v1::CreateSnapshotRequest) -> CreateSnapshotStream = v1::CreateSnapshotProgress;
        restore_snapshot(v1::RestoreSnapshotRequest) -> RestoreSnapshotStream = v1::RestoreSnapshotProgress;
    }
}

impl Progressing for v1::CreateSnapshotProgress {
    fn progress(done: u64, total: u64) -> Self {
        Self {
            done,
            total,
            ..Self::default()
        }
    }
}

impl Progressing for v1::RestoreSnapshotProgress {
    fn progress(done: u64, total: u64) -> Self {
        Self {
            done,
            total,
            ..Self::default()
        }
    }
}

impl SnapshotAdapter {
    async fn create_snapshot(
        &self,
        wire: v1::CreateSnapshotRequest,
    ) -> Result<Answers<v1::CreateSnapshotProgress>> {
        check_names_files("making a snapshot")?;
        let (service, keep) = (self.0.clone(), non_zero(wire.keep));
        let (name, collections) = (non_empty(wire.name), wire.collections);
        let work = |progress| async move {
            let made = service.create(name, collections, &progress).await?;
            let removed = match keep {
                Some(keep) => service.retain(keep).await?,
                None => Vec::new(),
            };
            Ok((made, removed))
        };
        Ok(stream(work, |(made, removed): (Manifest, Vec<String>)| {
            vec![v1::CreateSnapshotProgress {
                done: made.bytes(),
                total: made.bytes(),
                snapshot: Some(wire_snapshot(&made)),
                removed,
            }]
        }))
    }

    async fn list_snapshots(
        &self,
        _request: v1::ListSnapshotsRequest,
    ) -> Result<v1::ListSnapshotsResponse> {
        check_names_files("listing snapshots")?;
        let snapshots = self.0.list().await?;
        Ok(v1::ListSnapshotsResponse {
            snapshots: snapshots.iter().map(wire_snapshot).collect(),
        })
    }

    async fn restore_snapshot(
        &self,
        wire: v1::RestoreSnapshotRequest,
    ) -> Result<Answers<v1::RestoreSnapshotProgress>> {
        check_names_files("restoring a snapshot")?;
        let service = self.0.clone();
        let names = wire.collections.into_iter().map(|(own, target)| {
            let target = non_empty(target).unwrap_or_else(|| own.clone());
            (own, target)
        });
        let names = names.collect();
        let work = |progress| async move { service.restore(&wire.name, names, &progress).await };
        Ok(stream(work, |collections| {
            vec![v1::RestoreSnapshotProgress {
                collections,
                ..v1::RestoreSnapshotProgress::default()
            }]
        }))
    }

    async fn delete_snapshot(
        &self,
        wire: v1::DeleteSnapshotRequest,
    ) -> Result<v1::DeleteSnapshotResponse> {
        check_names_files("deleting a snapshot")?;
        self.0.delete(&wire.name).await?;
        Ok(v1::DeleteSnapshotResponse {})
    }
}

fn wire_snapshot(manifest: &Manifest) -> v1::Snapshot {
    let collections = manifest.collections.iter();
    v1::Snapshot {
        name: manifest.name.clone(),
        created: Some(timestamp(manifest.created)),
        latentdb: manifest.latentdb.clone(),
        collections: collections
            .map(|(name, own)| v1::SnapshotCollection {
                name: name.clone(),
                documents: own.documents,
                sequence: own.sequence,
                bytes: own.files.iter().map(|file| file.bytes).sum(),
            })
            .collect(),
        bytes: manifest.bytes(),
    }
}
