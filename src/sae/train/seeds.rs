//! One training from several seeds: which latents come back.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::sae::record::TrainConfig;
use crate::sae::recurrence::recurrence;
use crate::sae::rows::RowSource;

use super::feed::Feed;
use super::figures::TrainProgress;
use super::result::Trained;
use super::whole::{remove, run};

/// Maximum seeds of one training.
pub const MAX_SEEDS: usize = 20;

/// As [`train_source`](super::train_source) from `seeds` seeds, the configuration's and those that follow. The SAE of
/// the first is returned; its record says how often each of its latents comes back in the others
/// ([`Recurrence`](crate::sae::Recurrence)). Trainings that had ended when it was stopped are not done again where there
/// is a `checkpoint`, whose name the others' files add their seed to. For [`Objective::Retrieval`](crate::sae::Objective)
/// `queries` may give a vector for each row, zero where a row has none.
///
/// # Errors
/// Those of `train_source`; `InvalidArgument` naming `seeds` where it is not 1 to [`MAX_SEEDS`].
pub fn train_seeds(
    (source, queries): (&dyn RowSource, Option<&dyn RowSource>),
    config: &TrainConfig,
    seeds: usize,
    checkpoint: Option<&Path>,
    progress: &Progress,
    watch: &mut dyn FnMut(&TrainProgress),
) -> Result<Trained> {
    if !(1..=MAX_SEEDS).contains(&seeds) {
        let message = format!("is {seeds}; 1 to {MAX_SEEDS} are accepted");
        return Err(Error::invalid("seeds", message));
    }
    config.check()?;
    let (mut trainings, mut checkpoints) = (Vec::with_capacity(seeds), Vec::new());
    for seed in (0..seeds as u64).map(|at| config.seed.wrapping_add(at)) {
        let own = TrainConfig {
            seed,
            ..config.clone()
        };
        let path = checkpoint.map(|path| place(path, config.seed, seed));
        let ended = trainings.len();
        let mut watch = |now: &TrainProgress| {
            watch(&TrainProgress {
                step: now.step + ended * now.steps,
                steps: now.steps * seeds,
                ..now.clone()
            });
        };
        let feed = Feed::source(source, &own)?;
        let trained = run(
            (feed, queries),
            &own,
            (path.as_deref(), seeds > 1),
            progress,
            &mut watch,
        )?;
        checkpoints.extend(path);
        trainings.push((seed, trained));
    }
    for path in checkpoints {
        remove(Some(&path))?;
    }
    let others = trainings.split_off(1);
    let Some((_, mut first)) = trainings.pop() else {
        return Err(Error::internal("no seed was trained"));
    };
    if !others.is_empty() {
        let others = others.iter().map(|(seed, other)| (*seed, &other.sae));
        first.sae.set_recurrence(recurrence(&first.sae, others)?)?;
    }
    Ok(first)
}

/// Where the training of a seed leaves its state.
fn place(checkpoint: &Path, first: u64, seed: u64) -> PathBuf {
    if seed == first {
        return checkpoint.to_owned();
    }
    let mut name = format!("{seed}");
    if let Some(extension) = checkpoint.extension() {
        name = format!("{seed}.{}", extension.to_string_lossy());
    }
    checkpoint.with_extension(name)
}
