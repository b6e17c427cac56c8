//! Which parts of documents a request reads.

use std::ops::Deref;

use latentdb_index::{Codes, Document, Snapshot, Version};

use crate::error::Result;

/// Which parts of documents are read, in addition to ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// Their text.
    pub text: bool,
    /// Their attributes: all of them where `attribute_names` is empty.
    pub attributes: bool,
    /// Only these attributes.
    pub attribute_names: Vec<String>,
    /// Their vectors.
    pub vector: bool,
    /// Their latents.
    pub latents: bool,
    /// Their versions.
    pub version: bool,
}

/// A document as a projection shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadDocument {
    /// Its parts.
    pub document: Document,
    /// Its version, where it was asked for.
    pub version: Option<Version>,
    /// Its codes under every SAE, where they were asked for.
    pub codes: Vec<SaeCodes>,
}

/// Codes of a document under an SAE of a name; the default's where it is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaeCodes {
    /// The name.
    pub sae: String,
    /// The codes.
    pub codes: Codes,
}

impl Deref for ReadDocument {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

impl Projection {
    /// Text and attributes, what a search shows.
    pub fn readable() -> Self {
        Self {
            text: true,
            attributes: true,
            ..Self::default()
        }
    }

    /// Everything but the version.
    pub fn everything() -> Self {
        Self {
            vector: true,
            latents: true,
            ..Self::readable()
        }
    }

    /// The projected document of a snapshot.
    pub fn read(&self, snapshot: &Snapshot, doc: u32) -> Result<ReadDocument> {
        let mut document = snapshot.stored(doc)?;
        if !self.text {
            document.text = None;
        }
        if !self.attribute_names.is_empty() {
            document
                .attributes
                .retain(|name, _| self.attribute_names.contains(name));
        } else if !self.attributes {
            document.attributes.clear();
        }
        if self.vector {
            document.vector = snapshot.vector(doc).map(<[f32]>::to_vec);
        }
        if self.latents {
            let latents = snapshot.latents(doc);
            match document.codes.first_mut() {
                Some(codes) => codes.latents = latents,
                None => document.codes.push(Codes {
                    latents,
                    positions: Vec::new(),
                }),
            }
        }
        let version = self.version.then(|| snapshot.version(doc)).transpose()?;
        Ok(ReadDocument {
            document,
            version,
            codes: Vec::new(),
        })
    }
}
