//! Cuts text into words.

use std::collections::VecDeque;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{
    DefaultIgnorableCodePoint, EnumeratedProperty as _, GeneralCategory, GeneralCategoryGroup,
};
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};
use sha2::{Digest as _, Sha256};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_segmentation::{UWordBoundIndices, UnicodeSegmentation as _};

/// Longer words, in bytes, are indexed by their hash: tantivy keeps no terms above 64 KiB.
pub(super) const LONGEST: usize = 512;

/// Whose words are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Of documents: of runs without spaces, the characters and their pairs.
    Documents,
    /// Of queries: the pairs, or the character that stands alone.
    Query,
}

/// A tokenizer of words.
#[derive(Clone, Copy)]
pub(super) struct Words {
    cut: Cut,
    fold_diacritics: bool,
}

impl Words {
    pub fn new(cut: Cut, fold_diacritics: bool) -> Self {
        Self {
            cut,
            fold_diacritics,
        }
    }
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream {
            settings: *self,
            text,
            pieces: text.split_word_bound_indices(),
            pending: VecDeque::new(),
            run: Vec::new(),
            next_position: 0,
            token: Token::default(),
        }
    }
}

/// The words of one text.
pub(super) struct WordStream<'a> {
    settings: Words,
    text: &'a str,
    pieces: UWordBoundIndices<'a>,
    /// Words that follow: places in bytes, and the position.
    pending: VecDeque<(usize, usize, usize)>,
    /// Characters so far of a run that is written without spaces: first byte and the one after.
    run: Vec<(usize, usize)>,
    next_position: usize,
    token: Token,
}

impl WordStream<'_> {
    /// Takes a piece between two word boundaries.
    fn take(&mut self, start: usize, piece: &str) {
        if !piece.chars().any(is_unspaced) {
            self.end_run();
            if piece.chars().any(is_of_words) {
                self.pending
                    .push_back((start, start + piece.len(), self.next_position));
                self.next_position += 1;
            }
            return;
        }
        // Scripts are mixed where no boundary lies between them, as in `K팝`.
        let mut word: Option<(usize, usize)> = None;
        for (at, cluster) in piece.grapheme_indices(true) {
            let (from, to) = (start + at, start + at + cluster.len());
            if cluster.chars().next().is_some_and(is_unspaced) {
                self.end_word(word.take());
                if self.run.last().is_some_and(|&(_, end)| end != from) {
                    self.end_run();
                }
                self.run.push((from, to));
            } else {
                self.end_run();
                word = Some((word.map_or(from, |(first, _)| first), to));
            }
        }
        self.end_word(word);
    }

    fn end_word(&mut self, word: Option<(usize, usize)>) {
        if let Some((from, to)) = word
            && self.text[from..to].chars().any(is_of_words)
        {
            self.pending.push_back((from, to, self.next_position));
            self.next_position += 1;
        }
    }

    fn end_run(&mut self) {
        let alone = self.run.len() == 1;
        for (at, &(from, to)) in self.run.iter().enumerate() {
            let position = self.next_position + at;
            if alone || self.settings.cut == Cut::Documents {
                self.pending.push_back((from, to, position));
            }
            if let Some(&(_, end)) = self.run.get(at + 1) {
                self.pending.push_back((from, end, position));
            }
        }
        self.next_position += self.run.len();
        self.run.clear();
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        loop {
            if let Some((from, to, position)) = self.pending.pop_front() {
                let word = &self.text[from..to];
                normalise(word, self.settings.fold_diacritics, &mut self.token.text);
                self.token.offset_from = from;
                self.token.offset_to = to;
                self.token.position = position;
                return true;
            }
            match self.pieces.next() {
                Some((start, piece)) => self.take(start, piece),
                None if self.run.is_empty() => return false,
                None => self.end_run(),
            }
        }
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// Writes the form of a word that is compared.
fn normalise(word: &str, fold_diacritics: bool, out: &mut String) {
    const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
    const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
    const IGNORABLE: CodePointSetDataBorrowed<'static> =
        CodePointSetData::new::<DefaultIgnorableCodePoint>();
    out.clear();
    if word.is_ascii() {
        out.push_str(word);
        out.make_ascii_lowercase();
    } else {
        let folded = CaseMapper::new().fold_string(word);
        let kept = NFKD.normalize_iter(folded.chars());
        let kept = kept
            .filter(|&character| !IGNORABLE.contains(character))
            .filter(|character| !(fold_diacritics && matches!(character, '\u{300}'..='\u{36f}')))
            .map(|character| if character == '’' { '\'' } else { character });
        // Compatibility forms bring capitals of their own, as in `㎏` and `ℌ`.
        let unified: String = NFKC.normalize_iter(kept).collect();
        let folded = CaseMapper::new().fold_string(&unified);
        out.extend(NFKC.normalize_iter(folded.chars()));
    }
    if out.len() > LONGEST {
        let digest = Sha256::digest(out.as_bytes());
        out.clear();
        out.push_str("sha256");
        out.extend(digest.iter().map(|byte| format!("{byte:02x}")));
    }
}

/// Whether a piece with this character is a word: a letter, digit or symbol, no punctuation.
fn is_of_words(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric()
            || matches!(
                character,
                '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~'
            );
    }
    let words = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Symbol);
    words.contains(GeneralCategory::for_char(character))
}

/// Whether a character is of a script that is written without spaces, or is Hangul, whose particles
/// are not set apart.
pub(super) fn is_unspaced(character: char) -> bool {
    matches!(
        character,
        '\u{0e01}'..='\u{0e3a}' // Thai
            | '\u{0e40}'..='\u{0e4e}'
            | '\u{0e81}'..='\u{0ecd}' // Lao
            | '\u{0edc}'..='\u{0edf}'
            | '\u{1000}'..='\u{103f}' // Burmese
            | '\u{1050}'..='\u{108f}'
            | '\u{1100}'..='\u{11ff}' // Hangul jamo
            | '\u{1780}'..='\u{17d3}' // Khmer
            | '\u{2e80}'..='\u{2fdf}' // Han radicals
            | '\u{3005}'..='\u{3007}'
            | '\u{3041}'..='\u{309f}' // Hiragana
            | '\u{30a1}'..='\u{30fa}' // Katakana
            | '\u{30fc}'..='\u{30ff}'
            | '\u{3105}'..='\u{318e}' // Bopomofo, Hangul
            | '\u{31a0}'..='\u{31bf}'
            | '\u{31f0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}' // Han
            | '\u{4e00}'..='\u{9fff}'
            | '\u{a960}'..='\u{a97c}'
            | '\u{aa60}'..='\u{aa7f}' // Burmese
            | '\u{ac00}'..='\u{d7fb}' // Hangul
            | '\u{f900}'..='\u{faff}' // Han
            | '\u{ff66}'..='\u{ffdc}' // half-width kana and Hangul
            | '\u{20000}'..='\u{3ffff}' // Han
    )
}
