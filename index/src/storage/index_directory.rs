//! tantivy's directory: memory maps, with checks.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, DirectoryLock, FileHandle, Lock, MmapDirectory, TerminatingWrite, WatchCallback,
    WatchHandle, WritePtr,
};

use super::checksum::{check_file, seal, unseal};
use super::damage::Damage;
use super::steps::{Step, Storage};
use crate::error::{Error, ErrorKind, Result};

/// What tantivy calls the threads that merge, and the one that applies deletes and commits.
const MERGE_THREAD: &str = "merge_thread_";
const COMMIT_THREAD: &str = "segment_updater";

/// A directory of an index.
///
/// A file that a merge opens is compared with its checksum first: what is damaged never gets a new
/// one. So is one of an earlier process that a commit opens for the first time, since deletes that
/// miss a document would go unnoticed (and a panic there would end the process). Requests open files
/// as they are; the background thread checks them. Files that are replaced (the manifest, the list
/// of files) carry a trailer, which is checked whenever they are read.
#[derive(Clone)]
pub(crate) struct IndexDirectory {
    inner: MmapDirectory,
    path: PathBuf,
    storage: Storage,
    damage: Damage,
    /// Files that commits need not check: written since the directory was opened, or checked.
    checked: Arc<Mutex<HashSet<PathBuf>>>,
    /// Whether a file was replaced since the directory was last synced; locked meanwhile, so that nobody
    /// takes names for durable that are not yet.
    replaced: Arc<Mutex<bool>>,
}

impl fmt::Debug for IndexDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexDirectory({})", self.path.display())
    }
}

impl IndexDirectory {
    /// The directory at `path`, which exists. Damage that merges meet is noted in `damage`.
    pub fn open(path: &Path, storage: &Storage, damage: &Damage) -> Result<Self> {
        storage.remove_drafts(path)?;
        Ok(Self {
            inner: MmapDirectory::open(path)?,
            path: path.to_owned(),
            storage: storage.clone(),
            damage: damage.clone(),
            checked: Arc::default(),
            replaced: Arc::default(),
        })
    }

    /// Compares a file with its checksum where this thread is to know it.
    fn check(&self, path: &Path) -> Result<(), OpenReadError> {
        let thread = std::thread::current();
        let is_due = match thread.name() {
            Some(COMMIT_THREAD) => !self.checked.lock().contains(path),
            name => name.is_some_and(|name| name.starts_with(MERGE_THREAD)),
        };
        // What a file is missing for, its reader knows.
        if !is_due || !self.inner.exists(path)? {
            return Ok(());
        }
        check_file(&self.path.join(path), &|| Ok(())).map_err(|error| self.unread(path, error))?;
        self.checked.lock().insert(path.to_owned());
        Ok(())
    }

    fn unread(&self, path: &Path, error: Error) -> OpenReadError {
        if error.kind() == ErrorKind::Corrupted {
            self.damage.note(&error);
        }
        OpenReadError::wrap_io_error(
            io::Error::new(io::ErrorKind::InvalidData, error),
            path.to_owned(),
        )
    }
}

impl Directory for IndexDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.check(path)?;
        self.inner.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let failed = |error| DeleteError::IoError {
            io_error: Arc::new(error),
            filepath: path.to_owned(),
        };
        // What an index no longer names goes once its new names are durable: a power cut leaves the old ones else.
        if *self.replaced.lock() {
            self.sync_directory().map_err(failed)?;
        }
        let asked = self
            .storage
            .run(Step::Remove, &self.path.join(path), || Ok(()));
        asked.map_err(failed)?;
        self.checked.lock().remove(path);
        self.inner.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.inner.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let full = self.path.join(path);
        let failed = |error| OpenWriteError::wrap_io_error(error, path.to_owned());
        self.storage
            .run(Step::Create, &full, || Ok(()))
            .map_err(failed)?;
        let inner = self.inner.open_write(path)?;
        let inner = inner
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        self.checked.lock().insert(path.to_owned());
        Ok(WritePtr::new(Box::new(IndexFile {
            inner,
            path: full,
            storage: self.storage.clone(),
        })))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        unseal(self.inner.atomic_read(path)?, &self.path.join(path))
            .map_err(|error| self.unread(path, error))
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let path = self.path.join(path);
        self.storage.replace(&path, &seal(data.to_vec()))?;
        *self.replaced.lock() = true;
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut replaced = self.replaced.lock();
        self.storage.sync_directory(&self.path)?;
        *replaced = false;
        Ok(())
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        // Locks are files; where nobody writes there is nothing to lock against.
        if self.storage.is_read_only() {
            return Ok(DirectoryLock::from(Box::new(())));
        }
        self.inner.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.inner.watch(callback)
    }
}

/// A file that is being written.
struct IndexFile {
    inner: Box<dyn TerminatingWrite + Send + Sync>,
    path: PathBuf,
    storage: Storage,
}

impl Write for IndexFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let inner = &mut self.inner;
        self.storage
            .write(&self.path, bytes, |part| inner.write(part))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl TerminatingWrite for IndexFile {
    fn terminate_ref(&mut self, token: AntiCallToken) -> io::Result<()> {
        let inner = &mut self.inner;
        self.storage
            .run(Step::Sync, &self.path, || inner.terminate_ref(token))
    }
}
