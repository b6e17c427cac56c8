//! Verifying, unpacking and publishing a package's archive.
//!
//! A published folder holds the archive's files and a stamp: the hash the archive was verified
//! against and the size of every file. The stamp is written last, inside the folder that is then
//! renamed into place, so a folder with a stamp is whole and need not be hashed again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::package::{Distribution, Package};
use super::step::{Step, Watch, report};
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::progress::Progress;

const STAMP: &str = ".latentdb-verified.json";

/// More than any pinned archive unpacks to; a guard against archives that expand without end.
const MAX_UNPACKED_BYTES: u64 = 1 << 30;

const BLOCK_BYTES: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    sha256: String,
    /// Size in bytes by path relative to the folder, `/` between its parts.
    files: BTreeMap<String, u64>,
}

/// Whether `folder` is the verified content of `package`, whole.
pub(super) fn is_installed(package: &Package, folder: &Path) -> bool {
    let Ok(text) = fs::read(folder.join(STAMP)) else {
        return false;
    };
    let Ok(stamp) = serde_json::from_slice::<Stamp>(&text) else {
        return false;
    };
    stamp.sha256 == package.sha256
        && stamp.files.iter().all(|(path, bytes)| {
            fs::metadata(folder.join(path)).is_ok_and(|file| file.len() == *bytes)
        })
}

/// Checks the archive's hash.
pub(super) fn verify(
    package: &'static Package,
    archive: &Path,
    progress: &Progress,
    watch: Watch<'_>,
) -> Result<()> {
    let mut file = File::open(archive).map_err(|error| {
        Error::not_found(format!("cannot open {}", archive.display())).with_source(error)
    })?;
    let total = file.metadata()?.len();
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    let mut done = 0;
    loop {
        report(progress, watch, package, Step::Verifying { done, total })?;
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
        done += read as u64;
    }
    let found = hex(hasher.finalize());
    if found == package.sha256 {
        return Ok(());
    }
    Err(Error::corrupted(format!(
        "{} is not the pinned archive of {}: its SHA-256 is {found} ({total} bytes), expected is \
         {} ({} bytes); nothing of it is used",
        archive.display(),
        package.folder(),
        package.sha256,
        package.bytes
    )))
}

/// Unpacks the archive's plain files into the new folder `target` and stamps it.
pub(super) fn unpack(
    package: &'static Package,
    archive: &Path,
    target: &Path,
    progress: &Progress,
    watch: Watch<'_>,
) -> Result<()> {
    fs::create_dir(target)?;
    let mut unpacker = Unpacker {
        package,
        target,
        progress,
        watch,
        files: BTreeMap::new(),
        written: 0,
    };
    match package.distribution {
        Distribution::Wheel => unpacker.unpack_zip(archive)?,
        Distribution::Source => unpacker.unpack_tar(archive)?,
    }
    let stamp = Stamp {
        sha256: package.sha256.to_owned(),
        files: unpacker.files,
    };
    let text = serde_json::to_vec_pretty(&stamp)
        .map_err(|error| Error::internal("cannot write the stamp").with_source(error))?;
    let mut file = File::create(target.join(STAMP))?;
    file.write_all(&text)?;
    file.sync_all()?;
    Ok(())
}

struct Unpacker<'a, 'b> {
    package: &'static Package,
    target: &'a Path,
    progress: &'b Progress,
    watch: Watch<'b>,
    files: BTreeMap<String, u64>,
    written: u64,
}

impl Unpacker<'_, '_> {
    fn unpack_zip(&mut self, archive: &Path) -> Result<()> {
        let broken = |error| self::broken(archive, error);
        let mut zip = zip::ZipArchive::new(File::open(archive)?).map_err(broken)?;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).map_err(broken)?;
            if entry.is_file() {
                let path = PathBuf::from(&*entry.name().map_err(broken)?);
                self.write(&path, &mut entry)?;
            }
        }
        Ok(())
    }

    /// Unpacks a source distribution without its outer folder `NAME-VERSION`.
    fn unpack_tar(&mut self, archive: &Path) -> Result<()> {
        let mut tar = tar::Archive::new(GzDecoder::new(File::open(archive)?));
        let entries = tar.entries().map_err(|error| broken(archive, error))?;
        for entry in entries {
            let mut entry = entry.map_err(|error| broken(archive, error))?;
            if entry.header().entry_type().is_file() {
                let path = entry
                    .path()
                    .map_err(|error| broken(archive, error))?
                    .into_owned();
                let inner: PathBuf = path.components().skip(1).collect();
                self.write(&inner, &mut entry)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, path: &Path, content: &mut dyn Read) -> Result<()> {
        let name = safe_name(path).ok_or_else(|| {
            Error::corrupted(format!(
                "{} holds the path {path:?}, which leads out of its folder",
                self.package.folder()
            ))
        })?;
        let destination = self.target.join(&name);
        if let Some(folder) = destination.parent() {
            fs::create_dir_all(folder)?;
        }
        // A path that comes twice is refused by create_new, not silently replaced.
        let mut file = File::create_new(&destination)?;
        let mut block = vec![0; BLOCK_BYTES];
        let mut bytes = 0;
        loop {
            let step = Step::Unpacking { done: self.written };
            report(self.progress, &mut *self.watch, self.package, step)?;
            let read = content
                .read(&mut block)
                .map_err(|error| broken(path, error))?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            self.written += read as u64;
            if self.written > MAX_UNPACKED_BYTES {
                return Err(Error::corrupted(format!(
                    "{} unpacks to more than {MAX_UNPACKED_BYTES} bytes",
                    self.package.folder()
                )));
            }
            file.write_all(&block[..read])?;
        }
        // The stamp must not outlive a power loss that the file does not.
        file.sync_all()?;
        self.files.insert(name, bytes);
        Ok(())
    }
}

fn broken(archive: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::corrupted(format!("cannot unpack {}", archive.display())).with_source(error)
}

/// A relative path of plain names, with `/` between them.
fn safe_name(path: &Path) -> Option<String> {
    let names: Option<Vec<&str>> = path
        .components()
        .map(|component| match component {
            // Other systems' separators and drives are no plain names either.
            Component::Normal(name) => name
                .to_str()
                .filter(|name| !name.contains(['\\', ':', '\0'])),
            _ => None,
        })
        .collect();
    names
        .filter(|names| !names.is_empty())
        .map(|names| names.join("/"))
}

/// Renames the unpacked folder into the cache. Where another process was first, its folder, which
/// holds the same, stays.
pub(super) fn publish(
    package: &Package,
    unpacked: &Path,
    root: &Path,
    workspace: &Path,
) -> Result<()> {
    let folder = root.join(package.folder());
    let moved = fs::rename(unpacked, &folder).or_else(|error| {
        if is_installed(package, &folder) {
            return Ok(());
        }
        if !folder.exists() {
            return Err(error);
        }
        // Damaged or of another pin: out of the way, and removed with the workspace.
        fs::rename(&folder, workspace.join("replaced"))?;
        fs::rename(unpacked, &folder)
    });
    match moved {
        Ok(()) => Ok(()),
        Err(_) if is_installed(package, &folder) => Ok(()),
        Err(error) => Err(publish_error(&folder, error)),
    }
}

fn publish_error(folder: &Path, error: io::Error) -> Error {
    Error::internal(format!("cannot create {}", folder.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["/etc/passwd", "../x", "a/../../x", "", "a\\..\\x", "c:x"] {
            assert_eq!(safe_name(Path::new(path)), None, "{path}");
        }
        assert_eq!(
            safe_name(Path::new("a/b c.txt")).as_deref(),
            Some("a/b c.txt")
        );
    }
}
