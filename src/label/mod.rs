//! Names for latents, made from the documents that activate them, and how well they fit
//! (METHODS section 3).
//!
//! A [`Labeller`] names a latent from [`Evidence`]; a [`Judge`] that sees only the name predicts
//! which held-out documents activate the latent, and [`score`] compares. [`run_each`] runs either
//! over many latents at once. A document is held out by its id alone ([`is_held_out`]), so that a
//! label is never scored on documents that any labeller was shown.
//!
//! | to add | open |
//! |---|---|
//! | a labeller | one file here, one arm in `service/labels/` |
//! | a judge | one file here, one arm in `service/labels/scores.rs` |
//! | how models are asked | `prompt.rs` |

mod chat;
mod judge;
mod keyphrase;
mod local;
mod phrases;
mod prompt;
mod run;
mod search;
mod split;
mod stop_words;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

pub use chat::{ChatConfig, ChatJudge, ChatLabeller, ChatLimits, ChatModel};
pub use judge::{Judge, LabelFit, SimilarityJudge, Trial, choose_threshold, score};
pub use keyphrase::{KeyphraseOptions, Keyphrases};
pub use local::{LocalJudge, LocalLabeller, LocalModel};
pub use phrases::fold;
pub use run::{Event, run_each};
pub use search::{LabelIndex, WordMatch};
pub use split::is_held_out;

/// Most words of a label.
pub const MAX_WORDS: usize = 8;
/// Longest label, in bytes.
pub const MAX_LABEL_BYTES: usize = 200;

/// What a labeller is shown of a latent.
#[derive(Clone, Debug, Default)]
pub struct Evidence<'a> {
    /// Documents that activate it and how strongly, strongest first.
    pub active: Vec<(&'a str, f32)>,
    /// Documents in which it is inactive.
    pub inactive: Vec<&'a str>,
    /// Where its documents lie as seen from all: the mean of their vectors, weighted by activation,
    /// less the mean of all vectors.
    pub direction: Option<Vec<f32>>,
    /// Decides which of them are shown, where not all are.
    pub seed: u64,
}

/// Names latents.
pub trait Labeller: Send + Sync {
    /// Who makes the labels, as they record it: `keyphrases`, `chat:MODEL`, `local:MODEL`.
    fn source(&self) -> String;

    /// Latents that may be worked on at once.
    fn concurrency(&self) -> usize;

    /// A name of one to eight words; `None` where there is none to be found.
    ///
    /// # Errors
    /// `Cancelled`, and whatever makes going on to other latents pointless.
    fn label(&self, evidence: &Evidence<'_>, cancel: &Cancel) -> Result<Option<String>>;
}

/// Texts to vectors of unit length.
pub trait Embed: Send + Sync {
    /// One vector per text, in their order.
    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>>;
}

/// Whether the caller still wants the work; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Gives the work up.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was given up.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// `Cancelled` once it was.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::cancelled());
        }
        Ok(())
    }
}
