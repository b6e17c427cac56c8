//! Trainings over a grid of sizes, and the law their quality follows.
//!
//! O'Neill et al. 2024 find `NMSE = A n^α` per k, α between -0.12 and -0.18 for 1,536-value embeddings.

use serde::{Deserialize, Serialize};

use super::record::TrainReport;

/// One training of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Latents.
    pub n_latents: usize,
    /// Latents active at once.
    pub k: usize,
    /// Fraction of variance unexplained (NMSE), on held-out rows if any.
    pub fvu: f64,
    /// The same on rows that were trained on. Where it keeps falling with n and the other does not,
    /// there are too few rows for more latents.
    pub fvu_trained: f64,
    /// Mean number of active latents on the held-out rows.
    pub l0: f64,
    /// Share of latents that the training kept in none of its last rows.
    pub dead_share: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// Rows trained on per second.
    pub examples_per_second: f64,
}

/// `NMSE = a n^alpha`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerLaw {
    /// The factor A.
    pub a: f64,
    /// The exponent α.
    pub alpha: f64,
    /// Share of the variance of ln NMSE that the law explains; 1 for two points.
    pub r_squared: f64,
}

impl SweepPoint {
    /// The point of a training.
    pub fn of(n_latents: usize, k: usize, report: &TrainReport) -> Self {
        let quality = report.held_out.as_ref().unwrap_or(&report.trained);
        Self {
            n_latents,
            k,
            fvu: quality.fvu,
            fvu_trained: report.trained.fvu,
            l0: quality.l0,
            dead_share: report.dead_share,
            seconds: report.seconds,
            examples_per_second: report.examples_per_second,
        }
    }
}

impl PowerLaw {
    /// The law that fits `(n, NMSE)` best: least squares of the logarithms. `None` when there are
    /// fewer than two sizes or a value is not positive.
    ///
    /// ```
    /// use latentdb::sae::sweep::PowerLaw;
    ///
    /// let law = PowerLaw::fit(&[(1000.0, 0.5), (4000.0, 0.25)]).unwrap();
    /// assert!((law.alpha + 0.5).abs() < 1e-12);
    /// assert!((law.at(16_000.0) - 0.125).abs() < 1e-12);
    /// ```
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        if points.iter().any(|(n, fvu)| *n <= 0.0 || *fvu <= 0.0) {
            return None;
        }
        let logs: Vec<(f64, f64)> = points.iter().map(|(n, fvu)| (n.ln(), fvu.ln())).collect();
        let count = logs.len() as f64;
        let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
        let xx: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let yy: f64 = logs.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
        let xy: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        if xx <= 0.0 || xx.is_nan() {
            return None;
        }
        let alpha = xy / xx;
        Some(Self {
            a: (mean_y - alpha * mean_x).exp(),
            alpha,
            r_squared: if yy > 0.0 { xy * xy / (xx * yy) } else { 1.0 },
        })
    }

    /// The NMSE that the law says for `n` latents.
    pub fn at(&self, n: f64) -> f64 {
        self.a * n.powf(self.alpha)
    }
}

/// The law that `quality` follows under every k of a sweep, k ascending; `None` where a k has one
/// size only.
pub fn laws(
    points: &[SweepPoint],
    quality: impl Fn(&SweepPoint) -> f64,
) -> Vec<(usize, Option<PowerLaw>)> {
    let mut ks: Vec<usize> = points.iter().map(|point| point.k).collect();
    ks.sort_unstable();
    ks.dedup();
    ks.into_iter()
        .map(|k| {
            let of_k: Vec<(f64, f64)> = points
                .iter()
                .filter(|point| point.k == k)
                .map(|point| (point.n_latents as f64, quality(point)))
                .collect();
            (k, PowerLaw::fit(&of_k))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_of_paper_b_is_found_in_its_table() {
        // astro-ph, k = 16.
        let points = [
            (3072.0, 0.230),
            (6144.0, 0.211),
            (9216.0, 0.199),
            (12288.0, 0.194),
        ];
        let law = PowerLaw::fit(&points).unwrap();
        assert!((-0.18..-0.12).contains(&law.alpha), "{law:?}");
        assert!(law.r_squared > 0.98, "{law:?}");
        for (n, fvu) in points {
            assert!((law.at(n) - fvu).abs() < 0.003);
        }
    }

    #[test]
    fn a_law_needs_two_sizes_of_one_k() {
        assert_eq!(PowerLaw::fit(&[(3072.0, 0.2)]), None);
        assert_eq!(PowerLaw::fit(&[(3072.0, 0.2), (3072.0, 0.3)]), None);
        assert_eq!(PowerLaw::fit(&[(3072.0, 0.2), (6144.0, 0.0)]), None);
        let point = |n_latents, k, fvu| SweepPoint {
            n_latents,
            k,
            fvu,
            fvu_trained: fvu,
            l0: k as f64,
            dead_share: 0.0,
            seconds: 1.0,
            examples_per_second: 1.0,
        };
        let points = [point(64, 8, 0.4), point(128, 4, 0.45), point(64, 4, 0.5)];
        let found = laws(&points, |point| point.fvu);
        assert_eq!(found.iter().map(|(k, _)| *k).collect::<Vec<_>>(), [4, 8]);
        assert!(found[0].1.is_some() && found[1].1.is_none());
    }
}
