//! Generalised linear models over sparse columns, fitted one coordinate at a time: squared loss of a number,
//! logistic loss of two classes, multinomial loss of more.
//!
//! A coordinate moves by a Newton step within a trust region, whose curvature bounds that of the loss there
//! (Genkin, Lewis and Madigan 2007), so that every step lowers the loss.

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Number,
    Binary,
    /// So many classes.
    Classes(usize),
}

impl Family {
    /// Numbers that a model predicts of a row: of classes one each.
    pub fn outputs(self) -> usize {
        match self {
            Self::Number | Self::Binary => 1,
            Self::Classes(count) => count,
        }
    }

    /// Turns linear predictors of a row into means.
    pub fn means(self, predictors: &[f64], means: &mut [f64]) {
        match self {
            Self::Number => means[0] = predictors[0],
            Self::Binary => means[0] = 1.0 / (1.0 + (-predictors[0]).exp()),
            Self::Classes(_) => {
                let most = predictors.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let mut sum = 0.0;
                for (mean, predictor) in means.iter_mut().zip(predictors) {
                    *mean = (predictor - most).exp();
                    sum += *mean;
                }
                for mean in means {
                    *mean /= sum;
                }
            }
        }
    }

    /// What a row's target is at an output.
    pub fn wanted(self, target: f64, output: usize) -> f64 {
        match self {
            Self::Number | Self::Binary => target,
            Self::Classes(_) => f64::from(u8::from(target as usize == output)),
        }
    }

    /// The loss of a row, half the deviance.
    pub fn loss(self, target: f64, means: &[f64]) -> f64 {
        let least = f64::MIN_POSITIVE;
        match self {
            Self::Number => (target - means[0]).powi(2) / 2.0,
            Self::Binary if target > 0.5 => -means[0].max(least).ln(),
            Self::Binary => -(1.0 - means[0]).max(least).ln(),
            Self::Classes(_) => -means[target as usize].max(least).ln(),
        }
    }
}

/// The first reach of a coordinate.
const REACH: f64 = 1.0;
/// A sweep that moves no coordinate by more ends a fit.
const TOLERANCE: f64 = 1e-3;
/// Sweeps of a fit at most.
const MAX_SWEEPS: usize = 60;

/// A coordinate of a model: one weight for each output.
#[derive(Clone, Debug)]
pub(super) struct Coordinate {
    pub weights: Vec<f64>,
    reach: Vec<f64>,
}

impl Coordinate {
    fn new(outputs: usize) -> Self {
        Self {
            weights: vec![0.0; outputs],
            reach: vec![REACH; outputs],
        }
    }
}

/// A model on its way: predictions of all rows, and what they are made of.
#[derive(Clone)]
pub(super) struct Fit<'a> {
    pub family: Family,
    targets: &'a [f64],
    /// How much a row counts; 0 for those that are only predicted.
    counts: Vec<f64>,
    predictors: Vec<f64>,
    means: Vec<f64>,
    pub intercept: Coordinate,
    pub coordinates: Vec<Coordinate>,
}

impl<'a> Fit<'a> {
    /// The model without coordinates, for rows that count as `counts` says.
    pub fn new(family: Family, targets: &'a [f64], counts: Vec<f64>) -> Self {
        let outputs = family.outputs();
        let mut fit = Self {
            family,
            targets,
            predictors: vec![0.0; targets.len() * outputs],
            means: vec![0.0; targets.len() * outputs],
            intercept: Coordinate::new(outputs),
            coordinates: Vec::new(),
            counts,
        };
        let total: f64 = fit.counts.iter().sum();
        for output in 0..outputs {
            let rows = targets.iter().zip(&fit.counts);
            let share: f64 = rows
                .map(|(target, count)| count * family.wanted(*target, output))
                .sum();
            let share = share / total.max(f64::MIN_POSITIVE);
            fit.intercept.weights[output] = match family {
                Family::Number => share,
                Family::Binary => (share / (1.0 - share)).ln().clamp(-30.0, 30.0),
                Family::Classes(_) => share.max(1e-12).ln(),
            };
        }
        for row in 0..targets.len() {
            let start = row * outputs;
            fit.predictors[start..start + outputs].copy_from_slice(&fit.intercept.weights);
            fit.renew(row);
        }
        fit
    }

    fn renew(&mut self, row: usize) {
        let range = row * self.family.outputs()..(row + 1) * self.family.outputs();
        self.family
            .means(&self.predictors[range.clone()], &mut self.means[range]);
    }

    /// What is predicted of a row.
    pub fn means(&self, row: usize) -> &[f64] {
        let outputs = self.family.outputs();
        &self.means[row * outputs..(row + 1) * outputs]
    }

    /// Appends a coordinate of weight 0.
    pub fn push(&mut self) {
        self.coordinates
            .push(Coordinate::new(self.family.outputs()));
    }

    /// Per row and output: what is missing to the target, and the curvature of the loss, by its count.
    pub fn slopes(&self) -> (Vec<f64>, Vec<f64>) {
        let outputs = self.family.outputs();
        let slope = |at: usize| {
            let (row, output) = (at / outputs, at % outputs);
            let wanted = self.family.wanted(self.targets[row], output);
            self.counts[row] * (wanted - self.means[at])
        };
        let curvature = |at: usize| {
            let mean = self.means[at];
            self.counts[at / outputs]
                * match self.family {
                    Family::Number => 1.0,
                    _ => mean * (1.0 - mean),
                }
        };
        let all = 0..self.means.len();
        (
            all.clone().map(slope).collect(),
            all.map(curvature).collect(),
        )
    }

    /// The mean loss of the rows that do not count.
    pub fn outer_loss(&self) -> f64 {
        let rows = (0..self.targets.len()).filter(|&row| self.counts[row] == 0.0);
        let (sum, count) = rows.fold((0.0, 0), |(sum, count), row| {
            let loss = self.family.loss(self.targets[row], self.means(row));
            (sum + loss, count + 1)
        });
        sum / f64::from(count.max(1))
    }

    /// Moves every coordinate once; the largest move. `columns` has one for each coordinate.
    pub fn sweep(&mut self, columns: &[&[(u32, f32)]], ridge: f64) -> f64 {
        let mut intercept = std::mem::replace(&mut self.intercept, Coordinate::new(0));
        let every = (0..self.targets.len()).map(|row| (row, 1.0));
        let mut largest = self.step(every, &mut intercept, 0.0);
        self.intercept = intercept;
        for (at, column) in columns.iter().enumerate() {
            let mut coordinate = std::mem::replace(&mut self.coordinates[at], Coordinate::new(0));
            let rows = column.iter().map(|&(row, x)| (row as usize, f64::from(x)));
            largest = largest.max(self.step(rows, &mut coordinate, ridge));
            self.coordinates[at] = coordinate;
        }
        largest
    }

    /// Sweeps until nothing moves.
    pub fn settle(&mut self, columns: &[&[(u32, f32)]], ridge: f64) {
        for _ in 0..MAX_SWEEPS {
            if self.sweep(columns, ridge) < TOLERANCE {
                break;
            }
        }
    }

    /// Moves the weights of a coordinate; the largest move.
    fn step(
        &mut self,
        rows: impl Iterator<Item = (usize, f64)> + Clone,
        coordinate: &mut Coordinate,
        ridge: f64,
    ) -> f64 {
        let outputs = self.family.outputs();
        // Outputs of classes move together: twice its diagonal bounds the curvature.
        let together = if outputs > 1 { 2.0 } else { 1.0 };
        let (mut slopes, mut curvatures) = (vec![0.0; outputs], vec![0.0; outputs]);
        for (row, x) in rows.clone() {
            let count = self.counts[row];
            if count == 0.0 {
                continue;
            }
            for output in 0..outputs {
                let mean = self.means[row * outputs + output];
                slopes[output] +=
                    count * x * (self.family.wanted(self.targets[row], output) - mean);
                let bound = match self.family {
                    Family::Number => 1.0,
                    _ => steepest(mean, coordinate.reach[output] * x.abs()) * together,
                };
                curvatures[output] += count * x * x * bound;
            }
        }
        let mut largest: f64 = 0.0;
        let mut steps = slopes;
        for (output, step) in steps.iter_mut().enumerate() {
            let (weight, reach) = (
                &mut coordinate.weights[output],
                &mut coordinate.reach[output],
            );
            let curvature = curvatures[output] + ridge;
            if curvature <= 0.0 {
                *step = 0.0;
                continue;
            }
            *step = (*step - ridge * *weight) / curvature;
            if self.family != Family::Number {
                *step = step.clamp(-*reach, *reach);
                *reach = (2.0 * step.abs()).max(*reach / 2.0);
            }
            *weight += *step;
            largest = largest.max(step.abs());
        }
        for (row, x) in rows {
            for (output, step) in steps.iter().enumerate() {
                self.predictors[row * outputs + output] += step * x;
            }
            self.renew(row);
        }
        largest
    }
}

/// The largest curvature of the logistic loss where the predictor of `mean` moves by at most `reach`.
fn steepest(mean: f64, reach: f64) -> f64 {
    let mean = mean.clamp(1e-12, 1.0 - 1e-12);
    let away = (mean / (1.0 - mean)).ln().abs() - reach;
    match away <= 0.0 {
        true => 0.25,
        false => 1.0 / (2.0 + away.exp() + (-away).exp()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slope of the whole loss at the end of a fit is that of the ridge.
    #[test]
    fn a_fit_ends_where_nothing_falls_further() {
        let rows = 300_u32;
        let column = |step: u32, shift: u32| -> Vec<(u32, f32)> {
            (0..rows)
                .filter(|row| (row + shift).is_multiple_of(step))
                .map(|row| (row, 0.5 + (row % 4) as f32 / 4.0))
                .collect()
        };
        let columns = [column(3, 0), column(5, 1), column(7, 2)];
        let views: Vec<&[(u32, f32)]> = columns.iter().map(Vec::as_slice).collect();
        for (family, of) in [
            (Family::Number, 1000),
            (Family::Binary, 2),
            (Family::Classes(3), 3),
        ] {
            let targets: Vec<f64> = (0..rows)
                .map(|row| {
                    f64::from((row * 7919 / 13 + row / 3) % of)
                        / if of == 1000 { 500.0 } else { 1.0 }
                })
                .collect();
            let mut fit = Fit::new(family, &targets, vec![1.0; targets.len()]);
            (0..3).for_each(|_| fit.push());
            let ridge = 2.0;
            for _ in 0..400 {
                fit.sweep(&views, ridge);
            }
            let (slopes, _) = fit.slopes();
            let outputs = family.outputs();
            for (coordinate, column) in fit.coordinates.iter().zip(&columns) {
                for output in 0..outputs {
                    let of = |&(row, x): &(u32, f32)| {
                        f64::from(x) * slopes[row as usize * outputs + output]
                    };
                    let slope: f64 = column.iter().map(of).sum();
                    let ridge = ridge * coordinate.weights[output];
                    assert!((slope - ridge).abs() < 1e-4, "{family:?} {slope} {ridge}");
                }
            }
        }
    }
}
