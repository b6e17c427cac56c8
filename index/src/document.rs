//! What a collection stores: documents, their attributes and their latents, and the limits on them.

use std::collections::BTreeMap;

use half::f16;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Within as _};
use crate::vector::squared_norm;

/// Longest document id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 512;
/// Longest text of one document, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Maximum attributes per document.
pub const MAX_ATTRIBUTES: usize = 256;
/// Longest attribute name, in bytes.
pub const MAX_ATTRIBUTE_NAME_BYTES: usize = 128;
/// Longest string attribute, in bytes of UTF-8 (the engine's longest term).
pub const MAX_ATTRIBUTE_STRING_BYTES: usize = 32_000;
/// Maximum active latents of one document.
pub const MAX_LATENTS_PER_DOCUMENT: usize = 65_536;

/// One latent of one document: a dimension of the SAE and how strongly it fires.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// The latent's number, `0..n_latents`.
    pub latent: u32,
    /// Its activation, finite and not negative.
    pub activation: f32,
}

/// Where in a document's text a latent fires most: a token, and the characters it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LatentPosition {
    /// The latent's number.
    pub latent: u32,
    /// The token's number in the text, from 0: two latents on equal or neighbouring tokens fire on
    /// the same word.
    pub token: u32,
    /// Its first character, counted in Unicode scalar values.
    pub start: u32,
    /// Behind its last character.
    pub end: u32,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// UTF-8 text, compared byte by byte.
    String(String),
    /// A 64-bit signed integer.
    Integer(i64),
    /// A finite 64-bit float.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Several values of one kind; a filter matches when one of them does.
    List(Vec<Value>),
}

impl Value {
    /// The name of the value's kind, as messages show it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Boolean(_) => "boolean",
            Self::Timestamp(_) => "timestamp",
            Self::List(_) => "list",
        }
    }

    /// Checks lengths, finiteness and that a list holds scalars of one kind.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::String(text) if text.len() > MAX_ATTRIBUTE_STRING_BYTES => Err(Error::invalid(
                "",
                format!(
                    "is a string of {} bytes; at most {MAX_ATTRIBUTE_STRING_BYTES} are accepted",
                    text.len()
                ),
            )),
            Self::Float(number) if !number.is_finite() => Err(Error::invalid(
                "",
                format!("is {number}; a finite number is accepted"),
            )),
            Self::Timestamp(micros) if micros.checked_mul(1000).is_none() => Err(Error::invalid(
                "",
                format!(
                    "is a timestamp {} seconds from 1970; the years 1677 to 2262 are accepted",
                    micros / 1_000_000
                ),
            )),
            Self::List(values) => {
                let first = values.first().map(Self::kind);
                for (at, value) in values.iter().enumerate() {
                    if matches!(value, Self::List(_)) || Some(value.kind()) != first {
                        return Err(Error::invalid(
                            format!("[{at}]"),
                            format!(
                                "is a {}; a list holds scalars of one kind (its first is a {})",
                                value.kind(),
                                first.unwrap_or("scalar")
                            ),
                        ));
                    }
                    value.validate().within(&format!("[{at}]"))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The scalars of the value: itself, or a list's elements.
    pub fn scalars(&self) -> &[Value] {
        match self {
            Self::List(values) => values,
            scalar => std::slice::from_ref(scalar),
        }
    }
}

/// A document as it is written and read back.
///
/// ```
/// use latentdb_index::{Document, Value};
///
/// let mut document = Document::new("review-1");
/// document.text = Some("arrived late and broken".into());
/// document.attributes.insert("stars".into(), Value::Integer(1));
/// assert!(document.validate(Some(384), &[]).is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The document's key, unique in its collection.
    pub id: String,
    /// Its text, searched by BM25.
    pub text: Option<String>,
    /// Its attributes, by name.
    pub attributes: BTreeMap<String, Value>,
    /// Its dense vector, of the collection's dimension.
    pub vector: Option<Vec<f32>>,
    /// Its codes under each SAE of the collection, in the order of the collection's list; shorter
    /// where the last SAEs give it none. A document read in the space of one SAE
    /// ([`Snapshot::document`](crate::Snapshot::document)) has the codes of that SAE
    /// alone.
    pub codes: Vec<Codes>,
}

/// The codes of a document under one SAE.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Codes {
    /// Active latents, ascending by number, each once.
    pub latents: Vec<Activation>,
    /// Where latents fire most, ascending by latent; empty unless positions are stored.
    pub positions: Vec<LatentPosition>,
}

impl FromIterator<Activation> for Codes {
    /// Codes without positions.
    fn from_iter<I: IntoIterator<Item = Activation>>(latents: I) -> Self {
        Self {
            latents: latents.into_iter().collect(),
            positions: Vec::new(),
        }
    }
}

impl From<Vec<Activation>> for Codes {
    /// Codes without positions.
    fn from(latents: Vec<Activation>) -> Self {
        latents.into_iter().collect()
    }
}

impl Document {
    /// A document with an id and nothing else.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// Latents of the first entry of `codes`: of the default SAE, or of the SAE in whose space the
    /// document was read.
    pub fn latents(&self) -> &[Activation] {
        self.codes.first().map_or(&[], |codes| &codes.latents)
    }

    /// Positions of the first entry of `codes`, as [`Self::latents`].
    pub fn positions(&self) -> &[LatentPosition] {
        self.codes.first().map_or(&[], |codes| &codes.positions)
    }

    /// The codes under an SAE by its place in the collection's list, which grows where it is shorter.
    pub fn codes_mut(&mut self, sae: usize) -> &mut Codes {
        if self.codes.len() <= sae {
            self.codes.resize_with(sae + 1, Codes::default);
        }
        &mut self.codes[sae]
    }

    /// Checks every field against the limits of this module, the collection's `dimension` and
    /// the number of latents of each of its SAEs. The error's field is a path inside the document.
    pub fn validate(&self, dimension: Option<usize>, n_latents: &[usize]) -> Result<()> {
        validate_id(&self.id).within("id")?;
        if let Some(text) = &self.text {
            validate_text(text).within("text")?;
        }
        validate_attributes(&self.attributes).within("attributes")?;
        if let Some(vector) = &self.vector {
            validate_vector(vector, dimension).within("vector")?;
        }
        validate_codes(self.codes.iter().map(Some), n_latents)
    }
}

/// Checks a text: at most [`MAX_TEXT_BYTES`].
pub fn validate_text(text: &str) -> Result<()> {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(Error::invalid(
        "",
        format!(
            "has {} bytes; at most {MAX_TEXT_BYTES} are accepted",
            text.len()
        ),
    ))
}

/// Checks codes against the number of latents of each SAE; errors name `latents` for the default's.
pub fn validate_codes<'a>(
    codes: impl Iterator<Item = Option<&'a Codes>>,
    n_latents: &[usize],
) -> Result<()> {
    for (sae, codes) in codes.enumerate() {
        let Some(codes) = codes else { continue };
        let n_latents = n_latents.get(sae).copied();
        let latents = validate_latents(&codes.latents, n_latents);
        match sae {
            0 => latents.within("latents")?,
            _ => latents.within(&format!("codes[{sae}].latents"))?,
        }
        validate_positions(&codes.positions, n_latents.unwrap_or(0))
            .within(&format!("codes[{sae}].positions"))?;
    }
    Ok(())
}

/// Checks an id: 1 to [`MAX_ID_BYTES`] bytes, no control characters.
pub fn validate_id(id: &str) -> Result<()> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(Error::invalid(
            "",
            format!("has {} bytes; 1 to {MAX_ID_BYTES} are accepted", id.len()),
        ));
    }
    if let Some(at) = id.chars().position(char::is_control) {
        let message = format!("is {id:?}, with a control character at {}", at + 1);
        return Err(Error::invalid("", message));
    }
    Ok(())
}

/// Checks attribute names (a letter or `_`, then letters, digits, `_`, `-`, `.`) and values.
pub fn validate_attributes(attributes: &BTreeMap<String, Value>) -> Result<()> {
    validate_attribute_count(attributes.len())?;
    for (name, value) in attributes {
        validate_attribute_name(name)?;
        value.validate().within(name)?;
    }
    Ok(())
}

/// Checks how many attributes a document has: at most [`MAX_ATTRIBUTES`].
pub(crate) fn validate_attribute_count(count: usize) -> Result<()> {
    if count <= MAX_ATTRIBUTES {
        return Ok(());
    }
    Err(Error::invalid(
        "",
        format!("has {count} entries; at most {MAX_ATTRIBUTES} are accepted"),
    ))
}

/// Checks one attribute name.
pub fn validate_attribute_name(name: &str) -> Result<()> {
    let mut characters = name.chars();
    let starts = characters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_');
    if starts
        && name.len() <= MAX_ATTRIBUTE_NAME_BYTES
        && characters.all(|next| next.is_alphanumeric() || matches!(next, '_' | '-' | '.'))
    {
        return Ok(());
    }
    Err(Error::invalid(
        "",
        format!(
            "attribute name {name:?} is not accepted: a letter or _, then letters, digits, _ - or ., \
             at most {MAX_ATTRIBUTE_NAME_BYTES} bytes"
        ),
    ))
}

/// Checks a dense vector: the collection's dimension, finite, not all zero (it has no direction).
pub fn validate_vector(vector: &[f32], dimension: Option<usize>) -> Result<()> {
    match dimension {
        None => {
            return Err(Error::invalid(
                "",
                "is given, but the collection was created without a dimension and holds no vectors",
            ));
        }
        Some(dimension) if dimension != vector.len() => {
            return Err(Error::invalid(
                "",
                format!(
                    "has {} values; this collection takes {dimension}",
                    vector.len()
                ),
            ));
        }
        Some(_) => {}
    }
    if let Some(at) = vector.iter().position(|value| !value.is_finite()) {
        return Err(Error::invalid(
            format!("[{at}]"),
            format!("is {}; finite numbers are accepted", vector[at]),
        ));
    }
    let squared = squared_norm(vector);
    if squared == 0.0 {
        return Err(Error::invalid("", "is all zeros and so has no direction"));
    }
    if !(1e-24..=1e24).contains(&squared) {
        return Err(Error::invalid(
            "",
            format!(
                "has norm {:e}; between 1e-12 and 1e12 is accepted",
                squared.sqrt()
            ),
        ));
    }
    Ok(())
}

/// Checks positions: latents below `n_latents`, ascending, each once; no span ends before it starts.
fn validate_positions(positions: &[LatentPosition], n_latents: usize) -> Result<()> {
    let mut previous = None;
    for (at, position) in positions.iter().enumerate() {
        let ascends = previous.is_none_or(|previous| previous < position.latent);
        if !ascends || position.latent as usize >= n_latents {
            return Err(Error::invalid(
                format!("[{at}].latent"),
                format!(
                    "is {}; latents below {n_latents} are accepted, ascending, each once",
                    position.latent
                ),
            ));
        }
        if position.end < position.start {
            return Err(Error::invalid(
                format!("[{at}].end"),
                format!("is {}, before the start, {}", position.end, position.start),
            ));
        }
        previous = Some(position.latent);
    }
    Ok(())
}

/// Checks latents: below `n_latents`, ascending, each once, activations finite and in
/// `0..=65504` (they are stored as f16).
pub fn validate_latents(latents: &[Activation], n_latents: Option<usize>) -> Result<()> {
    if latents.is_empty() {
        return Ok(());
    }
    let Some(n_latents) = n_latents else {
        return Err(Error::precondition(
            "latents are given, but the collection has no SAE and no n_latents: attach an SAE, or \
             create the collection with n_latents",
        ));
    };
    if latents.len() > MAX_LATENTS_PER_DOCUMENT {
        return Err(Error::invalid(
            "",
            format!(
                "has {} entries; at most {MAX_LATENTS_PER_DOCUMENT} are accepted",
                latents.len()
            ),
        ));
    }
    let mut previous = None;
    for (at, entry) in latents.iter().enumerate() {
        if entry.latent as usize >= n_latents {
            return Err(Error::invalid(
                format!("[{at}].latent"),
                format!("is {}; 0 to {} are accepted", entry.latent, n_latents - 1),
            ));
        }
        if previous.is_some_and(|previous| previous >= entry.latent) {
            return Err(Error::invalid(
                format!("[{at}].latent"),
                format!("is {}; latents are ascending, each once", entry.latent),
            ));
        }
        previous = Some(entry.latent);
        if !(0.0..=f32::from(f16::MAX)).contains(&entry.activation) {
            return Err(Error::invalid(
                format!("[{at}].activation"),
                format!("is {}; 0 to {} is accepted", entry.activation, f16::MAX),
            ));
        }
    }
    Ok(())
}
