//! Changing a collection's SAEs: a new generation is built while the old one serves.

use std::path::Path;
use std::sync::Arc;

use super::entry::{CollectionEntry, CollectionHandle, Serving};
use super::record_file::{complete, discard};
use crate::catalog::CollectionRecord;
use crate::collection::{Collection, Operation};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Documents that are written to the new generation at a time.
const ATTACH_BATCH: usize = 2048;
/// Documents changed meanwhile that are few enough to make writes wait for them.
const FEW: usize = 64;

/// Recomputes the codes of documents, from their vectors or their texts.
type Recode<'r> = dyn Fn(&mut [Document], &Progress) -> Result<()> + 'r;

impl CollectionHandle {
    /// Changes the collection's SAEs: builds a new generation of the stored documents with their
    /// codes recomputed, while the old one serves reads and writes, then switches to it at once.
    ///
    /// `change` makes the new record from the old one and gives what recomputes the codes of
    /// documents, which have those of every SAE of the old list. `progress` counts documents;
    /// stopping it leaves everything as it was.
    ///
    /// # Errors
    /// `FailedPrecondition` while another change is under way; `NotFound` once the collection is
    /// dropped; `Cancelled`; what `change` and its result give.
    pub fn attach<R: Fn(&mut [Document], &Progress) -> Result<()>>(
        &self,
        change: impl FnOnce(&mut CollectionRecord) -> Result<R>,
        progress: &Arc<Progress>,
    ) -> Result<Arc<CollectionRecord>> {
        self.entry.storage.refuse_changes()?;
        let _one = self.entry.attaching.try_lock().ok_or_else(|| {
            Error::precondition("the SAEs of this collection are being changed; wait for that")
        })?;
        *self.entry.change.lock() = Some(progress.clone());
        let changed = self.rebuild(change, progress);
        *self.entry.change.lock() = None;
        // A drop ends a change as its caller does, for another reason.
        changed.map_err(|error| match self.entry.state.read().generation() {
            Err(dropped) => dropped,
            Ok(_) => self.entry.storage.explain(error),
        })
    }

    fn rebuild<R: Fn(&mut [Document], &Progress) -> Result<()>>(
        &self,
        change: impl FnOnce(&mut CollectionRecord) -> Result<R>,
        progress: &Progress,
    ) -> Result<Arc<CollectionRecord>> {
        let before = self.entry.state.read().clone();
        let old = self.entry.changeable(&before)?.clone();
        // It is copied: damage must not get a new checksum.
        old.check()?;
        let mut record = CollectionRecord::clone(&before.record);
        // `old` must become the last owner of its generation.
        drop(before);
        let recode = change(&mut record)?;
        record.generation += 1;
        let record = Arc::new(record);
        let path = self.entry.generation(record.generation);
        if path.exists() {
            // Left by a change that failed and could not remove it.
            discard(&path)?;
        }
        let result = {
            let _tracked = Tracked::begin(&old);
            Building::begin(&self.entry, &old, &path, &recode, progress)
                .and_then(|building| building.finish(&record))
        };
        let unused = match &result {
            Ok(()) => {
                // Ends its threads. Snapshots keep the files they have open.
                drop(old);
                self.entry.generation(record.generation - 1)
            }
            // The catalog may name either: both stay until a start reads it again.
            Err(_) if self.entry.is_unsettled() => return result.map(|()| record),
            Err(_) => path,
        };
        if let Err(error) = discard(&unused) {
            tracing::warn!(%error, "files of an unused generation are set aside at the next start");
        }
        result.map(|()| record)
    }
}

/// A generation whose changes are collected.
struct Tracked<'c>(&'c Collection);

impl<'c> Tracked<'c> {
    fn begin(collection: &'c Collection) -> Self {
        collection.track_changes();
        Self(collection)
    }
}

impl Drop for Tracked<'_> {
    fn drop(&mut self) {
        self.0.stop_tracking();
    }
}

/// A new generation on its way.
struct Building<'b> {
    entry: &'b CollectionEntry,
    old: &'b Collection,
    new: Collection,
    path: &'b Path,
    recode: &'b Recode<'b>,
    progress: &'b Progress,
}

impl<'b> Building<'b> {
    /// Brings over what is stored.
    fn begin(
        entry: &'b CollectionEntry,
        old: &'b Collection,
        path: &'b Path,
        recode: &'b Recode<'b>,
        progress: &'b Progress,
    ) -> Result<Self> {
        let snapshot = old.snapshot();
        let living: Vec<u32> = snapshot.living().collect();
        progress.announce(living.len() as u64)?;
        let building = Self {
            entry,
            old,
            new: Collection::open_on(path, &entry.storage, old.snapshot().analyzer())?,
            path,
            recode,
            progress,
        };
        for batch in living.chunks(ATTACH_BATCH) {
            let documents = batch
                .iter()
                .map(|&doc| snapshot.whole(doc))
                .collect::<Result<Vec<_>>>()?;
            let operations = building.recoded(documents)?;
            building.new.write(operations, None)?;
            progress.advance(batch.len() as u64)?;
        }
        Ok(building)
    }

    /// Brings over what was written meanwhile, and switches.
    fn finish(self, record: &Arc<CollectionRecord>) -> Result<()> {
        // Each round leaves what is written during it: less and less, unless documents are written
        // faster than they are coded.
        let mut before = usize::MAX;
        loop {
            let changed = self.catch_up()?;
            if changed <= FEW || changed >= before {
                break;
            }
            before = changed;
        }
        // The rest while writes wait, and reads go on.
        let _no_writes = self.entry.writing.write();
        // A commit may be durable that could not be shown.
        self.old.refresh()?;
        self.catch_up()?;
        self.new.adopt_positions(self.old)?;
        complete(self.path, record, &self.entry.storage)?;
        let mut state = self.entry.state.write();
        self.entry.changeable(&state)?;
        let named = self.entry.catalog.put_collection(record);
        self.entry.note_change(named)?;
        state.record = record.clone();
        state.serving = Serving::Open(Arc::new(self.new));
        Ok(())
    }

    /// Brings the documents changed since the last call over; returns how many they are.
    fn catch_up(&self) -> Result<usize> {
        let changed: Vec<String> = self.old.take_changes().into_iter().collect();
        let snapshot = self.old.snapshot();
        for batch in changed.chunks(ATTACH_BATCH) {
            let mut documents = Vec::new();
            let mut deleted = Vec::new();
            for id in batch {
                match snapshot.find(id)? {
                    Some(doc) => documents.push(snapshot.whole(doc)?),
                    None => deleted.push(id.clone()),
                }
            }
            let mut operations = self.recoded(documents)?;
            operations.push(Operation::Delete(deleted));
            self.new.write(operations, None)?;
        }
        self.progress.check()?;
        Ok(changed.len())
    }

    /// Upserts of documents with their codes recomputed.
    fn recoded(&self, mut documents: Vec<Document>) -> Result<Vec<Operation>> {
        self.progress.check()?;
        (self.recode)(&mut documents, self.progress)?;
        Ok(documents
            .into_iter()
            .map(|document| Operation::Upsert(Box::new(document)))
            .collect())
    }
}
