//! Labels that say the same: cosines of labels through the collection's encoder.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use latentdb_index::catalog::Label;
use latentdb_index::database::View;
use parking_lot::Mutex;

use super::super::{Service, blocking};
use crate::error::Result;

/// Labels by latent, as read from the catalog once.
type Labels = Arc<BTreeMap<u32, Label>>;

/// Vectors of labels at unit norm, by latent.
type Vectors = Arc<HashMap<u32, Vec<f32>>>;

/// Vectors of labels, as made last for a collection, with the labels they were made from.
#[derive(Default)]
pub(in super::super) struct LabelVectors {
    made: Mutex<HashMap<String, (Labels, Vectors)>>,
}

/// How similar the labels of two latents are.
pub(in super::super) struct SimilarLabels {
    vectors: Vectors,
}

impl SimilarLabels {
    /// The cosine of two latents' labels, where both have one.
    pub fn cosine(&self, i: u32, j: u32) -> Option<f32> {
        let (left, right) = (self.vectors.get(&i)?, self.vectors.get(&j)?);
        Some(left.iter().zip(right).map(|(a, b)| a * b).sum())
    }

    /// Every latent with a label, with the cosine of it and `vector`; in order of latents.
    pub fn cosines(&self, vector: &[f32]) -> Vec<(u32, f32)> {
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        let cosine = |label: &Vec<f32>| -> f32 {
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
    /// They are encoded when they have changed.
    pub(in super::super) async fn similar_labels(
        self: &Arc<Self>,
        view: &View,
    ) -> Result<Option<SimilarLabels>> {
        let labels = self.labels_of(&view.record)?;
        if labels.is_empty() {
            return Ok(None);
        }
        let key = view.record.id.clone();
        let known = self.label_vectors.made.lock().get(&key).cloned();
        if let Some((made_from, vectors)) = known
            && Arc::ptr_eq(&made_from, &labels)
        {
            return Ok(Some(SimilarLabels { vectors }));
        }
        let (service, record) = (self.clone(), view.record.clone());
        let Some(encoder) = blocking(move || service.models.encoder_of(&record)).await? else {
            return Ok(None);
        };
        let texts = labels.values().map(|label| label.text.clone()).collect();
        let mut encoded = encoder.encode(texts).await?;
        for vector in &mut encoded {
            let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            if norm > 0.0 {
                vector.iter_mut().for_each(|value| *value /= norm);
            }
        }
        let vectors: Vectors = Arc::new(labels.keys().copied().zip(encoded).collect());
        let made = (labels, vectors.clone());
        self.label_vectors.made.lock().insert(key, made);
        Ok(Some(SimilarLabels { vectors }))
    }
}
