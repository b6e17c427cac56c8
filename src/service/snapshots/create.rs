//! Making snapshots.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use latentdb_index::{FORMAT_VERSION, Frozen, now, validate_name};

use super::manifest::{CollectionManifest, FileEntry, Manifest, VERSION};
use super::store::{entry_of, taken};
use super::{Snapshots, Store};
use crate::error::{Result, Within as _};
use crate::progress::Progress;
use crate::service::blocking;

impl Snapshots {
    /// Makes a snapshot of collections, of all where none is named, as they are now, and keeps it in the store
    /// under a name, one of the time where none is given. `progress` counts bytes.
    ///
    /// # Errors
    /// `AlreadyExists` for a name that is taken; `NotFound` for a collection; `Corrupted` for one that is
    /// damaged; `FailedPrecondition` without a store or on a data directory that is served read-only;
    /// `Unavailable` where the store does not answer; `Cancelled`. Then there is no snapshot.
    pub async fn create(
        self: &Arc<Self>,
        name: Option<String>,
        collections: Vec<String>,
        progress: &Arc<Progress>,
    ) -> Result<Manifest> {
        let _one = self.changing.lock().await;
        let store = self.store()?;
        let created = now();
        let name = name.unwrap_or_else(|| format!("at-{created}"));
        validate_name(&name).within("name")?;
        if store.has_manifest(&name).await? {
            return Err(taken(&name));
        }
        let earlier = store.manifests().await?;
        let service = self.clone();
        let stage = blocking(move || service.core.stage()).await?;
        let (service, folder) = (self.clone(), stage.path().to_owned());
        let frozen = blocking(move || service.freeze(&collections, &folder)).await?;
        let mut manifest = Manifest {
            version: VERSION,
            name,
            created,
            latentdb: env!("CARGO_PKG_VERSION").to_owned(),
            format: FORMAT_VERSION,
            collections: BTreeMap::new(),
            saes: BTreeMap::new(),
        };
        // What is to be brought: its place, where it lies, what it is known as.
        let mut files: Vec<(PathBuf, FileEntry)> = Vec::new();
        for (folder, frozen) in frozen {
            let known = known_files(&earlier, &frozen);
            let mut entries = Vec::new();
            for (path, name) in listed(&folder, &["index", "graphs"]).await? {
                let bytes = tokio::fs::metadata(&path).await?.len();
                let entry = match known.get(&(name.as_str(), bytes)) {
                    // Files of this name and length are the same: they are written once.
                    Some(entry) if !is_replaced(&name) => (*entry).clone(),
                    _ => entry_of(&path, name).await?,
                };
                progress.check()?;
                files.push((path, entry.clone()));
                entries.push(entry);
            }
            for hash in sae_hashes(&frozen) {
                if manifest.saes.contains_key(&hash) {
                    continue;
                }
                let folder = self.core.models.folder_of(&hash)?;
                let mut entries = Vec::new();
                for (path, name) in listed(&folder, &[""]).await? {
                    let entry = entry_of(&path, name).await?;
                    files.push((path, entry.clone()));
                    entries.push(entry);
                }
                manifest.saes.insert(hash, entries);
            }
            let own = CollectionManifest {
                sequence: frozen.sequence,
                documents: frozen.documents,
                entries: frozen.entries,
                files: entries,
                record: frozen.record,
            };
            manifest.collections.insert(own.record.name.clone(), own);
        }
        bring(store, &files, progress).await?;
        store.put_manifest(&manifest).await?;
        blocking(move || Ok(stage.close()?)).await?;
        Ok(manifest)
    }

    /// Links the files of collections into a folder of each.
    fn freeze(&self, names: &[String], stage: &Path) -> Result<Vec<(PathBuf, Frozen)>> {
        let database = &self.core.database;
        let handles = match names.is_empty() {
            true => database.collections(),
            false => {
                let names: HashSet<&String> = names.iter().collect();
                let handles = names.into_iter().map(|name| database.collection(name));
                handles.collect::<Result<_>>()?
            }
        };
        let frozen = handles.iter().enumerate().map(|(at, handle)| {
            let folder = stage.join(at.to_string());
            std::fs::create_dir(&folder)?;
            let frozen = handle.freeze(&folder)?;
            Ok((folder, frozen))
        });
        frozen.collect()
    }
}

/// Brings files to the store, those that it has not.
async fn bring(store: &Store, files: &[(PathBuf, FileEntry)], progress: &Progress) -> Result<()> {
    progress.announce(files.iter().map(|(_, entry)| entry.bytes).sum())?;
    for (path, entry) in files {
        store.put_file(path, entry, progress).await?;
    }
    Ok(())
}

/// Files that earlier snapshots have of the same generation of a collection, by name and length.
fn known_files<'m>(
    earlier: &'m [Manifest],
    frozen: &Frozen,
) -> HashMap<(&'m str, u64), &'m FileEntry> {
    let is_same = |record: &latentdb_index::CollectionRecord| {
        record.id == frozen.record.id && record.generation == frozen.record.generation
    };
    let manifests = earlier
        .iter()
        .flat_map(|manifest| manifest.collections.values());
    let same = manifests.filter(|own| is_same(&own.record));
    let files = same.flat_map(|own| &own.files);
    files
        .map(|file| ((file.path.as_str(), file.bytes), file))
        .collect()
}

/// Whether a file may have another content under the same name.
fn is_replaced(name: &str) -> bool {
    name.ends_with(".json") || name.ends_with(".graph")
}

/// The hashes of the SAEs whose files a collection needs.
fn sae_hashes(frozen: &Frozen) -> Vec<String> {
    let saes = frozen.record.saes.iter();
    let hashes = saes.filter_map(|own| own.sae.as_ref()?.get("sha256")?.as_str());
    hashes.map(str::to_owned).collect()
}

/// The files of folders in a folder, each with its name as a snapshot has it.
async fn listed(root: &Path, folders: &'static [&'static str]) -> Result<Vec<(PathBuf, String)>> {
    let root = root.to_owned();
    blocking(move || {
        let mut files = Vec::new();
        for folder in folders {
            for entry in std::fs::read_dir(root.join(folder))? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    let name = match *folder {
                        "" => name,
                        folder => format!("{folder}/{name}"),
                    };
                    files.push((entry.path(), name));
                }
            }
        }
        files.sort();
        Ok(files)
    })
    .await
}
