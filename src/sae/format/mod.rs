//! How an SAE is stored, one file per layout.
//!
//! LatentDB serves, trains and writes one layout, SAELens' ([`sae_lens`]); [`import`] reads the
//! others, so that they can be converted once and offline:
//!
//! | format | files | read by |
//! |---|---|---|
//! | SAELens | `cfg.json`, `sae_weights.safetensors` | [`sae_lens`] |
//! | Gemma Scope | `params.npz` | `gemma_scope` |
//! | Gemma Scope 2 | `config.json`, `params.safetensors` | `gemma_scope` |
//! | sparsify | `cfg.json`, `sae.safetensors` | `sparsify` |
//! | dictionary_learning | `config.json`, `ae.pt` | `dictionary_learning` |
//! | openai/sparse_autoencoder | one `.pt` | `openai` |
//! | O'Neill et al. 2024 | one `{domain}_{k}_{n}_{x}.pth` | `openai` |
//! | HypotheSAEs | one `.pt` of `{config, state_dict}` | `hypothesaes` |
//! | latentsae | `cfg.json` with `sae_type`, `sae.safetensors` | `latentsae` |
//! | sentence-transformers (CSR) | `config.json`, `model.safetensors` of a `SparseAutoEncoder` | `sentence_transformers` |
//! | Llama Scope | `hyperparams.json`, `checkpoints/final.safetensors` | `llama_scope` |
//! | Goodfire | one `.pt` or `.pth` of `encoder_linear`, `decoder_linear` | `goodfire` |
//!
//! A reader either understands everything that changes the result or refuses by naming it: an
//! unknown activation, a missing key, a tensor or a setting nobody asked for, a scaling factor that
//! is not 1. Pickles are read without running anything (`pickle`).

mod config;
mod detect;
mod dictionary_learning;
mod gemma_scope;
mod goodfire;
mod hypothesaes;
mod latentsae;
mod llama_scope;
mod npz;
mod openai;
mod pickle;
pub mod sae_lens;
mod sentence_transformers;
mod source;
mod sparsify;
mod tensors;
mod torch;
mod write;

use std::path::Path;

use crate::error::{Error, Result};

use super::model::Sae;

pub use detect::{Format, detect, is_relevant};
pub use sae_lens::{check_destination, save};

/// Opens an SAE from a directory in SAELens' layout.
///
/// # Errors
/// `NotFound` when the directory holds none; the message says how to import what it holds instead.
/// Those of [`sae_lens::load`] otherwise.
pub fn open(dir: &Path) -> Result<Sae> {
    if sae_lens::is_here(dir) {
        return sae_lens::load(dir);
    }
    let module = sentence_transformers::module_of(dir);
    let advice = match detect(module.as_deref().unwrap_or(dir)) {
        Ok(format) => format!(
            "it holds one in the format {format}; `latentdb sae import {} --out DIR` converts it",
            dir.display()
        ),
        Err(_) => format!(
            "expected {} and {}",
            sae_lens::CONFIG_FILE,
            sae_lens::WEIGHTS_FILE
        ),
    };
    Err(Error::not_found(format!(
        "{} holds no SAE to be served: {advice}",
        dir.display()
    )))
}

/// Reads an SAE of any format of the table above from a folder or a file, for conversion.
///
/// The record of the result says the format, the file of the weights and its SHA-256, and what the
/// source says about its vectors (model, layer, data).
///
/// # Errors
/// `NotFound` when there is nothing at `source`; `InvalidArgument` naming the format that is not
/// clear, or the tensor, setting, opcode or value that is not understood; `Corrupted` when a file
/// is not what its name says.
///
/// ```no_run
/// use std::path::Path;
/// use latentdb::sae::format;
///
/// let sae = format::import(Path::new("layer_20/width_16k/average_l0_71"), None)?;
/// format::save(&sae, Path::new("sae"))?;
/// # Ok::<(), latentdb::error::Error>(())
/// ```
pub fn import(source: &Path, format: Option<Format>) -> Result<Sae> {
    let module = sentence_transformers::module_of(source);
    let source = module.as_deref().unwrap_or(source);
    let format = match format {
        Some(format) => format,
        None => detect(source)?,
    };
    let file = detect::weights_of(source, format)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut sae = match format {
        Format::SaeLens => sae_lens::load(folder)?,
        Format::GemmaScope => gemma_scope::load(&file)?,
        Format::GemmaScope2 => gemma_scope::load_2(folder)?,
        Format::Sparsify => sparsify::load(folder)?,
        Format::DictionaryLearning => dictionary_learning::load(folder)?,
        Format::OpenAi => openai::load(&file)?,
        Format::ONeill => openai::load_oneill(&file)?,
        Format::HypotheSaes => hypothesaes::load(&file)?,
        Format::LatentSae => latentsae::load(folder)?,
        Format::SentenceTransformers => sentence_transformers::load(folder)?,
        Format::LlamaScope => llama_scope::load(folder.parent().unwrap_or(Path::new(".")))?,
        Format::Goodfire => goodfire::load(&file)?,
    };
    sae.set_about("format", format.name());
    sae.set_about("source_file", file.display().to_string());
    sae.set_about("source_sha256", source::file_hash(&file)?);
    Ok(sae)
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
