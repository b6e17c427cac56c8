//! Adam with clipping, decoder rows kept at norm 1, and a running mean of the weights.

use rayon::prelude::*;

use crate::instructions::dispatched;
use crate::sae::kernel;

use super::parameters::Parameters;
use super::step::{Backprop, CHUNK_LATENTS};

/// Against division by zero; the value of O'Neill et al. 2024.
const EPSILON: f32 = 6.25e-10;

/// The factors of one update.
#[derive(Clone, Copy, Debug)]
struct Rates {
    beta1: f32,
    beta2: f32,
    /// Learning rate over the bias correction of the mean.
    rate: f32,
    /// 1 over the bias correction of the squares.
    square_correction: f32,
    /// The factor of gradient clipping.
    clip: f32,
}

/// Hyperparameters of an update.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpdateSettings {
    pub beta1: f32,
    pub beta2: f32,
    pub learning_rate: f32,
    pub weight_decay: f32,
    /// Factor on the gradient that keeps its norm within bounds.
    pub clip: f32,
    /// Weight of the new parameters in the running mean, where this step updates it.
    pub average: Option<f32>,
}

/// Running moments of the gradient.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Adam {
    pub mean: Parameters,
    pub square: Parameters,
    pub steps: u64,
}

/// The same latents of every tensor an update reads and writes.
struct Chunk<'a> {
    first: usize,
    w_enc: [&'a mut [f32]; 3],
    w_dec: [&'a mut [f32]; 3],
    b_enc: [&'a mut [f32]; 3],
    average: Option<[&'a mut [f32]; 3]>,
}

impl Adam {
    pub fn new(n: usize, d: usize) -> Self {
        Self {
            mean: Parameters::zeros(n, d),
            square: Parameters::zeros(n, d),
            steps: 0,
        }
    }

    /// One update by the gradient that `backprop` holds. Runs on the rayon pool it is called in.
    pub fn update(
        &mut self,
        weights: &mut Parameters,
        average: Option<&mut Parameters>,
        backprop: &Backprop,
        settings: &UpdateSettings,
    ) {
        let d = weights.b_dec.len();
        self.steps += 1;
        let steps = self.steps as f64;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(steps);
        let rates = Rates {
            beta1: settings.beta1,
            beta2: settings.beta2,
            rate: (f64::from(settings.learning_rate) / correction(settings.beta1)) as f32,
            square_correction: (1.0 / correction(settings.beta2)) as f32,
            clip: settings.clip,
        };
        let keep = 1.0 - settings.learning_rate * settings.weight_decay;
        let gradient = &backprop.gradient;
        update_row(
            &mut weights.b_dec,
            &mut self.mean.b_dec,
            &mut self.square.b_dec,
            Some(&gradient.b_dec),
            rates,
        );
        let mut average = average.filter(|_| settings.average.is_some());
        let share = settings.average.unwrap_or(0.0);
        if let Some(average) = &mut average {
            move_towards(&mut average.b_dec, &weights.b_dec, share);
        }
        let chunks = chunks(weights, &mut self.mean, &mut self.square, average, d);
        chunks.into_par_iter().for_each(|mut chunk| {
            for offset in 0..chunk.b_enc[0].len() {
                let latent = chunk.first + offset;
                let (at, all) = (offset * d..(offset + 1) * d, latent * d..(latent + 1) * d);
                let touched = backprop.touched(latent);
                let [w, m, v] = &mut chunk.w_enc;
                if keep < 1.0 {
                    w[at.clone()].iter_mut().for_each(|w| *w *= keep);
                }
                update_row(
                    &mut w[at.clone()],
                    &mut m[at.clone()],
                    &mut v[at.clone()],
                    touched.then(|| &gradient.w_enc[all.clone()]),
                    rates,
                );
                let [w, m, v] = &mut chunk.w_dec;
                update_row(
                    &mut w[at.clone()],
                    &mut m[at.clone()],
                    &mut v[at.clone()],
                    touched.then(|| &gradient.w_dec[all]),
                    rates,
                );
                rescale_to_one(&mut w[at.clone()]);
                if let Some([enc, dec, _]) = &mut chunk.average {
                    move_towards(&mut enc[at.clone()], &chunk.w_enc[0][at.clone()], share);
                    move_towards(&mut dec[at.clone()], &chunk.w_dec[0][at.clone()], share);
                }
            }
            let range = chunk.first..chunk.first + chunk.b_enc[0].len();
            let [w, m, v] = &mut chunk.b_enc;
            update_row(w, m, v, Some(&gradient.b_enc[range]), rates);
            if let Some([_, _, bias]) = &mut chunk.average {
                move_towards(bias, chunk.b_enc[0], share);
            }
        });
    }
}

fn chunks<'a>(
    weights: &'a mut Parameters,
    mean: &'a mut Parameters,
    square: &'a mut Parameters,
    average: Option<&'a mut Parameters>,
    d: usize,
) -> Vec<Chunk<'a>> {
    let rows = CHUNK_LATENTS * d;
    let views = |p: &'a mut Parameters| {
        p.w_enc
            .chunks_mut(rows)
            .zip(p.w_dec.chunks_mut(rows))
            .zip(p.b_enc.chunks_mut(CHUNK_LATENTS))
            .map(|((enc, dec), bias)| [enc, dec, bias])
    };
    let mut averages = average.into_iter().flat_map(views);
    views(weights)
        .zip(views(mean))
        .zip(views(square))
        .enumerate()
        .map(|(index, ((w, m), v))| {
            let [w_enc, w_dec, b_enc] = w;
            let [m_enc, m_dec, m_bias] = m;
            let [v_enc, v_dec, v_bias] = v;
            Chunk {
                first: index * CHUNK_LATENTS,
                w_enc: [w_enc, m_enc, v_enc],
                w_dec: [w_dec, m_dec, v_dec],
                b_enc: [b_enc, m_bias, v_bias],
                average: averages.next(),
            }
        })
        .collect()
}

/// Adam on one row; a gradient that is not there is zero.
fn update_row(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: Option<&[f32]>, rates: Rates) {
    match g {
        Some(g) => update_by(w, m, v, g, rates),
        None => coast(w, m, v, rates),
    }
}

dispatched! {
    fn update_by(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], rates: Rates) {
        let (rest1, rest2) = (1.0 - rates.beta1, 1.0 - rates.beta2);
        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
            let g = g * rates.clip;
            *m = rates.beta1 * *m + rest1 * g;
            *v = rates.beta2 * *v + rest2 * (g * g);
            *w -= rates.rate * *m / ((*v * rates.square_correction).sqrt() + EPSILON);
        }
    }
}

dispatched! {
    fn coast(w: &mut [f32], m: &mut [f32], v: &mut [f32], rates: Rates) {
        for ((w, m), v) in w.iter_mut().zip(m).zip(v) {
            *m *= rates.beta1;
            *v *= rates.beta2;
            *w -= rates.rate * *m / ((*v * rates.square_correction).sqrt() + EPSILON);
        }
    }
}

dispatched! {
    fn rescale_to_one(row: &mut [f32]) {
        let squares = kernel::dot(row, row);
        if squares > 0.0 {
            let factor = 1.0 / squares.sqrt();
            for value in row.iter_mut() {
                *value *= factor;
            }
        }
    }
}

dispatched! {
    fn move_towards(average: &mut [f32], weights: &[f32], share: f32) {
        for (a, w) in average.iter_mut().zip(weights) {
            *a += share * (w - *a);
        }
    }
}
