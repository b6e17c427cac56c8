//! The interval of a difference, at whatever confidence.

use super::statistics::{newcombe, newcombe_paired, normal_quantile, student_quantile};

/// What the interval of a difference follows from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Spread {
    /// Two independent shares: count and documents of A and of B (Newcombe).
    Independent((u64, u64), (u64, u64)),
    /// Shares of the same rows (Newcombe): both sides, only A, only B, of `n`.
    Paired(u64, u64, u64, u64),
    /// A difference with a standard error, and the degrees of freedom of that (infinite: normal).
    Symmetric {
        delta: f64,
        error: f64,
        freedom: f64,
    },
}

impl Spread {
    /// Of a difference with its standard error and degrees of freedom; unbounded without them.
    pub fn of(delta: f64, error: Option<(f64, f64)>) -> Self {
        let (error, freedom) = error.unwrap_or((f64::INFINITY, f64::INFINITY));
        Self::Symmetric {
            delta,
            error,
            freedom,
        }
    }

    /// The interval that has the difference with this probability.
    pub fn interval(self, confidence: f64) -> (f64, f64) {
        match self {
            Self::Independent(a, b) => newcombe(a, b, normal_quantile(confidence)),
            Self::Paired(both, only_a, only_b, n) => {
                newcombe_paired(both, only_a, only_b, n, normal_quantile(confidence))
            }
            Self::Symmetric {
                delta,
                error,
                freedom,
            } => {
                let width = error * student_quantile(confidence, freedom);
                (delta - width, delta + width)
            }
        }
    }
}
