//! Encoders as labellers and judges use them.

use std::sync::Arc;

use crate::encoder::SentenceEncoder;
use crate::error::Result;
use crate::label::Embed;
use crate::progress::Progress;
use crate::reading::Role;
use crate::vectors::unit;

/// An encoder as labellers use it.
pub(in crate::service) struct PhraseEncoder(pub Arc<SentenceEncoder>);

impl PhraseEncoder {
    fn embed(&self, texts: &[String], role: Role) -> Result<Vec<Vec<f32>>> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rows = self.0.encode(&texts, role, &Progress::default())?;
        Ok(rows.chunks_exact(self.0.dimension()).map(unit).collect())
    }
}

impl Embed for PhraseEncoder {
    fn phrases(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.embed(texts, Role::Query)
    }

    fn passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.embed(texts, Role::Document)
    }
}
