//! What a write must satisfy before the writer takes it.

use super::{Operation, Update};
use crate::document::{
    validate_attributes, validate_codes, validate_id, validate_text, validate_vector,
};
use crate::error::{Result, Within as _};

impl Operation {
    /// Checks what is written against the limits of documents, the collection's `dimension` and
    /// the number of latents of each of its SAEs. The error's field is a path inside the document
    /// or the update.
    pub(crate) fn validate(&self, dimension: Option<usize>, n_latents: &[usize]) -> Result<()> {
        match self {
            Self::Upsert(document) => document.validate(dimension, n_latents),
            Self::Update(update) => update.validate(dimension, n_latents),
            Self::Delete(_) | Self::DeleteMatching(_) => Ok(()),
        }
    }
}

impl Update {
    /// Checks every field as [`Document::validate`](crate::document::Document::validate) does.
    pub fn validate(&self, dimension: Option<usize>, n_latents: &[usize]) -> Result<()> {
        validate_id(&self.id).within("id")?;
        if let Some(text) = &self.text {
            validate_text(text).within("text")?;
        }
        validate_attributes(&self.set).within("set_attributes")?;
        if let Some(vector) = &self.vector {
            validate_vector(vector, dimension).within("vector")?;
        }
        validate_codes(self.codes.iter().map(Option::as_ref), n_latents)
    }
}
