//! Which concept did steering turn? Asked of a judge that sees the hits before and after
//! (methods guide, section 4: the evaluation of O'Neill et al. 2024).

use super::Annotator;
use crate::error::Result;
use crate::progress::Progress;

/// Hits before and after steering, and concepts of which one was turned.
#[derive(Clone, Copy, Debug)]
pub struct SteeredHits<'a> {
    /// The texts found before.
    pub before: &'a [String],
    /// The texts found after.
    pub after: &'a [String],
    /// The concepts.
    pub options: &'a [String],
    /// Whether one was turned up; down otherwise.
    pub up: bool,
}

/// Picks the concept that was turned.
pub trait TopicJudge: Annotator {
    /// The place of the concept among the options; `None` where the judge says nothing usable.
    ///
    /// # Errors
    /// `Cancelled`, and whatever makes continuing pointless.
    fn pick(&self, hits: &SteeredHits<'_>, progress: &Progress) -> Result<Option<usize>>;
}
