//! Labels that say the same: cosines of labels through the collection's encoder.

use std::collections::HashMap;
use std::sync::Arc;

use latentdb_index::database::View;

use super::super::Service;
use crate::error::Result;

/// How similar the labels of two latents are.
pub(super) struct SimilarLabels {
    /// Vectors of labels at unit norm, by latent.
    vectors: HashMap<u32, Arc<[f32]>>,
}

impl SimilarLabels {
    /// The cosine of two latents' labels, where both have one.
    pub fn cosine(&self, i: u32, j: u32) -> Option<f32> {
        let (left, right) = (self.vectors.get(&i)?, self.vectors.get(&j)?);
        Some(left.iter().zip(right.iter()).map(|(a, b)| a * b).sum())
    }
}

impl Service {
    /// The collection's labels ready to be compared; `None` where it has no labels or no encoder.
    pub(super) async fn similar_labels(
        self: &Arc<Self>,
        view: &View,
    ) -> Result<Option<SimilarLabels>> {
        let labels = self.labels_of(&view.record)?;
        if labels.is_empty() || view.record.encoder.is_none() {
            return Ok(None);
        }
        let texts: Vec<String> = labels.values().map(|label| label.text.clone()).collect();
        let vectors = self.label_vectors(&view.record, &texts).await?;
        Ok(Some(SimilarLabels {
            vectors: labels.keys().copied().zip(vectors).collect(),
        }))
    }
}
