//! The text form of filters.
//!
//! ```text
//! latent(812) and not latent(91, > 0.3) and source = "tweets" and sentiment < -1
//! (text("battery life") or phrase("does not work")) and stars in (1, 2)
//! visits(>= 10, < 100)
//! date >= timestamp("2025-03-01") and set("complaints") and not family(12)
//! author exists and id not in ("a-1", "a-2")
//! path like "src/%.rs" and id like "mail-%" and text_prefix("deliv") and text_fuzzy("recieved")
//! latent(812) and not sae("large", latent(3) or latent(77, > 0.3))
//! ```
//!
//! `and` binds tighter than `or`, `not` tighter than both. Words are case-insensitive, strings
//! stand in double or single quotes. In quotes and backticks `\\` is a backslash and `\` before a
//! quote of either kind or a backtick is that; a backslash before anything else is an error, so
//! that `"C:\new"` does not quietly become something else. A latent's bounds are tests of its
//! activation; a document in which it is inactive never matches. In the pattern of `like` (`ilike`
//! does not tell `A` from `a`) `%` stands for any run of characters, `_` for one and `\\%` for `%`.
//! Of an attribute with several values `visits >= 10 and visits < 100` may be met by two of them,
//! `visits(>= 10, < 100)` by one. An attribute named like a word of the language is written in
//! backticks. `sae` tests latents of another SAE of the collection.

use std::ops::Bound;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::tokens::{Token, at_column, tokenise};
use super::{AttributeTest, Filter, IdTest, MAX_DEPTH, Name, Pattern, TextMode};
use crate::document::Value;
use crate::error::{Error, Result};

/// Parses the text form. Errors are `InvalidArgument` and point at the column, from 1.
///
/// ```
/// use latentdb_index::{Filter, Value};
/// use latentdb_index::filter::parse;
///
/// let filter = parse("latent(812) and not source = 'news'").unwrap();
/// let news = Filter::equals("source", Value::String("news".into()));
/// assert_eq!(filter, Filter::And(vec![Filter::latent(812), news.negate()]));
///
/// let error = parse("stars >").unwrap_err();
/// assert!(error.to_string().contains("column 8"));
/// ```
pub fn parse(text: &str) -> Result<Filter> {
    let mut parser = Parser {
        tokens: tokenise(text)?,
        at: 0,
        depth: 0,
    };
    let filter = parser.any_of()?;
    match parser.peek() {
        Token::End => Ok(filter),
        _ => Err(parser.unexpected("`and`, `or` or the end")),
    }
}

/// Microseconds since the epoch of an RFC 3339 time (`2025-03-01T12:00:00Z`) or a date
/// (`2025-03-01`, midnight UTC).
pub fn parse_timestamp(text: &str) -> Result<i64> {
    let full = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.replacen(' ', "T", 1)
    };
    let invalid = || {
        Error::invalid(
            "",
            format!("{text:?} is not a time; accepted are 2025-03-01 and 2025-03-01T12:00:00Z"),
        )
    };
    let time = OffsetDateTime::parse(&full, &Rfc3339).map_err(|_| invalid())?;
    i64::try_from(time.unix_timestamp_nanos() / 1000).map_err(|_| invalid())
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn column(&self) -> usize {
        self.tokens[self.at].1
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].0.clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            Token::Word(word) | Token::Name(word) => format!("`{word}`"),
            Token::Quoted(text) => format!("{text:?}"),
            Token::Integer(number) => number.to_string(),
            Token::Float(number) => number.to_string(),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::End => "the end".to_owned(),
        };
        at_column(self.column(), format!("expected {expected}, found {found}"))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word));
        if found {
            self.next();
        }
        found
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(found) if *found == symbol);
        if found {
            self.next();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.eat_symbol(symbol) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{symbol}`")))
    }

    fn any_of(&mut self) -> Result<Filter> {
        let mut parts = vec![self.all_of()?];
        while self.eat_word("or") {
            parts.push(self.all_of()?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn all_of(&mut self) -> Result<Filter> {
        let mut parts = vec![self.negated()?];
        while self.eat_word("and") {
            parts.push(self.negated()?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn negated(&mut self) -> Result<Filter> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(at_column(
                self.column(),
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        let filter = if self.eat_word("not") {
            self.negated()?.negate()
        } else if self.eat_symbol("(") {
            let inner = self.any_of()?;
            self.expect_symbol(")")?;
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn test(&mut self) -> Result<Filter> {
        let expected = "a test such as `latent(812)`, `source = \"tweets\"` or `text(\"words\")`";
        match self.peek().clone() {
            Token::Name(name) => {
                self.next();
                self.attribute(name)
            }
            Token::Word(word) => {
                let start = self.at;
                self.next();
                let keyword = word.to_ascii_lowercase();
                if matches!(self.peek(), Token::Symbol("(")) {
                    match keyword.as_str() {
                        "latent" => return self.latent(),
                        "text" | "text_all" => return self.text(TextMode::All),
                        "text_any" => return self.text(TextMode::Any),
                        "phrase" => return self.text(TextMode::Phrase),
                        "text_prefix" => return self.text(TextMode::Prefix),
                        "text_fuzzy" => return self.text(TextMode::Fuzzy),
                        "id" => return self.ids(),
                        "set" => {
                            return Ok(Filter::Named(Name::SavedSet(self.quoted_argument()?)));
                        }
                        "family" => return self.family(),
                        "sae" => return self.through(),
                        // `visits(>= 10, < 100)`
                        _ if matches!(self.tokens[self.at + 1].0, Token::Symbol(_)) => {
                            return self.attribute(word);
                        }
                        _ => {
                            self.at = start;
                            return Err(self.unexpected(
                                "latent(..), family(..), text(..), text_any(..), phrase(..), \
                                 text_prefix(..), text_fuzzy(..), set(..) or sae(..)",
                            ));
                        }
                    }
                }
                match keyword.as_str() {
                    "true" | "all" => Ok(Filter::All),
                    "false" | "none" => Ok(Filter::Or(Vec::new())),
                    "id" => self.ids(),
                    "and" | "or" | "in" | "exists" => {
                        self.at = start;
                        Err(self.unexpected(expected))
                    }
                    _ => self.attribute(word),
                }
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn family(&mut self) -> Result<Filter> {
        self.expect_symbol("(")?;
        let root = self.latent_number()?;
        self.expect_symbol(")")?;
        Ok(Filter::Named(Name::Family(root)))
    }

    fn through(&mut self) -> Result<Filter> {
        self.expect_symbol("(")?;
        let Token::Quoted(sae) = self.peek().clone() else {
            return Err(self.unexpected("the name of an SAE, quoted"));
        };
        self.next();
        self.expect_symbol(",")?;
        let filter = Box::new(self.any_of()?);
        self.expect_symbol(")")?;
        Ok(Filter::Named(Name::Through { sae, filter }))
    }

    fn latent_number(&mut self) -> Result<u32> {
        let number = match *self.peek() {
            Token::Integer(number) => u32::try_from(number).ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected("a latent's number"))?;
        self.next();
        Ok(number)
    }

    fn latent(&mut self) -> Result<Filter> {
        self.expect_symbol("(")?;
        let latent = self.latent_number()?;
        let (lower, upper) = if self.eat_symbol(",") {
            self.bounds(Self::activation)?
        } else {
            self.expect_symbol(")")?;
            (Bound::Unbounded, Bound::Unbounded)
        };
        Ok(Filter::Latent {
            latent,
            lower,
            upper,
        })
    }

    /// Tests such as `> 0.3, <= 1` up to the closing parenthesis; each bound once.
    fn bounds<T>(
        &mut self,
        value: impl Fn(&mut Self) -> Result<T>,
    ) -> Result<(Bound<T>, Bound<T>)> {
        let (mut lower, mut upper) = (Bound::Unbounded, Bound::Unbounded);
        loop {
            let column = self.column();
            let operator = self.operator()?;
            let (side, bound) = match operator {
                ">" => (&mut lower, Bound::Excluded(value(self)?)),
                ">=" => (&mut lower, Bound::Included(value(self)?)),
                "<" => (&mut upper, Bound::Excluded(value(self)?)),
                "<=" => (&mut upper, Bound::Included(value(self)?)),
                _ => return Err(at_column(column, "a bound is tested with >, >=, < or <=")),
            };
            if !matches!(side, Bound::Unbounded) {
                return Err(at_column(column, "a second bound on the same side"));
            }
            *side = bound;
            if !self.eat_symbol(",") {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok((lower, upper))
    }

    fn activation(&mut self) -> Result<f32> {
        let column = self.column();
        match self.next() {
            Token::Integer(number) => Ok(number as f32),
            Token::Float(number) => Ok(number as f32),
            _ => Err(at_column(column, "expected an activation")),
        }
    }

    fn text(&mut self, mode: TextMode) -> Result<Filter> {
        let text = self.quoted_argument()?;
        Ok(Filter::Text { text, mode })
    }

    fn quoted_argument(&mut self) -> Result<String> {
        self.expect_symbol("(")?;
        let Token::Quoted(text) = self.peek().clone() else {
            return Err(self.unexpected("a quoted string"));
        };
        self.next();
        self.expect_symbol(")")?;
        Ok(text)
    }

    fn operator(&mut self) -> Result<&'static str> {
        match *self.peek() {
            Token::Symbol(symbol) if !matches!(symbol, "(" | ")" | ",") => {
                self.next();
                Ok(if symbol == "==" { "=" } else { symbol })
            }
            _ => Err(self.unexpected("=, !=, <, <=, > or >=")),
        }
    }

    fn ids(&mut self) -> Result<Filter> {
        let negated = self.eat_word("not");
        if let Some(pattern) = self.pattern()? {
            let filter = Filter::Id(IdTest::Like(pattern));
            return Ok(if negated { filter.negate() } else { filter });
        }
        if !negated && let Some(test) = self.id_range()? {
            return Ok(Filter::Id(test));
        }
        let values = if self.eat_word("in") {
            self.values()?
        } else if !negated && self.eat_symbol("=") {
            vec![self.value()?]
        } else if !negated && self.eat_symbol("!=") {
            let value = self.value()?;
            return Ok(Filter::Ids(self.strings(vec![value])?).negate());
        } else {
            return Err(self.unexpected("=, !=, <, <=, >, >=, `in (..)` or `like` after `id`"));
        };
        let filter = Filter::Ids(self.strings(values)?);
        Ok(if negated { filter.negate() } else { filter })
    }

    /// `< "b"` or `(>= "a", < "b")`.
    fn id_range(&mut self) -> Result<Option<IdTest>> {
        let id = |parser: &mut Self| {
            let value = parser.value()?;
            Ok(parser.strings(vec![value])?.swap_remove(0))
        };
        let (lower, upper) = match self.peek() {
            Token::Symbol("(") => {
                self.next();
                self.bounds(id)?
            }
            Token::Symbol("<" | "<=" | ">" | ">=") => {
                let operator = self.operator()?;
                bounds_of(operator, id(self)?)
            }
            _ => return Ok(None),
        };
        Ok(Some(IdTest::Range { lower, upper }))
    }

    /// `like "a%"` or `ilike "a%"`, if it is there.
    fn pattern(&mut self) -> Result<Option<Pattern>> {
        let ignore_case = match self.peek() {
            Token::Word(word) if word.eq_ignore_ascii_case("like") => false,
            Token::Word(word) if word.eq_ignore_ascii_case("ilike") => true,
            _ => return Ok(None),
        };
        self.next();
        let Token::Quoted(pattern) = self.peek().clone() else {
            return Err(self.unexpected("a pattern, quoted"));
        };
        let column = self.column();
        self.next();
        let pattern = Pattern {
            pattern,
            ignore_case,
        };
        let valid = pattern.validate();
        valid.map_err(|error| at_column(column, format!("the pattern {}", error.message())))?;
        Ok(Some(pattern))
    }

    fn strings(&self, values: Vec<Value>) -> Result<Vec<String>> {
        values
            .into_iter()
            .map(|value| match value {
                Value::String(text) => Ok(text),
                Value::Integer(number) => Ok(number.to_string()),
                other => Err(at_column(
                    self.column(),
                    format!("an id is a string, not a {}", other.kind()),
                )),
            })
            .collect()
    }

    fn attribute(&mut self, name: String) -> Result<Filter> {
        let filter = |test| Filter::Attribute {
            name: name.clone(),
            test,
        };
        if self.eat_word("exists") {
            return Ok(filter(AttributeTest::Exists));
        }
        if self.eat_word("not") {
            if self.eat_word("in") {
                return Ok(filter(AttributeTest::In(self.values()?)).negate());
            }
            if let Some(pattern) = self.pattern()? {
                return Ok(filter(AttributeTest::Like(pattern)).negate());
            }
            return Err(self.unexpected("`in` or `like` after `not`"));
        }
        if let Some(pattern) = self.pattern()? {
            return Ok(filter(AttributeTest::Like(pattern)));
        }
        if self.eat_word("in") {
            return Ok(filter(AttributeTest::In(self.values()?)));
        }
        if self.eat_symbol("(") {
            let (lower, upper) = self.bounds(Self::value)?;
            return Ok(filter(AttributeTest::Range { lower, upper }));
        }
        if !matches!(self.peek(), Token::Symbol(_)) {
            return Err(self.unexpected(&format!(
                "=, !=, <, <=, >, >=, `in (..)`, `like` or `exists` after `{name}`"
            )));
        }
        let operator = self.operator()?;
        let value = self.value()?;
        Ok(match operator {
            "=" => filter(AttributeTest::In(vec![value])),
            "!=" => filter(AttributeTest::In(vec![value])).negate(),
            operator => {
                let (lower, upper) = bounds_of(operator, value);
                filter(AttributeTest::Range { lower, upper })
            }
        })
    }

    fn values(&mut self) -> Result<Vec<Value>> {
        self.expect_symbol("(")?;
        let mut values = vec![self.value()?];
        while self.eat_symbol(",") {
            values.push(self.value()?);
        }
        self.expect_symbol(")")?;
        Ok(values)
    }

    fn value(&mut self) -> Result<Value> {
        let column = self.column();
        let value = match self.peek().clone() {
            Token::Quoted(text) => Value::String(text),
            Token::Integer(number) => Value::Integer(number),
            Token::Float(number) => Value::Float(number),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Value::Boolean(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Value::Boolean(false),
            Token::Word(word) if word.eq_ignore_ascii_case("timestamp") => {
                self.next();
                let text = self.quoted_argument()?;
                let micros =
                    parse_timestamp(&text).map_err(|error| at_column(column, error.message()))?;
                return Ok(Value::Timestamp(micros));
            }
            _ => {
                return Err(self.unexpected(
                    "a value: a quoted string, a number, true, false or timestamp(\"..\")",
                ));
            }
        };
        self.next();
        Ok(value)
    }
}

/// The bounds of `<`, `<=`, `>` or `>=`.
fn bounds_of<T>(operator: &str, value: T) -> (Bound<T>, Bound<T>) {
    match operator {
        "<" => (Bound::Unbounded, Bound::Excluded(value)),
        "<=" => (Bound::Unbounded, Bound::Included(value)),
        ">" => (Bound::Excluded(value), Bound::Unbounded),
        _ => (Bound::Included(value), Bound::Unbounded),
    }
}

fn one_or(mut parts: Vec<Filter>, group: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1 {
        parts.swap_remove(0)
    } else {
        group(parts)
    }
}

#[cfg(test)]
mod tests;
