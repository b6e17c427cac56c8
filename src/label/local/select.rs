//! Latents for a property, chosen by how much likelier the property makes their labels.

use super::LocalModel;
use crate::error::Result;
use crate::label::Selector;
use crate::progress::Progress;

/// What the model is told it does.
const SYSTEM: &str = "You name the topics of texts.";
/// How its answer begins.
const BEGUN: &str = "The text is about";

/// A small model cannot sort a list, but it can say how likely a label is: those that the property
/// makes likelier are chosen, the most so first.
impl Selector for LocalModel {
    fn select(&self, property: &str, labels: &[&str], progress: &Progress) -> Result<Vec<usize>> {
        let continuations: Vec<String> = labels.iter().map(|label| format!(" {label}")).collect();
        let likelihoods = |text: &str| {
            let question = format!("What is this text about?\n\n{text}");
            let tokens = self.tokens(SYSTEM, &question, BEGUN)?;
            self.likelihoods(&tokens, &continuations, progress)
        };
        let (with, without) = (likelihoods(property)?, likelihoods("...")?);
        let mut gains: Vec<(usize, f64)> = with
            .iter()
            .zip(without)
            .map(|(with, without)| with - without)
            .enumerate()
            .filter(|(_, gain)| *gain > 0.0)
            .collect();
        gains.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(gains.into_iter().map(|(place, _)| place).collect())
    }
}
