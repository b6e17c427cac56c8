//! redb's file.

use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{BackendError, StorageBackend};

use super::steps::{Step, Storage};
use crate::error::{Error, Result};

/// The file of a catalog.
#[derive(Debug)]
pub(crate) struct CatalogFile {
    inner: FileBackend,
    path: PathBuf,
    storage: Storage,
}

impl CatalogFile {
    /// Opens or creates the file.
    pub fn open(path: &Path, storage: &Storage) -> Result<Self> {
        let file = storage.run(Step::Create, path, || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
        })?;
        let inner = FileBackend::new(file)
            .map_err(|error| Error::internal("the catalog's file").with_source(error))?;
        Ok(Self {
            inner,
            path: path.to_owned(),
            storage: storage.clone(),
        })
    }

    /// Whether nobody else has the file open; nobody can open it while this one lives then.
    pub fn lock(&self) -> bool {
        let locked = self
            .inner
            .try_lock_range(Bound::Unbounded, Bound::Unbounded);
        locked.unwrap_or(false)
    }
}

/// A copy of a catalog's file in memory, which can be repaired and checked without touching it.
pub(crate) fn copy_in_memory(path: &Path) -> Result<InMemoryBackend> {
    let bytes = std::fs::read(path)?;
    let copy = InMemoryBackend::new();
    copy.set_len(bytes.len() as u64)?;
    copy.write(0, &bytes)?;
    Ok(copy)
}

type Locked<T> = std::result::Result<T, BackendError>;

impl StorageBackend for CatalogFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.storage
            .run(Step::Resize, &self.path, || self.inner.set_len(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.storage
            .run(Step::Sync, &self.path, || self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let written = self.storage.write(&self.path, data, |part| {
            self.inner.write(offset, part)?;
            Ok(part.len())
        })?;
        if written < data.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<bool> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<bool> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<()> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<()> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<()> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<bool> {
        self.inner.query_lock_range(start, end)
    }
}
