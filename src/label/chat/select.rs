//! Latents for a property, chosen by a chat model that reads their labels.

use super::{ASKED, ChatModel};
use crate::error::{Error, ErrorKind, Result};
use crate::label::prompt::{excerpt, read_numbers, select_prompt};
use crate::label::{Annotator as _, Selector};
use crate::progress::Progress;

/// Maximum tokens of an answer per label that it may name.
const NUMBER_TOKENS: u32 = 6;

impl Selector for ChatModel {
    fn select(&self, property: &str, labels: &[&str], progress: &Progress) -> Result<Vec<usize>> {
        let mut prompt = select_prompt(property, labels);
        let tokens = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        let tokens = tokens.saturating_mul(NUMBER_TOKENS).saturating_add(32);
        let mut answer = String::new();
        for _ in 0..ASKED {
            answer = self.ask(&prompt, tokens, progress)?;
            if let Some(chosen) = read_numbers(&answer, labels.len()) {
                return Ok(chosen);
            }
            prompt
                .user
                .push_str(" (numbers of the list, each once, with commas between them, or `none`)");
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!(
                "{} was asked {ASKED} times which of {} latents fit the property and never \
                 answered with their numbers alone; it said {:?}",
                self.name(),
                labels.len(),
                excerpt(&answer, 120)
            ),
        ))
    }
}
