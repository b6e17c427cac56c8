//! Labels that say the same: cosines of labels through the collection's encoder.

use std::collections::HashMap;
use std::sync::Arc;

use super::part::Labels;
use super::vectors::Which;
use crate::error::Result;
use crate::service::core::View;
use crate::vectors::{cosine, dot};

/// How similar the labels of two latents are.
pub(in crate::service) struct SimilarLabels {
    /// Vectors of labels at unit norm, by latent.
    vectors: HashMap<u32, Arc<[f32]>>,
}

impl SimilarLabels {
    /// The cosine of two latents' labels, where both have one.
    pub fn cosine(&self, i: u32, j: u32) -> Option<f32> {
        let (left, right) = (self.vectors.get(&i)?, self.vectors.get(&j)?);
        Some(dot(left, right) as f32)
    }

    /// Every latent with a label, with the cosine of it and `vector`; in order of latents.
    pub fn cosines(&self, vector: &[f32]) -> Vec<(u32, f32)> {
        let labels = self.vectors.iter();
        let mut cosines: Vec<(u32, f32)> = labels
            .map(|(latent, label)| (*latent, cosine(label, vector) as f32))
            .collect();
        cosines.sort_unstable_by_key(|(latent, _)| *latent);
        cosines
    }
}

impl Labels {
    /// The collection's labels ready to be compared; `None` where it has no labels or no encoder.
    pub(in crate::service) async fn similar(
        self: &Arc<Self>,
        view: &View,
    ) -> Result<Option<SimilarLabels>> {
        let labels = self.of(view)?;
        if labels.is_empty() || view.encoder().is_none() {
            return Ok(None);
        }
        let texts: Vec<String> = labels.values().map(|label| label.text.clone()).collect();
        let vectors = self.vectors_of(view, &texts, Which::All).await?;
        Ok(Some(SimilarLabels {
            vectors: labels.keys().copied().zip(vectors).collect(),
        }))
    }
}
