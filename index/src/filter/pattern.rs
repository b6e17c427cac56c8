//! Patterns of `like`: which strings they describe.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Longest pattern, in bytes.
const MAX_BYTES: usize = 4096;

/// A pattern of strings, as SQL's LIKE writes it: `%` stands for any run of characters, `_` for one
/// character, and `\` before either or before another `\` for that character itself. It describes
/// whole strings.
///
/// ```
/// use latentdb_index::filter::Pattern;
///
/// assert_eq!(Pattern::beginning("50%_").pattern, r"50\%\_%");
/// assert_eq!(Pattern::holding("a").pattern, "%a%");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// The pattern; at most 4,096 bytes.
    pub pattern: String,
    /// Whether `A` and `a` are one, by Unicode's simple case folding.
    pub ignore_case: bool,
}

/// A part of a pattern.
enum Part {
    Literal(char),
    Any,
    One,
}

impl Pattern {
    /// A pattern that tells `A` from `a`.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            ignore_case: false,
        }
    }

    /// Strings that begin with `text`.
    pub fn beginning(text: &str) -> Self {
        Self::new(format!("{}%", escaped(text)))
    }

    /// Strings that hold `text`.
    pub fn holding(text: &str) -> Self {
        Self::new(format!("%{}%", escaped(text)))
    }

    /// Checks the length, that each backslash escapes something, and that the wildcards are not those
    /// of file names.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.pattern.len() > MAX_BYTES {
            return Err(Error::invalid(
                "like",
                format!(
                    "has {} bytes; at most {MAX_BYTES} are accepted",
                    self.pattern.len()
                ),
            ));
        }
        let parts = self.parts()?;
        let literal = parts.iter().all(|part| matches!(part, Part::Literal(_)));
        if literal && self.pattern.contains(['*', '?']) {
            return Err(Error::invalid(
                "like",
                format!(
                    "is {:?}, where `*` and `?` stand for themselves; `%` stands for any run of \
                     characters and `_` for one (`=` compares with one string)",
                    self.pattern
                ),
            ));
        }
        Ok(())
    }

    /// What strings are compared with.
    pub(crate) fn matcher(&self) -> Result<Matcher> {
        let parts = self.parts()?;
        let mut prefix = String::new();
        if !self.ignore_case {
            for part in &parts {
                let Part::Literal(character) = part else {
                    break;
                };
                prefix.push(*character);
            }
        }
        let mut expression = String::from("^");
        for part in &parts {
            match part {
                Part::Literal(character) => {
                    expression.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
                }
                Part::Any => expression.push_str(".*"),
                Part::One => expression.push('.'),
            }
        }
        expression.push('$');
        let regex = RegexBuilder::new(&expression)
            .dot_matches_new_line(true)
            .case_insensitive(self.ignore_case)
            .build()
            .map_err(|error| {
                Error::invalid("like", "is too complex to be compared with").with_source(error)
            })?;
        Ok(Matcher { prefix, regex })
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        let mut characters = self.pattern.chars();
        while let Some(character) = characters.next() {
            parts.push(match character {
                '%' if matches!(parts.last(), Some(Part::Any)) => continue,
                '%' => Part::Any,
                '_' => Part::One,
                '\\' => match characters.next() {
                    Some(escaped @ ('%' | '_' | '\\')) => Part::Literal(escaped),
                    _ => {
                        return Err(Error::invalid(
                            "like",
                            format!(
                                "is {:?}; a backslash is accepted before %, _ and \\ only",
                                self.pattern
                            ),
                        ));
                    }
                },
                other => Part::Literal(other),
            });
        }
        Ok(parts)
    }
}

/// `text` with every character standing for itself.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A pattern that strings are compared with.
pub(crate) struct Matcher {
    /// What every string that matches begins with.
    pub prefix: String,
    regex: Regex,
}

impl Matcher {
    /// Whether the pattern describes `text`.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let pattern = Pattern::new(pattern);
        pattern.validate().unwrap();
        let matcher = pattern.matcher().unwrap();
        let found = matcher.matches(text);
        assert!(!found || text.starts_with(&matcher.prefix));
        found
    }

    #[test]
    fn wildcards_stand_for_characters() {
        assert!(matches("src/%.rs", "src/filter/mod.rs"));
        assert!(!matches("src/%.rs", "lib/src/mod.rs"));
        assert!(matches("%ö_e%", "schöne\nWelt"));
        assert!(matches("北_", "北京") && !matches("北_", "北"));
        assert!(matches("", "") && !matches("", "a") && matches("%", ""));
        assert!(matches(r"50\%\_\\", r"50%_\") && !matches(r"50\%", "500"));
        assert!(matches("a.c", "a.c") && !matches("a.c", "abc"));
        assert!(!matches("ABC%", "abcd"));
        let folded = Pattern {
            ignore_case: true,
            ..Pattern::new("ÄBC%")
        };
        assert!(folded.matcher().unwrap().matches("äbcd"));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let error = Pattern::new("src/*.rs").validate().unwrap_err();
        assert!(error.message().contains("`%` stands"), "{error}");
        Pattern::new("src/*%").validate().unwrap();
        for pattern in [r"C:\new%", "a\\", r"\a"] {
            let error = Pattern::new(pattern).validate().unwrap_err();
            assert!(error.message().contains("backslash"), "{error}");
        }
        assert!(Pattern::new("x".repeat(5000)).validate().is_err());
    }

    #[test]
    fn text_is_escaped() {
        for text in ["50%", "a_b", r"C:\new", "", "plain"] {
            assert!(matches(&Pattern::beginning(text).pattern, text));
            assert!(matches(
                &Pattern::holding(text).pattern,
                &format!("x{text}y")
            ));
            assert!(matches(&escaped(text), text));
        }
    }
}
