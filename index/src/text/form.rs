//! Which words a word of a query stands for ([`TextMode::Prefix`], [`TextMode::Fuzzy`]).

use super::TextMode;

/// The edits of a word in [`TextMode::Fuzzy`], at most; none in other modes.
pub(crate) fn most_edits(word: &str, mode: TextMode) -> usize {
    match (mode, word.chars().count()) {
        (TextMode::Fuzzy, 3..=5) => 1,
        (TextMode::Fuzzy, 6..) => 2,
        _ => 0,
    }
}

/// The edits between a word of a query and one of a text that it stands for; `None` where it does
/// not.
pub(super) fn edits(word: &str, found: &str, mode: TextMode) -> Option<usize> {
    if mode == TextMode::Prefix {
        return found.starts_with(word).then_some(0);
    }
    let edits = strsim::osa_distance(word, found);
    (edits <= most_edits(word, mode)).then_some(edits)
}
