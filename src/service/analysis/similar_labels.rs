//! Labels that say the same: cosines of labels through the collection's encoder.

use std::collections::HashMap;
use std::sync::Arc;

use latentdb_index::View;

use super::super::Service;
use super::super::labels::Labels;
use crate::error::Result;

/// How similar the labels of two latents are.
pub(in super::super) struct SimilarLabels {
    /// Vectors of labels at unit norm, by latent.
    vectors: HashMap<u32, Arc<[f32]>>,
}

impl SimilarLabels {
    /// The cosine of two latents' labels, where both have one.
    pub fn cosine(&self, i: u32, j: u32) -> Option<f32> {
        let (left, right) = (self.vectors.get(&i)?, self.vectors.get(&j)?);
        Some(left.iter().zip(right.iter()).map(|(a, b)| a * b).sum())
    }

    /// Every latent with a label, with the cosine of it and `vector`; in order of latents.
    pub fn cosines(&self, vector: &[f32]) -> Vec<(u32, f32)> {
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        let cosine = |label: &Arc<[f32]>| -> f32 {
            label.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>() / norm
        };
        let labels = self.vectors.iter();
        let mut cosines: Vec<(u32, f32)> = labels
            .map(|(latent, label)| (*latent, cosine(label)))
            .collect();
        cosines.sort_unstable_by_key(|(latent, _)| *latent);
        cosines
    }
}

impl Service {
    /// The collection's labels ready to be compared; `None` where it has no labels or no encoder.
    pub(in super::super) async fn similar_labels(
        self: &Arc<Self>,
        view: &View,
    ) -> Result<Option<SimilarLabels>> {
        let labels = self.labels_of(&view.record)?;
        if labels.is_empty() || view.record.encoder.is_none() {
            return Ok(None);
        }
        let texts: Vec<String> = labels.values().map(|label| label.text.clone()).collect();
        let vectors = self
            .label_vectors(&view.record, &texts, Labels::All)
            .await?;
        Ok(Some(SimilarLabels {
            vectors: labels.keys().copied().zip(vectors).collect(),
        }))
    }
}
