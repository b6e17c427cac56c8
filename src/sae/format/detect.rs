//! Which format a folder or a file has, from what it holds.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};

use super::torch::Checkpoint;
use super::{
    dictionary_learning, gemma_scope, goodfire, hypothesaes, latentsae, llama_scope, openai,
    sae_lens, sentence_transformers, sparsify,
};

/// A format that [`super::import`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// SAELens, of any version.
    SaeLens,
    /// Gemma Scope.
    GemmaScope,
    /// Gemma Scope 2.
    GemmaScope2,
    /// EleutherAI's sparsify.
    Sparsify,
    /// dictionary_learning.
    DictionaryLearning,
    /// openai/sparse_autoencoder.
    OpenAi,
    /// The release of O'Neill et al. 2024 (arXiv 2408.00657).
    ONeill,
    /// HypotheSAEs.
    HypotheSaes,
    /// latentsae.
    LatentSae,
    /// The `SparseAutoEncoder` module of sentence-transformers.
    SentenceTransformers,
    /// Llama Scope.
    LlamaScope,
    /// Goodfire's releases.
    Goodfire,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 12] = [
        Self::SaeLens,
        Self::GemmaScope,
        Self::GemmaScope2,
        Self::Sparsify,
        Self::DictionaryLearning,
        Self::OpenAi,
        Self::ONeill,
        Self::HypotheSaes,
        Self::LatentSae,
        Self::SentenceTransformers,
        Self::LlamaScope,
        Self::Goodfire,
    ];

    /// The name that commands take.
    pub fn name(self) -> &'static str {
        match self {
            Self::SaeLens => "sae-lens",
            Self::GemmaScope => "gemma-scope",
            Self::GemmaScope2 => "gemma-scope-2",
            Self::Sparsify => "sparsify",
            Self::DictionaryLearning => "dictionary-learning",
            Self::OpenAi => "openai",
            Self::ONeill => "oneill",
            Self::HypotheSaes => "hypothesaes",
            Self::LatentSae => "latentsae",
            Self::SentenceTransformers => "sentence-transformers",
            Self::LlamaScope => "llama-scope",
            Self::Goodfire => "goodfire",
        }
    }

    /// The files a folder of this format holds, that with the weights first; none for formats of
    /// one file of any name.
    fn files(self) -> &'static [&'static str] {
        match self {
            Self::SaeLens => &[sae_lens::WEIGHTS_FILE, sae_lens::CONFIG_FILE],
            Self::GemmaScope => &[gemma_scope::WEIGHTS_FILE],
            Self::GemmaScope2 => &[gemma_scope::WEIGHTS_FILE_2, gemma_scope::CONFIG_FILE_2],
            Self::Sparsify | Self::LatentSae => &[sparsify::WEIGHTS_FILE, sparsify::CONFIG_FILE],
            Self::SentenceTransformers => &[
                sentence_transformers::WEIGHTS_FILE,
                sentence_transformers::CONFIG_FILE,
            ],
            Self::DictionaryLearning => &[
                dictionary_learning::WEIGHTS_FILE,
                dictionary_learning::CONFIG_FILE,
            ],
            Self::LlamaScope => &[llama_scope::WEIGHTS_FILE, llama_scope::CONFIG_FILE],
            Self::OpenAi | Self::ONeill | Self::HypotheSaes | Self::Goodfire => &[],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid("format", format!("is {name:?}; accepted: {names}"))
        })
    }
}

/// Whether a file of this name belongs to an SAE of some format: what to fetch of a repository.
pub fn is_relevant(file_name: &str) -> bool {
    let is_named = |file: &&str| Path::new(file).file_name() == Some(file_name.as_ref());
    is_checkpoint(Path::new(file_name))
        || file_name == sae_lens::SCALER_FILE
        || Format::ALL
            .iter()
            .any(|format| format.files().iter().any(is_named))
}

/// The format of what lies at `source`.
///
/// # Errors
/// `NotFound` when nothing does; `InvalidArgument` when it is no format or could be several, naming
/// them.
pub fn detect(source: &Path) -> Result<Format> {
    if source.is_dir() {
        return detect_folder(source);
    }
    if !source.is_file() {
        return Err(Error::not_found(format!(
            "there is nothing at {}",
            source.display()
        )));
    }
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let folder = source.parent().unwrap_or(Path::new("."));
    let named: Vec<Format> = Format::ALL
        .into_iter()
        .filter(|format| format.files().contains(&&*name) && is_folder_of(folder, *format))
        .collect();
    match named[..] {
        [format] => Ok(format),
        [] if is_checkpoint(source) => detect_checkpoint(source),
        [] => Err(unclear(source, "is no file of a known format")),
        _ => Err(several(source, &named)),
    }
}

fn detect_folder(folder: &Path) -> Result<Format> {
    let mut found: Vec<Format> = Format::ALL
        .into_iter()
        .filter(|format| !format.files().is_empty() && is_folder_of(folder, *format))
        .collect();
    let single = single_files(folder)?;
    match &single[..] {
        [] => {}
        [file] => found.push(detect_checkpoint(file)?),
        files => {
            return Err(unclear(
                folder,
                &format!("holds {} checkpoints; name the file", files.len()),
            ));
        }
    }
    match found[..] {
        [format] => Ok(format),
        [] => Err(unclear(folder, "holds no SAE of a known format")),
        _ => Err(several(folder, &found)),
    }
}

fn is_folder_of(folder: &Path, format: Format) -> bool {
    let files = format.files().iter();
    // Files of the same names belong to several.
    let has_own = match format {
        Format::Sparsify => !latentsae::is_here(folder),
        Format::LatentSae => latentsae::is_here(folder),
        Format::SentenceTransformers => sentence_transformers::is_here(folder),
        _ => true,
    };
    has_own && files.clone().all(|file| folder.join(file).is_file())
}

/// The checkpoints of a folder that belong to formats of a single file.
fn single_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let own = path.file_name() == Some(dictionary_learning::WEIGHTS_FILE.as_ref());
        if is_checkpoint(&path) && path.is_file() && !own {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_checkpoint(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "pt" || extension == "pth")
}

/// The format of one file of torch, from the names at its root.
fn detect_checkpoint(path: &Path) -> Result<Format> {
    let checkpoint = Checkpoint::open(path)?;
    let root = checkpoint.root();
    if hypothesaes::is_here(root) {
        return Ok(Format::HypotheSaes);
    }
    if goodfire::is_here(root) {
        return Ok(Format::Goodfire);
    }
    if openai::is_here(root) {
        return match (root.has("activation"), openai::oneill_name(path).is_some()) {
            (true, false) => Ok(Format::OpenAi),
            (false, true) => Ok(Format::ONeill),
            // The same names with other conventions: a guess could be wrong without a sign of it.
            (true, true) => Err(several(path, &[Format::OpenAi, Format::ONeill])),
            (false, false) => Err(unclear(
                path,
                "has the tensors of openai and of oneill, but neither an activation nor a name \
                 {domain}_{k}_{n}_{x}.pth; --format says which it is",
            )),
        };
    }
    Err(unclear(
        path,
        &format!(
            "has the names {:?}, which no known format has",
            root.names()
        ),
    ))
}

/// The file of the weights at `source`, taken as `format`.
///
/// # Errors
/// `InvalidArgument` naming what is missing.
pub(super) fn weights_of(source: &Path, format: Format) -> Result<PathBuf> {
    let Some(weights) = format.files().first() else {
        if source.is_file() {
            return Ok(source.to_owned());
        }
        return match <[PathBuf; 1]>::try_from(single_files(source)?) {
            Ok([file]) => Ok(file),
            Err(files) => Err(unclear(
                source,
                &format!("holds {} checkpoints; name the file", files.len()),
            )),
        };
    };
    let folder = if source.is_dir() {
        source
    } else {
        source.parent().unwrap_or(Path::new("."))
    };
    // A file of another name than the usual one is taken where the format needs no second.
    if source.is_file() && format.files().len() == 1 {
        return Ok(source.to_owned());
    }
    match format
        .files()
        .iter()
        .find(|file| !folder.join(file).is_file())
    {
        None => Ok(folder.join(weights)),
        Some(missing) => Err(unclear(
            folder,
            &format!("has no {missing}, which the format {format} needs"),
        )),
    }
}

fn unclear(source: &Path, what: &str) -> Error {
    Error::invalid("source", format!("{} {what}", source.display()))
}

fn several(source: &Path, formats: &[Format]) -> Error {
    let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
    unclear(
        source,
        &format!(
            "could be of the formats {}; --format says which it is",
            names.join(", ")
        ),
    )
}
