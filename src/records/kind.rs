//! The kinds of attribute values, and the conversion of record values to them.

use std::fmt;
use std::str::FromStr;

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::error::{Error, Result};

/// The kind of a mapped attribute, whatever its form in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    Timestamp(TimeForm),
}

/// What a timestamp is written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// An ISO 8601 date, or date and time; without a zone, UTC.
    Iso,
    /// A number of this unit since 1970.
    Unix(TimeUnit),
    /// Text by a pattern of `strftime`, as `%d/%m/%Y`; what it leaves open of month and day is the
    /// first, of the time 0, of the zone UTC.
    Pattern(String),
}

/// The unit of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds, also with a fraction.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// Kinds without a parameter, by name.
const PLAIN: [(&str, Kind); 5] = [
    ("string", Kind::String),
    ("int", Kind::Int),
    ("float", Kind::Float),
    ("bool", Kind::Bool),
    ("timestamp", Kind::Timestamp(TimeForm::Iso)),
];

/// Units of Unix time, by name.
const UNITS: [(&str, TimeUnit); 4] = [
    ("s", TimeUnit::Seconds),
    ("ms", TimeUnit::Milliseconds),
    ("us", TimeUnit::Microseconds),
    ("ns", TimeUnit::Nanoseconds),
];

impl Kind {
    /// What a value of this kind may be written as.
    pub fn accepts(&self) -> String {
        match self {
            Self::String => "a string, number or boolean".to_owned(),
            Self::Int => "a whole number of 64 bits".to_owned(),
            Self::Float => "a finite number".to_owned(),
            Self::Bool => "true, false, yes, no, 1 or 0".to_owned(),
            Self::Timestamp(TimeForm::Iso) => {
                "an ISO date (2025-03-01, or 20250301 as text) or date and time \
                 (2025-03-01T12:00:00Z); for Unix time say the unit, as timestamp(s) or \
                 timestamp(ms), and for another form its pattern, as timestamp(%d/%m/%Y)"
                    .to_owned()
            }
            Self::Timestamp(TimeForm::Unix(TimeUnit::Seconds)) => "a number".to_owned(),
            Self::Timestamp(TimeForm::Unix(_)) => "a whole number".to_owned(),
            Self::Timestamp(TimeForm::Pattern(pattern)) => {
                format!("a date or a date and time as {pattern}")
            }
        }
    }

    /// `value` as this kind; an array item by item. Null, an array's null items, and an empty
    /// string for any kind but [`Kind::String`] (CSV has no other null) give `None`.
    ///
    /// # Errors
    /// `InvalidArgument` with what the kind accepts.
    pub fn convert(&self, value: &Value) -> Result<Option<Value>> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if *self != Self::String && text.trim().is_empty() => Ok(None),
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

    fn refuse(&self, value: &Value) -> Error {
        Error::invalid(
            "",
            format!(
                "{} is not of kind {self}; accepted is {}",
                excerpt(value),
                self.accepts()
            ),
        )
    }

    fn convert_scalar(&self, value: &Value) -> Option<Value> {
        match self {
            Self::String => scalar_text(value).map(Value::from),
            Self::Int => int(value).map(Value::from),
            Self::Float => float(value).map(Value::from),
            Self::Bool => boolean(value).map(Value::from),
            Self::Timestamp(form) => {
                let at = match (form, value) {
                    (TimeForm::Iso, Value::String(text)) => iso_time(text.trim()),
                    (TimeForm::Iso, _) => None,
                    (TimeForm::Unix(unit), _) => unix_time(*unit, value),
                    (TimeForm::Pattern(pattern), _) => {
                        patterned_time(scalar_text(value)?.trim(), pattern)
                    }
                };
                at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Int => f.write_str("int"),
            Self::Float => f.write_str("float"),
            Self::Bool => f.write_str("bool"),
            Self::Timestamp(TimeForm::Iso) => f.write_str("timestamp"),
            Self::Timestamp(TimeForm::Unix(unit)) => {
                let named = UNITS.iter().find(|(_, known)| known == unit);
                write!(f, "timestamp({})", named.map_or("", |(name, _)| name))
            }
            Self::Timestamp(TimeForm::Pattern(pattern)) => write!(f, "timestamp({pattern})"),
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((_, kind)) = PLAIN.into_iter().find(|(name, _)| *name == text) {
            return Ok(kind);
        }
        let form = text
            .strip_prefix("timestamp(")
            .and_then(|rest| rest.strip_suffix(')'));
        if let Some(form) = form {
            if let Some((_, unit)) = UNITS.into_iter().find(|(name, _)| *name == form) {
                return Ok(Self::Timestamp(TimeForm::Unix(unit)));
            }
            let is_known = |item| !matches!(item, Item::Error);
            if form.contains('%') && StrftimeItems::new(form).all(is_known) {
                return Ok(Self::Timestamp(TimeForm::Pattern(form.to_owned())));
            }
        }
        Err(Error::invalid(
            "kind",
            format!(
                "{text:?} is not a kind; accepted are string, int, float, bool, timestamp, \
                 timestamp(s), (ms), (us) or (ns) for Unix time, and timestamp(PATTERN), as \
                 timestamp(%Y%m%d)"
            ),
        ))
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

/// An ISO 8601 date, or date and time, extended or compact. The year has four digits: with fewer,
/// what is the year is a guess, and so are digits of another length.
pub(super) fn iso_time(text: &str) -> Option<DateTime<Utc>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let compact = digits == 8;
    if !compact && digits != 4 {
        return None;
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    let (date, times): (_, &[&str]) = if compact {
        ("%Y%m%d", &["T%H%M%S%.f", "T%H%M"])
    } else {
        (
            "%Y-%m-%d",
            &["T%H:%M:%S%.f", " %H:%M:%S%.f", "T%H:%M", " %H:%M"],
        )
    };
    if let Ok(date) = NaiveDate::parse_from_str(text, date) {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc());
    }
    times.iter().find_map(|time| {
        let local = format!("{date}{time}");
        let zoned = DateTime::parse_from_str(text, &format!("{local}%#z"));
        let zoned = zoned.map(|at| at.with_timezone(&Utc)).ok();
        zoned.or_else(|| Some(NaiveDateTime::parse_from_str(text, &local).ok()?.and_utc()))
    })
}

fn unix_time(unit: TimeUnit, value: &Value) -> Option<DateTime<Utc>> {
    let Some(number) = int(value) else {
        // Clocks give seconds with a fraction; microseconds are what is stored.
        let seconds = float(value).filter(|_| unit == TimeUnit::Seconds)?;
        return DateTime::from_timestamp_micros(whole((seconds * 1e6).round())?);
    };
    match unit {
        TimeUnit::Seconds => DateTime::from_timestamp(number, 0),
        TimeUnit::Milliseconds => DateTime::from_timestamp_millis(number),
        TimeUnit::Microseconds => DateTime::from_timestamp_micros(number),
        TimeUnit::Nanoseconds => Some(DateTime::from_timestamp_nanos(number)),
    }
}

fn patterned_time(text: &str, pattern: &str) -> Option<DateTime<Utc>> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new(pattern)).ok()?;
    if let Ok(at) = parsed.to_datetime() {
        return Some(at.with_timezone(&Utc));
    }
    if let Ok(at) = parsed.to_naive_datetime_with_offset(0) {
        return Some(at.and_utc());
    }
    if parsed.to_naive_date().is_err() {
        // A year, or a year and a month.
        let _ = parsed.set_month(1);
        let _ = parsed.set_day(1);
    }
    let time = parsed.to_naive_time().unwrap_or_default();
    Some(parsed.to_naive_date().ok()?.and_time(time).and_utc())
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

    fn kind(text: &str) -> Kind {
        let kind: Kind = text.parse().unwrap();
        assert_eq!(kind.to_string(), text);
        kind
    }

    #[test]
    fn timestamps_become_rfc_3339_in_utc() {
        for (form, written, expected) in [
            ("timestamp", json!("2025-03-01"), "2025-03-01T00:00:00Z"),
            (
                "timestamp",
                json!("2025-03-01T12:30:00+02:00"),
                "2025-03-01T10:30:00Z",
            ),
            (
                "timestamp",
                json!("2025-03-01 12:30:00.25"),
                "2025-03-01T12:30:00.250Z",
            ),
            (
                "timestamp",
                json!("2025-03-01 12:30"),
                "2025-03-01T12:30:00Z",
            ),
            (
                "timestamp",
                json!("2025-03-01T12:30"),
                "2025-03-01T12:30:00Z",
            ),
            (
                "timestamp",
                json!("2025-03-01 12:30:00+00"),
                "2025-03-01T12:30:00Z",
            ),
            (
                "timestamp",
                json!("2025-03-01T12:30:00+0200"),
                "2025-03-01T10:30:00Z",
            ),
            ("timestamp", json!("20240102"), "2024-01-02T00:00:00Z"),
            (
                "timestamp",
                json!("20240102T101500Z"),
                "2024-01-02T10:15:00Z",
            ),
            (
                "timestamp",
                json!("20240102T1015+0100"),
                "2024-01-02T09:15:00Z",
            ),
            (
                "timestamp",
                json!("20240102T101500.5"),
                "2024-01-02T10:15:00.500Z",
            ),
            ("timestamp(s)", json!(1_740_787_200), "2025-03-01T00:00:00Z"),
            ("timestamp(s)", json!("1740787200"), "2025-03-01T00:00:00Z"),
            (
                "timestamp(s)",
                json!(1_740_787_200.5),
                "2025-03-01T00:00:00.500Z",
            ),
            ("timestamp(s)", json!(20_240_102), "1970-08-23T06:15:02Z"),
            (
                "timestamp(ms)",
                json!(1_740_787_200_500_i64),
                "2025-03-01T00:00:00.500Z",
            ),
            ("timestamp(ms)", json!("-1"), "1969-12-31T23:59:59.999Z"),
            (
                "timestamp(us)",
                json!(1_740_787_200_000_001_i64),
                "2025-03-01T00:00:00.000001Z",
            ),
            (
                "timestamp(ns)",
                json!(1_740_787_200_000_000_000_i64),
                "2025-03-01T00:00:00Z",
            ),
            (
                "timestamp(%Y%m%d)",
                json!(20_240_102),
                "2024-01-02T00:00:00Z",
            ),
            (
                "timestamp(%d/%m/%Y)",
                json!("02/01/2024"),
                "2024-01-02T00:00:00Z",
            ),
            (
                "timestamp(%d.%m.%Y %H:%M)",
                json!("02.01.2024 10:15"),
                "2024-01-02T10:15:00Z",
            ),
            (
                "timestamp(%a, %d %b %Y %T %z)",
                json!("Tue, 02 Jan 2024 10:15:00 +0100"),
                "2024-01-02T09:15:00Z",
            ),
            ("timestamp(%Y)", json!(2024), "2024-01-01T00:00:00Z"),
            ("timestamp(%Y-%m)", json!("2024-03"), "2024-03-01T00:00:00Z"),
        ] {
            assert_eq!(converted(kind(form), written), json!(expected), "{form}");
        }
    }

    #[test]
    fn a_doubtful_date_is_refused() {
        for (form, value) in [
            ("timestamp", json!(20_240_102)),
            ("timestamp", json!(1_740_787_200)),
            ("timestamp", json!("1740787200")),
            ("timestamp", json!("1740787200500")),
            ("timestamp", json!("2024012")),
            ("timestamp", json!("20241302")),
            ("timestamp", json!("24-01-02")),
            ("timestamp", json!("2024")),
            ("timestamp", json!("2024-01")),
            ("timestamp", json!("03/01/2025")),
            ("timestamp", json!("2025-02-30")),
            ("timestamp", json!("0000-00-00")),
            ("timestamp", json!("20240102T1015001")),
            ("timestamp(ms)", json!("2024-01-02")),
            ("timestamp(ms)", json!(1.5)),
            ("timestamp(s)", json!(i64::MAX)),
            ("timestamp(%d/%m/%Y)", json!("01/13/2024")),
            ("timestamp(%d/%m/%Y)", json!("01/12/2024 10:15")),
        ] {
            let error = kind(form).convert(&value).unwrap_err();
            assert!(error.message().contains(&kind(form).accepts()), "{error}");
        }
        for text in ["timestamp()", "timestamp(day)", "timestamp(%Q)", "time"] {
            assert!(text.parse::<Kind>().is_err(), "{text}");
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
            (Kind::String, json!({"a": 1})),
            (Kind::Int, json!([[1]])),
        ] {
            let error = kind.convert(&value).unwrap_err();
            assert!(error.message().contains(&kind.accepts()), "{error}");
        }
        assert_eq!(Kind::Int.convert(&json!("")).unwrap(), None);
        assert_eq!(Kind::Int.convert(&json!(null)).unwrap(), None);
        assert_eq!(converted(Kind::String, json!("")), json!(""));
    }
}
