//! Rotary position embedding (arXiv 2104.09864): which angle each pair of a head is turned by.

use std::f64::consts::TAU;

/// The frequencies of the angles.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rope {
    /// Base of the frequencies.
    pub(super) theta: f64,
    /// The scaling of frequencies for long contexts.
    pub(super) scaling: Scaling,
}

/// A change of the frequencies.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scaling {
    /// None.
    None,
    /// All divided by a factor.
    Linear(f64),
    /// Low ones divided by a factor, high ones kept, those between mixed (Llama 3.1).
    Llama3 {
        /// What low frequencies are divided by.
        factor: f64,
        /// Below this many turns over the original context a frequency is low.
        low: f64,
        /// Above this many it is high.
        high: f64,
        /// The original context.
        context: f64,
    },
    /// Each divided by a factor of its own (what GGUF files carry for Llama 3.1).
    Each(Vec<f32>),
}

/// Cosines and sines, `[positions, half]` each.
pub(super) struct Turns {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rope {
    /// The frequencies of a head of `width` values, `[width / 2]`.
    fn frequencies(&self, width: usize) -> Vec<f64> {
        let half = width / 2;
        (0..half)
            .map(|i| {
                let frequency = self.theta.powf(-(2.0 * i as f64) / width as f64);
                self.scaling.apply(i, frequency)
            })
            .collect()
    }

    /// The turns of the positions `0..positions`.
    pub(super) fn turns(&self, head_width: usize, positions: usize) -> Turns {
        let frequencies = self.frequencies(head_width);
        let angles = (0..positions)
            .flat_map(|position| frequencies.iter().map(move |f| position as f64 * f));
        let (sin, cos) = angles
            .map(|angle| {
                let (sin, cos) = angle.sin_cos();
                (sin as f32, cos as f32)
            })
            .unzip();
        Turns {
            half: head_width / 2,
            cos,
            sin,
        }
    }
}

impl Scaling {
    /// Frequency number `at`, changed.
    fn apply(&self, at: usize, frequency: f64) -> f64 {
        match self {
            Self::None => frequency,
            Self::Linear(factor) => frequency / factor,
            Self::Each(factors) => {
                frequency / factors.get(at).map_or(1.0, |factor| f64::from(*factor))
            }
            Self::Llama3 {
                factor,
                low,
                high,
                context,
            } => {
                let turns = context * frequency / TAU;
                if turns < *low {
                    frequency / factor
                } else if turns > *high {
                    frequency
                } else {
                    let kept = (turns - low) / (high - low);
                    (1.0 - kept) * frequency / factor + kept * frequency
                }
            }
        }
    }
}

impl Turns {
    /// Cosines and sines of a position, `[half]` each.
    pub(super) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_fall_from_one_to_the_inverse_of_the_base() {
        let rope = Rope {
            theta: 10_000.0,
            scaling: Scaling::None,
        };
        let frequencies = rope.frequencies(4);
        assert_eq!(frequencies, [1.0, 0.01]);
        let turns = rope.turns(4, 3);
        let (cos, sin) = turns.at(2);
        assert_eq!(cos, [2.0_f32.cos(), 0.02_f32.cos()]);
        assert_eq!(sin, [2.0_f32.sin(), 0.02_f32.sin()]);
    }

    #[test]
    fn long_contexts_slow_the_low_frequencies() {
        let scaling = Scaling::Llama3 {
            factor: 8.0,
            low: 1.0,
            high: 4.0,
            context: 8192.0,
        };
        // 8192 positions are 1304 turns, .13 turns and 2 turns.
        assert_eq!(scaling.apply(0, 1.0), 1.0);
        assert_eq!(scaling.apply(0, 1e-4), 1e-4 / 8.0);
        let between = 2.0 * TAU / 8192.0;
        let expected = between * (2.0 / 3.0 / 8.0 + 1.0 / 3.0);
        assert!((scaling.apply(0, between) - expected).abs() < 1e-12);
        assert_eq!(Scaling::Linear(4.0).apply(3, 1.0), 0.25);
        assert_eq!(Scaling::Each(vec![1.0, 2.0]).apply(1, 1.0), 0.5);
    }
}
