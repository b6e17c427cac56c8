//! Attribute columns of one segment, by kind.

use std::collections::HashSet;
use std::ops::{Bound, RangeInclusive};

use roaring::RoaringBitmap;
use tantivy::SegmentReader;
use tantivy::columnar::{Cardinality, Column, DynamicColumn, StrColumn};

use super::{AttributeTest, Pattern};
use crate::document::Value;
use crate::error::Result;
use crate::schema::column_name;

/// One typed column of an attribute; an attribute with values of several kinds has several.
pub(crate) enum AttributeColumn {
    String(StrColumn),
    Integer(Column<i64>),
    Float(Column<f64>),
    Boolean(Column<bool>),
    Timestamp(Column<tantivy::DateTime>),
}

/// The columns of `attribute` in a segment; none when no document there has it.
pub(crate) fn attribute_columns(
    segment: &SegmentReader,
    attribute: &str,
) -> Result<Vec<AttributeColumn>> {
    let handles = segment
        .fast_fields()
        .dynamic_column_handles(&column_name(attribute))?;
    let mut columns = Vec::with_capacity(handles.len());
    for handle in handles {
        columns.push(match handle.open()? {
            DynamicColumn::Str(column) => AttributeColumn::String(column),
            DynamicColumn::I64(column) => AttributeColumn::Integer(column),
            DynamicColumn::F64(column) => AttributeColumn::Float(column),
            DynamicColumn::Bool(column) => AttributeColumn::Boolean(column),
            DynamicColumn::DateTime(column) => AttributeColumn::Timestamp(column),
            // Attributes are written as the five kinds above and no other.
            _ => continue,
        });
    }
    Ok(columns)
}

impl AttributeColumn {
    /// Documents one of whose values passes `test`.
    pub fn matching(&self, test: &AttributeTest, n_docs: u32) -> Result<RoaringBitmap> {
        match test {
            AttributeTest::Exists => Ok(self.present(n_docs)),
            AttributeTest::In(values) => self.one_of(values, n_docs),
            AttributeTest::Range { lower, upper } => self.between(lower, upper, n_docs),
            AttributeTest::Like(pattern) => self.like(pattern, n_docs),
        }
    }

    /// Documents one of whose strings a pattern describes.
    fn like(&self, pattern: &Pattern, n_docs: u32) -> Result<RoaringBitmap> {
        let Self::String(column) = self else {
            return Ok(RoaringBitmap::new());
        };
        let matcher = pattern.matcher()?;
        let mut matching = vec![false; column.num_terms()];
        let mut values = column
            .dictionary()
            .range()
            .ge(&matcher.prefix)
            .into_stream()?;
        while values.advance() {
            let value = values.key();
            if !value.starts_with(matcher.prefix.as_bytes()) {
                break;
            }
            let ordinal = values.term_ord() as usize;
            matching[ordinal] =
                std::str::from_utf8(value).is_ok_and(|value| matcher.matches(value));
        }
        let ordinals = column.ords();
        let found = |doc: &u32| {
            let mut values = ordinals.values_for_doc(*doc);
            values.any(|ordinal| matching.get(ordinal as usize).copied().unwrap_or_default())
        };
        Ok((0..n_docs).filter(found).collect())
    }

    /// True when the document has a value in this column.
    pub fn has_value(&self, doc: u32) -> bool {
        let index = match self {
            Self::String(column) => &column.ords().index,
            Self::Integer(column) => &column.index,
            Self::Float(column) => &column.index,
            Self::Boolean(column) => &column.index,
            Self::Timestamp(column) => &column.index,
        };
        index.has_value(doc)
    }

    /// True when its values are floats.
    pub fn has_floats(&self) -> bool {
        matches!(self, Self::Float(_))
    }

    /// True when every document has exactly one value in this column.
    pub fn is_full(&self) -> bool {
        let cardinality = match self {
            Self::String(column) => column.ords().get_cardinality(),
            Self::Integer(column) => column.get_cardinality(),
            Self::Float(column) => column.get_cardinality(),
            Self::Boolean(column) => column.get_cardinality(),
            Self::Timestamp(column) => column.get_cardinality(),
        };
        cardinality == Cardinality::Full
    }

    fn present(&self, n_docs: u32) -> RoaringBitmap {
        (0..n_docs).filter(|&doc| self.has_value(doc)).collect()
    }

    fn one_of(&self, values: &[Value], n_docs: u32) -> Result<RoaringBitmap> {
        if let [value] = values {
            return self.between(
                &Bound::Included(value.clone()),
                &Bound::Included(value.clone()),
                n_docs,
            );
        }
        if let Self::String(column) = self {
            let mut wanted = HashSet::new();
            for value in values {
                if let Value::String(text) = value
                    && let Some(ordinal) = column.dictionary().term_ord(text)?
                {
                    wanted.insert(ordinal);
                }
            }
            let ordinals = column.ords();
            return Ok((0..n_docs)
                .filter(|&doc| {
                    !wanted.is_empty()
                        && ordinals
                            .values_for_doc(doc)
                            .any(|ordinal| wanted.contains(&ordinal))
                })
                .collect());
        }
        let mut union = RoaringBitmap::new();
        for value in values {
            union |= self.one_of(std::slice::from_ref(value), n_docs)?;
        }
        Ok(union)
    }

    fn between(
        &self,
        lower: &Bound<Value>,
        upper: &Bound<Value>,
        n_docs: u32,
    ) -> Result<RoaringBitmap> {
        if let (Bound::Unbounded, Bound::Unbounded) = (lower, upper) {
            return Ok(self.present(n_docs));
        }
        match self {
            Self::String(column) => {
                let (Some(low), Some(high)) = (as_string(lower), as_string(upper)) else {
                    return Ok(RoaringBitmap::new());
                };
                let (low, high) = column.dictionary().term_bounds_to_ord(low, high)?;
                let Some(range) = ordinal_range(low, high, column.num_terms() as u64) else {
                    return Ok(RoaringBitmap::new());
                };
                Ok(scan(column.ords(), range, n_docs))
            }
            Self::Integer(column) => Ok(integer_range(lower, upper)
                .map_or_else(RoaringBitmap::new, |range| scan(column, range, n_docs))),
            Self::Float(column) => Ok(float_range(lower, upper)
                .map_or_else(RoaringBitmap::new, |range| scan(column, range, n_docs))),
            Self::Boolean(column) => {
                let (Bound::Included(Value::Boolean(low)), Bound::Included(Value::Boolean(high))) =
                    (lower, upper)
                else {
                    return Ok(RoaringBitmap::new());
                };
                Ok(scan(column, *low..=*high, n_docs))
            }
            Self::Timestamp(column) => {
                let date = tantivy::DateTime::from_timestamp_micros;
                Ok(
                    timestamp_range(lower, upper).map_or_else(RoaringBitmap::new, |range| {
                        scan(column, date(*range.start())..=date(*range.end()), n_docs)
                    }),
                )
            }
        }
    }
}

fn scan<T>(column: &Column<T>, range: RangeInclusive<T>, n_docs: u32) -> RoaringBitmap
where
    T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
{
    // Columns store offsets from their least value, and take a range below all of them for one
    // that holds the least.
    if *range.end() < column.min_value() || *range.start() > column.max_value() {
        return RoaringBitmap::new();
    }
    let mut docs = Vec::new();
    column.get_docids_for_value_range(range, 0..n_docs, &mut docs);
    // Ascending already, but for a document with several values in the range.
    docs.dedup();
    from_sorted(&docs)
}

/// The set of ascending documents.
pub(super) fn from_sorted(docs: &[u32]) -> RoaringBitmap {
    // Many documents are set bit by bit and taken over whole, which is faster than one by one.
    const MANY: usize = 1024;
    let dense = docs
        .last()
        .is_some_and(|&last| last as usize / 64 < docs.len());
    if docs.len() < MANY || !dense {
        return RoaringBitmap::from_sorted_iter(docs.iter().copied())
            .unwrap_or_else(|_| docs.iter().copied().collect());
    }
    let n_words = docs.last().map_or(0, |&last| last as usize / 64 + 1);
    let mut words = vec![0_u64; n_words];
    for &doc in docs {
        words[doc as usize / 64] |= 1 << (doc % 64);
    }
    RoaringBitmap::from_lsb0_bytes(0, bytemuck::cast_slice(&words))
}

fn as_string(bound: &Bound<Value>) -> Option<Bound<&str>> {
    match bound {
        Bound::Included(Value::String(text)) => Some(Bound::Included(text)),
        Bound::Excluded(Value::String(text)) => Some(Bound::Excluded(text)),
        Bound::Unbounded => Some(Bound::Unbounded),
        _ => None,
    }
}

fn ordinal_range(low: Bound<u64>, high: Bound<u64>, terms: u64) -> Option<RangeInclusive<u64>> {
    let first = match low {
        Bound::Included(ordinal) => ordinal,
        Bound::Excluded(ordinal) => ordinal + 1,
        Bound::Unbounded => 0,
    };
    let end = match high {
        Bound::Included(ordinal) => ordinal + 1,
        Bound::Excluded(ordinal) => ordinal,
        Bound::Unbounded => terms,
    };
    (first < end).then(|| first..=end - 1)
}

/// Whole numbers between bounds that may be fractions; `None` when there are none, or when a
/// bound is no number.
fn integer_range(lower: &Bound<Value>, upper: &Bound<Value>) -> Option<RangeInclusive<i64>> {
    // 2^63 as a float: the first one past i64.
    const END: f64 = 9_223_372_036_854_775_808.0;
    let low = match lower {
        Bound::Included(Value::Integer(number)) => *number,
        Bound::Excluded(Value::Integer(number)) => number.checked_add(1)?,
        Bound::Included(Value::Float(number)) if *number >= END => return None,
        Bound::Included(Value::Float(number)) => number.ceil() as i64,
        Bound::Excluded(Value::Float(number)) if *number >= END => return None,
        Bound::Excluded(Value::Float(number)) if *number < -END => i64::MIN,
        Bound::Excluded(Value::Float(number)) => (number.floor() as i64).checked_add(1)?,
        Bound::Unbounded => i64::MIN,
        _ => return None,
    };
    let high = match upper {
        Bound::Included(Value::Integer(number)) => *number,
        Bound::Excluded(Value::Integer(number)) => number.checked_sub(1)?,
        Bound::Included(Value::Float(number)) if *number < -END => return None,
        Bound::Included(Value::Float(number)) => number.floor() as i64,
        Bound::Excluded(Value::Float(number)) if *number <= -END => return None,
        Bound::Excluded(Value::Float(number)) if *number >= END => i64::MAX,
        Bound::Excluded(Value::Float(number)) => (number.ceil() as i64).checked_sub(1)?,
        Bound::Unbounded => i64::MAX,
        _ => return None,
    };
    (low <= high).then_some(low..=high)
}

fn float_range(lower: &Bound<Value>, upper: &Bound<Value>) -> Option<RangeInclusive<f64>> {
    let number = |value: &Value| match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    // The column orders -0 before 0, which are one number here: a bound at zero takes both.
    let low = match lower {
        Bound::Included(value) => match number(value)? {
            0.0 => -0.0,
            low => low,
        },
        Bound::Excluded(value) => number(value)?.next_up(),
        Bound::Unbounded => f64::NEG_INFINITY,
    };
    let high = match upper {
        // Adding 0 makes -0 positive and leaves everything else.
        Bound::Included(value) => number(value)? + 0.0,
        Bound::Excluded(value) => number(value)?.next_down(),
        Bound::Unbounded => f64::INFINITY,
    };
    (low <= high).then_some(low..=high)
}

fn timestamp_range(lower: &Bound<Value>, upper: &Bound<Value>) -> Option<RangeInclusive<i64>> {
    // Stored in nanoseconds, so this is the range there is.
    const FIRST: i64 = i64::MIN / 1000;
    const LAST: i64 = i64::MAX / 1000;
    let low = match lower {
        Bound::Included(Value::Timestamp(micros)) => *micros,
        Bound::Excluded(Value::Timestamp(micros)) => micros.checked_add(1)?,
        Bound::Unbounded => FIRST,
        _ => return None,
    };
    let high = match upper {
        Bound::Included(Value::Timestamp(micros)) => *micros,
        Bound::Excluded(Value::Timestamp(micros)) => micros.checked_sub(1)?,
        Bound::Unbounded => LAST,
        _ => return None,
    };
    (low <= high).then(|| low.max(FIRST)..=high.min(LAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_sorted_documents_hold_them() {
        for (n, step) in [
            (0, 1),
            (10, 1),
            (2000, 1),
            (2000, 7),
            (2000, 100),
            (70_000, 2),
        ] {
            let docs: Vec<u32> = (0..n).map(|at| at * step + 3).collect();
            assert!(from_sorted(&docs).iter().eq(docs), "{n} by {step}");
        }
    }

    #[test]
    fn fractional_bounds_on_integers_round_inwards() {
        let included = |number| Bound::Included(Value::Float(number));
        let excluded = |number| Bound::Excluded(Value::Float(number));
        assert_eq!(integer_range(&included(1.2), &included(3.9)), Some(2..=3));
        assert_eq!(integer_range(&excluded(1.0), &excluded(3.0)), Some(2..=2));
        assert_eq!(integer_range(&excluded(1.5), &excluded(2.5)), Some(2..=2));
        assert_eq!(integer_range(&included(1.2), &included(1.8)), None);
        assert_eq!(integer_range(&included(1e300), &Bound::Unbounded), None);
        assert_eq!(
            integer_range(&included(-1e300), &Bound::Unbounded),
            Some(i64::MIN..=i64::MAX)
        );
    }
}
