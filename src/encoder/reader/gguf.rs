//! What a GGUF file says of its model: shapes, tokenizer, chat template.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

use super::chat::ModelTemplate;
use super::gguf_tensors::GgufTensors;
use crate::encoder::architecture::LlamaConfig;
use crate::encoder::rope::{Rope, Scaling};
use crate::encoder::weights::Weights;
use crate::error::{Error, Result};

/// The pre-tokenisation pattern of Llama 3.
const LLAMA3_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The pre-tokenisation pattern of Qwen2.
const QWEN2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A GGUF file, its tensors not yet read.
pub(super) struct GgufFile {
    content: Content,
    origin: String,
}

impl GgufFile {
    /// Reads the header.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| {
            Error::not_found(format!("cannot open {}", path.display())).with_source(error)
        })?;
        let content = Content::read(&mut BufReader::new(file)).map_err(|error| {
            Error::corrupted(format!("{} is not a readable GGUF file", path.display()))
                .with_source(error)
        })?;
        Ok(Self {
            content,
            origin: path.display().to_string(),
        })
    }

    /// The tensors of the file at `path`, which is the one that was opened.
    pub(super) fn tensors(&self, path: &Path, config: &LlamaConfig) -> Result<GgufTensors<'_>> {
        // The converter reorders queries and keys for this architecture only.
        let is_llama = self.text("general.architecture") == Some("llama");
        let permuted = is_llama.then_some((config.heads, config.kv_heads));
        GgufTensors::open(path, &self.content, permuted)
    }

    /// Shapes and constants.
    ///
    /// # Errors
    /// `FailedPrecondition` naming an architecture or setting that is not run, `Corrupted` where a
    /// value is missing.
    pub(super) fn config(&self, path: &Path) -> Result<LlamaConfig> {
        let architecture = self.text("general.architecture").unwrap_or_default();
        if !["llama", "qwen2", "qwen3"].contains(&architecture) {
            return Err(self.not_run(&format!("is a model of architecture {architecture:?}")));
        }
        let key = |name: &str| format!("{architecture}.{name}");
        if self
            .size(&key("expert_count"))
            .is_some_and(|experts| experts > 0)
        {
            return Err(self.not_run("is a mixture of experts"));
        }
        let need = |name: &str| {
            let key = key(name);
            let value = self.size(&key);
            value.ok_or_else(|| Error::corrupted(format!("{} has no {key}", self.origin)))
        };
        let (width, heads) = (need("embedding_length")?, need("attention.head_count")?);
        let head_width = self
            .size(&key("attention.key_length"))
            .unwrap_or(width / heads.max(1));
        if let Some(turned) = self.size(&key("rope.dimension_count"))
            && turned != head_width
        {
            let what = format!("turns {turned} of the {head_width} values of a head");
            return Err(self.not_run(&what));
        }
        let words = self.content.tensor_infos.get("token_embd.weight");
        let config = LlamaConfig {
            width,
            heads,
            kv_heads: self.size(&key("attention.head_count_kv")).unwrap_or(heads),
            head_width,
            middle: need("feed_forward_length")?,
            layers: need("block_count")?,
            vocabulary: words
                .and_then(|words| words.shape.dims().first().copied())
                .unwrap_or(0),
            context: need("context_length")?,
            eps: self
                .float(&key("attention.layer_norm_rms_epsilon"))
                .unwrap_or(1e-5) as f32,
            rope: Rope {
                theta: self.float(&key("rope.freq_base")).unwrap_or(10_000.0),
                scaling: Scaling::None,
            },
        }
        .check(&self.origin)?;
        let scaling = self.scaling(path, &config, &key("rope.scaling"))?;
        Ok(LlamaConfig {
            rope: Rope {
                scaling,
                ..config.rope
            },
            ..config
        })
    }

    fn scaling(&self, path: &Path, config: &LlamaConfig, key: &str) -> Result<Scaling> {
        if self.content.tensor_infos.contains_key("rope_freqs.weight") {
            let mut tensors = self.tensors(path, config)?;
            let factors = tensors.tensor("rope_freqs.weight", &[config.head_width / 2])?;
            return Ok(Scaling::Each(factors));
        }
        match self.text(&format!("{key}.type")) {
            None | Some("none") => Ok(Scaling::None),
            Some("linear") => {
                let factor = self.float(&format!("{key}.factor"));
                Ok(factor.map_or(Scaling::None, Scaling::Linear))
            }
            Some(other) => Err(self.not_run(&format!("scales positions by {other:?}"))),
        }
    }

    /// The tokenizer: `tokenizer.json` next to the file, if any, else the file's own.
    ///
    /// # Errors
    /// `FailedPrecondition` naming a kind of tokenizer that GGUF files do not describe completely.
    pub(super) fn tokenizer(&self, path: &Path) -> Result<Tokenizer> {
        let own = path.with_file_name("tokenizer.json");
        if own.is_file() {
            return Tokenizer::from_file(&own).map_err(|error| {
                Error::corrupted(format!("{} is not a usable tokenizer", own.display()))
                    .with_source(error)
            });
        }
        let kind = self.text("tokenizer.ggml.model").unwrap_or_default();
        let split = self.text("tokenizer.ggml.pre").unwrap_or("default");
        let pre_tokenizer = pre_tokenizer(split);
        let (true, Some(pre_tokenizer)) = (kind == "gpt2", pre_tokenizer) else {
            return Err(Error::precondition(format!(
                "{} has a tokenizer of kind {kind:?} that splits text as {split:?}; gpt2 with \
                 default, smollm, starcoder, llama-bpe or qwen2 is built from a GGUF file. Put the \
                 model's tokenizer.json next to it",
                self.origin
            )));
        };
        let mut tokenizer = Tokenizer::from_gguf(&self.content).map_err(|error| {
            Error::corrupted(format!("the tokenizer of {} is not usable", self.origin))
                .with_source(error)
        })?;
        // candle knows some of the splits only, and takes GPT-2's with a leading space for others.
        tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
        if is_llama3(split)
            && let ModelWrapper::BPE(bpe) = tokenizer.get_model()
        {
            // Whole words of the vocabulary are taken unmerged; the file does not say so.
            let mut bpe = bpe.clone();
            bpe.ignore_merges = true;
            tokenizer.with_model(bpe);
        }
        if split == "qwen2" {
            tokenizer.with_normalizer(Some(NFC)).map_err(|error| {
                Error::internal("a normalizer cannot be set").with_source(error)
            })?;
        }
        Ok(tokenizer)
    }

    /// The chat template with what it may name.
    pub(super) fn chat_template(&self) -> ModelTemplate {
        ModelTemplate {
            source: self.text("tokenizer.chat_template").map(str::to_owned),
            bos: self.special("bos_token_id"),
            eos: self.special("eos_token_id"),
        }
    }

    /// The beginning-of-sequence token.
    pub(super) fn bos(&self) -> Option<u32> {
        let id = self.size("tokenizer.ggml.bos_token_id")?;
        u32::try_from(id).ok()
    }

    fn special(&self, name: &str) -> Option<String> {
        let id = self.size(&format!("tokenizer.ggml.{name}"))?;
        match self.metadata().get("tokenizer.ggml.tokens") {
            Some(Value::Array(tokens)) => tokens.get(id)?.to_string().ok().cloned(),
            _ => None,
        }
    }

    fn metadata(&self) -> &HashMap<String, Value> {
        &self.content.metadata
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.metadata().get(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn size(&self, key: &str) -> Option<usize> {
        let value = match self.metadata().get(key)? {
            Value::I32(value) => u64::try_from(*value).ok()?,
            Value::I64(value) => u64::try_from(*value).ok()?,
            value => value.to_u64().ok()?,
        };
        usize::try_from(value).ok()
    }

    fn float(&self, key: &str) -> Option<f64> {
        match self.metadata().get(key)? {
            Value::F32(value) => Some(f64::from(*value)),
            Value::F64(value) => Some(*value),
            _ => None,
        }
    }

    fn not_run(&self, what: &str) -> Error {
        Error::precondition(format!(
            "{} {what}; this reader runs llama, qwen2 and qwen3 (dense, whole heads turned, \
             positions unscaled, linear or as Llama 3.1)",
            self.origin
        ))
    }
}

fn is_llama3(split: &str) -> bool {
    ["llama-bpe", "llama3", "llama-v3"].contains(&split)
}

/// The pre-tokenisation pattern, by llama.cpp's name.
fn pre_tokenizer(split: &str) -> Option<PreTokenizerWrapper> {
    let by = |pattern: &str| {
        let pattern = SplitPattern::Regex(pattern.to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).ok()?;
        let bytes = ByteLevel::new(false, true, false);
        Some(Sequence::new(vec![split.into(), bytes.into()]).into())
    };
    let gpt2 = ByteLevel::new(false, true, true);
    match split {
        "default" | "gpt-2" | "gpt2" => Some(gpt2.into()),
        "smollm" | "starcoder" => {
            Some(Sequence::new(vec![Digits::new(true).into(), gpt2.into()]).into())
        }
        "qwen2" | "deepseek-r1-qwen" => by(QWEN2_SPLIT),
        _ if is_llama3(split) => by(LLAMA3_SPLIT),
        _ => None,
    }
}
