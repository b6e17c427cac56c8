//! What labellers and judges read of a document: all of it, the words around where a latent fires, or
//! the sentences nearest to where its documents lie (methods guide, section 3).

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

/// Words and marks on each side of a place where a latent fires.
const AROUND: usize = 32;
/// Maximum windows of a document.
const WINDOWS: usize = 3;
/// What stands between windows, and for what is left out.
const GAP: &str = " ... ";

/// A part of a document, or all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passage<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// The words on which the latent fires, as bytes of `text`, ascending; for labellers, not for
    /// judges.
    pub fired: Vec<Range<usize>>,
    /// The document's dense vector, if any.
    pub vector: Option<&'a [f32]>,
}

impl<'a> Passage<'a> {
    /// A whole text.
    pub fn whole(text: &'a str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            ..Self::default()
        }
    }

    /// Up to three windows of 32 words and marks on each side of the places `fired`, bytes of `text`,
    /// joined where they overlap. The whole text where there is no such place.
    ///
    /// ```
    /// use latentdb::label::Passage;
    ///
    /// let passage = Passage::around("we went to Paris in May", Some(11..14));
    /// assert_eq!(passage.marked(), "we went to <<Paris>> in May");
    /// ```
    pub fn around(text: &'a str, fired: impl IntoIterator<Item = Range<usize>>) -> Self {
        let words: Vec<(usize, &str)> = text.split_word_bound_indices().collect();
        let is_token = |place: usize| !words[place].1.trim().is_empty();
        let mut windows: Vec<(Range<usize>, Vec<Range<usize>>)> = Vec::new();
        for place in fired {
            let holds = |&(at, word): &(usize, &str)| {
                at < place.end.max(place.start + 1) && at + word.len() > place.start
            };
            let Some(first) = words.iter().position(holds) else {
                continue;
            };
            let last = first + words[first..].iter().take_while(|word| holds(word)).count() - 1;
            let begin = (0..first)
                .rev()
                .filter(|&place| is_token(place))
                .nth(AROUND - 1)
                .unwrap_or(0);
            let end = (last + 1..words.len())
                .filter(|&place| is_token(place))
                .nth(AROUND - 1)
                .unwrap_or(words.len() - 1);
            let bytes = |from: usize, to: usize| words[from].0..words[to].0 + words[to].1.len();
            let (window, mark) = (bytes(begin, end), bytes(first, last));
            match windows.last_mut() {
                Some((earlier, marks)) if window.start <= earlier.end => {
                    earlier.end = earlier.end.max(window.end);
                    if marks.last() != Some(&mark) {
                        marks.push(mark);
                    }
                }
                _ => windows.push((window, vec![mark])),
            }
        }
        windows.truncate(WINDOWS);
        match &windows[..] {
            [] => Self::whole(text),
            [(window, marks)] if *window == (0..text.len()) => Self {
                fired: marks.clone(),
                ..Self::whole(text)
            },
            windows => Self::joined(text, windows),
        }
    }

    fn joined(text: &str, windows: &[(Range<usize>, Vec<Range<usize>>)]) -> Self {
        let (mut joined, mut fired) = (String::new(), Vec::new());
        for (window, marks) in windows {
            if !joined.is_empty() {
                joined.push_str(GAP);
            }
            let part = &text[window.clone()];
            let start = window.start + (part.len() - part.trim_start().len());
            let shift = |byte: usize| byte - start + joined.len();
            fired.extend(marks.iter().map(|mark| shift(mark.start)..shift(mark.end)));
            joined.push_str(part.trim());
        }
        Self {
            text: Cow::Owned(joined),
            fired,
            vector: None,
        }
    }

    /// The text with the firing words `<<like this>>`, on one line of at most about `characters`
    /// characters; where more is left out, around the first of them.
    pub fn marked_within(&self, characters: usize) -> String {
        cut(&self.marked(), characters)
    }

    /// The text with the firing words `<<like this>>`.
    pub fn marked(&self) -> Cow<'_, str> {
        if self.fired.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        let (mut marked, mut done) = (String::new(), 0);
        for mark in &self.fired {
            marked.push_str(&self.text[done..mark.start]);
            marked.push_str("<<");
            marked.push_str(&self.text[mark.clone()]);
            marked.push_str(">>");
            done = mark.end;
        }
        marked.push_str(&self.text[done..]);
        Cow::Owned(marked)
    }

    /// The text as a judge reads it: unmarked, on one line of at most about `characters` characters,
    /// the same part that a labeller is shown.
    pub fn unmarked_within(&self, characters: usize) -> String {
        match self.fired.is_empty() {
            true => cut(&self.text, characters),
            false => self
                .marked_within(characters)
                .replace("<<", "")
                .replace(">>", ""),
        }
    }
}

/// A text on one line, cut to about `characters` characters: at its end, or where its first mark would
/// be cut off, on both sides of it.
fn cut(text: &str, characters: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let ends: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
    if ends.len() <= characters {
        return line;
    }
    let mark = line
        .find("<<")
        .map_or(0, |byte| ends.partition_point(|&at| at < byte));
    let start = match mark + characters / 4 > characters {
        true => (mark - characters / 2).min(ends.len() - characters),
        false => 0,
    };
    let end = start + characters;
    let byte = |place: usize| ends.get(place).copied().unwrap_or(line.len());
    let before = if start > 0 { "..." } else { "" };
    let after = if end < ends.len() { "..." } else { "" };
    format!("{before}{}{after}", &line[byte(start)..byte(end)])
}

/// The runs of whole sentences of up to `characters` characters, as bytes: from every sentence, as many
/// as fit. A sentence that is longer is cut.
pub fn sentence_runs(text: &str, characters: usize) -> Vec<Range<usize>> {
    let mut sentences: Vec<Range<usize>> = Vec::new();
    for (at, sentence) in text.split_sentence_bound_indices() {
        let trimmed = sentence.trim_end();
        if trimmed.trim().is_empty() {
            continue;
        }
        let start = at + (trimmed.len() - trimmed.trim_start().len());
        sentences.push(start..at + trimmed.len());
    }
    let length = |bytes: &Range<usize>| text[bytes.clone()].chars().count();
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (first, own) in sentences.iter().enumerate() {
        let mut run = own.clone();
        if length(&run) > characters {
            let kept = text[run.clone()].char_indices().nth(characters);
            run.end = kept.map_or(run.end, |(at, _)| run.start + at);
        }
        for next in &sentences[first + 1..] {
            let longer = run.start..next.end;
            if length(&longer) > characters {
                break;
            }
            run = longer;
        }
        // One that ends where the one before ends is a part of it.
        if runs.last().is_none_or(|before| before.end < run.end) {
            runs.push(run);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(words: std::ops::Range<usize>) -> String {
        words
            .map(|at| format!("w{at}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn place(text: &str, word: &str) -> Range<usize> {
        let at = text.find(word).unwrap();
        at..at + word.len()
    }

    #[test]
    fn windows_hold_32_words_on_each_side() {
        let text = counted(100..300);
        let passage = Passage::around(&text, Some(place(&text, "w200")));
        assert_eq!(passage.text, counted(168..233));
        assert_eq!(&passage.text[passage.fired[0].clone()], "w200");
    }

    #[test]
    fn windows_that_overlap_are_one_and_there_are_at_most_three() {
        let text = counted(100..900);
        let fired = ["w200", "w230", "w400", "w600", "w800"].map(|word| place(&text, word));
        let passage = Passage::around(&text, fired);
        let expected = [counted(168..263), counted(368..433), counted(568..633)].join(GAP);
        assert_eq!(passage.text, expected);
        assert_eq!(passage.fired.len(), 4);
        let marked = passage.marked();
        for word in ["<<w200>>", "<<w230>>", "<<w400>>", "<<w600>>"] {
            assert!(marked.contains(word), "{word}");
        }
    }

    #[test]
    fn parts_of_words_mark_the_word() {
        let text = "unbelievably, she said";
        assert_eq!(
            Passage::around(text, Some(2..5)).marked(),
            "<<unbelievably>>, she said"
        );
        assert_eq!(Passage::around(text, None), Passage::whole(text));
        // A place behind the text is none.
        assert!(Passage::around(text, Some(99..100)).fired.is_empty());
    }

    #[test]
    fn what_is_cut_keeps_the_mark() {
        let text = counted(100..160);
        let passage = Passage::around(&text, Some(place(&text, "w128")));
        let shown = passage.marked_within(60);
        assert!(
            shown.contains("<<w128>>") && shown.starts_with("..."),
            "{shown}"
        );
        assert!(shown.chars().count() <= 66);
        let judged = passage.unmarked_within(60);
        assert_eq!(judged, shown.replace("<<", "").replace(">>", ""));
        assert_eq!(Passage::whole("a\n b").marked_within(10), "a b");
        assert_eq!(Passage::whole("äöü").marked_within(2), "äö...");
    }

    #[test]
    fn runs_are_whole_sentences() {
        let text = "One is short. Two is too. Here is the third one.";
        let runs = sentence_runs(text, 26);
        let found: Vec<&str> = runs.iter().map(|run| &text[run.clone()]).collect();
        assert_eq!(
            found,
            ["One is short. Two is too.", "Here is the third one."]
        );
        assert_eq!(sentence_runs("abcdef", 4).first(), Some(&(0..4)));
        assert!(sentence_runs("  ", 4).is_empty());
    }
}
