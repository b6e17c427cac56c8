//! The report of a finished training.

use serde::{Deserialize, Serialize};

use super::quality::Quality;

/// The state of a training after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Epochs done.
    pub epoch: usize,
    /// NMSE plus the weighted auxiliary loss, smoothed over steps.
    pub loss: f64,
    /// NMSE of training batches, smoothed over steps.
    pub fvu: f64,
    /// FVU of the held-out rows, where rows are held out.
    pub held_out_fvu: Option<f64>,
    /// Share of latents that the top-k kept in no row of the dead window.
    pub dead_share: f64,
}

/// The report of a finished training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// Rows trained on.
    pub rows: usize,
    /// Rows held out.
    pub held_out_rows: usize,
    /// Steps done.
    pub steps: usize,
    /// Epochs done.
    pub epochs: usize,
    /// Whether held-out quality stopped it.
    pub stopped_early: bool,
    /// Seconds of work, over all calls that continued it.
    pub seconds: f64,
    /// Rows per second over those.
    pub examples_per_second: f64,
    /// Quality on the rows trained on (up to 10,000 of them).
    pub trained: Quality,
    /// Quality on held-out rows, if any.
    pub held_out: Option<Quality>,
    /// Mean length of the rows trained on, to recognise rows of another normalisation.
    #[serde(default)]
    pub mean_norm: Option<f64>,
    /// Mean of the rows trained on, `[d_in]`, which the fit to other vectors is measured about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Share of latents that the top-k kept in no row of the last `dead_window` training rows.
    pub dead_share: f64,
    /// That window, in rows.
    pub dead_window: usize,
    /// Its state after every epoch.
    #[serde(default)]
    pub curve: Vec<CurvePoint>,
}
