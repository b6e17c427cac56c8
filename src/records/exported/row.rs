//! A document as the fields of a record, and back.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use latentdb_index::{Activation, Codes, Document, LatentPosition, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value as Json};

use crate::error::{Error, ErrorKind, Result};
use crate::records::mapping::OF_EXPORTS;
use crate::records::record::{Record, TIMES};

/// Fields that hold what fields of plain names cannot.
pub(super) const ATTRIBUTES: &str = OF_EXPORTS[0];
pub(super) const CODES: &str = OF_EXPORTS[1];
pub(super) const POSITIONS: &str = OF_EXPORTS[2];

/// Whether a field of this name is no attribute.
pub(super) fn is_part(name: &str) -> bool {
    matches!(name, "id" | "text" | "vector" | "latents")
        || name == TIMES
        || OF_EXPORTS.contains(&name)
}

/// What the documents of a collection have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Its SAEs by their names, in the order of its list.
    pub saes: Vec<String>,
    /// Whether there may be vectors.
    pub vectors: bool,
}

/// Latents, and their activations.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Latents {
    pub indices: Vec<u32>,
    pub values: Vec<Number>,
}

/// Latents of an SAE by its name.
#[derive(Debug, Serialize, Deserialize)]
struct NamedLatents {
    sae: String,
    #[serde(flatten)]
    latents: Latents,
}

/// Positions of the latents of an SAE by its name.
#[derive(Debug, Serialize, Deserialize)]
struct NamedPositions {
    sae: String,
    latents: Vec<u32>,
    tokens: Vec<u32>,
    starts: Vec<u32>,
    ends: Vec<u32>,
}

/// The fields of a document, whose codes are those of the SAEs in their order. Parts that some
/// documents have are null in those that have not: `ingest` takes a field that every record has.
///
/// # Errors
/// `Internal` for a number that is not finite, which no document holds.
pub(super) fn encode(document: &Document, shape: &Shape) -> Result<Vec<(String, Json)>> {
    let saes = &shape.saes;
    let mut fields = vec![
        ("id".to_owned(), Json::from(document.id.as_str())),
        ("text".to_owned(), Json::from(document.text.as_deref())),
    ];
    let mut times = Vec::new();
    let mut hidden = Map::new();
    for (name, value) in &document.attributes {
        let is_reserved = is_part(name);
        if !is_reserved {
            fields.push((name.clone(), plain(value)));
            if value
                .scalars()
                .iter()
                .any(|one| matches!(one, Value::Timestamp(_)))
            {
                times.push(Json::from(name.as_str()));
            }
        }
        if is_reserved || !reads_back(value) {
            hidden.insert(name.clone(), exact(value));
        }
    }
    if shape.vectors {
        let vector = document.vector.as_deref().map(singles).transpose()?;
        fields.push(("vector".to_owned(), vector.into()));
    }
    if !saes.is_empty() {
        let row = document.latents();
        let own = (!row.is_empty())
            .then(|| json(&latents(row)?))
            .transpose()?;
        fields.push(("latents".to_owned(), own.into()));
    }
    if !times.is_empty() {
        fields.push((TIMES.to_owned(), Json::Array(times)));
    }
    if !hidden.is_empty() {
        fields.push((ATTRIBUTES.to_owned(), Json::Object(hidden)));
    }
    fields.extend(other_codes(document, saes)?.map(|codes| (CODES.to_owned(), codes)));
    fields.extend(positions(document, saes)?.map(|own| (POSITIONS.to_owned(), own)));
    Ok(fields)
}

/// The latents of all SAEs but the default, if there are any.
pub(super) fn other_codes(document: &Document, saes: &[String]) -> Result<Option<Json>> {
    let others = document.codes.iter().zip(saes).skip(1);
    let named = others
        .filter(|(codes, _)| !codes.latents.is_empty())
        .map(|(codes, sae)| {
            Ok(NamedLatents {
                sae: sae.clone(),
                latents: latents(&codes.latents)?,
            })
        });
    let named = named.collect::<Result<Vec<_>>>()?;
    (!named.is_empty()).then(|| json(&named)).transpose()
}

/// The positions of latents, if there are any.
pub(super) fn positions(document: &Document, saes: &[String]) -> Result<Option<Json>> {
    let all = document.codes.iter().zip(saes);
    let named: Vec<NamedPositions> = all
        .filter(|(codes, _)| !codes.positions.is_empty())
        .map(|(codes, sae)| {
            let each =
                |part: fn(&LatentPosition) -> u32| codes.positions.iter().map(part).collect();
            NamedPositions {
                sae: sae.clone(),
                latents: each(|own| own.latent),
                tokens: each(|own| own.token),
                starts: each(|own| own.start),
                ends: each(|own| own.end),
            }
        })
        .collect();
    (!named.is_empty()).then(|| json(&named)).transpose()
}

fn latents(row: &[Activation]) -> Result<Latents> {
    Ok(Latents {
        indices: row.iter().map(|entry| entry.latent).collect(),
        values: row
            .iter()
            .map(|entry| single(entry.activation))
            .collect::<Result<_>>()?,
    })
}

fn singles(values: &[f32]) -> Result<Vec<Json>> {
    let values = values.iter();
    values
        .map(|&value| Ok(Json::Number(single(value)?)))
        .collect()
}

/// A value in the form that other programs read.
fn plain(value: &Value) -> Json {
    match value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(truth) => (*truth).into(),
        Value::Timestamp(micros) => DateTime::from_timestamp_micros(*micros)
            .map_or(Json::Null, |at| {
                at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
            }),
        Value::List(values) => values.iter().map(plain).collect(),
    }
}

/// A value with its kind; doubles as text, which is read to the last bit.
pub(super) fn exact(value: &Value) -> Json {
    let content = match value {
        Value::Float(number) => format!("{number:e}").into(),
        Value::Timestamp(micros) => (*micros).into(),
        Value::List(values) => values.iter().map(exact).collect(),
        other => plain(other),
    };
    Map::from_iter([(value.kind().to_owned(), content)]).into()
}

fn from_exact(json: &Json) -> Option<Value> {
    let (kind, content) = json.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "string" => Value::String(content.as_str()?.to_owned()),
        "integer" => Value::Integer(content.as_i64()?),
        "float" => Value::Float(content.as_str()?.parse().ok()?),
        "boolean" => Value::Boolean(content.as_bool()?),
        "timestamp" => Value::Timestamp(content.as_i64()?),
        "list" => {
            let values = content.as_array()?.iter().map(from_exact);
            Value::List(values.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// Whether the parser of JSON reads a value's doubles as they are: it is off by the last bit for
/// some of 17 digits.
fn reads_back(value: &Value) -> bool {
    value.scalars().iter().all(|one| match one {
        Value::Float(number) => {
            let read = serde_json::from_str::<f64>(&Json::from(*number).to_string());
            read.is_ok_and(|read| read.to_bits() == number.to_bits())
        }
        _ => true,
    })
}

/// A number of single precision by its shortest decimal that is read back to the bit.
fn single(number: f32) -> Result<Number> {
    let shortest = number.to_string().parse::<f64>().unwrap_or_default();
    let read = serde_json::from_str::<f64>(&Json::from(shortest).to_string()).unwrap_or_default();
    let chosen = if narrowed(read).to_bits() == number.to_bits() {
        shortest
    } else {
        f64::from(number)
    };
    Number::from_f64(chosen).ok_or_else(|| Error::internal("a number that is not finite"))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is read was written in single precision"
)]
fn narrowed(number: f64) -> f32 {
    number as f32
}

/// The document of a record that [`encode`] or a row of Parquet made.
///
/// # Errors
/// `InvalidArgument` naming the line or row and the field.
pub(super) fn decode(record: &Record, saes: &[String]) -> Result<Document> {
    let mut document = Document::default();
    let mut hidden = BTreeMap::new();
    for (name, value) in record.fields() {
        let refused = || {
            Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "{}: the field {name:?} is not as an export writes it",
                    record.position()
                ),
            )
        };
        if value.is_null() {
            continue;
        }
        match name.as_str() {
            "id" => value
                .as_str()
                .ok_or_else(refused)?
                .clone_into(&mut document.id),
            "text" => document.text = Some(value.as_str().ok_or_else(refused)?.to_owned()),
            "vector" => document.vector = Some(vector(value).ok_or_else(refused)?),
            "latents" => {
                let latents = read(value).and_then(|own: Latents| activations(&own));
                document.codes_mut(0).latents = latents.ok_or_else(refused)?;
            }
            name if name == ATTRIBUTES => {
                let values: BTreeMap<String, Json> = read(value).ok_or_else(refused)?;
                for (name, value) in values {
                    hidden.insert(name, from_exact(&value).ok_or_else(refused)?);
                }
            }
            name if name == CODES => {
                for own in read::<Vec<NamedLatents>>(value).ok_or_else(refused)? {
                    let codes = codes_of(&mut document, saes, &own.sae).ok_or_else(refused)?;
                    codes.latents = activations(&own.latents).ok_or_else(refused)?;
                }
            }
            name if name == POSITIONS => {
                for own in read::<Vec<NamedPositions>>(value).ok_or_else(refused)? {
                    let codes = codes_of(&mut document, saes, &own.sae).ok_or_else(refused)?;
                    codes.positions = own.positions();
                }
            }
            name => {
                let value = attribute(value, record.is_time(name)).ok_or_else(refused)?;
                document.attributes.insert(name.to_owned(), value);
            }
        }
    }
    document.attributes.extend(hidden);
    Ok(document)
}

fn codes_of<'d>(document: &'d mut Document, saes: &[String], name: &str) -> Option<&'d mut Codes> {
    let place = saes.iter().position(|sae| sae == name)?;
    Some(document.codes_mut(place))
}

/// JSON, in Parquet as its text.
fn read<T: DeserializeOwned>(value: &Json) -> Option<T> {
    match value {
        Json::String(text) => serde_json::from_str(text).ok(),
        value => serde_json::from_value(value.clone()).ok(),
    }
}

fn vector(value: &Json) -> Option<Vec<f32>> {
    let values = value.as_array()?.iter();
    values.map(|value| value.as_f64().map(narrowed)).collect()
}

fn activations(latents: &Latents) -> Option<Vec<Activation>> {
    if latents.indices.len() != latents.values.len() {
        return None;
    }
    let entries = latents.indices.iter().zip(&latents.values);
    let entries = entries.map(|(&latent, value)| {
        Some(Activation {
            latent,
            activation: narrowed(value.as_f64()?),
        })
    });
    entries.collect()
}

fn attribute(value: &Json, is_time: bool) -> Option<Value> {
    Some(match value {
        Json::String(text) if is_time => {
            Value::Timestamp(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros())
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(number) if number.is_f64() => Value::Float(number.as_f64()?),
        Json::Number(number) => Value::Integer(number.as_i64()?),
        Json::Array(values) => {
            let values = values.iter().map(|value| attribute(value, is_time));
            Value::List(values.collect::<Option<_>>()?)
        }
        Json::Object(_) | Json::Null => return None,
    })
}

impl NamedPositions {
    fn positions(&self) -> Vec<LatentPosition> {
        let spans = self.starts.iter().zip(&self.ends);
        let places = self.latents.iter().zip(&self.tokens).zip(spans);
        places
            .map(|((&latent, &token), (&start, &end))| LatentPosition {
                latent,
                token,
                start,
                end,
            })
            .collect()
    }
}

fn json(value: &impl Serialize) -> Result<Json> {
    serde_json::to_value(value)
        .map_err(|error| Error::internal("a document is not JSON").with_source(error))
}
