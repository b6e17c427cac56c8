//! How a [`Document`] becomes a tantivy document and comes back.
//!
//! | field | tantivy type | for |
//! |---|---|---|
//! | `id` | raw term, stored | the key of upserts and deletes |
//! | `text` | words of the collection's analyzer with positions, stored | BM25, text match, phrases |
//! | `attributes` | JSON, fast, stored | filters and facets read the columns |
//! | `vector` | custom bytes | the `dense` component |
//! | `latents` | custom bytes, one value per SAE | the `latents` component |
//! | `positions` | bytes, stored, one value per SAE | where latents fire in the text; see `latent_positions` |

use std::collections::BTreeMap;

use tantivy::TantivyDocument;
use tantivy::schema::{
    BytesOptions, Field, FieldType, IndexRecordOption, JsonObjectOptions, OwnedValue, STORED,
    STRING, Schema, TextFieldIndexing, TextOptions, Value as _,
};

use crate::document::{Activation, Codes, Document, Value};
use crate::error::{Error, Result};
use crate::latent_positions;
use crate::text::Analyzer;

/// Name of the custom field type of the `dense` component.
pub(crate) const VECTOR_FIELD: &str = "vector";
/// Name of the custom field type of the `latents` component.
pub(crate) const LATENTS_FIELD: &str = "latents";
/// Name of the attributes' JSON field, the root of their column names.
pub(crate) const ATTRIBUTES_FIELD: &str = "attributes";
/// Name of the stored field of positions.
const POSITIONS_FIELD: &str = "positions";

/// The schema with its fields at hand.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub schema: Schema,
    pub id: Field,
    pub text: Field,
    pub attributes: Field,
    pub vector: Field,
    pub latents: Field,
    pub positions: Field,
    pub analyzer: Analyzer,
}

impl Fields {
    /// The fields of an existing index.
    pub fn of(schema: Schema) -> Result<Self> {
        let field = |name: &str| {
            schema.get_field(name).map_err(|error| {
                Error::corrupted("an index has not the fields of a collection").with_source(error)
            })
        };
        let text = field("text")?;
        let tokenizer = match schema.get_field_entry(text).field_type() {
            FieldType::Str(options) => options
                .get_indexing_options()
                .map(TextFieldIndexing::tokenizer),
            _ => None,
        };
        Ok(Self {
            id: field("id")?,
            text,
            analyzer: Analyzer::of_name(tokenizer.unwrap_or_default())?,
            attributes: field(ATTRIBUTES_FIELD)?,
            vector: field(VECTOR_FIELD)?,
            latents: field(LATENTS_FIELD)?,
            positions: field(POSITIONS_FIELD)?,
            schema,
        })
    }

    /// The schema of a new collection.
    pub fn new(analyzer: Analyzer) -> Self {
        let mut builder = Schema::builder();
        let id = builder.add_text_field("id", STRING | STORED);
        let text = builder.add_text_field(
            "text",
            TextOptions::default().set_stored().set_indexing_options(
                TextFieldIndexing::default()
                    .set_tokenizer(&analyzer.name())
                    .set_index_option(IndexRecordOption::WithFreqsAndPositions),
            ),
        );
        let attributes = builder.add_json_field(
            ATTRIBUTES_FIELD,
            JsonObjectOptions::default().set_stored().set_fast("raw"),
        );
        let vector = builder.add_custom_field(VECTOR_FIELD, VECTOR_FIELD, serde_json::json!({}));
        let latents = builder.add_custom_field(LATENTS_FIELD, LATENTS_FIELD, serde_json::json!({}));
        let stored = BytesOptions::default().set_stored();
        let positions = builder.add_bytes_field(POSITIONS_FIELD, stored);
        Self {
            schema: builder.build(),
            id,
            text,
            attributes,
            vector,
            latents,
            positions,
            analyzer,
        }
    }

    /// The tantivy form of a valid document.
    pub fn encode(&self, document: &Document) -> TantivyDocument {
        let mut out = TantivyDocument::new();
        out.add_text(self.id, &document.id);
        if let Some(text) = &document.text {
            out.add_text(self.text, text);
        }
        if !document.attributes.is_empty() {
            let object = document
                .attributes
                .iter()
                .map(|(name, value)| (name.clone(), to_owned_value(value)))
                .collect();
            out.add_object(self.attributes, object);
        }
        if let Some(vector) = &document.vector {
            out.add_custom(self.vector, bytemuck::cast_slice(vector));
        }
        // A field's values lie in the order of the collection's SAEs.
        let latents = document.codes.iter().map(|codes| codes.latents.as_slice());
        for latents in up_to_last_filled(latents) {
            out.add_custom(self.latents, &encode_latents(latents));
        }
        let positions = document
            .codes
            .iter()
            .map(|codes| codes.positions.as_slice());
        for positions in up_to_last_filled(positions) {
            out.add_bytes(self.positions, &latent_positions::encode(positions));
        }
        out
    }

    /// The stored part (id, text, attributes, positions) of a tantivy document; its codes have no
    /// latents.
    pub fn decode(&self, stored: &TantivyDocument) -> Result<Document> {
        let id = stored
            .get_first(self.id)
            .and_then(|value| value.as_str())
            .ok_or_else(|| Error::corrupted("a stored document has no id"))?;
        let mut document = Document::new(id);
        document.text = stored
            .get_first(self.text)
            .and_then(|value| value.as_str())
            .map(str::to_owned);
        if let Some(value) = stored.get_first(self.attributes)
            && let OwnedValue::Object(object) = OwnedValue::from(value)
        {
            document.attributes = object
                .into_iter()
                .map(|(name, value)| Ok((name, from_owned_value(value)?)))
                .collect::<Result<BTreeMap<_, _>>>()?;
        }
        for value in stored.get_all(self.positions) {
            document.codes.push(Codes {
                positions: latent_positions::decode(value.as_bytes().unwrap_or_default())?,
                ..Codes::default()
            });
        }
        Ok(document)
    }
}

/// The values up to the last that is not empty.
fn up_to_last_filled<'a, T: 'a>(
    values: impl Iterator<Item = &'a [T]>,
) -> impl Iterator<Item = &'a [T]> {
    let mut values: Vec<&[T]> = values.collect();
    let filled = values.iter().rposition(|value| !value.is_empty());
    values.truncate(filled.map_or(0, |last| last + 1));
    values.into_iter()
}

fn encode_latents(latents: &[Activation]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(latents.len() * 8);
    for entry in latents {
        bytes.extend_from_slice(&entry.latent.to_le_bytes());
        bytes.extend_from_slice(&entry.activation.to_le_bytes());
    }
    bytes
}

/// The values of a `vector` payload.
pub(crate) fn decode_vector(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

/// The entries of a `latents` payload.
pub(crate) fn decode_latents(bytes: &[u8]) -> impl Iterator<Item = Activation> + '_ {
    bytes.chunks_exact(8).map(|eight| Activation {
        latent: u32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]]),
        activation: f32::from_le_bytes([eight[4], eight[5], eight[6], eight[7]]),
    })
}

/// The column name of an attribute. Dots in names are literal, so they are escaped.
pub(crate) fn column_name(attribute: &str) -> String {
    format!("{ATTRIBUTES_FIELD}.{}", attribute.replace('.', "\\."))
}

fn to_owned_value(value: &Value) -> OwnedValue {
    match value {
        Value::String(text) => OwnedValue::Str(text.clone()),
        Value::Integer(number) => OwnedValue::I64(*number),
        Value::Float(number) => OwnedValue::F64(*number),
        Value::Boolean(truth) => OwnedValue::Bool(*truth),
        Value::Timestamp(micros) => {
            OwnedValue::Date(tantivy::DateTime::from_timestamp_micros(*micros))
        }
        Value::List(values) => OwnedValue::Array(values.iter().map(to_owned_value).collect()),
    }
}

fn from_owned_value(value: OwnedValue) -> Result<Value> {
    Ok(match value {
        OwnedValue::Str(text) => Value::String(text),
        OwnedValue::I64(number) => Value::Integer(number),
        OwnedValue::U64(number) => Value::Integer(
            i64::try_from(number)
                .map_err(|_| Error::corrupted("a stored integer is out of range"))?,
        ),
        OwnedValue::F64(number) => Value::Float(number),
        OwnedValue::Bool(truth) => Value::Boolean(truth),
        OwnedValue::Date(date) => Value::Timestamp(date.into_timestamp_micros()),
        OwnedValue::Array(values) => Value::List(
            values
                .into_iter()
                .map(from_owned_value)
                .collect::<Result<_>>()?,
        ),
        other => {
            return Err(Error::corrupted(format!(
                "a stored attribute has the unexpected kind {other:?}"
            )));
        }
    })
}
