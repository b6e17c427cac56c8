//! Weights of affine maps.

use crate::encoder::weights::Weights;
use crate::error::Result;

/// A weight `[outputs, inputs]` and its bias, zeros where the model has none.
pub(super) fn affine(
    weights: &mut dyn Weights,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let weight = weights.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
    let bias = format!("{name}.bias");
    let bias = if weights.has(&bias) {
        weights.tensor(&bias, &[outputs])?
    } else {
        vec![0.0; outputs]
    };
    Ok((weight, bias))
}
