//! The scale that numbers are fitted on.

use super::model::Family;

/// How numbers are brought to mean 0 and variance 1 for a fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    mean: f64,
    spread: f64,
}

impl Scale {
    pub fn of(family: Family, values: impl Iterator<Item = f64> + Clone) -> Self {
        if family != Family::Number {
            return Self {
                mean: 0.0,
                spread: 1.0,
            };
        }
        let count = values.clone().count().max(1) as f64;
        let mean = values.clone().sum::<f64>() / count;
        let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let spread = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        Self { mean, spread }
    }

    pub fn scaled(self, value: f64) -> f64 {
        (value - self.mean) / self.spread
    }

    /// Weights in the units of the target.
    pub fn weights(self, weights: &[f64]) -> Vec<f64> {
        weights.iter().map(|weight| weight * self.spread).collect()
    }
}
