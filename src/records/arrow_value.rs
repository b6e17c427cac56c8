//! One cell of an Arrow array as a JSON value.

use std::str::from_utf8;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde_json::{Map, Number, Value};

/// The value at `at`, null where the array is null there.
///
/// Timestamps are RFC 3339 strings in UTC (those without a zone are taken as UTC), dates
/// `2025-03-01`, times `13:05:00`, decimals and half floats numbers, NaN null (see [`is_infinite`]),
/// raw bytes a string where they are UTF-8 (old writers leave strings unmarked). `None` for
/// what has no JSON form: other bytes, durations, intervals, unions.
pub(super) fn to_json(array: &dyn Array, at: usize) -> Option<Value> {
    if array.is_null(at) {
        return Some(Value::Null);
    }
    match array.data_type() {
        DataType::Null => Some(Value::Null),
        DataType::Boolean => Some(array.as_boolean().value(at).into()),
        DataType::Int8 => Some(primitive::<Int8Type>(array, at).into()),
        DataType::Int16 => Some(primitive::<Int16Type>(array, at).into()),
        DataType::Int32 => Some(primitive::<Int32Type>(array, at).into()),
        DataType::Int64 => Some(primitive::<Int64Type>(array, at).into()),
        DataType::UInt8 => Some(primitive::<UInt8Type>(array, at).into()),
        DataType::UInt16 => Some(primitive::<UInt16Type>(array, at).into()),
        DataType::UInt32 => Some(primitive::<UInt32Type>(array, at).into()),
        DataType::UInt64 => Some(primitive::<UInt64Type>(array, at).into()),
        DataType::Float16 => Some(single(primitive::<Float16Type>(array, at).to_f32())),
        DataType::Float32 => Some(single(primitive::<Float32Type>(array, at))),
        DataType::Float64 => Some(primitive::<Float64Type>(array, at).into()),
        DataType::Decimal32(..) => {
            decimal(&array.as_primitive::<Decimal32Type>().value_as_string(at))
        }
        DataType::Decimal64(..) => {
            decimal(&array.as_primitive::<Decimal64Type>().value_as_string(at))
        }
        DataType::Decimal128(..) => {
            decimal(&array.as_primitive::<Decimal128Type>().value_as_string(at))
        }
        DataType::Decimal256(..) => {
            decimal(&array.as_primitive::<Decimal256Type>().value_as_string(at))
        }
        DataType::Utf8 => Some(array.as_string::<i32>().value(at).into()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(at).into()),
        DataType::Utf8View => Some(array.as_string_view().value(at).into()),
        DataType::Binary => text(array.as_binary::<i32>().value(at)),
        DataType::LargeBinary => text(array.as_binary::<i64>().value(at)),
        DataType::BinaryView => text(array.as_binary_view().value(at)),
        DataType::FixedSizeBinary(_) => text(array.as_fixed_size_binary().value(at)),
        DataType::Timestamp(unit, _) => timestamp(array, at, *unit),
        DataType::Date32 => date(i64::from(primitive::<Date32Type>(array, at))),
        DataType::Date64 => {
            date(primitive::<Date64Type>(array, at).div_euclid(MILLISECONDS_PER_DAY))
        }
        DataType::Time32(TimeUnit::Second) => {
            time(i64::from(primitive::<Time32SecondType>(array, at)), 1)
        }
        DataType::Time32(_) => time(
            i64::from(primitive::<Time32MillisecondType>(array, at)),
            1_000,
        ),
        DataType::Time64(TimeUnit::Microsecond) => {
            time(primitive::<Time64MicrosecondType>(array, at), 1_000_000)
        }
        DataType::Time64(_) => time(primitive::<Time64NanosecondType>(array, at), 1_000_000_000),
        DataType::List(_) => Some(list(&array.as_list::<i32>().value(at))),
        DataType::LargeList(_) => Some(list(&array.as_list::<i64>().value(at))),
        DataType::ListView(_) => Some(list(&array.as_list_view::<i32>().value(at))),
        DataType::LargeListView(_) => Some(list(&array.as_list_view::<i64>().value(at))),
        DataType::FixedSizeList(..) => Some(list(&array.as_fixed_size_list().value(at))),
        DataType::Struct(_) => Some(object(array, at)),
        DataType::Map(..) => map(array, at),
        DataType::Dictionary(key, _) => dictionary(array, key, at),
        DataType::RunEndEncoded(..)
        | DataType::Union(..)
        | DataType::Duration(_)
        | DataType::Interval(_) => None,
    }
}

/// What values of a type are that have no JSON form.
pub(super) fn formless(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Duration(_) => "a duration",
        DataType::Interval(_) => "an interval of time",
        DataType::Union(..) => "a union",
        DataType::RunEndEncoded(..) => "run-end encoded",
        _ => "raw bytes",
    }
}

const MILLISECONDS_PER_DAY: i64 = 86_400_000;

fn primitive<T: ArrowPrimitiveType>(array: &dyn Array, at: usize) -> T::Native {
    array.as_primitive::<T>().value(at)
}

/// Whether the cell is an infinite number, or a list of numbers with one.
pub(super) fn is_infinite(array: &dyn Array, at: usize) -> bool {
    if array.is_null(at) {
        return false;
    }
    let any = |items: ArrayRef| (0..items.len()).any(|at| is_infinite(&items, at));
    match array.data_type() {
        DataType::Float16 => primitive::<Float16Type>(array, at).is_infinite(),
        DataType::Float32 => primitive::<Float32Type>(array, at).is_infinite(),
        DataType::Float64 => primitive::<Float64Type>(array, at).is_infinite(),
        DataType::List(_) => any(array.as_list::<i32>().value(at)),
        DataType::LargeList(_) => any(array.as_list::<i64>().value(at)),
        DataType::FixedSizeList(..) => any(array.as_fixed_size_list().value(at)),
        _ => false,
    }
}

/// A single-precision cell by its shortest decimal, so that a stored 0.1 is equal to a typed 0.1.
fn single(value: f32) -> Value {
    value
        .to_string()
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}

fn decimal(text: &str) -> Option<Value> {
    text.parse::<Number>().ok().map(Value::Number)
}

fn text(bytes: &[u8]) -> Option<Value> {
    from_utf8(bytes).ok().map(Value::from)
}

fn timestamp(array: &dyn Array, at: usize, unit: TimeUnit) -> Option<Value> {
    let instant: DateTime<Utc> = match unit {
        TimeUnit::Second => {
            DateTime::from_timestamp(primitive::<TimestampSecondType>(array, at), 0)?
        }
        TimeUnit::Millisecond => {
            DateTime::from_timestamp_millis(primitive::<TimestampMillisecondType>(array, at))?
        }
        TimeUnit::Microsecond => {
            DateTime::from_timestamp_micros(primitive::<TimestampMicrosecondType>(array, at))?
        }
        TimeUnit::Nanosecond => {
            DateTime::from_timestamp_nanos(primitive::<TimestampNanosecondType>(array, at))
        }
    };
    Some(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
}

fn date(days_since_1970: i64) -> Option<Value> {
    let instant = DateTime::<Utc>::from_timestamp(days_since_1970.checked_mul(86_400)?, 0)?;
    let date: NaiveDate = instant.date_naive();
    Some(date.to_string().into())
}

fn time(ticks: i64, ticks_per_second: i64) -> Option<Value> {
    let seconds = u32::try_from(ticks.div_euclid(ticks_per_second)).ok()?;
    let fraction = ticks.rem_euclid(ticks_per_second) * (1_000_000_000 / ticks_per_second);
    let time =
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, u32::try_from(fraction).ok()?)?;
    Some(time.to_string().into())
}

/// A list; lists of floats, which are vectors, skip the per-cell dispatch and keep every bit.
fn list(items: &ArrayRef) -> Value {
    let items: &dyn Array = items.as_ref();
    if items.null_count() == 0 {
        match items.data_type() {
            DataType::Float32 => {
                let values = items.as_primitive::<Float32Type>().values();
                return values.iter().map(|value| f64::from(*value)).collect();
            }
            DataType::Float16 => {
                let values = items.as_primitive::<Float16Type>().values();
                return values.iter().map(|value| value.to_f64()).collect();
            }
            DataType::Float64 => {
                let values = items.as_primitive::<Float64Type>().values();
                return values.iter().copied().collect();
            }
            _ => {}
        }
    }
    (0..items.len())
        .map(|at| to_json(items, at).unwrap_or(Value::Null))
        .collect()
}

fn object(array: &dyn Array, at: usize) -> Value {
    let structs = array.as_struct();
    structs
        .fields()
        .iter()
        .zip(structs.columns())
        .filter_map(|(field, column)| Some((field.name().clone(), to_json(column.as_ref(), at)?)))
        .collect::<Map<String, Value>>()
        .into()
}

/// A map with string keys is an object; other keys take their JSON text.
fn map(array: &dyn Array, at: usize) -> Option<Value> {
    let entries = array.as_map().value(at);
    let (keys, values) = (entries.column(0), entries.column(1));
    let mut object = Map::new();
    for entry in 0..entries.len() {
        let key = match to_json(keys.as_ref(), entry)? {
            Value::String(key) => key,
            other => other.to_string(),
        };
        if let Some(value) = to_json(values.as_ref(), entry) {
            object.insert(key, value);
        }
    }
    Some(object.into())
}

/// The value behind a dictionary key (a categorical column).
fn dictionary(array: &dyn Array, key: &DataType, at: usize) -> Option<Value> {
    macro_rules! resolve {
        ($($data_type:ident => $key_type:ty),*) => {
            match key {
                $(DataType::$data_type => {
                    let dictionary = array.as_dictionary::<$key_type>();
                    (dictionary.key(at)?, dictionary.values())
                })*
                _ => return None,
            }
        };
    }
    let (key, values) = resolve!(
        Int8 => Int8Type, Int16 => Int16Type, Int32 => Int32Type, Int64 => Int64Type,
        UInt8 => UInt8Type, UInt16 => UInt16Type, UInt32 => UInt32Type, UInt64 => UInt64Type
    );
    to_json(values.as_ref(), key)
}
