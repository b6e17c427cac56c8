//! Finding the k largest of a row of pre-activations without sorting it.
//!
//! Lane-wise maxima of a few hundred groups are taken in one pass. The k-th largest of those maxima
//! is a floor under the k-th largest value, because k different values reach it; a second pass
//! collects the few values at or above the floor, and only those are compared exactly.

use crate::instructions::dispatched;

const LANES: usize = 16;
/// How many maxima are taken per wanted value: more make the floor tighter and the search longer.
const MAXIMA_PER_KEPT: usize = 8;

/// Reusable memory for selections.
#[derive(Default)]
pub(super) struct Selector {
    maxima: Vec<f32>,
    scored: Vec<(f32, u32)>,
}

dispatched! {
    /// `values = (values + bias)`, leaving the lane-wise maxima of groups of `depth` vectors.
    fn biased_maxima(values: &mut [f32], bias: &[f32], depth: usize, maxima: &mut [f32]) {
        let span = depth * LANES;
        for ((group, bias), best) in values
            .chunks_mut(span)
            .zip(bias.chunks(span))
            .zip(maxima.as_chunks_mut::<LANES>().0)
        {
            let mut top = [f32::NEG_INFINITY; LANES];
            let (vectors, rest) = group.as_chunks_mut::<LANES>();
            let (bias_vectors, bias_rest) = bias.as_chunks::<LANES>();
            for (vector, bias) in vectors.iter_mut().zip(bias_vectors) {
                for lane in 0..LANES {
                    let value = vector[lane] + bias[lane];
                    vector[lane] = value;
                    top[lane] = if value > top[lane] { value } else { top[lane] };
                }
            }
            for (lane, (value, bias)) in rest.iter_mut().zip(bias_rest).enumerate() {
                *value += bias;
                top[lane] = if *value > top[lane] { *value } else { top[lane] };
            }
            *best = top;
        }
    }
}

dispatched! {
    fn count_at_least(values: &[f32], floor: f32) -> usize {
        let mut counts = [0u32; LANES];
        for vector in values.as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                counts[lane] += u32::from(vector[lane] >= floor);
            }
        }
        counts.iter().sum::<u32>() as usize
    }
}

dispatched! {
    /// Appends the positions of all values at or above `floor`, ascending.
    pub(super) fn positions_at_least(values: &[f32], floor: f32, out: &mut Vec<u32>) {
        let (vectors, rest) = values.as_chunks::<LANES>();
        let mut position = 0u32;
        for vector in vectors {
            let mut mask = 0u32;
            for (lane, value) in vector.iter().enumerate() {
                mask |= u32::from(*value >= floor) << lane;
            }
            while mask != 0 {
                out.push(position + mask.trailing_zeros());
                mask &= mask - 1;
            }
            position += LANES as u32;
        }
        for (lane, value) in (0u32..).zip(rest) {
            if *value >= floor {
                out.push(position + lane);
            }
        }
    }
}

impl Selector {
    /// Adds `bias` to `values` and returns a floor that at least `k` of the sums reach.
    ///
    /// The floor is close under the k-th largest sum; it is minus infinity when `k` is all of them.
    /// All values must be finite.
    pub(super) fn floor(&mut self, values: &mut [f32], bias: &[f32], k: usize) -> f32 {
        let wanted = (k * MAXIMA_PER_KEPT).max(LANES);
        let depth = (values.len() / wanted).max(1);
        let groups = values.len().div_ceil(depth * LANES);
        self.maxima.clear();
        self.maxima.resize(groups * LANES, f32::NEG_INFINITY);
        biased_maxima(values, bias, depth, &mut self.maxima);
        if k >= values.len() {
            return f32::NEG_INFINITY;
        }
        self.bisect(k)
    }

    /// A value that at least `k` maxima reach and few more than `k` do.
    fn bisect(&self, k: usize) -> f32 {
        let mut high = f32::NEG_INFINITY;
        let mut low = f32::INFINITY;
        for &value in self.maxima.iter().filter(|v| **v > f32::NEG_INFINITY) {
            high = high.max(value);
            low = low.min(value);
        }
        if count_at_least(&self.maxima, low) < k {
            return f32::NEG_INFINITY;
        }
        for _ in 0..24 {
            let middle = low + (high - low) * 0.5;
            let reached = count_at_least(&self.maxima, middle);
            if reached >= k {
                low = middle;
                if reached <= k + k / 8 {
                    break;
                }
            } else {
                high = middle;
            }
        }
        low
    }

    /// Keeps the `k` candidates with the largest scores, the smaller latent first among equals,
    /// and returns them in ascending order of latent.
    pub(super) fn keep(
        &mut self,
        candidates: &[u32],
        scores: &[f32],
        k: usize,
    ) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.scored.clear();
        self.scored
            .extend(scores.iter().copied().zip(candidates.iter().copied()));
        if self.scored.len() > k && k > 0 {
            self.scored
                .select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        }
        self.scored.truncate(k);
        self.scored.sort_unstable_by_key(|(_, latent)| *latent);
        self.scored.iter().map(|(score, latent)| (*latent, *score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    #[test]
    fn selection_equals_a_full_sort_for_every_shape() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut selector = Selector::default();
        for n in [1usize, 2, 15, 16, 17, 40, 257, 1024, 3000] {
            for k in [1usize, 2, 4, 16, 32, 64, 500] {
                // Coarse values make ties common.
                let levels = if k % 2 == 0 { 20 } else { 100_000 };
                let mut values: Vec<f32> = (0..n)
                    .map(|_| rng.random_range(-levels..levels) as f32 / 1000.0)
                    .collect();
                let bias: Vec<f32> = (0..n).map(|i| (i % 3) as f32 / 1000.0).collect();
                let sums: Vec<f32> = values.iter().zip(&bias).map(|(v, b)| v + b).collect();
                let floor = selector.floor(&mut values, &bias, k);
                assert_eq!(values, sums);
                let mut candidates = Vec::new();
                positions_at_least(&values, floor, &mut candidates);
                assert!(candidates.len() >= k.min(n));
                let scores: Vec<f32> = candidates.iter().map(|c| values[*c as usize]).collect();
                let kept: Vec<(u32, f32)> = selector.keep(&candidates, &scores, k).collect();

                let mut order: Vec<u32> = (0..n as u32).collect();
                order.sort_by(|a, b| {
                    sums[*b as usize]
                        .total_cmp(&sums[*a as usize])
                        .then(a.cmp(b))
                });
                order.truncate(k);
                order.sort_unstable();
                let expected: Vec<(u32, f32)> =
                    order.iter().map(|i| (*i, sums[*i as usize])).collect();
                assert_eq!(kept, expected, "n {n} k {k}");
            }
        }
    }
}
