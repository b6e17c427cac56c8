//! The files of a commit in a directory of their own, which stay as they are while the server goes on.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind as Io};
use std::path::{Path, PathBuf};

use super::Collection;
use crate::error::{Error, Result};

/// Times the files are listed while merges and commits move them.
const ATTEMPTS: usize = 16;
/// Files that tantivy replaces: they are copied, the others linked.
const MANIFEST: &str = "meta.json";
const MANAGED: &str = ".managed.json";

impl Collection {
    /// Puts the files of the last commit under `target`, a directory that exists and is empty, on the same
    /// disk: by links, so that it takes no room. Nothing may be written meanwhile; merges may.
    ///
    /// # Errors
    /// `Corrupted` where a segment that was not checked since the start is damaged.
    pub(crate) fn freeze(&self, target: &Path) -> Result<()> {
        for id in self.shared.live() {
            self.shared.ensure_checked(id)?;
        }
        let (index, graphs) = (target.join("index"), target.join("graphs"));
        for left in (0..ATTEMPTS).rev() {
            for directory in [&index, &graphs] {
                if directory.exists() {
                    fs::remove_dir_all(directory)?;
                }
                fs::create_dir(directory)?;
            }
            let source = &self.shared.directory;
            let manifest = fs::read(source.join(MANIFEST))?;
            let linked = self.link_segments(&index, &graphs);
            let is_the_same = fs::read(source.join(MANIFEST))? == manifest;
            match linked {
                Ok(()) if is_the_same => {
                    fs::write(index.join(MANIFEST), manifest)?;
                    return Ok(());
                }
                Ok(()) => {}
                // A merge has ended, and its sources went.
                Err(error) if error.kind() == Io::NotFound && left > 0 => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal(
            "the files of the collection moved all the time while they were linked",
        ))
    }

    fn link_segments(&self, index: &Path, graphs: &Path) -> io::Result<()> {
        let ids = self.shared.index.searchable_segment_ids();
        let ids = ids.map_err(io::Error::other)?;
        let names: HashSet<String> = ids.iter().map(|id| id.uuid_string()).collect();
        let source = &self.shared.directory;
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            let segment = text.split('.').next().unwrap_or_default();
            if names.contains(segment) {
                link(&entry.path(), &index.join(&name))?;
            }
        }
        if let Some(managed) = found(fs::read(source.join(MANAGED)))? {
            fs::write(index.join(MANAGED), managed)?;
        }
        for id in ids {
            let graph: PathBuf = self.shared.graph_path(id);
            if let Some(name) = graph.file_name() {
                found(link(&graph, &graphs.join(name)))?;
            }
        }
        Ok(())
    }
}

/// What is there; `None` where nothing is.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == Io::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A further name of a file, or a copy where the disk has no such names, which some say as EPERM (link(2)).
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if [Io::Unsupported, Io::PermissionDenied].contains(&error.kind()) => {
            fs::copy(from, to).map(drop)
        }
        linked => linked,
    }
}
