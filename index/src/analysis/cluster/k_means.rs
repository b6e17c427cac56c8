//! k-means with k-means++ starts (Arthur and Vassilvitskii 2007), the best of several.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::error::Result;
use crate::progress::Progress;

/// Starts, of which the one with the lowest inertia is kept.
const STARTS: usize = 10;
/// Maximum rounds of one start.
const MOST_ROUNDS: usize = 300;

/// Points in groups around centres.
#[derive(Clone, Debug)]
pub(super) struct KMeans {
    width: usize,
    centres: Vec<f64>,
    labels: Vec<usize>,
    inertia: f64,
}

impl KMeans {
    /// Groups row-major points `[n, width]` into `k`, 1 to n. `Cancelled` when `progress` was
    /// stopped.
    pub fn fit(
        points: &[f64],
        width: usize,
        k: usize,
        random: &mut StdRng,
        progress: &Progress,
    ) -> Result<Self> {
        let mut best = Self::from_start(points, width, k, random, progress)?;
        for _ in 1..STARTS {
            let other = Self::from_start(points, width, k, random, progress)?;
            if other.inertia < best.inertia {
                best = other;
            }
        }
        Ok(best)
    }

    /// Each point's group.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Points of each group.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.centres.len() / self.width];
        for &label in &self.labels {
            sizes[label] += 1;
        }
        sizes
    }

    /// The group whose centre is nearest to a point; the first of equally near ones.
    pub fn nearest(&self, point: &[f64]) -> usize {
        nearest(&self.centres, self.width, point).0
    }

    fn from_start(
        points: &[f64],
        width: usize,
        k: usize,
        random: &mut StdRng,
        progress: &Progress,
    ) -> Result<Self> {
        // How many rounds there will be is not known; a start counts as one unit.
        progress.announce(1)?;
        let mut fit = Self {
            width,
            centres: start(points, width, k, random),
            labels: vec![usize::MAX; points.len() / width],
            inertia: 0.0,
        };
        for _ in 0..MOST_ROUNDS {
            if !fit.assign(points) {
                break;
            }
            fit.centre(points, k);
            progress.advance(0)?;
        }
        progress.advance(1)?;
        Ok(fit)
    }

    /// Puts each point to its nearest centre; false when nothing changed.
    fn assign(&mut self, points: &[f64]) -> bool {
        let mut changed = false;
        self.inertia = 0.0;
        for (point, label) in points.chunks_exact(self.width).zip(&mut self.labels) {
            let (found, distance) = nearest(&self.centres, self.width, point);
            changed |= *label != found;
            *label = found;
            self.inertia += distance;
        }
        changed
    }

    /// Moves each centre to the mean of its points; one that lost all goes to the point that is
    /// farthest from its own.
    fn centre(&mut self, points: &[f64], k: usize) {
        let mut sums = vec![0.0; k * self.width];
        let mut counts = vec![0_usize; k];
        for (point, &label) in points.chunks_exact(self.width).zip(&self.labels) {
            counts[label] += 1;
            let sum = &mut sums[label * self.width..(label + 1) * self.width];
            for (sum, value) in sum.iter_mut().zip(point) {
                *sum += value;
            }
        }
        for (group, &count) in counts.iter().enumerate() {
            let range = group * self.width..(group + 1) * self.width;
            if count > 0 {
                for (centre, sum) in self.centres[range.clone()].iter_mut().zip(&sums[range]) {
                    *centre = sum / count as f64;
                }
            } else if let Some(point) = self.farthest(points) {
                self.centres[range].copy_from_slice(point);
            }
        }
    }

    fn farthest<'a>(&self, points: &'a [f64]) -> Option<&'a [f64]> {
        let own = |at: usize| &self.centres[at * self.width..(at + 1) * self.width];
        let far = points.chunks_exact(self.width).zip(&self.labels);
        let far = far.map(|(point, &label)| (squared_distance(point, own(label)), point));
        far.max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, point)| point)
    }
}

/// Centres drawn one after the other, each with odds by its squared distance to those before.
fn start(points: &[f64], width: usize, k: usize, random: &mut StdRng) -> Vec<f64> {
    let rows: Vec<&[f64]> = points.chunks_exact(width).collect();
    let first = rows[random.random_range(0..rows.len())];
    let mut centres = first.to_vec();
    let mut distances: Vec<f64> = rows
        .iter()
        .map(|row| squared_distance(row, first))
        .collect();
    while centres.len() < k * width {
        let total: f64 = distances.iter().sum();
        let mut left = random.random_range(0.0..1.0) * total;
        let drawn = distances.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        // Where all points coincide with centres, any will do.
        let chosen = rows[drawn.unwrap_or(rows.len() - 1)];
        centres.extend_from_slice(chosen);
        for (distance, row) in distances.iter_mut().zip(&rows) {
            *distance = distance.min(squared_distance(row, chosen));
        }
    }
    centres
}

fn nearest(centres: &[f64], width: usize, point: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (group, centre) in centres.chunks_exact(width).enumerate() {
        let distance = squared_distance(point, centre);
        if distance < best.1 {
            best = (group, distance);
        }
    }
    best
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn separate_groups_are_found() {
        let mut random = StdRng::seed_from_u64(5);
        let points: Vec<f64> = (0..300)
            .flat_map(|at| {
                let centre = f64::from(at % 3) * 10.0;
                [
                    centre + random.random_range(-1.0..1.0),
                    random.random_range(-1.0..1.0),
                ]
            })
            .collect();
        let progress = Progress::default();
        let found = KMeans::fit(&points, 2, 3, &mut random, &progress).unwrap();
        assert_eq!(found.sizes(), [100, 100, 100]);
        for at in 0..300 {
            assert_eq!(found.labels()[at], found.labels()[at % 3]);
            assert_eq!(
                found.nearest(&points[at * 2..at * 2 + 2]),
                found.labels()[at]
            );
        }
        // The inertia of three squares of side 2 around their means: about 300 · 2/3.
        assert!((150.0..250.0).contains(&found.inertia), "{}", found.inertia);
    }

    #[test]
    fn points_that_coincide_make_no_trouble() {
        let mut random = StdRng::seed_from_u64(5);
        let progress = Progress::default();
        let found = KMeans::fit(&[1.0; 12], 3, 2, &mut random, &progress).unwrap();
        assert_eq!(found.labels().len(), 4);
        assert_eq!(found.inertia, 0.0);
        let one = KMeans::fit(&[1.0, 2.0], 2, 1, &mut random, &progress).unwrap();
        assert_eq!(one.labels(), [0]);
    }
}
