//! Writing a directory of files so that a crash leaves the old ones or the new ones.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::whole_file::{self, WholeFile};

/// `InvalidArgument` where `dir` is a file, or a directory that holds something and no `mark`.
pub(super) fn check_destination(dir: &Path, mark: &str) -> Result<()> {
    let refused = |what: &str| {
        Err(Error::invalid(
            "output",
            format!(
                "{} {what}; a new or empty folder, or one of an SAE, is accepted",
                dir.display()
            ),
        ))
    };
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            Some(_) if !dir.join(mark).is_file() => refused("holds other files"),
            _ => Ok(()),
        },
        Err(_) if dir.exists() => refused("is no folder"),
        Err(_) => Ok(()),
    }
}

/// Writes all parts under temporary names, then renames them in order.
///
/// A new directory appears whole or not at all. In one that exists each file is replaced at once,
/// the files one after the other, so the last part should let a reader recognise the others.
pub(super) fn replace(dir: &Path, parts: &[(&str, &[u8])]) -> Result<()> {
    if dir.is_dir() {
        let mut files = Vec::with_capacity(parts.len());
        for (name, bytes) in parts {
            let mut file = WholeFile::create(&dir.join(name))?;
            file.write_all(bytes)?;
            files.push(file);
        }
        for file in files {
            file.finish()?;
        }
        return sync_dir(dir);
    }
    let name = dir
        .file_name()
        .ok_or_else(|| Error::invalid("dir", format!("{} names no directory", dir.display())))?;
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent).map_err(|e| failed("create", &parent, e))?;
    let temporary = parent.join(format!(
        ".{}.{}.tmp",
        name.to_string_lossy(),
        std::process::id()
    ));
    if temporary.exists() {
        fs::remove_dir_all(&temporary).map_err(|e| failed("remove", &temporary, e))?;
    }
    fs::create_dir(&temporary).map_err(|e| failed("create", &temporary, e))?;
    for (name, bytes) in parts {
        whole_file::write(&temporary.join(name), bytes)?;
    }
    sync_dir(&temporary)?;
    fs::rename(&temporary, dir).map_err(|e| failed("rename", &temporary, e))?;
    sync_dir(&parent)
}

/// A rename is durable once its directory is.
fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(|e| failed("sync", dir, e))
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("could not {what} {}", path.display())).with_source(error)
}
