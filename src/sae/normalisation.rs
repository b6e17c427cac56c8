//! The normalisation of a vector, applied before the encoder and undone after the decoder.

use serde::{Deserialize, Serialize};

use crate::vectors::norm;

/// The normalisation of a vector, applied before the encoder and undone after the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// Nothing.
    #[default]
    None,
    /// `x * sqrt(d_in) / ||x||`.
    ConstantNormRescale,
    /// `(x - mean) / (std + 1e-5)` with the unbiased standard deviation of the row.
    LayerNorm,
}

impl Normalisation {
    /// The name used in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ConstantNormRescale => "constant_norm_rescale",
            Self::LayerNorm => "layer_norm",
        }
    }

    /// Writes the normalised row and returns what undoes it.
    pub(super) fn apply(self, x: &[f32], out: &mut [f32]) -> RowScale {
        let d = x.len() as f64;
        match self {
            Self::None => {
                out.copy_from_slice(x);
                RowScale {
                    scale: 1.0,
                    shift: 0.0,
                }
            }
            Self::ConstantNormRescale => {
                let length = norm(x);
                let factor = if length > 0.0 { d.sqrt() / length } else { 1.0 };
                for (o, v) in out.iter_mut().zip(x) {
                    *o = (f64::from(*v) * factor) as f32;
                }
                RowScale {
                    scale: (1.0 / factor) as f32,
                    shift: 0.0,
                }
            }
            Self::LayerNorm => {
                let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / d;
                let squares = x
                    .iter()
                    .map(|v| (f64::from(*v) - mean).powi(2))
                    .sum::<f64>();
                let std = (squares / (d - 1.0).max(1.0)).sqrt();
                for (o, v) in out.iter_mut().zip(x) {
                    *o = ((f64::from(*v) - mean) / (std + 1e-5)) as f32;
                }
                // SAELens multiplies by the standard deviation without the 1e-5.
                RowScale {
                    scale: std as f32,
                    shift: mean as f32,
                }
            }
        }
    }
}

/// The inverse of the normalisation of one row: `x = normalised * scale + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RowScale {
    pub scale: f32,
    pub shift: f32,
}
