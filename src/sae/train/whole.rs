//! One training from its start to its end.

use std::path::Path;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::sae::encode::pool;
use crate::sae::record::{Objective, TrainConfig};
use crate::sae::rows::RowSource;

use super::feed::Feed;
use super::figures::TrainProgress;
use super::result::Trained;
use super::training::Training;

/// Trains to the end, for the retrieval objective on pairs with `queries` where there are some, and leaves the checkpoint, which says so where `is_kept`.
pub(super) fn run(
    (mut feed, queries): (Feed, Option<&dyn RowSource>),
    config: &TrainConfig,
    (checkpoint, is_kept): (Option<&Path>, bool),
    progress: &Progress,
    watch: &mut dyn FnMut(&TrainProgress),
) -> Result<Trained> {
    let pool = pool(config.threads)?;
    match (config.objective, queries) {
        (Objective::Retrieval, _) => {
            pool.install(|| feed.pair(queries, config.normalisation, progress))?;
        }
        (Objective::Reconstruction, Some(_)) => {
            return Err(Error::invalid(
                "queries",
                "are of no use to objective \"reconstruction\"; accepted with \"retrieval\"",
            ));
        }
        (Objective::Reconstruction, None) => {}
    }
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
