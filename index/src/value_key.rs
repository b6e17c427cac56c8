//! Scalars as keys: hashed, ordered, and equal where the values are.

use crate::document::Value;

/// A value that can be hashed and ordered.
///
/// Numbers are one kind: 2 and 2.0 are one key. tantivy stores the numbers of a segment as
/// integers, or as floats where one of them has a fraction, so which of the two a value is read as
/// depends on its neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    String(String),
    Number {
        /// The bits of the number as a float, in an order that follows its value.
        float: u64,
        /// The number, where it is whole; tells those apart that are one float.
        whole: Option<i64>,
    },
    Boolean(bool),
    Timestamp(i64),
}

impl Key {
    pub fn integer(number: i64) -> Self {
        Self::Number {
            float: ordered(number as f64),
            whole: Some(number),
        }
    }

    pub fn float(number: f64) -> Self {
        // 2^63: the first whole number past an i64.
        const END: f64 = 9_223_372_036_854_775_808.0;
        // Adding 0 makes -0 positive and leaves everything else.
        let number = number + 0.0;
        let is_whole = number.fract() == 0.0 && (-END..END).contains(&number);
        Self::Number {
            float: ordered(number),
            whole: is_whole.then_some(number as i64),
        }
    }

    /// The key of a scalar; none of a list.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::String(text.clone())),
            Value::Integer(number) => Some(Self::integer(*number)),
            Value::Float(number) => Some(Self::float(*number)),
            Value::Boolean(truth) => Some(Self::Boolean(*truth)),
            Value::Timestamp(micros) => Some(Self::Timestamp(*micros)),
            Value::List(_) => None,
        }
    }

    /// The value; a whole number as a float where `floats` says that others of its attribute are
    /// and it is one.
    pub fn into_value(self, floats: bool) -> Value {
        match self {
            Self::String(text) => Value::String(text),
            Self::Number { float, whole } => {
                let number = unordered(float);
                match whole {
                    Some(whole) if !floats || number as i128 != i128::from(whole) => {
                        Value::Integer(whole)
                    }
                    _ => Value::Float(number),
                }
            }
            Self::Boolean(truth) => Value::Boolean(truth),
            Self::Timestamp(micros) => Value::Timestamp(micros),
        }
    }
}

/// Bits that compare as the float does.
pub(super) fn ordered(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

/// The float of [`ordered`] bits.
pub(super) fn unordered(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 {
        key & !(1 << 63)
    } else {
        !key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_and_ordered_as_they_count() {
        assert_eq!(Key::integer(2), Key::float(2.0));
        assert_eq!(Key::float(-0.0), Key::integer(0));
        assert_ne!(Key::integer((1 << 53) + 1), Key::integer(1 << 53));
        assert_eq!(Key::integer(1 << 53), Key::float((1_u64 << 53) as f64));
        let ascending = [
            Key::float(f64::MIN),
            Key::integer(i64::MIN),
            Key::float(-2.5),
            Key::integer(-2),
            Key::float(-0.5),
            Key::integer(0),
            Key::float(0.5),
            Key::integer(1),
            Key::integer(1 << 53),
            Key::integer((1 << 53) + 1),
            Key::integer(i64::MAX),
            Key::float(f64::MAX),
        ];
        assert!(ascending.is_sorted());
        for pair in ascending.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
    }

    #[test]
    fn whole_numbers_are_floats_among_floats() {
        assert_eq!(Key::float(3.0).into_value(false), Value::Integer(3));
        assert_eq!(Key::integer(3).into_value(true), Value::Float(3.0));
        assert_eq!(Key::float(-2.5).into_value(false), Value::Float(-2.5));
        for large in [(1 << 53) + 1, i64::MAX] {
            assert_eq!(Key::integer(large).into_value(true), Value::Integer(large));
        }
        assert_eq!(Key::float(1e300).into_value(false), Value::Float(1e300));
    }
}
