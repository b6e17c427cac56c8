//! Collections whose creation ended without it being known whether the catalog has them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::held::{Held, Serving};
use super::{Database, open_generation};
use crate::catalog::CollectionRecord;

/// The records of such collections.
#[derive(Default)]
pub(super) struct Pending {
    records: Mutex<Vec<CollectionRecord>>,
    /// Whether there are any, which every request asks.
    any: AtomicBool,
    /// Held while they are settled.
    settling: Mutex<()>,
}

impl Pending {
    pub fn add(&self, record: CollectionRecord) {
        self.records.lock().push(record);
        self.any.store(true, Ordering::Release);
    }
}

impl Database {
    /// Asks the catalog about creations of unknown outcome, once it can be read: a collection that
    /// it names serves, the files of another are removed. What cannot be asked stays pending.
    pub(super) fn settle_creations(&self) {
        if !self.pending.any.load(Ordering::Acquire) {
            return;
        }
        let _one = self.pending.settling.lock();
        if self.catalog.recover().is_err() {
            return;
        }
        self.pending.any.store(false, Ordering::Release);
        let records = std::mem::take(&mut *self.pending.records.lock());
        for record in records {
            match self.catalog.collection(&record.name) {
                Ok(Some(found)) if found == record => self.serve(record),
                Ok(_) => self.remove_files(&record),
                Err(_) => self.pending.add(record),
            }
        }
    }

    fn serve(&self, record: CollectionRecord) {
        let path = self.directory.join("collections").join(&record.id);
        let serving = match open_generation(&path, &record, &self.storage) {
            Ok(generation) => Serving::Open(Arc::new(generation)),
            Err(error) => Serving::Damaged(error.to_string().into()),
        };
        let name = record.name.clone();
        tracing::warn!(collection = name, "was created: the catalog names it");
        let held = Held::new(path, &self.catalog, &self.storage, record, serving);
        self.collections.write().insert(name, Arc::new(held));
    }

    pub(super) fn remove_files(&self, record: &CollectionRecord) {
        let path = self.directory.join("collections").join(&record.id);
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(%error, "files of a collection that was not made stay behind");
        }
    }
}
