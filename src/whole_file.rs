//! Files that are written completely or not at all.

use std::fs::Permissions;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file on its way: it gets its name, with all it holds, by [`finish`](Self::finish). Dropped
/// before, it leaves nothing, and what had the name before stays.
#[derive(Debug)]
pub struct WholeFile {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl WholeFile {
    /// Starts a file that will be at `path`.
    ///
    /// # Errors
    /// `Internal` where the folder cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".latentdb-").suffix(".part");
        // As any file that a program writes; the default is readable to its owner alone.
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|error| {
            Error::internal(format!("cannot write in {}", folder.display())).with_source(error)
        })?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 18, file),
            path: path.to_owned(),
        })
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// `Internal` where writing or renaming fails.
    pub fn finish(self) -> Result<()> {
        let fault = |error: io::Error| {
            Error::internal(format!("cannot write {}", self.path.display())).with_source(error)
        };
        let file = self
            .file
            .into_inner()
            .map_err(|error| fault(error.into_error()))?;
        file.as_file().sync_all().map_err(fault)?;
        file.persist(&self.path)
            .map_err(|error| fault(error.error))?;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for WholeFile {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.file.seek(place)
    }
}

/// The path with `suffix` added to its name.
///
/// ```
/// use std::path::Path;
///
/// let path = latentdb::whole_file::with_suffix(Path::new("out/sae"), ".checkpoint");
/// assert_eq!(path, Path::new("out/sae.checkpoint"));
/// ```
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a file at once.
///
/// # Errors
/// As [`WholeFile`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes)?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, b"first").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"second").unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        let error = write(&folder.path().join("none/a.txt"), b"").unwrap_err();
        assert!(error.message().contains("none"), "{error}");
    }
}
