//! Bringing snapshots back.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use latentdb_index::{FORMAT_VERSION, validate_name};

use super::Snapshots;
use super::manifest::{FileEntry, Manifest};
use crate::error::{Error, Result, Within as _};
use crate::progress::Progress;
use crate::service::blocking;

impl Snapshots {
    /// Brings collections of a snapshot back, all where none is named, each under the name that `names` gives
    /// for it or its own; the names that they have. Every file is compared with its hash. `progress` counts
    /// bytes.
    ///
    /// # Errors
    /// `NotFound` for the snapshot or a collection in it; `AlreadyExists` for a name that is taken;
    /// `Corrupted` where the store lacks a file or has another content; `FailedPrecondition` for a snapshot
    /// of another version. Then nothing was restored.
    pub async fn restore(
        self: &Arc<Self>,
        name: &str,
        names: BTreeMap<String, String>,
        progress: &Arc<Progress>,
    ) -> Result<Vec<String>> {
        let store = self.store()?;
        let manifest = store.manifest(name).await?;
        let chosen = self.chosen(&manifest, names)?;
        self.core.check_room()?;
        let service = self.clone();
        let stage = blocking(move || service.core.stage()).await?;
        let saes: Vec<(&String, &Vec<FileEntry>)> = manifest
            .saes
            .iter()
            .filter(|(hash, _)| !self.core.models.has_sae(hash))
            .collect();
        let collections = chosen
            .iter()
            .filter_map(|(own, _)| manifest.collections.get(own));
        let files = collections.flat_map(|own| &own.files);
        let files = files.chain(saes.iter().flat_map(|(_, files)| *files));
        progress.announce(files.map(|file| file.bytes).sum())?;
        for (at, (hash, files)) in saes.into_iter().enumerate() {
            let folder = stage.path().join(format!("sae-{at}"));
            self.fetch(files, &folder, progress).await?;
            let (service, hash) = (self.clone(), hash.clone());
            blocking(move || {
                let sae = service.core.models.import_sae(&folder)?;
                match sae.hash() == hash {
                    true => Ok(()),
                    false => Err(Error::corrupted(format!(
                        "the snapshot has an SAE as {hash} whose hash is {}",
                        sae.hash()
                    ))),
                }
            })
            .await?;
        }
        let mut staged = Vec::new();
        for (at, (own, target)) in chosen.into_iter().enumerate() {
            let Some(collection) = manifest.collections.get(&own) else {
                continue;
            };
            let folder = stage.path().join(at.to_string());
            self.fetch(&collection.files, &folder, progress).await?;
            staged.push((folder, collection.frozen(), target));
        }
        let service = self.clone();
        blocking(move || {
            let mut restored: Vec<String> = Vec::new();
            for (folder, frozen, target) in staged {
                let adopted = service.core.database.adopt(&target, &frozen, &folder);
                if let Err(error) = adopted {
                    for name in &restored {
                        service.core.database.drop_collection(name)?;
                    }
                    return Err(error);
                }
                restored.push(target);
            }
            stage.close()?;
            Ok(restored)
        })
        .await
    }

    /// The collections to bring back, each with the name that it gets.
    fn chosen(
        &self,
        manifest: &Manifest,
        names: BTreeMap<String, String>,
    ) -> Result<Vec<(String, String)>> {
        if manifest.format != FORMAT_VERSION {
            return Err(Error::precondition(format!(
                "snapshot {:?} has files of format {}; this program reads format {FORMAT_VERSION}: restore it \
                 with LatentDB {}",
                manifest.name, manifest.format, manifest.latentdb
            )));
        }
        let all = manifest.collections.keys();
        let chosen: Vec<(String, String)> = match names.is_empty() {
            true => all.map(|name| (name.clone(), name.clone())).collect(),
            false => names.into_iter().collect(),
        };
        let known = self.core.collection_names();
        for (own, target) in &chosen {
            validate_name(target).within("collections")?;
            if !manifest.collections.contains_key(own) {
                let all: Vec<&str> = manifest.collections.keys().map(String::as_str).collect();
                return Err(Error::not_found(format!(
                    "snapshot {:?} has no collection {own:?}; it has {}",
                    manifest.name,
                    all.join(", ")
                )));
            }
            if known.contains(target) {
                return Err(Error::new(
                    crate::error::ErrorKind::AlreadyExists,
                    format!(
                        "collection {target:?} already exists; drop it, or restore {own:?} under \
                         another name"
                    ),
                ));
            }
        }
        Ok(chosen)
    }

    /// Writes files of the store below a folder.
    async fn fetch(&self, files: &[FileEntry], folder: &Path, progress: &Progress) -> Result<()> {
        let store = self.store()?;
        for file in files {
            let path = folder.join(inside(&file.path)?);
            if let Some(parent) = path.parent() {
                tokio::fs::create_dir_all(parent).await?;
            }
            store.get_file(file, &path, progress).await?;
        }
        Ok(())
    }
}

/// A path of a manifest, which must not leave its folder.
fn inside(path: &str) -> Result<PathBuf> {
    let found = Path::new(path);
    let is_plain = found
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    match is_plain && !path.is_empty() {
        true => Ok(found.to_owned()),
        false => Err(Error::corrupted(format!(
            "the manifest names a file {path:?}, which is not in the snapshot"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_their_folder() {
        assert!(inside("index/meta.json").is_ok());
        for path in ["", "../a", "/etc/passwd", "index/../../a"] {
            assert!(inside(path).is_err(), "{path}");
        }
    }
}
