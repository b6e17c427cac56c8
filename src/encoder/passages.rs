//! Long texts -> passages of so many tokens.

use std::ops::Range;

use tokenizers::Tokenizer;

use crate::error::{Error, Result};

/// Fewest tokens of a passage.
pub const MIN_PASSAGE_TOKENS: usize = 16;

/// How long texts are split.
///
/// # Example
/// ```
/// use latentdb::encoder::Chunking;
///
/// let chunking: Chunking = "256,32".parse()?;
/// assert_eq!(chunking, Chunking { tokens: 256, overlap: 32 });
/// # Ok::<(), latentdb::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking {
    /// Maximum tokens per passage; those around each text and of its prompt are not counted.
    pub tokens: usize,
    /// Tokens of a passage that the next one repeats, at most half of them. It begins at a sentence, or else at a
    /// word, so that they may be fewer.
    pub overlap: usize,
}

impl Chunking {
    /// Checks it against the tokens of a text that are read.
    ///
    /// # Errors
    /// `InvalidArgument` naming `chunk.tokens` or `chunk.overlap`.
    pub fn check(self, room: usize) -> Result<()> {
        let Self { tokens, overlap } = self;
        if !(MIN_PASSAGE_TOKENS..=room).contains(&tokens) {
            return Err(Error::invalid(
                "chunk.tokens",
                format!(
                    "is {tokens}; {MIN_PASSAGE_TOKENS} to {room} is accepted, the tokens of a text that the \
                     collection's encoder reads"
                ),
            ));
        }
        if overlap > tokens / 2 {
            return Err(Error::invalid(
                "chunk.overlap",
                format!(
                    "is {overlap}; at most {} is accepted, half of the tokens",
                    tokens / 2
                ),
            ));
        }
        Ok(())
    }

    /// Where the passages of a text lie in it, in bytes: one for a text of as many tokens or less, none for one
    /// without words.
    pub(super) fn split(self, tokenizer: &Tokenizer, text: &str) -> Result<Vec<Range<usize>>> {
        let encoding = tokenizer
            .encode(text, false)
            .map_err(|error| Error::internal("a text cannot be tokenized").with_source(error))?;
        let ranges = self.ranges(text, encoding.get_offsets());
        let trimmed = ranges.into_iter().map(|range| {
            let piece = &text[range.clone()];
            let start = range.start + (piece.len() - piece.trim_start().len());
            start..start + piece.trim().len()
        });
        Ok(trimmed.filter(|range| !range.is_empty()).collect())
    }

    fn ranges(self, text: &str, tokens: &[(usize, usize)]) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut first = 0;
        let mut begin = 0;
        while tokens.len() - first > self.tokens {
            let most = first + self.tokens;
            let cut = self.cut(text, tokens, first, most);
            let end = starts_at(tokens, cut);
            ranges.push(begin..end);
            first = repeated_from(text, tokens, cut, self.overlap);
            begin = starts_at(tokens, first);
        }
        ranges.push(begin..text.len());
        ranges
    }

    /// The token before which a passage that begins at token `first` ends, `most` at most: at the end of a paragraph
    /// or else of a sentence in its last quarter, else behind a word of its second half, else behind a character.
    fn cut(self, text: &str, tokens: &[(usize, usize)], first: usize, most: usize) -> usize {
        let late = most - self.tokens / 4..=most;
        let half = first + self.tokens / 2 + 1..=most;
        let last = |places: std::ops::RangeInclusive<usize>, least: Break| {
            places
                .rev()
                .find(|&at| Break::before(text, tokens, at) >= Some(least))
        };
        last(late.clone(), Break::Paragraph)
            .or_else(|| last(late, Break::Sentence))
            .or_else(|| last(half.clone(), Break::Word))
            .or_else(|| last(half, Break::Character))
            // More tokens of one character than half a passage: none that is known.
            .unwrap_or(most)
    }
}

impl std::str::FromStr for Chunking {
    type Err = Error;

    /// `TOKENS` or `TOKENS,OVERLAP`.
    fn from_str(text: &str) -> Result<Self> {
        let (tokens, overlap) = text.split_once(',').unwrap_or((text, "0"));
        let number = |text: &str| {
            text.trim().parse().map_err(|_| {
                Error::invalid(
                    "chunk",
                    format!("is {text:?}; TOKENS or TOKENS,OVERLAP is accepted, as 256,32"),
                )
            })
        };
        Ok(Self {
            tokens: number(tokens)?,
            overlap: number(overlap)?,
        })
    }
}

/// What ends before a token, from what cuts a text worst to what cuts it best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Break {
    Character,
    Word,
    Sentence,
    Paragraph,
}

impl Break {
    /// What ends before the token `at`, which is not the first; nothing where it is within a character.
    fn before(text: &str, tokens: &[(usize, usize)], at: usize) -> Option<Self> {
        let (end, start) = (tokens[at - 1].1, starts_at(tokens, at));
        if start < end || !text.is_char_boundary(start) {
            return None;
        }
        // Tokens may carry the white space before them, or after them.
        let before = text[..start].trim_end();
        let token = text.get(start..tokens[at].1).unwrap_or_default();
        let carried = token.len() - token.trim_start().len();
        let space = &text[before.len()..start + carried];
        if space.is_empty() {
            // Some scripts have sentences without white space between them.
            return Some(match before.ends_with(['。', '！', '？']) {
                true => Self::Sentence,
                false => Self::Character,
            });
        }
        let is_paragraph = space.matches('\n').count() > 1;
        let closed = before.trim_end_matches(['"', '\'', ')', ']', '”', '’', '»']);
        let is_sentence =
            space.contains('\n') || closed.ends_with(['.', '!', '?', '…', '。', '！', '？']);
        Some(match (is_paragraph, is_sentence) {
            (true, _) => Self::Paragraph,
            (_, true) => Self::Sentence,
            _ => Self::Word,
        })
    }
}

/// The byte at which a token begins.
fn starts_at(tokens: &[(usize, usize)], at: usize) -> usize {
    tokens[at].0
}

/// The token that the passage behind `cut` begins with: the first sentence of the `overlap` tokens before it, or else the
/// first word.
fn repeated_from(text: &str, tokens: &[(usize, usize)], cut: usize, overlap: usize) -> usize {
    let first =
        |least| (cut - overlap..cut).find(|&at| Break::before(text, tokens, at) >= Some(least));
    first(Break::Sentence)
        .or_else(|| first(Break::Word))
        .unwrap_or(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of one character each, white space left out.
    fn characters(text: &str) -> Vec<(usize, usize)> {
        let places = text.char_indices();
        let places = places.map(|(at, own)| (at, at + own.len_utf8(), own));
        let places = places.filter(|(_, _, own)| !own.is_whitespace());
        places.map(|(from, to, _)| (from, to)).collect()
    }

    fn passages(text: &str, tokens: usize, overlap: usize) -> Vec<&str> {
        let chunking = Chunking { tokens, overlap };
        let ranges = chunking.ranges(text, &characters(text));
        ranges.into_iter().map(|range| text[range].trim()).collect()
    }

    #[test]
    fn passages_end_at_paragraphs_sentences_and_words() {
        assert_eq!(passages("short text", 16, 0), ["short text"]);
        let text = "one two three. four five six sevens";
        assert_eq!(
            passages(text, 16, 0),
            ["one two three.", "four five six", "sevens"]
        );
        let text = "aaaa bbbb ccc.\n\ndd. ee ff gg hh ii";
        assert_eq!(
            passages(text, 16, 0),
            ["aaaa bbbb ccc.", "dd. ee ff gg hh ii"]
        );
    }

    #[test]
    fn the_next_passage_repeats_words() {
        let text = "aaaa bbbb cccc dddd eeee ffff gggg";
        assert_eq!(
            passages(text, 16, 8),
            [
                "aaaa bbbb cccc dddd",
                "cccc dddd eeee ffff",
                "eeee ffff gggg"
            ]
        );
        // Seven tokens before the cut begin within a word.
        assert_eq!(passages(text, 16, 7)[1], "dddd eeee ffff gggg");
        let text = "aaaa bb. cccc dddd eeee ffff";
        assert_eq!(passages(text, 16, 8)[1], "cccc dddd eeee ffff");
    }

    #[test]
    fn every_character_is_in_a_passage_of_any_text() {
        let texts = [
            "x".repeat(100),
            "漢字仮名。".repeat(30),
            "🙂".repeat(50),
            "a ".repeat(200),
            "\n".repeat(80),
            format!("{}. {}", "b".repeat(40), "c ".repeat(40)),
        ];
        for text in &texts {
            let tokens = characters(text);
            for (most, overlap) in [(16, 0), (16, 8), (30, 3)] {
                let ranges = Chunking {
                    tokens: most,
                    overlap,
                }
                .ranges(text, &tokens);
                let mut reached = 0;
                for range in &ranges {
                    assert!(
                        range.start <= reached && range.end >= reached,
                        "{text:?} {range:?}"
                    );
                    let held = tokens.iter().filter(|own| range.contains(&own.0)).count();
                    assert!(held <= most, "{held} of {most}");
                    reached = range.end;
                }
                assert_eq!(reached, text.len());
            }
        }
    }

    #[test]
    fn bytes_of_one_character_stay_together() {
        // As byte-level tokens: four of each character, with its offsets.
        let text = "🙂".repeat(20);
        let tokens: Vec<(usize, usize)> = (0..80).map(|at| (at / 4 * 4, at / 4 * 4 + 4)).collect();
        let ranges = Chunking {
            tokens: 18,
            overlap: 6,
        }
        .ranges(&text, &tokens);
        assert!(
            ranges
                .iter()
                .all(|range| range.start % 4 == 0 && range.end % 4 == 0)
        );
        assert_eq!(ranges[0], 0..16);
    }

    #[test]
    fn what_is_written_is_read() {
        let chunking: Chunking = "256, 32".parse().unwrap();
        assert_eq!(
            chunking,
            Chunking {
                tokens: 256,
                overlap: 32
            }
        );
        let chunking: Chunking = "100".parse().unwrap();
        assert_eq!(
            chunking,
            Chunking {
                tokens: 100,
                overlap: 0
            }
        );
        assert!(
            "many"
                .parse::<Chunking>()
                .unwrap_err()
                .to_string()
                .contains("256,32")
        );
        for (chunking, field) in [
            (
                Chunking {
                    tokens: 15,
                    overlap: 0,
                },
                "chunk.tokens",
            ),
            (
                Chunking {
                    tokens: 255,
                    overlap: 0,
                },
                "chunk.tokens",
            ),
            (
                Chunking {
                    tokens: 64,
                    overlap: 33,
                },
                "chunk.overlap",
            ),
        ] {
            assert_eq!(chunking.check(254).unwrap_err().field(), Some(field));
        }
    }
}
