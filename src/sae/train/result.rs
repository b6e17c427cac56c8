//! What comes of a training: the SAE and its quality.

use rayon::ThreadPool;

use crate::error::Result;
use crate::sae::evaluate::{EvaluateOptions, evaluate};
use crate::sae::model::Sae;
use crate::sae::normalisation::Normalisation;
use crate::sae::parts::{Architecture, SaeParts};
use crate::sae::record::{Quality, Sparsity, TrainReport, TrainingRecord};
use crate::sae::rows::row_of;
use crate::vectors::norm;

use super::draw::{mean, mean_norm};
use super::parameters::Parameters;
use super::training::{SAMPLE_ROWS, Training};

/// A trained SAE and the report of its training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The SAE; its record holds the configuration and the report.
    pub sae: Sae,
    /// The report.
    pub report: TrainReport,
}

impl Training<'_> {
    /// The SAE of the best weights, measured.
    pub(super) fn finish(mut self, pool: &ThreadPool) -> Result<Trained> {
        let seconds = self.seconds_before + self.seconds();
        let (steps, d) = (self.counters.step, self.feed.dimension());
        let shown = self.feed.sample(SAMPLE_ROWS, "shown")?;
        let best = self.best.take().or(self.average.take());
        let mut weights = best.unwrap_or_else(|| self.weights.clone());
        fold_decoder_norms(&mut weights, d);
        let architecture = pool.install(|| self.architecture(&weights, &shown));
        let mut parts = SaeParts {
            architecture,
            normalisation: self.config.normalisation,
            d_in: d,
            w_enc_t: weights.w_enc,
            b_enc: weights.b_enc,
            w_dec: weights.w_dec,
            b_dec: weights.b_dec,
            apply_b_dec_to_input: true,
            record: TrainingRecord::default(),
        };
        let sae = Sae::new(parts.clone())?;
        let options = EvaluateOptions {
            threads: pool.current_num_threads(),
            ..EvaluateOptions::default()
        };
        let measure = |vectors: &[f32]| -> Result<Quality> { evaluate(&sae, vectors, &options) };
        let (vectors, rows) = self.feed.held_out();
        let held_out: Vec<f32> = rows
            .iter()
            .flat_map(|row| row_of(vectors, d, *row))
            .copied()
            .collect();
        let batch = self.feed.batch_rows();
        let report = TrainReport {
            rows: self.feed.train_rows(),
            held_out_rows: rows.len(),
            steps,
            epochs: steps / self.steps_per_epoch,
            stopped_early: self.stopped_early,
            seconds,
            examples_per_second: (steps * batch) as f64 / seconds.max(1e-9),
            trained: measure(&shown)?,
            held_out: match rows {
                [] => None,
                _ => Some(measure(&held_out)?),
            },
            // Of normalised rows both say nothing.
            mean_norm: (self.config.normalisation == Normalisation::None)
                .then(|| mean_norm(&shown, d)),
            mean: (self.config.normalisation == Normalisation::None).then(|| mean(&shown, d)),
            dead_share: self.dead_share(),
            dead_window: self.dead_steps * batch,
            curve: self.counters.curve.clone(),
        };
        parts.record = TrainingRecord {
            origin: concat!("latentdb ", env!("CARGO_PKG_VERSION")).to_owned(),
            config: Some(self.config.clone()),
            report: Some(report.clone()),
            reading: None,
            recurrence: None,
            about: std::collections::BTreeMap::new(),
        };
        Ok(Trained {
            sae: Sae::new(parts)?,
            report,
        })
    }

    /// The architecture of the trained SAE.
    ///
    /// The moving average of a batch-top-k training is of noisy inputs and of weights that were
    /// still moving, so the threshold is measured again on clean rows with the final ones.
    fn architecture(&mut self, weights: &Parameters, shown: &[f32]) -> Architecture {
        let k = self.config.k;
        match self.config.sparsity {
            Sparsity::TopK => Architecture::TopK {
                k,
                rescale_by_decoder_norm: false,
            },
            Sparsity::BatchTopK => {
                let rows: Vec<u32> = (0u32..).take(shown.len() / self.feed.dimension()).collect();
                let batch = self.feed.batch_rows();
                let measured = self.backprop.threshold(weights, shown, &rows, batch, k);
                Architecture::BatchTopK {
                    k,
                    threshold: measured.or(self.counters.threshold).unwrap_or(0.0),
                }
            }
        }
    }
}

/// Puts the decoder rows' norms into the encoder; running means of unit rows are shorter than 1.
fn fold_decoder_norms(weights: &mut Parameters, d: usize) {
    for ((dec, enc), bias) in weights
        .w_dec
        .chunks_exact_mut(d)
        .zip(weights.w_enc.chunks_exact_mut(d))
        .zip(&mut weights.b_enc)
    {
        let length = norm(dec) as f32;
        if length > 0.0 {
            dec.iter_mut().for_each(|v| *v /= length);
            enc.iter_mut().for_each(|v| *v *= length);
            *bias *= length;
        }
    }
}
