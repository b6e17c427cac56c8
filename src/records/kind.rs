//! The kinds of attribute values, and the conversion of record values to them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::error::{Error, Result};

/// The kind of a mapped attribute, whatever its form in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    String,
    /// A 64-bit signed integer.
    Int,
    /// A finite double.
    Float,
    /// True or false.
    Bool,
    /// An instant, as an RFC 3339 string in UTC.
    Timestamp,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::String,
        Self::Int,
        Self::Float,
        Self::Bool,
        Self::Timestamp,
    ];

    /// What a value of this kind may be written as.
    pub fn accepts(self) -> &'static str {
        match self {
            Self::String => "a string, number or boolean",
            Self::Int => "a whole number of 64 bits",
            Self::Float => "a finite number",
            Self::Bool => "true, false, yes, no, 1 or 0",
            Self::Timestamp => {
                "RFC 3339 (2025-03-01T12:00:00Z), a date (2025-03-01), or Unix seconds or \
                 milliseconds"
            }
        }
    }

    /// `value` as this kind; an array item by item. Null, an array's null items, and an empty
    /// string for any kind but [`Kind::String`] (CSV has no other null) give `None`.
    ///
    /// # Errors
    /// `InvalidArgument` with what the kind accepts.
    pub fn convert(self, value: &Value) -> Result<Option<Value>> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if self != Self::String && text.trim().is_empty() => Ok(None),
            Value::Array(items) => {
                let mut converted = Vec::with_capacity(items.len());
                for item in items {
                    if item.is_array() {
                        return Err(self.refuse(value));
                    }
                    converted.extend(self.convert(item)?);
                }
                Ok(Some(Value::Array(converted)))
            }
            scalar => match self.convert_scalar(scalar) {
                Some(converted) => Ok(Some(converted)),
                None => Err(self.refuse(value)),
            },
        }
    }

    fn refuse(self, value: &Value) -> Error {
        Error::invalid(
            "",
            format!(
                "{} is not of kind {self}; accepted is {}",
                excerpt(value),
                self.accepts()
            ),
        )
    }

    fn convert_scalar(self, value: &Value) -> Option<Value> {
        match self {
            Self::String => scalar_text(value).map(Value::from),
            Self::Int => int(value).map(Value::from),
            Self::Float => float(value).map(Value::from),
            Self::Bool => boolean(value).map(Value::from),
            Self::Timestamp => {
                timestamp(value).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Timestamp => "timestamp",
        })
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| {
                Error::invalid(
                    "kind",
                    format!(
                        "{text:?} is not a kind; accepted are string, int, float, bool and \
                         timestamp"
                    ),
                )
            })
    }
}

/// The text of a string, number or boolean.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value for a message: its JSON, cut short.
pub(super) fn excerpt(value: &Value) -> String {
    const SHOWN: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

/// A float that is exactly an integer: columns with gaps come as `2021.0` from data frames.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() != 0.0 || value.abs() > EXACT {
        return None;
    }
    // Integers up to 2^53 print without an exponent or a fraction.
    format!("{value:.0}").parse().ok()
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|value| value.is_finite())
}

fn boolean(value: &Value) -> Option<bool> {
    let text = scalar_text(value)?;
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn timestamp(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(_) => unix_time(int(value)?),
        Value::String(text) => {
            let text = text.trim();
            DateTime::parse_from_rfc3339(text)
                .map(|at| at.with_timezone(&Utc))
                .ok()
                .or_else(|| local_time(text))
                .or_else(|| unix_time(text.parse().ok()?))
        }
        _ => None,
    }
}

/// A date, or a date and time without a zone, taken as UTC.
fn local_time(text: &str) -> Option<DateTime<Utc>> {
    let date = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    let formats = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ];
    formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(date)
        .map(|at| at.and_utc())
}

/// Unix time: milliseconds from 10^11 on (the year 5138 in seconds), else seconds.
fn unix_time(number: i64) -> Option<DateTime<Utc>> {
    const FIRST_MILLISECONDS: u64 = 100_000_000_000;
    if number.unsigned_abs() >= FIRST_MILLISECONDS {
        DateTime::from_timestamp_millis(number)
    } else {
        DateTime::from_timestamp(number, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn converted(kind: Kind, value: Value) -> Value {
        kind.convert(&value).unwrap().unwrap()
    }

    #[test]
    fn scalars_convert_from_every_form_a_format_gives_them() {
        assert_eq!(converted(Kind::Int, json!("42")), json!(42));
        assert_eq!(converted(Kind::Int, json!(2021.0)), json!(2021));
        assert_eq!(converted(Kind::Int, json!("-3.0")), json!(-3));
        assert_eq!(
            converted(Kind::Int, json!(i64::MAX)),
            json!(9_223_372_036_854_775_807_i64)
        );
        assert_eq!(converted(Kind::Float, json!(" 1e-3 ")), json!(0.001));
        assert_eq!(converted(Kind::Float, json!(2)), json!(2.0));
        assert_eq!(converted(Kind::Bool, json!("Yes")), json!(true));
        assert_eq!(converted(Kind::Bool, json!(0)), json!(false));
        assert_eq!(converted(Kind::String, json!(7)), json!("7"));
        assert_eq!(converted(Kind::Int, json!(["1", null, 2])), json!([1, 2]));
    }

    #[test]
    fn timestamps_become_rfc_3339_in_utc() {
        for (written, expected) in [
            (json!("2025-03-01"), "2025-03-01T00:00:00Z"),
            (json!("2025-03-01T12:30:00+02:00"), "2025-03-01T10:30:00Z"),
            (json!("2025-03-01 12:30:00.25"), "2025-03-01T12:30:00.250Z"),
            (json!("2025-03-01 12:30"), "2025-03-01T12:30:00Z"),
            (json!(1_740_787_200), "2025-03-01T00:00:00Z"),
            (json!("1740787200"), "2025-03-01T00:00:00Z"),
            (json!(1_740_787_200_500_i64), "2025-03-01T00:00:00.500Z"),
        ] {
            assert_eq!(converted(Kind::Timestamp, written), json!(expected));
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for (kind, value) in [
            (Kind::Int, json!("4.5")),
            (Kind::Int, json!(true)),
            (Kind::Int, json!(1e300)),
            (Kind::Float, json!("nan")),
            (Kind::Float, json!("1,5")),
            (Kind::Bool, json!("maybe")),
            (Kind::Timestamp, json!("03/01/2025")),
            (Kind::Timestamp, json!("2025-02-30")),
            (Kind::String, json!({"a": 1})),
            (Kind::Int, json!([[1]])),
        ] {
            let error = kind.convert(&value).unwrap_err();
            assert!(error.message().contains(kind.accepts()), "{error}");
        }
        assert_eq!(Kind::Int.convert(&json!("")).unwrap(), None);
        assert_eq!(Kind::Int.convert(&json!(null)).unwrap(), None);
        assert_eq!(converted(Kind::String, json!("")), json!(""));
    }
}
