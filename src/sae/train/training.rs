//! The loop over epochs and steps.

use std::path::Path;
use std::time::Instant;

use rand::RngExt;
use rayon::ThreadPool;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::sae::record::{CurvePoint, Sparsity, TrainConfig};

use super::adam::{Adam, UpdateSettings};
use super::checkpoint::{self, Counters, State};
use super::draw::{deviation, rng};
use super::feed::Feed;
use super::figures::{Smooth, TrainProgress};
use super::forward::StepInput;
use super::kept::Keep;
use super::parameters::Parameters;
use super::step::{Backprop, StepOutput};

/// Rows whose median starts `b_dec`.
pub(super) const SAMPLE_ROWS: usize = 10_000;
/// Steps between calls of `watch`.
const PROGRESS_STEPS: usize = 10;
/// The running mean of the weights is updated every so many steps.
const AVERAGE_STEPS: usize = 8;
/// Seconds between checkpoints.
const CHECKPOINT_SECONDS: f64 = 60.0;
/// Weight of a step in the moving average of the smallest kept activation.
const THRESHOLD_RATE: f32 = 0.01;
/// Share of that average under which activations are not looked at: batches differ.
const FLOOR_SHARE: f32 = 0.7;

/// A training under way.
pub(super) struct Training<'a> {
    pub feed: Feed<'a>,
    pub config: &'a TrainConfig,
    checkpoint: Option<&'a Path>,
    pub steps_per_epoch: usize,
    pub dead_steps: usize,
    /// Root mean square of the centred rows' coordinates, what noise is measured in.
    deviation: f32,
    pub backprop: Backprop,
    pub weights: Parameters,
    adam: Adam,
    pub average: Option<Parameters>,
    pub best: Option<Parameters>,
    pub counters: Counters,
    smooth: Smooth,
    held_out_fvu: Option<f64>,
    pub stopped_early: bool,
    began: Instant,
    pub seconds_before: f64,
    steps_before: usize,
}

impl<'a> Training<'a> {
    /// Draws initial weights, or resumes from the checkpoint.
    pub fn start(
        feed: Feed<'a>,
        config: &'a TrainConfig,
        checkpoint: Option<&'a Path>,
    ) -> Result<Self> {
        let (n, d) = (config.n_latents, feed.dimension());
        let dead_window = match config.dead_window {
            0 => feed.train_rows(),
            window => window,
        };
        let sample = feed.sample(SAMPLE_ROWS, "median")?;
        let sample: Vec<&[f32]> = sample.chunks_exact(d).collect();
        let weights = Parameters::initial(n, d, &sample, rng(config.seed, "weights", 0).random());
        let deviation = deviation(&sample, &weights.b_dec);
        let mut training = Self {
            config,
            checkpoint,
            steps_per_epoch: feed.steps_per_epoch(),
            dead_steps: dead_window.div_ceil(feed.batch_rows()).max(1),
            feed,
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
                threshold: None,
                curve: Vec::new(),
                last_kept: vec![0; n],
            },
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

    /// Resumes from the checkpoint, if any.
    fn resume(&mut self) -> Result<()> {
        let Some(path) = self.checkpoint else {
            return Ok(());
        };
        self.counters.data = self.feed.fingerprint()?;
        let Some(state) = checkpoint::load(path, self.feed.dimension())? else {
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
        self.stopped_early =
            self.config.patience > 0 && self.counters.epochs_without_gain >= self.config.patience;
        self.seconds_before = self.counters.seconds;
        self.steps_before = self.counters.step;
        Ok(())
    }

    /// Trains to the end.
    pub fn run(
        &mut self,
        pool: &ThreadPool,
        progress: &Progress,
        watch: &mut dyn FnMut(&TrainProgress),
    ) -> Result<()> {
        let steps = self.steps();
        let mut saved = Instant::now();
        progress.announce(steps as u64)?;
        progress.advance(self.counters.step as u64)?;
        while self.counters.step < steps && !self.stopped_early {
            pool.install(|| self.step())?;
            let epoch_done = self.counters.step.is_multiple_of(self.steps_per_epoch);
            if epoch_done {
                pool.install(|| self.end_epoch());
                self.counters.curve.push(self.curve_point());
            }
            if epoch_done || self.counters.step.is_multiple_of(PROGRESS_STEPS) {
                watch(&self.progress());
            }
            if let Err(stopped) = progress.advance(1) {
                self.save_checkpoint()?;
                return Err(stopped);
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

    pub fn dead_share(&self) -> f64 {
        let n = self.config.n_latents;
        (0..n).filter(|latent| self.is_dead(*latent)).count() as f64 / n as f64
    }

    fn step(&mut self) -> Result<()> {
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
        let keep = self.keep();
        let (epoch, within) = (step / self.steps_per_epoch, step % self.steps_per_epoch);
        let d = self.feed.dimension();
        let batch = self.feed.batch(epoch, within)?;
        let output = self.backprop.run(
            &self.weights,
            &StepInput {
                vectors: batch.vectors,
                rows: batch.rows,
                keep,
                prefixes: &config.prefixes,
                dead_slots: (2 * config.k).min(d / 2).min(dead.len()),
                dead: &dead,
                aux_alpha: config.aux_alpha,
                handicap: &handicap,
                pairs: batch.pairs,
                contrast: config.contrast_weight(),
                noise,
            },
        );
        let loss = output.nmse
            + f64::from(config.aux_alpha) * output.aux
            + f64::from(config.contrast_weight()) * output.contrast;
        if !loss.is_finite() {
            return Err(Error::precondition(format!(
                "the training diverged: the loss of step {} is {loss}; take a lower learning rate \
                 (now {}) or a longer warm-up",
                step + 1,
                config.learning_rate
            )));
        }
        self.update(&output);
        self.counters.step += 1;
        let now = self.counters.step;
        let last_kept = &mut self.counters.last_kept;
        self.backprop
            .for_each_kept(|latent| last_kept[latent as usize] = now);
        if let Some(smallest) = output.smallest {
            let held = self.counters.threshold.get_or_insert(smallest);
            *held += THRESHOLD_RATE * (smallest - *held);
        }
        self.smooth.add(loss, &output);
        Ok(())
    }

    /// The selection rule within a training batch.
    fn keep(&self) -> Keep {
        let k = self.config.k;
        match self.config.sparsity {
            Sparsity::TopK => Keep::TopK(k),
            Sparsity::BatchTopK => Keep::BatchTopK {
                k,
                floor: FLOOR_SHARE * self.counters.threshold.unwrap_or(0.0),
            },
        }
    }

    /// The selection rule outside a training batch.
    fn keep_alone(&self) -> Keep {
        match self.config.sparsity {
            Sparsity::TopK => Keep::TopK(self.config.k),
            Sparsity::BatchTopK => Keep::Above(self.counters.threshold.unwrap_or(0.0)),
        }
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
        let keep = self.keep_alone();
        let (vectors, rows) = self.feed.held_out();
        if rows.is_empty() {
            return;
        }
        let current = self.average.as_ref().unwrap_or(&self.weights);
        let fvu = self.backprop.fvu(current, vectors, rows, keep);
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

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn curve_point(&self) -> CurvePoint {
        CurvePoint {
            epoch: self.counters.step / self.steps_per_epoch,
            loss: self.smooth.loss,
            fvu: self.smooth.fvu,
            held_out_fvu: self.held_out_fvu,
            dead_share: self.dead_share(),
        }
    }

    fn progress(&self) -> TrainProgress {
        let step = self.counters.step;
        let here = (step - self.steps_before) * self.feed.batch_rows();
        TrainProgress {
            step,
            steps: self.steps(),
            epoch: step / self.steps_per_epoch,
            examples: step * self.feed.batch_rows(),
            examples_per_second: here as f64 / self.seconds().max(1e-9),
            loss: self.smooth.loss,
            fvu: self.smooth.fvu,
            l0: self.smooth.l0,
            dead_share: self.dead_share(),
            held_out_fvu: self.held_out_fvu,
        }
    }

    pub fn save_checkpoint(&mut self) -> Result<()> {
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
}
