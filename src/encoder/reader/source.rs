//! Where the weights of a reader lie: a safetensors folder or a GGUF file.
//!
//! Both give tensors as f32 by the names that transformers has. Quantised weights are dequantised
//! once, at load, since many tokens share each weight (`cargo bench --bench readers` measures the
//! products over f32 panels next to candle's quantised ones); memory is what they cost, so only the
//! layers up to the hooked one are loaded.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::gguf_file::Content;
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hex::hex;

/// Tensors by the names of transformers, as f32.
pub(super) trait Weights {
    /// Whether there is such a tensor.
    fn has(&self, name: &str) -> bool;

    /// A tensor's values, row-major, its shape checked.
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>>;
}

fn missing(name: &str, origin: &str) -> Error {
    Error::corrupted(format!("{origin} has no tensor {name}"))
}

fn wrong_shape(name: &str, found: &[usize], shape: &[usize]) -> Error {
    Error::corrupted(format!(
        "tensor {name} has shape {found:?}; the model's configuration says {shape:?}"
    ))
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
        match view.dtype() {
            Dtype::F32 => Ok(bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect()),
            Dtype::F16 => Ok(bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| f16::from_le_bytes(*b).to_f32())
                .collect()),
            Dtype::BF16 => Ok(bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| bf16::from_le_bytes(*b).to_f32())
                .collect()),
            other => Err(Error::precondition(format!(
                "tensor {name} of {} has type {other:?}; F32, F16 and BF16 are read",
                path.display()
            ))),
        }
    }
}

impl SafetensorsFolder {
    /// A tensor's name in the files, with or without the prefix of the head's module, and its file.
    fn find(&self, name: &str) -> Option<(String, usize)> {
        let bare = name.strip_prefix("model.").unwrap_or(name);
        [name, bare]
            .iter()
            .find_map(|name| Some(((*name).to_owned(), *self.places.get(*name)?)))
    }
}

/// The tensors of a GGUF file, dequantised one by one.
pub(super) struct GgufTensors<'c> {
    file: BufReader<File>,
    content: &'c Content,
    origin: String,
    /// Heads whose rows were reordered for interleaved rotation: (query heads, key heads).
    permuted: Option<(usize, usize)>,
}

impl<'c> GgufTensors<'c> {
    /// The tensors that `content` lists. `permuted` says that queries and keys lie in the order
    /// that llama.cpp's converter gives them for the architecture `llama`.
    pub(super) fn open(
        path: &Path,
        content: &'c Content,
        permuted: Option<(usize, usize)>,
    ) -> Result<Self> {
        Ok(Self {
            file: BufReader::new(File::open(path)?),
            content,
            origin: path.display().to_string(),
            permuted,
        })
    }
}

impl Weights for GgufTensors<'_> {
    fn has(&self, name: &str) -> bool {
        let name = gguf_name(name);
        name.is_some_and(|name| self.content.tensor_infos.contains_key(&name))
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let own_name = gguf_name(name).ok_or_else(|| missing(name, &self.origin))?;
        let info = self
            .content
            .tensor_infos
            .get(&own_name)
            .ok_or_else(|| missing(&own_name, &self.origin))?;
        if info.shape.dims() != shape {
            return Err(wrong_shape(&own_name, info.shape.dims(), shape));
        }
        let values = self
            .content
            .tensor(&mut self.file, &own_name, &Device::Cpu)
            .and_then(|tensor| {
                tensor
                    .dequantize(&Device::Cpu)?
                    .flatten_all()?
                    .to_vec1::<f32>()
            })
            .map_err(|error| {
                Error::corrupted(format!(
                    "tensor {own_name} of {} is not readable",
                    self.origin
                ))
                .with_source(error)
            })?;
        let inputs = shape.get(1).copied().unwrap_or(1);
        Ok(match self.permuted {
            Some((heads, _)) if name.contains(".q_proj.") => halves(&values, heads, inputs),
            Some((_, heads)) if name.contains(".k_proj.") => halves(&values, heads, inputs),
            _ => values,
        })
    }
}

/// llama.cpp's name of a tensor.
fn gguf_name(name: &str) -> Option<String> {
    if name == "model.embed_tokens.weight" {
        return Some("token_embd.weight".to_owned());
    }
    let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (module, kind) = part.rsplit_once('.')?;
    let module = match module {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{module}.{kind}"))
}

/// Rows of heads in interleaved order (0, half, 1, half + 1, ...) back into halves.
fn halves(values: &[f32], heads: usize, inputs: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    let head_rows = values.len() / inputs / heads;
    let half = head_rows / 2;
    for (row, source) in values.chunks_exact(inputs).enumerate() {
        let (head, at) = (row / head_rows, row % head_rows);
        let target = head * head_rows + at % 2 * half + at / 2;
        out[target * inputs..(target + 1) * inputs].copy_from_slice(source);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_heads_come_back_into_halves() {
        // Two heads of four rows of one value: 0 2 1 3 is the interleaved order of 0 1 2 3.
        let interleaved = [0.0, 2.0, 1.0, 3.0, 10.0, 12.0, 11.0, 13.0];
        let expected = [0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0];
        assert_eq!(halves(&interleaved, 2, 1), expected);
    }

    #[test]
    fn tensors_have_their_names_in_both_formats() {
        for (name, expected) in [
            ("model.embed_tokens.weight", "token_embd.weight"),
            (
                "model.layers.12.self_attn.q_proj.bias",
                "blk.12.attn_q.bias",
            ),
            (
                "model.layers.0.mlp.down_proj.weight",
                "blk.0.ffn_down.weight",
            ),
        ] {
            assert_eq!(gguf_name(name).as_deref(), Some(expected));
        }
        assert_eq!(gguf_name("lm_head.weight"), None);
    }
}
