//! Text -> token ids.

use std::path::Path;

use tokenizers::models::ModelWrapper;
use tokenizers::{Tokenizer, TruncationParams};

use crate::error::{Error, Result};

/// Bytes per token of the prefix that is tried first for a long text. English has 4 to 5.
const PREFIX_BYTES_PER_TOKEN: usize = 12;

/// Tokens around a text that a model adds, at most.
const SPECIAL_TOKENS: usize = 4;

/// A tokenizer that truncates.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    max_tokens: usize,
    /// Whether the tokens of `text[..space]` begin those of `text`.
    splits_at_spaces: bool,
}

impl Tokens {
    /// Reads `tokenizer.json`; its own truncation and padding are replaced.
    pub(super) fn read(path: &Path, max_tokens: usize) -> Result<Self> {
        let unusable = |error| {
            Error::corrupted(format!("{} is not a usable tokenizer", path.display()))
                .with_source(error)
        };
        let mut tokenizer = Tokenizer::from_file(path).map_err(unusable)?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: max_tokens,
                ..TruncationParams::default()
            }))
            .map_err(unusable)?;
        let splits_at_spaces = matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_));
        Ok(Self {
            tokenizer,
            max_tokens,
            splits_at_spaces,
        })
    }

    /// Longest sequence, special tokens included.
    pub(super) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The ids of `text` with the special tokens of its model, `max_tokens` at most.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if let Some(prefix) = self.prefix(text) {
            let ids = self.encode_whole(prefix)?;
            if ids.len() == self.max_tokens {
                return Ok(ids);
            }
        }
        self.encode_whole(text)
    }

    /// Whether `text` has more tokens than are read.
    pub(super) fn is_cut(&self, text: &str) -> Result<bool> {
        // A token has a byte of the text at least, but for the special ones; what is not ASCII may be written out.
        if text.is_ascii() && text.len() <= self.max_tokens.saturating_sub(SPECIAL_TOKENS) {
            return Ok(false);
        }
        if let Some(prefix) = self.prefix(text)
            && !text[prefix.len()..].trim().is_empty()
            && self.encode_whole(prefix)?.len() == self.max_tokens
        {
            return Ok(true);
        }
        let encoding = self.tokenizer.encode_fast(text, true);
        let encoding = encoding.map_err(unreadable)?;
        Ok(!encoding.get_overflowing().is_empty())
    }

    fn encode_whole(&self, text: &str) -> Result<Vec<u32>> {
        self.tokenizer
            .encode_fast(text, true)
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(unreadable)
    }

    /// A beginning of a long text that most likely fills the sequence. A word piece tokenizer
    /// splits at white space before anything else, so cutting there changes nothing else.
    fn prefix<'t>(&self, text: &'t str) -> Option<&'t str> {
        let limit = self.max_tokens * PREFIX_BYTES_PER_TOKEN;
        if !self.splits_at_spaces || text.len() <= 2 * limit {
            return None;
        }
        let limit = text.floor_char_boundary(limit);
        text[..limit].rfind(' ').map(|space| &text[..space])
    }
}

fn unreadable(error: tokenizers::Error) -> Error {
    Error::internal("a text cannot be tokenized").with_source(error)
}
