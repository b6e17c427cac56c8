//! Filters as text, which [`parse()`](super::parse()) reads.

use std::fmt::{self, Display, Formatter};
use std::ops::Bound;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{AttributeTest, Filter, IdTest, Name, Pattern, TextMode};
use crate::document::Value;

/// The text form, which parses to an equal filter, but for groups of one part or none.
///
/// ```
/// use latentdb_index::filter::parse;
///
/// let filter = parse("NOT latent(3, >.5) and path = 'C:\\\\new'").unwrap();
/// assert_eq!(filter.to_string(), r#"not latent(3, > 0.5) and `path` = "C:\\new""#);
/// assert_eq!(parse(&filter.to_string()).unwrap(), filter);
/// ```
impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("true"),
            Self::Latent {
                latent,
                lower,
                upper,
            } => {
                write!(f, "latent({latent}")?;
                for bound in bounds(lower, upper) {
                    write!(f, ", {bound}")?;
                }
                f.write_str(")")
            }
            Self::Attribute { name, test } => {
                write!(f, "{} ", Quoted(name, '`'))?;
                match test {
                    AttributeTest::Exists => f.write_str("exists"),
                    AttributeTest::Like(pattern) => write!(f, "{pattern}"),
                    AttributeTest::In(values) => match values.as_slice() {
                        [value] => write!(f, "= {}", Literal(value)),
                        values => write!(f, "in ({})", List(values, Literal)),
                    },
                    AttributeTest::Range { lower, upper } => {
                        let (lower, upper) = (lower.as_ref(), upper.as_ref());
                        write_range(f, &lower.map(Literal), &upper.map(Literal))
                    }
                }
            }
            Self::Id(IdTest::Like(pattern)) => write!(f, "id {pattern}"),
            Self::Id(IdTest::Range { lower, upper }) => {
                f.write_str("id ")?;
                let (lower, upper) = (lower.as_ref(), upper.as_ref());
                write_range(f, &lower.map(quoted), &upper.map(quoted))
            }
            Self::Ids(ids) => write!(f, "id in ({})", List(ids, quoted)),
            Self::Text { text, mode } => {
                let function = match mode {
                    TextMode::Any => "text_any",
                    TextMode::All => "text",
                    TextMode::Phrase => "phrase",
                    TextMode::Prefix => "text_prefix",
                    TextMode::Fuzzy => "text_fuzzy",
                };
                write!(f, "{function}({})", Quoted(text, '"'))
            }
            Self::Named(Name::SavedSet(name)) => write!(f, "set({})", Quoted(name, '"')),
            Self::Named(Name::Family(root)) => write!(f, "family({root})"),
            Self::Named(Name::Through { sae, filter }) => {
                write!(f, "sae({}, {filter})", Quoted(sae, '"'))
            }
            Self::And(parts) if parts.is_empty() => f.write_str("true"),
            Self::Or(parts) if parts.is_empty() => f.write_str("false"),
            Self::And(parts) => write_group(f, parts, " and "),
            Self::Or(parts) => write_group(f, parts, " or "),
            Self::Not(part) => {
                f.write_str("not ")?;
                write_part(f, part)
            }
        }
    }
}

fn write_group(f: &mut Formatter<'_>, parts: &[Filter], between: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        write_part(f, part)?;
    }
    Ok(())
}

fn write_part(f: &mut Formatter<'_>, part: &Filter) -> fmt::Result {
    match part {
        Filter::And(_) | Filter::Or(_) => write!(f, "({part})"),
        part => write!(f, "{part}"),
    }
}

fn write_range<T: Display>(
    f: &mut Formatter<'_>,
    lower: &Bound<T>,
    upper: &Bound<T>,
) -> fmt::Result {
    let tests: Vec<String> = bounds(lower, upper).collect();
    match tests.as_slice() {
        [one] => f.write_str(one),
        tests => write!(f, "({})", tests.join(", ")),
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = if self.ignore_case { "ilike" } else { "like" };
        write!(f, "{word} {}", Quoted(&self.pattern, '"'))
    }
}

/// The tests of a range, none where it has no bounds.
fn bounds<T: Display>(lower: &Bound<T>, upper: &Bound<T>) -> impl Iterator<Item = String> {
    let lower = match lower {
        Bound::Included(value) => Some(format!(">= {value}")),
        Bound::Excluded(value) => Some(format!("> {value}")),
        Bound::Unbounded => None,
    };
    let upper = match upper {
        Bound::Included(value) => Some(format!("<= {value}")),
        Bound::Excluded(value) => Some(format!("< {value}")),
        Bound::Unbounded => None,
    };
    lower.into_iter().chain(upper)
}

/// Text between quotes.
struct Quoted<'a>(&'a str, char);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(text, quote) = *self;
        let escaped = text.replace('\\', r"\\");
        let escaped = escaped.replace(quote, &format!("\\{quote}"));
        write!(f, "{quote}{escaped}{quote}")
    }
}

fn quoted<S: AsRef<str>>(text: &S) -> Quoted<'_> {
    Quoted(text.as_ref(), '"')
}

/// Values with commas between.
struct List<'a, T, F>(&'a [T], F);

impl<'a, T, D: Display, F: Fn(&'a T) -> D> Display for List<'a, T, F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, value) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", self.1(value))?;
        }
        Ok(())
    }
}

/// A value as the language writes it.
struct Literal<'a>(&'a Value);

impl Display for Literal<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => write!(f, "{}", Quoted(text, '"')),
            Value::Integer(number) => write!(f, "{number}"),
            // With a point or an exponent, which tells it from an integer.
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Boolean(truth) => write!(f, "{truth}"),
            Value::Timestamp(micros) => {
                let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(*micros) * 1000);
                let text = time.ok().and_then(|time| time.format(&Rfc3339).ok());
                write!(f, "timestamp(\"{}\")", text.ok_or(fmt::Error)?)
            }
            // No test compares with a list.
            Value::List(values) => write!(f, "({})", List(values, Literal)),
        }
    }
}
