//! What the evaluation asks of a judge.

use std::future::Future;

use crate::error::Result;

/// Guesses which latents were steered.
pub trait Judge {
    /// Who judges.
    fn name(&self) -> String;

    /// For each question whether it was answered correctly; `None` for an unusable answer.
    fn ask(&self, questions: Vec<Question>) -> impl Future<Output = Result<Vec<Option<bool>>>>;
}

/// Hits before and after steering, and labels of which one is the steered latent's.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Texts of the unsteered hits.
    pub before: Vec<String>,
    /// Texts of the steered hits.
    pub after: Vec<String>,
    /// Labels to choose from.
    pub options: Vec<String>,
    /// Whether the latent was steered up or down.
    pub up: bool,
    /// Index of the right option.
    pub answer: usize,
}
