//! Which of many labels fit a property, and in which order (methods guide, section 5, step 3).

use super::Annotator;
use crate::error::Result;
use crate::progress::Progress;

/// Chooses among the labels of candidate latents.
pub trait Selector: Annotator {
    /// The places of the labels that fit `property`, the most telling first, none twice; empty
    /// where none fits.
    ///
    /// # Errors
    /// `Cancelled`; `Unavailable` where the model's answer is not of the form asked for, however
    /// often it is asked: an answer is never guessed at.
    fn select(&self, property: &str, labels: &[&str], progress: &Progress) -> Result<Vec<usize>>;
}
