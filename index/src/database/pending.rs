//! Collections whose creation ended without it being known whether the catalog has them.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::catalog::{Catalog, CollectionRecord};

/// The records of such collections.
#[derive(Default)]
pub(super) struct Pending {
    records: Mutex<Vec<CollectionRecord>>,
    /// Whether there are any, which every request asks.
    any: AtomicBool,
    /// CollectionEntry while they are settled.
    settling: Mutex<()>,
}

impl Pending {
    pub fn add(&self, record: CollectionRecord) {
        self.records.lock().push(record);
        self.any.store(true, Ordering::Release);
    }

    /// Asks the catalog about them, once it can be read, and tells `settled` of each whether it was
    /// created. What cannot be asked stays pending.
    pub fn settle(&self, catalog: &Catalog, settled: impl Fn(CollectionRecord, bool)) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let _one = self.settling.lock();
        if catalog.recover().is_err() {
            return;
        }
        self.any.store(false, Ordering::Release);
        let records = std::mem::take(&mut *self.records.lock());
        for record in records {
            match catalog.collection(&record.name) {
                Ok(found) => {
                    let was_created = found.as_ref() == Some(&record);
                    settled(record, was_created);
                }
                Err(_) => self.add(record),
            }
        }
    }
}
