//! Documents as columns of Parquet.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float32Builder, Float64Builder, Int64Builder, ListBuilder,
    StringBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow_array::{Array as _, ArrayRef, ListArray, RecordBatch, StringArray, StructArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use latentdb_index::{Document, Value};
use serde_json::{Map, Value as Json};

use super::row::{self, exact, is_part};
use crate::error::{Error, Result};

/// What the values of an attribute are in all documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Scalars of one kind.
    Scalar(&'static str),
    /// Lists of scalars of one kind; `None` of lists that are all empty.
    List(Option<&'static str>),
    /// Anything else, which no column holds.
    Mixed,
}

impl Shape {
    fn of(value: &Value) -> Self {
        match value {
            Value::List(values) => Self::List(values.first().map(Value::kind)),
            scalar => Self::Scalar(scalar.kind()),
        }
    }

    fn with(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::List(None), Self::List(kind)) | (Self::List(kind), Self::List(None)) => {
                Self::List(kind)
            }
            _ => Self::Mixed,
        }
    }
}

/// The columns that documents need.
#[derive(Debug, Default)]
pub(super) struct Columns {
    attributes: BTreeMap<String, Shape>,
    has_vectors: bool,
    has_latents: bool,
    has_other_codes: bool,
    has_positions: bool,
}

impl Columns {
    /// Makes room for a document.
    pub fn fit(&mut self, document: &Document) {
        for (name, value) in &document.attributes {
            let own = if is_part(name) {
                Shape::Mixed
            } else {
                Shape::of(value)
            };
            let shape = self.attributes.entry(name.clone()).or_insert(own);
            *shape = shape.with(own);
        }
        self.has_vectors |= document.vector.is_some();
        self.has_latents |= !document.latents().is_empty();
        let mut others = document.codes.iter().skip(1);
        self.has_other_codes |= others.any(|codes| !codes.latents.is_empty());
        self.has_positions |= document
            .codes
            .iter()
            .any(|codes| !codes.positions.is_empty());
    }

    /// Documents in these columns.
    ///
    /// # Errors
    /// `Internal` where columns differ in length.
    pub fn batch(&self, documents: &[Document], saes: &[String]) -> Result<RecordBatch> {
        let ids = documents.iter().map(|document| document.id.as_str());
        let mut columns: Vec<(&str, ArrayRef)> =
            vec![("id", Arc::new(StringArray::from_iter_values(ids)))];
        let texts = documents.iter().map(|document| document.text.as_deref());
        columns.push(("text", Arc::new(texts.collect::<StringArray>())));
        for (name, shape) in &self.attributes {
            let values = documents
                .iter()
                .map(|document| document.attributes.get(name));
            columns.extend(attribute(*shape, values).map(|column| (name.as_str(), column)));
        }
        if self.has_vectors {
            columns.push(("vector", vectors(documents)));
        }
        if self.has_latents {
            columns.push(("latents", latents(documents)?));
        }
        if self.attributes.values().any(|shape| *shape == Shape::Mixed) {
            let hidden = documents.iter().map(|document| Ok(self.hidden(document)));
            columns.push((row::ATTRIBUTES, json_texts(hidden)?));
        }
        if self.has_other_codes {
            let codes = documents
                .iter()
                .map(|document| row::other_codes(document, saes));
            columns.push((row::CODES, json_texts(codes)?));
        }
        if self.has_positions {
            let positions = documents
                .iter()
                .map(|document| row::positions(document, saes));
            columns.push((row::POSITIONS, json_texts(positions)?));
        }
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), *name != "id"))
            .collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(fault)
    }

    /// The attributes of a document that have no column.
    fn hidden(&self, document: &Document) -> Option<Json> {
        let attributes = document.attributes.iter();
        let hidden: Map<String, Json> = attributes
            .filter(|(name, _)| self.attributes.get(*name) == Some(&Shape::Mixed))
            .map(|(name, value)| (name.clone(), exact(value)))
            .collect();
        (!hidden.is_empty()).then(|| hidden.into())
    }
}

pub(super) fn fault(error: ArrowError) -> Error {
    Error::internal("the columns of an export").with_source(error)
}

fn json_texts(values: impl Iterator<Item = Result<Option<Json>>>) -> Result<ArrayRef> {
    let texts = values.map(|value| Ok(value?.map(|json| json.to_string())));
    let texts = texts.collect::<Result<Vec<Option<String>>>>()?;
    Ok(Arc::new(StringArray::from(texts)))
}

fn vectors(documents: &[Document]) -> ArrayRef {
    let mut vectors = ListBuilder::new(Float32Builder::new());
    for document in documents {
        let vector = document.vector.as_deref();
        vectors.values().append_slice(vector.unwrap_or_default());
        vectors.append(vector.is_some());
    }
    Arc::new(vectors.finish())
}

/// Latents, null where there are none.
fn latents(documents: &[Document]) -> Result<ArrayRef> {
    let mut indices = ListBuilder::new(UInt32Builder::new());
    let mut values = ListBuilder::new(Float32Builder::new());
    for document in documents {
        let latents = document.latents();
        for entry in latents {
            indices.values().append_value(entry.latent);
            values.values().append_value(entry.activation);
        }
        indices.append(!latents.is_empty());
        values.append(!latents.is_empty());
    }
    let (indices, values) = (indices.finish(), values.finish());
    let nulls = indices.nulls().cloned();
    let field = |name, list: &ListArray| Field::new(name, list.data_type().clone(), true);
    let fields = vec![field("indices", &indices), field("values", &values)];
    let lists: Vec<ArrayRef> = vec![Arc::new(indices), Arc::new(values)];
    let latents = StructArray::try_new(fields.into(), lists, nulls).map_err(fault)?;
    Ok(Arc::new(latents))
}

/// A column of an attribute; `None` where none holds its values.
fn attribute<'v>(
    shape: Shape,
    values: impl Iterator<Item = Option<&'v Value>>,
) -> Option<ArrayRef> {
    let (kind, is_list) = match shape {
        Shape::Scalar(kind) => (kind, false),
        Shape::List(kind) => (kind.unwrap_or("string"), true),
        Shape::Mixed => return None,
    };
    Some(match kind {
        "integer" => column(Int64Builder::new(), is_list, values, |builder, value| {
            builder.append_option(match value {
                Some(Value::Integer(number)) => Some(*number),
                _ => None,
            });
        }),
        "float" => column(Float64Builder::new(), is_list, values, |builder, value| {
            builder.append_option(match value {
                Some(Value::Float(number)) => Some(*number),
                _ => None,
            });
        }),
        "boolean" => column(BooleanBuilder::new(), is_list, values, |builder, value| {
            builder.append_option(match value {
                Some(Value::Boolean(truth)) => Some(*truth),
                _ => None,
            });
        }),
        "timestamp" => {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            let builder = TimestampMicrosecondBuilder::new().with_data_type(utc);
            column(builder, is_list, values, |builder, value| {
                builder.append_option(match value {
                    Some(Value::Timestamp(micros)) => Some(*micros),
                    _ => None,
                });
            })
        }
        _ => column(StringBuilder::new(), is_list, values, |builder, value| {
            builder.append_option(match value {
                Some(Value::String(text)) => Some(text),
                _ => None,
            });
        }),
    })
}

/// A column of scalars or of lists of them.
fn column<'v, B: ArrayBuilder>(
    mut builder: B,
    is_list: bool,
    values: impl Iterator<Item = Option<&'v Value>>,
    append: impl Fn(&mut B, Option<&Value>),
) -> ArrayRef {
    if !is_list {
        values.for_each(|value| append(&mut builder, value));
        return builder.finish();
    }
    let mut lists = ListBuilder::new(builder);
    for value in values {
        for scalar in value.map_or(&[][..], Value::scalars) {
            append(lists.values(), Some(scalar));
        }
        lists.append(value.is_some());
    }
    ArrayBuilder::finish(&mut lists)
}
