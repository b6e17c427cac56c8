//! Snapshots: collections with all that belongs to them, as they are at one moment, kept in a store
//! elsewhere and brought back under any name (issue 15).
//!
//! Files of segments never change, so that a snapshot keeps each under its hash and a further one brings only
//! what is new. A snapshot is its manifest: written last, under a name that nobody else has taken.
//!
//! | to change | open |
//! |---|---|
//! | what a manifest has | `manifest.rs` |
//! | where snapshots are kept | `store.rs` |

mod create;
mod manifest;
mod restore;
mod store;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::service::core::Core;

pub use manifest::{CollectionManifest, Manifest};
pub(super) use store::Store;

/// Snapshots of the data directory in the server's store.
pub struct Snapshots {
    core: Arc<Core>,
    store: Option<Store>,
    /// One change of the store at a time: what nothing names is removed by some.
    changing: Mutex<()>,
}

impl Snapshots {
    pub(super) fn new(core: Arc<Core>, store: Option<Store>) -> Self {
        Self {
            core,
            store,
            changing: Mutex::default(),
        }
    }

    fn store(&self) -> Result<&Store> {
        self.store.as_ref().ok_or_else(|| {
            Error::precondition(
                "the server has no store for snapshots: start it with `latentdb serve --snapshots \
                 DIR`, or an address as s3://BUCKET/PREFIX",
            )
        })
    }

    /// The snapshots of the store, the latest first.
    ///
    /// # Errors
    /// `FailedPrecondition` without a store; `Unavailable` where it does not answer; `Corrupted` for a
    /// manifest that cannot be read.
    pub async fn list(&self) -> Result<Vec<Manifest>> {
        self.store()?.manifests().await
    }

    /// Removes a snapshot, and what no other has.
    ///
    /// # Errors
    /// `NotFound`, and those of [`Self::list`].
    pub async fn delete(&self, name: &str) -> Result<()> {
        let _one = self.changing.lock().await;
        let store = self.store()?;
        store.remove_manifest(name).await?;
        store.remove_unnamed().await
    }

    /// Keeps the latest `keep` snapshots and removes the others; their names.
    ///
    /// # Errors
    /// Those of [`Self::list`].
    pub async fn retain(&self, keep: usize) -> Result<Vec<String>> {
        let _one = self.changing.lock().await;
        let store = self.store()?;
        let mut removed = Vec::new();
        for manifest in store.manifests().await?.into_iter().skip(keep) {
            store.remove_manifest(&manifest.name).await?;
            removed.push(manifest.name);
        }
        if !removed.is_empty() {
            store.remove_unnamed().await?;
        }
        Ok(removed)
    }
}
