//! How an SAE is stored, one file per layout.
//!
//! | directory holds | read by |
//! |---|---|
//! | `cfg.json`, `sae_weights.safetensors` | [`sae_lens`], which is also what LatentDB writes |
//!
//! A loader either understands everything that changes the result or refuses by naming it.

pub mod sae_lens;
pub(super) mod write;

use std::path::Path;

use crate::error::{Error, Result};

use super::model::Sae;

/// Loads an SAE from a directory in any layout of the table above.
///
/// # Errors
/// `NotFound` when the directory holds no known layout; those of the layout's reader otherwise.
pub fn load(dir: &Path) -> Result<Sae> {
    if sae_lens::is_here(dir) {
        return sae_lens::load(dir);
    }
    Err(Error::not_found(format!(
        "{} holds no SAE: expected {} and {}",
        dir.display(),
        sae_lens::CONFIG_FILE,
        sae_lens::WEIGHTS_FILE
    )))
}
