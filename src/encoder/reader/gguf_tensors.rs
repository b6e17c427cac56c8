//! The tensors of a GGUF file by the names that transformers has.
//!
//! Quantised weights are dequantised once, at load, since many tokens share each weight (`cargo bench --bench
//! readers` measures the products over f32 panels next to candle's quantised ones); memory is what they cost, so
//! only the layers up to the hooked one are loaded.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::Content;

use crate::encoder::weights::{Weights, missing, wrong_shape};
use crate::error::{Error, Result};

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
    if name == "embed_tokens.weight" {
        return Some("token_embd.weight".to_owned());
    }
    if name == "rope_freqs.weight" {
        return Some(name.to_owned());
    }
    let (layer, part) = name.strip_prefix("layers.")?.split_once('.')?;
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
            ("embed_tokens.weight", "token_embd.weight"),
            ("layers.12.self_attn.q_proj.bias", "blk.12.attn_q.bias"),
            ("layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"),
        ] {
            assert_eq!(gguf_name(name).as_deref(), Some(expected));
        }
        let frequencies = "rope_freqs.weight";
        assert_eq!(gguf_name(frequencies).as_deref(), Some(frequencies));
        assert_eq!(gguf_name("lm_head.weight"), None);
    }
}
