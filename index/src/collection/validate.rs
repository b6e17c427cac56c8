//! What a write must satisfy before the writer takes it.

use super::{Operation, Update};
use crate::document::{
    Document, validate_attributes, validate_id, validate_latents, validate_vector,
};
use crate::error::{Result, Within as _};

impl Operation {
    /// Checks what is written against the limits of documents, the collection's `dimension` and
    /// its `n_latents`. The error's field is a path inside the document or the update.
    pub(crate) fn validate(
        &self,
        dimension: Option<usize>,
        n_latents: Option<usize>,
    ) -> Result<()> {
        match self {
            Self::Upsert(document) => document.validate(dimension, n_latents),
            Self::Update(update) => update.validate(dimension, n_latents),
            Self::Delete(_) | Self::DeleteMatching(_) => Ok(()),
        }
    }
}

impl Update {
    /// Checks every field as [`Document::validate`] does.
    pub fn validate(&self, dimension: Option<usize>, n_latents: Option<usize>) -> Result<()> {
        validate_id(&self.id).within("id")?;
        if let Some(text) = &self.text {
            // The same limits as for a whole document.
            let mut document = Document::new(self.id.as_str());
            document.text = Some(text.clone());
            document.validate(None, None)?;
        }
        validate_attributes(&self.set).within("set_attributes")?;
        if let Some(vector) = &self.vector {
            validate_vector(vector, dimension).within("vector")?;
        }
        if let Some(latents) = &self.latents {
            validate_latents(latents, n_latents).within("latents")?;
        }
        Ok(())
    }
}
