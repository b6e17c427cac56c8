//! Training a top-k SAE on dense vectors (Paper B), on the cores of one machine.
//!
//! *What does a batch come to* (`forward`), *what is its gradient* (`step`), *how do weights move* (`adam`), *what are the weights*
//! (`parameters`), *how is a stopped training kept* (`checkpoint`), *which settings* (`config`), *what is drawn* (`rows`), *what is reported* (`report`);
//! the loop over epochs is here.

mod adam;
mod checkpoint;
mod config;
mod forward;
mod parameters;
mod report;
mod rows;
mod step;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use rand::Rng;
use rand::seq::SliceRandom;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

use super::encode::thread_count;
use super::evaluate::{EvaluateOptions, Quality, evaluate};
use super::model::{Architecture, Normalisation, Sae, SaeParts};
use super::record::TrainingRecord;

use adam::{Adam, UpdateSettings};
use checkpoint::{Counters, State};
pub use config::TrainConfig;
use forward::StepInput;
use parameters::Parameters;
use report::Smooth;
pub use report::{TrainProgress, TrainReport, Trained};
use rows::{check_vectors, deviation, mean_norm, normalised, rng, row_of, sample};
use step::{Backprop, StepOutput};

/// Rows whose median starts `b_dec`.
const MEDIAN_SAMPLE: usize = 10_000;
/// Steps between calls of the progress function.
const PROGRESS_STEPS: usize = 10;
/// The running mean of the weights is updated every so many steps.
const AVERAGE_STEPS: usize = 8;
/// Seconds between checkpoints.
const CHECKPOINT_SECONDS: f64 = 60.0;

/// Trains a top-k SAE on `vectors`, `[rows, d_in]` row-major.
///
/// `progress` is called every ten steps and after every epoch; when it breaks, the training stops
/// with `Cancelled`. With a `checkpoint` path the state is saved there then and about once a
/// minute, and a call with the same vectors and settings goes on from it to the weights it would
/// have reached; the file is removed at the end. Equal vectors, settings and seed give equal
/// weights on any number of threads.
///
/// # Errors
/// `InvalidArgument` naming a setting, or the row that holds a value that is not finite;
/// `FailedPrecondition` when the checkpoint belongs to another training; `Cancelled`.
pub fn train(
    vectors: &[f32],
    d_in: usize,
    config: &TrainConfig,
    checkpoint: Option<&Path>,
    progress: &mut dyn FnMut(&TrainProgress) -> ControlFlow<()>,
) -> Result<Trained> {
    config.check()?;
    check_vectors(vectors, d_in)?;
    let pool = ThreadPoolBuilder::new()
        .num_threads(thread_count(config.threads))
        .thread_name(|index| format!("sae-train-{index}"))
        .build()
        .map_err(|e| Error::internal("no threads for the training").with_source(e))?;
    let normalised = match config.normalisation {
        Normalisation::None => None,
        some => Some(normalised(vectors, d_in, some)),
    };
    let vectors = normalised.as_deref().unwrap_or(vectors);
    let mut training = Training::start(vectors, d_in, config, checkpoint)?;
    training.run(&pool, progress)?;
    let trained = training.finish(&pool)?;
    if let Some(path) = checkpoint
        && path.exists()
    {
        std::fs::remove_file(path)?;
    }
    Ok(trained)
}

/// A training under way.
struct Training<'a> {
    vectors: &'a [f32],
    d: usize,
    config: &'a TrainConfig,
    checkpoint: Option<&'a Path>,
    train_rows: Vec<u32>,
    held_out_rows: Vec<u32>,
    batch: usize,
    steps_per_epoch: usize,
    dead_steps: usize,
    /// Root mean square of the centred rows' coordinates, what noise is measured in.
    deviation: f32,
    backprop: Backprop,
    weights: Parameters,
    adam: Adam,
    average: Option<Parameters>,
    best: Option<Parameters>,
    counters: Counters,
    smooth: Smooth,
    held_out_fvu: Option<f64>,
    stopped_early: bool,
    began: Instant,
    seconds_before: f64,
    steps_before: usize,
}

impl<'a> Training<'a> {
    fn start(
        vectors: &'a [f32],
        d: usize,
        config: &'a TrainConfig,
        checkpoint: Option<&'a Path>,
    ) -> Result<Self> {
        let rows = u32::try_from(vectors.len() / d)
            .map_err(|_| Error::invalid("vectors", "has too many rows for one training"))?;
        let mut train_rows: Vec<u32> = (0..rows).collect();
        let held_out = (f64::from(rows) * f64::from(config.held_out)).round() as usize;
        let mut held_out_rows = Vec::new();
        if held_out > 0 {
            train_rows.shuffle(&mut rng(config.seed, "held out", 0));
            held_out_rows = train_rows.split_off(train_rows.len() - held_out);
            train_rows.sort_unstable();
            held_out_rows.sort_unstable();
        }
        if train_rows.is_empty() {
            return Err(Error::invalid(
                "held_out",
                format!(
                    "of {} leaves none of {rows} rows to train on",
                    config.held_out
                ),
            ));
        }
        let batch = config.batch.min(train_rows.len());
        let steps_per_epoch = train_rows.len() / batch;
        let dead_window = match config.dead_window {
            0 => train_rows.len(),
            window => window,
        };
        let sample = sample(
            &train_rows,
            MEDIAN_SAMPLE,
            &mut rng(config.seed, "median", 0),
        );
        let sample: Vec<&[f32]> = sample.iter().map(|row| row_of(vectors, d, *row)).collect();
        let n = config.n_latents;
        let seed = rng(config.seed, "weights", 0).random();
        let weights = Parameters::initial(n, d, &sample, seed);
        let deviation = deviation(&sample, &weights.b_dec);
        let mut training = Self {
            vectors,
            d,
            config,
            checkpoint,
            batch,
            steps_per_epoch,
            dead_steps: dead_window.div_ceil(batch).max(1),
            deviation,
            backprop: Backprop::new(n, d),
            adam: Adam::new(n, d),
            average: (config.average > 0.0).then(|| weights.clone()),
            best: None,
            weights,
            counters: Counters {
                version: 1,
                config: config.clone(),
                data: String::new(),
                step: 0,
                seconds: 0.0,
                best_fvu: None,
                epochs_without_gain: 0,
                last_kept: vec![0; n],
            },
            train_rows,
            held_out_rows,
            smooth: Smooth::default(),
            held_out_fvu: None,
            stopped_early: false,
            began: Instant::now(),
            seconds_before: 0.0,
            steps_before: 0,
        };
        training.resume()?;
        Ok(training)
    }

    /// Takes the state of the checkpoint up, where there is one.
    fn resume(&mut self) -> Result<()> {
        let Some(path) = self.checkpoint else {
            return Ok(());
        };
        self.counters.data = checkpoint::fingerprint(self.vectors, self.d);
        let Some(state) = checkpoint::load(path, self.d)? else {
            return Ok(());
        };
        let mut theirs = state.counters.config.clone();
        theirs.threads = self.config.threads;
        if theirs != *self.config || state.counters.data != self.counters.data {
            return Err(Error::precondition(format!(
                "the checkpoint {} belongs to a training with other settings or vectors; remove it \
                 or name another",
                path.display()
            )));
        }
        self.weights = state.weights;
        self.adam.mean = state.mean;
        self.adam.square = state.square;
        self.adam.steps = state.counters.step as u64;
        self.average = state.average;
        self.best = state.best;
        self.counters = state.counters;
        self.seconds_before = self.counters.seconds;
        self.steps_before = self.counters.step;
        Ok(())
    }

    fn run(
        &mut self,
        pool: &ThreadPool,
        progress: &mut dyn FnMut(&TrainProgress) -> ControlFlow<()>,
    ) -> Result<()> {
        let steps = self.steps();
        let mut saved = Instant::now();
        let mut order = Vec::new();
        while self.counters.step < steps {
            let epoch = self.counters.step / self.steps_per_epoch;
            let within = self.counters.step % self.steps_per_epoch;
            if within == 0 || order.is_empty() {
                order.clone_from(&self.train_rows);
                order.shuffle(&mut rng(self.config.seed, "order", epoch as u64));
            }
            let rows = &order[within * self.batch..(within + 1) * self.batch];
            pool.install(|| self.step(rows));
            let epoch_done = self.counters.step.is_multiple_of(self.steps_per_epoch);
            if epoch_done {
                pool.install(|| self.end_epoch());
            }
            if (epoch_done || self.counters.step.is_multiple_of(PROGRESS_STEPS))
                && progress(&self.progress()).is_break()
            {
                self.save_checkpoint()?;
                return Err(Error::cancelled());
            }
            if self.stopped_early {
                break;
            }
            if saved.elapsed().as_secs_f64() > CHECKPOINT_SECONDS {
                self.save_checkpoint()?;
                saved = Instant::now();
            }
        }
        Ok(())
    }

    fn steps(&self) -> usize {
        self.config.epochs * self.steps_per_epoch
    }

    fn is_dead(&self, latent: usize) -> bool {
        self.counters.step - self.counters.last_kept[latent] >= self.dead_steps
    }

    fn dead_share(&self) -> f64 {
        let n = self.config.n_latents;
        (0..n).filter(|latent| self.is_dead(*latent)).count() as f64 / n as f64
    }

    fn step(&mut self, rows: &[u32]) {
        let config = self.config;
        let step = self.counters.step;
        let dead: Vec<u32> = (0u32..)
            .zip(0..config.n_latents)
            .filter(|(_, latent)| self.is_dead(*latent))
            .map(|(latent, _)| latent)
            .collect();
        let mut handicap = Vec::new();
        if config.dropout > 0.0 {
            let mut rng = rng(config.seed, "dropout", step as u64);
            handicap = (0..config.n_latents)
                .map(|_| {
                    if rng.random::<f32>() < config.dropout {
                        f32::NEG_INFINITY
                    } else {
                        0.0
                    }
                })
                .collect();
        }
        let noise = (config.noise > 0.0).then(|| {
            let seed = rng(config.seed, "noise", step as u64).random();
            (config.noise * self.deviation, seed)
        });
        let output = self.backprop.run(
            &self.weights,
            &StepInput {
                vectors: self.vectors,
                rows,
                k: config.k,
                dead: &dead,
                aux_alpha: config.aux_alpha,
                handicap: &handicap,
                noise,
            },
        );
        self.update(&output);
        self.counters.step += 1;
        let now = self.counters.step;
        let last_kept = &mut self.counters.last_kept;
        self.backprop
            .for_each_kept(|latent| last_kept[latent as usize] = now);
        let loss = output.fvu + f64::from(config.aux_alpha) * output.aux;
        self.smooth.add(loss, &output);
    }

    fn update(&mut self, output: &StepOutput) {
        let config = self.config;
        let (step, steps) = (self.counters.step, self.steps());
        let clip = (f64::from(config.clip) / output.gradient_norm.max(f64::MIN_POSITIVE)).min(1.0);
        let averages = config.average > 0.0 && (step + 1).is_multiple_of(AVERAGE_STEPS);
        // The first updates would be dominated by the random start.
        let updates = ((step + 1) / AVERAGE_STEPS) as f64;
        let decay = f64::from(config.average).powi(AVERAGE_STEPS as i32);
        let share = (1.0 - decay).max(1.0 / (updates + 1.0)) as f32;
        self.adam.update(
            &mut self.weights,
            self.average.as_mut(),
            &self.backprop,
            &UpdateSettings {
                beta1: config.beta1,
                beta2: config.beta2,
                learning_rate: config.rate(step, steps),
                weight_decay: config.weight_decay,
                clip: clip as f32,
                average: averages.then_some(share),
            },
        );
    }

    fn end_epoch(&mut self) {
        if self.held_out_rows.is_empty() {
            return;
        }
        let current = self.average.as_ref().unwrap_or(&self.weights);
        let fvu = self
            .backprop
            .fvu(current, self.vectors, &self.held_out_rows, self.config.k);
        self.held_out_fvu = Some(fvu);
        if self.config.patience == 0 {
            return;
        }
        if self.counters.best_fvu.is_none_or(|best| fvu < best) {
            self.counters.best_fvu = Some(fvu);
            self.counters.epochs_without_gain = 0;
            self.best = Some(current.clone());
        } else {
            self.counters.epochs_without_gain += 1;
            self.stopped_early = self.counters.epochs_without_gain >= self.config.patience;
        }
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn progress(&self) -> TrainProgress {
        let step = self.counters.step;
        let here = (step - self.steps_before) * self.batch;
        TrainProgress {
            step,
            steps: self.steps(),
            epoch: step / self.steps_per_epoch,
            examples: step * self.batch,
            examples_per_second: here as f64 / self.seconds().max(1e-9),
            loss: self.smooth.loss,
            fvu: self.smooth.fvu,
            l0: self.smooth.l0,
            dead_share: self.dead_share(),
            held_out_fvu: self.held_out_fvu,
        }
    }

    fn save_checkpoint(&mut self) -> Result<()> {
        let Some(path) = self.checkpoint else {
            return Ok(());
        };
        let mut counters = self.counters.clone();
        counters.seconds = self.seconds_before + self.seconds();
        let state = State {
            counters,
            weights: self.weights.clone(),
            mean: self.adam.mean.clone(),
            square: self.adam.square.clone(),
            average: self.average.clone(),
            best: self.best.clone(),
        };
        checkpoint::save(&state, path)
    }

    fn finish(mut self, pool: &ThreadPool) -> Result<Trained> {
        let seconds = self.seconds_before + self.seconds();
        let steps = self.counters.step;
        let best = self.best.take().or(self.average.take());
        let mut weights = best.unwrap_or_else(|| self.weights.clone());
        fold_decoder_norms(&mut weights, self.d);
        let mut parts = SaeParts {
            architecture: Architecture::TopK {
                k: self.config.k,
                rescale_by_decoder_norm: false,
            },
            normalisation: self.config.normalisation,
            d_in: self.d,
            w_enc_t: weights.w_enc,
            b_enc: weights.b_enc,
            w_dec: weights.w_dec,
            b_dec: weights.b_dec,
            apply_b_dec_to_input: true,
            record: TrainingRecord::default(),
        };
        let sae = Sae::new(parts.clone())?;
        let measure = |rows: &[u32]| -> Result<Quality> {
            let vectors: Vec<f32> = rows
                .iter()
                .flat_map(|row| row_of(self.vectors, self.d, *row))
                .copied()
                .collect();
            evaluate(
                &sae,
                &vectors,
                &EvaluateOptions {
                    threads: pool.current_num_threads(),
                    ..EvaluateOptions::default()
                },
            )
        };
        let shown = sample(
            &self.train_rows,
            MEDIAN_SAMPLE,
            &mut rng(self.config.seed, "shown", 0),
        );
        let report = TrainReport {
            rows: self.train_rows.len(),
            held_out_rows: self.held_out_rows.len(),
            steps,
            epochs: steps / self.steps_per_epoch,
            stopped_early: self.stopped_early,
            seconds,
            examples_per_second: (steps * self.batch) as f64 / seconds.max(1e-9),
            trained: measure(&shown)?,
            held_out: match self.held_out_rows.as_slice() {
                [] => None,
                rows => Some(measure(rows)?),
            },
            mean_norm: Some(mean_norm(self.vectors, self.d, &shown)),
            dead_share: self.dead_share(),
            dead_window: self.dead_steps * self.batch,
        };
        parts.record = TrainingRecord {
            origin: concat!("latentdb ", env!("CARGO_PKG_VERSION")).to_owned(),
            config: Some(self.config.clone()),
            report: Some(report.clone()),
            reading: None,
            about: std::collections::BTreeMap::new(),
        };
        Ok(Trained {
            sae: Sae::new(parts)?,
            report,
        })
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
        let norm = super::kernel::norm(dec) as f32;
        if norm > 0.0 {
            dec.iter_mut().for_each(|v| *v /= norm);
            enc.iter_mut().for_each(|v| *v *= norm);
            *bias *= norm;
        }
    }
}

#[cfg(test)]
mod tests;
