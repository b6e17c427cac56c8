//! Steered hits judged by how much likelier they make the name of a concept.

use super::LocalModel;
use crate::error::Result;
use crate::label::prompt::excerpt;
use crate::label::{SteeredHits, TopicJudge};
use crate::progress::Progress;

/// Characters of a text that the model is shown.
const CHARACTERS: usize = 120;

/// How likely texts make each of the concepts.
fn likelihoods(
    model: &LocalModel,
    texts: &[String],
    options: &[String],
    progress: &Progress,
) -> Result<Vec<f64>> {
    let lines: Vec<String> = texts
        .iter()
        .map(|text| format!("- {}", excerpt(text, CHARACTERS)))
        .collect();
    let question = format!("What are these texts about?\n\n{}", lines.join("\n"));
    let system = "You name the topics of texts.";
    let tokens = model.tokens(system, &question, "The texts are about")?;
    let options: Vec<String> = options.iter().map(|option| format!(" {option}")).collect();
    model.likelihoods(&tokens, &options, progress)
}

impl TopicJudge for LocalModel {
    fn pick(&self, hits: &SteeredHits<'_>, progress: &Progress) -> Result<Option<usize>> {
        let before = likelihoods(self, hits.before, hits.options, progress)?;
        let after = likelihoods(self, hits.after, hits.options, progress)?;
        let gains = after.iter().zip(&before).map(|(after, before)| {
            let gain = after - before;
            if hits.up { gain } else { -gain }
        });
        let best = gains.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        Ok(best.map(|(place, _)| place))
    }
}
