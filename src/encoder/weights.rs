//! The weights of a model: a safetensors file, or several with an index.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hex::hex;

/// What stands before the names of a model's tensors where it was saved as a part of another.
const PREFIXES: [&str; 6] = ["", "model.", "bert.", "roberta.", "mpnet.", "distilbert."];

/// Tensors as f32, by the names that transformers has for them in the bare model.
pub(super) trait Weights {
    /// Whether there is such a tensor.
    fn has(&self, name: &str) -> bool;

    /// A tensor's values, row-major, its shape checked.
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>>;
}

pub(super) fn missing(name: &str, origin: &str) -> Error {
    Error::corrupted(format!("{origin} has no tensor {name}"))
}

pub(super) fn wrong_shape(name: &str, found: &[usize], shape: &[usize]) -> Error {
    Error::corrupted(format!(
        "tensor {name} has shape {found:?}; the model's configuration says {shape:?}"
    ))
}

impl SafetensorsFolder {
    /// A tensor's shape.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let (own_name, file) = self.find(name)?;
        let (path, map) = &self.files[file];
        let tensors = parse(map, path).ok()?;
        Some(tensors.tensor(&own_name).ok()?.shape().to_vec())
    }
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn sha256_of_file(path: &Path) -> Result<String> {
    Ok(hex(Sha256::digest(map(path)?)))
}

/// The safetensors files of a folder: one, or the shards that an index names.
pub(super) struct SafetensorsFolder {
    files: Vec<(PathBuf, Mmap)>,
    /// File by tensor.
    places: HashMap<String, usize>,
}

impl SafetensorsFolder {
    /// Maps `model.safetensors` or the files of `model.safetensors.index.json`.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let mut places = HashMap::new();
        for path in weight_files(folder)? {
            let map = map(&path)?;
            let tensors = parse(&map, &path)?;
            for name in tensors.names() {
                places.insert(name.to_owned(), files.len());
            }
            files.push((path, map));
        }
        Ok(Self { files, places })
    }

    /// SHA-256 of the file, or of the files' hashes where there are several.
    pub(super) fn sha256(&self) -> String {
        let hashes: Vec<_> = self
            .files
            .iter()
            .map(|(_, map)| Sha256::digest(map))
            .collect();
        match &hashes[..] {
            [one] => hex(one),
            several => {
                let mut all = Sha256::new();
                several.iter().for_each(|hash| all.update(hash));
                hex(all.finalize())
            }
        }
    }
}

/// The weight files of a folder, in the order of their names.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index = folder.join("model.safetensors.index.json");
    if !index.is_file() {
        return Err(Error::not_found(format!(
            "{} has neither model.safetensors nor model.safetensors.index.json",
            folder.display()
        )));
    }
    let value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&index)?).map_err(|error| {
            Error::corrupted(format!("{} is not JSON", index.display())).with_source(error)
        })?;
    let mut names: Vec<&str> = value["weight_map"]
        .as_object()
        .into_iter()
        .flat_map(|map| map.values().filter_map(|file| file.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    // A shard lies in the folder of its index, whatever the index says.
    let is_plain = |name: &&str| Path::new(name).components().count() == 1 && *name != "..";
    if names.is_empty() || !names.iter().all(is_plain) {
        return Err(Error::corrupted(format!(
            "{} names no files of its folder",
            index.display()
        )));
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

#[expect(
    unsafe_code,
    reason = "maps model files, which are larger than memory at times"
)]
fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(|error| {
        Error::not_found(format!("cannot open {}", path.display())).with_source(error)
    })?;
    // SAFETY: the map is read only; a model file that somebody cuts short while it is read ends
    // the process, as with any memory-mapped model.
    Ok(unsafe { Mmap::map(&file) }?)
}

fn parse<'m>(map: &'m Mmap, path: &Path) -> Result<SafeTensors<'m>> {
    SafeTensors::deserialize(map).map_err(|error| {
        Error::corrupted(format!("{} is not a safetensors file", path.display())).with_source(error)
    })
}

impl Weights for SafetensorsFolder {
    fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (own_name, file) = self.find(name).ok_or_else(|| {
            let origin = self.files.first();
            missing(
                name,
                &origin.map_or(String::new(), |(path, _)| path.display().to_string()),
            )
        })?;
        let (path, map) = &self.files[file];
        let tensors = parse(map, path)?;
        let view = tensors
            .tensor(&own_name)
            .map_err(|_| missing(name, &path.display().to_string()))?;
        if view.shape() != shape {
            return Err(wrong_shape(name, view.shape(), shape));
        }
        let bytes = view.data();
        let (twos, fours, eights) = (
            bytes.as_chunks().0,
            bytes.as_chunks().0,
            bytes.as_chunks().0,
        );
        Ok(match view.dtype() {
            Dtype::F32 => fours.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F64 => eights
                .iter()
                .map(|b| f64::from_le_bytes(*b) as f32)
                .collect(),
            Dtype::F16 => twos
                .iter()
                .map(|b| f16::from_le_bytes(*b).to_f32())
                .collect(),
            Dtype::BF16 => twos
                .iter()
                .map(|b| bf16::from_le_bytes(*b).to_f32())
                .collect(),
            Dtype::I8 => bytes.iter().map(|b| f32::from(b.cast_signed())).collect(),
            Dtype::I32 => fours
                .iter()
                .map(|b| i32::from_le_bytes(*b) as f32)
                .collect(),
            Dtype::I64 => eights
                .iter()
                .map(|b| i64::from_le_bytes(*b) as f32)
                .collect(),
            other => {
                return Err(Error::precondition(format!(
                    "tensor {name} of {} has type {other:?}; F64, F32, F16, BF16, I64, I32 and I8 are read",
                    path.display()
                )));
            }
        })
    }
}

impl SafetensorsFolder {
    /// A tensor's name in the files, whatever module of a larger model it was saved with, and its file.
    fn find(&self, name: &str) -> Option<(String, usize)> {
        PREFIXES
            .iter()
            .map(|prefix| format!("{prefix}{name}"))
            .find_map(|name| Some((name.clone(), *self.places.get(&name)?)))
    }
}
