//! The wire types that several services share, and ours.

use std::collections::BTreeMap;
use std::ops::Bound;

use latentdb_index::filter::{self, AttributeTest, IdTest, Name, Pattern, TextMode};
use latentdb_index::{Activation, Codes, Document, Filter, LatentPosition, Value};
use latentdb_proto::v1;

use super::status::{entry, required};
use crate::error::{Error, Result, Within as _};
use crate::service::{ExpectedVersions, IfExists, MadeWith, Projection, ReadDocument, SaeCodes};

pub(super) fn timestamp(micros: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        // Below a thousand million, so it fits.
        nanos: (micros.rem_euclid(1_000_000) * 1000) as i32,
    }
}

pub(super) fn micros(timestamp: &prost_types::Timestamp) -> Result<i64> {
    if !(0..1_000_000_000).contains(&timestamp.nanos) {
        return Err(Error::invalid(
            "",
            format!(
                "has {} nanoseconds; 0 to 999,999,999 are accepted",
                timestamp.nanos
            ),
        ));
    }
    timestamp
        .seconds
        .checked_mul(1_000_000)
        .and_then(|seconds| seconds.checked_add(i64::from(timestamp.nanos) / 1000))
        .ok_or_else(|| {
            let message = format!(
                "is {} seconds from 1970; the years 1677 to 2262 are accepted",
                timestamp.seconds
            );
            Error::invalid("timestamp", message)
        })
}

pub(crate) fn value(wire: v1::Value) -> Result<Value> {
    use v1::value::Kind;
    Ok(match required(wire.kind, "kind")? {
        Kind::String(text) => Value::String(text),
        Kind::Integer(number) => Value::Integer(number),
        Kind::Float(number) => Value::Float(number),
        Kind::Boolean(truth) => Value::Boolean(truth),
        Kind::Timestamp(time) => Value::Timestamp(micros(&time)?),
        Kind::List(list) => Value::List(values(list)?),
    })
}

fn values(list: v1::ValueList) -> Result<Vec<Value>> {
    list.values
        .into_iter()
        .enumerate()
        .map(|(at, wire)| {
            // A list in a list is refused before it can nest any deeper.
            if matches!(wire.kind, Some(v1::value::Kind::List(_))) {
                return Err(Error::invalid(format!("[{at}]"), "is a list in a list"));
            }
            value(wire).within(&format!("[{at}]"))
        })
        .collect()
}

pub(crate) fn wire_value(value: Value) -> v1::Value {
    use v1::value::Kind;
    let kind = match value {
        Value::String(text) => Kind::String(text),
        Value::Integer(number) => Kind::Integer(number),
        Value::Float(number) => Kind::Float(number),
        Value::Boolean(truth) => Kind::Boolean(truth),
        Value::Timestamp(micros) => Kind::Timestamp(timestamp(micros)),
        Value::List(values) => Kind::List(v1::ValueList {
            values: values.into_iter().map(wire_value).collect(),
        }),
    };
    v1::Value { kind: Some(kind) }
}

pub(super) fn attributes(
    wire: impl IntoIterator<Item = (String, v1::Value)>,
) -> Result<BTreeMap<String, Value>> {
    wire.into_iter()
        .map(|(name, wire)| {
            let value = value(wire).within(&name)?;
            Ok((name, value))
        })
        .collect()
}

/// Latents in ascending order, as the engine takes them; those at zero are not active.
pub(super) fn activations(wire: v1::Activations) -> Vec<Activation> {
    let mut row: Vec<Activation> = wire
        .values
        .into_iter()
        .filter(|entry| entry.activation != 0.0)
        .map(|entry| Activation {
            latent: entry.latent,
            activation: entry.activation,
        })
        .collect();
    row.sort_by_key(|entry| entry.latent);
    row
}

pub(super) fn wire_activations(row: &[Activation]) -> Vec<v1::Activation> {
    row.iter()
        .map(|entry| v1::Activation {
            latent: entry.latent,
            activation: entry.activation,
        })
        .collect()
}

pub(super) fn document(wire: v1::Document) -> Result<Document> {
    if wire.version.is_some() {
        return Err(Error::invalid(
            "version",
            "is what the server says of a document; what a write expects of one goes into \
             expected_versions",
        ));
    }
    Ok(Document {
        id: wire.id,
        text: wire.text,
        attributes: attributes(wire.attributes).within("attributes")?,
        vector: wire.vector.map(|vector| vector.values),
        codes: wire.latents.map(codes).into_iter().collect(),
    })
}

pub(super) fn documents(wire: Vec<v1::Document>) -> Result<Vec<Document>> {
    wire.into_iter()
        .enumerate()
        .map(|(at, wire)| document(wire).within(&format!("documents[{at}]")))
        .collect()
}

pub(super) fn wire_document(read: ReadDocument) -> v1::Document {
    let ReadDocument {
        document,
        version,
        codes,
    } = read;
    let latents = document.latents();
    let latents = (!latents.is_empty()).then(|| v1::Activations {
        values: wire_activations(latents),
    });
    v1::Document {
        id: document.id,
        text: document.text,
        attributes: document
            .attributes
            .into_iter()
            .map(|(name, value)| (name, wire_value(value)))
            .collect(),
        vector: document.vector.map(|values| v1::Vector { values }),
        latents,
        version: version.map(|version| version.to_string()),
        codes: (!codes.is_empty()).then(|| v1::CodesBySae {
            saes: codes
                .into_iter()
                .map(|own| wire_sae_codes(own.sae, own.codes))
                .collect(),
        }),
    }
}

/// Codes under the SAE of a name, as a message.
pub(crate) fn wire_sae_codes(sae: String, codes: Codes) -> v1::SaeCodes {
    let position = |own: LatentPosition| v1::LatentPosition {
        latent: own.latent,
        span: Some(v1::TextSpan {
            token: own.token,
            start: own.start,
            end: own.end,
        }),
    };
    v1::SaeCodes {
        sae,
        latents: wire_activations(&codes.latents),
        positions: codes.positions.into_iter().map(position).collect(),
    }
}

/// Codes by the name of their SAE.
pub(crate) fn sae_codes(wire: v1::SaeCodes) -> SaeCodes {
    let position = |own: v1::LatentPosition| {
        let span = own.span.unwrap_or_default();
        LatentPosition {
            latent: own.latent,
            token: span.token,
            start: span.start,
            end: span.end,
        }
    };
    let latents = activations(v1::Activations {
        values: wire.latents,
    });
    SaeCodes {
        sae: wire.sae,
        codes: Codes {
            latents,
            positions: wire.positions.into_iter().map(position).collect(),
        },
    }
}

/// The codes of documents by the names of SAEs, taken out of them.
pub(super) fn codes_of(documents: &mut [v1::Document]) -> Vec<Vec<SaeCodes>> {
    let taken = |own: &mut v1::Document| own.codes.take().map_or_else(Vec::new, |own| own.saes);
    let codes = documents.iter_mut().map(taken);
    codes
        .map(|own| own.into_iter().map(sae_codes).collect())
        .collect()
}

pub(super) fn projection(wire: Option<v1::Projection>, otherwise: Projection) -> Projection {
    wire.map_or(otherwise, |wire| Projection {
        text: wire.text,
        attributes: wire.attributes,
        attribute_names: wire.attribute_names,
        vector: wire.vector,
        latents: wire.latents,
        version: wire.version,
    })
}

/// A filter, all documents where it is absent. Depth is bounded before it is followed.
pub(super) fn filter(wire: Option<v1::Filter>) -> Result<Filter> {
    set(wire, "filter")
}

/// As [`filter()`] in another field of the request.
pub(super) fn set(wire: Option<v1::Filter>, field: &str) -> Result<Filter> {
    match wire {
        None => Ok(Filter::All),
        Some(wire) => filter_at(wire, 1).within(field),
    }
}

fn filter_at(wire: v1::Filter, depth: usize) -> Result<Filter> {
    use v1::filter::Kind;
    if depth > filter::MAX_DEPTH {
        return Err(Error::invalid(
            "",
            format!("is nested deeper than {} levels", filter::MAX_DEPTH),
        ));
    }
    let list = |list: v1::FilterList, place: &str| -> Result<Vec<Filter>> {
        list.filters
            .into_iter()
            .enumerate()
            .map(|(at, part)| filter_at(part, depth + 1).within(&format!("{place}[{at}]")))
            .collect()
    };
    Ok(match required(wire.kind, "kind")? {
        Kind::Expression(text) => filter::parse(&text).within("expression")?,
        Kind::AllOf(parts) => Filter::And(list(parts, "all_of")?),
        Kind::AnyOf(parts) => Filter::Or(list(parts, "any_of")?),
        Kind::Negated(part) => filter_at(*part, depth + 1).within("negated")?.negate(),
        Kind::Latent(test) => latent_filter(test),
        Kind::Attribute(test) => attribute_filter(test).within("attribute")?,
        Kind::Ids(ids) => id_filter(ids).within("ids")?,
        Kind::Text(test) => Filter::Text {
            mode: text_mode(test.mode)?,
            text: test.text,
        },
        Kind::SavedSet(name) => Filter::Named(Name::SavedSet(name)),
        Kind::All(_) => Filter::All,
        Kind::Through(through) => {
            let filter = required(through.filter, "filter")
                .and_then(|filter| filter_at(*filter, depth + 1))
                .within("through")?;
            Filter::Named(Name::Through {
                sae: through.sae,
                filter: Box::new(filter),
            })
        }
    })
}

fn latent_filter(test: v1::LatentFilter) -> Filter {
    use v1::latent_filter::{Lower, Upper};
    Filter::Latent {
        latent: test.latent,
        lower: match test.lower {
            None => Bound::Unbounded,
            Some(Lower::Gte(bound)) => Bound::Included(bound),
            Some(Lower::Gt(bound)) => Bound::Excluded(bound),
        },
        upper: match test.upper {
            None => Bound::Unbounded,
            Some(Upper::Lte(bound)) => Bound::Included(bound),
            Some(Upper::Lt(bound)) => Bound::Excluded(bound),
        },
    }
}

fn attribute_filter(wire: v1::AttributeFilter) -> Result<Filter> {
    use v1::attribute_filter::Test;
    let test = match required(wire.test, "test")? {
        Test::Equals(wire) => AttributeTest::In(vec![value(wire).within("equals")?]),
        Test::OneOf(list) => AttributeTest::In(values(list).within("one_of")?),
        Test::Range(range) => range_test(range).within("range")?,
        Test::Exists(_) => AttributeTest::Exists,
        Test::Like(wire) => AttributeTest::Like(pattern(wire)),
    };
    Ok(Filter::Attribute {
        name: wire.name,
        test,
    })
}

fn pattern(wire: v1::Pattern) -> Pattern {
    Pattern {
        pattern: wire.pattern,
        ignore_case: wire.ignore_case,
    }
}

fn id_filter(wire: v1::IdFilter) -> Result<Filter> {
    Ok(match (wire.ids, wire.range, wire.like) {
        (ids, None, None) => Filter::Ids(ids),
        (ids, None, Some(like)) if ids.is_empty() => Filter::Id(IdTest::Like(pattern(like))),
        (ids, Some(range), None) if ids.is_empty() => {
            let (lower, upper) = bounds(range).within("range")?;
            let id = |bound: Bound<Value>| match bound {
                Bound::Included(Value::String(id)) => Ok(Bound::Included(id)),
                Bound::Excluded(Value::String(id)) => Ok(Bound::Excluded(id)),
                Bound::Unbounded => Ok(Bound::Unbounded),
                Bound::Included(other) | Bound::Excluded(other) => Err(Error::invalid(
                    "range",
                    format!("has a {} bound; ids are strings", other.kind()),
                )),
            };
            let (lower, upper) = (id(lower)?, id(upper)?);
            if let (Bound::Unbounded, Bound::Unbounded) = (&lower, &upper) {
                return Err(Error::invalid(
                    "range",
                    "has no bounds; at least one is needed",
                ));
            }
            Filter::Id(IdTest::Range { lower, upper })
        }
        _ => {
            return Err(Error::invalid(
                "",
                "has several of ids, range and like; one is accepted",
            ));
        }
    })
}

fn range_test(range: v1::Range) -> Result<AttributeTest> {
    let (lower, upper) = bounds(range)?;
    Ok(AttributeTest::Range { lower, upper })
}

fn bounds(range: v1::Range) -> Result<(Bound<Value>, Bound<Value>)> {
    use v1::range::{Lower, Upper};
    let bound = |wire: v1::Value, place: &str| value(wire).within(place);
    let lower = match range.lower {
        None => Bound::Unbounded,
        Some(Lower::Gte(wire)) => Bound::Included(bound(wire, "gte")?),
        Some(Lower::Gt(wire)) => Bound::Excluded(bound(wire, "gt")?),
    };
    let upper = match range.upper {
        None => Bound::Unbounded,
        Some(Upper::Lte(wire)) => Bound::Included(bound(wire, "lte")?),
        Some(Upper::Lt(wire)) => Bound::Excluded(bound(wire, "lt")?),
    };
    Ok((lower, upper))
}

pub(super) fn text_mode(wire: i32) -> Result<TextMode> {
    Ok(match entry(wire, "mode")? {
        v1::TextMode::Any => TextMode::Any,
        v1::TextMode::All => TextMode::All,
        v1::TextMode::Phrase => TextMode::Phrase,
        v1::TextMode::Prefix => TextMode::Prefix,
        v1::TextMode::Fuzzy => TextMode::Fuzzy,
    })
}

/// A count that is 0 where the client leaves the choice to us.
pub(super) fn count_or(wire: u32, otherwise: usize, most: usize, field: &str) -> Result<usize> {
    let count = wire as usize;
    match count {
        0 => Ok(otherwise),
        _ if count > most => Err(Error::invalid(
            field,
            format!("is {count}; 1 to {most} is accepted"),
        )),
        _ => Ok(count),
    }
}

/// A text that is empty where there is none.
pub(super) fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A number that is 0 where there is none.
pub(super) fn non_zero(number: u32) -> Option<usize> {
    (number != 0).then_some(number as usize)
}

/// Codes that a client brings.
pub(super) fn codes(wire: v1::Activations) -> Codes {
    activations(wire).into()
}

/// What becomes of documents that exist.
pub(super) fn if_exists(wire: i32) -> Result<IfExists> {
    Ok(match entry(wire, "if_exists")? {
        v1::IfExists::Replace => IfExists::Replace,
        v1::IfExists::Skip => IfExists::Skip,
        v1::IfExists::Fail => IfExists::Fail,
    })
}

/// Versions that documents must have, by id.
pub(super) fn expected_versions(
    wire: impl IntoIterator<Item = (String, String)>,
) -> Result<ExpectedVersions> {
    let parse = |(id, version): (String, String)| {
        let version = version
            .parse()
            .within(&format!("expected_versions[{id:?}]"))?;
        Ok((id, version))
    };
    wire.into_iter().map(parse).collect()
}

/// What a client says its vectors and latents were made with.
pub(super) fn made_with(wire: Option<v1::MadeWith>) -> MadeWith {
    let wire = wire.unwrap_or_default();
    MadeWith {
        encoder: non_empty(wire.encoder_sha256),
        sae: non_empty(wire.sae_sha256),
    }
}
