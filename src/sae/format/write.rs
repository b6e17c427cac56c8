//! Writing a directory of files so that a crash leaves the old ones or the new ones.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

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

/// Writes all parts beside their final names, syncs them, then renames them in order.
///
/// A new directory appears whole or not at all. In one that exists each file is replaced at once,
/// the files one after the other, so the last part should let a reader recognise the others.
pub(super) fn replace(dir: &Path, parts: &[(&str, &[u8])]) -> Result<()> {
    if dir.is_dir() {
        let mut renames = Vec::with_capacity(parts.len());
        for (name, bytes) in parts {
            let temporary = dir.join(format!(".{name}.{}.tmp", std::process::id()));
            write_synced(&temporary, bytes)?;
            renames.push((temporary, dir.join(name)));
        }
        for (from, to) in renames {
            fs::rename(&from, &to).map_err(|e| failed("rename", &from, e))?;
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
        write_synced(&temporary.join(name), bytes)?;
    }
    sync_dir(&temporary)?;
    fs::rename(&temporary, dir).map_err(|e| failed("rename", &temporary, e))?;
    sync_dir(&parent)
}

/// Writes one file beside its final name, syncs it and renames it.
pub(in crate::sae) fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent).map_err(|e| failed("create", &parent, e))?;
    let name = path
        .file_name()
        .ok_or_else(|| Error::invalid("path", format!("{} names no file", path.display())))?;
    let temporary = parent.join(format!(
        ".{}.{}.tmp",
        name.to_string_lossy(),
        std::process::id()
    ));
    write_synced(&temporary, bytes)?;
    fs::rename(&temporary, path).map_err(|e| failed("rename", &temporary, e))?;
    sync_dir(&parent)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(|e| failed("create", path, e))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| failed("write", path, e))
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
