//! Text -> token ids.

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use tokenizers::models::ModelWrapper;
use tokenizers::{Tokenizer, TruncationParams};

use super::folder::Reads;
use super::passages::Chunking;
use crate::error::{Error, Result};

/// Bytes per token of the prefix that is tried first for a long text. English has 4 to 5.
const PREFIX_BYTES_PER_TOKEN: usize = 12;

/// Tokens around a text that a model adds, at most.
const SPECIAL_TOKENS: usize = 4;

/// A tokenizer that truncates.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    /// The same without truncation, made when a text is split.
    whole: OnceLock<Tokenizer>,
    max_tokens: usize,
    /// Whether the tokens of `text[..space]` begin those of `text`.
    splits_at_spaces: bool,
    /// Whether the special tokens around a text are read.
    special: bool,
    /// The token for what is not in the vocabulary, where it is left out.
    left_out: Option<u32>,
    /// Characters of a text that are tokenized for each token that is read, where the others are not.
    characters: Option<usize>,
}

impl Tokens {
    /// Reads `tokenizer.json`; its own truncation and padding are replaced.
    pub(super) fn read(path: &Path, max_tokens: usize, reads: Reads) -> Result<Self> {
        let unusable = |error| {
            Error::corrupted(format!("{} is not a usable tokenizer", path.display()))
                .with_source(error)
        };
        let mut tokenizer = Tokenizer::from_file(path).map_err(unusable)?;
        tokenizer.with_padding(None);
        truncate(&mut tokenizer, max_tokens).map_err(unusable)?;
        let splits_at_spaces = matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_));
        let left_out = match reads.unknown {
            true => None,
            false => unknown_token(&tokenizer),
        };
        Ok(Self {
            max_tokens,
            splits_at_spaces,
            special: reads.special,
            left_out,
            characters: reads.characters.then(|| median_length(&tokenizer)),
            whole: OnceLock::new(),
            tokenizer,
        })
    }

    /// The same tokenizer for sequences of another length.
    pub(super) fn cut_after(&self, max_tokens: usize) -> Result<Self> {
        let mut tokenizer = self.tokenizer.clone();
        truncate(&mut tokenizer, max_tokens).map_err(|error| {
            Error::invalid(
                "max_tokens",
                format!("is {max_tokens}, which the tokenizer does not take"),
            )
            .with_source(error)
        })?;
        Ok(Self {
            tokenizer,
            whole: OnceLock::new(),
            max_tokens,
            ..*self
        })
    }

    /// Longest sequence, special tokens included.
    pub(super) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The ids of `text` with the special tokens of its model, `max_tokens` at most.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let text = self.tokenized(text);
        let ids = match self.prefix(text).map(|prefix| self.encode_whole(prefix)) {
            Some(ids) => ids.map(|ids| (ids.len() == self.max_tokens).then_some(ids))?,
            None => None,
        };
        let mut ids = match ids {
            Some(ids) => ids,
            None => self.encode_whole(text)?,
        };
        if let Some(unknown) = self.left_out {
            ids.retain(|id| *id != unknown);
        }
        Ok(ids)
    }

    /// Whether `text` has more tokens than are read.
    pub(super) fn is_cut(&self, text: &str) -> Result<bool> {
        if self.tokenized(text).len() < text.len() {
            return Ok(true);
        }
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
        let encoding = self.tokenizer.encode_fast(text, self.special);
        let encoding = encoding.map_err(unreadable)?;
        Ok(!encoding.get_overflowing().is_empty())
    }

    /// Where the passages of `text` lie in it, in bytes.
    pub(super) fn passages(&self, text: &str, chunking: Chunking) -> Result<Vec<Range<usize>>> {
        let whole = self.whole.get_or_init(|| {
            let mut whole = self.tokenizer.clone();
            // Taking it away cannot fail; a tokenizer that truncates would lose ends, which is seen in the text.
            let _ = whole.with_truncation(None);
            whole
        });
        chunking.split(whole, text)
    }

    /// The beginning of a text that is tokenized.
    fn tokenized<'t>(&self, text: &'t str) -> &'t str {
        let most = self.characters.map(|each| each * self.max_tokens);
        let end = most.and_then(|most| text.char_indices().nth(most));
        end.map_or(text, |(end, _)| &text[..end])
    }

    fn encode_whole(&self, text: &str) -> Result<Vec<u32>> {
        self.tokenizer
            .encode_fast(text, self.special)
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

fn truncate(tokenizer: &mut Tokenizer, max_tokens: usize) -> Result<(), tokenizers::Error> {
    tokenizer.with_truncation(Some(TruncationParams {
        max_length: max_tokens,
        ..TruncationParams::default()
    }))?;
    Ok(())
}

/// The token for what is not in a vocabulary.
fn unknown_token(tokenizer: &Tokenizer) -> Option<u32> {
    match tokenizer.get_model() {
        ModelWrapper::WordPiece(model) => tokenizer.token_to_id(&model.unk_token),
        ModelWrapper::WordLevel(model) => tokenizer.token_to_id(&model.unk_token),
        ModelWrapper::BPE(model) => tokenizer.token_to_id(model.unk_token.as_ref()?),
        // Known to its file alone.
        ModelWrapper::Unigram(model) => {
            let unknown = serde_json::to_value(model).ok()?["unk_id"].as_u64()?;
            u32::try_from(unknown).ok()
        }
    }
}

/// The median number of characters of a token.
fn median_length(tokenizer: &Tokenizer) -> usize {
    let vocabulary = tokenizer.get_vocab(true);
    let mut lengths: Vec<usize> = vocabulary
        .keys()
        .map(|token| token.chars().count())
        .collect();
    lengths.sort_unstable();
    let (below, above) = (lengths.len().saturating_sub(1) / 2, lengths.len() / 2);
    match (lengths.get(below), lengths.get(above)) {
        (Some(below), Some(above)) => (below + above) / 2,
        _ => 0,
    }
}

fn unreadable(error: tokenizers::Error) -> Error {
    Error::internal("a text cannot be tokenized").with_source(error)
}
