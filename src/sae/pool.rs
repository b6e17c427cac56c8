//! Codes of a text's tokens -> one code (methods guide, section 2): codes are pooled, never states.

use crate::reading::CodePooling;

/// A latent of a pooled code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pooled {
    /// The latent.
    pub latent: u32,
    /// Its pooled activation, above 0.
    pub activation: f32,
    /// The token where it was strongest, the first among equals, as it was numbered.
    pub strongest: usize,
}

/// Pools the codes of one text after the other.
///
/// # Example
/// ```
/// use latentdb::reading::CodePooling;
/// use latentdb::sae::CodePool;
///
/// let mut pool = CodePool::new(8, CodePooling::Max);
/// pool.add(0, &[1, 5], &[0.5, 2.0]);
/// pool.add(1, &[1], &[0.75]);
/// let code: Vec<_> = pool.finish().iter().map(|p| (p.latent, p.activation, p.strongest)).collect();
/// assert_eq!(code, [(1, 0.75, 1), (5, 2.0, 0)]);
/// ```
#[derive(Clone, Debug)]
pub struct CodePool {
    pooling: CodePooling,
    /// By latent; 0 where the text has not activated it.
    pooled: Vec<f64>,
    /// By latent: its largest activation and the token.
    strongest: Vec<(f32, usize)>,
    /// Latents that the text activated, each once.
    active: Vec<u32>,
    tokens: usize,
}

impl CodePool {
    /// A pool over an SAE of `n_latents`.
    pub fn new(n_latents: usize, pooling: CodePooling) -> Self {
        Self {
            pooling,
            pooled: vec![0.0; n_latents],
            strongest: vec![(0.0, 0); n_latents],
            active: Vec::new(),
            tokens: 0,
        }
    }

    /// Adds the code of a token: latents below `n_latents`, each once, with positive activations.
    ///
    /// # Panics
    /// When a latent is not below `n_latents`.
    pub fn add(&mut self, token: usize, latents: &[u32], activations: &[f32]) {
        self.tokens += 1;
        for (&latent, &activation) in latents.iter().zip(activations) {
            let at = latent as usize;
            let strongest = &mut self.strongest[at];
            if strongest.0 == 0.0 {
                self.active.push(latent);
            }
            if activation > strongest.0 {
                *strongest = (activation, token);
            }
            let pooled = &mut self.pooled[at];
            match self.pooling {
                CodePooling::Max => *pooled = pooled.max(f64::from(activation)),
                CodePooling::Sum | CodePooling::Mean => *pooled += f64::from(activation),
                CodePooling::Count { threshold } => {
                    *pooled += f64::from(u8::from(activation > threshold));
                }
                CodePooling::Binary => *pooled = 1.0,
            }
        }
    }

    /// The code of the text, ascending by latent; the pool is empty after.
    pub fn finish(&mut self) -> Vec<Pooled> {
        let scale = match self.pooling {
            CodePooling::Mean => (self.tokens.max(1) as f64).recip(),
            _ => 1.0,
        };
        self.active.sort_unstable();
        let (sums, best) = (&mut self.pooled, &mut self.strongest);
        let code = self.active.drain(..).filter_map(|latent| {
            let at = latent as usize;
            let activation = (std::mem::take(&mut sums[at]) * scale) as f32;
            let (_, strongest) = std::mem::take(&mut best[at]);
            (activation > 0.0).then_some(Pooled {
                latent,
                activation,
                strongest,
            })
        });
        let code = code.collect();
        self.tokens = 0;
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes of three tokens over 4 latents, dense.
    const TOKENS: [[f32; 4]; 3] = [
        [0.5, 0.0, 2.0, 0.0],
        [0.25, 0.0, 2.0, 1.0],
        [1.5, 0.0, 0.0, 0.0],
    ];

    fn pooled(pool: &mut CodePool) -> Vec<(u32, f32, usize)> {
        for (token, code) in TOKENS.iter().enumerate() {
            let active = (0_u32..)
                .zip(*code)
                .filter(|(_, activation)| *activation > 0.0);
            let (latents, activations): (Vec<u32>, Vec<f32>) = active.unzip();
            pool.add(token, &latents, &activations);
        }
        let code = pool.finish().into_iter();
        code.map(|p| (p.latent, p.activation, p.strongest))
            .collect()
    }

    #[test]
    fn every_pooling_is_its_formula() {
        let third = 1.0 / 3.0;
        for (pooling, expected) in [
            (
                CodePooling::Max,
                vec![(0, 1.5, 2), (2, 2.0, 0), (3, 1.0, 1)],
            ),
            (
                CodePooling::Sum,
                vec![(0, 2.25, 2), (2, 4.0, 0), (3, 1.0, 1)],
            ),
            (
                CodePooling::Mean,
                vec![(0, 0.75, 2), (2, 4.0 * third, 0), (3, third, 1)],
            ),
            (
                CodePooling::Count { threshold: 0.0 },
                vec![(0, 3.0, 2), (2, 2.0, 0), (3, 1.0, 1)],
            ),
            (
                CodePooling::Count { threshold: 0.5 },
                vec![(0, 1.0, 2), (2, 2.0, 0), (3, 1.0, 1)],
            ),
            (
                CodePooling::Count { threshold: 1.0 },
                vec![(0, 1.0, 2), (2, 2.0, 0)],
            ),
            (
                CodePooling::Binary,
                vec![(0, 1.0, 2), (2, 1.0, 0), (3, 1.0, 1)],
            ),
        ] {
            let mut pool = CodePool::new(4, pooling);
            // A second text is not touched by the first.
            for _ in 0..2 {
                assert_eq!(pooled(&mut pool), expected, "{pooling}");
            }
            assert!(pool.finish().is_empty());
        }
    }
}
