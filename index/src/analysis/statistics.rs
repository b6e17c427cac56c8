//! The tests and intervals of the analyses.
//!
//! Tail probabilities are computed as tails (complementary error function, regularised incomplete
//! beta and gamma functions, sums from the observed term outwards), never as 1 minus the rest, so
//! small ones keep their digits down to about 1e-300.

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::{beta, erf, factorial};

/// An expected count below this makes the normal approximation poor (Cochran, 1954).
const SMALL_EXPECTED: f64 = 5.0;
/// Maximum discordant pairs for which McNemar's test is computed exactly.
const MOST_EXACT_PAIRS: u64 = 1000;
/// Tables whose probabilities differ by less than this count as equally probable.
const TIE: f64 = 1e-10;
/// Terms below this share of a sum are left out.
const NEGLIGIBLE: f64 = 1e-18;
/// From here on values are sorted on several threads.
const PARALLEL_SORT: usize = 1 << 14;

/// The test a p-value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// None: too few documents; the p-value is 1.
    Untested,
    /// Fisher's exact test, two-sided by the probability of the table.
    Fisher,
    /// The two-proportion z test, pooled; the same as the chi-square test of the 2x2 table without
    /// continuity correction.
    TwoProportion,
    /// Welch's t test.
    Welch,
    /// McNemar's test by the binomial distribution, exact and two-sided.
    McnemarExact,
    /// McNemar's test by the normal distribution, without continuity correction.
    Mcnemar,
    /// The Cochran-Mantel-Haenszel test over strata, without continuity correction.
    CochranMantelHaenszel,
    /// The exact test over strata given all margins, two-sided by the probability of the sum.
    StratifiedExact,
    /// A t test with a variance from sums per cluster.
    ClusterRobust,
}

/// Number, mean and unbiased variance of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their variance, divided by n - 1.
    pub variance: f64,
}

/// The quantile of the standard normal distribution that encloses `confidence` on both sides: 1.96
/// for .95.
pub fn normal_quantile(confidence: f64) -> f64 {
    std::f64::consts::SQRT_2 * erf::erf_inv(confidence)
}

/// Two-sided tail probability of a standard normal value.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    erf::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// Wilson's score interval of the share `count / n`; `(0, 1)` for n = 0.
///
/// ```
/// use latentdb_index::analysis::statistics::{normal_quantile, wilson};
///
/// let (low, high) = wilson(3, 10, normal_quantile(0.95));
/// assert!((low - 0.1078).abs() < 1e-4 && (high - 0.6032).abs() < 1e-4);
/// ```
pub fn wilson(count: u64, n: u64, quantile: f64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (count, n, z2) = (count as f64, n as f64, quantile * quantile);
    let share = count / n;
    let centre = share + z2 / (2.0 * n);
    let width = quantile * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends centre and width cancel, but for rounding.
    let low = if count == 0.0 {
        0.0
    } else {
        (centre - width) / scale
    };
    let high = if count == n {
        1.0
    } else {
        (centre + width) / scale
    };
    (low, high)
}

/// Newcombe's hybrid score interval of the difference of two independent shares (Newcombe, 1998,
/// *Interval estimation for the difference between independent proportions*, method 10).
///
/// ```
/// use latentdb_index::analysis::statistics::{newcombe, normal_quantile};
///
/// // Newcombe's first example, 56/70 - 48/80.
/// let (low, high) = newcombe((56, 70), (48, 80), normal_quantile(0.95));
/// assert!((low - 0.0524).abs() < 1e-4 && (high - 0.3339).abs() < 1e-4);
/// ```
pub fn newcombe(a: (u64, u64), b: (u64, u64), quantile: f64) -> (f64, f64) {
    paired_interval(a, b, 0.0, quantile)
}

/// Newcombe's interval of the difference of two shares over the same `n` rows: in `both` of them
/// the two sides hold, in `only_a` and `only_b` one does (Newcombe, 1998, *Improved confidence
/// intervals for the difference between binomial proportions based on paired data*, method 10).
pub fn newcombe_paired(both: u64, only_a: u64, only_b: u64, n: u64, quantile: f64) -> (f64, f64) {
    let (in_a, in_b) = (both + only_a, both + only_b);
    let neither = n - both - only_a - only_b;
    let margins = in_a as f64 * (n - in_a) as f64 * in_b as f64 * (n - in_b) as f64;
    let numerator = both as f64 * neither as f64 - only_a as f64 * only_b as f64;
    let corrected = if numerator > 0.0 {
        (numerator - n as f64 / 2.0).max(0.0)
    } else {
        numerator
    };
    let phi = if margins > 0.0 {
        corrected / margins.sqrt()
    } else {
        0.0
    };
    paired_interval((in_a, n), (in_b, n), phi, quantile)
}

fn paired_interval(a: (u64, u64), b: (u64, u64), phi: f64, quantile: f64) -> (f64, f64) {
    let share = |(count, n): (u64, u64)| count as f64 / n.max(1) as f64;
    let (p_a, p_b) = (share(a), share(b));
    let (low_a, high_a) = wilson(a.0, a.1, quantile);
    let (low_b, high_b) = wilson(b.0, b.1, quantile);
    let width = |of_a: f64, of_b: f64| {
        (of_a * of_a - 2.0 * phi * of_a * of_b + of_b * of_b)
            .max(0.0)
            .sqrt()
    };
    let delta = p_a - p_b;
    (
        (delta - width(p_a - low_a, high_b - p_b)).max(-1.0),
        (delta + width(high_a - p_a, p_b - low_b)).min(1.0),
    )
}

/// Tests whether two properties are independent: of `n` documents `first` have the one, `second`
/// the other, `both` have both. Two sets are compared in the same way, "is in A" being the one
/// property. Fisher's exact test where an expected count is below 5, else the two-proportion test.
/// A property that all or no documents have tells nothing: p is 1.
pub fn independence(both: u64, first: u64, second: u64, n: u64) -> (f64, Test) {
    let smaller = |margin: u64| margin.min(n - margin);
    let expected = smaller(first) as f64 * smaller(second) as f64 / n.max(1) as f64;
    if expected < SMALL_EXPECTED {
        return (fisher(both, first, second, n), Test::Fisher);
    }
    let (k, r, c, n) = (both as f64, first as f64, second as f64, n as f64);
    let z = (k - r * c / n) * (n / (r * c)).sqrt() * (n / (n - r)).sqrt() * (n / (n - c)).sqrt();
    (normal_two_sided(z), Test::TwoProportion)
}

/// Two-sided p of Fisher's exact test: the probability of all tables with the margins of this one
/// that are no more probable than it. Terms are summed relative to the observed one, outwards, so
/// no factorial is computed and a small p keeps its digits.
pub fn fisher(both: u64, first: u64, second: u64, n: u64) -> f64 {
    let lowest = (first + second).saturating_sub(n);
    let highest = first.min(second);
    let (r, c) = (first as f64, second as f64);
    let neither = n as f64 - r - c;
    // Probability of k + 1 over that of k.
    let ratio = |k: f64| (r - k) * (c - k) / ((k + 1.0) * (neither + k + 1.0));
    let mut all = 1.0;
    let mut tail = 1.0;
    let mut add = |term: f64, factor: f64| {
        all += term;
        if term <= 1.0 + TIE {
            tail += term;
        }
        factor < 1.0 && term < all * NEGLIGIBLE
    };
    let mut term = 1.0;
    for k in both..highest {
        let factor = ratio(k as f64);
        term *= factor;
        if add(term, factor) {
            break;
        }
    }
    term = 1.0;
    for k in (lowest..both).rev() {
        let factor = 1.0 / ratio(k as f64);
        term *= factor;
        if add(term, factor) {
            break;
        }
    }
    if all.is_finite() {
        (tail / all).min(1.0)
    } else {
        0.0
    }
}

/// McNemar's test of rows in which exactly one of two sides holds: exact where they are at most
/// 1,000, else by the normal distribution.
pub fn mcnemar(only_a: u64, only_b: u64) -> (f64, Test) {
    let n = only_a + only_b;
    if n > MOST_EXACT_PAIRS {
        let z = (only_a as f64 - only_b as f64) / (n as f64).sqrt();
        return (normal_two_sided(z), Test::Mcnemar);
    }
    let fewer = only_a.min(only_b);
    let first = factorial::ln_binomial(n, fewer) - n as f64 * std::f64::consts::LN_2;
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in (1..=fewer).rev() {
        term *= k as f64 / (n - k + 1) as f64;
        sum += term;
    }
    ((2.0 * first.exp() * sum).min(1.0), Test::McnemarExact)
}

/// Welch's t test of two means, with the interval of their difference at `confidence`. Untested,
/// with an unbounded interval, where a sample has fewer than two values or neither varies.
pub fn welch(a: Sample, b: Sample, confidence: f64) -> (f64, (f64, f64), Test) {
    let delta = a.mean - b.mean;
    let Some((error, freedom)) = welch_error(a, b) else {
        return (1.0, (f64::NEG_INFINITY, f64::INFINITY), Test::Untested);
    };
    let width = error * student_quantile(confidence, freedom);
    let p = student_two_sided(delta / error, freedom);
    (p, (delta - width, delta + width), Test::Welch)
}

/// Welch's standard error of a difference of means and its degrees of freedom; `None` where a sample
/// has fewer than two values or neither varies.
pub(crate) fn welch_error(a: Sample, b: Sample) -> Option<(f64, f64)> {
    if a.n < 2 || b.n < 2 {
        return None;
    }
    let (n_a, n_b) = (a.n as f64, b.n as f64);
    let (error_a, error_b) = (a.variance / n_a, b.variance / n_b);
    let error = error_a + error_b;
    let freedom =
        error * error / (error_a * error_a / (n_a - 1.0) + error_b * error_b / (n_b - 1.0));
    (error > 0.0).then(|| (error.sqrt(), freedom))
}

/// Two-sided tail probability of Student's t.
pub(crate) fn student_two_sided(t: f64, freedom: f64) -> f64 {
    beta::checked_beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t)).unwrap_or(1.0)
}

/// The quantile of Student's t that encloses `confidence` on both sides; of the normal distribution
/// where `freedom` is infinite.
pub(crate) fn student_quantile(confidence: f64, freedom: f64) -> f64 {
    if freedom.is_infinite() {
        return normal_quantile(confidence);
    }
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |distribution| {
        distribution.inverse_cdf(0.5 + confidence / 2.0)
    })
}

/// Cohen's kappa of two who say yes or no of the same things: their agreement beyond what their shares of
/// yes give by chance, 1 where they always agree, 0 by chance. `None` where both always say the same one
/// thing (Cohen, 1960, *A coefficient of agreement for nominal scales*).
///
/// ```
/// use latentdb_index::analysis::statistics::kappa;
///
/// // Of 50: 20 twice yes, 5 only the first, 10 only the second, 15 twice no.
/// assert!((kappa(20, 5, 10, 15).unwrap() - 0.4).abs() < 1e-12);
/// ```
pub fn kappa(both: u64, only_first: u64, only_second: u64, neither: u64) -> Option<f64> {
    let n = (both + only_first + only_second + neither) as f64;
    let (first, second) = ((both + only_first) as f64, (both + only_second) as f64);
    let chance = (first * second + (n - first) * (n - second)) / (n * n);
    let agreed = (both + neither) as f64 / n;
    (n > 0.0 && chance < 1.0).then(|| (agreed - chance) / (1.0 - chance))
}

/// Replaces p-values by those adjusted after Benjamini and Hochberg (1995): the smallest false
/// discovery rate at which each would be reported.
///
/// ```
/// use latentdb_index::analysis::statistics::adjust;
///
/// let mut p = [0.01, 0.04, 0.03, 0.005];
/// adjust(&mut p);
/// assert_eq!(p, [0.02, 0.04, 0.04, 0.02]);
/// ```
pub fn adjust(p_values: &mut [f64]) {
    adjust_among(p_values, p_values.len() as u64);
}

/// As [`adjust`] where these are the p-values of some of `hypotheses`, and those of the others
/// count as 1: what was not tested for a reason that depends on the outcome (a small count, say)
/// must be counted all the same, or the rate of false discoveries is not held.
///
/// ```
/// use latentdb_index::analysis::statistics::adjust_among;
///
/// let mut p = [0.01, 0.04];
/// adjust_among(&mut p, 4);
/// assert_eq!(p, [0.04, 0.08]);
/// ```
pub fn adjust_among(p_values: &mut [f64], hypotheses: u64) {
    let n = p_values.len();
    let mut order: Vec<(f64, u32)> = p_values.iter().copied().zip(0..).collect();
    // Equal values get equal results, so their order does not matter.
    if n < PARALLEL_SORT {
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    } else {
        order.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    }
    let mut smallest = 1.0_f64;
    for (rank, &(p, at)) in order.iter().enumerate().rev() {
        smallest = smallest.min(p * hypotheses as f64 / (rank + 1) as f64);
        p_values[at as usize] = smallest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, tolerance: f64) {
        let bound = tolerance * expected.abs();
        assert!((found - expected).abs() <= bound, "{found}, not {expected}");
    }

    // The expected values are SciPy 1.17's: `fisher_exact`, `chi2_contingency`, `binomtest`,
    // `ttest_ind_from_stats`, `false_discovery_control`, `norm`.

    #[test]
    fn fisher_is_scipys() {
        for (both, first, second, n, expected) in [
            (3, 10, 8, 40, 0.387_841_260_906_276_4),
            (25, 500, 400, 60_000, 1.096_723_768_487_419_6e-14),
            (0, 40, 90, 1000, 0.042_976_854_749_954_66),
            (12, 15, 12, 600, 1.118_443_152_615_302_2e-22),
            (7, 30_000, 9, 60_000, 0.179_654_686_132_794_3),
            (1, 2, 59_998, 60_000, 6.666_611_110_185_17e-5),
            (60, 80, 75, 20_000, 6.262_987_932_794_917_5e-143),
        ] {
            close(fisher(both, first, second, n), expected, 1e-9);
        }
        assert_eq!(fisher(0, 0, 5, 10), 1.0);
        assert_eq!(fisher(5, 10, 5, 10), 1.0);
        // Beyond the range of doubles.
        assert_eq!(fisher(5000, 5000, 5000, 1_000_000), 0.0);
    }

    #[test]
    fn fisher_sums_every_table_that_is_no_more_probable() {
        for n in 1..14_u64 {
            for first in 0..=n {
                for second in 0..=n {
                    let table = |k: u64| {
                        let ways = |n, k| factorial::ln_binomial(n, k).exp();
                        ways(first, k) * ways(n - first, second - k) / ways(n, second)
                    };
                    let range = (first + second).saturating_sub(n)..=first.min(second);
                    for both in range.clone() {
                        let bound = table(both) * (1.0 + 1e-9);
                        let tail = range.clone().map(table).filter(|p| *p <= bound);
                        close(fisher(both, first, second, n), tail.sum(), 1e-9);
                    }
                }
            }
        }
    }

    #[test]
    fn the_test_follows_the_expected_counts() {
        let (p, test) = independence(300, 1000, 900, 6000);
        assert_eq!(test, Test::TwoProportion);
        close(p, 5.660_626_353_550_856e-48, 1e-9);
        close(
            independence(30, 1000, 900, 6000).0,
            2.528_937_444_585_414e-31,
            1e-9,
        );
        assert_eq!(independence(25, 500, 400, 60_000).1, Test::Fisher);
        // What is rare is the absence.
        assert_eq!(independence(9_990, 9_995, 9_994, 10_000).1, Test::Fisher);
        assert_eq!(independence(0, 0, 500, 1000).0, 1.0);
    }

    #[test]
    fn mcnemar_is_scipys() {
        for (only_a, only_b, expected) in [
            (3, 17, 0.002_576_828_002_929_687_5),
            (520, 480, 0.217_448_293_204_141_5),
            (0, 7, 0.015_625),
            (5, 5, 1.0),
            (0, 0, 1.0),
            (300, 700, 1.766_567_800_794_956_8e-37),
        ] {
            let (p, test) = mcnemar(only_a, only_b);
            assert_eq!(test, Test::McnemarExact);
            close(p, expected, 1e-9);
        }
        let (p, test) = mcnemar(700, 600);
        assert_eq!(test, Test::Mcnemar);
        close(p, normal_two_sided(100.0 / 1300.0_f64.sqrt()), 1e-12);
    }

    #[test]
    fn welch_is_scipys() {
        let sample = |n, mean, variance| Sample { n, mean, variance };
        for (a, b, expected, low, high) in [
            (
                sample(50, 1.2, 4.0),
                sample(40, 0.9, 2.5),
                0.428_915_053_612_404_56,
                -0.450_186_363_560_233,
                1.050_186_363_560_232_9,
            ),
            (
                sample(30_000, 0.31, 0.5),
                sample(30_000, 0.30, 0.6),
                0.098_652_887_012_918_98,
                -0.001_868_412_708_714_521,
                0.021_868_412_708_714_54,
            ),
            (
                sample(2, 1.0, 0.5),
                sample(3, 4.0, 0.1),
                0.074_680_611_332_170_67,
                -7.137_815_675_014_859,
                1.137_815_675_014_859,
            ),
            (
                sample(60_000, 0.5, 0.2),
                sample(100, 0.1, 0.05),
                7.222_454_714_278_002e-33,
                0.355_491_179_675_307_1,
                0.444_508_820_324_692_97,
            ),
        ] {
            let (p, interval, test) = welch(a, b, 0.95);
            assert_eq!(test, Test::Welch);
            close(p, expected, 1e-6);
            close(interval.0, low, 1e-6);
            close(interval.1, high, 1e-6);
        }
        let still = sample(10, 1.0, 0.0);
        assert_eq!(welch(still, still, 0.95).2, Test::Untested);
        assert_eq!(welch(sample(1, 1.0, 0.0), still, 0.95).2, Test::Untested);
    }

    #[test]
    fn normal_tails_keep_their_digits() {
        close(normal_quantile(0.95), 1.959_963_984_540_054, 1e-12);
        close(normal_two_sided(-5.0), 5.733_031_437_583_866e-7, 1e-10);
        close(normal_two_sided(35.0), 2.249_821_412_944_812e-268, 1e-9);
    }

    #[test]
    fn wilson_and_newcombe_stay_in_range() {
        let z = normal_quantile(0.95);
        let (low, high) = wilson(7, 50, z);
        close(low, 0.069_508_334_270_162_92, 1e-12);
        close(high, 0.261_861_937_105_855_37, 1e-12);
        assert_eq!(wilson(0, 0, z), (0.0, 1.0));
        assert_eq!(wilson(0, 10, z).0, 0.0);
        for (a, b) in [((0, 10), (0, 10)), ((10, 10), (0, 10)), ((3, 10), (0, 1))] {
            let (low, high) = newcombe(a, b, z);
            assert!((-1.0..=1.0).contains(&low) && (-1.0..=1.0).contains(&high) && low <= high);
        }
    }

    #[test]
    fn paired_intervals_are_newcombes() {
        // Newcombe (1998), table II, method 10: 36, 12, 2, 0 of 50, and 18, 0, 3, 29 of 50.
        let z = normal_quantile(0.95);
        let (low, high) = newcombe_paired(36, 12, 2, 50, z);
        assert!(
            (low - 0.0569).abs() < 1e-4 && (high - 0.3404).abs() < 1e-4,
            "{low} {high}"
        );
    }

    #[test]
    fn adjusted_values_are_scipys_and_keep_their_places() {
        let mut p = [0.01, 0.04, 0.03, 0.005, 0.9, 0.04];
        adjust(&mut p);
        for (found, expected) in p.iter().zip([0.03, 0.048, 0.048, 0.03, 0.9, 0.048]) {
            close(*found, expected, 1e-12);
        }
        adjust(&mut []);
        // Sorted on several threads.
        let mut many: Vec<f64> = (0..40_000)
            .map(|at| f64::from(at * 7919 % 40_000) / 4e4)
            .collect();
        let before = many.clone();
        adjust(&mut many);
        for (adjusted, p) in many.iter().zip(&before) {
            let rank = p * 40_000.0 + 1.0;
            // The p-values are (rank - 1) / m, so the last one decides.
            assert!(*adjusted <= 1.0 && *adjusted >= p * 40_000.0 / rank - 1e-12);
        }
    }
}
