//! Single files of a repository of the hub, through its cache: what a folder of weights needs.

use std::path::{Path, PathBuf};

use hf_hub::{Cache, Repo, RepoType};

use super::folder::{Hub, is_hub_name};
use crate::error::{Error, Result};

/// A place in a repository of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubPlace {
    /// `owner/name`.
    pub repository: String,
    /// A folder or a file in it; empty for the top.
    pub path: String,
    /// A branch, a tag or a commit; `main` when absent.
    pub revision: Option<String>,
}

impl HubPlace {
    /// Reads `owner/name[/path]`; `None` when it cannot be one.
    ///
    /// ```
    /// use latentdb::encoder::HubPlace;
    ///
    /// let place = HubPlace::parse("google/gemma-scope-2b-pt-res/layer_20/width_16k").unwrap();
    /// assert_eq!(place.repository, "google/gemma-scope-2b-pt-res");
    /// assert_eq!(place.path, "layer_20/width_16k");
    /// assert!(HubPlace::parse("./folder").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_end_matches('/').splitn(3, '/');
        let (owner, name) = (parts.next()?, parts.next()?);
        let path = parts.next().unwrap_or_default();
        let is_path =
            path.is_empty() || path.split('/').all(|part| !["", ".", ".."].contains(&part));
        (is_hub_name(owner) && is_hub_name(name) && is_path).then(|| Self {
            repository: format!("{owner}/{name}"),
            path: path.to_owned(),
            revision: None,
        })
    }

    /// Fetches the wanted files of the place, from the cache where they are, and returns the local
    /// folder that holds them, or the local file where the place names one (with the `.json` files
    /// next to it). `HF_HUB_CACHE`, `HF_HOME`, `HF_ENDPOINT` and `HF_HUB_OFFLINE` are respected.
    ///
    /// # Errors
    /// `NotFound` when the place holds no wanted file, naming folders that do; `Unavailable` when
    /// the hub cannot be reached and the cache does not have them.
    pub fn fetch(&self, wanted: &dyn Fn(&str) -> bool) -> Result<PathBuf> {
        self.fetch_with(&Hub::of_user(false), wanted)
    }

    pub(super) fn fetch_with(&self, hub: &Hub, wanted: &dyn Fn(&str) -> bool) -> Result<PathBuf> {
        if let Some(found) = self.cached(hub) {
            return Ok(found);
        }
        let what = [self.repository.as_str(), &self.path].join("/");
        let chosen = hub.download(what.trim_end_matches('/'), self.repo(), |repository| {
            let listing = repository.info()?.siblings;
            let names: Vec<&str> = listing.iter().map(|file| file.rfilename.as_str()).collect();
            let chosen = match choose(&names, &self.path, wanted) {
                Ok(chosen) => chosen,
                Err(what) => return Ok(Err(what)),
            };
            let mut local = PathBuf::new();
            let mut behind = 0;
            for file in &chosen {
                local = repository.get(file)?;
                behind = depth(file) - depth(&self.path);
            }
            Ok(Ok((local, behind)))
        })?;
        let (local, behind) = chosen
            .map_err(|what| Error::not_found(format!("{} of the hub {what}", self.repository)))?;
        // The file that the place names comes last; a folder holds any of its files, at some depth.
        let place = local.ancestors().nth(behind);
        Ok(place.unwrap_or(&local).to_owned())
    }

    fn repo(&self) -> Repo {
        let revision = self.revision.clone().unwrap_or_else(|| "main".to_owned());
        Repo::with_revision(self.repository.clone(), RepoType::Model, revision)
    }

    /// What the cache has, where the network is not to be asked.
    fn cached(&self, hub: &Hub) -> Option<PathBuf> {
        if !hub.offline {
            return None;
        }
        let repository = Cache::new(hub.cache.clone()).repo(self.repo());
        let commit = std::fs::read_to_string(repository_folder(hub, &self.repository).join(
            format!("refs/{}", self.revision.as_deref().unwrap_or("main")),
        ))
        .ok()?;
        if !self.path.is_empty()
            && let Some(file) = repository.get(&self.path)
        {
            return Some(file);
        }
        let snapshots = repository_folder(hub, &self.repository).join("snapshots");
        let place = snapshots.join(commit.trim()).join(&self.path);
        place.is_dir().then_some(place)
    }
}

fn repository_folder(hub: &Hub, repository: &str) -> PathBuf {
    hub.cache
        .join(format!("models--{}", repository.replace('/', "--")))
}

/// Where training keeps the weights of a folder, beside its configuration.
const CHECKPOINTS: &str = "checkpoints";

fn depth(path: &str) -> usize {
    Path::new(path).components().count()
}

/// The files to fetch for `path`; the file it names comes last.
fn choose<'a>(
    names: &[&'a str],
    path: &'a str,
    wanted: &dyn Fn(&str) -> bool,
) -> std::result::Result<Vec<&'a str>, String> {
    let folder_of = |name: &str| {
        Path::new(name)
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default()
    };
    let is_wanted = |name: &str| {
        Path::new(name)
            .file_name()
            .and_then(|file| file.to_str())
            .is_some_and(wanted)
    };
    if names.contains(&path) {
        let folder = folder_of(path);
        let neighbours = names.iter().filter(|name| {
            **name != path
                && folder_of(name) == folder
                && name.ends_with(".json")
                && is_wanted(name)
        });
        return Ok(neighbours.copied().chain([path]).collect());
    }
    let chosen: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| {
            let (folder, own) = (folder_of(name), Path::new(path));
            (folder == own || folder == own.join(CHECKPOINTS)) && is_wanted(name)
        })
        .collect();
    let weights = chosen
        .iter()
        .filter(|name| !name.ends_with(".json"))
        .count();
    match weights {
        1 => Ok(chosen),
        0 => {
            let mut folders: Vec<String> = names
                .iter()
                .filter(|name| name.starts_with(path) && is_wanted(name))
                .map(|name| folder_of(name).display().to_string())
                .collect();
            folders.dedup();
            let more = folders.len().saturating_sub(10);
            folders.truncate(10);
            Err(format!(
                "has no such file at {path:?}; there are some in {} and {more} more folders",
                folders.join(", ")
            ))
        }
        _ => Err(format!(
            "has several at {path:?}; name one of {}",
            chosen.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn wanted(name: &str) -> bool {
        name == "cfg.json" || name.ends_with(".pt") || name.ends_with(".npz")
    }

    #[test]
    fn what_is_fetched_is_one_set_of_weights() {
        let names = [
            "README.md",
            "layer_1/w/params.npz",
            "layer_1/w/plot.png",
            "layer_2/cfg.json",
            "layer_2/a.pt",
            "layer_2/b.pt",
            "layer_3/cfg.json",
            "layer_3/checkpoints/c.pt",
        ];
        let choose = |path| choose(&names, path, &wanted);
        assert_eq!(choose("layer_1/w").unwrap(), ["layer_1/w/params.npz"]);
        assert_eq!(
            choose("layer_2/b.pt").unwrap(),
            ["layer_2/cfg.json", "layer_2/b.pt"]
        );
        assert_eq!(
            choose("layer_3").unwrap(),
            ["layer_3/cfg.json", "layer_3/checkpoints/c.pt"]
        );
        assert!(choose("layer_2").unwrap_err().contains("layer_2/a.pt"));
        assert!(choose("").unwrap_err().contains("layer_1/w"));
        assert!(choose("layer_9").is_err());
    }

    #[test]
    fn without_network_the_cache_answers() {
        let home = tempfile::tempdir().unwrap();
        let repository = home.path().join("models--made--up");
        let snapshot = repository.join("snapshots/abc");
        std::fs::create_dir_all(snapshot.join("layer_1")).unwrap();
        std::fs::create_dir_all(repository.join("refs")).unwrap();
        std::fs::write(repository.join("refs/main"), "abc").unwrap();
        std::fs::write(snapshot.join("layer_1/params.npz"), b"x").unwrap();
        let hub = Hub::from_env(|name| match name {
            "HF_HUB_CACHE" => Some(home.path().as_os_str().to_owned()),
            "HF_HUB_OFFLINE" => Some("1".into()),
            _ => None,
        });
        let fetch = |text: &str| HubPlace::parse(text).unwrap().fetch_with(&hub, &wanted);
        assert_eq!(fetch("made/up/layer_1").unwrap(), snapshot.join("layer_1"));
        assert_eq!(
            fetch("made/up/layer_1/params.npz").unwrap(),
            snapshot.join("layer_1/params.npz")
        );
        let error = fetch("made/up/layer_2").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    }
}
