//! The numbers or times of an attribute over a set of documents.

use tantivy::columnar::Column;

use crate::analysis::value_key::{ordered, unordered};
use crate::document::Value;
use crate::error::{Error, Result};
use crate::filter::{Allowed, AttributeColumn, attribute_columns};
use crate::snapshot::Snapshot;

/// What the numbers of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberKind {
    /// Whole numbers alone.
    Integer,
    /// Numbers some of which are stored as floats.
    Float,
    /// Microseconds since 1970.
    Timestamp,
}

/// The distinct numbers of each document of a set.
///
/// A number is held as a code: the integer or the microseconds themselves, or the bits of a float in
/// an order that follows its value. Codes compare as the numbers do.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub kind: NumberKind,
    /// For each segment, (document there, code), ascending, each once.
    pub segments: Vec<Vec<(u32, i64)>>,
}

impl NumberKind {
    /// The number of a code.
    pub fn value(self, code: i64) -> Value {
        match self {
            Self::Integer => Value::Integer(code),
            Self::Float => Value::Float(float(code)),
            Self::Timestamp => Value::Timestamp(code),
        }
    }
}

/// The code of a float; -0 and 0 are one number.
pub(super) fn code(number: f64) -> i64 {
    (ordered(number + 0.0) ^ (1 << 63)).cast_signed()
}

/// The float of a code.
pub(super) fn float(code: i64) -> f64 {
    unordered(code.cast_unsigned() ^ (1 << 63))
}

impl Numbers {
    /// Reads the numbers of `attribute` over `set`. Where some segments store floats and others
    /// integers, all are floats.
    ///
    /// # Errors
    /// `InvalidArgument` naming `attribute` where a document of the set has a value that is neither
    /// a number nor a timestamp, or where some have the one and some the other.
    pub fn read(snapshot: &Snapshot, set: &Allowed, attribute: &str) -> Result<Self> {
        let mut read = Vec::with_capacity(snapshot.segments().len());
        let mut kinds = [false; 3];
        for (segment, docs) in snapshot.segments().iter().zip(set.segments()) {
            let mut found = (NumberKind::Integer, Vec::new());
            for column in attribute_columns(&segment.reader, attribute)? {
                let Some(kind) = kind_of(&column) else {
                    if let Some(doc) = docs.iter().find(|&doc| column.has_value(doc)) {
                        return Err(no_number(snapshot, attribute, segment.base + doc));
                    }
                    continue;
                };
                let part = codes(&column, &mut docs.iter());
                if part.is_empty() {
                    continue;
                }
                kinds[kind as usize] = true;
                found = (kind, part);
            }
            read.push(found);
        }
        let [integers, floats, times] = kinds;
        if times && (integers || floats) {
            return Err(Error::invalid(
                "attribute",
                format!(
                    "{attribute:?} has timestamps in some documents and numbers in others: filter \
                     by the kind that is meant ({attribute} >= VALUE)"
                ),
            ));
        }
        let kind = match (times, floats) {
            (true, _) => NumberKind::Timestamp,
            (_, true) => NumberKind::Float,
            _ => NumberKind::Integer,
        };
        let segments = read.into_iter().map(|(stored, mut pairs)| {
            if kind == NumberKind::Float && stored == NumberKind::Integer {
                for pair in &mut pairs {
                    pair.1 = code(pair.1 as f64);
                }
            }
            if !pairs.is_sorted() {
                pairs.sort_unstable();
            }
            pairs.dedup();
            pairs
        });
        Ok(Self {
            kind,
            segments: segments.collect(),
        })
    }

    /// The codes of the documents of a subset of the set, ascending, and how many of those have any.
    pub fn sorted(&self, set: &Allowed) -> (Vec<i64>, u64) {
        let mut codes = Vec::new();
        let having = each_of(&self.segments, set, |code| codes.push(code));
        codes.sort_unstable();
        (codes, having)
    }
}

/// Visits what the documents of `set` have among (document, what), ascending by document, for each
/// segment. Returns how many documents have something.
pub(super) fn each_of<T: Copy>(
    segments: &[Vec<(u32, T)>],
    set: &Allowed,
    mut visit: impl FnMut(T),
) -> u64 {
    let mut having = 0;
    for (pairs, docs) in segments.iter().zip(set.segments()) {
        let mut rest = &pairs[..];
        for doc in docs.iter() {
            // Documents of a set are often neighbours: the next one is near.
            let skip = rest.iter().take(8).take_while(|pair| pair.0 < doc).count();
            rest = &rest[skip..];
            if rest.first().is_some_and(|pair| pair.0 < doc) {
                rest = &rest[rest.partition_point(|pair| pair.0 < doc)..];
            }
            let own = rest.iter().take_while(|pair| pair.0 == doc).count();
            having += u64::from(own > 0);
            rest[..own].iter().for_each(|pair| visit(pair.1));
            rest = &rest[own..];
        }
    }
    having
}

fn kind_of(column: &AttributeColumn) -> Option<NumberKind> {
    match column {
        AttributeColumn::Integer(_) => Some(NumberKind::Integer),
        AttributeColumn::Float(_) => Some(NumberKind::Float),
        AttributeColumn::Timestamp(_) => Some(NumberKind::Timestamp),
        AttributeColumn::String(_) | AttributeColumn::Boolean(_) => None,
    }
}

fn codes(column: &AttributeColumn, docs: &mut dyn Iterator<Item = u32>) -> Vec<(u32, i64)> {
    match column {
        AttributeColumn::Integer(column) => pairs(column, docs, |number| number),
        AttributeColumn::Float(column) => pairs(column, docs, code),
        AttributeColumn::Timestamp(column) => {
            pairs(column, docs, tantivy::DateTime::into_timestamp_micros)
        }
        AttributeColumn::String(_) | AttributeColumn::Boolean(_) => Vec::new(),
    }
}

fn pairs<T>(
    column: &Column<T>,
    docs: &mut dyn Iterator<Item = u32>,
    code: impl Fn(T) -> i64,
) -> Vec<(u32, i64)>
where
    T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
{
    let mut found = Vec::new();
    for doc in docs {
        let values = column.values_for_doc(doc);
        found.extend(values.map(|value| (doc, code(value))));
    }
    found
}

fn no_number(snapshot: &Snapshot, attribute: &str, doc: u32) -> Error {
    let held = snapshot.stored(doc).ok();
    let value = held.and_then(|document| document.attributes.get(attribute).cloned());
    let kind = value.map_or("string", |value| {
        value.scalars().first().map_or("list", Value::kind)
    });
    Error::invalid(
        "attribute",
        format!("{attribute:?} has {kind} values; numbers or timestamps are accepted"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ordered_as_floats_are() {
        let ascending = [f64::MIN, -2.5, -1e-300, 0.0, 1e-300, 1.0, 2.5, f64::MAX];
        let codes: Vec<i64> = ascending.iter().map(|&number| code(number)).collect();
        assert!(codes.is_sorted_by(|a, b| a < b));
        for number in ascending {
            assert_eq!(float(code(number)), number);
        }
        assert_eq!(code(-0.0), code(0.0));
    }
}
