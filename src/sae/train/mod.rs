//! Training a top-k SAE on dense vectors (O'Neill et al. 2024), on the cores of one machine.
//!
//! *Where do rows come from* (`feed`, `draw`), *what does a batch come to* (`forward`), *what does it
//! keep* (`kept`, `select`), *what is its gradient* (`step`), *which rows belong together* (`partners`) and *what
//! pulls them so* (`contrast`), *how do weights move* (`adam`), *what
//! are the weights* (`parameters`), *how is a stopped training kept* (`checkpoint`), *what is
//! reported on the way* (`figures`), *what comes of it* (`result`), *what comes back from other seeds*
//! (`seeds`), *one training as a whole* (`whole`); settings and the final report
//! belong to the SAE's record.

mod adam;
mod checkpoint;
mod contrast;
mod draw;
mod feed;
mod figures;
mod forward;
mod kept;
mod parameters;
mod partners;
mod result;
mod seeds;
mod select;
mod step;
mod training;
mod whole;

use std::borrow::Cow;
use std::path::Path;

use crate::error::Result;
use crate::progress::Progress;

use super::record::TrainConfig;
use super::rows::RowSource;

use feed::Feed;
pub use figures::TrainProgress;
pub use result::Trained;
pub use seeds::{MAX_SEEDS, train_seeds};
use whole::{remove, run};

/// Trains a top-k SAE on `vectors`, `[rows, d_in]` row-major.
///
/// `progress` counts steps; once it is stopped, the training ends with `Cancelled`. `watch` is told
/// every ten steps and after every epoch. With a `checkpoint` path the state is saved there when the
/// training is stopped and about once a minute, and a call with the same vectors and settings resumes
/// from it to the weights it would have reached; the file is removed at the end. Equal vectors,
/// settings and seed give equal weights on any number of threads.
///
/// # Errors
/// `InvalidArgument` naming a setting, or the row that holds a value that is not finite;
/// `FailedPrecondition` when the checkpoint belongs to another training; `Cancelled`.
pub fn train(
    vectors: &[f32],
    d_in: usize,
    config: &TrainConfig,
    checkpoint: Option<&Path>,
    progress: &Progress,
    watch: &mut dyn FnMut(&TrainProgress),
) -> Result<Trained> {
    config.check()?;
    let feed = Feed::memory(Cow::Borrowed(vectors), d_in, config)?;
    let trained = run((feed, None), config, (checkpoint, false), progress, watch)?;
    remove(checkpoint)?;
    Ok(trained)
}

/// As [`train`], on rows that are read in pieces and may be more than fit the memory.
///
/// # Errors
/// Those of [`train`], and what reading gives.
pub fn train_source(
    source: &dyn RowSource,
    config: &TrainConfig,
    checkpoint: Option<&Path>,
    progress: &Progress,
    watch: &mut dyn FnMut(&TrainProgress),
) -> Result<Trained> {
    config.check()?;
    let feed = Feed::source(source, config)?;
    let trained = run((feed, None), config, (checkpoint, false), progress, watch)?;
    remove(checkpoint)?;
    Ok(trained)
}

#[cfg(test)]
mod tests;
