//! Steps towards the disk, each of which may fail.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind as Kind};

/// How names of drafts end.
const DRAFT: &str = ".draft";
/// Numbers of drafts: threads of a writer that was given up may replace a file while its successor does.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// A step towards the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A file is created.
    Create,
    /// Bytes are written to a file.
    Write,
    /// A file's length is set.
    Resize,
    /// A file's content is made durable.
    Sync,
    /// A file takes the place of another.
    Rename,
    /// A file is removed.
    Remove,
    /// A directory's entries are made durable.
    SyncDirectory,
}

/// Decides how steps towards the disk end, so that a test can make any of them fail.
pub trait Faults: Send + Sync + 'static {
    /// Called before a step on `path`. An error is the step's outcome. Of a write of `bytes`, what
    /// is returned goes through; 0 fails it as a full disk does.
    ///
    /// # Errors
    /// What the step is to end with.
    fn before(&self, step: Step, path: &Path, bytes: usize) -> io::Result<usize>;
}

/// The disk under a data directory.
#[derive(Clone, Default)]
pub(crate) struct Storage {
    faults: Option<Arc<dyn Faults>>,
    /// The last write that found the disk full, and its bytes.
    full: Arc<Mutex<Option<(PathBuf, usize)>>>,
    /// Nothing is written, and no lock taken that is a file.
    read_only: bool,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage")
    }
}

impl Storage {
    /// A disk that nothing is written to.
    pub fn read_only() -> Self {
        Self {
            read_only: true,
            ..Self::default()
        }
    }

    /// Whether nothing is written to it.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Refuses a change where nothing is written.
    ///
    /// # Errors
    /// `FailedPrecondition`.
    pub fn refuse_changes(&self) -> crate::error::Result<()> {
        match self.read_only {
            false => Ok(()),
            true => Err(Error::precondition(
                "the data directory is served read-only (--read-only); nothing was changed",
            )),
        }
    }

    /// A disk whose steps end as `faults` says.
    pub fn failing(faults: Arc<dyn Faults>) -> Self {
        Self {
            faults: Some(faults),
            ..Self::default()
        }
    }

    /// Runs a step.
    pub fn run<T>(
        &self,
        step: Step,
        path: &Path,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let asked = self
            .faults
            .as_ref()
            .map_or(Ok(0), |faults| faults.before(step, path, 0));
        asked
            .and_then(|_| work())
            .inspect_err(|error| self.note(error, path, 0))
    }

    /// Writes the beginning of `bytes`, all of it where nothing fails; returns its length.
    pub fn write(
        &self,
        path: &Path,
        bytes: &[u8],
        work: impl FnOnce(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let asked = self.faults.as_ref().map_or(Ok(bytes.len()), |faults| {
            faults.before(Step::Write, path, bytes.len())
        });
        asked
            .and_then(|allowed| match allowed.min(bytes.len()) {
                0 if !bytes.is_empty() => Err(ErrorKind::StorageFull.into()),
                allowed => work(&bytes[..allowed]),
            })
            .inspect_err(|error| self.note(error, path, bytes.len()))
    }

    /// Puts a file in the place of another, or where none was: a reader sees the whole of one of
    /// them. The name outlasts a power cut once the directory is synced.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut draft = path.as_os_str().to_owned();
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        draft.push(format!(".{number}{DRAFT}"));
        let draft = PathBuf::from(draft);
        let replaced = self.replace_by(&draft, path, bytes);
        if replaced.is_err() {
            // What stays is removed at the next start.
            let _ = fs::remove_file(&draft);
        }
        replaced
    }

    fn replace_by(&self, draft: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.run(Step::Create, path, || File::create(draft))?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.write(path, rest, |part| {
                file.write_all(part)?;
                Ok(part.len())
            })?;
            rest = &rest[written..];
        }
        self.run(Step::Sync, path, || file.sync_data())?;
        self.run(Step::Rename, path, || fs::rename(draft, path))
    }

    /// Removes the drafts that an end in the middle of [`Self::replace`] left in a directory; on a disk that takes no
    /// writes they stay.
    pub fn remove_drafts(&self, directory: &Path) -> io::Result<()> {
        if self.read_only {
            return Ok(());
        }
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(DRAFT) {
                // Who wrote it may have removed it meanwhile.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Makes a directory's entries durable.
    pub fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.run(Step::SyncDirectory, path, || File::open(path)?.sync_all())
    }

    /// The error of the last write that found the disk full, if any since the last call.
    pub fn full(&self) -> Option<Error> {
        let (path, bytes) = self.full.lock().take()?;
        let directory = path.parent().unwrap_or(&path);
        let free = fs4::available_space(directory).map_or_else(
            |_| String::new(),
            |free| format!(", {free} bytes of it are free"),
        );
        Some(Error::new(
            Kind::ResourceExhausted,
            format!(
                "the disk of {} is full: {bytes} bytes could not be written{free}",
                directory.display()
            ),
        ))
    }

    /// What a failure is told as: [`Self::full`] where that is behind it.
    pub fn explain(&self, failure: Error) -> Error {
        self.full().unwrap_or(failure)
    }

    fn note(&self, error: &io::Error, path: &Path, bytes: usize) {
        let is_full = |kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        if is_full(error.kind()) {
            *self.full.lock() = Some((path.to_owned(), bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_replace_a_file_at_once_all_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        let replace = || {
            for _ in 0..200 {
                Storage::default().replace(&path, b"whole").unwrap();
            }
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..3).map(|_| scope.spawn(replace)).collect();
            others.into_iter().for_each(|other| other.join().unwrap());
        });
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        fs::write(directory.path().join("list.7.draft"), b"wh").unwrap();
        Storage::default().remove_drafts(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
