//! One training from its start to its end.

use std::path::Path;

use crate::error::Result;
use crate::progress::Progress;
use crate::sae::encode::pool;
use crate::sae::record::TrainConfig;

use super::feed::Feed;
use super::figures::TrainProgress;
use super::result::Trained;
use super::training::Training;

/// Trains to the end, and leaves the checkpoint, which says so where `is_kept`.
pub(super) fn run(
    feed: Feed,
    config: &TrainConfig,
    (checkpoint, is_kept): (Option<&Path>, bool),
    progress: &Progress,
    watch: &mut dyn FnMut(&TrainProgress),
) -> Result<Trained> {
    let pool = pool(config.threads)?;
    let mut training = Training::start(feed, config, checkpoint)?;
    training.run(&pool, progress, watch)?;
    if is_kept {
        training.save_checkpoint()?;
    }
    training.finish(&pool)
}

/// Removes what a training that has ended left on its way.
pub(super) fn remove(checkpoint: Option<&Path>) -> Result<()> {
    match checkpoint {
        Some(path) if path.exists() => Ok(std::fs::remove_file(path)?),
        _ => Ok(()),
    }
}
