//! dictionary_learning: `config.json` and `ae.pt`.
//!
//! | class | code |
//! |---|---|
//! | `AutoEncoder` | `ReLU((x - bias) W_encᵀ + b)` |
//! | `AutoEncoderNew` | `ReLU(x W_encᵀ + b)` |
//! | `AutoEncoderTopK` | the k largest of `ReLU((x - b_dec) W_encᵀ + b)`; its `threshold` is not used |
//! | `BatchTopKSAE`, `MatryoshkaBatchTopKSAE` | `ReLU(p) * 1[ReLU(p) > threshold]`, `p` as above |
//! | `JumpReluAutoEncoder` | `p * 1[p > threshold_i]`, `p = x W_enc + b_enc` |
//! | `GatedAutoEncoder` | `1[q + gate_bias > 0] * ReLU(exp(r_mag) q + mag_bias)`, `q = (x - decoder_bias) W_encᵀ` |

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};
use crate::sae::weights::transposed;

use super::config::Config;
use super::source::imported;
use super::tensors::Tensors;
use super::torch::Checkpoint;

/// The configuration.
pub(super) const CONFIG_FILE: &str = "config.json";
/// The tensors.
pub(super) const WEIGHTS_FILE: &str = "ae.pt";

/// What the configuration says about where the vectors come from.
const FACTS: [&str; 6] = [
    "trainer_class",
    "lm_name",
    "layer",
    "submodule_name",
    "steps",
    "seed",
];

/// Reads a folder.
pub(super) fn load(folder: &Path) -> Result<Sae> {
    let mut config = Config::read(&folder.join(CONFIG_FILE))?;
    let trainer = config
        .take_object("trainer")?
        .ok_or_else(|| Error::invalid("trainer", format!("is missing from {CONFIG_FILE}")))?;
    // Every other setting is of the training; the class and the sizes say all of the formula.
    let mut trainer = Config::of(CONFIG_FILE, trainer);
    let mut about = BTreeMap::new();
    trainer.take_facts(&FACTS, &mut about);
    let class = trainer
        .take_text("dict_class")?
        .ok_or_else(|| Error::invalid("dict_class", format!("is missing from {CONFIG_FILE}")))?;
    about.insert("dict_class".to_owned(), class.clone());
    let d_in = trainer.take_size("activation_dim")?;
    let n = trainer.take_size("dict_size")?;
    let k = trainer.take_optional_size("k")?;

    let mut checkpoint = Checkpoint::open(&folder.join(WEIGHTS_FILE))?;
    let root = checkpoint.take_root();
    let mut tensors = checkpoint.tensors(root)?;
    let mut reader = Reader {
        tensors: &mut tensors,
        d_in,
        n,
    };
    let mut parts = match class.as_str() {
        "AutoEncoder" => reader.linear(Architecture::Standard, "bias")?,
        "AutoEncoderNew" => {
            let mut parts = reader.linear(Architecture::Standard, "decoder.bias")?;
            parts.apply_b_dec_to_input = false;
            parts
        }
        "AutoEncoderTopK" => {
            let k = reader.k(k)?;
            reader.tensors.drop_bookkeeping("threshold");
            let architecture = Architecture::TopK {
                k,
                rescale_by_decoder_norm: false,
            };
            reader.linear(architecture, "b_dec")?
        }
        "BatchTopKSAE" => {
            let architecture = reader.batch_top_k(k)?;
            reader.linear(architecture, "b_dec")?
        }
        "MatryoshkaBatchTopKSAE" => {
            let architecture = reader.batch_top_k(k)?;
            reader.tensors.drop_bookkeeping("group_sizes");
            let mut parts = reader.canonical(architecture)?;
            parts.apply_b_dec_to_input = true;
            parts
        }
        "JumpReluAutoEncoder" => {
            let threshold = reader.tensors.take("threshold", &[n])?;
            reader.canonical(Architecture::JumpRelu { threshold })?
        }
        "GatedAutoEncoder" => reader.gated()?,
        other => {
            return Err(Error::invalid(
                "dict_class",
                format!(
                    "of {CONFIG_FILE} is {other:?}; accepted: AutoEncoder, AutoEncoderNew, \
                     AutoEncoderTopK, BatchTopKSAE, MatryoshkaBatchTopKSAE, JumpReluAutoEncoder, \
                     GatedAutoEncoder"
                ),
            ));
        }
    };
    tensors.finish()?;
    parts.record = imported("dictionary_learning", about);
    Sae::new(parts)
}

struct Reader<'a> {
    tensors: &'a mut Tensors,
    d_in: usize,
    n: usize,
}

impl Reader<'_> {
    /// Linear layers: `encoder.weight[n, d]`, `encoder.bias[n]`, `decoder.weight[d, n]`.
    fn linear(&mut self, architecture: Architecture, bias: &str) -> Result<SaeParts> {
        let b_enc = self.tensors.take("encoder.bias", &[self.n])?;
        self.layers(architecture, b_enc, bias)
    }

    fn layers(
        &mut self,
        architecture: Architecture,
        b_enc: Vec<f32>,
        bias: &str,
    ) -> Result<SaeParts> {
        let (d, n) = (self.d_in, self.n);
        let w_enc_t = self.tensors.take("encoder.weight", &[n, d])?;
        let decoder = self.tensors.take("decoder.weight", &[d, n])?;
        let b_dec = self.tensors.take(bias, &[d])?;
        Ok(SaeParts {
            architecture,
            normalisation: Normalisation::None,
            d_in: d,
            w_enc_t,
            b_enc,
            w_dec: transposed(&decoder, d, n),
            b_dec,
            apply_b_dec_to_input: true,
            record: imported("dictionary_learning", BTreeMap::new()),
        })
    }

    /// Canonical names: `W_enc[d, n]`, `b_enc`, `W_dec[n, d]`, `b_dec`.
    fn canonical(&mut self, architecture: Architecture) -> Result<SaeParts> {
        let (d, n) = (self.d_in, self.n);
        let w_enc = self.tensors.take("W_enc", &[d, n])?;
        Ok(SaeParts {
            architecture,
            normalisation: Normalisation::None,
            d_in: d,
            w_enc_t: transposed(&w_enc, d, n),
            b_enc: self.tensors.take("b_enc", &[n])?,
            w_dec: self.tensors.take("W_dec", &[n, d])?,
            b_dec: self.tensors.take("b_dec", &[d])?,
            apply_b_dec_to_input: false,
            record: imported("dictionary_learning", BTreeMap::new()),
        })
    }

    fn gated(&mut self) -> Result<SaeParts> {
        let n = self.n;
        let architecture = Architecture::Gated {
            b_gate: self.tensors.take("gate_bias", &[n])?,
            b_mag: self.tensors.take("mag_bias", &[n])?,
            r_mag: self.tensors.take("r_mag", &[n])?,
        };
        self.layers(architecture, vec![0.0; n], "decoder_bias")
    }

    /// k of the weights, which the configuration must not contradict.
    fn k(&mut self, configured: Option<usize>) -> Result<usize> {
        let stored = if self.tensors.has("k") {
            Some(self.tensors.take_number("k")?)
        } else {
            None
        };
        match (stored, configured) {
            (Some(stored), Some(k)) if stored != k as f32 => Err(Error::invalid(
                "k",
                format!("is {stored} in {WEIGHTS_FILE} and {k} in {CONFIG_FILE}"),
            )),
            (_, Some(k)) => Ok(k),
            (Some(stored), None) if stored >= 1.0 && stored.fract() == 0.0 => Ok(stored as usize),
            _ => Err(Error::invalid(
                "k",
                "is missing or no whole number of at least 1",
            )),
        }
    }

    fn batch_top_k(&mut self, k: Option<usize>) -> Result<Architecture> {
        let k = self.k(k)?;
        let threshold = self.tensors.take_number("threshold")?;
        if threshold < 0.0 {
            return Err(Error::invalid(
                "threshold",
                format!("is {threshold}: training never set it, so codes are not defined"),
            ));
        }
        Ok(Architecture::BatchTopK { k, threshold })
    }
}
