//! The settings of a training and their defaults.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sae::normalisation::Normalisation;

/// The selection of activations in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sparsity {
    /// The k largest of every row.
    #[default]
    TopK,
    /// The `k * rows` largest of the batch, so that rows share them by need (arXiv 2412.06410).
    /// Without a batch, latents above a threshold are active: the SAE is saved as JumpReLU.
    BatchTopK,
}

/// What an SAE is trained for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// To reconstruct its inputs.
    #[default]
    Reconstruction,
    /// To rank too: a contrastive term over the codes of pairs of rows is added, InfoNCE with the other pairs of a batch
    /// as negatives, at temperature .05 (arXiv 2411.00786, 2503.01776). A row's partner is its query where there are
    /// queries, or else one of the rows that are each among the 10 nearest of the other, sought among 100,000 rows.
    Retrieval,
}

/// Weight of the contrastive term unless another is given: chosen on prompts and answers (the measurements guide).
const CONTRAST: f32 = 0.1;

/// The configuration of a training.
///
/// [`TrainConfig::for_rows`] gives settings that fit a number of documents; every field can be
/// changed after that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Number of latents.
    pub n_latents: usize,
    /// Active latents per row: exactly, or on average.
    pub k: usize,
    /// Whether rows keep k latents each, or share them.
    pub sparsity: Sparsity,
    /// Matryoshka training (arXiv 2503.17547): the loss is the mean over reconstructions from the
    /// first m latents, for every m here, so that the first latents stay general. Ascending, the
    /// last `n_latents`; empty for none.
    pub prefixes: Vec<usize>,
    /// Passes over the rows.
    pub epochs: usize,
    /// Rows per step.
    pub batch: usize,
    /// The highest learning rate of Adam.
    pub learning_rate: f32,
    /// Share of the steps over which the learning rate rises from 0.
    pub warm_up: f32,
    /// Share of the steps, at the end, over which the learning rate falls to 0.
    pub decay: f32,
    /// Adam's decay of the gradient's running mean.
    pub beta1: f32,
    /// Adam's decay of the squared gradient's running mean.
    pub beta2: f32,
    /// Weight of the auxiliary loss that revives dead latents.
    pub aux_alpha: f32,
    /// A latent is dead when the top-k kept it in none of the last this many rows; 0 means as many
    /// as one epoch has.
    pub dead_window: usize,
    /// The gradient's norm is clipped to this.
    pub clip: f32,
    /// Decay per step of the running mean of the weights that is returned; 0 returns the last ones.
    pub average: f32,
    /// Standard deviation of noise added to the inputs of the encoder, as a share of the root mean
    /// square of the centred rows. The target stays clean, so the SAE learns to denoise: on 54,000
    /// abstracts this and `weight_decay` take the held-out FVU from .26 to .22.
    pub noise: f32,
    /// Share of latents that cannot be kept in a step, redrawn every step.
    pub dropout: f32,
    /// Decoupled decay of the encoder's weights, times the learning rate.
    pub weight_decay: f32,
    /// What is done to a row first, in the training and by the SAE that comes of it. Token states
    /// differ in length by orders of magnitude: without it the longest few are all that is fitted.
    pub normalisation: Normalisation,
    /// Share of the rows that is not trained on and measures quality; of a source that does not
    /// fit the memory, at most 100,000 rows.
    pub held_out: f32,
    /// What it is trained for.
    pub objective: Objective,
    /// Weight γ of the contrastive term of [`Objective::Retrieval`], .1 where it has none; refused with another objective.
    pub contrast: Option<f32>,
    /// Rows that are held in memory at once where not all of them are; 0: as many as fit 1 GiB.
    /// Rows are shuffled within such a window, whose pieces are drawn from the whole source.
    pub window_rows: usize,
    /// Stop after this many epochs without a better held-out FVU and return the best; 0 never
    /// stops.
    pub patience: usize,
    /// Decides initial weights and the order of rows: equal seeds give equal weights.
    pub seed: u64,
    /// Threads; 0 is one per core. The result does not depend on it.
    pub threads: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            n_latents: 1024,
            k: 16,
            sparsity: Sparsity::TopK,
            prefixes: Vec::new(),
            epochs: 20,
            batch: 512,
            learning_rate: 2e-3,
            warm_up: 0.02,
            decay: 0.8,
            beta1: 0.9,
            beta2: 0.999,
            aux_alpha: 1.0 / 32.0,
            dead_window: 0,
            clip: 1.0,
            average: 0.0,
            noise: 0.3,
            dropout: 0.0,
            weight_decay: 1.0,
            normalisation: Normalisation::None,
            held_out: 0.05,
            objective: Objective::Reconstruction,
            contrast: None,
            window_rows: 0,
            patience: 0,
            seed: 0,
            threads: 0,
        }
    }
}

/// Settings given by the user; the rest are chosen by the number of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainOptions {
    /// Latents.
    pub n_latents: Option<usize>,
    /// Latents a row keeps.
    pub k: Option<usize>,
    /// Passes over the rows.
    pub epochs: Option<usize>,
    /// Whether rows share activations.
    pub sparsity: Sparsity,
    /// Train Matryoshka prefixes, those of [`TrainConfig::default_prefixes`] where none are given.
    pub matryoshka: bool,
    /// Matryoshka prefixes; the number of latents is added where it is missing.
    pub prefixes: Vec<usize>,
    /// Rows per step.
    pub batch: Option<usize>,
    /// The highest learning rate.
    pub learning_rate: Option<f32>,
    /// Share of the steps over which the learning rate rises.
    pub warm_up: Option<f32>,
    /// Share of the steps over which it falls.
    pub decay: Option<f32>,
    /// Share of the rows that measures quality.
    pub held_out: Option<f32>,
    /// Epochs without gain after which to stop.
    pub patience: Option<usize>,
    /// Rows in memory at once.
    pub window_rows: Option<usize>,
    /// What it is trained for.
    pub objective: Objective,
    /// Weight of the contrastive term.
    pub contrast: Option<f32>,
    /// The normalisation of input vectors.
    pub normalisation: Normalisation,
    /// Decides everything random.
    pub seed: u64,
    /// Threads; 0 is one per core.
    pub threads: usize,
}

impl TrainOptions {
    /// The settings for `rows` rows.
    ///
    /// ```
    /// use latentdb::sae::TrainOptions;
    ///
    /// let options = TrainOptions {
    ///     n_latents: Some(512),
    ///     matryoshka: true,
    ///     ..TrainOptions::default()
    /// };
    /// let config = options.config(10_000);
    /// assert_eq!(config.k, 8);
    /// assert_eq!(config.prefixes, [64, 128, 256, 512]);
    /// ```
    pub fn config(&self, rows: usize) -> TrainConfig {
        let fitting = TrainConfig::for_rows(rows);
        let n_latents = self.n_latents.unwrap_or(fitting.n_latents);
        let mut prefixes = self.prefixes.clone();
        if !prefixes.is_empty() && prefixes.last() != Some(&n_latents) {
            prefixes.push(n_latents);
        }
        if prefixes.is_empty() && self.matryoshka {
            prefixes = TrainConfig::default_prefixes(n_latents);
        }
        TrainConfig {
            n_latents,
            prefixes,
            k: self.k.unwrap_or(fitting.k),
            epochs: self.epochs.unwrap_or(fitting.epochs),
            sparsity: self.sparsity,
            batch: self.batch.unwrap_or(fitting.batch),
            learning_rate: self.learning_rate.unwrap_or(fitting.learning_rate),
            warm_up: self.warm_up.unwrap_or(fitting.warm_up),
            decay: self.decay.unwrap_or(fitting.decay),
            held_out: self.held_out.unwrap_or(fitting.held_out),
            patience: self.patience.unwrap_or(fitting.patience),
            window_rows: self.window_rows.unwrap_or(fitting.window_rows),
            objective: self.objective,
            contrast: self.contrast,
            normalisation: self.normalisation,
            seed: self.seed,
            threads: self.threads,
            ..fitting
        }
    }
}

impl TrainConfig {
    /// Matryoshka prefixes of an SAE: an eighth, a quarter, a half and all of its latents.
    pub fn default_prefixes(n_latents: usize) -> Vec<usize> {
        let mut prefixes: Vec<usize> = [8, 4, 2, 1].map(|part| n_latents / part).to_vec();
        prefixes.retain(|length| *length > 0);
        prefixes.dedup();
        prefixes
    }

    /// Settings that fit `rows` documents: 64 latents with k = 4 up to a thousand, 256 with 8 for
    /// ten thousand, 1,024 with 16 for twenty-five thousand, 3,072 with 32 from sixty thousand.
    ///
    /// Held-out FVU of 1,600 abstracts: .64 with 64 latents and k = 4, .60 with 256 and 4, .53 with
    /// 256 and 8.
    pub fn for_rows(rows: usize) -> Self {
        let (n_latents, k) = match rows {
            0..=1_000 => (64, 4),
            1_001..16_000 => (256, 8),
            16_000..45_000 => (1024, 16),
            _ => (3072, 32),
        };
        let batch = (rows / 32).clamp(32, 512);
        // Small collections need more passes for the same number of steps.
        let epochs = (1_200_000 / rows.max(1)).clamp(20, 200);
        Self {
            n_latents,
            k,
            batch,
            epochs,
            ..Self::default()
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// `InvalidArgument` naming the first field that cannot be used, and what can.
    pub fn check(&self) -> Result<()> {
        let whole = |name: &str, value: usize| match value {
            0 => Err(Error::invalid(name, "is 0; must be at least 1")),
            _ => Ok(()),
        };
        let share = |name: &str, value: f32| {
            if (0.0..1.0).contains(&value) {
                Ok(())
            } else {
                Err(Error::invalid(
                    name,
                    format!("is {value}; must be at least 0 and below 1"),
                ))
            }
        };
        let not_negative = |name: &str, value: f32| {
            if value >= 0.0 && value.is_finite() {
                Ok(())
            } else {
                Err(Error::invalid(
                    name,
                    format!("is {value}; must be finite and not negative"),
                ))
            }
        };
        whole("n_latents", self.n_latents)?;
        whole("k", self.k)?;
        whole("epochs", self.epochs)?;
        whole("batch", self.batch)?;
        if self.k > self.n_latents {
            return Err(Error::invalid(
                "k",
                format!("is {}; cannot pass the {} latents", self.k, self.n_latents),
            ));
        }
        if !self.prefixes.is_empty() {
            let ascend = self.prefixes.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascend || self.prefixes[0] == 0 || self.prefixes.last() != Some(&self.n_latents) {
                return Err(Error::invalid(
                    "prefixes",
                    format!(
                        "are {:?}; accepted are ascending lengths that end with the {} latents",
                        self.prefixes, self.n_latents
                    ),
                ));
            }
        }
        for (name, value) in [
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("average", self.average),
            ("dropout", self.dropout),
            ("held_out", self.held_out),
        ] {
            share(name, value)?;
        }
        for (name, value) in [
            ("learning_rate", self.learning_rate),
            ("aux_alpha", self.aux_alpha),
            ("noise", self.noise),
            ("contrast", self.contrast_weight()),
            ("weight_decay", self.weight_decay),
            ("warm_up", self.warm_up),
            ("decay", self.decay),
        ] {
            not_negative(name, value)?;
        }
        if self.contrast.is_some() && self.objective != Objective::Retrieval {
            return Err(Error::invalid(
                "contrast",
                "is of no use to objective \"reconstruction\"; accepted with \"retrieval\"",
            ));
        }
        if self.clip <= 0.0 || self.clip.is_nan() {
            return Err(Error::invalid("clip", "must be above 0"));
        }
        if self.warm_up + self.decay > 1.0 {
            return Err(Error::invalid(
                "decay",
                format!(
                    "is {}; with warm_up {} it must not pass 1",
                    self.decay, self.warm_up
                ),
            ));
        }
        Ok(())
    }

    /// The weight of the contrastive term.
    pub(in crate::sae) fn contrast_weight(&self) -> f32 {
        self.contrast.unwrap_or(CONTRAST)
    }

    /// The learning rate of a step: a linear rise, a plateau, a linear fall.
    pub(in crate::sae) fn rate(&self, step: usize, steps: usize) -> f32 {
        let done = step as f32 / steps as f32;
        let rise = if self.warm_up > 0.0 {
            (step as f32 + 1.0) / (self.warm_up * steps as f32).max(1.0)
        } else {
            1.0
        };
        let fall = if self.decay > 0.0 {
            (1.0 - done) / self.decay
        } else {
            1.0
        };
        self.learning_rate * rise.min(fall).min(1.0)
    }
}
