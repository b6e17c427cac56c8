//! An attribute's values put in order and gathered into buckets.

use super::calendar::{CalendarUnit, moment};
use crate::document::Value;
use crate::error::{Error, Result};

/// Maximum buckets of an order.
pub const MAX_BUCKETS: usize = 1000;

/// How an attribute's values become an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buckets {
    /// One bucket per distinct value, in the order of the values: numbers, timestamps, false
    /// before true, or strings by their bytes (so that `2025-03-01` sorts as a date).
    Values,
    /// Units of the calendar in UTC; for timestamps.
    Calendar(CalendarUnit),
    /// This many bins of equal width between the least and the largest value; for numbers and
    /// timestamps.
    Bins(usize),
}

/// One place of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Its name: a value, a date, a range.
    pub name: String,
    /// Its least value; none where the order is one of given sets.
    pub start: Option<Value>,
    /// Its documents.
    pub documents: u64,
}

/// Buckets without documents yet, and the bucket of each value.
pub(super) struct Order {
    pub names: Vec<(String, Option<Value>)>,
    /// For each value of the table.
    pub bucket_of: Vec<u32>,
}

/// Puts ascending values of one kind into buckets. Calendar buckets and bins between the first and
/// the last exist even where nothing falls into them.
pub(super) fn order(values: &[Value], buckets: Buckets, attribute: &str) -> Result<Order> {
    let kind = kind(values, attribute)?;
    match buckets {
        Buckets::Values => by_value(values, kind, attribute),
        Buckets::Bins(count) => bins(values, kind, count, attribute),
        Buckets::Calendar(unit) => calendar(values, unit, attribute),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Timestamp,
    Other,
}

fn kind(values: &[Value], attribute: &str) -> Result<Kind> {
    let name = |value: &Value| match value {
        Value::Integer(_) | Value::Float(_) => "number",
        other => other.kind(),
    };
    let Some(first) = values.first() else {
        return Err(Error::precondition(format!(
            "no document of the set has the attribute {attribute:?}"
        )));
    };
    if let Some(other) = values.iter().find(|value| name(value) != name(first)) {
        return Err(Error::precondition(format!(
            "the attribute {attribute:?} has values of the kinds {} and {}, which have no common \
             order",
            name(first),
            name(other)
        )));
    }
    Ok(match first {
        Value::Integer(_) | Value::Float(_) => Kind::Number,
        Value::Timestamp(_) => Kind::Timestamp,
        _ => Kind::Other,
    })
}

fn too_many(attribute: &str, count: u128) -> Error {
    Error::invalid(
        "buckets",
        format!(
            "give {count} buckets for {attribute:?}; at most {MAX_BUCKETS} are accepted: choose \
             wider ones"
        ),
    )
}

fn by_value(values: &[Value], kind: Kind, attribute: &str) -> Result<Order> {
    if values.len() > MAX_BUCKETS {
        return Err(too_many(attribute, values.len() as u128));
    }
    let mut places: Vec<usize> = (0..values.len()).collect();
    if kind == Kind::Number {
        // Integers and floats are listed one after the other.
        places.sort_by(|&left, &right| number(&values[left]).total_cmp(&number(&values[right])));
    }
    let mut names: Vec<(String, Option<Value>)> = Vec::with_capacity(values.len());
    let mut bucket_of = vec![0; values.len()];
    let mut last = None;
    for place in places {
        let value = &values[place];
        // 2 and 2.0 are one number.
        if last.is_none_or(|last| kind != Kind::Number || number(last) != number(value)) {
            names.push((name(value), Some(value.clone())));
        }
        last = Some(value);
        bucket_of[place] = u32::try_from(names.len() - 1).unwrap_or(u32::MAX);
    }
    Ok(Order { names, bucket_of })
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Timestamp(micros) => *micros as f64,
        _ => f64::NAN,
    }
}

fn name(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Timestamp(micros) => moment(*micros).map_or_else(
            |_| micros.to_string(),
            |at| {
                let (date, time) = (at.date(), at.time());
                if time == time::Time::MIDNIGHT {
                    date.to_string()
                } else {
                    format!("{date}T{time}Z")
                }
            },
        ),
        Value::List(values) => values.iter().map(name).collect::<Vec<_>>().join(" "),
    }
}

fn bins(values: &[Value], kind: Kind, count: usize, attribute: &str) -> Result<Order> {
    if kind == Kind::Other {
        return Err(Error::invalid(
            "buckets",
            format!("are bins, but {attribute:?} has neither numbers nor timestamps"),
        ));
    }
    if !(2..=MAX_BUCKETS).contains(&count) {
        return Err(Error::invalid(
            "buckets",
            format!("are {count} bins; 2 to {MAX_BUCKETS} are accepted"),
        ));
    }
    let numbers: Vec<f64> = values.iter().map(number).collect();
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = (high - low) / count as f64;
    let bucket_of = numbers
        .iter()
        .map(|&number| {
            let place = if width > 0.0 {
                // Saturating, and the last bin includes its end.
                (((number - low) / width) as usize).min(count - 1)
            } else {
                0
            };
            u32::try_from(place).unwrap_or(u32::MAX)
        })
        .collect();
    let names = (0..count)
        .map(|bin| {
            let start = low + width * bin as f64;
            let value = match kind {
                // Microseconds of a stored time, so they fit.
                Kind::Timestamp => Value::Timestamp(start as i64),
                _ => Value::Float(start),
            };
            (name(&value), Some(value))
        })
        .collect();
    Ok(Order { names, bucket_of })
}

fn calendar(values: &[Value], unit: CalendarUnit, attribute: &str) -> Result<Order> {
    let mut times = Vec::with_capacity(values.len());
    for value in values {
        let Value::Timestamp(micros) = value else {
            return Err(Error::invalid(
                "buckets",
                format!(
                    "are of the calendar, but {attribute:?} has a value that is no timestamp: write \
                     it as one (ingest --attribute {attribute}:timestamp), or take values or bins"
                ),
            ));
        };
        times.push(*micros);
    }
    let (Some(&first), Some(&last)) = (times.iter().min(), times.iter().max()) else {
        return Err(Error::internal("an order of no values"));
    };
    let count = unit.count(first, last)?;
    if count > MAX_BUCKETS as u64 {
        return Err(too_many(attribute, u128::from(count)));
    }
    // At most `MAX_BUCKETS`, and the edge behind them.
    let mut edges = unit.edges(first, count as usize)?;
    edges.pop();
    let bucket_of = times
        .iter()
        .map(|time| {
            let place = edges.partition_point(|edge| edge <= time) - 1;
            u32::try_from(place).unwrap_or(u32::MAX)
        })
        .collect();
    let names = edges
        .into_iter()
        .map(|start| Ok((unit_name(start, unit)?, Some(Value::Timestamp(start)))))
        .collect::<Result<_>>()?;
    Ok(Order { names, bucket_of })
}

/// The unit that begins at `start`: `2025-03` for a month.
fn unit_name(start: i64, unit: CalendarUnit) -> Result<String> {
    let at = moment(start)?;
    let (year, month) = (at.year(), u8::from(at.month()));
    Ok(match unit {
        CalendarUnit::Hour => format!("{}T{:02}:00Z", at.date(), at.hour()),
        CalendarUnit::Day | CalendarUnit::Week => at.date().to_string(),
        CalendarUnit::Month => format!("{year:04}-{month:02}"),
        CalendarUnit::Quarter => format!("{year:04}-Q{}", month.div_ceil(3)),
        CalendarUnit::Year => format!("{year:04}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Value {
        Value::Timestamp(crate::filter::parse_timestamp(text).unwrap())
    }

    fn names(values: &[Value], buckets: Buckets) -> (Vec<String>, Vec<u32>) {
        let order = order(values, buckets, "x").unwrap();
        let names = order.names.into_iter().map(|(name, _)| name).collect();
        (names, order.bucket_of)
    }

    #[test]
    fn calendar_buckets_have_no_gaps() {
        let values = [
            at("2024-02-28T23:59:59Z"),
            at("2024-03-01T00:00:00Z"),
            at("2025-01-05T12:00:00Z"),
        ];
        let (days, of) = names(&values[..2], Buckets::Calendar(CalendarUnit::Day));
        assert_eq!(days, ["2024-02-28", "2024-02-29", "2024-03-01"]);
        assert_eq!(of, [0, 2]);
        let (weeks, of) = names(&values[..2], Buckets::Calendar(CalendarUnit::Week));
        assert_eq!((weeks.len(), of), (1, vec![0, 0]));
        assert_eq!(weeks[0], "2024-02-26");
        let (months, of) = names(&values, Buckets::Calendar(CalendarUnit::Month));
        assert_eq!(months.len(), 12);
        assert_eq!(months[11], "2025-01");
        assert_eq!(of, [0, 1, 11]);
        let (quarters, of) = names(&values, Buckets::Calendar(CalendarUnit::Quarter));
        assert_eq!(quarters[0], "2024-Q1");
        assert_eq!((quarters.len(), of), (5, vec![0, 0, 4]));
        let (hours, of) = names(&values[..2], Buckets::Calendar(CalendarUnit::Hour));
        assert_eq!(hours[1], "2024-02-29T00:00Z");
        assert_eq!((hours.len(), of), (26, vec![0, 25]));
        let (years, of) = names(&values, Buckets::Calendar(CalendarUnit::Year));
        assert_eq!(
            (years, of),
            (vec!["2024".into(), "2025".into()], vec![0, 0, 1])
        );
    }

    #[test]
    fn numbers_of_both_kinds_are_in_one_order() {
        let values = [
            Value::Integer(1),
            Value::Integer(3),
            Value::Float(-0.5),
            Value::Float(3.0),
        ];
        let (names, of) = names(&values, Buckets::Values);
        assert_eq!(names, ["-0.5", "1", "3"]);
        assert_eq!(of, [1, 2, 0, 2]);
        let bins = order(&values, Buckets::Bins(7), "x").unwrap();
        assert_eq!(bins.bucket_of, [3, 6, 0, 6]);
    }

    #[test]
    fn what_has_no_order_is_refused() {
        for (values, buckets) in [
            (
                vec![Value::Integer(1), Value::String("a".into())],
                Buckets::Values,
            ),
            (vec![Value::String("a".into())], Buckets::Bins(3)),
            (
                vec![Value::Integer(1)],
                Buckets::Calendar(CalendarUnit::Day),
            ),
            (vec![Value::Integer(1)], Buckets::Bins(1)),
            (
                vec![at("1800-01-01T00:00:00Z"), at("2025-01-01T00:00:00Z")],
                Buckets::Calendar(CalendarUnit::Week),
            ),
            (vec![], Buckets::Values),
        ] {
            assert!(
                order(&values, buckets, "x").is_err(),
                "{values:?} {buckets:?}"
            );
        }
    }
}
