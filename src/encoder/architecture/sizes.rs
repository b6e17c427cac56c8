//! Values of a `config.json`.

use serde_json::Value;

use crate::encoder::kernels::Activation;
use crate::error::{Error, Result};

/// The sizes that a configuration names.
#[derive(Clone, Copy)]
pub(super) struct Sizes<'c> {
    pub(super) config: &'c Value,
    pub(super) origin: &'c str,
}

impl Sizes<'_> {
    pub(super) fn get(&self, name: &str) -> Option<usize> {
        let size = self.config[name].as_u64()?;
        usize::try_from(size).ok()
    }

    /// A size that there has to be, and that is not 0.
    pub(super) fn need(&self, name: &str) -> Result<usize> {
        self.get(name)
            .filter(|size| *size > 0)
            .ok_or_else(|| Error::corrupted(format!("{}: {name} is not a size", self.origin)))
    }
}

/// The activation of a name of transformers.
///
/// # Errors
/// `FailedPrecondition` naming those that are run.
pub(super) fn activation(name: &Value, origin: &str) -> Result<Activation> {
    match name.as_str() {
        None | Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Ok(Activation::GeluTanh),
        Some("relu") => Ok(Activation::Relu),
        Some("silu" | "swish") => Ok(Activation::Silu),
        Some(other) => Err(Error::precondition(format!(
            "{origin}: the activation {other:?}; gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu and silu are run"
        ))),
    }
}
