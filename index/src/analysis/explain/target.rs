//! What is explained: an attribute as numbers, or as one of some classes.

use std::collections::HashSet;

use crate::analysis::members::Members;
use crate::analysis::values::ValueTable;
use crate::document::Value;
use crate::error::{Error, Result};
use crate::filter::ResolvedFilter;

/// Maximum classes of a target.
pub const MAX_CLASSES: usize = 50;
/// Documents of a class that are needed, and of a number in all, four times as many.
const MIN_DOCUMENTS: u64 = 10;
/// Microseconds of a day.
const DAY: f64 = 86_400e6;

/// What kind of target an attribute is.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetKind {
    /// A number; times are days since the epoch.
    Number,
    /// One of two values or more, ascending, with their documents. Of two the second is what is
    /// predicted.
    Classes(Vec<(Value, u64)>),
}

/// An attribute of some documents, as what is to be predicted.
pub(super) struct Target {
    pub kind: TargetKind,
    /// Documents that have it, numbers of the snapshot, ascending.
    pub docs: Vec<u32>,
    /// Of each the number, or the place of its class.
    pub values: Vec<f64>,
    /// Documents without it.
    pub without: u64,
}

impl Target {
    /// Whether documents are of a filter, as two classes.
    ///
    /// # Errors
    /// `FailedPrecondition` where too few are, or are not.
    pub fn of_filter(members: &Members, positive: &ResolvedFilter) -> Result<Self> {
        let inside: HashSet<u32> = members
            .snapshot
            .documents_matching(positive)?
            .into_iter()
            .collect();
        let docs = members.documents_of();
        let values: Vec<f64> = docs
            .iter()
            .map(|doc| f64::from(u8::from(inside.contains(doc))))
            .collect();
        let with = values.iter().sum::<f64>() as u64;
        let without = docs.len() as u64 - with;
        let few = |count: u64, what: &str| {
            Err(Error::precondition(format!(
                "{count} documents of the set {what} the filter of the target; {MIN_DOCUMENTS} are needed"
            )))
        };
        if with < MIN_DOCUMENTS {
            return few(with, "are of");
        }
        if without < MIN_DOCUMENTS {
            return few(without, "are not of");
        }
        let classes = vec![
            (Value::Boolean(false), without),
            (Value::Boolean(true), with),
        ];
        Ok(Self {
            kind: TargetKind::Classes(classes),
            docs,
            values,
            without: 0,
        })
    }

    /// # Errors
    /// `InvalidArgument` for an attribute with several values of a document, of several kinds, or of
    /// too many classes; `FailedPrecondition` for one value alone, and too few documents.
    pub fn read(members: &Members, attribute: &str) -> Result<Self> {
        let wrong = |said: String| Err(Error::invalid("target", format!("{attribute:?} {said}")));
        let table = ValueTable::read(members.snapshot, &members.set, attribute)?;
        let counts = table.counts();
        if table.values.is_empty() {
            return Err(Error::precondition(format!(
                "no document of the set has the attribute {attribute:?}"
            )));
        }
        let mut found: Vec<(u32, u32)> = Vec::new();
        for (segment, holders) in members.snapshot.segments().iter().zip(&table.holders) {
            let own = holders.iter();
            found.extend(own.map(|&(value, doc)| (segment.base + doc, value)));
        }
        found.sort_unstable();
        let several = found.windows(2).filter(|two| two[0].0 == two[1].0).count();
        if several > 0 {
            return wrong(format!(
                "has several values in some documents ({several} beyond the first ones); a target \
                 with one value a document is accepted"
            ));
        }
        let of_number = |value: &Value| match value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Timestamp(micros) => Some(*micros as f64 / DAY),
            _ => None,
        };
        let numbers: Vec<Option<f64>> = table.values.iter().map(of_number).collect();
        let all_numbers: Option<Vec<f64>> = numbers.iter().copied().collect();
        if all_numbers.is_none() && numbers.iter().any(Option::is_some) {
            return wrong("has numbers and other values; one kind is accepted".to_owned());
        }
        let (kind, of_value) = match all_numbers {
            Some(numbers) if numbers.len() > 2 => (TargetKind::Number, numbers),
            _ => {
                let classes: Vec<(Value, u64)> = table.values.into_iter().zip(counts).collect();
                let of_value = (0..classes.len()).map(|at| at as f64).collect();
                (TargetKind::Classes(classes), of_value)
            }
        };
        check(&kind, attribute, found.len() as u64)?;
        Ok(Self {
            kind,
            values: found
                .iter()
                .map(|entry| of_value[entry.1 as usize])
                .collect(),
            without: members.documents() - found.len() as u64,
            docs: found.into_iter().map(|entry| entry.0).collect(),
        })
    }
}

fn check(kind: &TargetKind, attribute: &str, documents: u64) -> Result<()> {
    let few = |said: String| Err(Error::precondition(said));
    match kind {
        TargetKind::Number if documents < 4 * MIN_DOCUMENTS => few(format!(
            "{documents} documents have the number {attribute:?}; {} are needed",
            4 * MIN_DOCUMENTS
        )),
        TargetKind::Number => Ok(()),
        TargetKind::Classes(classes) if classes.len() > MAX_CLASSES => Err(Error::invalid(
            "target",
            format!(
                "{attribute:?} has {} values; a number or at most {MAX_CLASSES} classes are accepted: \
                 narrow them with the filter, {attribute} in (..)",
                classes.len()
            ),
        )),
        TargetKind::Classes(classes) => match &classes[..] {
            [(value, count)] => few(format!(
                "all {count} documents with the attribute {attribute:?} have one value, {value:?}: there \
                 is nothing to tell apart"
            )),
            classes => match classes.iter().find(|(_, count)| *count < MIN_DOCUMENTS) {
                Some((value, count)) => few(format!(
                    "{count} documents have {attribute} = {value:?}; {MIN_DOCUMENTS} of each class are \
                     needed: leave it out with the filter"
                )),
                None => Ok(()),
            },
        },
    }
}
