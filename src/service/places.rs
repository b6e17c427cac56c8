//! Models and SAEs that clients may name: pinned models, what lies in the folders that the operator
//! gives, and the hub's where downloads are allowed or its cache has them (issue 15).

use std::path::{Path, PathBuf};

use crate::encoder::HubPlace;
use crate::error::{Error, Result};
use crate::inputs::Cache;

/// Directories of the models that clients may name.
#[derive(Clone, Debug, Default)]
pub struct ModelPlaces {
    /// Folders whose content may be named, by its path in them or by its whole path.
    pub roots: Vec<PathBuf>,
    /// Whether pinned packages and models of the hub are downloaded; without, they must be on this
    /// machine.
    pub downloads: bool,
}

impl ModelPlaces {
    /// Where a model is opened: the file or folder of a pinned one or of one in the roots, or an id of the
    /// hub. Blocks while a pinned one is fetched.
    ///
    /// # Errors
    /// `NotFound` for anything else, whether or not it exists; what fetching a pinned one gives.
    pub fn model(&self, name: &str) -> Result<String> {
        let cache = match self.downloads {
            true => Cache::of_user(),
            false => Cache::of_user().offline(),
        };
        let place = cache.place_of_model(name)?;
        if place != name {
            return Ok(place);
        }
        if let Some(found) = self.in_roots(name) {
            return Ok(found.to_string_lossy().into_owned());
        }
        let is_hub_id = HubPlace::parse(name).is_some_and(|place| place.path.is_empty());
        match is_hub_id && !Path::new(name).is_absolute() {
            true => Ok(name.to_owned()),
            false => Err(Error::not_found(format!(
                "the server may read no model {name:?}: it reads all-MiniLM-L6-v2 and smollm2, ids of \
                 the Hugging Face hub, and what lies in the folders of `latentdb serve --models DIR`, \
                 by its path there"
            ))),
        }
    }

    /// The folder of an SAE in the roots.
    ///
    /// # Errors
    /// `NotFound` for anything else, whether or not it exists.
    pub fn sae(&self, name: &str) -> Result<PathBuf> {
        self.in_roots(name).ok_or_else(|| {
            Error::not_found(format!(
                "the server may read no SAE {name:?}: an SAE that it holds goes by its hash, one in \
                 the folders of `latentdb serve --models DIR` by its path there; others are uploaded \
                 (UploadSae, --sae FOLDER)"
            ))
        })
    }

    /// What a name stands for in the roots, links followed; `None` where that is elsewhere or nothing.
    fn in_roots(&self, name: &str) -> Option<PathBuf> {
        if name.is_empty() {
            return None;
        }
        self.roots.iter().find_map(|root| {
            let root = root.canonicalize().ok()?;
            let place = root.join(name);
            // Nothing outside is even looked at.
            let is_plain = !Path::new(name)
                .components()
                .any(|part| part == std::path::Component::ParentDir);
            if !is_plain || !(place.starts_with(&root) || self.is_below(&place)) {
                return None;
            }
            let place = place.canonicalize().ok()?;
            place.starts_with(&root).then_some(place)
        })
    }

    /// Whether a whole path begins with a root as the operator wrote it.
    fn is_below(&self, place: &Path) -> bool {
        self.roots.iter().any(|root| place.starts_with(root))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn only_what_lies_in_the_roots_is_read() {
        let all = tempfile::tempdir().unwrap();
        let (root, outside) = (all.path().join("models"), all.path().join("outside"));
        for folder in [root.join("org/model"), outside.clone()] {
            fs::create_dir_all(folder).unwrap();
        }
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        let places = ModelPlaces {
            roots: vec![root.clone()],
            downloads: false,
        };
        let model = root.join("org/model");
        let whole = model.to_string_lossy().into_owned();
        for name in ["org/model", &whole] {
            assert_eq!(places.sae(name).unwrap(), model.canonicalize().unwrap());
            assert_eq!(
                PathBuf::from(places.model(name).unwrap()),
                model.canonicalize().unwrap()
            );
        }
        let outside = outside.to_string_lossy().into_owned();
        for name in [
            "",
            "link",
            "../outside",
            "org/../../outside",
            &outside,
            "/etc",
            "nothing",
        ] {
            let refused = places.sae(name).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::NotFound, "{name}");
            assert!(places.model(name).is_err(), "{name}");
        }
        assert_eq!(places.model("someone/model").unwrap(), "someone/model");
        assert!(places.model("someone/model/part").is_err());
    }
}
