//! The version of a document: a hash of its content, by which a write can say what it builds on.
//!
//! Nothing is stored for it. Equal contents have equal versions, so a document that is changed and
//! changed back has the version it had before.

use std::fmt;
use std::str::FromStr;

use half::f16;
use sha2::{Digest as _, Sha256};

use crate::document::{Codes, Document, Value};
use crate::error::{Error, Result};
use crate::latent_positions;

/// Bytes of a version.
const BYTES: usize = 16;

/// The first 128 bits of the SHA-256 of a document's text, attributes, vector and codes as they are
/// stored: activations rounded to f16, those of 0 left out. The id is not part of it.
///
/// ```
/// use latentdb_index::{Document, Value, Version};
///
/// let mut document = Document::new("review-1");
/// let before = Version::of(&document);
/// document.attributes.insert("stars".into(), Value::Integer(1));
/// assert_ne!(Version::of(&document), before);
/// assert_eq!(before.to_string().parse::<Version>().unwrap(), before);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version([u8; BYTES]);

impl Version {
    /// The version of a whole document, which has its codes under every SAE. Of a stored one,
    /// [`Snapshot::version`](crate::Snapshot::version) gives it.
    pub fn of(document: &Document) -> Self {
        let mut content = Content(Sha256::new());
        content.optional(document.text.as_deref(), |content, text| {
            content.bytes(text.as_bytes());
        });
        content.count(document.attributes.len());
        for (name, value) in &document.attributes {
            content.bytes(name.as_bytes());
            content.value(value);
        }
        content.optional(document.vector.as_deref(), |content, vector| {
            content.bytes(bytemuck::cast_slice(vector));
        });
        // The store keeps no codes behind the last SAE that gives a document any.
        let codes: Vec<(Vec<u8>, Vec<u8>)> = document.codes.iter().map(stored_codes).collect();
        let filled = |codes: &(Vec<u8>, Vec<u8>)| !codes.0.is_empty() || !codes.1.is_empty();
        let used = codes.iter().rposition(filled).map_or(0, |last| last + 1);
        for (latents, positions) in &codes[..used] {
            content.bytes(latents);
            content.bytes(positions);
        }
        let mut version = [0; BYTES];
        version.copy_from_slice(&content.0.finalize()[..BYTES]);
        Self(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || {
            Error::invalid(
                "",
                format!("is {text:?}; a version is 32 hexadecimal digits, as a document shows it"),
            )
        };
        if text.len() != 2 * BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        let mut version = [0; BYTES];
        for (at, byte) in version.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| malformed())?;
        }
        Ok(Self(version))
    }
}

/// Latents and positions as the store has them.
fn stored_codes(codes: &Codes) -> (Vec<u8>, Vec<u8>) {
    let mut latents = Vec::with_capacity(codes.latents.len() * 6);
    for entry in &codes.latents {
        let activation = f16::from_f32(entry.activation);
        if activation > f16::ZERO {
            latents.extend_from_slice(&entry.latent.to_le_bytes());
            latents.extend_from_slice(&activation.to_le_bytes());
        }
    }
    (latents, latent_positions::encode(&codes.positions))
}

/// What is hashed: each part behind its kind or its length, so that no two contents are the same
/// bytes.
struct Content(Sha256);

impl Content {
    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn optional<T>(&mut self, part: Option<T>, add: impl FnOnce(&mut Self, T)) {
        self.0.update([u8::from(part.is_some())]);
        if let Some(part) = part {
            add(self, part);
        }
    }

    fn value(&mut self, value: &Value) {
        self.bytes(value.kind().as_bytes());
        match value {
            Value::String(text) => self.bytes(text.as_bytes()),
            Value::Integer(number) | Value::Timestamp(number) => {
                self.0.update(number.to_le_bytes());
            }
            // 0 and -0 are equal values.
            Value::Float(number) => self.0.update((number + 0.0).to_le_bytes()),
            Value::Boolean(truth) => self.0.update([u8::from(*truth)]),
            Value::List(values) => {
                self.count(values.len());
                values.iter().for_each(|value| self.value(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Activation;

    fn active(latent: u32, activation: f32) -> Activation {
        Activation { latent, activation }
    }

    #[test]
    fn each_part_of_a_document_makes_another_version() {
        let mut documents = vec![Document::new("a")];
        let mut with = |change: fn(&mut Document)| {
            let mut document = Document::new("a");
            change(&mut document);
            documents.push(document);
        };
        with(|document| document.text = Some(String::new()));
        with(|document| document.text = Some("a".into()));
        for values in [
            Value::String("1".into()),
            Value::Integer(1),
            Value::Float(1.0),
            Value::Boolean(true),
            Value::Timestamp(1),
            Value::List(vec![]),
            Value::List(vec![Value::Integer(1)]),
            Value::List(vec![Value::Integer(1), Value::Integer(1)]),
        ] {
            let mut document = Document::new("a");
            document.attributes.insert("n".into(), values);
            documents.push(document);
        }
        let mut with = |change: fn(&mut Document)| {
            let mut document = Document::new("a");
            change(&mut document);
            documents.push(document);
        };
        with(|document| document.vector = Some(vec![1.0, 0.0]));
        with(|document| document.vector = Some(vec![1.0, f32::MIN_POSITIVE]));
        with(|document| document.codes = vec![vec![active(1, 0.5)].into()]);
        with(|document| document.codes = vec![Codes::default(), vec![active(1, 0.5)].into()]);
        let versions: std::collections::HashSet<Version> =
            documents.iter().map(Version::of).collect();
        assert_eq!(versions.len(), documents.len());
    }

    #[test]
    fn what_the_store_does_not_keep_makes_none() {
        let mut kept = Document::new("a");
        kept.codes = vec![vec![active(1, 0.1)].into()];
        let mut given = Document::new("b");
        let f16_of_tenth = f16::from_f32(0.1).to_f32();
        given.codes = vec![
            vec![active(0, 0.0), active(1, f16_of_tenth), active(3, 1e-9)].into(),
            Codes::default(),
        ];
        assert_eq!(Version::of(&kept), Version::of(&given));
    }

    #[test]
    fn a_malformed_version_is_refused() {
        let digits = "0123456789abcdef0123456789abcdef";
        assert_eq!(digits.parse::<Version>().unwrap().to_string(), digits);
        for wrong in [
            "",
            "1",
            &digits[1..],
            "0123456789abcdef0123456789abcdeg",
            "é123456789abcdef0123456789abcde",
        ] {
            let error = wrong.parse::<Version>().unwrap_err();
            assert!(error.message().contains("32 hexadecimal"), "{error}");
        }
    }
}
