//! Labels by words and by meaning.

use std::collections::HashMap;
use std::sync::Arc;

use latentdb_index::catalog::{CollectionRecord, Label};
use latentdb_index::database::View;
use latentdb_index::facet::latent_counts;
use latentdb_index::filter::Filter;
use parking_lot::Mutex;

use crate::encoder::BatchingEncoder;
use crate::error::{Error, Result};
use crate::label::LabelIndex;
use crate::service::search::no_sae;
use crate::service::{Service, blocking};

/// How labels are compared with a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelSearch {
    /// By meaning where the collection has an encoder, else by words.
    #[default]
    Any,
    /// By the cosine of their vectors.
    Meaning,
    /// By the words they share.
    Words,
}

/// A label that was found.
#[derive(Clone, Debug)]
pub struct FoundLabel {
    /// Its latent.
    pub latent: u32,
    /// The label.
    pub label: Label,
    /// The cosine, or the share of the words.
    pub score: f64,
    /// Documents in which the latent is active.
    pub documents: u64,
}

/// Vectors of label texts by collection (its id, and its name through an SAE), of unit length.
#[derive(Default)]
pub(in crate::service) struct LabelVectors {
    known: Mutex<HashMap<(String, String), VectorsByText>>,
}

type VectorsByText = HashMap<String, Arc<[f32]>>;

impl LabelVectors {
    /// The vectors of `texts`, in their order; those not known yet are made.
    async fn of(
        &self,
        collection: (&str, &str),
        encoder: &BatchingEncoder,
        texts: &[String],
    ) -> Result<Vec<Arc<[f32]>>> {
        let collection = (collection.0.to_owned(), collection.1.to_owned());
        let mut missing: Vec<String> = {
            let known = self.known.lock();
            let own = known.get(&collection);
            let is_missing = |text: &&String| own.is_none_or(|own| !own.contains_key(*text));
            texts.iter().filter(is_missing).cloned().collect()
        };
        missing.sort_unstable();
        missing.dedup();
        let vectors = encoder.encode(missing.clone()).await?;
        let mut known = self.known.lock();
        let own = known.entry(collection).or_default();
        for (text, vector) in missing.into_iter().zip(vectors) {
            own.insert(text, unit(vector));
        }
        let found = texts.iter().map(|text| own.get(text).cloned());
        let found: Option<Vec<_>> = found.collect();
        // What no label says any more is not kept.
        if own.len() > 2 * texts.len() + 64 {
            own.retain(|text, _| texts.contains(text));
        }
        found.ok_or_else(|| Error::internal("a label was not encoded"))
    }

    /// Forgets a collection.
    pub fn forget(&self, collection: &str) {
        self.known.lock().retain(|(id, _), _| id != collection);
    }
}

fn unit(vector: Vec<f32>) -> Arc<[f32]> {
    let squared: f32 = vector.iter().map(|value| value * value).sum();
    let scale = squared.sqrt().max(f32::MIN_POSITIVE).recip();
    vector.into_iter().map(|value| value * scale).collect()
}

impl Service {
    /// The vectors of labels' texts under a collection's encoder, at unit length and in the order
    /// of `texts`. They are kept in memory, per collection.
    ///
    /// # Errors
    /// `FailedPrecondition` where the collection has no encoder.
    pub(in crate::service) async fn label_vectors(
        self: &Arc<Self>,
        record: &CollectionRecord,
        texts: &[String],
    ) -> Result<Vec<Arc<[f32]>>> {
        let (service, of) = (self.clone(), record.clone());
        let encoder = blocking(move || service.models.encoder_of(&of)).await?;
        let encoder = encoder.ok_or_else(|| no_encoder(record))?;
        let collection = (record.id.as_str(), record.name.as_str());
        self.label_vectors.of(collection, &encoder, texts).await
    }

    /// The latents whose labels are about `text`, best first.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty text; `FailedPrecondition` where a search by meaning finds no
    /// encoder.
    pub async fn search_labels(
        self: &Arc<Self>,
        collection: &str,
        text: &str,
        how: LabelSearch,
        limit: usize,
    ) -> Result<Vec<FoundLabel>> {
        let view = self.view(collection)?;
        view.record.n_latents.ok_or_else(|| no_sae(&view))?;
        if text.trim().is_empty() {
            return Err(Error::invalid("text", "is empty; words are accepted"));
        }
        let by_meaning = match how {
            LabelSearch::Meaning => true,
            LabelSearch::Words => false,
            LabelSearch::Any => view.record.encoder.is_some(),
        };
        let labels = self.labels_of(&view.record)?;
        let mut found: Vec<(u32, f64)> = if by_meaning {
            let texts: Vec<String> = labels.values().map(|label| label.text.clone()).collect();
            let query = self.encoded(&view, text).await?;
            let vectors = self.label_vectors(&view.record, &texts).await?;
            let similarity = |vector: &Arc<[f32]>| {
                let products = vector
                    .iter()
                    .zip(query.iter())
                    .map(|(v, q)| f64::from(v * q));
                products.sum::<f64>()
            };
            labels
                .keys()
                .copied()
                .zip(vectors.iter().map(similarity))
                .collect()
        } else {
            let index =
                LabelIndex::new(labels.iter().map(|(&at, label)| (at, label.text.as_str())));
            let matches = index.search(text).into_iter();
            matches.map(|found| (found.latent, found.score)).collect()
        };
        // Stable, so that labels by words keep their order among equals.
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(limit);
        blocking(move || {
            let counts = latent_counts(&view.snapshot, &Filter::All)?;
            let counts: HashMap<u32, u64> = counts.iter().map(|c| (c.latent, c.count)).collect();
            let entries = found.into_iter().filter_map(|(latent, score)| {
                Some(FoundLabel {
                    latent,
                    label: labels.get(&latent)?.clone(),
                    score,
                    documents: counts.get(&latent).copied().unwrap_or(0),
                })
            });
            Ok(entries.collect())
        })
        .await
    }

    /// The vector of one text at unit length.
    async fn encoded(self: &Arc<Self>, view: &View, text: &str) -> Result<Arc<[f32]>> {
        let (service, record) = (self.clone(), view.record.clone());
        let encoder = blocking(move || service.models.encoder_of(&record)).await?;
        let encoder = encoder.ok_or_else(|| no_encoder(&view.record))?;
        let mut vectors = encoder.encode(vec![text.to_owned()]).await?;
        let vector = vectors.pop();
        vector
            .map(unit)
            .ok_or_else(|| Error::internal("a text was not encoded"))
    }
}

fn no_encoder(record: &CollectionRecord) -> Error {
    Error::precondition(format!(
        "collection {:?} has no encoder, so texts have no meaning there: search labels by words, \
         or create the collection with an encoder",
        record.name
    ))
}
