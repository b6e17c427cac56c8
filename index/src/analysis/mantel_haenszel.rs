//! Tests and differences over strata: 2x2 tables that are compared within and never across.

use super::statistics::{Test, fisher, normal_two_sided};

/// Below this the normal approximation is poor (Mantel and Fleiss, 1980): how far the expected count
/// is from the least and the largest that the margins allow.
const SMALL: f64 = 5.0;
/// Tables whose probabilities differ by less than this count as equally probable.
const TIE: f64 = 1e-10;

/// The margins of one stratum's table: of `n` documents `first` have the one property, `second` the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margins {
    /// Documents with the first property (those of set A, say).
    pub first: u64,
    /// Documents with the second property.
    pub second: u64,
    /// Documents of the stratum.
    pub n: u64,
}

/// One stratum of a comparison: documents that have a unit, and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stratum {
    /// Those of A.
    pub a: (u64, u64),
    /// Those of B.
    pub b: (u64, u64),
}

/// A difference of shares over strata.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted {
    /// A's share, strata weighted by `A_h B_h / N_h`.
    pub a: f64,
    /// B's share with the same weights.
    pub b: f64,
    /// Standard error of `a - b` (Sato, 1989).
    pub error: f64,
}

impl Margins {
    /// Counts that the margins allow.
    fn range(&self) -> (u64, u64) {
        let lowest = (self.first + self.second).saturating_sub(self.n);
        (lowest, self.first.min(self.second))
    }

    fn expected(&self) -> f64 {
        self.first as f64 * self.second as f64 / self.n.max(1) as f64
    }

    fn variance(&self) -> f64 {
        let n = self.n as f64;
        let other = |count: u64| (self.n - count) as f64;
        let product = self.first as f64 * other(self.first) / n * self.second as f64 / n;
        if self.n > 1 {
            product * other(self.second) / (n - 1.0)
        } else {
            0.0
        }
    }

    /// Probabilities of the counts of [`Self::range`] (hypergeometric).
    fn distribution(&self) -> Vec<f64> {
        let (lowest, highest) = self.range();
        let (r, c) = (self.first as f64, self.second as f64);
        let neither = self.n as f64 - r - c;
        // From the most probable count outwards, so that nothing overflows.
        let mode = ((r + 1.0) * (c + 1.0) / (self.n as f64 + 2.0)) as u64;
        let mode = mode.clamp(lowest, highest);
        let ratio = |k: f64| (r - k) * (c - k) / ((k + 1.0) * (neither + k + 1.0));
        let mut terms = vec![1.0; (highest - lowest + 1) as usize];
        for k in mode..highest {
            terms[(k + 1 - lowest) as usize] = terms[(k - lowest) as usize] * ratio(k as f64);
        }
        for k in (lowest..mode).rev() {
            terms[(k - lowest) as usize] = terms[(k + 1 - lowest) as usize] / ratio(k as f64);
        }
        let all: f64 = terms.iter().sum();
        terms.iter_mut().for_each(|term| *term /= all);
        terms
    }
}

/// Expected count of documents with both properties where they are independent within strata.
pub fn expected(strata: &[Margins]) -> f64 {
    strata.iter().map(Margins::expected).sum()
}

/// Tests whether two properties are independent within strata: `both` documents have both, over all
/// strata. Cochran-Mantel-Haenszel without continuity correction; where the counts are too small for
/// it, the exact test given all margins, two-sided by the probability of the sum (for one stratum
/// Fisher's).
///
/// ```
/// use latentdb_index::analysis::mantel_haenszel::{Margins, test};
/// use latentdb_index::analysis::statistics::fisher;
///
/// let one = Margins { first: 10, second: 8, n: 40 };
/// assert!((test(3, &[one]).0 - fisher(3, 10, 8, 40)).abs() < 1e-12);
/// ```
pub fn test(both: u64, strata: &[Margins]) -> (f64, Test) {
    let expected = expected(strata);
    let (lowest, highest) = strata.iter().fold((0, 0), |(lowest, highest), stratum| {
        let range = stratum.range();
        (lowest + range.0, highest + range.1)
    });
    if (expected - lowest as f64).min(highest as f64 - expected) < SMALL {
        return (exact(both - lowest, strata), Test::StratifiedExact);
    }
    let variance: f64 = strata.iter().map(Margins::variance).sum();
    let z = (both as f64 - expected) / variance.sqrt();
    (normal_two_sided(z), Test::CochranMantelHaenszel)
}

/// Two-sided p of a sum that is `above` the least that the margins allow.
fn exact(above: u64, strata: &[Margins]) -> f64 {
    let open: Vec<&Margins> = strata
        .iter()
        .filter(|stratum| stratum.range().0 < stratum.range().1)
        .collect();
    if let [only] = open[..] {
        return fisher(only.range().0 + above, only.first, only.second, only.n);
    }
    let sums = open.iter().fold(vec![1.0], |sums, stratum| {
        let own = stratum.distribution();
        let mut next = vec![0.0; sums.len() + own.len() - 1];
        for (at, sum) in sums.iter().enumerate() {
            for (next, own) in next[at..].iter_mut().zip(&own) {
                *next += sum * own;
            }
        }
        next
    });
    let observed = sums.get(above as usize).copied().unwrap_or(0.0);
    let bound = observed * (1.0 + TIE);
    let tail = sums.iter().filter(|sum| **sum <= bound).sum::<f64>();
    tail.min(1.0)
}

/// The difference of shares over strata, weighted by `A_h B_h / N_h`, with Sato's (1989) standard
/// error; `None` where no stratum has documents of both sets.
pub fn weighted(strata: &[Stratum]) -> Option<Weighted> {
    let (mut weights, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    let (mut p, mut q) = (0.0, 0.0);
    for stratum in strata {
        let (a, of_a) = (stratum.a.0 as f64, stratum.a.1 as f64);
        let (b, of_b) = (stratum.b.0 as f64, stratum.b.1 as f64);
        let n = of_a + of_b;
        if of_a * of_b == 0.0 {
            continue;
        }
        weights += of_a * of_b / n;
        in_a += a * of_b / n;
        in_b += b * of_a / n;
        let lengths = of_a * of_b * (of_b - of_a) / 2.0;
        p += (of_a * of_a * b - of_b * of_b * a + lengths) / (n * n);
        q += (a * (of_b - b) + b * (of_a - a)) / (2.0 * n);
    }
    let difference = (in_a - in_b) / weights;
    (weights > 0.0).then(|| Weighted {
        a: in_a / weights,
        b: in_b / weights,
        error: (difference * p + q).max(0.0).sqrt() / weights,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs(),
            "{found}, not {expected}"
        );
    }

    fn margins(strata: &[Stratum]) -> (u64, Vec<Margins>) {
        let both = strata.iter().map(|stratum| stratum.a.0).sum();
        let margins = strata.iter().map(|stratum| Margins {
            first: stratum.a.1,
            second: stratum.a.0 + stratum.b.0,
            n: stratum.a.1 + stratum.b.1,
        });
        (both, margins.collect())
    }

    const STRATA: [Stratum; 3] = [
        Stratum {
            a: (12, 40),
            b: (9, 60),
        },
        Stratum {
            a: (30, 70),
            b: (10, 35),
        },
        Stratum {
            a: (5, 11),
            b: (60, 160),
        },
    ];

    #[test]
    fn the_test_is_statsmodels() {
        // statsmodels 0.14, StratifiedTable(..).test_null_odds(correction=False).
        let (both, margins) = margins(&STRATA);
        let (p, test) = test(both, &margins);
        assert_eq!(test, Test::CochranMantelHaenszel);
        let by_hand = {
            let (mut o, mut e, mut v) = (0.0, 0.0, 0.0);
            for s in STRATA {
                let (n, m) = ((s.a.1 + s.b.1) as f64, (s.a.0 + s.b.0) as f64);
                let (of_a, of_b) = (s.a.1 as f64, s.b.1 as f64);
                o += s.a.0 as f64;
                e += of_a * m / n;
                v += of_a * of_b * m * (n - m) / (n * n * (n - 1.0));
            }
            normal_two_sided((o - e) / f64::sqrt(v))
        };
        close(p, by_hand);
    }

    #[test]
    fn the_exact_test_sums_every_combination_of_tables() {
        let strata = [
            Stratum {
                a: (3, 10),
                b: (0, 12),
            },
            Stratum {
                a: (1, 8),
                b: (1, 30),
            },
            // One document, and a unit that all have: neither says anything.
            Stratum {
                a: (1, 1),
                b: (0, 0),
            },
            Stratum {
                a: (2, 2),
                b: (3, 3),
            },
        ];
        let (both, margins) = margins(&strata);
        let (p, found) = test(both, &margins);
        assert_eq!(found, Test::StratifiedExact);
        let choose =
            |n: u64, k: u64| -> f64 { (0..k).map(|i| (n - i) as f64 / (k - i) as f64).product() };
        let one = |m: u64, of_a: u64, n: u64, k: u64| {
            choose(of_a, k) * choose(n - of_a, m - k) / choose(n, m)
        };
        let mut sums = [0.0; 6];
        for i in 0..=3 {
            for j in 0..=2 {
                sums[(i + j) as usize] += one(3, 10, 22, i) * one(2, 8, 38, j);
            }
        }
        let bound = sums[4] * (1.0 + 1e-9);
        close(p, sums.iter().filter(|sum| **sum <= bound).sum());
    }

    #[test]
    fn the_difference_is_weighted_and_has_satos_error() {
        let found = weighted(&STRATA).unwrap();
        let weights: Vec<f64> = STRATA
            .iter()
            .map(|s| s.a.1 as f64 * s.b.1 as f64 / (s.a.1 + s.b.1) as f64)
            .collect();
        let sum = |of: &dyn Fn(&Stratum) -> f64| -> f64 {
            let terms = STRATA.iter().zip(&weights).map(|(s, w)| w * of(s));
            terms.sum::<f64>() / weights.iter().sum::<f64>()
        };
        let a = sum(&|s| s.a.0 as f64 / s.a.1 as f64);
        let b = sum(&|s| s.b.0 as f64 / s.b.1 as f64);
        close(found.a, a);
        close(found.b, b);
        // With one stratum the error is near the usual one.
        let one = weighted(&[Stratum {
            a: (300, 1000),
            b: (250, 1000),
        }])
        .unwrap();
        let usual = (0.3 * 0.7 / 1000.0 + 0.25 * 0.75 / 1000.0_f64).sqrt();
        assert!((one.error / usual - 1.0).abs() < 2e-3, "{}", one.error);
        assert!(
            weighted(&[Stratum {
                a: (1, 5),
                b: (0, 0)
            }])
            .is_none()
        );
    }
}
