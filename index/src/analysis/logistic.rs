//! Logistic regression on sparse rows: weights that tell two groups of documents apart.

/// A row's features above or below 0, ascending by feature.
pub type SparseRow = Vec<(u32, f32)>;

/// Newton steps at most; a handful is usual.
const MAX_STEPS: usize = 50;
/// Conjugate-gradient steps within one of those.
const MAX_INNER_STEPS: usize = 250;
/// The fit ends when no derivative is above this.
const TOLERANCE: f64 = 1e-6;

/// A fitted model: `σ(w x + intercept)` is how likely a row is a positive one.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    /// Weights of the features that occur in any row, ascending by feature.
    pub weights: Vec<(u32, f64)>,
    /// The intercept, not regularised.
    pub intercept: f64,
}

/// Minimises `regularisation / 2 ‖w‖² + Σ c_i ln(1 + exp(-y_i (w x_i + b)))`, where `c_i` gives both
/// groups the same weight in sum, by Newton's method with conjugate gradients. The optimum is one
/// alone (in w), so the result depends on no seed.
///
/// ```
/// use latentdb_index::analysis::logistic::fit;
///
/// let positive = vec![vec![(7, 1.0)], vec![(3, 1.0), (7, 0.8)]];
/// let negative = vec![vec![(3, 1.0)], vec![(9, 0.5)]];
/// let model = fit(&positive, &negative, 1.0);
/// let weight = |feature| model.weights.iter().find(|w| w.0 == feature).unwrap().1;
/// assert!(weight(7) > 0.3 && weight(9) < 0.0 && weight(3).abs() < weight(7));
/// ```
pub fn fit(positive: &[SparseRow], negative: &[SparseRow], regularisation: f64) -> Logistic {
    let problem = Problem::new(positive, negative, regularisation);
    let mut point = vec![0.0; problem.features.len() + 1];
    let mut value = problem.value(&point);
    for _ in 0..MAX_STEPS {
        let (gradient, curvatures) = problem.gradient(&point);
        if gradient.iter().all(|slope| slope.abs() < TOLERANCE) {
            break;
        }
        let step = problem.newton_step(&gradient, &curvatures);
        let slope: f64 = step.iter().zip(&gradient).map(|(s, g)| s * g).sum();
        let mut length = 1.0;
        let mut moved;
        loop {
            moved = point
                .iter()
                .zip(&step)
                .map(|(p, s)| p - length * s)
                .collect::<Vec<_>>();
            let found = problem.value(&moved);
            if found <= value - 1e-4 * length * slope || length < 1e-6 {
                value = found;
                break;
            }
            length /= 2.0;
        }
        point = moved;
    }
    let intercept = point.pop().unwrap_or_default();
    Logistic {
        weights: problem.features.into_iter().zip(point).collect(),
        intercept,
    }
}

/// An example of the problem.
struct Example {
    /// Places in the features, with values.
    row: Vec<(usize, f64)>,
    /// 1 or 0.
    target: f64,
    weight: f64,
}

struct Problem {
    features: Vec<u32>,
    examples: Vec<Example>,
    regularisation: f64,
}

impl Problem {
    fn new(positive: &[SparseRow], negative: &[SparseRow], regularisation: f64) -> Self {
        let mut features: Vec<u32> = positive
            .iter()
            .chain(negative)
            .flatten()
            .map(|(feature, _)| *feature)
            .collect();
        features.sort_unstable();
        features.dedup();
        let all = (positive.len() + negative.len()) as f64;
        let groups = [(positive, 1.0), (negative, 0.0)];
        let examples = groups
            .into_iter()
            .flat_map(|(group, target)| {
                let weight = all / (2.0 * group.len() as f64);
                group.iter().map(move |row| (row, target, weight))
            })
            .map(|(row, target, weight)| {
                let places = row.iter().filter_map(|(feature, value)| {
                    let at = features.binary_search(feature).ok()?;
                    Some((at, f64::from(*value)))
                });
                Example {
                    row: places.collect(),
                    target,
                    weight,
                }
            })
            .collect();
        Self {
            features,
            examples,
            regularisation,
        }
    }

    fn score(&self, row: &[(usize, f64)], point: &[f64]) -> f64 {
        let sum: f64 = row.iter().map(|&(at, value)| value * point[at]).sum();
        sum + point[self.features.len()]
    }

    fn value(&self, point: &[f64]) -> f64 {
        let squares: f64 = point[..self.features.len()].iter().map(|w| w * w).sum();
        let losses = self.examples.iter().map(|example| {
            let margin = self.score(&example.row, point) * (2.0 * example.target - 1.0);
            // ln(1 + exp(-m)) without overflow.
            example.weight * ((-margin.abs()).exp().ln_1p() + (-margin).max(0.0))
        });
        self.regularisation / 2.0 * squares + losses.sum::<f64>()
    }

    /// The gradient, and each row's weight in the Hessian.
    fn gradient(&self, point: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let intercept = self.features.len();
        let mut gradient: Vec<f64> = point.iter().map(|w| w * self.regularisation).collect();
        gradient[intercept] = 0.0;
        let mut curvatures = Vec::with_capacity(self.examples.len());
        for example in &self.examples {
            let Example {
                row,
                target,
                weight,
            } = example;
            let likely = 1.0 / (1.0 + (-self.score(row, point)).exp());
            let error = weight * (likely - target);
            for &(at, value) in row {
                gradient[at] += error * value;
            }
            gradient[intercept] += error;
            curvatures.push(weight * likely * (1.0 - likely));
        }
        (gradient, curvatures)
    }

    fn hessian_times(&self, curvatures: &[f64], vector: &[f64]) -> Vec<f64> {
        let intercept = self.features.len();
        let mut product: Vec<f64> = vector.iter().map(|v| v * self.regularisation).collect();
        // A breath of curvature, so that the intercept of perfectly told-apart rows stays finite.
        product[intercept] = 1e-9 * vector[intercept];
        for (Example { row, .. }, curvature) in self.examples.iter().zip(curvatures) {
            let along = curvature * self.score(row, vector);
            for &(at, value) in row {
                product[at] += along * value;
            }
            product[intercept] += along;
        }
        product
    }

    /// Solves `H s = g` for s by conjugate gradients, closer the nearer the optimum is.
    fn newton_step(&self, gradient: &[f64], curvatures: &[f64]) -> Vec<f64> {
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let mut step = vec![0.0; gradient.len()];
        let mut residual = gradient.to_vec();
        let mut direction = residual.clone();
        let mut squared = inner(&residual, &residual);
        let enough = squared * squared.sqrt().min(1e-4);
        for _ in 0..MAX_INNER_STEPS {
            if squared <= enough {
                break;
            }
            let product = self.hessian_times(curvatures, &direction);
            let length = squared / inner(&direction, &product);
            for at in 0..step.len() {
                step[at] += length * direction[at];
                residual[at] -= length * product[at];
            }
            let next = inner(&residual, &residual);
            for (d, r) in direction.iter_mut().zip(&residual) {
                *d = r + next / squared * *d;
            }
            squared = next;
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_feature_meets_the_condition_of_the_optimum() {
        // Symmetric: x = 1 for positives, -1 for negatives; b = 0 and λ w = 2 / (1 + e^w).
        let model = fit(&[vec![(0, 1.0)]], &[vec![(0, -1.0)]], 1.0);
        let w = model.weights[0].1;
        assert!(model.intercept.abs() < 1e-6);
        assert!((w - 2.0 / (1.0 + w.exp())).abs() < 1e-5, "{w}");
    }

    #[test]
    fn groups_weigh_the_same_whatever_their_sizes() {
        let few = fit(&[vec![(0, 1.0)]], &[vec![(1, 1.0)]], 0.5);
        let many = fit(&[vec![(0, 1.0)]], &vec![vec![(1, 1.0)]; 9], 0.5 * 5.0);
        for (a, b) in few.weights.iter().zip(&many.weights) {
            assert!((a.1 - b.1).abs() < 1e-5);
        }
    }

    #[test]
    fn the_gradient_vanishes_at_the_fit() {
        let rows = |seed: u32, n: u32| -> Vec<SparseRow> {
            (0..n)
                .map(|at| {
                    (0..12)
                        .filter(|f| (f * 7 + at * 5 + seed).is_multiple_of(3))
                        .map(|f| (f, ((f + at * seed) % 5) as f32 / 2.0 + 0.1))
                        .collect()
                })
                .collect()
        };
        let (positive, negative) = (rows(1, 9), rows(2, 23));
        let model = fit(&positive, &negative, 0.1);
        let problem = Problem::new(&positive, &negative, 0.1);
        let mut point: Vec<f64> = model.weights.iter().map(|w| w.1).collect();
        point.push(model.intercept);
        let (gradient, _) = problem.gradient(&point);
        assert!(
            gradient.iter().all(|slope| slope.abs() < 1e-5),
            "{gradient:?}"
        );
    }
}
