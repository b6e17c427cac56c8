//! The figures of a running training.

use super::step::StepOutput;

/// Weight of a step in the figures that progress reports.
const SMOOTHING: f64 = 0.05;

/// The state of a running training.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainProgress {
    /// Steps done.
    pub step: usize,
    /// Steps there will be, early stopping aside.
    pub steps: usize,
    /// Epochs done.
    pub epoch: usize,
    /// Rows seen, counted every time.
    pub examples: usize,
    /// Rows per second since this call of `train` began.
    pub examples_per_second: f64,
    /// NMSE plus the weighted auxiliary and contrastive losses, smoothed over steps.
    pub loss: f64,
    /// NMSE of training batches, smoothed over steps.
    pub fvu: f64,
    /// Mean number of active latents, smoothed over steps.
    pub l0: f64,
    /// Share of latents that the top-k kept in no row of the dead window.
    pub dead_share: f64,
    /// FVU of the held-out rows after the last whole epoch, where rows are held out.
    pub held_out_fvu: Option<f64>,
}

/// Figures smoothed over steps.
#[derive(Clone, Copy, Default)]
pub(super) struct Smooth {
    weight: f64,
    pub loss: f64,
    pub fvu: f64,
    pub l0: f64,
}

impl Smooth {
    pub fn add(&mut self, loss: f64, output: &StepOutput) {
        self.weight = self.weight * (1.0 - SMOOTHING) + SMOOTHING;
        let share = SMOOTHING / self.weight;
        self.loss += share * (loss - self.loss);
        self.fvu += share * (output.fvu - self.fvu);
        self.l0 += share * (output.l0 - self.l0);
    }
}
