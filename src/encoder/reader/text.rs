//! Text -> the token sequences that a model runs, and which of their rows are read.

use std::collections::HashSet;
use std::ops::Range;

use tokenizers::Tokenizer;

use crate::error::{Error, Result};
use crate::reading::{ChatTemplate, TokenPolicy, Window};

/// The share of a window's text, as 1 / n, that the next one repeats unless asked otherwise.
const OVERLAP: usize = 8;

/// The span of a token in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenSpan {
    /// The token's number among those of the text, from 0.
    pub token: u32,
    /// Its first character, counted in Unicode scalar values.
    pub start: u32,
    /// Behind its last character.
    pub end: u32,
}

/// A sequence to run and the rows of it to take.
#[derive(Debug, PartialEq)]
pub(super) struct Sequence {
    /// Token ids.
    pub(super) ids: Vec<u32>,
    /// Rows to take, ascending, each with its place in the text; control and template tokens have
    /// none.
    pub(super) rows: Vec<(usize, Option<TokenSpan>)>,
}

impl AsRef<[u32]> for Sequence {
    fn as_ref(&self) -> &[u32] {
        &self.ids
    }
}

/// A token before or after the text.
#[derive(Clone, Copy, Debug)]
struct Around {
    id: u32,
    is_read: bool,
}

/// Makes sequences of texts.
pub(super) struct Texts {
    tokenizer: Tokenizer,
    prefix: Vec<Around>,
    suffix: Vec<Around>,
    window: Window,
}

/// What stands around texts, before it is tokens.
pub(super) enum Wrapping<'a> {
    /// What the tokenizer puts there itself: `[CLS]` and `[SEP]` and their like.
    Own,
    /// A beginning-of-sequence token, if any.
    Bos(Option<u32>),
    /// A chat template.
    Chat(&'a ChatTemplate),
}

impl Texts {
    /// `is_causal` says that tokens see those before them only, so that a suffix which is not read
    /// need not be run. Without a `stride`, windows overlap by an eighth of the text in one.
    pub(super) fn new(
        mut tokenizer: Tokenizer,
        wrapping: &Wrapping<'_>,
        policy: TokenPolicy,
        is_causal: bool,
        length: usize,
        stride: Option<usize>,
    ) -> Result<Self> {
        let unusable =
            |error| Error::corrupted("the model's tokenizer is not usable").with_source(error);
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(unusable)?;
        let (prefix, mut suffix) = around(&tokenizer, wrapping, policy)?;
        if is_causal && !suffix.iter().any(|token| token.is_read) {
            suffix.clear();
        }
        // A text that spells a control token does not become one.
        tokenizer.set_encode_special_tokens(true);
        let wrapped = prefix.len() + suffix.len();
        let room = length.saturating_sub(wrapped);
        if room == 0 {
            return Err(Error::invalid(
                "window",
                format!(
                    "is {length} tokens; {wrapped} of them stand around the text, so at least {} \
                     is accepted",
                    wrapped + 1
                ),
            ));
        }
        let stride = stride.unwrap_or(room - room / OVERLAP);
        if !(1..=room).contains(&stride) {
            return Err(Error::invalid(
                "stride",
                format!("is {stride}; 1 to {room} is accepted, the tokens of the text in a window"),
            ));
        }
        Ok(Self {
            tokenizer,
            prefix,
            suffix,
            window: Window { length, stride },
        })
    }

    /// The windows of long texts.
    pub(super) fn window(&self) -> Window {
        self.window
    }

    /// The sequences of a text; none for a text without tokens.
    pub(super) fn sequences(&self, text: &str) -> Result<Vec<Sequence>> {
        let encoding = self
            .tokenizer
            .encode(text, false)
            .map_err(|error| Error::internal("a text cannot be tokenized").with_source(error))?;
        let ids = encoding.get_ids();
        let spans = spans(text, encoding.get_offsets())?;
        let windows = windows(ids.len(), self.room(), self.window.stride);
        let last = windows.len().saturating_sub(1);
        Ok(windows
            .into_iter()
            .enumerate()
            .map(|(number, (tokens, taken))| {
                let prefix = self.prefix.iter().map(|token| token.id);
                let suffix = self.suffix.iter().map(|token| token.id);
                let own = ids[tokens.clone()].iter().copied();
                let behind = self.prefix.len() + tokens.len();
                let mut rows = Vec::with_capacity(taken.len() + 2);
                if number == 0 {
                    rows.extend(read_rows(&self.prefix, 0));
                }
                let row = |token: usize| self.prefix.len() + token - tokens.start;
                rows.extend(taken.map(|token| (row(token), Some(spans[token]))));
                if number == last {
                    rows.extend(read_rows(&self.suffix, behind));
                }
                Sequence {
                    ids: prefix.chain(own).chain(suffix).collect(),
                    rows,
                }
            })
            .collect())
    }

    /// Tokens of the text in a window.
    fn room(&self) -> usize {
        self.window.length - self.prefix.len() - self.suffix.len()
    }
}

fn read_rows(
    tokens: &[Around],
    first: usize,
) -> impl Iterator<Item = (usize, Option<TokenSpan>)> + '_ {
    let read = tokens.iter().enumerate().filter(|(_, token)| token.is_read);
    read.map(move |(at, _)| (first + at, None))
}

/// The windows over `tokens` tokens: which each holds, and which of those are taken from it.
fn windows(tokens: usize, room: usize, stride: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut windows = Vec::new();
    let (mut start, mut taken) = (0, 0);
    while taken < tokens {
        let end = (start + room).min(tokens);
        windows.push((start..end, taken..end));
        taken = end;
        start += stride;
    }
    windows
}

/// Character spans of byte offsets, without the white space that tokens carry.
fn spans(text: &str, offsets: &[(usize, usize)]) -> Result<Vec<TokenSpan>> {
    let (mut byte, mut character) = (0, 0_u32);
    let mut spans = Vec::with_capacity(offsets.len());
    for (token, &(start, end)) in (0_u32..).zip(offsets) {
        let piece = text.get(start..end).unwrap_or_default();
        let start = start + (piece.len() - piece.trim_start().len());
        // Offsets ascend, but the tokens of one character share it.
        if start < byte {
            (byte, character) = (0, 0);
        }
        character += count(text, byte..start)?;
        byte = start;
        let length = count(piece.trim(), 0..piece.trim().len())?;
        spans.push(TokenSpan {
            token,
            start: character,
            end: character + length,
        });
    }
    Ok(spans)
}

fn count(text: &str, bytes: Range<usize>) -> Result<u32> {
    let characters = text.get(bytes).map_or(0, |part| part.chars().count());
    u32::try_from(characters)
        .map_err(|_| Error::internal("a text of four thousand million characters"))
}

/// The tokens before and after a text.
fn around(
    tokenizer: &Tokenizer,
    wrapping: &Wrapping<'_>,
    policy: TokenPolicy,
) -> Result<(Vec<Around>, Vec<Around>)> {
    let special: HashSet<u32> = tokenizer
        .get_added_tokens_decoder()
        .into_iter()
        .filter_map(|(id, token)| token.special.then_some(id))
        .collect();
    let encode = |text: &str, with_own: bool| {
        tokenizer.encode(text, with_own).map_err(|error| {
            Error::precondition(format!(
                "what stands around texts, {text:?}, is not tokenized"
            ))
            .with_source(error)
        })
    };
    let control = |id: u32| Around {
        id,
        is_read: policy.special,
    };
    match wrapping {
        Wrapping::Bos(bos) => Ok((bos.iter().copied().map(control).collect(), Vec::new())),
        Wrapping::Own => {
            let encoding = encode("a", true)?;
            let mask = encoding.get_special_tokens_mask();
            let own = |at: Range<usize>| -> Vec<Around> {
                encoding.get_ids()[at]
                    .iter()
                    .copied()
                    .map(control)
                    .collect()
            };
            let first = mask
                .iter()
                .position(|mask| *mask == 0)
                .unwrap_or(mask.len());
            let last = mask
                .iter()
                .rposition(|mask| *mask == 0)
                .map_or(first, |at| at + 1);
            Ok((own(0..first), own(last..mask.len())))
        }
        Wrapping::Chat(template) => {
            let tokens = |text: &str| -> Result<Vec<Around>> {
                let encoding = encode(text, false)?;
                let ids = encoding.get_ids().iter();
                Ok(ids
                    .map(|&id| Around {
                        id,
                        is_read: if special.contains(&id) {
                            policy.special
                        } else {
                            policy.template
                        },
                    })
                    .collect())
            };
            Ok((tokens(&template.prefix)?, tokens(&template.suffix)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_take_every_token_once() {
        for tokens in 0..40 {
            for room in 1..12 {
                for stride in 1..=room {
                    let windows = windows(tokens, room, stride);
                    let taken: Vec<usize> = windows
                        .iter()
                        .flat_map(|(_, taken)| taken.clone())
                        .collect();
                    assert_eq!(taken, (0..tokens).collect::<Vec<_>>());
                    for (number, (held, taken)) in windows.iter().enumerate() {
                        assert!(held.len() <= room && held.start == number * stride);
                        assert!(held.start <= taken.start && held.end == taken.end);
                        assert!(!taken.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn spans_count_characters_and_leave_white_space_out() {
        let text = "Straße  über 😀x";
        let offsets = [(0, 7), (7, 14), (14, 19), (14, 19), (19, 20)];
        let spans: Vec<(u32, u32)> = spans(text, &offsets)
            .unwrap()
            .iter()
            .map(|span| (span.start, span.end))
            .collect();
        let characters: Vec<char> = text.chars().collect();
        let words: Vec<String> = spans
            .iter()
            .map(|&(start, end)| characters[start as usize..end as usize].iter().collect())
            .collect();
        assert_eq!(words, ["Straße", "über", "😀", "😀", "x"]);
    }
}
