//! Names for latents, made from the documents that activate them, and how well they fit
//! (methods guide, section 3).
//!
//! A [`Labeller`] names a latent from [`Evidence`]; a [`Judge`] that sees only the name predicts
//! which held-out documents activate the latent, and [`score`] compares. [`run_each`] runs either
//! over many latents at once. A document is held out by its id alone ([`is_held_out`]), so that a
//! label is never scored on documents that any labeller was shown. A [`Selector`] chooses among
//! labels by a property, a [`TopicJudge`] by what steering did.
//!
//! | to add | open |
//! |---|---|
//! | a labeller | one file here, one arm in `service/labels/` |
//! | a judge | one file here, one arm in `service/labels/scores.rs` |
//! | a selector | one file in `chat/` or `local/`, one arm in `service/search/selector.rs` |
//! | how models are asked | `prompt.rs` |

mod chat;
mod check;
mod fired;
mod form;
mod judge;
mod keyphrase;
mod local;
mod near_copies;
mod passage;
mod phrases;
mod pick;
mod prompt;
mod run;
mod search;
mod select;
mod split;
mod stop_words;
mod vocabulary;

use crate::error::Result;
use crate::progress::Progress;

pub use chat::{ChatConfig, ChatLimits, ChatModel};
pub use check::LEAST_CHECKED;
pub use judge::{
    Judge, LabelFit, SimilarityJudge, Stratum, choose_threshold, interval, median, score,
};
pub use keyphrase::{KeyphraseOptions, Keyphrases};
pub use local::LocalModel;
pub use near_copies::without_near_copies;
pub use passage::{Passage, sentence_runs};
pub use pick::{SteeredHits, TopicJudge};
pub use run::{Event, run_each};
pub use search::{LabelIndex, WordMatch};
pub use select::Selector;
pub use split::is_held_out;
pub use vocabulary::Vocabulary;

/// Maximum words of a label.
pub const MAX_WORDS: usize = 8;
/// Longest label, in bytes.
pub const MAX_LABEL_BYTES: usize = 200;

/// The evidence for naming a latent.
#[derive(Clone, Debug, Default)]
pub struct Evidence<'a> {
    /// Documents that activate it and how strongly, strongest first.
    pub active: Vec<(Passage<'a>, f32)>,
    /// Documents in which it is inactive.
    pub inactive: Vec<Passage<'a>>,
    /// Other documents and how strongly they activate it, 0 where they do not: what a name is checked on.
    pub checks: Vec<(Passage<'a>, f32)>,
    /// Share of all documents that activate it.
    pub share: f64,
    /// Decides which of them are shown, where not all are.
    pub seed: u64,
}

/// Who names latents, judges names or chooses among them.
pub trait Annotator: Send + Sync {
    /// The name, as labels and scores record it: `keyphrases`, `similarity`, `chat:MODEL`,
    /// `local:MODEL`.
    fn name(&self) -> String;

    /// Latents, labels or answers that may be worked on at once.
    fn concurrency(&self) -> usize;

    /// Tokens that an endpoint counted, or a model in this process read and wrote, since it was opened; 0 where no
    /// model is asked.
    fn tokens(&self) -> u64 {
        0
    }

    /// Characters of a document that it reads; `None` where it reads all of them, or none.
    fn characters(&self) -> Option<usize> {
        None
    }
}

/// Names latents.
pub trait Labeller: Annotator {
    /// A name, or why there is none.
    ///
    /// # Errors
    /// `Cancelled`, and whatever makes continuing with other latents pointless.
    fn label(&self, evidence: &Evidence<'_>, progress: &Progress) -> Result<Naming>;

    /// The claim that texts of `more` show the label's concept more often than texts of `fewer`, as a
    /// sentence in the labeller's words; `None` where it writes no sentences.
    ///
    /// # Errors
    /// As [`Self::label`].
    fn sentence(
        &self,
        _label: &str,
        _more: &str,
        _fewer: &str,
        _progress: &Progress,
    ) -> Result<Option<String>> {
        Ok(None)
    }
}

/// The result of naming a latent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// A name of one to eight words.
    Name(String),
    /// No name, and why.
    None(&'static str),
}

impl Naming {
    /// The name, if any.
    pub fn name(self) -> Option<String> {
        match self {
            Self::Name(name) => Some(name),
            Self::None(_) => None,
        }
    }
}

/// Texts to vectors of unit length.
pub trait Embed: Send + Sync {
    /// One vector per label or phrase, in their order: what documents may be about.
    fn phrases(&self, texts: &[String]) -> Result<Vec<Vec<f32>>>;

    /// One vector per passage of a document, in their order.
    fn passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>>;
}
