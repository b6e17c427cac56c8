//! What a target is predicted by without latents: a ridge on dense vectors, and the length of texts alone.

use super::model::Family;
use super::score::{score, scored};

/// Steps of a fit at most; each lowers the loss.
const MAX_STEPS: usize = 100;
/// The largest change of a weight that ends a fit.
const TOLERANCE: f64 = 1e-4;
/// Penalties that are tried.
const RIDGES: [f64; 3] = [0.1, 1.0, 10.0];

/// Rows of equal width.
pub(super) struct Rows {
    pub values: Vec<f32>,
    pub width: usize,
}

impl Rows {
    fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }
}

/// A linear model with an intercept, its last weight.
pub(super) struct Linear {
    family: Family,
    /// Per output the weights of a row's values and the intercept.
    weights: Vec<Vec<f64>>,
}

impl Linear {
    /// Fits on rows, with the penalty that predicts a fifth of them best from the others.
    pub fn fit(family: Family, rows: &Rows, targets: &[f64]) -> Self {
        let (outer, inner): (Vec<usize>, Vec<usize>) =
            (0..targets.len()).partition(|at| at % 5 == 0);
        let wanted: Vec<f64> = outer.iter().map(|&at| targets[at]).collect();
        let tried = RIDGES.map(|ridge| {
            let own = Self::of(family, rows, targets, &inner, ridge);
            let predicted: Vec<f64> = outer.iter().map(|&at| own.predict(rows.row(at))).collect();
            score(family, &wanted, &predicted)
        });
        let best = (0..RIDGES.len()).max_by(|&a, &b| tried[a].total_cmp(&tried[b]));
        let all: Vec<usize> = (0..targets.len()).collect();
        Self::of(family, rows, targets, &all, RIDGES[best.unwrap_or(1)])
    }

    /// Minimises the loss by steps along the slope over a bound of the curvature, `XᵀX` times 1, 1/4 or 1/2
    /// (Böhning 1992), whose factors are computed once.
    fn of(family: Family, rows: &Rows, targets: &[f64], at: &[usize], ridge: f64) -> Self {
        let (width, outputs) = (rows.width + 1, family.outputs());
        let bound = match family {
            Family::Number => 1.0,
            Family::Binary => 0.25,
            Family::Classes(_) => 0.5,
        };
        let mut curvature = vec![0.0; width * width];
        let mut wide = vec![1.0; width];
        for &own in at {
            copy(rows.row(own), &mut wide);
            for i in 0..width {
                let value = wide[i];
                for (sum, other) in curvature[i * width..=i * width + i].iter_mut().zip(&wide) {
                    *sum += value * other;
                }
            }
        }
        for i in 0..width {
            for j in 0..=i {
                curvature[i * width + j] *= bound;
            }
            curvature[i * width + i] += if i + 1 < width { ridge } else { 1e-6 };
        }
        factor(&mut curvature, width);
        let mut model = Self {
            family,
            weights: vec![vec![0.0; width]; outputs],
        };
        let (mut predictors, mut means) = (vec![0.0; outputs], vec![0.0; outputs]);
        for _ in 0..MAX_STEPS {
            let mut slopes = vec![vec![0.0; width]; outputs];
            for &own in at {
                copy(rows.row(own), &mut wide);
                model.predictors(&wide, &mut predictors);
                family.means(&predictors, &mut means);
                for (output, slope) in slopes.iter_mut().enumerate() {
                    let missing = family.wanted(targets[own], output) - means[output];
                    for (sum, value) in slope.iter_mut().zip(&wide) {
                        *sum += missing * value;
                    }
                }
            }
            let mut largest: f64 = 0.0;
            for (weights, mut step) in model.weights.iter_mut().zip(slopes) {
                for (slope, weight) in step.iter_mut().zip(weights.iter()).take(width - 1) {
                    *slope -= ridge * weight;
                }
                solve(&curvature, width, &mut step);
                for (weight, step) in weights.iter_mut().zip(&step) {
                    *weight += step;
                    largest = largest.max(step.abs());
                }
            }
            if family == Family::Number || largest < TOLERANCE {
                break;
            }
        }
        model
    }

    fn predictors(&self, wide: &[f64], predictors: &mut [f64]) {
        for (predictor, weights) in predictors.iter_mut().zip(&self.weights) {
            *predictor = weights
                .iter()
                .zip(wide)
                .map(|(weight, value)| weight * value)
                .sum();
        }
    }

    /// What is scored of a row.
    pub fn predict(&self, row: &[f32]) -> f64 {
        let outputs = self.weights.len();
        let (mut predictors, mut means) = (vec![0.0; outputs], vec![0.0; outputs]);
        let mut wide = vec![1.0; row.len() + 1];
        copy(row, &mut wide);
        self.predictors(&wide, &mut predictors);
        self.family.means(&predictors, &mut means);
        scored(self.family, &means)
    }
}

fn copy(row: &[f32], wide: &mut [f64]) {
    for (value, own) in wide.iter_mut().zip(row) {
        *value = f64::from(*own);
    }
}

/// The Cholesky factor of a positive matrix whose lower half is given, in its place.
fn factor(matrix: &mut [f64], width: usize) {
    for i in 0..width {
        for j in 0..=i {
            let dot: f64 = (0..j)
                .map(|k| matrix[i * width + k] * matrix[j * width + k])
                .sum();
            let left = matrix[i * width + j] - dot;
            matrix[i * width + j] = match i == j {
                true => left.max(1e-12).sqrt(),
                false => left / matrix[j * width + j],
            };
        }
    }
}

/// Solves with the factor, in place.
fn solve(factor: &[f64], width: usize, right: &mut [f64]) {
    for i in 0..width {
        let dot: f64 = (0..i).map(|k| factor[i * width + k] * right[k]).sum();
        right[i] = (right[i] - dot) / factor[i * width + i];
    }
    for i in (0..width).rev() {
        let dot: f64 = (i + 1..width)
            .map(|k| factor[k * width + i] * right[k])
            .sum();
        right[i] = (right[i] - dot) / factor[i * width + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_classes_are_told_apart() {
        let values: Vec<f32> = (0..200)
            .flat_map(|n| [(n % 7) as f32 / 7.0, (n % 5) as f32 / 5.0])
            .collect();
        let rows = Rows { values, width: 2 };
        let line: Vec<f64> = (0..200)
            .map(|n| 3.0 + 2.0 * f64::from(n % 7) / 7.0 - f64::from(n % 5) / 5.0)
            .collect();
        let all: Vec<usize> = (0..200).collect();
        let model = Linear::of(Family::Number, &rows, &line, &all, 1e-6);
        assert!((model.predict(&[0.5, 0.2]) - 3.8).abs() < 1e-3);
        let classes: Vec<f64> = (0..200).map(|n| f64::from(u8::from(n % 7 > 3))).collect();
        for family in [Family::Binary, Family::Classes(2)] {
            let model = Linear::fit(family, &rows, &classes);
            let predicted: Vec<f64> = (0..200).map(|at| model.predict(rows.row(at))).collect();
            assert!(score(family, &classes, &predicted) > 0.99);
        }
    }
}
