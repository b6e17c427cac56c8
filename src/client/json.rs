//! API messages as JSON, for scripts.
//!
//! The proto JSON mapping with the field names of the `.proto` files: numbers are numbers (64-bit
//! ones too, and a `float` by its shortest decimal), enums their names, bytes base64, times RFC 3339.
//! A field at its default is printed; one with presence (`optional`, a message, a member of a oneof)
//! only when set. A `latentdb.v1.Value` is the plain value it holds. The result of a stream is one
//! object: the fields of its summary, or its last message's, at the top, its repeated fields
//! concatenated, no progress.
//!
//! `prost-reflect` gives the descriptors to walk along, and was in the build already (protox).
//! `pbjson` would generate serde implementations for the same mapping, but writes 64-bit integers as
//! strings and a `float` with the digits of a `double`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat};
use latentdb_proto::DESCRIPTORS;
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MapKey, ReflectMessage as _, Value};
use prost_types::Timestamp;
use serde_json::{Map, Value as Json};

use super::streams::{
    Clusters, Comparisons, Correlations, Duplicates, ExplainedTarget, Hypotheses, Matches, Scoring,
    Trends,
};

/// The descriptors of all messages; empty only if the build wrote unreadable ones.
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap_or_default());

/// A response as JSON, by the mapping of this module.
///
/// ```
/// use latentdb::client::ToJson as _;
/// use latentdb_proto::v1::CountResponse;
///
/// let response = CountResponse { count: u64::MAX, ..CountResponse::default() };
/// assert_eq!(response.to_json().to_string(), r#"{"count":18446744073709551615,"warnings":[]}"#);
/// ```
pub trait ToJson {
    /// The JSON value.
    fn to_json(&self) -> Json;
}

impl<M: Message + Name> ToJson for M {
    fn to_json(&self) -> Json {
        let decode =
            |descriptor| DynamicMessage::decode(descriptor, self.encode_to_vec().as_slice()).ok();
        let message = POOL.get_message_by_name(&M::full_name()).and_then(decode);
        message.as_ref().map_or(Json::Null, object)
    }
}

impl ToJson for Comparisons {
    fn to_json(&self) -> Json {
        let comparisons = self.comparisons.iter();
        let each = comparisons.map(|one| with(&one.head, [("rows", list(&one.rows))]));
        let each: Json = each.collect();
        Map::from_iter([("comparisons".to_owned(), each)]).into()
    }
}

macro_rules! summarised {
    ($($result:ident: $rows:ident,)*) => {
        $(impl ToJson for $result {
            fn to_json(&self) -> Json {
                with(&self.summary, [(stringify!($rows), list(&self.$rows))])
            }
        })*
    };
}

summarised! {
    Correlations: pairs,
    ExplainedTarget: latents,
    Hypotheses: hypotheses,
    Matches: latents,
    Trends: rows,
    Clusters: members,
    Duplicates: groups,
}

impl ToJson for Scoring {
    fn to_json(&self) -> Json {
        let rest = [
            ("tokens", self.tokens.into()),
            ("scores", list(&self.scores)),
        ];
        with(&self.summary, rest)
    }
}

/// A summary's fields, and others with them.
fn with<const N: usize>(summary: &impl ToJson, others: [(&str, Json); N]) -> Json {
    let mut fields = summary.to_json();
    for (name, value) in others {
        fields[name] = value;
    }
    fields
}

fn list(messages: &[impl ToJson]) -> Json {
    messages.iter().map(ToJson::to_json).collect()
}

/// A single-precision number by its shortest decimal: 0.7, not 0.699999988079071.
pub(crate) fn single(number: f32) -> Json {
    double(number.to_string().parse().unwrap_or(f64::from(number)))
}

/// JSON has no NaN and no infinities; the mapping says them in words.
fn double(number: f64) -> Json {
    match number {
        n if n.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        number => number.into(),
    }
}

/// A point in time as RFC 3339 in UTC; null outside of the years that it can say.
pub(crate) fn timestamp(at: &Timestamp) -> Json {
    u32::try_from(at.nanos)
        .ok()
        .and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos))
        .map_or(Json::Null, |at| {
            at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
        })
}

fn object(message: &DynamicMessage) -> Json {
    let descriptor = message.descriptor();
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            return message
                .transcode_to()
                .map_or(Json::Null, |at| timestamp(&at));
        }
        // The one member that is set; none is no value.
        "latentdb.v1.Value" => {
            let held = message.fields().next();
            return held.map_or(Json::Null, |(field, held)| value(held, &field.kind()));
        }
        "latentdb.v1.ValueList" => {
            let held = message.get_field_by_name("values");
            return held.map_or(Json::Null, |held| value(&held, &Kind::Bool));
        }
        _ => {}
    }
    let printed = descriptor
        .fields()
        .filter(|field| !field.supports_presence() || message.has_field(field));
    printed
        .map(|field| {
            let printed = value(&message.get_field(&field), &field.kind());
            (field.name().to_owned(), printed)
        })
        .collect::<Map<_, _>>()
        .into()
}

/// A field's value; of a list, the kind is that of its elements.
fn value(value: &Value, kind: &Kind) -> Json {
    match value {
        Value::Bool(truth) => (*truth).into(),
        Value::I32(number) => (*number).into(),
        Value::I64(number) => (*number).into(),
        Value::U32(number) => (*number).into(),
        Value::U64(number) => (*number).into(),
        Value::F32(number) => single(*number),
        Value::F64(number) => double(*number),
        Value::String(text) => text.as_str().into(),
        Value::Bytes(bytes) => BASE64_STANDARD.encode(bytes).into(),
        Value::EnumNumber(number) => kind
            .as_enum()
            .and_then(|kind| kind.get_value(*number).map(|value| value.name().into()))
            .unwrap_or_else(|| (*number).into()),
        Value::Message(message) => object(message),
        Value::List(items) => items.iter().map(|item| self::value(item, kind)).collect(),
        Value::Map(entries) => {
            let of_values = kind
                .as_message()
                .map(|entry| entry.map_entry_value_field().kind());
            let of_values = of_values.as_ref().unwrap_or(kind);
            entries
                .iter()
                .map(|(key, entry)| (map_key(key), self::value(entry, of_values)))
                .collect::<Map<_, _>>()
                .into()
        }
    }
}

fn map_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::value::Kind as AttributeValue;
    use latentdb_proto::v1::{
        CorrelateSummary, CorrelatedPair, DiffComparison, DiffRow, Document, Hit, SavedSet,
        SearchResponse, StatisticalTest, SteerEdit, Value, ValueList, Vector, correlated_pair,
        steer_edit,
    };
    use serde_json::json;

    use super::*;
    use crate::client::Comparison;

    fn held(kind: AttributeValue) -> Value {
        Value { kind: Some(kind) }
    }

    #[test]
    fn attribute_values_and_times_are_plain() {
        let at = Timestamp {
            seconds: 1_740_830_400,
            nanos: 250_000_000,
        };
        let list = ValueList {
            values: vec![
                held(AttributeValue::String("a".into())),
                held(AttributeValue::Integer(2)),
            ],
        };
        for (kind, expected) in [
            (AttributeValue::Integer(i64::MAX), "9223372036854775807"),
            (AttributeValue::Integer(0), "0"),
            (AttributeValue::Float(0.1), "0.1"),
            (AttributeValue::Float(f64::NAN), "\"NaN\""),
            (AttributeValue::Boolean(false), "false"),
            (
                AttributeValue::Timestamp(at),
                "\"2025-03-01T12:00:00.250Z\"",
            ),
            (AttributeValue::List(list), "[\"a\",2]"),
        ] {
            assert_eq!(held(kind).to_json().to_string(), expected);
        }
        assert_eq!(Value::default().to_json(), Json::Null);
        let before_1970 = Timestamp {
            seconds: -1,
            nanos: 500_000_000,
        };
        let set = SavedSet {
            created: Some(before_1970),
            ..SavedSet::default()
        };
        assert_eq!(set.to_json()["created"], "1969-12-31T23:59:59.500Z");
    }

    #[test]
    fn defaults_are_printed_and_what_is_absent_is_not() {
        assert_eq!(
            SavedSet::default().to_json(),
            json!({"name": "", "frozen": false, "error": "", "warnings": []})
        );
        let set = SavedSet {
            documents: Some(0),
            ..SavedSet::default()
        };
        assert_eq!(set.to_json()["documents"], 0);
        let edit = SteerEdit {
            edit: Some(steer_edit::Edit::Add(0.0)),
            ..SteerEdit::default()
        };
        let printed = edit.to_json();
        assert_eq!(
            (&printed["add"], &printed["unit"]),
            (&json!(0.0), &json!("STEER_UNIT_RAW"))
        );
        assert!(printed.get("set").is_none() && printed.get("family").is_none());
    }

    #[test]
    fn messages_nest_as_they_are_sent() {
        let response = SearchResponse {
            hits: vec![Hit {
                document: Some(Document {
                    id: "a".into(),
                    attributes: [("year".to_owned(), held(AttributeValue::Integer(2020)))].into(),
                    vector: Some(Vector {
                        values: vec![0.1, -3.0],
                    }),
                    ..Document::default()
                }),
                score: 0.7,
                ..Hit::default()
            }],
            sequence: u64::MAX,
            ..SearchResponse::default()
        };
        assert_eq!(
            response.to_json(),
            json!({
                "hits": [{
                    "document": {
                        "id": "a", "attributes": {"year": 2020}, "vector": {"values": [0.1, -3.0]},
                    },
                    "score": 0.7, "components": [], "latents": [],
                    "highlights": [],
                }],
                "next_page_token": "", "steering": [], "properties": [],
                "sequence": u64::MAX, "warnings": [], "facets": [], "offset": 0,
            })
        );
    }

    #[test]
    fn a_stream_is_one_object() {
        let pair = CorrelatedPair {
            other: Some(correlated_pair::Other::J(0)),
            test: StatisticalTest::Fisher.into(),
            ..CorrelatedPair::default()
        };
        let found = Correlations {
            summary: CorrelateSummary {
                documents: 7,
                ..CorrelateSummary::default()
            },
            pairs: vec![pair],
        };
        let printed = found.to_json();
        assert_eq!(printed["documents"], 7);
        assert_eq!(printed["pairs"][0]["j"], 0);
        assert_eq!(printed["pairs"][0]["test"], "STATISTICAL_TEST_FISHER");
        let found = Comparisons {
            comparisons: vec![Comparison {
                head: DiffComparison {
                    name: "b".into(),
                    ..DiffComparison::default()
                },
                rows: vec![DiffRow::default()],
            }],
        };
        let printed = found.to_json();
        assert_eq!(printed["comparisons"][0]["name"], "b");
        assert_eq!(printed["comparisons"][0]["rows"][0]["latent"], 0);
    }

    #[test]
    fn scalars_of_every_kind_have_a_form() {
        let of = |held: super::Value| value(&held, &Kind::Bytes);
        assert_eq!(of(super::Value::Bytes(vec![0, 255].into())), "AP8=");
        assert_eq!(of(super::Value::F64(f64::NEG_INFINITY)), "-Infinity");
        assert_eq!(of(super::Value::F32(0.7)), json!(0.7));
        assert_eq!(of(super::Value::I32(-1)), -1);
        assert_eq!(of(super::Value::EnumNumber(99)), 99);
        assert_eq!(map_key(&MapKey::U64(3)), "3");
    }
}
