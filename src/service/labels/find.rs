//! Labels by words and by meaning.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use latentdb_index::analysis::latent_counts;
use latentdb_index::{Filter, Label};
use parking_lot::Mutex;

use super::Labels;
use crate::error::{Error, Result};
use crate::label::LabelIndex;
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::vectors::unit;

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

/// Which labels of a collection texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Which {
    /// All current ones: what no label says any more may be forgotten.
    All,
    /// Some, or earlier ones.
    Some,
}

impl LabelVectors {
    /// The vectors of `texts`, in their order; those not known yet are made by `encode`.
    async fn of<F>(
        &self,
        collection: (&str, &str),
        texts: &[String],
        which: Which,
        encode: impl FnOnce(Vec<String>) -> F,
    ) -> Result<Vec<Arc<[f32]>>>
    where
        F: Future<Output = Result<Vec<Vec<f32>>>>,
    {
        let collection = (collection.0.to_owned(), collection.1.to_owned());
        // Taken at once: what others forget while texts are encoded is still at hand.
        let mut found: HashMap<&str, Arc<[f32]>> = {
            let known = self.known.lock();
            let own = known.get(&collection);
            let vector = |text: &String| own?.get(text).cloned();
            let vectors = texts.iter();
            vectors
                .filter_map(|text| Some((text.as_str(), vector(text)?)))
                .collect()
        };
        let missing = texts.iter().map(String::as_str);
        let missing: BTreeSet<&str> = missing.filter(|text| !found.contains_key(text)).collect();
        let vectors = encode(missing.iter().map(|&text| text.to_owned()).collect()).await?;
        let made: Vec<(&str, Arc<[f32]>)> = missing
            .into_iter()
            .zip(vectors.iter().map(|vector| unit(vector).into()))
            .collect();
        found.extend(made.iter().cloned());
        {
            let mut known = self.known.lock();
            let own = known.entry(collection).or_default();
            own.extend(
                made.into_iter()
                    .map(|(text, vector)| (text.to_owned(), vector)),
            );
            if which == Which::All && own.len() > 2 * texts.len() + 64 {
                own.retain(|text, _| found.contains_key(text.as_str()));
            }
        }
        let vectors = texts.iter().map(|text| found.get(text.as_str()).cloned());
        vectors
            .collect::<Option<_>>()
            .ok_or_else(|| Error::internal("a label was not encoded"))
    }

    /// Forgets a collection.
    pub fn forget(&self, collection: &str) {
        self.known.lock().retain(|(id, _), _| id != collection);
    }
}

impl Labels {
    /// The vectors of labels' texts under a collection's encoder, at unit length and in the order
    /// of `texts`. They are kept in memory, per collection.
    ///
    /// # Errors
    /// `FailedPrecondition` where the collection has no encoder.
    pub(in crate::service) async fn vectors_of(
        self: &Arc<Self>,
        view: &View,
        texts: &[String],
        which: Which,
    ) -> Result<Vec<Arc<[f32]>>> {
        let (service, of) = (self.clone(), view.clone());
        let encoder = blocking(move || service.core.encoder_of(&of)).await?;
        let encoder = encoder.ok_or_else(|| no_encoder(view))?;
        let key = view.label_key();
        let collection = (key.0.as_str(), key.1.as_str());
        let encode = |texts| async move { encoder.encode(texts).await };
        self.vectors.of(collection, texts, which, encode).await
    }

    /// The latents whose labels are about `text`, best first.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty text; `FailedPrecondition` where a search by meaning finds no
    /// encoder.
    pub async fn search_labels(
        self: &Arc<Self>,
        address: &Address,
        text: &str,
        how: LabelSearch,
        limit: usize,
    ) -> Result<Vec<FoundLabel>> {
        let view = self.core.view(address)?;
        view.required_n_latents()?;
        if text.trim().is_empty() {
            return Err(Error::invalid("text", "is empty; words are accepted"));
        }
        let by_meaning = match how {
            LabelSearch::Meaning => true,
            LabelSearch::Words => false,
            LabelSearch::Any => view.encoder().is_some(),
        };
        let labels = self.of(&view)?;
        let mut found: Vec<(u32, f64)> = if by_meaning {
            let texts: Vec<String> = labels.values().map(|label| label.text.clone()).collect();
            let query = self.encoded(&view, text).await?;
            let vectors = self.vectors_of(&view, &texts, Which::All).await?;
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
        let (service, of) = (self.clone(), view.clone());
        let encoder = blocking(move || service.core.encoder_of(&of)).await?;
        let encoder = encoder.ok_or_else(|| no_encoder(view))?;
        let mut vectors = encoder.encode(vec![text.to_owned()]).await?;
        let vector = vectors.pop();
        vector
            .map(|vector| unit(&vector).into())
            .ok_or_else(|| Error::internal("a text was not encoded"))
    }
}

fn no_encoder(view: &View) -> Error {
    Error::precondition(format!(
        "collection {:?} has no encoder, so texts have no meaning there: search labels by words, \
         or create the collection with an encoder",
        view.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|at| format!("label {at}")).collect()
    }

    /// The vectors of texts, and the texts that were encoded for them.
    async fn ask(
        vectors: &LabelVectors,
        texts: &[String],
        which: Which,
        meanwhile: impl FnOnce(),
    ) -> (usize, Vec<String>) {
        let mut encoded = Vec::new();
        let encode = |texts: Vec<String>| {
            encoded.clone_from(&texts);
            meanwhile();
            async move {
                let vectors = texts.iter().map(|text| vec![text.len() as f32, 1.0]);
                Ok(vectors.collect())
            }
        };
        let found = vectors.of(("id", "name"), texts, which, encode).await;
        (found.unwrap().len(), encoded)
    }

    #[tokio::test]
    async fn asking_for_some_labels_forgets_no_others() {
        let vectors = LabelVectors::default();
        let all = texts(0..500);
        let (found, encoded) = ask(&vectors, &all, Which::All, || {}).await;
        assert_eq!((found, encoded.len()), (500, 500));
        let some = [texts(3..5), texts(900..901), texts(3..4)].concat();
        let (found, encoded) = ask(&vectors, &some, Which::Some, || {}).await;
        assert_eq!((found, encoded), (4, texts(900..901)));
        assert_eq!(ask(&vectors, &all, Which::All, || {}).await, (500, vec![]));
        // Labels that changed are forgotten in the end.
        ask(&vectors, &texts(2000..2100), Which::All, || {}).await;
        let (_, encoded) = ask(&vectors, &texts(0..1), Which::Some, || {}).await;
        assert_eq!(encoded, texts(0..1));
    }

    #[tokio::test]
    async fn what_is_forgotten_meanwhile_is_still_found() {
        let vectors = LabelVectors::default();
        ask(&vectors, &texts(0..10), Which::All, || {}).await;
        let forget = || vectors.forget("id");
        let (found, encoded) = ask(&vectors, &texts(0..11), Which::All, forget).await;
        assert_eq!((found, encoded), (11, texts(10..11)));
    }
}
