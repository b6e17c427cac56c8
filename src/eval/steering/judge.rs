//! What the evaluation asks of a language model.

use std::future::Future;

use crate::error::Result;

/// Guesses which latents were steered.
pub trait Judge {
    /// Who judges.
    fn name(&self) -> String;

    /// For each question whether it was answered correctly; `None` for an unusable answer.
    fn ask(&self, questions: Vec<Question>) -> impl Future<Output = Result<Vec<Option<bool>>>>;

    /// Queries rewritten towards a concept, and away from another; `None` of one for an unusable answer, and of
    /// all where the model does not write.
    fn rewrite(
        &self,
        rewritings: Vec<Rewriting>,
    ) -> impl Future<Output = Result<Option<Vec<Option<String>>>>>;
}

/// A query, and what it shall be about more and less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewriting {
    /// The query.
    pub query: String,
    /// The label of the latent that is steered up.
    pub up: String,
    /// The label of the latent that is steered down, if any.
    pub down: Option<String>,
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
