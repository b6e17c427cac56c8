//! What a snapshot is: a list of files by their hashes, with the records that go with them.

use std::collections::BTreeMap;

use latentdb_index::{CollectionRecord, Frozen};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// The version of manifests. The files in a snapshot have versions of their own.
pub(super) const VERSION: u32 = 1;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the manifest.
    pub version: u32,
    /// Its name in the store.
    pub name: String,
    /// When it was made, microseconds since the epoch.
    pub created: i64,
    /// The version of the program that made it.
    pub latentdb: String,
    /// The version of data directories that its files are of.
    pub format: u32,
    /// Its collections, by name.
    pub collections: BTreeMap<String, CollectionManifest>,
    /// The files of its SAEs, by hash.
    pub saes: BTreeMap<String, Vec<FileEntry>>,
}

/// A collection of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectionManifest {
    /// Its record.
    pub record: CollectionRecord,
    /// Number of its last commit.
    pub sequence: u64,
    /// Its documents.
    pub documents: u64,
    /// What the catalog has of it.
    pub entries: Value,
    /// Its files, below the directory of its generation.
    pub files: Vec<FileEntry>,
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it lies, as `index/NAME`.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of its content, by which the store has it.
    pub sha256: String,
}

impl Manifest {
    /// All files, of collections and of SAEs.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let collections = self.collections.values();
        let collections = collections.flat_map(|collection| &collection.files);
        collections.chain(self.saes.values().flatten())
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    /// Reads a manifest of this version.
    ///
    /// # Errors
    /// `Corrupted` for what is none, `FailedPrecondition` for one of another version.
    pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let damaged = |error| {
            let message = format!("the manifest of snapshot {name:?} cannot be read");
            Error::corrupted(message).with_source(error)
        };
        let found: Versioned = serde_json::from_slice(bytes).map_err(damaged)?;
        if found.version != VERSION {
            return Err(Error::precondition(format!(
                "snapshot {name:?} is of version {}; this program reads version {VERSION}",
                found.version
            )));
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }
}

impl CollectionManifest {
    /// The collection as the engine takes it back.
    pub(super) fn frozen(&self) -> Frozen {
        Frozen {
            record: self.record.clone(),
            sequence: self.sequence,
            documents: self.documents,
            entries: self.entries.clone(),
        }
    }
}
