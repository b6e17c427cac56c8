//! Steered hits judged by a chat model.

use super::{ASKED, ChatModel};
use crate::error::Result;
use crate::label::prompt::{pick_prompt, read_numbers};
use crate::label::{SteeredHits, TopicJudge};
use crate::progress::Progress;

/// Characters of a text that the model is shown.
const CHARACTERS: usize = 300;
/// Maximum tokens of an answer.
const TOKENS: u32 = 16;

impl TopicJudge for ChatModel {
    fn pick(&self, hits: &SteeredHits<'_>, progress: &Progress) -> Result<Option<usize>> {
        let mut prompt = pick_prompt(hits, CHARACTERS);
        for _ in 0..ASKED {
            let answer = self.ask(&prompt, TOKENS, progress)?;
            if let Some([place]) = read_numbers(&answer, hits.options.len()).as_deref() {
                return Ok(Some(*place));
            }
            prompt.user.push_str(" (one number, nothing else)");
        }
        Ok(None)
    }
}
